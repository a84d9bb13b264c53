"""What is kept of a measurement besides its means, as JSON: classes, confusions, queries to look at, curves, a map."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from embeddings.evaluation import bootstrap, measuring, projection
from embeddings.evaluation.measuring import Measured
from search.evaluation.leaks import Leaks
from search.evaluation.protocol import Pictures, Sides

Figures = NDArray[np.float64]
Codes = NDArray[np.int64]
# What is told of each class.
CLASS_MEASURES = ("precision@1", "precision@10", "accuracy", "map")
MOST_CLASSES = 200
N_SHOWN = 24
N_SHOWN_NEIGHBOURS = 10
N_CONTRADICTED = 30


def rounded(figures: Figures | Sequence[float], digits: int = 6) -> list[float]:
    """Return figures as JSON keeps them."""
    return [round(float(one), digits) for one in figures]


def classes(measured: Measured, labels: Codes, names: Sequence[str], gallery_labels: Codes) -> list[dict[str, Any]]:
    """Return the means of each class's queries with their intervals, in alphabetical order."""
    columns = [measured.names.index(name) for name in CLASS_MEASURES if name in measured.names]
    told = [measured.names[column] for column in columns]
    found = []
    for code in np.unique(labels[measured.is_answerable]).tolist():
        figures = measured.figures[measured.is_answerable & (labels == code)][:, columns]
        intervals = bootstrap.intervals(figures)
        found.append(
            {
                "label": names[code],
                "n_queries": len(figures),
                "n_gallery": int((gallery_labels == code).sum()),
                "metrics": dict(zip(told, rounded(figures.mean(axis=0)), strict=True)),
                "intervals": {name: rounded(one) for name, one in zip(told, intervals, strict=True)},
            }
        )
    return found


def confusion(measured: Measured, labels: Codes, names: Sequence[str], gallery_labels: Codes) -> dict[str, Any]:
    """Return the labels of the nearest neighbours by those of their queries: labels, and [row, column, count] of cells.

    Of more classes than can be read the confused ones are kept: those with most neighbours of another class.
    """
    voters = gallery_labels[measured.neighbours[:, : measured.n_voters]]
    chosen = measured.is_answerable
    asked, found, counts = measuring.confusion(voters[chosen], labels[chosen], len(names))
    there = np.union1d(asked, found)
    if len(there) > MOST_CLASSES:
        mistaken = np.where(asked == found, 0, counts)
        wrong = _sums(asked, mistaken, len(names)) + _sums(found, mistaken, len(names))
        there = np.sort(there[np.argsort(-wrong[there], kind="stable")][:MOST_CLASSES])
    is_shown = np.isin(asked, there) & np.isin(found, there)
    rows, columns = np.searchsorted(there, asked[is_shown]), np.searchsorted(there, found[is_shown])
    return {
        "labels": [names[code] for code in there.tolist()],
        # Of whole rows, also of what is not shown.
        "sums": _sums(asked, counts, len(names))[there].tolist(),
        "cells": np.stack([rows, columns, counts[is_shown]], axis=1).tolist(),
        "n_classes": len(np.unique(asked)),
        "k": measured.n_voters,
    }


def _sums(codes: Codes, counts: NDArray[np.int64], n_classes: int) -> NDArray[np.int64]:
    """Return the sum of the counts of each class: int64 (n_classes,)."""
    sums = np.zeros(n_classes, np.int64)
    np.add.at(sums, codes, counts)
    return sums


def collage(measured: Measured, sides: Sides, gallery: Pictures, seed: int) -> dict[str, Any]:
    """Return queries with their neighbours: those with the worst average precision, and some drawn at random."""
    answerable = np.flatnonzero(measured.is_answerable)
    precisions = measured.figures[answerable, measured.names.index("map")]
    worst = answerable[np.argsort(precisions, kind="stable")][:N_SHOWN]
    drawn = np.random.default_rng(seed).permutation(answerable)[:N_SHOWN]
    return {
        "worst": [_row(measured, sides, gallery, place) for place in worst.tolist()],
        "drawn": [_row(measured, sides, gallery, place) for place in drawn.tolist()],
    }


