"""Datasets against deletion: whoever adds rows below a dataset holds it, and whoever deletes it waits for them.

Both sides lock the row of the dataset before any other, so that neither waits for the other in a circle.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from django.db import connection, transaction

from search.models import Dataset


def hold(dataset_id: int) -> bool:
    """Keep a dataset from being deleted until the caller's transaction ends; return whether it is still there."""
    # Django has no word for this lock, which does not keep others from taking it too.
    with connection.cursor() as cursor:
        cursor.execute("SELECT id FROM search_dataset WHERE id = %s FOR KEY SHARE", [dataset_id])
        return cursor.fetchone() is not None


def hold_those_of(image_ids: Sequence[int]) -> None:
    """Keep the datasets of images from being deleted until the caller's transaction ends."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT id FROM search_dataset WHERE id IN (SELECT dataset_id FROM search_image WHERE id = ANY(%s)) "
            "ORDER BY id FOR KEY SHARE",
            [list(image_ids)],
        )


@contextmanager
def deleting(dataset_ids: Sequence[int]) -> Iterator[None]:
    """Run a transaction that deletes datasets: it begins when nobody holds them, and nobody can until it ends."""
    with transaction.atomic():
        list(Dataset.everything.filter(pk__in=dataset_ids).order_by("pk").select_for_update().values_list("pk"))
        yield
