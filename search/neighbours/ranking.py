"""The ranking itself: which images in scope are nearest to a vector, by comparing all of them or through an index."""

from __future__ import annotations

import time
from dataclasses import replace
from itertools import accumulate
from typing import Any, Literal, NamedTuple

import numpy as np
from django.conf import settings
from django.db import connection, transaction
from numpy.typing import NDArray
from pgvector import HalfVector

from search.metrics import stages
from search.models import Encoder
from search.neighbours.counting import sizes
from search.neighbours.hits import COLUMNS, DETAILS, DISTANCE, Answer, hit_of
from search.neighbours.scope import Scope, conditions, image_join, parameters

MAX_HITS = 1000  # of one answer, and what hnsw.ef_search can be raised to
Row = tuple[Any, ...]
# A dataset is small below this part of what is compared one by one.
_SMALL_SHARE = 3
# So much of an index may be out of scope: a walk throws it away and goes on.
_MOST_LEFT_OUT = 0.1
OPERATORS = {"cosine": "<=>", "l2": "<->"}


class Place(NamedTuple):
    """Where in a ranking to go on: after the image of this distance and id."""

    distance: float
    image_id: int


def nearest(
    vector: NDArray[np.float32],
    encoder: Encoder,
    scope: Scope,
    *,
    k: int = 10,
    offset: int = 0,
    after: Place | None = None,
    by: Literal["choice", "comparison", "index"] = "choice",
) -> Answer:
    """Return the k images of the scope nearest to a vector, after the first `offset`.

    vector: float32 (encoder.dim,). Distances are the encoder's own (cosine 0..2, or L2), ascending, ties by image id.
    Never fewer than min(k, images in scope - offset), but where the scope ends at a distance. Exact where the scope is
    small, where it filters images, where there is no index or at more hits than a walk through one gives; through the
    HNSW index otherwise, but for small datasets, every image of which is compared beside it. `Answer.exact` says which
    it was. An audit names one of them: by "comparison" of every vector in scope, or by the "index", which then has to
    be there.
    after: where the page before ended, after `offset` hits; then no hit of an earlier page comes again, however each
    page was found, and none beyond it is left out.
    Raises ValueError if the vector has another length, if k is not 1 to MAX_HITS, or if offset is below 0.
    """
    if vector.shape != (encoder.dim,):
        raise ValueError(f"{encoder.name} compares vectors of {encoder.dim} numbers; got shape {vector.shape}.")
    if not 1 <= k <= MAX_HITS or offset < 0:
        raise ValueError(f"k must be from 1 to {MAX_HITS} and offset at least 0; got k={k}, offset={offset}.")
    started = time.perf_counter()
    depth = offset + k
    exact = by == "comparison" or (by == "choice" and (depth > MAX_HITS or not _index_serves(encoder, scope)))
    rows = [] if exact else _through_index(vector, encoder, scope, depth, offset, after)
    # An index scan can end early, after many deletions for instance. An answer that is short is not believed.
    if len(rows) < k:
        exact = True
        rows = _exactly(vector, encoder, scope, k, 0 if after else offset, after)
    if scope.max_distance is not None:
        rows = [row for row in rows if row[DISTANCE] <= scope.max_distance]
    seconds = time.perf_counter() - started
    stages.observe("search", seconds)
    return Answer(hits=[hit_of(row) for row in rows], exact=exact, search_ms=seconds * 1000)


def _through_index(
    vector: NDArray[np.float32], encoder: Encoder, scope: Scope, depth: int, offset: int, after: Place | None
) -> list[Row]:
    """Return the rows of a page, or fewer where the walk ended before its end."""
    walked = _by_index(vector, encoder, scope, depth)
    if len(walked) < depth:
        return []
    rows = _with_small_datasets(walked, vector, encoder, scope, depth)
    if after is None:
        return rows[offset:]
    return [row for row in rows if (row[DISTANCE], row[0]) > after][: depth - offset]


def _index_serves(encoder: Encoder, scope: Scope) -> bool:
    """Return whether the index answers this scope well: it is large, hardly filtered, and the index is there.

    A filter on an HNSW scan loses rows, so a scope that leaves out more than a few datasets is compared exactly.
    """
    n_in_scope = sum(sizes(encoder, scope.dataset_ids).values())
    if scope.filters_images or n_in_scope <= settings.EXACT_SEARCH_UP_TO:
        return False
    n_indexed, is_there = has_index(encoder)
    return is_there and n_in_scope >= (1 - _MOST_LEFT_OUT) * n_indexed


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


