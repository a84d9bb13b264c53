"""Intervals that hold a mean, and differences that are more than chance."""

import numpy as np
import pytest

from embeddings.evaluation import bootstrap


def test_an_interval_is_as_wide_as_the_standard_error_says() -> None:
    figures = np.random.default_rng(0).normal(0.5, 0.2, size=(400, 2))
    found = bootstrap.intervals(figures)
    half = 1.96 * figures.std(axis=0) / 20
    assert found[:, 0] == pytest.approx(figures.mean(axis=0) - half, abs=0.003)
    assert found[:, 1] == pytest.approx(figures.mean(axis=0) + half, abs=0.003)


def test_what_never_differs_has_no_width() -> None:
    assert bootstrap.intervals(np.ones((3, 1))).tolist() == [[1.0, 1.0]]


def test_blocks_of_resamples_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    figures = np.random.default_rng(0).random((50, 1))
    whole = bootstrap.intervals(figures)
    monkeypatch.setattr(bootstrap, "_BLOCK_BYTES", 8 * 50 * 7)
    assert whole.tolist() == bootstrap.intervals(figures).tolist()


def test_queries_that_all_gain_show_a_real_difference() -> None:
    figures = np.random.default_rng(0).random(200)
    found = bootstrap.paired(figures + 0.02, figures)
    assert (found.mean, found.low, found.high) == pytest.approx((0.02, 0.02, 0.02))
    assert found.is_real
    assert found.p == pytest.approx(2 / 1001)


def test_queries_that_gain_as_often_as_they_lose_show_none() -> None:
    steps = np.tile([0.1, -0.1], 100)
    found = bootstrap.paired(steps, np.zeros(200))
    assert found.low < 0 < found.high
    assert not found.is_real
    assert found.p > 0.5


def test_the_same_figures_do_not_differ() -> None:
    found = bootstrap.paired(np.ones(9), np.ones(9))
    assert (found.mean, found.is_real, found.p) == (0, False, 1)


def test_figures_of_different_queries_are_not_compared() -> None:
    with pytest.raises(ValueError, match=r"same queries, received \(3,\) and \(2,\)"):
        bootstrap.paired(np.ones(3), np.ones(2))


def test_a_few_queries_prove_no_difference() -> None:
    assert not bootstrap.paired(np.ones(9), np.zeros(9)).is_real
    assert bootstrap.paired(np.ones(10), np.zeros(10)).is_real
