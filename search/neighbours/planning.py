"""How a search is to be answered: by comparing every vector in scope, or by a walk through the encoder's index."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from math import isqrt

from django.conf import settings
from django.db import connection

from search.models import Encoder
from search.neighbours.scope import Scope, fitting_images, parameters

# A dataset is small below this part of what is compared one by one.
_SMALL_SHARE = 3
# A walk is worth it where it saves so many comparisons a step, of which one takes the time of some seventy; and where
# it found too little, a second one where it saves so many.
_COMPARED_IN_A_STEP, _COMPARED_IN_A_SECOND = 80, 150
# What hnsw.ef_search can be raised to.
MOST_LOOKED_AT = 1000
_FEWEST_LOOKED_AT = 100
# Up to there the fewest find .99 of the ten nearest. Of a million they find .94, and 600 of them .98 in 15 ms.
_ENOUGH_UP_TO = 50_000
_GROWTH = 0.6
# Within so many times what decides, an estimate is not believed, and images are counted up to there.
_DOUBT = 4


@dataclass(frozen=True, kw_only=True)
class Walk:
    """A walk through the index. n: how many vectors that has; share: of it that is in scope, 0..1.

    is_of_all: whether nothing is out of scope, but for images that it names. may_be_repeated: whether a second walk
    comes before a comparison. small_dataset_ids: of those whose every vector is compared beside it.
    """

    n: int
    share: float
    is_of_all: bool = False
    may_be_repeated: bool = True
    small_dataset_ids: tuple[int, ...] = ()

    def efforts(self, depth: int) -> list[int]:
        """Return how many candidates to look at (hnsw.ef_search) for `depth` hits in scope, and then, if that fails."""
        fewest = round(_FEWEST_LOOKED_AT * max(1.0, self.n / _ENOUGH_UP_TO) ** _GROWTH)
        if self.is_of_all:
            return [min(MOST_LOOKED_AT, max(fewest, 2 * depth))]
        first = min(MOST_LOOKED_AT, 2 * fewest + round(3 * depth / self.share))
        return [first, MOST_LOOKED_AT] if first < MOST_LOOKED_AT and self.may_be_repeated else [first]


@dataclass(frozen=True, kw_only=True)
class Plan:
    """How a search is to be answered: by a walk through the index, or, without one, by comparison.

    sizes: how many vectors each dataset in scope has, for `count`; None where nobody looked.
    """

    walk: Walk | None
    sizes: Mapping[int, int] | None = None


def n_believed(n_looked_at: int) -> int:
    """Return how many of a walk's candidates are believed to be the nearest: those at the edge have others beside."""
    return n_looked_at // 2


@dataclass(frozen=True, kw_only=True)
class Stock:
    """An encoder's vectors. sizes: how many, by dataset; is_indexed: whether their index stands and is complete."""

    sizes: dict[int, int]
    is_indexed: bool

    @property
    def n(self) -> int:
        """How many there are, all of which an index has."""
        return sum(self.sizes.values())

    def within(self, dataset_ids: Sequence[int]) -> dict[int, int]:
        """Return how many there are in each of some datasets; those without any are left out."""
        return {one: self.sizes[one] for one in dataset_ids if one in self.sizes}


def plan(encoder: Encoder, scope: Scope, *, k: int, offset: int = 0) -> Plan:
    """Choose how `nearest` is to answer, which asks the database; it chooses by itself where it is given no plan."""
    depth, stock = offset + k, stock_of(encoder)
    walk = walk_for(stock, scope, depth) if depth <= MOST_LOOKED_AT else None
    return Plan(walk=walk, sizes=stock.within(scope.dataset_ids))


