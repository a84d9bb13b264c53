"""What it takes to find duplicates: near hashes and near vectors of drawn images, and looks at pairs of pictures."""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from benchmarks import report
from embeddings import sample
from embeddings.hashes import pairs_within
from embeddings.images import parts
from embeddings.kin import nearest_of_each

N_BITS, N_NEAREST, WITHIN = 10, 5, 0.15  # as in search.reviewing.finding
DIM = 1280


def main() -> None:
    parser = argparse.ArgumentParser(description=str(__doc__).partition("\n")[0])
    parser.add_argument("--hashes", type=int, nargs="+", default=[20_000, 100_000], help="how many hashes to draw")
    parser.add_argument("--vectors", type=int, nargs="+", default=[5_000], help="how many vectors to draw")
    parser.add_argument("--looks", type=int, default=2_000, help="how many pairs of sample photographs to look at")
    options = parser.parse_args()
    rng = np.random.default_rng(0)
    rows = []
    for n in options.hashes:
        drawn = rng.integers(0, 2**64, n, dtype=np.uint64)
        drawn[: n // 100] = drawn[n // 100 : 2 * (n // 100)] ^ np.uint64(0b1011)  # one of a hundred is a copy
        rows.append(_timed(f"{n:,} hashes", partial(pairs_within, np.unique(drawn), N_BITS)))
    for n in options.vectors:
        vectors = rng.normal(size=(n, DIM)).astype(np.float16)
        vectors[: n // 100] = vectors[n // 100 : 2 * (n // 100)]
        rows.append(_timed(f"{n:,} vectors", partial(nearest_of_each, vectors, N_NEAREST, WITHIN)))
    greys = [parts.grey(picture) for picture in _pictures()]
    pairs = [rng.choice(len(greys), 2, replace=False) for _ in range(options.looks)]
    rows.append(_timed(f"{options.looks:,} pairs", lambda: [parts.relation(greys[a], greys[b]) for a, b in pairs]))
    report.tell("Candidates for duplicates", rows)


def _pictures() -> Iterator[Path]:
    with TemporaryDirectory() as folder:
        sample.write_sample(Path(folder))
        yield from sorted(Path(folder, "photographs").rglob("*.*"))


def _timed(what: str, find: Callable[[], object]) -> dict[str, object]:
    started, cpu_started = time.perf_counter(), time.process_time()
    find()
    seconds, cpu = time.perf_counter() - started, time.process_time() - cpu_started
    return {"compared": what, "s": round(seconds, 2), "CPU s": round(cpu, 2)}


if __name__ == "__main__":
    main()
