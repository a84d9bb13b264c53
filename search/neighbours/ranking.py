"""The ranking itself: which images in scope are nearest to a vector, by comparing all of them or through an index."""

from __future__ import annotations

import time
from dataclasses import replace
from functools import cache
from typing import Any, Literal, NamedTuple

import numpy as np
from django.db import connection
from numpy.typing import NDArray

from search.metrics import stages
from search.models import Encoder
from search.neighbours import planning
from search.neighbours.hits import COLUMNS, DETAILS, DISTANCE, Answer, hit_of
from search.neighbours.planning import MOST_LOOKED_AT, Plan, Walk
from search.neighbours.scope import Scope, conditions, image_join, own_conditions, parameters

MAX_HITS = MOST_LOOKED_AT  # of one answer
Row = tuple[Any, ...]
# Indexes are walked for operators; to a function of the same value none answers.
OPERATORS = {"cosine": "<=>", "l2": "<->"}
_FUNCTIONS = {"cosine": "cosine_distance", "l2": "l2_distance"}


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
    by: Plan | Literal["choice", "comparison", "index"] = "choice",
) -> Answer:
    """Return the k images of the scope nearest to a vector, after the first `offset`.

    vector: float32 (encoder.dim,). Distances are the encoder's own (cosine 0..2, or L2), ascending, ties by image id.
    Never fewer than min(k, images in scope - offset), but where the scope ends at a distance. Exact where the scope is
    small, as a whole or beside what its filters leave out, where there is no index, or at more hits than a walk through
    one gives; through the HNSW index otherwise, but for small datasets, every image of which is compared beside it: see
    `planning`. `Answer.exact` says which it was. An audit names one of them: by "comparison" of every vector in scope,
    or by the "index", which then has to be there. Whoever has made a plan for the same scope and depth gives that.
    after: where the page before ended, after `offset` hits; then no hit of an earlier page comes again, however each
    page was found, and none beyond it is left out.
    Raises ValueError if the vector has another length, if k is not 1 to MAX_HITS, or if offset is below 0.
    """
    if vector.shape != (encoder.dim,):
        raise ValueError(f"{encoder.name} compares vectors of {encoder.dim} numbers; got shape {vector.shape}.")
    if not 1 <= k <= MAX_HITS or offset < 0:
        raise ValueError(f"k must be from 1 to {MAX_HITS} and offset at least 0; got k={k}, offset={offset}.")
    started = time.perf_counter()
    walk = _plan(by, encoder, scope, k, offset).walk
    rows = _through_index(vector, encoder, scope, walk, offset + k, offset, after) if walk else []
    # An index scan can end early, after many deletions for instance. An answer that is short is not believed.
    exact = len(rows) < k
    if exact:
        rows = _exactly(vector, encoder, scope, k, 0 if after else offset, after)
    if scope.max_distance is not None:
        rows = [row for row in rows if row[DISTANCE] <= scope.max_distance]
    seconds = time.perf_counter() - started
    stages.observe("search", seconds)
    return Answer(hits=[hit_of(row) for row in rows], exact=exact, search_ms=seconds * 1000)


def _plan(by: Plan | str, encoder: Encoder, scope: Scope, k: int, offset: int) -> Plan:
    if isinstance(by, Plan):
        return by
    if by == "choice":
        return planning.plan(encoder, scope, k=k, offset=offset)
    return Plan(walk=planning.walk_through(encoder, scope) if by == "index" else None)


def _through_index(
    vector: NDArray[np.float32],
    encoder: Encoder,
    scope: Scope,
    walk: Walk,
    depth: int,
    offset: int,
    after: Place | None,
) -> list[Row]:
    """Return the rows of a page, or fewer where the walk ended before its end."""
    # This walk may find, before the place, what that of the page before has passed by: a page more makes up for it.
    n_rows = depth if after is None else min(2 * depth - offset, MOST_LOOKED_AT)
    for n_looked_at in walk.efforts(depth):
        walked = _by_index(vector, encoder, scope, walk, n_rows, n_looked_at)
        if len(walked) >= depth:
            break
    else:
        return []
    rows = _with_small_datasets(walked, vector, encoder, scope, walk.small_dataset_ids, n_rows)
    if after is None:
        return rows[offset:]
    return [row for row in rows if (row[DISTANCE], row[0]) > after][: depth - offset]


