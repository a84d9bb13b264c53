"""What the dataset pages show: how large and how far each dataset is, some of its pictures, its images filtered."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from django.contrib.postgres.expressions import ArraySubquery
from django.db.models import Count, F, Func, OuterRef, QuerySet, TextField, Value
from django.db.models.functions import MD5, Concat
from django.utils.translation import gettext_lazy as _

from search.models import Dataset, Image

N_SAMPLES = 6
_LOOKUPS = {
    "name": "source__icontains",
    "label": "label",
    "tag": "tags__contains",
    "status": "status",
    "format": "format",
    "split": "split",
    "reason": "error_code",
}
# The file's own name, without the folders above it.
_NAME = Func(F("source"), Value("/"), Value(-1), function="split_part", output_field=TextField())
ORDERS: dict[str, tuple[Any, tuple[Any, ...]]] = {
    "newest": (_("Newest first"), ("-created_at", "-pk")),
    "name": (_("Name"), (_NAME,)),
    "label": (_("Label"), ("label",)),
    "size": (_("Largest picture first"), ((F("width") * F("height")).desc(),)),
    "bytes": (_("Largest file first"), ("-n_bytes",)),
}


@dataclass(frozen=True, kw_only=True)
class Gallery:
    """A dataset with its counts and some of its pictures."""

    dataset: Dataset
    n_images: int
    n_ready: int
    n_pending: int
    n_refused: int
    samples: list[Image]


def galleries(datasets: QuerySet[Dataset]) -> list[Gallery]:
    """Count the images of datasets by status and pick some of each, in three statements however many there are."""
    # By hash: the index on (dataset, sha256) gives them at once, and in no order that anybody would notice.
    some = Image.objects.filter(dataset=OuterRef("pk"), status=Image.Status.READY).order_by("sha256")
    rows = list(datasets.annotate(sample_ids=ArraySubquery(some.values("pk")[:N_SAMPLES])))
    samples = Image.objects.in_bulk([pk for row in rows for pk in row.sample_ids])
    n_by_status = counts(row.pk for row in rows)
    return [
        Gallery(
            dataset=row,
            n_images=sum(n_by_status.get(row.pk, {}).values()),
            n_ready=n_by_status.get(row.pk, {}).get(Image.Status.READY, 0),
            n_pending=n_by_status.get(row.pk, {}).get(Image.Status.PENDING, 0),
            n_refused=n_by_status.get(row.pk, {}).get(Image.Status.REFUSED, 0),
            samples=[samples[pk] for pk in row.sample_ids if pk in samples],
        )
        for row in rows
    ]


def filtered(dataset: Dataset, wanted: dict[str, Any]) -> QuerySet[Image]:
    """Return the images of a dataset that match what GalleryForm asks for; empty values match all.

    They come as imported, by `sort`, or with `draw`, a seed, in a random order.
    """
    found = Image.objects.filter(dataset=dataset).select_related("dataset").order_by("pk")
    for name, lookup in _LOOKUPS.items():
        if value := wanted.get(name):
            found = found.filter(**{lookup: [value] if name == "tag" else value})
    if order := ORDERS.get(wanted.get("sort") or ""):
        return found.order_by(*order[1], "pk")
    if wanted.get("draw") is not None:
        # By a hash of content and draw: random, and on every page of the same draw the same.
        found = found.order_by(MD5(Concat("sha256", Value(str(wanted["draw"])))), "pk")
    return found


def reasons(dataset: Dataset) -> list[tuple[str, int]]:
    """Return the codes of why images of a dataset are refused, each with how many, the most frequent first."""
    refused = Image.objects.filter(dataset=dataset, status=Image.Status.REFUSED).order_by()
    return list(refused.values_list("error_code").annotate(n=Count("pk")).order_by("-n", "error_code"))


def labels(dataset: Dataset, limit: int = 300) -> list[str]:
    """Return the labels of a dataset in alphabetical order, at most `limit` of them."""
    named = Image.objects.filter(dataset=dataset).exclude(label="")
    return list(named.order_by("label").values_list("label", flat=True).distinct()[:limit])


def counts(dataset_ids: Iterable[int]) -> dict[int, dict[str, int]]:
    """Return how many images of each status datasets have, by id; a dataset without images is left out."""
    found: dict[int, dict[str, int]] = {}
    rows = Image.objects.filter(dataset__in=list(dataset_ids)).order_by()
    for dataset_id, status, n in rows.values_list("dataset_id", "status").annotate(n=Count("pk")):
        found.setdefault(dataset_id, {})[status] = n
    return found
