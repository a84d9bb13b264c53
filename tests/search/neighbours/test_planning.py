"""Above the threshold, with an index: searches go by the plan that was meant, and are nearly as right."""

from typing import Any

import numpy as np
import pytest
from django.db import connection
from numpy.typing import NDArray

from search import indexing
from search.models import Dataset, Encoder
from search.neighbours import MAX_HITS, Scope, count, nearest, planning, ranking, sizes
from search.neighbours.ranking import Place
from tests.search.neighbours.drawn import DIM, fill, unit_vectors, walked


@pytest.fixture(autouse=True)
def _low_threshold(settings: pytest.FixtureRequest) -> None:
    settings.EXACT_SEARCH_UP_TO = 100  # type: ignore[attr-defined]


def test_large_scopes_are_answered_by_the_index_as_well_as_by_comparing_all(encoder: Encoder) -> None:
    vectors = unit_vectors(2000)
    scope = Scope(dataset_ids=(fill(encoder, "a", vectors).pk,))
    exact = nearest(vectors[3], encoder, scope, k=10)
    indexing.build(encoder)
    answer = nearest(vectors[3], encoder, scope, k=10)
    assert (exact.exact, answer.exact) == (True, False)
    assert len({hit.id for hit in exact.hits} & {hit.id for hit in answer.hits}) >= 9


def test_the_statement_of_an_exact_search_cannot_use_the_index(encoder: Encoder) -> None:
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


def test_the_statement_of_an_indexed_search_uses_the_index(encoder: Encoder) -> None:
    vectors = unit_vectors(2000)
    scope = Scope(dataset_ids=(fill(encoder, "a", vectors).pk,))
    indexing.build(encoder)
    with connection.execute_wrapper(_Explain()) as _:
        nearest(vectors[0], encoder, scope, k=10)
    assert any(f"embedding_hnsw_{encoder.pk}" in plan for plan in _Explain.plans)


@pytest.mark.parametrize("k", [41, 200, MAX_HITS])
def test_more_than_ef_search_gives_are_still_all_there(encoder: Encoder, k: int) -> None:
    vectors = unit_vectors(1500)
    scope = Scope(dataset_ids=(fill(encoder, "a", vectors).pk,))
    indexing.build(encoder)
    assert len(nearest(vectors[0], encoder, scope, k=k).hits) == k


def test_pages_through_the_index_and_past_it_repeat_nothing(encoder: Encoder) -> None:
    vectors = unit_vectors(1500)
    scope = Scope(dataset_ids=(fill(encoder, "a", vectors).pk,))
    indexing.build(encoder)
    assert not nearest(vectors[0], encoder, scope, k=300).exact
    ids = walked(vectors[0], encoder, scope, k=300)
    assert len(ids) == len(set(ids))
    # What the walk for the first page passed by is on no later one.
    assert len(ids) >= 1490


def test_what_the_walk_of_a_page_before_passed_by_makes_no_page_short(
    encoder: Encoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    vectors = unit_vectors(1500)
    scope = Scope(dataset_ids=(fill(encoder, "a", vectors).pk,))
    indexing.build(encoder)
    walk = ranking._by_index

    def forgetful(*arguments: Any) -> list[ranking.Row]:
        rows = walk(*arguments)
        return [row for place, row in enumerate(rows) if place != 3] if len(rows) <= 25 else rows

    monkeypatch.setattr(ranking, "_by_index", forgetful)
    first = nearest(vectors[0], encoder, scope, k=23)
    last = first.hits[21]
    page = nearest(vectors[0], encoder, scope, k=24, offset=22, after=Place(last.distance, last.id))
    assert not page.exact
    assert len(page.hits) == 24


def large_and_small(encoder: Encoder) -> tuple[NDArray[np.float32], Dataset, Dataset]:
    """Index a dataset of 1,500 vectors and one of 30, and return all vectors and both."""
    vectors = unit_vectors(1530)
    found = vectors, fill(encoder, "a", vectors[:1500]), fill(encoder, "small", vectors[1500:])
    indexing.build(encoder)
    return found


def test_small_datasets_are_found_where_the_index_passes_them_by(
    encoder: Encoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    vectors, large, small = large_and_small(encoder)
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
    encoder: Encoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    vectors, large, small = large_and_small(encoder)
    monkeypatch.setattr(ranking, "_by_index", lambda *given: [])
    scope = Scope(dataset_ids=(large.pk, small.pk))
    answer = nearest(vectors[3], encoder, scope, k=20)
    assert answer.exact
    assert answer.hits == nearest(vectors[3], encoder, scope, k=20, by="comparison").hits


@pytest.mark.parametrize(("n_in", "exact"), [(2000, False), (300, True)])
def test_where_enough_is_in_scope_the_index_still_answers(encoder: Encoder, n_in: int, exact: bool) -> None:
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
def test_a_filter_that_lets_much_through_is_answered_by_the_index(encoder: Encoder, share: int, exact: bool) -> None:
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


def test_where_what_is_wanted_lies_far_off_all_is_compared(encoder: Encoder) -> None:
    here, there = np.eye(DIM, dtype=np.float32)[:2]
    near, far = here + unit_vectors(2000) / 20, there + unit_vectors(1500, seed=1) / 20
    dataset = fill(encoder, "a", near)
    fill(encoder, "a", far, label="wanted")
    indexing.build(encoder)
    scope = Scope(dataset_ids=(dataset.pk,), labels=("wanted",))
    answer = nearest(here, encoder, scope, k=10)
    assert answer.exact
    assert answer.hits == nearest(here, encoder, scope, k=10, by="comparison").hits


def test_no_more_is_compared_beside_the_index_than_without_one(encoder: Encoder) -> None:
    vectors = unit_vectors(400)
    ids = [fill(encoder, f"small {n}", vectors[30 * n : 30 * n + 30]).pk for n in range(5)]
    ids.append(fill(encoder, "not so small", vectors[200:240]).pk)
    # Three times thirty are the hundred that may be compared.
    assert planning.small_datasets(sizes(encoder, ids)) == tuple(ids[:3])


def test_without_an_index_a_large_scope_is_compared_exactly(encoder: Encoder) -> None:
    vectors = unit_vectors(300)
    scope = Scope(dataset_ids=(fill(encoder, "a", vectors).pk,))
    assert nearest(vectors[0], encoder, scope, k=10).exact


def test_a_half_built_index_is_built_anew(encoder: Encoder) -> None:
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


def test_building_twice_builds_once(encoder: Encoder) -> None:
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
