"""How good a ranking is: each measure defined once, query by query, with its denominator and its source.

All of them read the relevance of a ranking: bool (n_queries, depth), nearest first; what must not be found, such as the
query itself, stands last and is False. Arrays only; ids and rows stay outside.
"""

import numpy as np
from numpy.typing import NDArray

Vectors = NDArray[np.float32]
Labels = NDArray[np.generic]
Codes = NDArray[np.integer]
Relevance = NDArray[np.bool_]
# One figure a query.
Figures = NDArray[np.float64]


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


def precision_at_k(relevant: Relevance, k: int) -> Figures:
    """Return the share of relevant images among the first k: |found| / k, however many relevant ones there are.

    Manning, Raghavan and Schütze, Introduction to Information Retrieval (below: IIR), section 8.4.
    Raises ValueError if k is below 1 or above depth, as all measures at a rank do.
    """
    return _first(relevant, k).sum(axis=1) / k


def recall_at_k(relevant: Relevance, k: int) -> Figures:
    """Return the share of the relevant images that stand among the first k: |found| / |relevant|; nan without any.

    IIR, section 8.3. Papers on metric learning call something else Recall@k: see `hit_rate_at_k`.
    """
    return _divided(_first(relevant, k).sum(axis=1), relevant.sum(axis=1))


def hit_rate_at_k(relevant: Relevance, k: int) -> Figures:
    """Return 1 where a relevant image stands among the first k, else 0; nan where there is none to be found.

    Its mean is what papers on metric learning call Recall@k: Jégou, Douze and Schmid, Product quantization for nearest
    neighbor search (2011), section V; Oh Song et al., Deep metric learning via lifted structured feature embedding.
    """
    return np.where(relevant.any(axis=1), _first(relevant, k).any(axis=1).astype(float), np.nan)


def r_precision(relevant: Relevance) -> Figures:
    """Return the precision at rank R, the number of relevant images: |found among the first R| / R; nan for R = 0.

    IIR, section 8.4.
    """
    n_relevant = relevant.sum(axis=1)
    found = relevant & (np.arange(relevant.shape[1]) < n_relevant[:, np.newaxis])
    return _divided(found.sum(axis=1), n_relevant)


def average_precision(relevant: Relevance) -> Figures:
    """Return the mean of the precisions at the ranks of all relevant images; nan where there is none.

    AP = sum of precision@rank over the ranks of relevant images / |relevant|, over the whole depth; its mean over the
    queries is mAP. IIR, section 8.4. It is the same as sklearn.metrics.average_precision_score where nothing ties.
    """
    return _average_precision(relevant, relevant.sum(axis=1))


def average_precision_at_k(relevant: Relevance, k: int) -> Figures:
    """Return the average precision of the first k: the sum over relevant ranks up to k / min(k, |relevant|).

    So a ranking that could not be better has 1. Others divide by the number found, which a single hit at the first rank
    makes 1 already (torchmetrics does), or by |relevant|. nan where nothing is relevant.
    """
    return _average_precision(_first(relevant, k), np.minimum(k, relevant.sum(axis=1)))


def ndcg_at_k(relevant: Relevance, k: int) -> Figures:
    """Return the normalised discounted cumulative gain of the first k, of gains 0 and 1; nan where nothing is relevant.

    DCG = sum of 1 / log2(rank + 1) over relevant ranks up to k, divided by that of the first min(k, |relevant|) ranks.
    Järvelin and Kekäläinen, Cumulated gain-based evaluation of IR techniques (2002); sklearn.metrics.ndcg_score.
    """
    discounts = 1 / np.log2(np.arange(2, k + 2))
    ideal = np.concatenate([[0.0], np.cumsum(discounts)])[np.minimum(k, relevant.sum(axis=1))]
    return _divided(_first(relevant, k) @ discounts, ideal)


def vote(neighbours: Codes) -> Codes:
    """Return the label that most of a query's neighbours have; of equally many, that of the nearest.

    neighbours: integers (n_queries, k), the labels of the k nearest, nearest first. Returns integers (n_queries,).
    The share of queries whose own label wins is the retrieval accuracy: a k-nearest-neighbour classifier's, with equal
    votes, as in sklearn.neighbors.KNeighborsClassifier but for ties.
    """
    counts = np.stack([(neighbours == one[:, np.newaxis]).sum(axis=1) for one in neighbours.T], axis=1)
    return neighbours[np.arange(len(neighbours)), counts.argmax(axis=1)]


def mean(figures: Figures) -> float:
    """Return the mean over the queries that have a figure; nan if none has one."""
    known = figures[~np.isnan(figures)]
    return float(known.mean()) if len(known) else float("nan")


def mean_average_precision(relevant: Relevance) -> float:
    """Return the mean of `average_precision` over the queries that have a relevant image; nan if none has one."""
    return mean(average_precision(relevant))


def interpolated_precision(relevant: Relevance, levels: Figures) -> Figures:
    """Return each query's precision at levels of recall, float64 (n_queries, n_levels); nan where nothing is relevant.

    At a level it is the highest precision at that recall or a higher one: IIR, section 8.4. levels: 0..1, ascending.
    """
    found = np.full((len(relevant), len(levels)), np.nan)
    for place, row in enumerate(relevant):
        ranks = np.flatnonzero(row) + 1
        if len(ranks):
            precisions = np.arange(1, len(ranks) + 1) / ranks
            highest = np.maximum.accumulate(precisions[::-1])[::-1]
            # A hair less, or 0.3 of 10 would be the fourth: 0.3 * 10 is a little above 3.
            wanted = np.ceil(levels * len(ranks) - 1e-9).astype(int)
            found[place] = highest[np.maximum(wanted, 1) - 1]
    return found


def _first(relevant: Relevance, k: int) -> Relevance:
    if not 1 <= k <= relevant.shape[1]:
        raise ValueError(f"k must be from 1 to {relevant.shape[1]}, received {k}")
    return relevant[:, :k]


def _average_precision(relevant: Relevance, denominators: NDArray[np.integer]) -> Figures:
    # Only the ranks of relevant images count, and they are few: 50,000 precisions a query would be reckoned for 5,000.
    queries, places = np.nonzero(relevant)
    counts = relevant.sum(axis=1)
    nth = np.arange(len(queries)) - np.repeat(np.cumsum(counts) - counts, counts) + 1
    sums = np.bincount(queries, weights=nth / (places + 1), minlength=len(relevant))
    return _divided(sums, denominators)


def _divided(counts: NDArray[np.number], by: NDArray[np.number]) -> Figures:
    return np.divide(counts, by, out=np.full(len(by), np.nan), where=by > 0)
