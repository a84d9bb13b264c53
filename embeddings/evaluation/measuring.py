"""All measures of a search over a labelled gallery, in one pass over the rankings."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from embeddings import metrics
from embeddings.evaluation.ranking import Block, Gallery, Struck, Vectors

Codes = NDArray[np.int64]
Figures = NDArray[np.float64]
# Neighbours whose labels vote on a query's, and which a confusion matrix counts.
N_VOTERS = 10
# Neighbours that are kept for the collage, the votes and the calibration.
N_KEPT = 20
RECALL_LEVELS = np.arange(21) / 20
N_BINS = 200


@dataclass(frozen=True, kw_only=True, eq=False)
class Measured:
    """What came of the queries.

    names: of the measures. figures: float64 (n_queries, n_names); nan for a query that has nothing to find.
    ks: the ranks of those asked for that the gallery is deep enough for. n_voters: neighbours that voted.
    neighbours: int64 (n_queries, n_kept), places in the gallery, nearest first; distances: float64, of these.
    n_relevant: how many images each query could find.
    precisions: mean interpolated precision at RECALL_LEVELS. edges: (N_BINS + 1,) distances; same_pairs and
    other_pairs: how many pairs of the same and of another class lie between each two of them.
    """

    names: tuple[str, ...]
    figures: Figures
    ks: tuple[int, ...]
    n_voters: int
    neighbours: NDArray[np.int64]
    distances: Figures
    n_relevant: NDArray[np.int64]
    precisions: Figures
    edges: Figures
    same_pairs: NDArray[np.int64]
    other_pairs: NDArray[np.int64]

    @property
    def is_answerable(self) -> NDArray[np.bool_]:
        """bool (n_queries,): whether there is anything to find for it."""
        return self.n_relevant > 0


def measure(
    queries: Vectors,
    query_labels: Codes,
    gallery: Gallery,
    gallery_labels: Codes,
    struck: Struck,
    *,
    ks: Sequence[int] = (1, 5, 10),
    tell: Callable[[int], None] = lambda n_queries_done: None,
) -> Measured:
    """Rank the whole gallery for each query and measure it. An image is relevant where its label is the query's.

    queries: float32 (n_queries, dim), n_queries ≥ 1; labels: integers; struck: what a query must not find, itself first
    of all. ks: ranks at which to measure; those beyond what every query has to rank are left out.
    """
    n_left = len(gallery) - np.bincount(struck.queries, minlength=len(queries))
    if not (n_left > 0).any():
        raise ValueError("no query has anything to be compared with")
    # A query to which nothing is left has no figures, and does not make the others' depth smaller.
    depth = int(n_left[n_left > 0].min())
    ks = tuple(k for k in ks if k <= depth)
    n_voters, n_kept = min(N_VOTERS, depth), min(N_KEPT, depth)
    figures, neighbours, distances, n_relevant, precisions = [], [], [], [], []
    pairs = _Pairs(gallery, queries)
    names: tuple[str, ...] = ()
    for block in gallery.blocks(queries, struck):
        asked = query_labels[block.places]
        relevant = gallery_labels[block.order] == asked[:, np.newaxis]
        # What was struck out stands last.
        relevant &= np.arange(len(gallery)) < block.n_ranked[:, np.newaxis]
        kept = block.order[:, :n_kept]
        measured = _figures(relevant, gallery_labels[kept[:, :n_voters]], asked, ks)
        names = tuple(measured)
        figures.append(np.stack(list(measured.values()), axis=1))
        neighbours.append(kept.copy())
        distances.append(np.take_along_axis(block.distances, kept, axis=1))
        n_relevant.append(relevant.sum(axis=1))
        precisions.append(metrics.interpolated_precision(relevant, RECALL_LEVELS))
        pairs.count(block, asked, gallery_labels, struck)
        tell(block.places.stop)
    found, counts = np.concatenate(figures), np.concatenate(n_relevant)
    found[counts == 0] = np.nan
    return Measured(
        names=names,
        figures=found,
        ks=ks,
        n_voters=n_voters,
        neighbours=np.concatenate(neighbours),
        distances=np.concatenate(distances),
        n_relevant=counts,
        precisions=_mean_of_known(np.concatenate(precisions)),
        edges=pairs.edges,
        same_pairs=pairs.same,
        other_pairs=pairs.all - pairs.same,
    )


def without(
    measured: Measured,
    duplicates: Struck,
    queries: Vectors,
    query_labels: Codes,
    gallery: Gallery,
    gallery_labels: Codes,
    struck: Struck,
) -> Figures:
    """Return the figures with near-duplicates struck out as well: only queries that have some are ranked again.

    nan for a query to which less is left of the gallery than it is measured on.
    """
    figures = measured.figures.copy()
    both = struck.and_also(duplicates)
    n_left = len(gallery) - np.bincount(both.queries, minlength=len(queries))
    affected = np.zeros(len(queries), bool)
    affected[duplicates.queries] = True
    figures[affected] = np.nan
    again = np.flatnonzero(affected & (n_left >= max(*measured.ks, measured.n_voters)))
    if len(again):
        chosen = np.isin(both.queries, again)
        renumbered = Struck(queries=np.searchsorted(again, both.queries[chosen]), places=both.places[chosen])
        figures[again] = measure(
            queries[again], query_labels[again], gallery, gallery_labels, renumbered, ks=measured.ks
        ).figures
    return figures


def confusion(neighbours: Codes, query_labels: Codes, n_classes: int) -> tuple[Codes, Codes, NDArray[np.int64]]:
    """Count the labels of neighbours by the label of their query: labels of queries and of neighbours, and how often.

    Each pair that occurs stands there once, in order: of ten thousands of classes a square table would take gigabytes.
    neighbours: labels, (n_queries, k).
    """
    cells, counts = np.unique(query_labels[:, np.newaxis] * n_classes + neighbours, return_counts=True)
    asked, found = np.divmod(cells, n_classes)
    return asked, found, counts


@dataclass(frozen=True, kw_only=True)
class Contradiction:
    """A query whose neighbours have another label: `label`'s share of them against that of its own, each 0..1."""

    place: int
    label: int
    share: float
    own_share: float


