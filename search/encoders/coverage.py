"""How far encoders have embedded the datasets that somebody may see, from the counts that triggers keep."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from django.db.models import QuerySet

from search import neighbours
from search.curating import browsing
from search.models import Dataset, Encoder, Image


@dataclass(frozen=True, kw_only=True)
class Coverage:
    """How many of the images of a dataset, refused ones apart, an encoder has embedded."""

    dataset: Dataset
    n_embedded: int
    n_images: int

    @property
    def n_missing(self) -> int:
        return max(0, self.n_images - self.n_embedded)


def by_dataset(encoder: Encoder, datasets: QuerySet[Dataset]) -> list[Coverage]:
    """Return how far an encoder is in each dataset that has images, in the order of the datasets."""
    rows = list(datasets)
    embedded = neighbours.sizes(encoder, [row.pk for row in rows])
    counts = _images(rows)
    return [
        Coverage(dataset=row, n_embedded=embedded.get(row.pk, 0), n_images=counts[row.pk])
        for row in rows
        if counts.get(row.pk)
    ]


def totals(datasets: QuerySet[Dataset]) -> tuple[dict[int, int], int]:
    """Return how many images each encoder has embedded in some datasets together, by its id, and how many there are."""
    rows = list(datasets)
    return neighbours.totals([row.pk for row in rows]), sum(_images(rows).values())


def _images(datasets: Sequence[Dataset]) -> dict[int, int]:
    """Return how many images each dataset has, refused ones apart."""
    counts = browsing.counts(row.pk for row in datasets)
    return {pk: sum(of.values()) - of.get(Image.Status.REFUSED, 0) for pk, of in counts.items()}
