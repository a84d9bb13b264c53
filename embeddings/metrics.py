"""How good a ranking is: each measure defined once, with its denominator. Arrays only; ids and rows stay outside."""

import numpy as np
from numpy.typing import NDArray

Vectors = NDArray[np.float32]
Labels = NDArray[np.generic]
Relevance = NDArray[np.bool_]


def relevance_among(vectors: Vectors, labels: Labels) -> Relevance:
    """Rank all others for each of some vectors, itself left out, as `relevance` does: bool (n, n - 1)."""
    similarities = vectors @ vectors.T
    np.fill_diagonal(similarities, np.inf)
    order = np.argsort(-similarities, axis=1, kind="stable")[:, 1:]
    return labels[order] == labels[:, np.newaxis]


def relevance(queries: Vectors, query_labels: Labels, gallery: Vectors, gallery_labels: Labels) -> Relevance:
    """Rank a whole gallery for each query and return which ranks hold an image of the query's label.

    queries: float32 (n_queries, dim); gallery: float32 (n_gallery, dim), both of unit length: ranked by cosine, equal
    ones in the order of the gallery. Returns bool (n_queries, n_gallery), nearest first.
    Raises ValueError where labels and vectors are not equally many.
    """
    if len(queries) != len(query_labels) or len(gallery) != len(gallery_labels):
        counts = f"{len(queries)} and {len(query_labels)}, {len(gallery)} and {len(gallery_labels)}"
        raise ValueError(f"expected a label for each vector, received {counts}")
    order = np.argsort(-(queries @ gallery.T), axis=1, kind="stable")
    return gallery_labels[order] == query_labels[:, np.newaxis]


def precision_at_k(relevant: Relevance, k: int) -> float:
    """Return the mean share of relevant images among the first k; each query divides by k, however many there are.

    relevant: bool (n_queries, depth), nearest first. Raises ValueError if k is below 1 or above depth.
    """
    if not 1 <= k <= relevant.shape[1]:
        raise ValueError(f"k must be from 1 to {relevant.shape[1]}, received {k}")
    return float(relevant[:, :k].mean())


def average_precisions(relevant: Relevance) -> NDArray[np.float64]:
    """Return the average precision of each query at the ranks of all its relevant images; nan where it has none.

    relevant: bool (n_queries, n_gallery), the whole gallery, nearest first. AP = (sum of precision@rank over relevant
    ranks) / (relevant images), as in Manning et al., Introduction to Information Retrieval, section 8.4.
    """
    precisions = np.cumsum(relevant, axis=1) / np.arange(1, relevant.shape[1] + 1)
    n_relevant = relevant.sum(axis=1)
    sums = (precisions * relevant).sum(axis=1)
    return np.divide(sums, n_relevant, out=np.full(len(relevant), np.nan), where=n_relevant > 0)


def mean_average_precision(relevant: Relevance) -> float:
    """Return the mean of `average_precisions` over the queries that have a relevant image; nan if none has one."""
    found = average_precisions(relevant)
    answered = found[~np.isnan(found)]
    return float(answered.mean()) if len(answered) else float("nan")
