"""Encoders side by side on the same queries and the same gallery, and whether what parts them is more than chance."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models import QuerySet
from django.utils.translation import gettext_lazy as _

from embeddings.evaluation import bootstrap
from embeddings.evaluation.bootstrap import Difference
from search.evaluation.evaluating import unpacked
from search.models import Dataset, Evaluation

# What a table shows and is sorted by, with the words of its head.
MEASURES = {
    "precision@1": _("Precision@1"),
    "precision@10": _("Precision@10"),
    "recall@10": _("Recall@10"),
    "hit_rate@10": _("Hit rate@10"),
    "accuracy": _("Retrieval accuracy"),
    "map": _("mAP"),
    "ndcg@10": _("nDCG@10"),
}
COSTS = {
    "latency_ms": _("Latency, ms"),
    "dim": _("Dimension"),
    "bytes_per_image": _("Bytes an image"),
    "images_per_s": _("Images/s"),
}
# Of these more is worse.
_ASCENDING = {"latency_ms", "dim", "bytes_per_image"}
COLUMNS = MEASURES | COSTS
DEFAULT = "map"


@dataclass(frozen=True, kw_only=True)
class Row:
    """One encoder. values: by the names of COLUMNS, None where it was not measured; intervals: of measures.

    difference: to the best encoder by the measure that the table is sorted by; None for that one, or without figures.
    learnt_from: how many of the queries it has learnt from.
    """

    evaluation: Evaluation
    values: dict[str, float | None]
    intervals: dict[str, list[float]]
    difference: Difference | None
    learnt_from: int

    @property
    def name(self) -> str:
        return self.evaluation.encoder.name

    @property
    def cells(self) -> list[tuple[str, float | None, list[float] | None]]:
        """Name, value and interval of each column."""
        return [(name, self.values[name], self.intervals.get(name)) for name in COLUMNS]


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """Encoders on the same pictures, sorted. by: the column; measure: the one whose differences are told."""

    dataset: Dataset
    words: str
    n_queries: int
    n_gallery: int
    by: str
    measure: str
    rows: list[Row]

    columns = tuple(COLUMNS.items())
    ascending = tuple(_ASCENDING)

    @property
    def measure_words(self) -> str:
        return str(MEASURES[self.measure])

    @property
    def best(self) -> Row | None:
        """The row with the highest mean of the measure."""
        known = [row for row in self.rows if row.values[self.measure] is not None]
        return max(known, key=lambda row: row.values[self.measure] or 0.0, default=None)

    def as_json(self) -> dict[str, Any]:
        """Return it for programs."""
        return {
            "dataset": self.dataset.slug,
            "protocol": self.words,
            "queries": self.n_queries,
            "gallery": self.n_gallery,
            "measure": self.measure,
            "encoders": [
                {
                    "encoder": row.name,
                    **row.values,
                    "intervals": row.intervals,
                    "difference": _told(row.difference),
                    "learnt_from": row.learnt_from,
                    "evaluation": row.evaluation.pk,
                    "evaluated_at": row.evaluation.created_at.isoformat(timespec="seconds"),
                }
                for row in self.rows
            ],
        }


def _told(difference: Difference | None) -> dict[str, Any] | None:
    if difference is None:
        return None
    names = ("mean", "low", "high", "p", "is_real")
    return {name: getattr(difference, name) for name in names}


def latest(evaluations: QuerySet[Evaluation], pictures_sha256: str = "") -> list[Evaluation]:
    """Return the newest evaluation of each encoder that asked the same pictures as the newest of them all.

    evaluations: of one dataset. pictures_sha256: other pictures that shall have been asked.
    """
    known = evaluations.defer("details").select_related("encoder", "dataset", "queries_dataset")
    newest = known.filter(pictures_sha256=pictures_sha256).first() if pictures_sha256 else known.first()
    if newest is None:
        return []
    found: dict[int, Evaluation] = {}
    for one in known.filter(pictures_sha256=newest.pictures_sha256):
        if one.weights_sha256 == one.encoder.weights_sha256:
            found.setdefault(one.encoder_id, one)
    return list(found.values())


def compare(evaluations: Sequence[Evaluation], by: str = DEFAULT) -> Comparison:
    """Compare evaluations of the same pictures, one an encoder. by: a name of COLUMNS.

    Raises ValueError where they asked different pictures, or there is none.
    """
    if not evaluations or len({one.pictures_sha256 for one in evaluations}) > 1:
        raise ValueError("expected evaluations of the same queries and gallery")
    measure = by if by in MEASURES else DEFAULT
    differences = _differences(evaluations, measure)
    pks = [one.pk for one in evaluations]
    learnt_from = dict(Evaluation.objects.filter(pk__in=pks).values_list("pk", "details__learnt_from"))
    rows = [
        Row(
            evaluation=one,
            values=_values(one),
            intervals={name: one.intervals[name] for name in MEASURES if name in one.intervals},
            difference=differences.get(one.pk),
            learnt_from=learnt_from.get(one.pk) or 0,
        )
        for one in evaluations
    ]
    first = evaluations[0]
    return Comparison(
        dataset=first.dataset,
        words=str(first.protocol["words"]),
        n_queries=first.n_queries,
        n_gallery=first.n_gallery,
        by=by,
        measure=measure,
        rows=_sorted(rows, by),
    )


def _values(evaluation: Evaluation) -> dict[str, float | None]:
    latency = evaluation.latency
    encode, search = (latency.get(name, {}).get("p50") for name in ("encode", "search"))
    decode = latency.get("decode", {}).get("p50", 0.0)
    return {
        **{name: evaluation.metrics.get(name) for name in MEASURES},
        "latency_ms": None if encode is None or search is None else round(decode + encode + search, 2),
        "dim": evaluation.encoder.dim,
        "bytes_per_image": latency.get("bytes_per_image"),
        "images_per_s": latency.get("images_per_s"),
    }


def _sorted(rows: Iterable[Row], by: str) -> list[Row]:
    sign = 1 if by in _ASCENDING else -1
    return sorted(rows, key=lambda row: (row.values[by] is None, sign * (row.values[by] or 0.0), row.name))


def _differences(evaluations: Sequence[Evaluation], measure: str) -> dict[int, Difference]:
    known = {one.pk: unpacked(one)[1] for one in evaluations if measure in one.metrics}
    if len(known) < 2:
        return {}
    best = max((one for one in evaluations if one.pk in known), key=lambda one: one.metrics[measure])
    # The same contents in the same order, though after another import under other ids.
    figures = known[best.pk][measure]
    return {
        pk: bootstrap.paired(others[measure], figures)
        for pk, others in known.items()
        if pk != best.pk and len(others[measure]) == len(figures)
    }
