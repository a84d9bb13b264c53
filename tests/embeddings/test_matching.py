"""Tests of the matching of two pictures' spatial features, made up and real."""

import numpy as np
import pytest
from numpy.typing import NDArray

from embeddings.matching import match

Locations = NDArray[np.float32]


def scene(seed: int, things: dict[tuple[int, int], int]) -> Locations:
    """Return locations (7, 7, 64): a faint background of its own, and things, by row and column, by number."""
    background = np.random.default_rng(seed).random(64) * 0.3
    locations = np.tile(background, (7, 7, 1)) + np.random.default_rng(seed + 1).random((7, 7, 64)) * 0.1
    for place, number in things.items():
        locations[place] += np.random.default_rng(1000 + number).random(64) ** 4 * 4
    return (locations + 0.5).astype(np.float32)


def test_what_both_pictures_show_is_hot_and_the_rest_cold() -> None:
    found = match(scene(0, {(1, 1): 1, (1, 2): 2}), scene(5, {(5, 4): 1, (5, 5): 2}))
    assert found.first.shape == found.second.shape == (7, 7)
    assert found.first.dtype == np.float32
    assert min(found.first[1, 1], found.first[1, 2], found.second[5, 4], found.second[5, 5]) > 0.7
    assert np.sort(found.first, axis=None)[-3] < 0.2
    assert np.sort(found.second, axis=None)[-3] < 0.2


def test_strangers_stay_cold() -> None:
    found = match(scene(0, {(1, 1): 1, (4, 2): 2}), scene(5, {(5, 4): 3, (2, 5): 4}))
    assert found.first.max() < 0.35
    assert found.second.max() < 0.35
    assert found.pairs == []


def test_pairs_tell_which_place_answers_to_which() -> None:
    found = match(scene(0, {(1, 1): 1, (4, 2): 2}), scene(5, {(5, 4): 1, (2, 6): 2}))
    places = {(first, second) for first, second, _ in found.pairs}
    assert {((1.5 / 7, 1.5 / 7), (4.5 / 7, 5.5 / 7)), ((2.5 / 7, 4.5 / 7), (6.5 / 7, 2.5 / 7))} <= places
    assert all(0.4 <= cosine <= 1 for _, _, cosine in found.pairs)


def test_no_two_pairs_share_a_place_or_its_neighbours() -> None:
    everywhere = scene(0, {(row, column): 7 * row + column for row in range(7) for column in range(7)})
    pairs = match(everywhere, everywhere).pairs
    assert len(pairs) == 5
    for points in zip(*[pair[:2] for pair in pairs], strict=True):
        for number, (x, y) in enumerate(points):
            assert all(max(abs(x - other), abs(y - another)) > 1.5 / 7 for other, another in points[:number])


def test_grids_may_differ() -> None:
    found = match(scene(0, {(1, 1): 1})[:4], scene(5, {(2, 2): 1})[:, :5])
    assert found.first.shape == (4, 7)
    assert found.second.shape == (7, 5)


@pytest.mark.parametrize("other", [np.zeros((7, 7, 3), np.float32), np.zeros((7, 64), np.float32)])
def test_it_refuses_maps_that_do_not_fit(other: Locations) -> None:
    with pytest.raises(ValueError, match=r"expected two maps \(rows, columns, channels\), received \(7, 7, 64\)"):
        match(scene(0, {}), other)


def test_a_picture_without_features_is_cold() -> None:
    nothing = np.zeros((2, 2, 8), np.float32)
    found = match(nothing, nothing)
    assert not found.first.any()
    assert found.pairs == []
