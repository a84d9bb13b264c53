"""How far each dataset is embedded, for those who may see it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from search.curating import trash
from search.encoders import coverage
from search.models import Dataset, Encoder, Image
from search.work import missing

AddImage = Callable[..., Image]


@pytest.fixture
def secret(embedded: list[Image], add_image: AddImage) -> Dataset:
    """A private dataset of two images, of which only the default encoder has a vector."""
    made = Dataset.objects.create(name="Secret", is_public=False)
    for colour in ("red", "blue"):
        add_image(colour, dataset=made)
    return made


def test_each_dataset_has_its_count(secret: Dataset, other: Encoder, encoder: Encoder, add_image: AddImage) -> None:
    add_image("white", status="refused", embedded=False)
    add_image("black", status="pending", embedded=False)
    told = [(one.dataset.name, one.n_embedded, one.n_images, one.n_missing) for one in _of(other)]
    assert told == [("Colours", 3, 4, 1), ("Secret", 0, 2, 2)]
    assert coverage.totals(Dataset.objects.all()) == ({encoder.pk: 5, other.pk: 3}, 6)


def _of(encoder: Encoder) -> list[coverage.Coverage]:
    return coverage.by_dataset(encoder, Dataset.objects.all())


def test_pages_tell_nothing_of_a_dataset_that_one_may_not_see(
    secret: Dataset, client: Client, admin_client: Client
) -> None:
    page = client.get("/encoders/other/").text
    assert "How far each dataset is embedded" in page
    assert "Secret" not in page
    assert "3 of 3 images" in page
    page = admin_client.get("/encoders/other/").text
    assert "Secret" in page
    assert "3 of 5 images" in page
    assert '<progress max="2" value="0"' in page
    assert "3 of 5 images" in admin_client.get("/encoders/").text


def test_what_is_in_the_trash_is_not_missing(secret: Dataset, other: Encoder) -> None:
    assert missing.n_missing(other) == 2
    trash.discard([secret.images.all()[0].pk])
    assert missing.n_missing(other) == 1
    trash.discard_dataset(secret)
    assert (missing.n_missing(other), len(_of(other))) == (0, 1)


def test_the_list_costs_as_many_statements_for_many_datasets_as_for_one(
    other: Encoder, add_image: AddImage, client: Client, django_assert_max_num_queries: Any
) -> None:
    for n in range(5):
        add_image("red", dataset=Dataset.objects.create(name=f"Set {n}"))
    with django_assert_max_num_queries(6):
        client.get("/encoders/")
