"""More encoders than one."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from search.models import Encoder

AddEncoder = Callable[[str], Encoder]


@pytest.fixture
def add_encoder(encoder: Encoder) -> AddEncoder:
    """Make a further encoder, which has embedded nothing: `add_encoder("shapes")`."""

    def add(name: str) -> Encoder:
        return Encoder.objects.create(
            name=name, family="fake", dim=encoder.dim, spec=encoder.spec, weights_sha256="1" * 64
        )

    return add