def _with_small_datasets(
    rows: list[Row], vector: NDArray[np.float32], encoder: Encoder, scope: Scope, depth: int
) -> list[Row]:
    """Compare every vector of the small datasets too, which a walk through the index may have passed by.

    What is unlike all the rest is an island in the index: among 60,000 pictures of 32 pixels, walks for 5,502
    photographs of groceries found none of the ten nearest in 58 of 100 cases, and all of them in the others.
    """
    small = _small_datasets(encoder, scope)
    if not small:
        return rows
    beside = _exactly(vector, encoder, replace(scope, dataset_ids=small), depth)
    found = {row[0]: row for row in [*rows, *beside]}
    return sorted(found.values(), key=lambda row: (row[DISTANCE], row[0]))[:depth]


def _small_datasets(encoder: Encoder, scope: Scope) -> tuple[int, ...]:
    """Return the datasets that are compared beside the index: the smallest, as long as they are few images together."""
    most = settings.EXACT_SEARCH_UP_TO
    small = sorted((n, one) for one, n in sizes(encoder, scope.dataset_ids).items() if n <= most // _SMALL_SHARE)
    sums = accumulate(n for n, _ in small)
    return tuple(one for (_, one), n in zip(small, sums, strict=True) if n <= most)


def index_name(encoder: Encoder) -> str:
    """Return the name of the encoder's partial HNSW index."""
    return f"embedding_hnsw_{encoder.pk}"


def _exactly(
    vector: NDArray[np.float32],
    encoder: Encoder,
    scope: Scope,
    k: int,
    offset: int = 0,
    after: Place | None = None,
) -> list[Row]:
    """Compare every vector in scope, and return k rows from an offset or a place on."""
    distance = f"(embedding.vector {OPERATORS[encoder.distance]} %(vector)s::halfvec)"
    beyond = f"AND ({distance}, embedding.image_id) > (%(after_distance)s::float8, %(after_id)s)" if after else ""
    with connection.cursor() as cursor:
        # "+ 0" is no expression of any index: the planner has to sort.
        cursor.execute(
            f"""
            SELECT {COLUMNS}
            FROM (SELECT embedding.image_id, {distance} AS distance
                  FROM search_embedding embedding {image_join(scope)}
                  WHERE embedding.encoder_id = {encoder.pk:d} AND {conditions(scope)} {beyond}
                  ORDER BY {distance} + 0, embedding.image_id
                  LIMIT %(k)s OFFSET %(offset)s) nearest
            {DETAILS}
            """,
            {
                **parameters(scope),
                "vector": HalfVector(vector).to_text(),
                "k": k,
                "offset": offset,
                "after_distance": after and after.distance,
                "after_id": after and after.image_id,
            },
        )
        return cursor.fetchall()


def _by_index(vector: NDArray[np.float32], encoder: Encoder, scope: Scope, depth: int) -> list[Row]:
    """Walk the encoder's HNSW index for the first `depth` rows; fewer where the walk ends before."""
    operator = OPERATORS[encoder.distance]
    # Encoder and length stand as literals: the partial index is chosen only where the planner can read them.
    indexed = f"(embedding.vector::halfvec({encoder.dim:d}))"
    with transaction.atomic(), connection.cursor() as cursor:
        # At most ef_search rows come out of one walk; an iterative scan goes on where conditions threw rows away.
        cursor.execute(
            "SELECT set_config('hnsw.ef_search', %s, true), set_config('hnsw.iterative_scan', 'strict_order', true)",
            [str(min(MAX_HITS, max(100, 2 * depth)))],
        )
        cursor.execute(
            f"""
            SELECT {COLUMNS}
            FROM (SELECT embedding.image_id, {indexed} {operator} %(vector)s::halfvec({encoder.dim:d}) AS distance
                  FROM search_embedding embedding
                  WHERE embedding.encoder_id = {encoder.pk:d} AND {conditions(scope)}
                  ORDER BY {indexed} {operator} %(vector)s::halfvec({encoder.dim:d})
                  LIMIT %(depth)s) nearest
            {DETAILS}
            """,
            {**parameters(scope), "vector": HalfVector(vector).to_text(), "depth": depth},
        )
        return cursor.fetchall()
