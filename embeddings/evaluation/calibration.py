"""What a distance is worth: the chance that a hit shows the same class, or how rare it is among random pairs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from embeddings.evaluation.ranking import Gallery, Vectors
from embeddings.specs import Distance

if TYPE_CHECKING:
    from sklearn.isotonic import IsotonicRegression

Figures = NDArray[np.float64]
# A page of hits. Fitted on all pairs, a similarity is worth less than it is: of the ten nearest of MobileNetV2 on
# groceries 50 % were right and 34 % promised; fitted on the first 20 hits, 48 %.
DEPTH = 20
LEAST_PAIRS = 200
LEAST_QUERIES = 10
# They make a thousand pairs.
LEAST_IMAGES = 46
N_BINS = 10
# Where a hit is as likely of another class as of the same.
EVEN = 0.5
# Hits of like distance are fitted on as one: else the nearest of all alone would be a certainty, or an impossibility.
_LEAST_IN_GROUP = 20
_MOST_GROUPS = 500
_MOST_SAMPLED = 2_000
_LEVELS = np.concatenate(
    [[0.0], *(np.array([1, 2, 3, 5, 7]) * 10.0**power for power in range(-6, -1)), np.arange(1, 11) / 10]
)


class CannotCalibrate(ValueError):
    """Raised where too few hits are known to be right or wrong; the message says what is missing."""


@dataclass(frozen=True, kw_only=True)
class Bin:
    """Hits with like promises: the mean promise, the share that kept it, and how many there are."""

    promised: float
    kept: float
    n: int


@dataclass(frozen=True, kw_only=True)
class Reliability:
    """How well promises are kept by queries that were not fitted on.

    error: the expected calibration error, the mean of |promised - kept| over bins, weighted by their hits (Guo et al.,
    On calibration of modern neural networks, 2017, section 2). brier: the mean squared error of the promises.
    """

    bins: tuple[Bin, ...]
    error: float
    brier: float
    n_pairs: int


@dataclass(frozen=True, kw_only=True)
class Calibration:
    """A falling curve from distance to the chance that a hit of that distance shows the query's class.

    distances: ascending; probabilities: of each, 0..1, never rising; linear between. Nearer than the first it is level;
    farther than the last nothing is known. even_distance: where it falls below one half; None where it does not.
    """

    distances: tuple[float, ...]
    probabilities: tuple[float, ...]
    reliability: Reliability
    even_distance: float | None


def fit(distances: Figures, is_same: NDArray[np.bool_], *, seed: int = 0) -> Calibration:
    """Fit an isotonic curve on the first hits of queries, and check it by two halves of the queries in turn.

    distances: float64 (n_queries, n_hits), ascending; is_same: bool of the same shape. Zadrozny and Elkan, Transforming
    classifier scores into accurate multiclass probability estimates (2002). Raises CannotCalibrate.
    """
    if len(distances) < LEAST_QUERIES or distances.size < LEAST_PAIRS:
        raise CannotCalibrate(
            f"{len(distances)} queries with {distances.size} hits are too few to tell chances from: "
            f"{LEAST_QUERIES} and {LEAST_PAIRS} are needed"
        )
    if is_same.all() or not is_same.any():
        raise CannotCalibrate(f"{'every' if is_same.all() else 'no'} hit is right, so distance tells nothing")
    curve = _fitted(distances, is_same)
    probabilities = tuple(float(one) for one in curve.y_thresholds_)
    knots = tuple(float(one) for one in curve.X_thresholds_)
    return Calibration(
        distances=knots,
        probabilities=probabilities,
        reliability=_reliability(distances, is_same, seed),
        even_distance=_crossing(knots, probabilities),
    )


def _fitted(distances: Figures, is_same: NDArray[np.bool_]) -> IsotonicRegression:
    # Local: the web process reads what was fitted, and starts sooner without this library.
    from sklearn.isotonic import IsotonicRegression

    curve = IsotonicRegression(y_min=0, y_max=1, increasing=False, out_of_bounds="clip")
    order = np.argsort(distances, axis=None)
    groups = np.array_split(order, max(1, len(order) // max(_LEAST_IN_GROUP, len(order) // _MOST_GROUPS)))
    means = [(distances.ravel()[one].mean(), is_same.ravel()[one].mean(), len(one)) for one in groups]
    apart, kept, sizes = (np.array(column) for column in zip(*means, strict=True))
    return curve.fit(apart, kept, sample_weight=sizes)


def _crossing(knots: tuple[float, ...], probabilities: tuple[float, ...]) -> float | None:
    if not probabilities[-1] < EVEN <= probabilities[0]:
        return None
    return max(distance for distance, chance in zip(knots, probabilities, strict=True) if chance >= EVEN)


def _reliability(distances: Figures, is_same: NDArray[np.bool_], seed: int) -> Reliability:
    halves = np.array_split(np.random.default_rng(seed).permutation(len(distances)), 2)
    promised, kept = [], []
    for learnt, tested in (halves, halves[::-1]):
        promised.append(_fitted(distances[learnt], is_same[learnt]).predict(distances[tested].ravel()))
        kept.append(is_same[tested].ravel())
    chances, outcomes = np.concatenate(promised), np.concatenate(kept)
    numbers = np.minimum((chances * N_BINS).astype(int), N_BINS - 1)
    bins = tuple(
        Bin(promised=float(chances[chosen].mean()), kept=float(outcomes[chosen].mean()), n=int(chosen.sum()))
        for number in range(N_BINS)
        if (chosen := numbers == number).any()
    )
    return Reliability(
        bins=bins,
        error=sum(one.n * abs(one.promised - one.kept) for one in bins) / len(chances),
        brier=float(np.mean((chances - outcomes) ** 2)),
        n_pairs=len(chances),
    )


@dataclass(frozen=True, kw_only=True)
class RandomPairs:
    """How far apart two images are that have nothing to do with each other.

    shares: ascending, 0..1; distances: that share of all pairs is at most so far apart.
    """

    shares: tuple[float, ...]
    distances: tuple[float, ...]
    n_pairs: int


def random_pairs(vectors: Vectors, distance: Distance, *, seed: int = 0) -> RandomPairs:
    """Compare up to 2,000 of the vectors with each other. vectors: float32 (n, dim).

    Raises CannotCalibrate for fewer than LEAST_IMAGES, whose pairs could not tell what is rare.
    """
    if len(vectors) < LEAST_IMAGES:
        raise CannotCalibrate(f"{len(vectors)} images are too few to tell what is rare: {LEAST_IMAGES} are needed")
    chosen = np.random.default_rng(seed).permutation(len(vectors))[:_MOST_SAMPLED]
    apart = Gallery(vectors[chosen], distance).distances(vectors[chosen])[np.triu_indices(len(chosen), 1)]
    return RandomPairs(
        shares=tuple(float(one) for one in _LEVELS),
        distances=tuple(float(one) for one in np.quantile(apart, _LEVELS)),
        n_pairs=len(apart),
    )
