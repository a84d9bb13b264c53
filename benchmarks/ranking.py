"""Ranking alone: `nearest()`, exact and through the index, against faiss on the same vectors, with recall@10."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import faiss
import numpy as np
from numpy.typing import NDArray

from benchmarks import report
from benchmarks.site import arguments, fresh_site, pictures_of, say, use

K = 10


def main() -> None:
    parser = arguments("Ranking, exact and by index, against faiss on the same vectors.")
    parser.add_argument("--queries", type=int, default=200, help="queries to time (default: 200)")
    options = parser.parse_args()
    with fresh_site(options.var) as site:
        pictures = pictures_of(options.pictures, site)
        site.manage_json("import_images", str(pictures), "--dataset", options.dataset, "--sync", timeout=3600)
        use(site)
        rows = _measure(options.queries)
    report.tell(f"Ranking, k = {K}, {options.queries} queries one after the other", rows)


def _measure(n_queries: int) -> list[dict[str, object]]:
    from django.conf import settings

    from search import encoders, indexing, neighbours
    from search.asking.scope import scope_of_command

    encoder, scope = encoders.default(), scope_of_command()
    ids, vectors = _vectors(encoder)
    say(f"{len(ids)} vectors of {encoder.dim}")
    chosen = np.random.default_rng(0).choice(len(ids), min(n_queries, len(ids)), replace=False)
    queries = vectors[chosen]

    def site_answer(query: NDArray[np.float32]) -> NDArray[np.int64]:
        return np.array([hit.id for hit in neighbours.nearest(query, encoder, scope, k=K).hits])

    flat = faiss.IndexFlatIP(encoder.dim)
    flat.add(vectors)
    truth = [ids[flat.search(query[np.newaxis], K)[1][0]] for query in queries]
    graph = faiss.IndexHNSWFlat(encoder.dim, 16, faiss.METRIC_INNER_PRODUCT)
    graph.hnsw.efConstruction, graph.hnsw.efSearch = 64, 100
    graph.add(vectors)
    indexing.build(encoder)
    sides: dict[str, tuple[int, Callable[[NDArray[np.float32]], NDArray[np.int64]]]] = {
        "nearest(), exact": (10**9, site_answer),
        "nearest(), index": (0, site_answer),
        "faiss flat": (0, lambda query: ids[flat.search(query[np.newaxis], K)[1][0]]),
        "faiss HNSW": (0, lambda query: ids[graph.search(query[np.newaxis], K)[1][0]]),
    }
    rows = []
    for name, (threshold, answer) in sides.items():
        settings.EXACT_SEARCH_UP_TO = threshold
        rows.append(_row(name, answer, queries, truth))
    return rows


def _row(
    name: str,
    answer: Callable[[NDArray[np.float32]], NDArray[np.int64]],
    queries: NDArray[np.float32],
    truth: list[NDArray[np.int64]],
) -> dict[str, object]:
    for query in queries[:20]:
        answer(query)
    times, found = [], []
    for query, expected in zip(queries, truth, strict=True):
        started = time.perf_counter()
        ids = answer(query)
        times.append((time.perf_counter() - started) * 1000)
        found.append(len(set(ids.tolist()) & set(expected.tolist())) / K)
    return {
        "side": name,
        "recall@10": float(np.mean(found)),
        "p50 ms": report.median(times),
        "p95 ms": report.percentile(times, 0.95),
    }


def _vectors(encoder: Any) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Return the ids and the vectors of every image, as they are stored."""
    from search.models import Embedding

    rows = Embedding.objects.filter(encoder=encoder).order_by("image_id").values_list("image_id", "vector")
    ids, vectors = zip(*rows.iterator(chunk_size=2000), strict=True)
    return np.array(ids, dtype=np.int64), np.array(vectors, dtype=np.float32)


if __name__ == "__main__":
    main()
