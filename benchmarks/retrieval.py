"""Precision of the site's own search on a labelled dataset: queries of one split, gallery of another.

python -m benchmarks.retrieval VAR DATASET [--queries test --gallery train]
A hit is right where its label is that of the query. P@1 and P@10 are of the site's own `nearest()`; mAP is of the whole
gallery, ranked from the same vectors.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from benchmarks import report
from benchmarks.site import use
from tests.running import Site

DEPTH = 10


def main() -> None:
    parser = argparse.ArgumentParser(description="Precision of the site's own search on a labelled dataset.")
    parser.add_argument("var", type=Path, help="where the site lives (IMGSIM_VAR)")
    parser.add_argument("dataset", help="name of the dataset")
    parser.add_argument("--encoder", default="", help="default: the site's default encoder")
    parser.add_argument("--queries", default="test", help="split of the queries (default: test)")
    parser.add_argument("--gallery", default="train", help="split of the gallery (default: train)")
    options = parser.parse_args()
    use(Site(options.var.expanduser().resolve()))
    report.tell(f"{options.dataset}: {options.queries} against {options.gallery}", [_measure(options)])


def _measure(options: argparse.Namespace) -> dict[str, object]:
    import numpy as np

    from embeddings import metrics
    from search import encoders, neighbours, vectors
    from search.models import Image
    from search.scope import scope_of_command

    encoder = encoders.by_name(options.encoder)
    scope = scope_of_command(options.dataset, splits=(options.gallery,))

    def labelled(split: str) -> tuple[Any, Any]:
        rows = Image.objects.filter(dataset__in=scope.dataset_ids, split=split).values_list("pk", "label")
        labels = dict(rows)
        ids, stored = vectors.read(encoder, list(labels))
        return stored, np.array([labels[pk] for pk in ids])

    queries, query_labels = labelled(options.queries)
    ranked = metrics.relevance(queries, query_labels, *labelled(options.gallery))
    right, exact = [], True
    for vector, label in zip(queries, query_labels, strict=True):
        answer = neighbours.nearest(vector, encoder, scope, k=DEPTH)
        right.append([hit.label == label for hit in answer.hits])
        exact = exact and answer.exact
    found = np.array(right)
    return {
        "encoder": encoder.name,
        "queries": len(queries),
        "P@1": metrics.precision_at_k(found, 1),
        "P@10": metrics.precision_at_k(found, DEPTH),
        "exact": str(exact),
        "mAP": metrics.mean_average_precision(ranked),
    }


if __name__ == "__main__":
    main()
