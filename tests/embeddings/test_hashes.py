"""Hashes that are near each other: all of them are found, none twice, and not by comparing each with each."""

import time

import numpy as np
import pytest
from numpy.typing import NDArray

from embeddings.hashes import pairs_within


def drawn(n: int, seed: int = 0) -> NDArray[np.uint64]:
    return np.unique(np.random.default_rng(seed).integers(0, 2**64, n, dtype=np.uint64))


def one_by_one(hashes: NDArray[np.uint64], n_bits: int) -> list[tuple[int, int, int]]:
    values = [int(value) for value in hashes]
    pairs = [(i, j, (values[i] ^ values[j]).bit_count()) for j in range(len(values)) for i in range(j)]
    return sorted(pair for pair in pairs if pair[2] <= n_bits)


def found(hashes: NDArray[np.uint64], n_bits: int) -> list[tuple[int, int, int]]:
    pairs = pairs_within(hashes, n_bits)
    return list(zip(pairs.first.tolist(), pairs.second.tolist(), pairs.n_bits.tolist(), strict=True))


@pytest.mark.parametrize("n_bits", [0, 1, 3, 6, 10, 15])
def test_the_pairs_are_those_that_comparing_all_gives(n_bits: int) -> None:
    # Few bits vary, so that many are near each other, in every band.
    mask = np.random.default_rng(1).permutation(64)[:20]
    varied = np.bitwise_or.reduce(np.uint64(1) << mask.astype(np.uint64))
    hashes = np.unique(drawn(300) & varied)
    assert found(hashes, n_bits) == one_by_one(hashes, n_bits)
    assert n_bits < 3 or found(hashes, n_bits)


def test_a_pair_is_found_wherever_its_bits_lie() -> None:
    for seed in range(60):
        flipped = np.random.default_rng(seed).permutation(64)[:10]
        one = drawn(1, seed)[0]
        other = one ^ np.bitwise_or.reduce(np.uint64(1) << flipped.astype(np.uint64))
        assert found(np.array([one, other]), 10) == [(0, 1, 10)]
        assert found(np.array([one, other]), 9) == []


def test_twenty_thousand_need_no_table_of_all_pairs() -> None:
    hashes = drawn(20_000)
    near = hashes[:300] ^ np.uint64(0b1011)
    started = time.process_time()
    pairs = pairs_within(np.concatenate((hashes, near)), 10)
    assert {(place, place + len(hashes)) for place in range(300)} <= set(zip(pairs.first, pairs.second, strict=True))
    assert time.process_time() - started < 15  # seconds; comparing all takes as long, and 400 MB for each byte a pair


def test_bad_arguments_are_refused() -> None:
    with pytest.raises(ValueError, match="expected 0 to 15 bits, received 16"):
        pairs_within(drawn(2), 16)
    with pytest.raises(ValueError, match="all different"):
        pairs_within(np.zeros(2, np.uint64), 3)
    assert len(pairs_within(np.empty(0, np.uint64), 3)) == 0
