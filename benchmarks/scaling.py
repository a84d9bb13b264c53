"""A large gallery: how long it takes to load and to index, what it takes, how well and how soon it is searched.

The vectors are drawn between those of real pictures (`benchmarks.drawn`). Pictures are imported by the workers into the
empty site, and as many others once all vectors are there and no index is: the second rate is held against the first.
Then the index is built, with the memory that the site gives it, and searched. Recall is against a comparison of all by
numpy. Nothing of this has a floor of its own: what it measures is how the site changes as it grows.
"""

from __future__ import annotations

import http.client
import statistics
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np
from numpy.typing import NDArray

from benchmarks import drawn, report
from benchmarks.drawn import Floats
from benchmarks.importing import read_contents
from benchmarks.large_import import write_parts
from benchmarks.query import post
from benchmarks.site import arguments, fresh_site, pictures_of, say, use
from benchmarks.users import get_similar
from tests.running import Site

K, PAGE, PAGE_NUMBER = 10, 24, 50
WARM_UP = 30
_SECONDS_BETWEEN_LOOKS = 0.5
Row = dict[str, object]


def main() -> None:
    parser = arguments(str(__doc__).partition("\n")[0])
    parser.add_argument("--vectors", type=int, default=1_000_000, metavar="N", help="default: 1000000")
    parser.add_argument("--imported", type=int, default=5_000, metavar="N", help="at each end (default: 5000)")
    parser.add_argument("--queries", type=int, default=200, help="default: 200")
    options = parser.parse_args()
    with fresh_site(options.var) as site:
        photos = read_contents(pictures_of(options.pictures, site))
        with site.servers():
            rows = list(_measure(site, photos, options.vectors, options.imported, options.queries))
    report.tell(f"A gallery of {options.vectors:,} vectors", rows)


def _measure(site: Site, photos: list[bytes], n: int, n_imported: int, n_queries: int) -> Iterator[Row]:
    first = _import(site, photos, range(n_imported), "first")
    yield _row("import into the empty site, pictures/s", first)
    use(site)
    from search import encoders

    encoder = encoders.default()
    real = drawn.real_vectors(encoder)
    started = time.perf_counter()
    drawn.fill(encoder, real, n)
    yield _row("rows and vectors drawn and written, /s", n / (time.perf_counter() - started))
    _have_no_index_built(encoder)
    second = _import(site, photos, range(n_imported, 2 * n_imported), "second")
    yield _row("import beside all vectors, before the index, pictures/s", second)
    yield _row("its ratio to the first", second / first)
    yield from _index(encoder)
    yield from _sizes(site, n)
    queries, _ = drawn.between(real, n_queries, seed=10**6)
    yield from _searches(encoder, queries)
    yield from _over_http(site, photos[:n_queries])


def _import(site: Site, photos: list[bytes], numbers: range, name: str) -> float:
    """Return the pictures a second from the first that is ready to the last; the worker ends before any index."""
    folder = site.var / f"made-{name}"
    write_parts(photos, folder, numbers)
    seen: list[tuple[float, int]] = []
    with site.worker(), site.process("manage.py", "import_images", str(folder), "--dataset", name):
        while not seen or seen[-1][1] < len(numbers):
            time.sleep(_SECONDS_BETWEEN_LOOKS)
            ((n_ready,),) = site.sql(
                "SELECT count(*) FROM search_image image JOIN search_dataset dataset ON dataset.id = image.dataset_id "
                "WHERE dataset.name = %s AND image.status <> 'pending'",
                name,
            )
            if n_ready:
                seen.append((time.perf_counter(), n_ready))
    say(f"{name} import: {len(numbers)} pictures")
    return (seen[-1][1] - seen[0][1]) / (seen[-1][0] - seen[0][0])


def _have_no_index_built(encoder: Any) -> None:
    """Tell the workers that somebody has stopped the index's build: it is begun by hand then."""
    from search.models import Job

    parameters = {"encoder": encoder.name}
    Job.objects.create(kind=Job.Kind.INDEX, parameters=parameters, state=Job.State.FAILED, is_cancelled=True)


def _index(encoder: Any) -> Iterator[Row]:
    from django.db import connection

    from search import indexing

    connection.ensure_connection()
    told: list[str] = []
    connection.connection.add_notice_handler(lambda notice: told.append(notice.message_primary or ""))
    started = time.perf_counter()
    with _largest_use_of_memory() as used:
        indexing.build(encoder)
    yield _row("index built in, s", time.perf_counter() - started)
    overflow = next((text for text in told if "no longer fits" in text), "it did")
    yield {"what": "its graph fits the memory it was given", "value": overflow}
    yield _row("memory of the machine used more meanwhile, GB", used() / 1e9)


@contextmanager
def _largest_use_of_memory() -> Iterator[Callable[[], int]]:
    """Watch how much memory that no file backs is used on this machine; give what it was more, at most."""
    ended, seen = threading.Event(), [_used_memory()]

    def look() -> None:
        while not ended.wait(_SECONDS_BETWEEN_LOOKS):
            seen.append(_used_memory())

    thread = threading.Thread(target=look, daemon=True)
    thread.start()
    try:
        yield lambda: max(seen) - seen[0]
    finally:
        ended.set()
        thread.join()