def contradictions(neighbours: Codes, query_labels: Codes, most: int) -> list[Contradiction]:
    """Return the queries whose neighbours contradict their label most, the worst first: candidates for a wrong label.

    neighbours: labels, (n_queries, k), nearest first. Only those are listed that lose the vote.
    """
    winners = metrics.vote(neighbours)
    own = (neighbours == query_labels[:, np.newaxis]).mean(axis=1)
    others = (neighbours == winners[:, np.newaxis]).mean(axis=1)
    lost = np.flatnonzero(winners != query_labels)
    worst = lost[np.argsort(-(others - own)[lost], kind="stable")][:most]
    return [
        Contradiction(
            place=int(place), label=int(winners[place]), share=float(others[place]), own_share=float(own[place])
        )
        for place in worst
    ]


def _figures(relevant: metrics.Relevance, voters: Codes, asked: Codes, ks: Iterable[int]) -> dict[str, Figures]:
    """Return each measure's figures by its name."""
    at_ranks = {
        "precision": metrics.precision_at_k,
        "recall": metrics.recall_at_k,
        "hit_rate": metrics.hit_rate_at_k,
        "map": metrics.average_precision_at_k,
        "ndcg": metrics.ndcg_at_k,
    }
    return {
        **{f"{name}@{k}": figure(relevant, k) for name, figure in at_ranks.items() for k in ks},
        "accuracy": (metrics.vote(voters) == asked).astype(np.float64),
        "map": metrics.average_precision(relevant),
        "r_precision": metrics.r_precision(relevant),
    }


class _Pairs:
    """Counts pairs of a query and an image by their distance."""

    def __init__(self, gallery: Gallery, queries: Vectors) -> None:
        self.edges = np.linspace(0, gallery.farthest(queries), N_BINS + 1)
        self.all = np.zeros(N_BINS, np.int64)
        self.same = np.zeros(N_BINS, np.int64)

    def count(self, block: Block, asked: Codes, labels: Codes, struck: Struck) -> None:
        bins = (block.distances * (N_BINS / self.edges[-1])).astype(np.int16)
        np.minimum(bins, N_BINS - 1, out=bins)
        rows, places = struck.within(block.places)
        # A bin that is not counted takes those that were struck out.
        bins[rows, places] = N_BINS
        self.all += np.bincount(bins.ravel(), minlength=N_BINS + 1)[:N_BINS]
        is_same = labels == asked[:, np.newaxis]
        self.same += np.bincount(bins[is_same], minlength=N_BINS + 1)[:N_BINS]


def _mean_of_known(figures: Figures) -> Figures:
    known = figures[~np.isnan(figures[:, 0])]
    return known.mean(axis=0) if len(known) else np.full(figures.shape[1], np.nan)
