"""Tests of the matching of two pictures' spatial features, made up and real."""

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from embeddings.encoder import Encoder
from embeddings.install import InstalledEncoder
from embeddings.matching import match, usual_likeness

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
    assert all(0.5 <= cosine <= 1 for _, _, cosine in found.pairs)


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


def test_heat_begins_at_the_usual_likeness() -> None:
    one, other = scene(0, {(1, 1): 1, (4, 2): 2}), scene(5, {(5, 4): 1, (2, 6): 2})
    assert match(one, other, usual=0.99).first.mean() < match(one, other).first.mean()
    assert match(one, other, usual=-0.9).first.mean() > match(one, other).first.mean()


def test_pictures_that_share_a_part_are_usually_more_alike() -> None:
    maps = np.stack([scene(seed, {(1, 1): seed}) for seed in range(0, 50, 10)])
    shared = np.random.default_rng(9).random(64, dtype=np.float32) * 4
    assert usual_likeness(maps) < 0.4
    assert usual_likeness(maps + shared) > 0.9


def test_one_picture_tells_nothing_usual() -> None:
    with pytest.raises(ValueError, match=r"of two pictures or more, received \(1, 7, 7, 64\)"):
        usual_likeness(scene(0, {})[np.newaxis])


@pytest.fixture(scope="module")
def encoder(installed: Callable[[str], InstalledEncoder]) -> Encoder:
    return Encoder.load(installed("mobilenet_v2").folder)


def test_a_brighter_version_is_hot_and_a_stranger_cold(encoder: Encoder, photos: NDArray[np.uint8]) -> None:
    brighter = (photos[:1] * 0.8 + 50).astype(np.uint8)
    astronaut, cat, again = encoder.encode_locations(np.concatenate([photos[:2], brighter]))
    version, stranger = match(astronaut, again), match(astronaut, cat)
    assert version.first.mean() > 0.5
    assert len(version.pairs) == 5
    assert all(abs(x - u) + abs(y - v) < 0.3 for (x, y), (u, v), _ in version.pairs)
    assert stranger.first.max() < 0.3


def test_the_thing_that_two_pictures_share_is_what_is_hot(encoder: Encoder, photos: NDArray[np.uint8]) -> None:
    cup = photos[2][::2, ::2]
    ones, others = photos[3].copy(), photos[0].copy()
    ones[:112, :112] = cup
    others[112:, 112:] = cup
    found = match(*encoder.encode_locations(np.stack([ones, others])))
    assert found.first[:3, :3].mean() > 4 * found.first[4:, 4:].mean()
    assert found.second[4:, 4:].mean() > 4 * found.second[:3, :3].mean()
    (x, y), (u, v), _ = found.pairs[0]
    assert max(x, y) < 0.5 < min(u, v)
