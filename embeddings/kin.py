"""The nearest vectors of each of many vectors, in blocks, so that no table of all distances stands in memory."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

_N_ASKING = 512
_N_ANSWERING = 8_192


def nearest_of_each(
    vectors: NDArray[np.float16],
    k: int,
    within: float,
    tell: Callable[[int], None] = lambda n_done: None,
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return pairs of places (first < second, each once): one is among the k nearest of the other, not further.

    vectors: float16 (n, dim), of any length but 0; they are compared by their cosine distance. within: 0..2.
    tell: called with how many have asked. Every pair is compared, so the time grows with the square of n.
    """
    found = [np.empty(0, np.int64)]
    for start in range(0, len(vectors), _N_ASKING):
        asking = _of_unit_length(vectors[start : start + _N_ASKING])
        rows, places = _nearest(asking, vectors, k, within, start)
        found.append(np.minimum(rows, places) * len(vectors) + np.maximum(rows, places))
        tell(start + len(asking))
    first, second = np.divmod(np.unique(np.concatenate(found)), max(1, len(vectors)))
    return first, second


def _nearest(
    asking: NDArray[np.float32], vectors: NDArray[np.float16], k: int, within: float, start: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return who asks, by its place among all, and whom it finds, k each at most. start: the place of the first."""
    rows, places, cosines = [], [], []
    for begin in range(0, len(vectors), _N_ANSWERING):
        block = asking @ _of_unit_length(vectors[begin : begin + _N_ANSWERING]).T
        near = block >= 1 - within
        if np.count_nonzero(near) > (k + 1) * len(asking):  # where all are alike, nearly every pair is near enough
            near &= _first(block, k + 1)  # one of them is who asks
        here, there = np.nonzero(near)
        rows.append(here + start)
        places.append(there + begin)
        cosines.append(block[here, there])
    asks, found, likeness = np.concatenate(rows), np.concatenate(places), np.concatenate(cosines)
    is_other = asks != found
    asks, found, likeness = asks[is_other], found[is_other], likeness[is_other]
    order = np.lexsort((found, -likeness, asks))
    asks, found = asks[order], found[order]
    rank = np.arange(len(asks)) - np.searchsorted(asks, asks)
    return asks[rank < k], found[rank < k]


def _first(block: NDArray[np.float32], most: int) -> NDArray[np.bool_]:
    """Return which are the `most` largest of each row; of equal ones those that come first."""
    if block.shape[1] <= most:
        return np.ones(block.shape, bool)
    last = np.partition(block, -most, axis=1)[:, -most, np.newaxis]
    larger, equal = block > last, block == last
    room = most - np.count_nonzero(larger, axis=1)[:, np.newaxis]
    return np.asarray(larger | (equal & (np.cumsum(equal, axis=1, dtype=np.int32) <= room)))


def _of_unit_length(vectors: NDArray[np.float16]) -> NDArray[np.float32]:
    wide = vectors.astype(np.float32)
    return wide / np.maximum(np.linalg.norm(wide, axis=1, keepdims=True), 1e-12)