def _used_memory() -> int:
    facts = dict(line.split(":") for line in Path("/proc/meminfo").read_text().splitlines())
    return 1024 * sum(int(facts[name].split()[0]) for name in ("AnonPages", "Shmem"))


def _sizes(site: Site, n: int) -> Iterator[Row]:
    index = "pg_relation_size((SELECT oid FROM pg_class WHERE starts_with(relname, 'embedding_hnsw_')))"
    relations = {
        "vectors, table": "pg_table_size('search_embedding')",
        "vectors, HNSW index": index,
        "vectors, other indexes": f"pg_indexes_size('search_embedding') - {index}",
        "images, table": "pg_table_size('search_image')",
        "images, indexes": "pg_indexes_size('search_image')",
    }
    for name, size in relations.items():
        ((n_bytes,),) = site.sql(f"SELECT {size}")
        yield _row(f"{name}, MB for each 100,000", float(n_bytes) / n / 10)
    for kind in ("originals", "thumbnails"):
        sizes = [path.stat().st_size for path in (site.var / "media" / kind).rglob("*") if path.is_file()]
        yield _row(f"{kind} of 348 px, MB for each 100,000", statistics.mean(sizes) / 10)


def _nearest_by_numpy(encoder: Any, queries: Floats, k: int, datasets: Sequence[int]) -> NDArray[np.int64]:
    """Return the ids of those in some datasets that are nearest to each query, nearest first, int64 (n_queries, k)."""
    from search.models import Image

    say("comparing all")
    there = np.array(Image.objects.filter(dataset_id__in=datasets).values_list("pk", flat=True), np.int64)
    best = np.full((len(queries), k), -2.0, np.float32)
    best_ids = np.zeros((len(queries), k), np.int64)
    for ids, vectors in drawn.blocks(encoder):
        alike = np.where(np.isin(ids, there), queries @ drawn.unit(vectors).T, np.float32(-2))
        likeness = np.hstack([best, alike])
        all_ids = np.hstack([best_ids, np.broadcast_to(ids, (len(queries), len(ids)))])
        places = np.argpartition(-likeness, k - 1, axis=1)[:, :k]
        best, best_ids = np.take_along_axis(likeness, places, 1), np.take_along_axis(all_ids, places, 1)
    return np.take_along_axis(best_ids, np.argsort(-best, axis=1), 1)


def _searches(encoder: Any, queries: Floats) -> Iterator[Row]:
    """Search the large datasets alone, and with the small ones, whose every vector is compared beside the index."""
    from search import neighbours
    from search.neighbours import planning

    sizes = neighbours.sizes(encoder, drawn.dataset_ids())
    large = [one for one in sizes if one not in planning.small_datasets(sizes)]
    first, last = (K, 0), (PAGE, PAGE * (PAGE_NUMBER - 1))
    for name, datasets, pages in (
        ("large datasets, first 10", large, [("", *first)]),
        ("all datasets, ", list(sizes), [("first 10", *first), (f"page {PAGE_NUMBER}", *last)]),
    ):
        yield from _pages(encoder, queries, name, datasets, pages)


def _pages(
    encoder: Any, queries: Floats, where: str, datasets: Sequence[int], pages: Sequence[tuple[str, int, int]]
) -> Iterator[Row]:
    from search import neighbours

    scope = neighbours.Scope(dataset_ids=tuple(datasets))
    truth = _nearest_by_numpy(encoder, queries, max(offset + k for _, k, offset in pages), datasets)
    for page, k, offset in pages:
        name = where + page
        times, shares, n_exact = [], [], 0
        for query in queries[:WARM_UP]:
            neighbours.nearest(query, encoder, scope, k=k, offset=offset)
        for query, expected in zip(queries, truth[:, offset : offset + k], strict=True):
            started = time.perf_counter()
            answer = neighbours.nearest(query, encoder, scope, k=k, offset=offset)
            times.append((time.perf_counter() - started) * 1000)
            n_exact += answer.exact
            shares.append(len({hit.id for hit in answer.hits} & set(expected.tolist())) / k)
        yield _row(f"{name}: recall", float(np.mean(shares)))
        yield _row(f"{name}: p50, ms", report.median(times))
        yield _row(f"{name}: p95, ms", report.percentile(times, 0.95))
        yield _row(f"{name}: answered by comparing all", n_exact / len(times))


def _over_http(site: Site, photos: list[bytes]) -> Iterator[Row]:
    with site.web() as url:
        connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=60)
        ids = [one for (one,) in site.sql("SELECT id FROM search_image ORDER BY sha256 LIMIT 100")]
        for name, asks in (
            ("a photograph, JSON", [lambda photo=photo: post(connection, photo) for photo in photos]),
            ("similar to a stored picture, the page", [lambda one=one: get_similar(connection, one) for one in ids]),
        ):
            times = []
            for ask in asks[:WARM_UP]:
                ask()
            for ask in asks:
                started = time.perf_counter()
                ask()
                times.append((time.perf_counter() - started) * 1000)
            yield _row(f"{name}: p50, ms", report.median(times))
            yield _row(f"{name}: p95, ms", report.percentile(times, 0.95))


def _row(what: str, value: float) -> Row:
    say(f"{what}: {value:.4g}")
    return {"what": what, "value": f"{value:.4g}"}


if __name__ == "__main__":
    main()
