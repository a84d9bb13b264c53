"""How encoders and their indexes stand, over time: what the pages of encoders and datasets show."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from django.db.models import QuerySet
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _

from search.models import Encoder, Evaluation, IndexAudit
from search.quality import auditing
from search.reports import drawing
from search.reports.plots import Plot


@dataclass(frozen=True, kw_only=True)
class Standing:
    """How an encoder stood on a dataset when it was looked at last, and before."""

    latest: Evaluation
    n_before: int
    plot: Plot | None

    @property
    def precision(self) -> float | None:
        """Precision@1, which a template cannot look up by its name."""
        return self.latest.metrics.get("precision@1")


def standings(evaluations: Iterable[Evaluation]) -> list[Standing]:
    """Return the newest evaluation of each encoder and dataset, and mAP over time where there are older ones.

    evaluations: the newest first. In a plot stand those that asked the same pictures as the newest.
    """
    grouped: dict[tuple[int, int], list[Evaluation]] = {}
    for one in evaluations:
        grouped.setdefault((one.encoder_id, one.dataset_id), []).append(one)
    return [Standing(latest=group[0], n_before=len(group) - 1, plot=_over_time(group)) for group in grouped.values()]


def _over_time(group: list[Evaluation]) -> Plot | None:
    alike = [one for one in reversed(group) if one.pictures_sha256 == group[0].pictures_sha256 and one.metrics]
    if len(alike) < 2:
        return None
    values = [(_date(one.created_at), float(one.metrics["map"])) for one in alike]
    return drawing.over_time(values, _("mAP on %(name)s over time") % {"name": group[0].dataset.name})


def _date(moment: datetime) -> str:
    return str(date_format(timezone.localtime(moment), "SHORT_DATE_FORMAT"))


@dataclass(frozen=True, kw_only=True)
class Health:
    """How the index of an encoder does. advice: what to do where it misses too much, else nothing."""

    latest: IndexAudit
    plot: Plot | None
    advice: str


def health(encoder: Encoder) -> Health | None:
    """Return how the index does, from its last hundred audits; None where it was never audited."""
    audits = list(encoder.audits.all()[:100])
    if not audits:
        return None
    values = [(_date(one.created_at), one.recall) for one in reversed(audits)]
    least = min(0.9, *(recall for _, recall in values)) // 0.1 / 10
    plot = drawing.over_time(values, _("Recall of the index over time"), least) if len(values) > 1 else None
    return Health(latest=audits[0], plot=plot, advice=auditing.advice(audits[0]))


def best(evaluations: QuerySet[Evaluation]) -> Evaluation | None:
    """Return the evaluation with the highest mAP among those of the pictures asked last; None without any.

    evaluations: of one dataset, those that one may see.
    """
    known = evaluations.defer("details", "figures").select_related("encoder")
    newest = known.exclude(metrics={}).first()
    if newest is None:
        return None
    alike = list(known.filter(pictures_sha256=newest.pictures_sha256).exclude(metrics={}))
    return max(alike, key=lambda one: float(one.metrics["map"]))
