"""The sweeper: reads from rows what is still to be done, and sends it again where the queue lost it."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from django.conf import settings
from django.db.models import Q, QuerySet
from django.utils import timezone

from search import embedding, encoders, indexing, neighbours, trash
from search.embedding import BATCH_SIZE
from search.files import storage
from search.models import Dataset, Embedding, Encoder, Image, Job
from search.quality import auditing, calibrating
from search.work import index_builds, jobs, queue
from search.work.queue import Turn

logger = logging.getLogger(__name__)

# At most so many images are sent again in one sweep; the next one, a minute later, sends the following.
MOST_SENT = 20_000
_N_SENT_AT_ONCE = 5_000
# What `upkeep` carries out.
_UPKEEP = (Job.Kind.REMOVE,)


@dataclass(frozen=True, kw_only=True)
class Swept:
    """What a sweep did."""

    n_sent: int = 0
    n_jobs_ended: int = 0


def reconcile() -> Swept:
    """Settle jobs, send what waits for a worker and is not in the queue, and remove what killed processes left.

    While messages of a turn are waiting, what would be sent is taken to be among them; an empty queue lost the rest.
    """
    storage.remove_old_drafts()
    neighbours.compact()
    trash.purge()
    n_ended = jobs.end_stale()
    for job_id in Job.objects.filter(state=Job.State.EMBEDDING).values_list("pk", flat=True):
        n_ended += jobs.settle(job_id)
    _send_waiting([Job.Kind.TRAIN], Turn.SOON, queue.TRAINING, queue.send_train)
    _send_waiting([Job.Kind.EVALUATE], Turn.LATER, settings.CELERY_TASK_DEFAULT_QUEUE, queue.send_evaluate)
    _send_waiting(_UPKEEP, Turn.LATER, settings.CELERY_TASK_DEFAULT_QUEUE, queue.send_upkeep)
    try:
        default = encoders.default()
    except encoders.NoEncoder:
        return Swept(n_jobs_ended=n_ended)
    if queue.n_waiting(Turn.SOON) != 0:
        return Swept(n_jobs_ended=n_ended)
    n_sent = _send_pending(default)
    if not n_sent:
        n_sent = after_load(default)
    return Swept(n_sent=n_sent, n_jobs_ended=n_ended)


def _send_waiting(kinds: Sequence[str], turn: Turn, name_of_queue: str, send: Callable[[int], None]) -> None:
    """Send again the jobs that wait for a worker, where no message tells of any."""
    waiting = Job.objects.filter(kind__in=kinds, state=Job.State.WAITING).order_by("pk")
    if waiting.exists() and queue.n_waiting(turn, name_of_queue) == 0:
        for job_id in waiting.values_list("pk", flat=True):
            send(job_id)


def after_load(default: Encoder) -> int:
    """Build the indexes that are worthwhile and missing; send ready images to the other encoders. Return how many."""
    for encoder in Encoder.objects.all():
        if indexing.is_worthwhile(encoder) and not indexing.is_valid(encoder) and index_builds.build(encoder):
            auditing.audit(encoder)
    calibrating.learn_rarity(default)
    if queue.n_waiting(Turn.LATER) != 0:
        return 0
    n_sent = 0
    for encoder in Encoder.objects.filter(embeds_imports=True).exclude(pk=default.pk):
        ids = missing_ids(encoder)[:MOST_SENT]
        send(encoder, ids)
        n_sent += len(ids)
    return n_sent


def send(encoder: Encoder, image_ids: list[int]) -> None:
    """Send images to the workers, a batch a message. A search answers by the default encoder, so it goes first."""
    turn = Turn.SOON if encoder.is_default else Turn.LATER
    for chunk in batches(image_ids, _N_SENT_AT_ONCE):
        tried = embedding.tried(chunk)
        fresh = [image_id for image_id in chunk if image_id not in tried]
        for batch in [*batches(fresh), *batches(sorted(tried), 1)]:
            queue.send_embed(encoder.pk, batch, turn)


def missing_ids(encoder: Encoder, dataset_ids: Sequence[int] | None = None) -> list[int]:
    """Return the ids of ready images without a vector of an encoder; for the default one, of waiting images too.

    dataset_ids: only of these datasets; None for all that are not in the trash.
    """
    return list(_missing(encoder, dataset_ids).order_by("pk").values_list("pk", flat=True))


def n_missing(encoder: Encoder, dataset_ids: Sequence[int] | None = None) -> int:
    """Return how many `missing_ids` there are."""
    return _missing(encoder, dataset_ids).count()


def _missing(encoder: Encoder, dataset_ids: Sequence[int] | None) -> QuerySet[Image]:
    statuses = [Image.Status.READY, Image.Status.PENDING] if encoder.is_default else [Image.Status.READY]
    lacking = Image.objects.filter(status__in=statuses).exclude(
        pk__in=Embedding.objects.filter(encoder=encoder).values("image")
    )
    # Nobody misses what is in the trash.
    return lacking.filter(dataset__in=Dataset.objects.all() if dataset_ids is None else dataset_ids)


def batches(ids: list[int], size: int = BATCH_SIZE) -> Iterator[list[int]]:
    """Cut ids into batches."""
    for start in range(0, len(ids), size):
        yield ids[start : start + size]


def _send_pending(encoder: Encoder) -> int:
    """Send the pending images that nobody holds. One that was tried before goes alone: it may be the one that kills."""
    free = Image.objects.filter(Q(leased_until=None) | Q(leased_until__lt=timezone.now()), status=Image.Status.PENDING)
    fresh = list(free.filter(n_attempts=0).order_by("pk").values_list("pk", flat=True)[:MOST_SENT])
    tried = list(free.filter(n_attempts__gt=0).order_by("pk").values_list("pk", flat=True)[:MOST_SENT])
    for batch in [*batches(fresh), *batches(tried, 1)]:
        queue.send_embed(encoder.pk, batch)
    if fresh or tried:
        logger.info("%d images waited for a worker and were sent again.", len(fresh) + len(tried))
    return len(fresh) + len(tried)
