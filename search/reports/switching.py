"""What changes where one encoder takes the place of another: what was measured of both on the same pictures."""

from __future__ import annotations

from dataclasses import dataclass

from django.db.models import QuerySet

from embeddings.evaluation.bootstrap import Difference
from search.evaluation import comparing
from search.models import Dataset, Encoder, Evaluation


@dataclass(frozen=True, kw_only=True)
class Change:
    """Two encoders on the same queries and gallery of a dataset, the one that answers now and the one that would.

    difference: of mAP, from the better one to the other; None where nothing says which hits are right.
    """

    dataset: Dataset
    before: comparing.Row
    after: comparing.Row
    difference: Difference | None

    @property
    def measures(self) -> list[tuple[float | None, float | None]]:
        """mAP, precision@1 and latency in ms, each before and after."""
        return [(self.before.values[name], self.after.values[name]) for name in ("map", "precision@1", "latency_ms")]


def changes(before: Encoder, after: Encoder, evaluations: QuerySet[Evaluation]) -> list[Change]:
    """Return what changes in each dataset on which both were evaluated alike. evaluations: those that one may see."""
    of_both = evaluations.filter(encoder__in=[before.pk, after.pk])
    found = []
    for dataset in Dataset.objects.filter(pk__in=of_both.values("dataset")):
        kept = comparing.latest(of_both.filter(dataset=dataset))
        if len(kept) == 2:
            rows = {row.evaluation.encoder_id: row for row in comparing.compare(kept).rows}
            told = next((row.difference for row in rows.values() if row.difference), None)
            found.append(Change(dataset=dataset, before=rows[before.pk], after=rows[after.pk], difference=told))
    return found
