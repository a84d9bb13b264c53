"""The sweeper: reads from rows what is still to be done, and sends it again where the queue lost it."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from django.conf import settings

from search import encoders, indexing, neighbours
from search.bulk import batches
from search.curating import trash
from search.embedding import BATCH_SIZE
from search.files import arriving, originals, storage
from search.models import Encoder, Image, Job
from search.quality import auditing, calibrating
from search.work import embedding_jobs, index_builds, jobs, leases, queue
from search.work.missing import missing, missing_ids, send
from search.work.queue import Turn

logger = logging.getLogger(__name__)

_UPKEEP = (Job.Kind.EMBED, Job.Kind.INDEX, Job.Kind.INSTALL, Job.Kind.REMOVE)
# At most so many images are sent again in one sweep; the next one, a minute later, sends the following.
MOST_SENT = 20_000


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
    for job_id in Job.objects.filter(kind=Job.Kind.IMPORT, state=Job.State.EMBEDDING).values_list("pk", flat=True):
        n_ended += jobs.settle(job_id)
    n_ended += embedding_jobs.sweep()
    arriving.remove_leftovers()
    if not Job.objects.filter(kind=Job.Kind.TRAIN).exclude(state__in=Job.OVER).exists():
        originals.remove_fetched()
    _send_waiting()
    try:
        default = encoders.default()
    except encoders.NoEncoder:
        return Swept(n_jobs_ended=n_ended)
    if why := encoders.why_unusable(default):
        logger.warning("No picture is embedded: %s", why)
        return Swept(n_jobs_ended=n_ended)
    n_sent = send_left(default)
    if n_sent == 0:
        n_sent = after_load(default)
    return Swept(n_sent=n_sent or 0, n_jobs_ended=n_ended)


def send_left(default: Encoder) -> int | None:
    """Send the images that wait and are neither held nor in the queue; return how many, None while that has messages.

    What a killed worker held is sent when the queue is empty, by whoever empties it.
    """
    return _send_pending(default) if queue.n_waiting(Turn.SOON) == 0 else None


def send_to_another_default(encoder: Encoder, image_ids: Sequence[int]) -> None:
    """Send images that an encoder has embedded to the one that was chosen meanwhile: nobody counted them as missing."""
    chosen = Encoder.objects.filter(is_default=True).exclude(pk=encoder.pk).first()
    if chosen is not None:
        send(chosen, list(missing(chosen).filter(pk__in=image_ids).values_list("pk", flat=True)))


def _send_waiting() -> None:
    """Send again the jobs that wait for a worker, where the queue that they wait in has no message left."""
    embedding_queue = settings.CELERY_TASK_DEFAULT_QUEUE
    places: dict[tuple[Turn, str], dict[str, Callable[[int], None]]] = {
        (Turn.SOON, embedding_queue): {Job.Kind.IMPORT: queue.send_import},
        (Turn.SOON, queue.TRAINING): {Job.Kind.TRAIN: queue.send_train},
        (Turn.LATER, embedding_queue): {
            Job.Kind.EVALUATE: queue.send_evaluate,
            Job.Kind.DUPLICATES: queue.send_find_duplicates,
            **dict.fromkeys(_UPKEEP, queue.send_upkeep),
        },
    }
    for (turn, name), senders in places.items():
        waiting = Job.objects.filter(kind__in=senders, state=Job.State.WAITING).order_by("pk")
        if waiting.exists() and queue.n_waiting(turn, name) == 0:
            for job_id, kind in waiting.values_list("pk", "kind"):
                senders[kind](job_id)


def after_load(default: Encoder) -> int:
    """Build the indexes that are worthwhile and missing; send ready images to the other encoders. Return how many."""
    for encoder in Encoder.objects.all():
        if _lacks_index(encoder) and _build(encoder):
            auditing.audit(encoder)
    calibrating.learn_rarity(default)
    if queue.n_waiting(Turn.LATER) != 0:
        return 0
    n_sent = 0
    for encoder in Encoder.objects.filter(embeds_imports=True, fault="").exclude(pk=default.pk):
        ids = missing_ids(encoder)[:MOST_SENT]
        send(encoder, ids)
        n_sent += len(ids)
    return n_sent


def _lacks_index(encoder: Encoder) -> bool:
    return indexing.is_worthwhile(encoder) and not indexing.is_valid(encoder) and not index_builds.was_stopped(encoder)


def _build(encoder: Encoder) -> bool:
    try:
        return index_builds.build(encoder)
    except index_builds.BuildStopped:
        return False


def _send_pending(encoder: Encoder) -> int:
    """Send the pending images that nobody holds. One that was tried before goes alone: it may be the one that kills."""
    free = Image.objects.filter(leases.free(), status=Image.Status.PENDING)
    fresh = list(free.filter(n_attempts=0).order_by("pk").values_list("pk", flat=True)[:MOST_SENT])
    tried = list(free.filter(n_attempts__gt=0).order_by("pk").values_list("pk", flat=True)[:MOST_SENT])
    for batch in [*batches(fresh, BATCH_SIZE), *batches(tried, 1)]:
        queue.send_embed(encoder.pk, batch)
    if fresh or tried:
        logger.info("%d images waited for a worker and were sent again.", len(fresh) + len(tried))
    return len(fresh) + len(tried)
