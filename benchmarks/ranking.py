"""Ranking alone: `nearest()`, exact and through the index, against faiss and usearch on the same vectors.

The vectors are drawn between those of real pictures (`benchmarks.drawn`), and turned into each number of dimensions by
a random projection. Recall is against the exact answer of faiss. The graphs of faiss and usearch are built with the
same figures as the site's (16 neighbours, 200 candidates) and searched with the fewest candidates that find as much.
`nearest()` also plans, asks over a socket and reads the hits' rows; the peers answer in this process, one thread each.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import faiss
import numpy as np
from numpy.typing import NDArray
from usearch.index import Index

from benchmarks import drawn, report
from benchmarks.site import arguments, fresh_site, pictures_of, say, use

K = 10
N_NEIGHBOURS, N_CANDIDATES = 16, 200  # as search.indexing builds
EFFORTS = (10, 16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512)
WANTED = 0.99
_N_AT_ONCE = 2_000
Floats = NDArray[np.float32]
Ids = NDArray[np.int64]
Ask = Callable[[Floats], Ids]


def main() -> None:
    parser = arguments(str(__doc__).partition("\n")[0])
    parser.add_argument("--queries", type=int, default=200, help="queries to time (default: 200)")
    parser.add_argument("--vectors", type=int, default=20_000, metavar="N", help="default: 20000")
    parser.add_argument("--dims", type=int, nargs="+", default=[64, 512, 1280, 2048], help="default: 64 512 1280 2048")
    options = parser.parse_args()
    faiss.omp_set_num_threads(1)
    with fresh_site(options.var) as site:
        pictures = pictures_of(options.pictures, site)
        site.manage_json("import_images", str(pictures), "--dataset", options.dataset, "--sync", timeout=3600)
        use(site)
        rows = list(_measure(options.vectors, options.dims, options.queries))
    report.tell(f"Ranking of {options.vectors} vectors, k = {K}, {options.queries} queries one after the other", rows)


def _measure(n: int, dims: list[int], n_queries: int) -> Iterator[dict[str, object]]:
    from search import encoders

    default = encoders.default()
    real = drawn.real_vectors(default)
    drawn.fill(default, real, n, in_one_dataset=True)  # small ones are compared beside the index
    gallery = drawn.read(default)
    queries, _ = drawn.between(real, n_queries, seed=10**6)
    for dim in dims:
        turn = np.random.default_rng(dim).normal(size=(default.dim, dim)).astype(np.float32)
        yield from _rows(dim, gallery.ids, _turned(gallery.vectors, turn), _turned(queries, turn))


def _turned(vectors: NDArray[Any], turn: Floats) -> Floats:
    found = vectors.astype(np.float32) @ turn
    return found / np.linalg.norm(found, axis=1, keepdims=True)


def _rows(dim: int, ids: Ids, vectors: Floats, queries: Floats) -> Iterator[dict[str, object]]:
    from search import indexing, neighbours

    encoder = _encoder(dim, ids, vectors)
    started = time.perf_counter()
    indexing.build(encoder)
    say(f"{dim} dimensions: index built in {time.perf_counter() - started:.0f} s")
    scope = neighbours.Scope(dataset_ids=drawn.dataset_ids())

    def site(by: str) -> Ask:
        return lambda query: np.array([hit.id for hit in neighbours.nearest(query, encoder, scope, k=K, by=by).hits])

    flat = faiss.IndexFlatIP(dim)
    flat.add(vectors)
    truth = [ids[flat.search(query[np.newaxis], K)[1][0]] for query in queries]
    found = [_row(dim, "nearest(), index", site("index"), queries, truth)]
    wanted = min(WANTED, float(found[0]["recall@10"]))
    found.append(_row(dim, "nearest(), exact", site("comparison"), queries, truth))
    found.append(_row(dim, "faiss flat", lambda query: ids[flat.search(query[np.newaxis], K)[1][0]], queries, truth))
    for name, graph in (("faiss HNSW", _faiss(vectors)), ("usearch HNSW", _usearch(vectors))):
        found.append(_as_good(dim, name, graph, ids, queries, truth, wanted))
    usearch = float(found[-1]["p50 ms"])
    yield from (row | {"to usearch": float(row["p50 ms"]) / usearch} for row in found)


def _encoder(dim: int, ids: Ids, vectors: Floats) -> Any:
    """Return an encoder that has those vectors of those images, and nothing else."""
    from search import vectors as stored
    from search.models import Embedding, Encoder

    encoder, _ = Encoder.objects.get_or_create(
        name=f"projected_{dim}",
        defaults={
            "family": "drawn",
            "dim": dim,
            "spec": {"input_size": 32, "n_classes": 0},
            "weights_sha256": "0" * 64,
        },
    )
    if Embedding.objects.filter(encoder=encoder).count() < len(ids):
        for start in range(0, len(ids), _N_AT_ONCE):
            some = slice(start, start + _N_AT_ONCE)
            stored.write(encoder, ids[some].tolist(), vectors[some])
    return encoder


def _faiss(vectors: Floats) -> Callable[[int], Ask]:
    graph = faiss.IndexHNSWFlat(vectors.shape[1], N_NEIGHBOURS, faiss.METRIC_INNER_PRODUCT)
    graph.hnsw.efConstruction = N_CANDIDATES
    faiss.omp_set_num_threads(0)
    graph.add(vectors)
    faiss.omp_set_num_threads(1)

    def with_effort(effort: int) -> Ask:
        graph.hnsw.efSearch = effort
        return lambda query: graph.search(query[np.newaxis], K)[1][0]

    return with_effort


def _usearch(vectors: Floats) -> Callable[[int], Ask]:
    dim = vectors.shape[1]
    graph = Index(ndim=dim, metric="cos", dtype="f16", connectivity=N_NEIGHBOURS, expansion_add=N_CANDIDATES)
    graph.add(np.arange(len(vectors)), vectors)

    def with_effort(effort: int) -> Ask:
        graph.expansion_search = effort
        return lambda query: graph.search(query, K, threads=1).keys.astype(np.int64)

    return with_effort


def _as_good(
    dim: int, name: str, graph: Callable[[int], Ask], ids: Ids, queries: Floats, truth: list[Ids], wanted: float
) -> dict[str, object]:
    """Return the row of the least effort with which a graph finds what is wanted, or of the greatest."""
    for effort in EFFORTS:
        ask = graph(effort)
        row = _row(dim, name, lambda query, ask=ask: ids[ask(query)], queries, truth)
        if float(row["recall@10"]) >= wanted:
            break
    return row


def _row(dim: int, name: str, ask: Ask, queries: Floats, truth: list[Ids]) -> dict[str, object]:
    for query in queries[:20]:
        ask(query)
    times, shares = [], []
    for query, expected in zip(queries, truth, strict=True):
        started = time.perf_counter()
        found = ask(query)
        times.append((time.perf_counter() - started) * 1000)
        shares.append(len(set(found.tolist()) & set(expected.tolist())) / K)
    return {
        "dimensions": dim,
        "side": name,
        "recall@10": float(np.mean(shares)),
        "p50 ms": report.median(times),
        "p95 ms": report.percentile(times, 0.95),
    }


if __name__ == "__main__":
    main()
