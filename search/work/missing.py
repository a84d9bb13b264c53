"""What an encoder has still to embed, and sending it to the workers."""

from __future__ import annotations

from collections.abc import Sequence

from django.db.models import QuerySet

from search import embedding
from search.bulk import batches
from search.embedding import BATCH_SIZE
from search.models import Dataset, Embedding, Encoder, Image
from search.work import queue
from search.work.queue import Turn

_N_SENT_AT_ONCE = 5_000


def missing_ids(encoder: Encoder, dataset_ids: Sequence[int] | None = None) -> list[int]:
    """Return the ids of the images that are `missing`."""
    return list(missing(encoder, dataset_ids).order_by("pk").values_list("pk", flat=True))


def n_missing(encoder: Encoder, dataset_ids: Sequence[int] | None = None) -> int:
    """Return how many images are `missing`."""
    return missing(encoder, dataset_ids).count()


def missing(encoder: Encoder, dataset_ids: Sequence[int] | None = None) -> QuerySet[Image]:
    """Return the ready images without a vector of an encoder; for the default one, those that wait too.

    dataset_ids: only of these datasets; None for all that are not in the trash.
    """
    statuses = [Image.Status.READY, Image.Status.PENDING] if encoder.is_default else [Image.Status.READY]
    lacking = Image.objects.filter(status__in=statuses).exclude(
        pk__in=Embedding.objects.filter(encoder=encoder).values("image")
    )
    # Nobody misses what is in the trash.
    return lacking.filter(dataset__in=Dataset.objects.all() if dataset_ids is None else dataset_ids)


def turn_of(encoder: Encoder) -> Turn:
    """Return whose turn an encoder has. A search answers by the default one, so that goes first."""
    return Turn.SOON if encoder.is_default else Turn.LATER


def send(encoder: Encoder, image_ids: list[int], job_id: int | None = None) -> None:
    """Send images to the workers, a batch a message. job_id: of the job that counts them."""
    for chunk in batches(image_ids, _N_SENT_AT_ONCE):
        tried = embedding.tried(chunk)
        fresh = [image_id for image_id in chunk if image_id not in tried]
        for batch in [*batches(fresh, BATCH_SIZE), *batches(sorted(tried), 1)]:
            queue.send_embed(encoder.pk, batch, turn_of(encoder), job_id)
