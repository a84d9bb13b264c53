"""Import throughput against its floor: the bare loop that decodes and encodes the same files and stores nothing.

The floor runs one process a core; each reads a file, makes its thumbnail, pHash and network input from one decode and
encodes batches of 64 with one thread. The site imports the same files through the broker and its workers, from the
first file to the last searchable row. The start of workers and networks is not timed; that of the command is.
"""

from __future__ import annotations

import multiprocessing
import os
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np

from benchmarks import report
from benchmarks.site import arguments, fresh_site, pictures_of, say
from tests.running import Site

BATCH_SIZE = 64
WARM_UP = 8


def main() -> None:
    parser = arguments("Import throughput against the bare decode and encode loop on the same files and cores.")
    options = parser.parse_args()
    with fresh_site(options.var) as site:
        pictures = pictures_of(options.pictures, site)
        contents = read_contents(pictures)
        say(f"{len(contents)} pictures")
        with site.worker(), pool_of(site) as pool:
            _warm_up(site, pictures, pool, contents)
            floors, imports, again = [], [], []
            for run in range(options.runs):
                floors.append(_timed(lambda: run_floor(pool, contents)))
                result = _import(site, pictures, f"run {run} {time.time():.0f}")
                imports.append(result["seconds"])
                again.append(_import(site, pictures, result["dataset"])["seconds"])
                _delete(site, result["dataset"])
                say(f"run {run}: floor {floors[-1]:.1f} s, import {imports[-1]:.1f} s, again {again[-1]:.1f} s")
    n = len(contents)
    ratios = [floor / one for floor, one in zip(floors, imports, strict=True)]
    report.tell(
        f"Import of {n} pictures, medians of {options.runs} interleaved runs",
        [
            {
                "side": "bare loop",
                "seconds": report.median(floors),
                "pictures/s": n / report.median(floors),
                "ratio": 1.0,
            },
            {
                "side": "import through the workers",
                "seconds": report.median(imports),
                "pictures/s": n / report.median(imports),
                "ratio": report.median(ratios),
            },
            {
                "side": "the same again",
                "seconds": report.median(again),
                "pictures/s": n / report.median(again),
                "ratio": report.median([floor / one for floor, one in zip(floors, again, strict=True)]),
            },
        ],
    )


def read_contents(pictures: Path) -> list[bytes]:
    """Return the bytes of every picture of a source that is readable, as the import would read them."""
    from embeddings.images import RefusedImage, read_header
    from search.ingest.sources import open_source  # needs no Django

    contents = []
    for found in open_source(pictures):
        content = found.content.read_bytes() if isinstance(found.content, Path) else found.content
        if isinstance(content, RefusedImage):
            continue
        try:
            read_header(content)
        except RefusedImage:
            continue
        contents.append(content)
    return contents


def pool_of(site: Site) -> ProcessPoolExecutor:
    folder = site.var / "encoders" / "mobilenet_v2"
    context = multiprocessing.get_context("spawn")
    return ProcessPoolExecutor(len(os.sched_getaffinity(0)), context, initializer=_load, initargs=(folder,))


def _load(folder: Path) -> None:
    from embeddings.encoder import Encoder

    global _encoder
    _encoder = Encoder.load(folder, n_threads=1)
    _encoder.warm_up()


def _run_batch(contents: Sequence[bytes]) -> int:
    from embeddings.images import RefusedImage, prepare

    inputs = []
    for content in contents:
        try:
            inputs.append(prepare(content, input_size=224).input)
        except RefusedImage:
            continue
    return len(_encoder.encode(np.stack(inputs)))


def run_floor(pool: ProcessPoolExecutor, contents: Sequence[bytes]) -> None:
    batches = [contents[start : start + BATCH_SIZE] for start in range(0, len(contents), BATCH_SIZE)]
    sum(pool.map(_run_batch, batches))


def _import(site: Site, pictures: Path, dataset: str) -> dict[str, object]:
    return site.manage_json("import_images", str(pictures), "--dataset", dataset, "--wait", timeout=3600)


def _delete(site: Site, dataset: str) -> None:
    """Leave the site as it was: with each run the tables would grow, and past 30,000 images an index with them."""
    site.manage("shell", "-c", f"from search.models import Dataset; Dataset.objects.get(name={dataset!r}).delete()")


def _warm_up(site: Site, pictures: Path, pool: ProcessPoolExecutor, contents: Sequence[bytes]) -> None:
    """Let every process of both sides load its network before anything is timed."""
    run_floor(pool, contents[: WARM_UP * BATCH_SIZE])
    _import(site, pictures, "warm-up")
    _delete(site, "warm-up")


def _timed(step: object) -> float:
    started = time.perf_counter()
    step()  # type: ignore[operator]
    return time.perf_counter() - started


if __name__ == "__main__":
    main()
