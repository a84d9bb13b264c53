"""The nearest of each of many vectors, against a table of all distances."""

import numpy as np
import pytest

from embeddings import kin


@pytest.mark.parametrize("within", [0.1, 2.0])  # few candidates, and all
def test_the_pairs_are_those_of_a_table_of_all_distances(within: float, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kin, "_N_ASKING", 7)
    monkeypatch.setattr(kin, "_N_ANSWERING", 11)
    vectors = np.random.default_rng(0).normal(size=(60, 4)).astype(np.float16)
    vectors[3] = vectors[20:26] = [1, 0, 0, 0]  # equal ones, of which the first are taken
    unit = vectors.astype(np.float32) / np.linalg.norm(vectors.astype(np.float32), axis=1, keepdims=True)
    distances = 1 - unit @ unit.T
    np.fill_diagonal(distances, 9)
    wanted = {
        (min(i, j), max(i, j))
        for i in range(60)
        for j in np.argsort(distances[i], kind="stable")[:3].tolist()
        if distances[i, j] <= within
    }
    told: list[int] = []
    first, second = kin.nearest_of_each(vectors, 3, within, told.append)
    assert set(zip(first.tolist(), second.tolist(), strict=True)) == wanted
    assert len(first) == len(wanted) > 20
    assert told[-1] == 60


def test_of_many_equal_ones_each_finds_no_more_than_it_may() -> None:
    first, second = kin.nearest_of_each(np.ones((50, 3), np.float16), 2, 0.1)
    assert 50 <= len(first) <= 100
    assert (first < second).all()


def test_nothing_is_near_nothing() -> None:
    first, second = kin.nearest_of_each(np.empty((0, 3), np.float16), 2, 0.1)
    assert len(first) == len(second) == 0