def _row(measured: Measured, sides: Sides, gallery: Pictures, place: int) -> dict[str, Any]:
    label = sides.queries.labels[place]
    places = measured.neighbours[place, :N_SHOWN_NEIGHBOURS]
    precision = float(measured.figures[place, measured.names.index("map")])
    return {
        "image": int(sides.queries.ids[place]),
        "map": round(precision, 4),
        "n_relevant": int(measured.n_relevant[place]),
        "neighbours": [
            {
                "image": int(gallery.ids[one]),
                "is_right": bool(gallery.labels[one] == label),
                "distance": round(float(distance), 4),
            }
            for one, distance in zip(places, measured.distances[place], strict=False)
        ],
    }


def contradictions(
    measured: Measured, sides: Sides, labels: Codes, names: Sequence[str], gallery_labels: Codes
) -> list[dict[str, Any]]:
    """Return the images whose neighbours contradict their label most, with the label that these would give."""
    chosen = np.flatnonzero(measured.is_answerable)
    voters = gallery_labels[measured.neighbours[chosen, : measured.n_voters]]
    return [
        {
            "image": int(sides.queries.ids[chosen[one.place]]),
            "label": str(sides.queries.labels[chosen[one.place]]),
            "says": names[one.label],
            "share": round(one.share, 4),
            "own_share": round(one.own_share, 4),
        }
        for one in measuring.contradictions(voters, labels[chosen], N_CONTRADICTED)
    ]


def leaks(found: Leaks, sides: Sides, gallery: Pictures, metrics: dict[str, float], *, n_left: int) -> dict[str, Any]:
    """Return how many queries have near-duplicates, some of them, and the means over the n_left that find more."""
    pairs = found.pairs
    first = np.unique(pairs.queries, return_index=True)[1][:N_SHOWN]
    return {
        "n_queries": len(np.unique(pairs.queries)),
        "n_by_phash": len(np.unique(found.by_phash.queries)),
        "n_by_vector": len(np.unique(found.by_vector.queries)),
        "reference": found.reference,
        "metrics": metrics,
        "n_left": n_left,
        "pairs": [
            [int(sides.queries.ids[pairs.queries[one]]), int(gallery.ids[pairs.places[one]])] for one in first.tolist()
        ],
    }


def curves(measured: Measured) -> dict[str, Any]:
    """Return the precision at levels of recall, and how many pairs of either kind lie how far apart."""
    seen = np.flatnonzero(measured.same_pairs + measured.other_pairs)
    first, last = (int(seen[0]), int(seen[-1]) + 1) if len(seen) else (0, 1)
    return {
        "precision_recall": [rounded(measuring.RECALL_LEVELS, 3), rounded(measured.precisions)],
        "pairs": {
            "edges": rounded(measured.edges[first : last + 1]),
            "same": measured.same_pairs[first:last].tolist(),
            "other": measured.other_pairs[first:last].tolist(),
        },
    }


def plane(vectors: NDArray[np.float32], pictures: Pictures, seed: int) -> dict[str, Any]:
    """Return up to a thousand of the images as points of a plane: [id, x, y, number of its label]."""
    drawn = np.sort(np.random.default_rng(seed).permutation(len(pictures))[: projection.MOST_POINTS])
    points, method = projection.project(vectors[drawn], seed=seed)
    names, codes = np.unique(pictures.labels[drawn], return_inverse=True)
    return {
        "method": method,
        "labels": names.tolist(),
        "points": [
            [int(pictures.ids[place]), round(float(x), 4), round(float(y), 4), int(code)]
            for place, (x, y), code in zip(drawn, points, codes, strict=True)
        ],
        "n_images": len(pictures),
    }
