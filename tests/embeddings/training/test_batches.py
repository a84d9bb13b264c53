"""Tests of which pictures go into which batch."""

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from embeddings.training.batches import p_by_k, pairs, shuffled, split

Labels = NDArray[np.int64]


@pytest.fixture
def labels() -> Labels:
    """Classes 3, 5 and 9 of 40, 12 and 3 pictures, in no order."""
    return np.random.default_rng(0).permutation(np.repeat(np.array([3, 5, 9]), [40, 12, 3]))


def counts(labels: Labels) -> dict[int, int]:
    values, n = np.unique(labels, return_counts=True)
    return dict(zip(values.tolist(), n.tolist(), strict=True))


def test_a_split_holds_each_picture_once(labels: Labels) -> None:
    parts = split(labels, seed=1)
    assert sorted(np.concatenate(parts)) == list(range(55))
    assert {part.dtype for part in parts} == {np.dtype(np.int64)}


def test_a_split_gives_each_class_its_shares(labels: Labels) -> None:
    train, test, valid = (counts(labels[part]) for part in split(labels, seed=1))
    assert train == {3: 30, 5: 9, 9: 1}
    assert test == {3: 4, 5: 1, 9: 1}
    assert valid == {3: 6, 5: 2, 9: 1}


@pytest.mark.parametrize("n", range(3, 30))
@pytest.mark.parametrize("shares", [(0.75, 0.10, 0.15), (0.1, 0.45, 0.45), (0.02, 0.97, 0.01)])
def test_three_pictures_of_a_class_are_enough_for_all_parts(n: int, shares: tuple[float, float, float]) -> None:
    assert all(len(part) for part in split(np.zeros(n, np.int64), seed=0, shares=shares))


def test_a_split_of_smaller_classes_fills_train_first() -> None:
    train, test, valid = split(np.array([1, 2, 2]), seed=0)
    assert (len(train), len(test), len(valid)) == (2, 1, 0)
    assert 0 in train


def test_a_split_without_a_share_for_valid_has_no_valid(labels: Labels) -> None:
    train, test, valid = split(labels, seed=1, shares=(0.8, 0.2, 0.0))
    assert (len(train), len(test), len(valid)) == (44, 11, 0)


def test_a_split_of_nothing_is_three_times_nothing() -> None:
    assert [len(part) for part in split(np.empty(0, np.int64), seed=0)] == [0, 0, 0]


def test_a_split_depends_on_its_seed_only(labels: Labels) -> None:
    first, again, other = (split(labels, seed=seed)[0].tolist() for seed in (1, 1, 2))
    assert first == again
    assert first != other


@pytest.mark.parametrize("shares", [(0.5, 0.5, 0.5), (1.2, -0.1, -0.1), (0.0, 0.5, 0.5)])
def test_a_split_refuses_shares_that_make_no_whole(labels: Labels, shares: tuple[float, float, float]) -> None:
    with pytest.raises(ValueError, match="expected three shares from 0 to 1 that add up to 1"):
        split(labels, seed=0, shares=shares)


def test_each_batch_has_one_pair_of_each_class(labels: Labels) -> None:
    batches = pairs(labels, n_batches=200, seed=0, epoch=0)
    assert batches.shape == (200, 2, 3)
    assert batches.dtype == np.int64
    assert (labels[batches] == [3, 5, 9]).all()
    assert (batches[:, 0] != batches[:, 1]).all()


def test_each_picture_is_as_often_an_anchor_as_a_positive(labels: Labels) -> None:
    batches = pairs(labels, n_batches=6000, seed=0, epoch=0)[:, :, 1]
    for role in (0, 1):
        appearances = list(counts(batches[:, role]).values())
        assert len(appearances) == 12
        np.testing.assert_allclose(appearances, 500, atol=100)


def test_a_pair_needs_two_pictures() -> None:
    with pytest.raises(ValueError, match="class 7 has 1"):
        pairs(np.array([1, 1, 7]), n_batches=1, seed=0, epoch=0)


def test_a_batch_has_k_pictures_of_each_of_p_classes(labels: Labels) -> None:
    batches = p_by_k(labels, n_classes=2, n_each=4, n_batches=50, seed=0, epoch=0)
    assert batches.shape == (50, 8)
    assert batches.dtype == np.int64
    assert all(sorted(counts(batch).values()) == [4, 4] for batch in labels[batches])
    assert set(labels[batches].ravel()) == {3, 5, 9}


def test_pictures_come_twice_only_where_the_class_is_too_small(labels: Labels) -> None:
    for batch in p_by_k(labels, n_classes=3, n_each=5, n_batches=50, seed=0, epoch=0):
        different = {label: len(set(batch[labels[batch] == label])) for label in (3, 5, 9)}
        assert different == {3: 5, 5: 5, 9: 3}


@pytest.mark.parametrize("n_classes", [0, 4])
def test_a_batch_cannot_have_more_classes_than_there_are(labels: Labels, n_classes: int) -> None:
    with pytest.raises(ValueError, match=f"expected 1 to 3 classes in a batch, got {n_classes}"):
        p_by_k(labels, n_classes=n_classes, n_each=2, n_batches=1, seed=0, epoch=0)


def test_shuffled_batches_hold_each_index_once() -> None:
    batches = shuffled(103, batch_size=10, seed=0, epoch=0)
    assert [len(batch) for batch in batches] == [10] * 10 + [3]
    assert sorted(np.concatenate(batches)) == list(range(103))
    assert shuffled(0, batch_size=10, seed=0, epoch=0) == []


def test_shuffled_batches_have_a_size() -> None:
    with pytest.raises(ValueError, match="expected a batch_size of at least 1, got 0"):
        shuffled(10, batch_size=0, seed=0, epoch=0)


MAKERS = {
    "pairs": lambda seed, epoch: pairs(np.arange(60) % 5, n_batches=9, seed=seed, epoch=epoch),
    "p_by_k": lambda seed, epoch: p_by_k(np.arange(60) % 5, n_classes=2, n_each=4, n_batches=9, seed=seed, epoch=epoch),
    "shuffled": lambda seed, epoch: shuffled(60, batch_size=10, seed=seed, epoch=epoch),
}


@pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS)
def test_an_epoch_read_again_is_the_same_and_another_is_not(make: Callable[[int, int], Labels]) -> None:
    first, again, later, other, swapped = (np.array(make(*at)) for at in ((1, 2), (1, 2), (1, 3), (2, 2), (2, 1)))
    np.testing.assert_array_equal(first, again)
    assert all((first != batches).any() for batches in (later, other, swapped))
