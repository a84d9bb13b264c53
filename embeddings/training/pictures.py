"""The pictures of a training: listed in a file, decoded once, and kept as one array on disk beside the run."""

from __future__ import annotations

import csv
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from embeddings.cores import available_cores
from embeddings.images import RefusedImage, prepare

Part = Literal["train", "valid", "test"]
FILE_NAME = "samples.csv"
_CHUNK_SIZE = 256
Report = Callable[[int, int], None]


@dataclass(frozen=True)
class Sample:
    """A picture to learn from, to check on, or to test with at the end. label: empty where there is none."""

    path: str
    label: str
    part: Part


@dataclass(frozen=True, kw_only=True, eq=False)
class Pictures:
    """pixels: uint8 (n, size, size, 3), on disk and read as it is used; labels: int64 (n,), places in `classes`."""

    pixels: NDArray[np.uint8]
    labels: NDArray[np.int64]
    classes: list[str]

    def __len__(self) -> int:
        return len(self.pixels)


def write_samples(samples: Sequence[Sample], folder: Path) -> None:
    """List the pictures of a run in its folder."""
    with (folder / FILE_NAME).open("w", newline="", encoding="utf-8", errors="surrogateescape") as file:
        csv.writer(file).writerows([sample.path, sample.label, sample.part] for sample in samples)


def read_samples(folder: Path) -> list[Sample]:
    """Return the pictures that are listed in the folder of a run."""
    with (folder / FILE_NAME).open(newline="", encoding="utf-8", errors="surrogateescape") as file:
        return [Sample(*row) for row in csv.reader(file)]  # type: ignore[arg-type]  # the part was written by us


def load(samples: Sequence[Sample], part: Part, folder: Path, size: int, report: Report) -> Pictures:
    """Decode one part of the pictures, as an encoder would see them, or find them decoded by an earlier start.

    report: called with how many are decoded, and of how many. Raises ValueError naming a picture that is refused, and
    OSError where there is no room for them.
    """
    chosen = [sample for sample in samples if sample.part == part]
    classes = sorted({sample.label for sample in samples})
    places = {label: place for place, label in enumerate(classes)}
    path = folder / f"pixels-{part}-{size}.npy"
    if not path.exists():
        draft = path.with_suffix(".draft")
        try:
            _decode([Path(sample.path) for sample in chosen], draft, size, report)
        except OSError:  # a full disk is to have its room back
            draft.unlink(missing_ok=True)
            raise
        draft.replace(path)
    return Pictures(
        pixels=np.load(path, mmap_mode="r", allow_pickle=False),
        labels=np.array([places[sample.label] for sample in chosen], dtype=np.int64),
        classes=classes,
    )


def _decode(paths: Sequence[Path], draft: Path, size: int, report: Report) -> None:
    pixels: Any = np.lib.format.open_memmap(draft, "w+", dtype=np.uint8, shape=(len(paths), size, size, 3))
    with draft.open("r+b") as file:  # with holes it would end this process by a signal where there is no room
        os.posix_fallocate(file.fileno(), 0, draft.stat().st_size)

    def decode(place: int) -> None:
        try:
            pixels[place] = prepare(paths[place], input_size=size, thumbnail=False).input
        except RefusedImage as error:
            raise ValueError(f"{paths[place]} cannot be read any more: {error.reason}") from error

    with ThreadPoolExecutor(available_cores()) as pool:
        for start in range(0, len(paths), _CHUNK_SIZE):
            list(pool.map(decode, range(start, min(start + _CHUNK_SIZE, len(paths)))))
            report(min(start + _CHUNK_SIZE, len(paths)), len(paths))
    pixels.flush()
