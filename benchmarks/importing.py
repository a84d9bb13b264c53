"""Import throughput against its floor: the bare loop that decodes and encodes the same files and stores nothing.

The floor runs one process a core; each reads a file, makes its thumbnail, pHash and network input from one decode and
encodes batches of 64 with one thread. The site imports the same files through the broker and its workers, from the
first file to the last searchable row. The start of workers and networks is not timed; that of the command is.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path

import numpy as np

from benchmarks import report
from benchmarks.site import ROOT, arguments, fresh_site, pictures_of, say
from tests.running import Site

BATCH_SIZE = 64
WARM_UP = 8


def main() -> None:
    parser = arguments("Import throughput against the bare decode and encode loop on the same files and cores.")
    parser.add_argument("--peers", type=Path, metavar="PYTHON", help="a Python that has the scripts' packages")
    options = parser.parse_args()
    with fresh_site(options.var) as site:
        pictures = pictures_of(options.pictures, site)
        if options.peers and not pictures.is_dir():
            parser.error("With --peers name a folder: the scripts read no archives.")
        contents = read_contents(pictures)
        say(f"{len(contents)} pictures")
        seconds = _measure(site, pictures, contents, options)
    floors = seconds["bare loop"]
    rows = []
    for side, times in seconds.items():
        ratio = report.median([floor / one for floor, one in zip(floors, times, strict=True)])
        rate = len(contents) / report.median(times)
        rows.append({"side": side, "seconds": report.median(times), "pictures/s": rate, "ratio": ratio})
    report.tell(f"Import of {len(contents)} pictures, medians of {options.runs} interleaved runs", rows)


def _measure(site: Site, pictures: Path, contents: list[bytes], options: argparse.Namespace) -> dict[str, list[float]]:
    """Return the seconds of each run of each side."""
    seconds: dict[str, list[float]] = {}
    with ExitStack() as stack:
        stack.enter_context(site.worker())
        pool = stack.enter_context(pool_of(site))
        peers = {
            f"{runtime} script": stack.enter_context(_peer(options.peers, runtime, pictures, options.runs))
            for runtime in (("torch", "onnx") if options.peers else ())
        }
        _warm_up(site, pictures, pool, contents)
        for run in range(options.runs):
            now = {"bare loop": _timed(lambda: run_floor(pool, contents))}
            result = _import(site, pictures, f"run {run} {time.time():.0f}")
            now["import through the workers"] = result["seconds"]
            now["the same again"] = _import(site, pictures, result["dataset"])["seconds"]
            _delete(site, result["dataset"])
            now |= {name: peer() for name, peer in peers.items()}
            for side, one in now.items():
                seconds.setdefault(side, []).append(one)
            say(f"run {run}: " + ", ".join(f"{side} {one:.1f} s" for side, one in now.items()))
    return seconds


@contextmanager
def _peer(python: Path, runtime: str, pictures: Path, runs: int) -> Iterator[Callable[[], float]]:
    """Have a script ready, its network loaded; give a function that lets it run once, and returns the seconds."""
    # One run more than are asked for: with a single one it would not wait for its turn.
    script = [str(python), "benchmarks/afternoon_script.py", str(pictures), "--runtime", runtime, f"--runs={runs + 1}"]
    with subprocess.Popen(script, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin
        assert process.stdout
        if process.stdout.readline().strip() != "ready":
            raise RuntimeError(f"The {runtime} script did not start.")

        def run() -> float:
            process.stdin.write("\n")
            process.stdin.flush()
            return float(json.loads(process.stdout.readline())["seconds"])

        yield run
        process.terminate()


def read_contents(pictures: Path) -> list[bytes]:
    """Return the bytes of every picture of a source that is readable, as the import would read them."""
    from embeddings.images import RefusedImage, read_header
    from search.ingest.opening import open_source  # needs no Django

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
    """Leave the site as it was: past 30,000 images an index would grow with them, and what is there is not copied."""
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
