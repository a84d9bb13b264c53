"""Jobs: begun, moved on, settled. What a job still has to do is read from rows, never from the queue."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from django.db import connection, transaction
from django.db.models import Count, Q, QuerySet
from django.db.models.functions import Now
from django.utils import timezone

from search.models import Dataset, Image, Job, JobLine
from search.text import storable

if TYPE_CHECKING:
    from django.contrib.auth.models import AnonymousUser, User

logger = logging.getLogger(__name__)

# A reading job moves on at least once a minute; one that has not for so long was killed.
STALE_AFTER = timedelta(minutes=5)
# A heart that seems to stand still has so long to beat.
GRACE = timedelta(seconds=90)
MAX_STARTS = 3
STOPPED_EMBEDDING = "Stopped. What was embedded stays."
# parameters["way"] of an import whose files a page sends one by one: nobody else could go on with it.
FROM_A_PAGE = "upload"
# What a user needs to have a job of a kind stopped.
PERMISSIONS = {
    Job.Kind.IMPORT: "search.change_image",
    Job.Kind.TRAIN: "search.add_encoder",
    Job.Kind.EVALUATE: "search.add_evaluation",
    Job.Kind.EMBED: "search.change_encoder",
    Job.Kind.INDEX: "search.change_encoder",
    Job.Kind.INSTALL: "search.add_encoder",
    Job.Kind.DUPLICATES: "search.change_image",
}
_SECONDS_BETWEEN_BEATS = 30.0
_SECONDS_BETWEEN_LOOKS = 2.0


@dataclass(frozen=True, kw_only=True)
class Standing:
    """How the images of a job stand."""

    n_pending: int
    n_ready: int
    n_refused: int


def of_dataset(dataset: Dataset, name: str = "dataset") -> dict[str, Any]:
    """Return what the parameters of a job keep of a dataset: its name for people, which may change, and its id."""
    return {name: dataset.name, f"{name}_id": dataset.pk}


def dataset_in(parameters: Mapping[str, Any], name: str = "dataset") -> Dataset | None:
    """Return the dataset that parameters name; None where it is gone. Old ones have no id."""
    if f"{name}_id" in parameters:
        return Dataset.objects.filter(pk=parameters[f"{name}_id"]).first()
    return Dataset.objects.filter(name=parameters[name]).first()


def begin(kind: str, parameters: dict[str, Any], owner: Any = None) -> Job:
    """Begin a job. parameters: what it was asked to do, for people to read."""
    job = Job.objects.create(kind=kind, parameters=parameters, owner=owner)
    note(job, "Begun.")
    return job


def note(job: Job, text: str) -> None:
    """Write a line into a job's log."""
    JobLine.objects.create(job=job, text=storable(text))


def standing(job: Job) -> Standing:
    """Count the images of a job by their status."""
    counts = Image.objects.filter(job=job).aggregate(
        n_pending=Count("pk", filter=Q(status=Image.Status.PENDING)),
        n_ready=Count("pk", filter=Q(status=Image.Status.READY)),
        n_refused=Count("pk", filter=Q(status=Image.Status.REFUSED)),
    )
    return Standing(**counts)


def move_on(job: Job, *, n_done: int, n_failed: int, n_total: int, progress: dict[str, Any] | None = None) -> None:
    """Record how far a job is, and that somebody works on it. progress: what there is to show, beside what it had."""
    changes: dict[str, Any] = {} if progress is None else {"progress": job.progress | progress}
    Job.objects.filter(pk=job.pk).update(
        n_done=n_done, n_failed=n_failed, n_total=n_total, heartbeat_at=Now(), **changes
    )


def keep_progress(job: Job, progress: dict[str, Any]) -> None:
    """Record what there is to show of a job, beside what it had when it was begun: see `count_start`."""
    Job.objects.filter(pk=job.pk).update(progress=job.progress | progress)


def can_be_stopped(job: Job) -> bool:
    """Return whether a job can be stopped, by whom ever."""
    states = [Job.State.WAITING, Job.State.RUNNING]
    if job.kind == Job.Kind.EMBED:
        states.append(Job.State.EMBEDDING)
    return job.kind in PERMISSIONS and job.state in states and not job.is_cancelled


def may_stop(user: User | AnonymousUser, job: Job) -> bool:
    """Return whether a job can be stopped, and by this user."""
    return can_be_stopped(job) and user.has_perm(PERMISSIONS[Job.Kind(job.kind)])


def is_cancelled(job_id: int) -> bool:
    """Return whether somebody wants a job to end: whoever works on it asks now and then."""
    return Job.objects.filter(pk=job_id, is_cancelled=True).exists()


