"""Moving images from one dataset to another, with their vectors."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from django.db import connection

from search.curating.holding import deleting
from search.models import Embedding, Image


def move(image_ids: Sequence[int], into: int, *, trashed_at: datetime | None = None) -> list[int]:
    """Move images into another dataset, with vectors, labels and tags; return the ids of those that are there now.

    What has the same content as an image that is there already stays where it is. Files stay where they lie.
    trashed_at: when they came into the trash, where that is where they go.
    """
    datasets = Image.objects.filter(pk__in=image_ids).order_by().values_list("dataset", flat=True).distinct()
    # As if they were to be deleted: nobody adds an image or a vector to either side meanwhile.
    with deleting([*datasets, into]), connection.cursor() as cursor:
        cursor.execute(
            """
            UPDATE search_image moved SET dataset_id = %(into)s, trashed_at = %(trashed_at)s
            WHERE id IN (SELECT min(id) FROM search_image WHERE id = ANY(%(ids)s) GROUP BY sha256)
              AND EXISTS (SELECT 1 FROM search_dataset WHERE id = %(into)s)
              AND NOT EXISTS (SELECT 1 FROM search_image there
                              WHERE there.dataset_id = %(into)s AND there.sha256 = moved.sha256)
            RETURNING id
            """,
            {"into": into, "trashed_at": trashed_at, "ids": list(image_ids)},
        )
        moved = [pk for (pk,) in cursor.fetchall()]
        Embedding.objects.filter(image__in=moved).update(dataset=into)
    return moved
