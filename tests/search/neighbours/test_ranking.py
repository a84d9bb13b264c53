"""The ranking: right and complete."""

from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any

import numpy as np
import pytest
from django.test.utils import override_script_prefix
from django.urls import reverse
from numpy.typing import NDArray
from pgvector import HalfVector
from pgvector.django import CosineDistance

from search.models import Embedding, Encoder, Image
from search.neighbours import MAX_HITS, Scope, count, nearest
from tests.search.neighbours.drawn import DIM, fill, unit_vectors, walked


def test_it_returns_the_nearest_first_as_numpy_ranks_them(encoder: Encoder) -> None:
    vectors = unit_vectors(500)
    dataset = fill(encoder, "a", vectors)
    query = unit_vectors(1, seed=1)[0]
    answer = nearest(query, encoder, Scope(dataset_ids=(dataset.pk,)), k=20)
    distances = 1 - vectors.astype(np.float16).astype(np.float32) @ query
    np.testing.assert_allclose([hit.distance for hit in answer.hits], np.sort(distances)[:20], atol=2e-3)
    ids = list(Image.objects.order_by("pk").values_list("pk", flat=True))
    assert {hit.id for hit in answer.hits[:5]} == {ids[place] for place in np.argsort(distances)[:5]}
    assert answer.exact


def test_vectors_of_another_encoder_never_answer(encoder: Encoder) -> None:
    vectors = unit_vectors(50)
    dataset = fill(encoder, "a", vectors)
    other = Encoder.objects.create(name="other", family="fake", dim=DIM, weights_sha256="1" * 64)
    assert nearest(vectors[0], other, Scope(dataset_ids=(dataset.pk,)), k=10).hits == []


def test_datasets_out_of_scope_never_answer(encoder: Encoder) -> None:
    vectors = unit_vectors(50)
    here, there = fill(encoder, "here", vectors), fill(encoder, "there", vectors)
    answer = nearest(vectors[0], encoder, Scope(dataset_ids=(here.pk,)), k=100)
    assert len(answer.hits) == 50
    assert {hit.dataset for hit in answer.hits} == {"here"}
    assert there.name == "there"


def test_an_empty_scope_has_no_hits(encoder: Encoder) -> None:
    fill(encoder, "a", unit_vectors(5))
    assert nearest(unit_vectors(1)[0], encoder, Scope(dataset_ids=()), k=3).hits == []


def test_equal_distances_are_ordered_by_image(encoder: Encoder) -> None:
    dataset = fill(encoder, "a", np.repeat(unit_vectors(1), 30, axis=0))
    hits = nearest(unit_vectors(1)[0], encoder, Scope(dataset_ids=(dataset.pk,)), k=10).hits
    assert [hit.id for hit in hits] == sorted(Image.objects.values_list("pk", flat=True))[:10]


def test_pages_follow_each_other_without_gap_or_repetition(encoder: Encoder) -> None:
    vectors = unit_vectors(100)
    scope = Scope(dataset_ids=(fill(encoder, "a", vectors).pk,))
    whole = [hit.id for hit in nearest(vectors[0], encoder, scope, k=100).hits]
    pages = [hit.id for start in (0, 30, 60) for hit in nearest(vectors[0], encoder, scope, k=30, offset=start).hits]
    assert pages == whole[:90]


def test_pages_follow_a_place_past_a_thousand_hits(encoder: Encoder) -> None:
    vectors = unit_vectors(1300)
    scope = Scope(dataset_ids=(fill(encoder, "a", vectors).pk,))
    assert walked(vectors[0], encoder, scope, k=400) == ranked(vectors[0], encoder)


def test_an_offset_past_a_thousand_hits_is_counted_on(encoder: Encoder) -> None:
    vectors = unit_vectors(1300)
    scope = Scope(dataset_ids=(fill(encoder, "a", vectors).pk,))
    hits = nearest(vectors[0], encoder, scope, k=24, offset=1200).hits
    assert [hit.id for hit in hits] == ranked(vectors[0], encoder)[1200:1224]


def ranked(vector: NDArray[np.float32], encoder: Encoder) -> list[int]:
    """Return the ids of all images, by a plain statement without a limit."""
    found = Embedding.objects.filter(encoder=encoder).order_by(CosineDistance("vector", HalfVector(vector)), "image_id")
    return list(found.values_list("image_id", flat=True))


def test_the_image_searched_with_can_be_left_out(encoder: Encoder) -> None:
    vectors = unit_vectors(20)
    scope = Scope(dataset_ids=(fill(encoder, "a", vectors).pk,))
    first = nearest(vectors[7], encoder, scope, k=1).hits[0]
    assert first.id not in [hit.id for hit in nearest(vectors[7], encoder, scope.without(first.id), k=20).hits]


