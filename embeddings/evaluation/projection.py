"""Vectors as points of a plane, near each other where the vectors are."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from embeddings.evaluation.ranking import Vectors

# t-SNE takes 3 s for a thousand and 6 s for two thousand on two cores.
MOST_POINTS = 1_000
_FEWEST_FOR_TSNE = 20
_N_COMPONENTS = 50


def project(vectors: Vectors, *, seed: int = 0) -> tuple[NDArray[np.float64], str]:
    """Return float64 (n, 2), each coordinate 0..1, and how they were found: "t-SNE", or "PCA" where there are few.

    vectors: float32 (n, dim), n ≥ 1. Van der Maaten and Hinton, Visualizing data using t-SNE (2008), after PCA to 50
    numbers, which leaves out noise and time.
    """
    # Local: the web process shows maps and makes none, and starts sooner without this library.
    from sklearn.decomposition import PCA
    from sklearn.manifold import TSNE

    n, dim = vectors.shape
    if n < 3:
        return np.linspace(0, 1, n)[:, np.newaxis].repeat(2, axis=1), "PCA"
    # Vectors that are all the same have no variance to divide by.
    with np.errstate(invalid="ignore"):
        fewer: Any = PCA(min(_N_COMPONENTS, n - 1, dim), random_state=seed).fit_transform(vectors)
    if n < _FEWEST_FOR_TSNE:
        # One number a vector has no second direction.
        points, method = np.pad(fewer, ((0, 0), (0, 2)))[:, :2], "PCA"
    else:
        perplexity = min(30.0, (n - 1) / 3)
        start = np.pad(fewer, ((0, 0), (0, 2)))[:, :2]
        start = start / max(float(start[:, 0].std()), 1e-12) * 1e-4
        points, method = TSNE(2, init=start, random_state=seed, perplexity=perplexity).fit_transform(fewer), "t-SNE"
    points = points.astype(np.float64) - points.min(axis=0)
    return points / np.maximum(points.max(axis=0), 1e-12), method
