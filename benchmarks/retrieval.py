"""The figures of an evaluation once more, from exported vectors, by numpy and scikit-learn and nothing of ImgSim.

manage.py export_embeddings FILE.npz --dataset NAME --encoder NAME
manage.py evaluate_search --dataset NAME --encoder NAME --json > EVALUATION.json
python -m benchmarks.retrieval FILE.npz [--queries test --gallery train] [--against EVALUATION.json]

Each query is ranked by itself in double precision; a hit is right where its label is that of the query. Vectors that
are equal to the thirteenth digit come in the order of their ids.
"""

from __future__ import annotations

import argparse
import json
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.metrics import average_precision_score, ndcg_score

from benchmarks import report

RANKS = (1, 5, 10)


def main() -> None:
    parser = argparse.ArgumentParser(description="The figures of an evaluation once more, by numpy and scikit-learn.")
    parser.add_argument("vectors", type=Path, help="what `manage.py export_embeddings` wrote")
    parser.add_argument("--queries", default="test", help="split of the queries, or all (default: test)")
    parser.add_argument("--gallery", default="train", help="split of the gallery, or all (default: train)")
    parser.add_argument("--distance", choices=["cosine", "l2"], default="cosine")
    parser.add_argument("--against", type=Path, help="what `manage.py evaluate_search --json` wrote")
    options = parser.parse_args()
    found = _figures(options)
    rows: list[dict[str, Any]] = [{"measure": name, "recomputed": value} for name, value in found.items()]
    if options.against:
        told = json.loads(options.against.read_text().splitlines()[-1])["metrics"]
        rows = [
            row | {"told": told[name], "differs by": abs(told[name] - found[name])}
            for row in rows
            if (name := row["measure"])
        ]
    report.tell(f"{options.vectors.name}: {options.queries} against {options.gallery}", rows)


def _figures(options: argparse.Namespace) -> dict[str, float]:
    with np.load(options.vectors) as kept:
        vectors, labels, splits = kept["vectors"].astype(np.float64), kept["labels"], kept["splits"]
    if options.distance == "cosine":
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    asking, answering = (np.flatnonzero((splits == one) | (one == "all")) for one in (options.queries, options.gallery))
    found: dict[str, list[float]] = {}
    for query in asking:
        others = answering[answering != query]
        for name, value in _measured(vectors, labels, query, others, options.distance).items():
            found.setdefault(name, []).append(value)
    return {name: float(np.mean(values)) for name, values in found.items()}


def _measured(vectors: Any, labels: Any, query: int, others: Any, distance: str) -> dict[str, float]:
    """Return the figures of one query; none where nothing has its label."""
    if distance == "cosine":
        nearness = vectors[others] @ vectors[query]
    else:
        nearness = -np.linalg.norm(vectors[others] - vectors[query], axis=1)
    order = np.argsort(-np.round(nearness, 13), kind="stable")
    right = labels[others][order] == labels[query]
    if not right.any():
        return {}
    # Scores that only say the rank, so that the library ties nothing.
    scores = -np.arange(len(right), dtype=float)
    figures: dict[str, float] = {"map": float(average_precision_score(right, scores))}
    n = int(right.sum())
    figures["r_precision"] = float(right[:n].mean())
    for k in RANKS:
        first = right[:k]
        figures[f"precision@{k}"] = float(first.mean())
        figures[f"recall@{k}"] = float(first.sum() / n)
        figures[f"hit_rate@{k}"] = float(first.any())
        precisions = np.cumsum(first) / np.arange(1, k + 1)
        figures[f"map@{k}"] = float((precisions * first).sum() / min(k, n))
        if k > 1:
            figures[f"ndcg@{k}"] = float(ndcg_score([right.astype(int)], [scores], k=k))
    votes = Counter(labels[others][order][:10].tolist())
    most = max(votes.values())
    winner = next(label for label in labels[others][order][:10].tolist() if votes[label] == most)
    figures["accuracy"] = float(winner == labels[query])
    return figures


if __name__ == "__main__":
    main()
