"""Which of many perceptual hashes are near each other, without comparing each with each.

Multi-index hashing (M. Norouzi, A. Punjani, D. Fleet, "Fast Search in Hamming Space with Multi-Index Hashing", 2012):
the 64 bits are cut into four bands of 16. Where two hashes differ in few bits, one band of both differs in at most a
fourth of them, so it is enough to look up each band, and what is that near to it, in a table of that band.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from itertools import combinations
from typing import Final

import numpy as np
from numpy.typing import NDArray

N_BITS: Final = 64
N_BANDS: Final = 4
WIDTH: Final = N_BITS // N_BANDS
N_KEYS: Final = 1 << WIDTH
# Pairs that are compared at once: 24 bytes each.
_MOST_AT_ONCE: Final = 4_000_000


@dataclass(frozen=True, kw_only=True, eq=False)
class Pairs:
    """Pairs of places, int64 (n,) each and first < second, and in how many bits their hashes differ, uint8 (n,)."""

    first: NDArray[np.int64]
    second: NDArray[np.int64]
    n_bits: NDArray[np.uint8]

    def __len__(self) -> int:
        return len(self.first)


def pairs_within(hashes: NDArray[np.uint64], n_bits: int) -> Pairs:
    """Return every pair of hashes that differ in at most `n_bits` bits, by first and second.

    hashes: uint64 (n,), all different; equal ones make each other's pairs many, and are the caller's. n_bits: 0..15.
    Raises ValueError for hashes that are not all different or another number of bits.
    """
    if not 0 <= n_bits < WIDTH:
        raise ValueError(f"expected 0 to {WIDTH - 1} bits, received {n_bits}")
    if len(np.unique(hashes)) != len(hashes):
        raise ValueError("expected hashes that are all different")
    n = max(1, len(hashes))
    found = [np.empty(0, np.int64)]
    for band in range(N_BANDS):
        table = _Table.of(hashes, band)
        for flipped in flips(band, n_bits):
            # Written as one number each: a pair is found through each band that is near enough.
            found += [np.minimum(one, other) * n + np.maximum(one, other) for one, other in table.near(flipped, n_bits)]
    first, second = np.divmod(np.unique(np.concatenate(found)), n)
    return Pairs(first=first, second=second, n_bits=np.bitwise_count(hashes[first] ^ hashes[second]))


@dataclass(frozen=True, kw_only=True, eq=False)
class _Table:
    """Hashes in the order of one band, so that those of each of its values stand together."""

    hashes: NDArray[np.uint64]
    keys: NDArray[np.int64]  # the band of each
    places: NDArray[np.int64]  # where each stood before
    counts: NDArray[np.int64]  # how many have each value of the band
    starts: NDArray[np.int64]  # and where they begin

    @classmethod
    def of(cls, hashes: NDArray[np.uint64], band: int) -> _Table:
        keys = (hashes >> np.uint64(band * WIDTH)).astype(np.uint16).astype(np.int64)
        order = np.argsort(keys, kind="stable")
        counts = np.bincount(keys, minlength=N_KEYS)
        starts = np.cumsum(counts) - counts
        return cls(hashes=hashes[order], keys=keys[order], places=order, counts=counts, starts=starts)

    def near(self, flipped: int, n_bits: int) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
        """Return, in pieces, the places of near pairs whose bands differ in exactly the flipped bits."""
        partners = self.keys ^ flipped
        begins, n_partners = self.starts[partners], self.counts[partners]
        if flipped:
            n_partners = np.where(self.keys < partners, n_partners, 0)  # each pair once
        else:
            begins, ends = np.arange(len(self.keys)) + 1, begins + n_partners
            n_partners = ends - begins
        asking = np.flatnonzero(n_partners)
        for block in _blocks(asking, n_partners[asking]):
            n_each = n_partners[block]
            within = np.arange(n_each.sum()) - np.repeat(np.cumsum(n_each) - n_each, n_each)
            one, other = np.repeat(block, n_each), np.repeat(begins[block], n_each) + within
            is_near = np.bitwise_count(self.hashes[one] ^ self.hashes[other]) <= n_bits
            yield self.places[one[is_near]], self.places[other[is_near]]


def _blocks(asking: NDArray[np.int64], n_each: NDArray[np.int64]) -> Iterator[NDArray[np.int64]]:
    """Cut those that ask where they have enough partners together; at least one a block."""
    ends = np.cumsum(n_each)
    place = 0
    while place < len(asking):
        done = ends[place - 1] if place else 0
        stop = max(place + 1, int(np.searchsorted(ends, done + _MOST_AT_ONCE, side="right")))
        yield asking[place:stop]
        place = stop


@cache
def flips(band: int, n_bits: int) -> tuple[int, ...]:
    """Return what to xor a band of a hash with, to have each value that the band of a near hash may have.

    band: 0..3, from the least significant bits on. Whoever has a table of each band looks up all of them in it, and
    compares what is found there; no hash within n_bits is left out.
    """
    return tuple(_flips(_in_band(band, n_bits)))


def _in_band(band: int, n_bits: int) -> int:
    """Return in how many bits a band may differ; -1 where it need not be looked at.

    Were every band further apart than that, the hashes would differ in more than n_bits.
    """
    share, rest = divmod(n_bits, N_BANDS)
    return share if band <= rest else share - 1


def _flips(most: int) -> Iterator[int]:
    """Return every way to flip at most so many bits of a band, as numbers to be xored with it."""
    for n_flipped in range(most + 1):
        for places in combinations(range(WIDTH), n_flipped):
            yield sum(1 << place for place in places)