def walk_for(stock: Stock, scope: Scope, depth: int) -> Walk | None:
    """Return how the index answers a scope, to a depth of hits; None where every vector in scope is to be compared.

    A walk takes steps in vain for what is out of scope, so that it takes depth / share of them; a comparison takes
    share · n_indexed. Small scopes are compared, because a comparison is right and a walk nearly so. Where too few are
    expected, but there are more, a comparison takes longer than a walk would, and is right all the same.
    """
    counts = stock.within(scope.dataset_ids)
    n_in_datasets = sum(counts.values())
    if n_in_datasets <= settings.EXACT_SEARCH_UP_TO or scope.only_image_ids or not stock.is_indexed:
        return None
    n_in_scope = min(n_in_datasets, _estimated(scope)) if scope.filters_images else n_in_datasets
    if n_in_datasets == stock.n and not scope.filters_images:
        return _through_all(stock, counts)
    fewest = isqrt(_COMPARED_IN_A_STEP * depth * stock.n)
    if n_in_scope <= fewest or (scope.filters_images and n_in_scope <= _DOUBT * fewest and _are_few(scope, fewest)):
        return None
    return Walk(
        n=stock.n,
        share=n_in_scope / stock.n,
        may_be_repeated=n_in_scope > isqrt(_COMPARED_IN_A_SECOND * depth * stock.n),
        small_dataset_ids=small_datasets(counts),
    )


def walk_through(encoder: Encoder, scope: Scope) -> Walk:
    """Return a walk whatever else might be better, as an audit of the index wants it."""
    stock = stock_of(encoder)
    return _through_all(stock, stock.within(scope.dataset_ids))


def _through_all(stock: Stock, counts: dict[int, int]) -> Walk:
    return Walk(n=stock.n, share=1.0, is_of_all=True, small_dataset_ids=small_datasets(counts))


def stock_of(encoder: Encoder) -> Stock:
    """Return what an encoder has, in whatever datasets."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT dataset_id, sum(n)::bigint,
                   EXISTS (SELECT 1 FROM pg_index WHERE indexrelid = to_regclass(%(index)s) AND indisvalid)
            FROM search_embeddingcount WHERE encoder_id = %(encoder)s GROUP BY dataset_id HAVING sum(n) > 0
            """,
            {"encoder": encoder.pk, "index": index_name(encoder)},
        )
        rows = cursor.fetchall()
    return Stock(sizes={dataset_id: n for dataset_id, n, _ in rows}, is_indexed=any(there for _, _, there in rows))


def index_name(encoder: Encoder) -> str:
    """Return the name of the encoder's partial HNSW index."""
    return f"embedding_hnsw_{encoder.pk}"


def small_datasets(counts: dict[int, int]) -> tuple[int, ...]:
    """Return the datasets that are compared beside the index: the smallest, as long as they are few images together.

    counts: of their images, by dataset. What is unlike all the rest is an island in the index: among 60,000 pictures of
    32 pixels, walks for 5,502 photographs of groceries found none of the ten nearest in 58 of 100 cases.
    """
    most = settings.EXACT_SEARCH_UP_TO
    small = sorted((n, one) for one, n in counts.items() if n <= most // _SMALL_SHARE)
    sums = accumulate(n for n, _ in small)
    return tuple(one for (_, one), n in zip(small, sums, strict=True) if n <= most)


def _estimated(scope: Scope) -> int:
    """Return how many images Postgres expects to fit a scope: to count them would take longer than to search."""
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN (FORMAT JSON) {_fitting(scope)}", parameters(scope))
        (found,) = cursor.fetchone()
    plan = json.loads(found) if isinstance(found, str) else found
    return int(plan[0]["Plan"]["Plan Rows"])


def _are_few(scope: Scope, most: int) -> bool:
    """Return whether no more than `most` images fit a scope, looking at no more than it takes to know."""
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT count(*) FROM ({_fitting(scope)} LIMIT {most + 1:d}) fitting", parameters(scope))
        (n,) = cursor.fetchone()
    return bool(n <= most)


def _fitting(scope: Scope) -> str:
    return f"SELECT 1 FROM search_image scoped WHERE {fitting_images(scope)}"