class JobCancelled(Exception):
    """Somebody wants the job to end: see `cancel`."""


class Heart:
    """Shows that a job is alive while it reads what takes long, and looks whether it is to end.

    However often it beats, it writes twice a minute and looks once in two seconds.
    """

    def __init__(self, job: Job) -> None:
        self._job_id = job.pk
        self._written_at = self._looked_at = time.monotonic()

    def beat(self) -> None:
        """Raise JobCancelled where somebody has cancelled the job."""
        now = time.monotonic()
        if now - self._looked_at > _SECONDS_BETWEEN_LOOKS:
            self._looked_at = now
            if is_cancelled(self._job_id):
                raise JobCancelled
        if now - self._written_at > _SECONDS_BETWEEN_BEATS:
            self._written_at = now
            Job.objects.filter(pk=self._job_id).update(heartbeat_at=Now())


@contextmanager
def looked_after(job: Job, look: Callable[[], None] = lambda: None) -> Iterator[None]:
    """Keep a job's heart beating while what is done inside takes long and says nothing.

    look: called every few seconds, in a thread beside, which has a connection of its own.
    """
    over = threading.Event()

    def beat() -> None:
        try:
            while not over.wait(_SECONDS_BETWEEN_LOOKS):
                Job.objects.filter(pk=job.pk).update(heartbeat_at=Now())
                look()
        finally:
            connection.close()  # that of this thread

    thread = threading.Thread(target=beat, name=f"look-after-{job.pk}", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def wait_for_embeddings(job: Job) -> None:
    """Say that a job has read all it was given and waits for its images to be embedded."""
    waits = Job.objects.filter(pk=job.pk, state=Job.State.RUNNING).update(state=Job.State.EMBEDDING, heartbeat_at=Now())
    if waits:
        note(job, "Its images wait for their embeddings.")


def alive() -> QuerySet[Job]:
    """Return the jobs that somebody works on, or whose images the workers are going to embed."""
    is_read = Q(state=Job.State.RUNNING, heartbeat_at__gte=Now() - STALE_AFTER)
    return Job.objects.filter(is_read | Q(state=Job.State.EMBEDDING))


def has_beaten(job: Job, *, within: timedelta) -> bool:
    """Return whether somebody has worked on a job within a time."""
    return Job.objects.filter(pk=job.pk, heartbeat_at__gte=Now() - within).exists()


def settle(job_id: int) -> bool:
    """End a job whose images are all embedded or refused; return whether this call ended it."""
    job = Job.objects.filter(pk=job_id, state=Job.State.EMBEDDING).first()
    if job is None or Image.objects.filter(job_id=job_id, status=Image.Status.PENDING).exists():
        return False
    now = standing(job)
    n_failed = now.n_refused + job.refusals.count()
    ended = _end(job, Job.State.DONE, n_done=now.n_ready, n_failed=n_failed)
    if ended:
        note(job, f"Done: {now.n_ready:,} embedded, {n_failed:,} refused.")
    return ended


def fail(job: Job, message: str, *, is_for_good: bool = False) -> None:
    """End a job that cannot go on reading. message: why, and what to do.

    One that has read everything goes on without whoever waited for it: workers embed its images and settle it.
    is_for_good: it has lost its images, so that nobody could.
    """
    states = [Job.State.RUNNING, Job.State.EMBEDDING] if is_for_good else [Job.State.RUNNING]
    failed = Job.objects.filter(pk=job.pk, state__in=states).update(
        state=Job.State.FAILED, finished_at=timezone.now(), message=storable(message)
    )
    if failed:
        note(job, message)


@contextmanager
def failing(job: Job, *, by_hand: str, for_good: tuple[type[Exception], ...] = ()) -> Iterator[None]:
    """Fail a job, and say why, where what is done inside cannot go on.

    by_hand: what to say after Ctrl-C. for_good: the exceptions after which nobody could go on with it.
    """
    try:
        yield
    except BaseException as error:
        told = by_hand if isinstance(error, KeyboardInterrupt) else str(error) or type(error).__name__
        fail(job, told, is_for_good=isinstance(error, for_good))
        raise


def leave(job: Job) -> None:
    """Say that a job waits for a worker."""
    if Job.objects.filter(pk=job.pk, state=Job.State.RUNNING).update(state=Job.State.WAITING):
        note(job, "Waiting for a worker.")


def take(job_id: int) -> Job | None:
    """Take a job that waits for a worker; None where another worker has it, or it waits no longer."""
    waiting = Job.objects.filter(pk=job_id, state=Job.State.WAITING)
    is_mine = waiting.update(state=Job.State.RUNNING, heartbeat_at=Now())
    if not is_mine:
        return None
    job = Job.objects.get(pk=job_id)
    note(job, "A worker has taken it.")
    return job


def count_start(job: Job) -> None:
    """Note that a worker begins, or goes on with, what can be gone on with after a kill: see `end_stale`."""
    job.progress["n_starts"] = job.progress.get("n_starts", 0) + 1
    Job.objects.filter(pk=job.pk).update(progress=job.progress)


def cancel(job: Job) -> bool:
    """End a job that waits, or ask whoever works on it to end it; return whether there was anything to end."""
    this = Job.objects.filter(pk=job.pk)
    # Nobody works on it as a whole: each of its batches looks whether it is still wanted.
    embedding = this.filter(kind=Job.Kind.EMBED, state=Job.State.EMBEDDING)
    for found, message in (
        (this.filter(state=Job.State.WAITING), "Stopped before it began."),
        (embedding, STOPPED_EMBEDDING),
    ):
        ended = {"state": Job.State.FAILED, "is_cancelled": True, "finished_at": timezone.now()}
        if found.update(**ended, message=message):
            note(job, message)
            return True
    asked = bool(this.filter(state=Job.State.RUNNING, is_cancelled=False).update(is_cancelled=True))
    if asked:
        note(job, "Asked to stop.")
    return asked


def begin_again(job: Job) -> bool:
    """Take up a job that failed or was stopped, for another try; return whether this call did."""
    begun = Job.objects.filter(pk=job.pk, state=Job.State.FAILED).update(
        state=Job.State.RUNNING, is_cancelled=False, finished_at=None, message="", heartbeat_at=Now()
    )
    if begun:
        note(job, "Begun again.")
    return bool(begun)


def finish(job: Job, message: str, **counts: int) -> bool:
    """End a job that has done all it was asked to; return whether this call ended it.

    message: what came of it, in a sentence. counts: n_done, n_failed.
    """
    ended = _end(job, Job.State.DONE, message=message, **counts)
    if ended:
        note(job, message)
    return ended


def end_stale() -> int:
    """End the jobs whose process was killed while it worked; return how many.

    What a worker can go on with waits for one again, unless it was begun too often: then it is what kills workers.
    """
    stale = _stale()
    # A page that was closed. What it sent is in, and is embedded like all else.
    closed = "The page was closed before it had sent all files. What was sent is in."
    _all(stale.filter(parameters__way=FROM_A_PAGE), state=Job.State.EMBEDDING, message=closed)
    resumable = stale.filter(progress__n_starts__lt=MAX_STARTS, is_cancelled=False)
    _all(resumable, state=Job.State.WAITING, message="Its worker was killed. It goes on where it was.")
    stopped = "It was stopped before it was through. Run it again"
    ended = {"state": Job.State.FAILED, "finished_at": timezone.now()}
    begun_anew = [Job.Kind.EVALUATE, Job.Kind.INDEX, Job.Kind.DUPLICATES]
    n_anew = _all(stale.filter(kind__in=begun_anew), **ended, message=f"{stopped}.")
    return n_anew + _all(stale, **ended, message=f"{stopped}: it goes on where it was.")


def _stale() -> QuerySet[Job]:
    """Return the running jobs whose hearts stand still, and did so when they were given time to beat.

    Where the clock was set, or the machine slept, all hearts stand still, or have beaten in the future; those of jobs
    that live beat again.
    """
    running = Job.objects.filter(state=Job.State.RUNNING)
    beats = Q(heartbeat_at__range=(Now() - STALE_AFTER, Now() + STALE_AFTER))
    running.filter(beats, given_until__isnull=False).update(given_until=None)
    running.filter(~beats, given_until=None).update(given_until=Now() + GRACE)
    return running.filter(~beats, given_until__lt=Now())


def _all(stale: QuerySet[Job], *, message: str, **changes: Any) -> int:
    """Change jobs and write the message into the log of each; return how many."""
    with transaction.atomic():
        ids = list(stale.select_for_update(of=("self",)).values_list("pk", flat=True))
        JobLine.objects.bulk_create(JobLine(job_id=pk, text=message) for pk in ids)
        return Job.objects.filter(pk__in=ids).update(message=message, **changes)


def _end(job: Job, state: str, **changes: Any) -> bool:
    # Of several workers that see the last image done, one ends the job.
    return bool(
        Job.objects.filter(pk=job.pk, state__in=[Job.State.RUNNING, Job.State.EMBEDDING]).update(
            state=state, finished_at=timezone.now(), **changes
        )
    )
