"""The ranking: the only place where images are ordered by their distance to a vector."""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace
from itertools import accumulate
from typing import Any, Literal

import numpy as np
from django.conf import settings
from django.db import connection, transaction
from django.urls import reverse
from numpy.typing import NDArray
from pgvector import HalfVector

from search.models import Encoder

MAX_HITS = 1000  # what hnsw.ef_search can be raised to, and as far as anybody pages
# A dataset is small below this part of what is compared one by one.
_SMALL_SHARE = 3
_OPERATORS = {"cosine": "<=>", "l2": "<->"}


@dataclass(frozen=True, kw_only=True)
class Scope:
    """Which images may answer. Empty tuples mean: no such filter."""

    dataset_ids: tuple[int, ...]
    splits: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    without_image_id: int | None = None

    def without(self, image_id: int) -> Scope:
        """Return this scope less one image: the one that is searched with."""
        return replace(self, without_image_id=image_id)

    @property
    def filters_images(self) -> bool:
        return bool(self.splits or self.labels or self.tags)


@dataclass(frozen=True, kw_only=True)
class Hit:
    """One image of an answer, finished for display: no row has to be read for it."""

    id: int
    source: str
    label: str
    dataset: str
    dataset_slug: str
    distance: float
    sha256: str
    width: int
    height: int
    split: str
    tags: tuple[str, ...] = ()

    @property
    def similarity(self) -> float:
        """1 - cosine distance, -1..1, for display only."""
        return 1.0 - self.distance

    @property
    def name(self) -> str:
        return self.source.replace("\\", "/").rpartition("::")[2].rpartition("/")[2]

    @property
    def url(self) -> str:
        return reverse("image", args=[self.id])

    @property
    def thumbnail_url(self) -> str:
        return reverse("thumbnail", args=[self.id, self.sha256[:12]])

    def as_json(self) -> dict[str, Any]:
        return {
            "id": self.id,
            "source": self.source,
            "label": self.label,
            "dataset": self.dataset,
            "distance": round(self.distance, 6),
            "similarity": round(self.similarity, 6),
            "url": self.url,
            "thumbnail_url": self.thumbnail_url,
        }


@dataclass(frozen=True, kw_only=True)
class Answer:
    """The hits of a search, nearest first, and how they were found."""

    hits: list[Hit] = field(default_factory=list)
    exact: bool = True
    search_ms: float = 0.0


def nearest(
    vector: NDArray[np.float32],
    encoder: Encoder,
    scope: Scope,
    *,
    k: int = 10,
    offset: int = 0,
    by: Literal["choice", "comparison", "index"] = "choice",
) -> Answer:
    """Return the k images of the scope nearest to a vector, after the first `offset`.

    vector: float32 (encoder.dim,). Distances are the encoder's own (cosine 0..2, or L2), ascending, ties by image id.
    Never fewer than min(k, images in scope - offset). Exact where the scope is small, where it filters images, or
    where there is no index; through the HNSW index otherwise, but for small datasets, every image of which is compared
    beside it. `Answer.exact` says which it was. An audit names one of them: by "comparison" of every vector in scope,
    or by the "index", which then has to be there.
    Raises ValueError if the vector has another length, if k is below 1, or if offset + k is above MAX_HITS.
    """
    if vector.shape != (encoder.dim,):
        raise ValueError(f"{encoder.name} compares vectors of {encoder.dim} numbers; got shape {vector.shape}.")
    if k < 1 or offset < 0 or offset + k > MAX_HITS:
        raise ValueError(f"k must be at least 1 and offset + k at most {MAX_HITS}; got k={k}, offset={offset}.")
    started = time.perf_counter()
    depth = offset + k
    exact = by == "comparison" or (by == "choice" and not _index_serves(encoder, scope))
    rows = [] if exact else _by_index(vector, encoder, scope, depth)
    # An index scan can end early, after many deletions for instance. An answer that is short is not believed.
    if not exact and len(rows) < depth:
        exact = True
    rows = (
        _exactly(vector, encoder, scope, depth) if exact else _with_small_datasets(rows, vector, encoder, scope, depth)
    )
    hits = [_hit(row) for row in rows[offset:]]
    return Answer(hits=hits, exact=exact, search_ms=(time.perf_counter() - started) * 1000)


