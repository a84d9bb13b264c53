"""The ranking: right, complete, and by the plan that was meant."""

from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any

import numpy as np
import pytest
from django.db import connection
from numpy.typing import NDArray
from pgvector import HalfVector
from pgvector.django import CosineDistance

from search import indexing
from search.models import Embedding, Encoder, Image
from search.neighbours import MAX_HITS, Place, Scope, count, nearest, planning, ranking, sizes
from tests.search.neighbours.drawn import DIM, fill, unit_vectors


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


def walked(vector: NDArray[np.float32], encoder: Encoder, scope: Scope, *, k: int) -> list[int]:
    """Return the ids of page after page, to the last one."""
    ids: list[int] = []
    after: Place | None = None
    while hits := nearest(vector, encoder, scope, k=k, offset=len(ids), after=after).hits:
        ids += [hit.id for hit in hits]
        after = Place(hits[-1].distance, hits[-1].id)
    return ids


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


class TestWithAnIndex:
    """Above the threshold, with the index built."""

    @pytest.fixture(autouse=True)
    def _low_threshold(self, settings: pytest.FixtureRequest) -> None:
        settings.EXACT_SEARCH_UP_TO = 100  # type: ignore[attr-defined]

    def test_large_scopes_are_answered_by_the_index_as_well_as_by_comparing_all(self, encoder: Encoder) -> None:
        vectors = unit_vectors(2000)
        scope = Scope(dataset_ids=(fill(encoder, "a", vectors).pk,))
        exact = nearest(vectors[3], encoder, scope, k=10)
        indexing.build(encoder)
        answer = nearest(vectors[3], encoder, scope, k=10)
        assert (exact.exact, answer.exact) == (True, False)
        assert len({hit.id for hit in exact.hits} & {hit.id for hit in answer.hits}) >= 9

    def test_the_statement_of_an_exact_search_cannot_use_the_index(self, encoder: Encoder) -> None:
        vectors = unit_vectors(2000)
        dataset = fill(encoder, "a", vectors)
        indexing.build(encoder)
        small = fill(encoder, "small", vectors[:50])
        with connection.execute_wrapper(_Explain()) as _:
            answer = nearest(vectors[0], encoder, Scope(dataset_ids=(small.pk,)), k=50)
        assert answer.exact
        assert len(answer.hits) == 50
        assert not any("hnsw" in plan for plan in _Explain.plans)
        assert dataset.pk != small.pk

    def test_the_statement_of_an_indexed_search_uses_the_index(self, encoder: Encoder) -> None:
        vectors = unit_vectors(2000)
        scope = Scope(dataset_ids=(fill(encoder, "a", vectors).pk,))
        indexing.build(encoder)
        with connection.execute_wrapper(_Explain()) as _:
            nearest(vectors[0], encoder, scope, k=10)
        assert any(f"embedding_hnsw_{encoder.pk}" in plan for plan in _Explain.plans)

    @pytest.mark.parametrize("k", [41, 200, MAX_HITS])
    def test_more_than_ef_search_gives_are_still_all_there(self, encoder: Encoder, k: int) -> None:
        vectors = unit_vectors(1500)
        scope = Scope(dataset_ids=(fill(encoder, "a", vectors).pk,))
        indexing.build(encoder)
        assert len(nearest(vectors[0], encoder, scope, k=k).hits) == k

    def test_pages_through_the_index_and_past_it_repeat_nothing(self, encoder: Encoder) -> None:
        vectors = unit_vectors(1500)
        scope = Scope(dataset_ids=(fill(encoder, "a", vectors).pk,))
        indexing.build(encoder)
        assert not nearest(vectors[0], encoder, scope, k=300).exact
        ids = walked(vectors[0], encoder, scope, k=300)
        assert len(ids) == len(set(ids))
        # What the walk for the first page passed by is on no later one.
        assert len(ids) >= 1490

    def test_small_datasets_are_found_where_the_index_passes_them_by(
        self, encoder: Encoder, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        vectors = unit_vectors(1530)
        large, small = fill(encoder, "a", vectors[:1500]), fill(encoder, "small", vectors[1500:])
        indexing.build(encoder)
        walk = ranking._by_index

        def pass_by(*given: Any) -> list[Any]:
            """Walk as if nothing led to the small dataset."""
            *to, depth, n_looked_at = given
            return [row for row in walk(*to, depth + 30, n_looked_at) if row[3] != small.name][:depth]

        monkeypatch.setattr(ranking, "_by_index", pass_by)
        scope = Scope(dataset_ids=(large.pk, small.pk))
        answer = nearest(vectors[1510], encoder, scope, k=20)
        exact = nearest(vectors[1510], encoder, scope, k=20, by="comparison")
        assert not answer.exact
        assert answer.hits[0].dataset == "small"
        assert len({hit.id for hit in answer.hits} & {hit.id for hit in exact.hits}) >= 19
        assert [hit.distance for hit in answer.hits] == sorted(hit.distance for hit in answer.hits)
        # A second page goes on where the first one ended.
        more = nearest(vectors[1510], encoder, scope, k=20, offset=20)
        assert more.hits[0].distance >= answer.hits[-1].distance

    def test_a_walk_that_ends_early_is_not_believed_though_small_datasets_make_up_for_it(
        self, encoder: Encoder, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        vectors = unit_vectors(1530)
        large, small = fill(encoder, "a", vectors[:1500]), fill(encoder, "small", vectors[1500:])
        indexing.build(encoder)
        monkeypatch.setattr(ranking, "_by_index", lambda *given: [])
        scope = Scope(dataset_ids=(large.pk, small.pk))
        answer = nearest(vectors[3], encoder, scope, k=20)
        assert answer.exact
        assert answer.hits == nearest(vectors[3], encoder, scope, k=20, by="comparison").hits

    @pytest.mark.parametrize(("n_in", "exact"), [(2000, False), (300, True)])
    def test_where_enough_is_in_scope_the_index_still_answers(self, encoder: Encoder, n_in: int, exact: bool) -> None:
        vectors = unit_vectors(n_in)
        scope = Scope(dataset_ids=(fill(encoder, "a", vectors).pk,))
        hidden = fill(encoder, "hidden", np.repeat(vectors[:1], 200, axis=0))  # as near to the query as can be
        indexing.build(encoder)
        answer = nearest(vectors[0], encoder, scope, k=10)
        assert {hit.dataset for hit in answer.hits} == {"a"}
        assert answer.exact == exact
        assert answer.hits == nearest(vectors[0], encoder, scope, k=10, by="comparison").hits
        assert hidden.pk not in scope.dataset_ids

    @pytest.mark.parametrize(("share", "exact"), [(2, False), (20, True)])
    def test_a_filter_that_lets_much_through_is_answered_by_the_index(
        self, encoder: Encoder, share: int, exact: bool
    ) -> None:
        vectors = unit_vectors(8000)
        dataset = fill(encoder, "a", vectors[: 8000 // share], label="wanted")
        fill(encoder, "a", vectors[8000 // share :])
        indexing.build(encoder)
        scope = Scope(dataset_ids=(dataset.pk,), labels=("wanted",))
        with connection.execute_wrapper(_Explain()) as _:
            answer = nearest(vectors[7], encoder, scope, k=10)
        assert answer.exact == exact
        assert any(f"embedding_hnsw_{encoder.pk}" in plan for plan in _Explain.plans) != exact
        assert {hit.label for hit in answer.hits} == {"wanted"}
        compared = nearest(vectors[7], encoder, scope, k=10, by="comparison")
        assert len({hit.id for hit in answer.hits} & {hit.id for hit in compared.hits}) >= 9
        assert count(encoder, scope) == 8000 // share

    def test_where_what_is_wanted_lies_far_off_all_is_compared(self, encoder: Encoder) -> None:
        here, there = np.eye(DIM, dtype=np.float32)[:2]
        near, far = here + unit_vectors(2000) / 20, there + unit_vectors(1500, seed=1) / 20
        dataset = fill(encoder, "a", near)
        fill(encoder, "a", far, label="wanted")
        indexing.build(encoder)
        scope = Scope(dataset_ids=(dataset.pk,), labels=("wanted",))
        answer = nearest(here, encoder, scope, k=10)
        assert answer.exact
        assert answer.hits == nearest(here, encoder, scope, k=10, by="comparison").hits

    def test_no_more_is_compared_beside_the_index_than_without_one(self, encoder: Encoder) -> None:
        vectors = unit_vectors(400)
        ids = [fill(encoder, f"small {n}", vectors[30 * n : 30 * n + 30]).pk for n in range(5)]
        ids.append(fill(encoder, "not so small", vectors[200:240]).pk)
        # Three times thirty are the hundred that may be compared.
        assert planning.small_datasets(sizes(encoder, ids)) == tuple(ids[:3])

    def test_without_an_index_a_large_scope_is_compared_exactly(self, encoder: Encoder) -> None:
        vectors = unit_vectors(300)
        scope = Scope(dataset_ids=(fill(encoder, "a", vectors).pk,))
        assert nearest(vectors[0], encoder, scope, k=10).exact

    def test_a_half_built_index_is_built_anew(self, encoder: Encoder) -> None:
        fill(encoder, "a", unit_vectors(200))
        indexing.build(encoder)
        with connection.cursor() as cursor:
            cursor.execute(
                "UPDATE pg_index SET indisvalid = false WHERE indexrelid = %s::regclass",
                [f"embedding_hnsw_{encoder.pk}"],
            )
        assert not indexing.is_valid(encoder)
        assert indexing.build(encoder)
        assert indexing.is_valid(encoder)

    def test_building_twice_builds_once(self, encoder: Encoder) -> None:
        fill(encoder, "a", unit_vectors(200))
        assert indexing.build(encoder)
        assert not indexing.build(encoder)


class _Explain:
    """Notes the plan of each statement that ranks."""

    plans: list[str] = []

    def __init__(self) -> None:
        self.plans.clear()

    def __call__(self, execute, sql, parameters, many, context):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN204
        if "LIMIT" in sql and "nearest" in sql:
            settings, _, ranking = sql.rpartition(";")
            with connection.connection.cursor() as cursor:
                cursor.execute(f"{settings}; EXPLAIN {ranking}", parameters)
                while cursor.nextset():
                    pass
                self.plans.append("\n".join(row[0] for row in cursor.fetchall()))
        return execute(sql, parameters, many, context)
