"""What marks are worth: to one search, refined by them, and to a head that learns from those of many searches.

manage.py export_embeddings FILE.npz --dataset NAME --encoder NAME
python -m benchmarks.feedback FILE.npz [--searches 10 30 100 300] [--seeds 3]

Users are simulated from labels that the heads never see: among the first 24 hits of an image of the train split they
mark up to two right and up to two wrong ones, drawn at random. Heads are tested with the test split in the train split.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks import report
from embeddings import feedback_heads, heads, metrics
from embeddings.judged_pairs import Judged

N_SHOWN = 24
N_MARKS = 2
GAMMAS = (0.0, 0.25, 0.5, 0.75, 1.0)
Vectors = NDArray[np.float32]


@dataclass(frozen=True, kw_only=True, eq=False)
class Side:
    """Vectors, float32 (n, dim) of unit length, and their labels, int64 (n,)."""

    vectors: Vectors
    labels: NDArray[np.int64]


def main() -> None:
    parser = argparse.ArgumentParser(description="What marks of hits are worth, by simulated users.")
    parser.add_argument("vectors", type=Path, help="what `manage.py export_embeddings` wrote")
    parser.add_argument("--searches", type=int, nargs="+", default=[10, 30, 100, 300], metavar="N")
    parser.add_argument("--seeds", type=int, default=3, help="draws of searches, whose means are told (default: 3)")
    parser.add_argument("--centred", action="store_true", help="take the mean of the gallery off all vectors first")
    options = parser.parse_args()
    gallery, queries = _sides(options.vectors, options.centred)
    print(f"{len(gallery.labels):,} in the gallery, {len(queries.labels):,} queries")
    for name, asked, is_inside in (("gallery", gallery, True), ("test", queries, False)):
        report.tell(f"{name} images ask, P@{N_SHOWN} without the marked ones", _refined(asked, gallery, is_inside))
    report.tell("heads from feedback alone", _learnt(gallery, queries, options.searches, options.seeds))


def _sides(path: Path, is_centred: bool) -> tuple[Side, Side]:
    with np.load(path) as kept:
        vectors, splits = kept["vectors"], kept["splits"]
        labels = np.unique(kept["labels"], return_inverse=True)[1]
    if is_centred:
        vectors = heads.fit_centring(vectors[splits == "train"]).apply(vectors)
    vectors = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    gallery, queries = (
        Side(vectors=vectors[splits == name], labels=labels[splits == name]) for name in ("train", "test")
    )
    return gallery, queries


def _ranked(similarities: Vectors) -> NDArray[np.int64]:
    return np.argsort(-similarities, axis=1, kind="stable")[:, :N_SHOWN]


def _similarities(asked: Vectors, gallery: Side, is_inside: bool, struck: list[Any] | None = None) -> Vectors:
    """Return float32 (n, n_gallery), -2 where an image must not be found: the query itself, and those struck out."""
    found = asked @ gallery.vectors.T
    if is_inside:
        np.fill_diagonal(found, -2)
    for row, places in enumerate(struck or []):
        found[row, places] = -2
    return found


def _marked(asked: Side, gallery: Side, is_inside: bool, seed: int = 0) -> list[tuple[Any, Any]]:
    """Return the places that a user marks for each query: right ones and wrong ones."""
    random = np.random.default_rng(seed)
    marks = []
    for row, first in enumerate(_ranked(_similarities(asked.vectors, gallery, is_inside))):
        right = gallery.labels[first] == asked.labels[row]
        marks.append((random.permutation(first[right])[:N_MARKS], random.permutation(first[~right])[:N_MARKS]))
    return marks


def _refined(asked: Side, gallery: Side, is_inside: bool) -> list[dict[str, Any]]:
    """Ask again with (weighted mean of query and positives) - gamma (mean of negatives), for each gamma and weight."""
    marks = _marked(asked, gallery, is_inside)
    struck = [np.concatenate(both) for both in marks]

    def precision(vectors: Vectors) -> float:
        found = _ranked(_similarities(vectors, gallery, is_inside, struck))
        return float((gallery.labels[found] == asked.labels[:, np.newaxis]).mean())

    rows = []
    for weight in (1.0, 2.0):
        row: dict[str, Any] = {"query counts": f"{weight:.0f} x", "before": precision(asked.vectors)}
        for gamma in GAMMAS:
            row[f"gamma {gamma}"] = precision(_mixed(asked, gallery, marks, weight, gamma))
        rows.append(row)
    return rows


def _mixed(asked: Side, gallery: Side, marks: list[tuple[Any, Any]], weight: float, gamma: float) -> Vectors:
    mixed = np.empty_like(asked.vectors)
    for row, (right, wrong) in enumerate(marks):
        mixed[row] = (weight * asked.vectors[row] + gallery.vectors[right].sum(axis=0)) / (weight + len(right))
        if len(wrong):
            mixed[row] -= gamma * gallery.vectors[wrong].mean(axis=0)
    return mixed / np.linalg.norm(mixed, axis=1, keepdims=True)


def _learnt(gallery: Side, queries: Side, counts: list[int], n_seeds: int) -> list[dict[str, Any]]:
    """Fit heads on the marks of some searches, and rank the train split for the test split with and without them."""
    rows = [{"searches": "none"} | _figures(None, gallery, queries)]
    rows += [{"searches": "none, centred"} | _figures(heads.fit_centring(gallery.vectors), gallery, queries)]
    for n in counts:
        drawn = [_one(gallery, queries, n, seed) for seed in range(n_seeds)]
        rows.append({"searches": str(n)} | {name: float(np.mean([one[name] for one in drawn])) for name in drawn[0]})
    return [{name: row.get(name, "") for name in rows[-1]} for row in rows]


def _one(gallery: Side, queries: Side, n: int, seed: int) -> dict[str, float]:
    searches = [
        Judged(queries=(place,), positives=tuple(right), negatives=tuple(wrong))
        for place, (right, wrong) in enumerate(_marked(gallery, gallery, True, seed))
    ]
    # Who finds only right ones, or only wrong ones, says too little to be counted.
    searches = [one for one in searches if one.has_both_signs]
    chosen = np.random.default_rng(seed).choice(len(searches), n, replace=False)
    searches = [searches[place] for place in chosen]
    started = time.monotonic()
    choice = feedback_heads.fit(gallery.vectors, searches)
    seconds, held_out = time.monotonic() - started, choice.held_out
    return {
        **_figures(choice.head, gallery, queries),
        "alike": choice.n_alike,
        "unlike": choice.n_unlike,
        "shrinkage": choice.shrinkage,
        "stretch": choice.stretch,
        "triplets before": held_out.before,
        "after": held_out.after,
        "difference is real": float(held_out.difference.is_real),
        "fitted in s": seconds,
    }


def _figures(head: heads.LinearHead | None, gallery: Side, queries: Side) -> dict[str, float]:
    asked, ranked = (one.vectors if head is None else head.apply(one.vectors) for one in (queries, gallery))
    relevant = metrics.relevance(asked, queries.labels, ranked, gallery.labels)
    return {"mAP": metrics.mean_average_precision(relevant), "P@1": float(metrics.precision_at_k(relevant, 1).mean())}


if __name__ == "__main__":
    main()