def _with_small_datasets(
    rows: list[Row], vector: NDArray[np.float32], encoder: Encoder, scope: Scope, small: tuple[int, ...], depth: int
) -> list[Row]:
    """Compare every vector of the small datasets too, which a walk through the index may have passed by."""
    if not small:
        return rows
    beside = _exactly(vector, encoder, replace(scope, dataset_ids=small), depth)
    found = {row[0]: row for row in [*rows, *beside]}
    return sorted(found.values(), key=lambda row: (row[DISTANCE], row[0]))[:depth]


def _literal(vector: NDArray[np.float32]) -> str:
    """Return a vector as Postgres reads it."""
    return "[" + ",".join(_every_half()[vector.astype(np.float16).view(np.uint16)]) + "]"


@cache
def _every_half() -> NDArray[np.object_]:
    """Return all 65,536 numbers of 16 bits as text, by their bits: to look one up takes a sixth of writing it.

    Five digits tell each from its neighbours.
    """
    halves = np.arange(1 << 16, dtype=np.uint16).view(np.float16)
    return np.array([f"{number:.5g}" for number in halves.tolist()], dtype=np.object_)


def _exactly(
    vector: NDArray[np.float32],
    encoder: Encoder,
    scope: Scope,
    k: int,
    offset: int = 0,
    after: Place | None = None,
) -> list[Row]:
    """Compare every vector in scope, and return k rows from an offset or a place on."""
    distance = f"{_FUNCTIONS[encoder.distance]}(embedding.vector, %(vector)s::halfvec)"
    beyond = f"AND ({distance}, embedding.image_id) > (%(after_distance)s::float8, %(after_id)s)" if after else ""
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            SELECT {COLUMNS}
            FROM (SELECT embedding.image_id, {distance} AS distance
                  FROM search_embedding embedding
                  WHERE embedding.encoder_id = {encoder.pk:d} AND {own_conditions(scope)} {beyond}
                  ORDER BY distance, embedding.image_id
                  LIMIT %(k)s OFFSET %(offset)s) nearest
            {DETAILS}
            """,
            {
                **parameters(scope),
                "vector": _literal(vector),
                "k": k,
                "offset": offset,
                "after_distance": after and after.distance,
                "after_id": after and after.image_id,
            },
        )
        return cursor.fetchall()


def _by_index(
    vector: NDArray[np.float32], encoder: Encoder, scope: Scope, walk: Walk, depth: int, n_looked_at: int
) -> list[Row]:
    """Walk the encoder's HNSW index for the first `depth` rows in scope; fewer where not so many are believed."""
    operator = OPERATORS[encoder.distance]
    # Encoder and length stand as literals: the partial index is chosen only where the planner can read them.
    distance = f"(embedding.vector::halfvec({encoder.dim:d})) {operator} %(vector)s::halfvec({encoder.dim:d})"
    of_encoder = f"embedding.encoder_id = {encoder.pk:d}"
    if walk.is_of_all:
        nearest = f"""
            SELECT embedding.image_id, {distance} AS distance
            FROM search_embedding embedding {image_join(scope)}
            WHERE {of_encoder} AND {conditions(scope)} ORDER BY distance LIMIT %(depth)s"""
    else:
        nearest = f"""
            SELECT embedding.image_id, embedding.distance
            FROM (SELECT embedding.image_id, embedding.dataset_id, {distance} AS distance
                  FROM search_embedding embedding
                  WHERE {of_encoder} ORDER BY distance LIMIT %(n_believed)s) embedding {image_join(scope)}
            WHERE {conditions(scope)} ORDER BY embedding.distance LIMIT %(depth)s"""
    with connection.cursor() as cursor:
        # At most ef_search rows come out of one walk; an iterative scan goes on past what is dead or thrown away.
        # No plan is left but that which reads the index in its order, and looks the images up one by one.
        # Both statements are one message, and so one transaction, with which the settings end.
        cursor.execute(
            f"""
            SELECT set_config('hnsw.ef_search', %(n_looked_at)s, true),
                   set_config('hnsw.iterative_scan', 'strict_order', true), set_config('enable_sort', 'off', true),
                   set_config('enable_hashjoin', 'off', true), set_config('enable_mergejoin', 'off', true);
            SELECT {COLUMNS} FROM ({nearest}) nearest {DETAILS}
            """,
            {
                **parameters(scope),
                "vector": _literal(vector),
                "depth": depth,
                "n_looked_at": str(n_looked_at),
                "n_believed": planning.n_believed(n_looked_at),
            },
        )
        cursor.nextset()
        return cursor.fetchall()
