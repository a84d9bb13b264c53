"""Precision of the site's own search on a labelled dataset: queries of one split, gallery of another.

python -m benchmarks.retrieval VAR DATASET [--queries test --gallery train]
A hit is right where its label is that of the query. The whole gallery is ranked from the stored vectors; how
many of the first ten the site's own `nearest()` finds for a sample of the queries says whether that is what people get.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from benchmarks import report
from benchmarks.site import use
from tests.running import Site

DEPTH = 10
BLOCK = 500


def main() -> None:
    parser = argparse.ArgumentParser(description="Precision of the site's own search on a labelled dataset.")
    parser.add_argument("var", type=Path, help="where the site lives (IMGSIM_VAR)")
    parser.add_argument("dataset", help="name of the dataset")
    parser.add_argument("--encoder", default="", help="default: the site's default encoder")
    parser.add_argument("--queries", default="test", help="split of the queries (default: test)")
    parser.add_argument("--gallery", default="train", help="split of the gallery (default: train)")
    parser.add_argument("--sample", type=int, default=300, help="queries asked of nearest() too (default: 300)")
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

    def labelled(split: str) -> tuple[Any, Any, Any]:
        rows = Image.objects.filter(dataset__in=scope.dataset_ids, split=split).values_list("pk", "label")
        labels = dict(rows)
        ids, stored = vectors.read(encoder, list(labels))
        return np.array(ids), stored, np.array([labels[pk] for pk in ids])

    _, asked, query_labels = labelled(options.queries)
    gallery_ids, stored, gallery_labels = labelled(options.gallery)
    queries, gallery = _for_products(asked, stored, encoder.distance)
    first, ten, average = [], [], []
    for start in range(0, len(queries), BLOCK):
        block = slice(start, start + BLOCK)
        ranked = metrics.relevance(queries[block], query_labels[block], gallery, gallery_labels)
        first.append(ranked[:, 0])
        ten.append(ranked[:, :DEPTH].mean(axis=1))
        average.append(metrics.average_precisions(ranked))
    agreed, exact = [], True
    for place in np.random.default_rng(0).permutation(len(queries))[: options.sample]:
        answer = neighbours.nearest(asked[place], encoder, scope, k=DEPTH)
        expected = gallery_ids[np.argsort(-(gallery @ queries[place]), kind="stable")[:DEPTH]]
        agreed.append(len({hit.id for hit in answer.hits} & set(expected.tolist())) / DEPTH)
        exact = exact and answer.exact
    return {
        "encoder": encoder.name,
        "queries": len(queries),
        "P@1": float(np.mean(np.concatenate(first))),
        "P@10": float(np.mean(np.concatenate(ten))),
        "mAP": float(np.nanmean(np.concatenate(average))),
        "agrees with nearest()": float(np.mean(agreed)),
        "exact": str(exact),
    }


def _for_products(queries: Any, gallery: Any, distance: str) -> tuple[Any, Any]:
    """Return queries and gallery so that the largest product of two stands for the smallest distance.

    |q - g|^2 = |q|^2 - (2 q.g - |g|^2), and |q|^2 is the same for all of the gallery.
    """
    import numpy as np

    if distance == "l2":
        ones, squares = np.ones((len(queries), 1), np.float32), (gallery**2).sum(axis=1, keepdims=True)
        return np.hstack([2 * queries, -ones]), np.hstack([gallery, squares])
    lengths = [np.linalg.norm(one, axis=1, keepdims=True) for one in (queries, gallery)]
    return queries / lengths[0], gallery / lengths[1]


if __name__ == "__main__":
    main()
