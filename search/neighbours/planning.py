"""How a search is to be answered: by comparing every vector in scope, or by a walk through the encoder's index."""

from __future__ import annotations

import json
from dataclasses import dataclass
from itertools import accumulate

from django.conf import settings
from django.db import connection

from search.models import Encoder
from search.neighbours.counting import sizes
from search.neighbours.scope import Scope, image_conditions, parameters

# A dataset is small below this part of what is compared one by one.
_SMALL_SHARE = 3
# So many vectors are compared in the time of one step of a walk.
_COMPARED_IN_A_STEP = 20
# A walk gives up after so many times the steps that it should take: what is wanted may lie far from the query.
_PATIENCE = 10
_LEAST_PATIENCE = 1_000


@dataclass(frozen=True, kw_only=True)
class Walk:
    """A walk through the index. share: of the index that is in scope, 0..1.

    small_dataset_ids: of those whose every vector is compared beside it.
    """

    share: float
    small_dataset_ids: tuple[int, ...]

    def n_looked_at(self, depth: int) -> int:
        """Return how many candidates a walk keeps at once, that `depth` of them are in scope most likely."""
        return max(100, round(2 * depth / self.share))

    def gives_up_after(self, depth: int) -> int:
        """Return the number of vectors after which too few are in scope to go on."""
        return max(_LEAST_PATIENCE, round(_PATIENCE * depth / self.share))


def walk_for(encoder: Encoder, scope: Scope, depth: int) -> Walk | None:
    """Return how the index answers a scope, to a depth of hits; None where every vector in scope is to be compared.

    A walk takes steps in vain for what is out of scope, so that it takes depth / share of them; a comparison takes
    share · n_indexed. Small scopes are compared, because a comparison is right and a walk nearly so.
    """
    counts = sizes(encoder, scope.dataset_ids)
    n_in_datasets = sum(counts.values())
    if n_in_datasets <= settings.EXACT_SEARCH_UP_TO or scope.only_image_ids:
        return None
    n_indexed, is_there = has_index(encoder)
    if not is_there:
        return None
    n_in_scope = min(n_in_datasets, _estimated(scope)) if scope.filters_images else n_in_datasets
    if n_in_scope**2 <= _COMPARED_IN_A_STEP * depth * n_indexed:
        return None
    return Walk(share=min(1.0, n_in_scope / n_indexed), small_dataset_ids=small_datasets(counts))


def walk_through(encoder: Encoder, scope: Scope) -> Walk:
    """Return a walk whatever else might be better, as an audit of the index wants it."""
    return Walk(share=1.0, small_dataset_ids=small_datasets(sizes(encoder, scope.dataset_ids)))


def has_index(encoder: Encoder) -> tuple[int, bool]:
    """Return how many vectors an encoder has, in whatever dataset, and whether their index stands and is complete."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT (SELECT coalesce(sum(n), 0)::bigint FROM search_embeddingcount WHERE encoder_id = %(encoder)s),
                   EXISTS (SELECT 1 FROM pg_index WHERE indexrelid = to_regclass(%(index)s) AND indisvalid)
            """,
            {"encoder": encoder.pk, "index": index_name(encoder)},
        )
        n_indexed, is_there = cursor.fetchone()
    return int(n_indexed), bool(is_there)


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
    where = " AND ".join(["scoped.dataset_id = ANY(%(datasets)s)", *image_conditions(scope)])
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN (FORMAT JSON) SELECT 1 FROM search_image scoped WHERE {where}", parameters(scope))
        (found,) = cursor.fetchone()
    plan = json.loads(found) if isinstance(found, str) else found
    return int(plan[0]["Plan"]["Plan Rows"])