def _index_serves(encoder: Encoder, scope: Scope) -> bool:
    """Return whether the index answers this scope well: it is large, hardly filtered, and the index is there.

    A filter on an HNSW scan loses rows, so a scope that leaves out datasets is compared exactly.
    """
    if scope.filters_images:
        return False
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT (SELECT count(*) FROM (SELECT 1 FROM search_embedding
                    WHERE encoder_id = %(encoder)s AND dataset_id = ANY(%(datasets)s) LIMIT %(limit)s) counted),
                   (SELECT bool_and(id = ANY(%(datasets)s)) FROM search_dataset),
                   EXISTS (SELECT 1 FROM pg_index WHERE indexrelid = to_regclass(%(index)s) AND indisvalid)
            """,
            {
                "encoder": encoder.pk,
                "datasets": list(scope.dataset_ids),
                "limit": settings.EXACT_SEARCH_UP_TO + 1,
                "index": index_name(encoder),
            },
        )
        n_in_scope, has_every_dataset, has_index = cursor.fetchone()
    return bool(has_index and has_every_dataset and n_in_scope > settings.EXACT_SEARCH_UP_TO)


def _with_small_datasets(
    rows: list[tuple[Any, ...]], vector: NDArray[np.float32], encoder: Encoder, scope: Scope, depth: int
) -> list[tuple[Any, ...]]:
    """Compare every vector of the small datasets too, which a walk through the index may have passed by.

    What is unlike all the rest is an island in the index: among 60,000 pictures of 32 pixels, walks for 5,502
    photographs of groceries found none of the ten nearest in 58 of 100 cases, and all of them in the others.
    """
    small = _small_datasets(encoder, scope)
    if not small:
        return rows
    beside = _exactly(vector, encoder, replace(scope, dataset_ids=small), depth)
    found = {row[0]: row for row in [*rows, *beside]}
    return sorted(found.values(), key=lambda row: (row[_DISTANCE], row[0]))[:depth]


def _small_datasets(encoder: Encoder, scope: Scope) -> tuple[int, ...]:
    """Return the datasets that are compared beside the index: the smallest, as long as they are few images together."""
    most = settings.EXACT_SEARCH_UP_TO
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT dataset.id, counted.n
            FROM unnest(%(datasets)s::bigint[]) dataset (id)
            CROSS JOIN LATERAL (SELECT count(*) n FROM (SELECT 1 FROM search_embedding
                WHERE encoder_id = %(encoder)s AND dataset_id = dataset.id LIMIT %(limit)s) limited) counted
            WHERE counted.n BETWEEN 1 AND %(limit)s - 1 ORDER BY counted.n, dataset.id
            """,
            {"encoder": encoder.pk, "datasets": list(scope.dataset_ids), "limit": most // _SMALL_SHARE + 1},
        )
        sizes = cursor.fetchall()
    sums = accumulate(n for _, n in sizes)
    return tuple(dataset_id for (dataset_id, _), n in zip(sizes, sums, strict=True) if n <= most)


def index_name(encoder: Encoder) -> str:
    """Return the name of the encoder's partial HNSW index."""
    return f"embedding_hnsw_{encoder.pk}"


def _exactly(vector: NDArray[np.float32], encoder: Encoder, scope: Scope, depth: int) -> list[tuple[Any, ...]]:
    """Compare every vector in scope."""
    operator = _OPERATORS[encoder.distance]
    with connection.cursor() as cursor:
        # "+ 0" is no expression of any index: the planner has to sort.
        cursor.execute(
            f"""
            SELECT {_COLUMNS}
            FROM (SELECT embedding.image_id, embedding.vector {operator} %(vector)s::halfvec AS distance
                  FROM search_embedding embedding {_image_join(scope)}
                  WHERE embedding.encoder_id = {encoder.pk:d} AND {_conditions(scope)}
                  ORDER BY (embedding.vector {operator} %(vector)s::halfvec) + 0, embedding.image_id
                  LIMIT %(depth)s) nearest
            {_DETAILS}
            """,
            _parameters(vector, scope, depth),
        )
        return cursor.fetchall()


def _by_index(vector: NDArray[np.float32], encoder: Encoder, scope: Scope, depth: int) -> list[tuple[Any, ...]]:
    """Walk the encoder's HNSW index."""
    operator = _OPERATORS[encoder.distance]
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
            SELECT {_COLUMNS}
            FROM (SELECT embedding.image_id, {indexed} {operator} %(vector)s::halfvec({encoder.dim:d}) AS distance
                  FROM search_embedding embedding
                  WHERE embedding.encoder_id = {encoder.pk:d} AND {_conditions(scope)}
                  ORDER BY {indexed} {operator} %(vector)s::halfvec({encoder.dim:d})
                  LIMIT %(depth)s) nearest
            {_DETAILS}
            """,
            _parameters(vector, scope, depth),
        )
        return cursor.fetchall()


_COLUMNS = (
    "image.id, image.source, image.label, dataset.name, dataset.slug, nearest.distance, image.sha256, "
    "image.width, image.height, image.split, image.tags"
)
_DISTANCE = 5  # its place among the columns
# Ties are broken out here: inside, a second sort key would keep the index from being used.
_DETAILS = """
JOIN search_image image ON image.id = nearest.image_id
JOIN search_dataset dataset ON dataset.id = image.dataset_id
ORDER BY nearest.distance, nearest.image_id
"""


def _image_join(scope: Scope) -> str:
    return "JOIN search_image scoped ON scoped.id = embedding.image_id" if scope.filters_images else ""


def _conditions(scope: Scope) -> str:
    conditions = ["embedding.dataset_id = ANY(%(datasets)s)"]
    if scope.without_image_id is not None:
        conditions.append("embedding.image_id <> %(without)s")
    if scope.splits:
        conditions.append("scoped.split = ANY(%(splits)s)")
    if scope.labels:
        conditions.append("scoped.label = ANY(%(labels)s)")
    if scope.tags:
        conditions.append("scoped.tags @> %(tags)s::varchar[]")
    return " AND ".join(conditions)


def _parameters(vector: NDArray[np.float32], scope: Scope, depth: int) -> dict[str, Any]:
    return {
        "vector": HalfVector(vector).to_text(),
        "datasets": list(scope.dataset_ids),
        "without": scope.without_image_id,
        "splits": list(scope.splits),
        "labels": list(scope.labels),
        "tags": list(scope.tags),
        "depth": depth,
    }


def _hit(row: tuple[Any, ...]) -> Hit:
    image_id, source, label, dataset, slug, distance, sha256, width, height, split, tags = row
    return Hit(
        id=image_id,
        source=source,
        label=label,
        dataset=dataset,
        dataset_slug=slug,
        distance=float(distance),
        sha256=sha256,
        width=width,
        height=height,
        split=split,
        tags=tuple(tags),
    )
