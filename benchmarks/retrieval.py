"""Precision of the site's own search on a labelled dataset: queries of one split, gallery of another.

python -m benchmarks.retrieval VAR DATASET [--queries test --gallery train]
A hit is right where its label is that of the query; precision@k divides by k; each query counts once.
"""

from __future__ import annotations

import argparse
from pathlib import Path

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

    from search import encoders, neighbours
    from search.models import Embedding
    from search.scope import scope_of_command

    encoder = encoders.by_name(options.encoder)
    scope = scope_of_command(options.dataset, splits=(options.gallery,))
    queries = Embedding.objects.filter(
        encoder=encoder, dataset_id__in=scope.dataset_ids, image__split=options.queries
    ).values_list("vector", "image__label")
    n_queries, n_first_right, n_right, exact = 0, 0, 0, True
    for vector, label in queries.iterator(chunk_size=500):
        answer = neighbours.nearest(np.array(vector, dtype=np.float32), encoder, scope, k=DEPTH)
        right = [hit.label == label for hit in answer.hits]
        n_queries, n_first_right, n_right = n_queries + 1, n_first_right + right[0], n_right + sum(right)
        exact = exact and answer.exact
    return {
        "encoder": encoder.name,
        "queries": n_queries,
        "P@1": n_first_right / n_queries,
        "P@10": n_right / (DEPTH * n_queries),
        "exact": str(exact),
    }


if __name__ == "__main__":
    main()
