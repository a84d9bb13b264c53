"""Index builds that take long, as jobs that show how far they are and can be stopped."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from django.db import OperationalError

from search import encoders, indexing, neighbours
from search.models import Dataset, Encoder, Job
from search.work import jobs, queue

logger = logging.getLogger(__name__)


class BuildStopped(Exception):
    """Somebody stopped the build. Nothing is left of it."""


def build(encoder: Encoder, report: Callable[[str], None] = logger.info, owner: Any = None) -> bool:
    """Build the index of an encoder, as `indexing.build` does; return whether it was built now.

    It is a job where there are so many vectors that searches use the index: a smaller one is built in seconds.
    Raises BuildStopped.
    """
    if indexing.is_valid(encoder) or not indexing.is_worthwhile(encoder) or indexing.progress() is not None:
        return indexing.build(encoder, report)
    return _carry_out(_begin(encoder, owner), encoder, report)


def ask(encoder: Encoder, owner: Any = None) -> Job:
    """Leave a build to the workers, and return the job of it. A message that is lost is sent again by the sweeper."""
    job = _begin(encoder, owner)
    jobs.leave(job)
    queue.send_upkeep(job.pk)
    return job


def was_stopped(encoder: Encoder) -> bool:
    """Return whether somebody stopped the last build of an encoder's index: the next one is begun by hand."""
    last = Job.objects.filter(kind=Job.Kind.INDEX, parameters__encoder=encoder.name).order_by("-pk").first()
    return last is not None and last.is_cancelled and last.state == Job.State.FAILED


def carry_out_for_worker(job: Job) -> None:
    """Build the index of a job that a worker has taken. Why it cannot be done stands in the job."""
    try:
        with jobs.failing(job, by_hand="Stopped by hand."):
            encoder = encoders.by_name(job.parameters["encoder"])
        _carry_out(job, encoder, logger.info)
    except (encoders.NoEncoder, BuildStopped) as error:
        logger.warning("Building an index, job %d, ended: %s", job.pk, error)


def _begin(encoder: Encoder, owner: Any) -> Job:
    return jobs.begin(Job.Kind.INDEX, {"encoder": encoder.name}, owner)


def _carry_out(job: Job, encoder: Encoder, report: Callable[[str], None]) -> bool:
    n_all = sum(neighbours.sizes(encoder, Dataset.everything.values_list("pk", flat=True)).values())
    jobs.move_on(job, n_done=0, n_failed=0, n_total=n_all)

    def look() -> None:
        n_done = indexing.progress()
        if n_done is not None:
            jobs.move_on(job, n_done=min(n_done, n_all), n_failed=0, n_total=n_all)
        if jobs.is_cancelled(job.pk):
            indexing.cancel_build(encoder)

    with jobs.failing(job, by_hand="Stopped by hand."), jobs.looked_after(job, look):
        built = _build(job, encoder, report)
    if built or indexing.is_valid(encoder):
        jobs.move_on(job, n_done=n_all, n_failed=0, n_total=n_all)
        jobs.finish(job, f"The index of {encoder.name} is built.")
    else:
        job.delete()  # another process builds it
    return built


def _build(job: Job, encoder: Encoder, report: Callable[[str], None]) -> bool:
    try:
        return indexing.build(encoder, report)
    except OperationalError as error:
        if not jobs.is_cancelled(job.pk):
            raise
        indexing.drop(encoder)  # half of one: new vectors would be added to it
        raise BuildStopped("Stopped. Searches compare every vector until the index is built.") from error
