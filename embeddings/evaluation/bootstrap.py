"""How far figures could lie elsewhere with other queries: the bootstrap over queries, in one sample and in pairs.

Efron and Tibshirani, An Introduction to the Bootstrap (1993), chapter 13 (percentile intervals) and section 16.4.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Figures = NDArray[np.float64]
N_RESAMPLES = 1_000
# Resamples of fewer hardly differ: one query alone always gives the same mean.
LEAST_QUERIES = 10
_CONFIDENCE = 0.95
_BLOCK_BYTES = 32 * 2**20


@dataclass(frozen=True, kw_only=True)
class Difference:
    """By how much a mean differs from another over the same queries, with a 95 % interval.

    p: how often resampled queries would show no difference, or one of the other sign; two-sided, 0..1.
    """

    mean: float
    low: float
    high: float
    p: float
    n_queries: int

    @property
    def is_real(self) -> bool:
        """Whether the interval leaves out zero, and there are queries enough to say so."""
        return self.n_queries >= LEAST_QUERIES and (self.low > 0 or self.high < 0)


def intervals(figures: Figures, *, n_resamples: int = N_RESAMPLES, seed: int = 0) -> Figures:
    """Return the 95 % percentile interval of the mean of each column: float64 (n_columns, 2), low and high.

    figures: float64 (n_queries, n_columns) without nan, n_queries ≥ 1.
    """
    tail = 100 * (1 - _CONFIDENCE) / 2
    return np.percentile(_means(figures, n_resamples, seed), [tail, 100 - tail], axis=0).T


def paired(figures: Figures, others: Figures, *, n_resamples: int = N_RESAMPLES, seed: int = 0) -> Difference:
    """Compare the means of two sets of figures of the same queries: float64 (n_queries,) each, without nan.

    Raises ValueError where they are not equally many.
    """
    if figures.shape != others.shape:
        raise ValueError(f"expected figures of the same queries, received {figures.shape} and {others.shape}")
    differences = figures - others
    means = _means(differences[:, np.newaxis], n_resamples, seed)[:, 0]
    low, high = intervals(differences[:, np.newaxis], n_resamples=n_resamples, seed=seed)[0]
    # One more than was seen: a thousand resamples cannot say that something never happens.
    rarer = min((means <= 0).sum(), (means >= 0).sum())
    p = min(1.0, 2 * (rarer + 1) / (n_resamples + 1))
    return Difference(
        mean=float(differences.mean()), low=float(low), high=float(high), p=float(p), n_queries=len(figures)
    )


def _means(figures: Figures, n_resamples: int, seed: int) -> Figures:
    """Return the means of resampled queries, float64 (n_resamples, n_columns)."""
    blocks = [counts @ figures / len(figures) for counts in _counts(len(figures), n_resamples, seed)]
    return np.concatenate(blocks)


def _counts(n: int, n_resamples: int, seed: int) -> Iterator[Figures]:
    """Say how often each of n queries is drawn, resample by resample: float64 (some, n)."""
    random = np.random.default_rng(seed)
    size = max(1, _BLOCK_BYTES // (8 * n))
    for start in range(0, n_resamples, size):
        rows = min(size, n_resamples - start)
        drawn = random.integers(n, size=(rows, n)) + np.arange(rows)[:, np.newaxis] * n
        yield np.bincount(drawn.ravel(), minlength=rows * n).reshape(rows, n).astype(np.float64)