@pytest.mark.parametrize(
    ("fields", "scope"),
    [
        ({"split": "test"}, {"splits": ("test",)}),
        ({"label": "apple"}, {"labels": ("apple", "pear")}),
        ({"tags": ["fruit", "red"]}, {"tags": ("red",)}),
        ({"format": "JPEG"}, {"formats": ("JPEG", "WEBP")}),
        ({"width": 3}, {"orientation": "landscape"}),
        ({"height": 3}, {"orientation": "portrait"}),
        ({"width": 900}, {"min_edge": 800}),
        ({"width": 900}, {"min_edge": 900, "max_edge": 900}),
        ({"source": "holiday/Beach 50%_off.png"}, {"words": ("beach", "0%_o")}),
        ({"source": "b.png", "label": "Beach", "tags": ["sea"]}, {"words": ("SEA", "bea")}),
    ],
)
def test_filters_on_images_never_shorten_the_answer(
    encoder: Encoder, fields: dict[str, Any], scope: dict[str, Any]
) -> None:
    fill(encoder, "a", unit_vectors(300))
    dataset = fill(encoder, "a", unit_vectors(12, seed=5), **fields)
    wanted = Scope(dataset_ids=(dataset.pk,), **scope)
    assert len(nearest(unit_vectors(1)[0], encoder, wanted, k=13).hits) == 12
    assert count(encoder, wanted) == 12


def test_images_are_filtered_by_the_day_they_were_added(encoder: Encoder) -> None:
    dataset = fill(encoder, "a", unit_vectors(20))
    old = Image.objects.order_by("pk")[:7]
    Image.objects.filter(pk__in=old).update(created_at=datetime(2024, 5, 17, 23, 59, tzinfo=UTC))
    everything = Scope(dataset_ids=(dataset.pk,))
    day = date(2024, 5, 17)
    assert count(encoder, replace(everything, added_from=day, added_to=day)) == 7
    assert count(encoder, replace(everything, added_to=date(2024, 5, 16))) == 0
    assert count(encoder, replace(everything, added_from=date(2024, 5, 18))) == 13


def test_days_begin_in_the_time_zone_of_the_site(encoder: Encoder, settings: Any) -> None:
    settings.TIME_ZONE = "Europe/Berlin"
    dataset = fill(encoder, "a", unit_vectors(3))
    Image.objects.update(created_at=datetime(2026, 11, 26, 23, 30, tzinfo=UTC))
    everything = Scope(dataset_ids=(dataset.pk,))
    for day, n in ((date(2026, 11, 27), 3), (date(2026, 11, 26), 0), (date.min, 0)):
        assert count(encoder, replace(everything, added_from=day, added_to=day)) == n
    for ends in ({"added_from": date.min}, {"added_to": date.max}, {"added_from": date.min, "added_to": date.max}):
        assert count(encoder, replace(everything, **ends)) == 3
    assert count(encoder, replace(everything, added_from=date.max)) == 0


def test_a_scope_may_end_at_a_distance(encoder: Encoder) -> None:
    vectors = unit_vectors(200)
    scope = Scope(dataset_ids=(fill(encoder, "a", vectors).pk,))
    whole = nearest(vectors[0], encoder, scope, k=200).hits
    near = nearest(vectors[0], encoder, replace(scope, max_distance=whole[30].distance), k=200).hits
    assert near == whole[:31]


@pytest.mark.parametrize(("k", "offset"), [(0, 0), (-1, 0), (MAX_HITS + 1, 0), (10, -1)])
def test_it_refuses_a_page_that_cannot_be(encoder: Encoder, k: int, offset: int) -> None:
    with pytest.raises(ValueError, match="k must be from 1 to 1000"):
        nearest(unit_vectors(1)[0], encoder, Scope(dataset_ids=(1,)), k=k, offset=offset)


def test_it_refuses_a_vector_of_another_length(encoder: Encoder) -> None:
    with pytest.raises(ValueError, match="random compares vectors of 16 numbers; got shape"):
        nearest(np.zeros(15, dtype=np.float32), encoder, Scope(dataset_ids=(1,)))


def test_l2_encoders_are_ranked_by_l2(encoder: Encoder) -> None:
    Encoder.objects.filter(pk=encoder.pk).update(distance="l2")
    encoder.refresh_from_db()
    vectors = unit_vectors(40) * np.arange(1, 41, dtype=np.float32)[:, np.newaxis]
    scope = Scope(dataset_ids=(fill(encoder, "a", vectors).pk,))
    hits = nearest(vectors[0], encoder, scope, k=40).hits
    expected = np.sort(np.linalg.norm(vectors - vectors[0], axis=1))
    np.testing.assert_allclose([hit.distance for hit in hits], expected, rtol=5e-3, atol=5e-3)


@pytest.mark.parametrize("prefix", ["/", "/pictures/"])
def test_addresses_of_a_hit_are_those_of_its_image(encoder: Encoder, prefix: str) -> None:
    dataset = fill(encoder, "a", unit_vectors(2))

    with override_script_prefix(prefix):
        for hit in nearest(unit_vectors(1)[0], encoder, Scope(dataset_ids=(dataset.pk,)), k=2).hits:
            image = Image.objects.get(pk=hit.id)
            assert hit.url == image.get_absolute_url()
            assert hit.thumbnail_url == image.thumbnail_url
            assert hit.picture_url == reverse("picture", args=[image.pk, image.version])
