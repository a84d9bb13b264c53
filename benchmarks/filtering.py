"""Filtered ranking: `nearest()` in scopes that let a thousandth to a half of a large gallery through.

The gallery is drawn between the vectors of real pictures. Recall is against a comparison of all that the filter lets
through, by numpy; an answer is short where it has fewer hits than there are. Filters by split are by what pictures look
like, so that what is wanted may lie far from what is asked with.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import numpy as np

from benchmarks import drawn, report
from benchmarks.drawn import SHARES, Floats, Gallery
from benchmarks.site import arguments, fresh_site, pictures_of, say, use

K = 10
Masks = dict[str, tuple[dict[str, Any], Callable[[Gallery], Any]]]


def main() -> None:
    parser = arguments(__doc__.splitlines()[0])
    parser.add_argument("--vectors", type=int, default=100_000, metavar="N", help="default: 100000")
    parser.add_argument("--queries", type=int, default=100, help="of each filter (default: 100)")
    options = parser.parse_args()
    with fresh_site(options.var) as site:
        pictures = pictures_of(options.pictures, site)
        site.manage_json("import_images", str(pictures), "--dataset", options.dataset, "--sync", timeout=3600)
        use(site)
        rows = _measure(options.vectors, options.queries)
    report.tell(f"Filtered ranking over {options.vectors} vectors, k = {K}", rows)


def _measure(n: int, n_queries: int) -> list[dict[str, object]]:
    from django.db import connection

    from search import encoders, indexing

    encoder = encoders.default()
    real = drawn.real_vectors(encoder)
    drawn.fill(encoder, real, n)
    with connection.cursor() as cursor:
        cursor.execute("VACUUM (ANALYZE) search_image")
    started = time.perf_counter()
    indexing.build(encoder)
    say(f"index built in {time.perf_counter() - started:.0f} s")
    gallery = drawn.read(encoder)
    queries, _ = drawn.between(real, n_queries, seed=10**6)
    return [_row(name, fields, mask(gallery), gallery, queries, encoder) for name, (fields, mask) in _filters().items()]


def _filters() -> Masks:
    """Return what each filter asks for, and which images of a gallery it lets through."""
    from django.utils import timezone

    found: Masks = {"none": ({}, lambda one: one.ids > 0)}
    for name, share in SHARES.items():
        n_days = round(share * drawn.N_DAYS)
        since = timezone.now().date() - timedelta(days=n_days - 1)
        found |= {
            f"dataset, {share:.1%}": ({"dataset": name}, lambda one, name=name: one.datasets == name),
            f"label, {share:.1%}": ({"labels": (name,)}, lambda one, name=name: one.labels == name),
            f"tag, {share:.1%}": ({"tags": (name,)}, lambda one, name=name: one.tags == name),
            f"date, {share:.1%}": ({"added_from": since}, lambda one, n_days=n_days: one.days < n_days),
        }
    found["label and tag, 1.0%"] = (
        {"labels": ("tenth",), "tags": ("tenth",)},
        lambda one: (one.labels == "tenth") & (one.tags == "tenth"),
    )
    found["label and date, 25%"] = (
        {"labels": ("half",), "added_from": timezone.now().date() - timedelta(days=drawn.N_DAYS // 2 - 1)},
        lambda one: (one.labels == "half") & (one.days < drawn.N_DAYS // 2),
    )
    for split, share in (("val", "1%"), ("test", "10%"), ("train", "89%")):
        found[f"what looks alike, {share}"] = ({"splits": (split,)}, lambda one, split=split: one.splits == split)
    return found


def _row(
    name: str, fields: dict[str, Any], mask: Any, gallery: Gallery, queries: Floats, encoder: Any
) -> dict[str, object]:
    from search import neighbours
    from search.asking.scope import scope_of_command

    scope = scope_of_command(**fields)
    if "dataset" not in fields:  # not the real pictures, which the gallery was drawn between
        scope = neighbours.Scope(dataset_ids=drawn.dataset_ids(), **fields)
    expected = list(drawn.truths(gallery, queries, mask, K))
    neighbours.nearest(queries[0], encoder, scope, k=K)
    times, recalls, n_short, n_exact = [], [], 0, 0
    for query, wanted in zip(queries, expected, strict=True):
        started = time.perf_counter()
        answer = neighbours.nearest(query, encoder, scope, k=K)
        times.append((time.perf_counter() - started) * 1000)
        n_exact += answer.exact
        n_short += len(answer.hits) < len(wanted)
        recalls.append(len(wanted & {hit.id for hit in answer.hits}) / max(1, len(wanted)))
    return {
        "filter": name,
        "let through": int(mask.sum()),
        "compared": f"{n_exact / len(queries):.0%}",
        "recall@10": float(np.mean(recalls)),
        "short": n_short,
        "p50 ms": report.median(times),
        "p95 ms": report.percentile(times, 0.95),
    }


if __name__ == "__main__":
    main()
