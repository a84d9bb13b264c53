"""What a distance is worth: chances from labels, rarity without, and a plane to look at."""

import numpy as np
import pytest

from embeddings.evaluation import calibration, projection


def hits(n: int = 300, seed: int = 0) -> tuple[calibration.Figures, np.ndarray]:
    """Hits whose chance of being right is 1 - distance."""
    random = np.random.default_rng(seed)
    distances = np.sort(random.random((n, 20)), axis=1)
    return distances, random.random((n, 20)) > distances


def test_chances_are_those_that_the_hits_had() -> None:
    found = calibration.fit(*hits())
    told = np.interp([0.2, 0.5, 0.8], found.distances, found.probabilities)
    assert told == pytest.approx([0.8, 0.5, 0.2], abs=0.05)
    assert found.even_distance == pytest.approx(0.5, abs=0.06)
    assert list(found.probabilities) == sorted(found.probabilities, reverse=True)


def test_promises_are_kept_by_other_queries() -> None:
    found = calibration.fit(*hits()).reliability
    assert found.error < 0.02
    assert found.n_pairs == 6000
    assert sum(one.n for one in found.bins) == 6000
    assert all(abs(one.promised - one.kept) < 0.1 for one in found.bins if one.n > 100)


def test_hits_that_are_never_likely_have_no_even_distance() -> None:
    distances, _ = hits()
    is_same = np.random.default_rng(1).random(distances.shape) < 0.1
    assert calibration.fit(distances, is_same).even_distance is None


@pytest.mark.parametrize(
    ("n", "right", "reason"),
    [
        (5, True, "5 queries with 100 hits are too few"),
        (50, True, "every hit is right"),
        (50, False, "no hit is right"),
    ],
)
def test_chances_need_right_and_wrong_hits_and_enough_of_them(n: int, right: bool, reason: str) -> None:
    distances, _ = hits(n)
    with pytest.raises(calibration.CannotCalibrate, match=reason):
        calibration.fit(distances, np.full(distances.shape, right))


def test_random_pairs_tell_how_rare_a_distance_is() -> None:
    vectors = np.random.default_rng(0).normal(size=(300, 64)).astype(np.float32)
    found = calibration.random_pairs(vectors, "cosine")
    assert found.n_pairs == 300 * 299 // 2
    assert np.interp(1.0, found.distances, found.shares) == pytest.approx(0.5, abs=0.05)
    assert found.distances[0] > 0.3


def test_random_pairs_need_a_thousand() -> None:
    with pytest.raises(calibration.CannotCalibrate, match="45 images are too few to tell what is rare: 46 are needed"):
        calibration.random_pairs(np.ones((45, 2), np.float32), "cosine")


def test_hits_that_are_always_likely_have_no_even_distance() -> None:
    distances, _ = hits()
    is_same = np.random.default_rng(1).random(distances.shape) < 0.9
    assert calibration.fit(distances, is_same).even_distance is None


def test_a_plane_keeps_kin_together() -> None:
    random = np.random.default_rng(0)
    vectors = (np.repeat(np.eye(2, 16) * 8, 30, axis=0) + random.normal(size=(60, 16))).astype(np.float32)
    points, method = projection.project(vectors)
    assert method == "t-SNE"
    assert (points.min(), points.max()) == (0, 1)
    centres = points[:30].mean(axis=0), points[30:].mean(axis=0)
    assert np.linalg.norm(centres[0] - centres[1]) > 2 * np.linalg.norm(points[:30] - centres[0], axis=1).mean()


@pytest.mark.parametrize("n", [1, 2, 3, 19, 20, 25])
def test_few_vectors_of_few_numbers_make_a_plane_too(n: int) -> None:
    points, method = projection.project(np.random.default_rng(0).normal(size=(n, 1)).astype(np.float32))
    assert points.shape == (n, 2)
    assert method == ("t-SNE" if n >= 20 else "PCA")
    assert np.isfinite(points).all()


def test_vectors_that_are_all_the_same_make_a_plane_too() -> None:
    assert np.isfinite(projection.project(np.ones((30, 4), np.float32))[0]).all()
