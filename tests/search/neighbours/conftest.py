"""What the tests of the ranking share."""

import pytest

from search.models import Encoder
from tests.search.neighbours.drawn import DIM


@pytest.fixture
def encoder(transactional_db: None) -> Encoder:
    return Encoder.objects.create(name="random", family="fake", dim=DIM, weights_sha256="0" * 64, is_default=True)
