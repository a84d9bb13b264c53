"""A search for duplicates from a request to rows: recorded as a job that shows how far it is and can be stopped."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.db import transaction

from search import encoders
from search.models import Dataset, Encoder, Job
from search.reviewing import finding, groups
from search.reviewing.finding import Found, Stage
from search.text import counted
from search.work import jobs, queue
from search.work.progress import Bars

logger = logging.getLogger(__name__)

_SECONDS_BETWEEN_LOOKS = 1.0
_NOTES: dict[Stage, str] = {"hashes": "comparing hashes", "vectors": "asking for the nearest", "looking": "looking"}


class CannotFind(Exception):
    """Duplicates cannot be looked for. The message says why."""


class FindingStopped(Exception):
    """Somebody stopped the search. What the one before it found is kept."""


@dataclass(frozen=True, kw_only=True)
class Report:
    """What a search came to."""

    job: Job
    n_images: int
    n_looked_at: int
    n_pairs: int
    n_groups: int
    encoder: str
    seconds: float


def begin(dataset: Dataset, also: Sequence[Dataset] = (), encoder: str = "", owner: Any = None) -> Job:
    """Make the job of a search. also: datasets whose images are compared with those of the first too.

    encoder: the name of the one whose vectors give candidates, instead of the default one. Raises encoders.NoEncoder.
    """
    if encoder:
        encoders.by_name(encoder)
    parameters = {
        **jobs.of_dataset(dataset),
        "also": [one.name for one in also],
        "also_ids": [one.pk for one in also],
        "encoder": encoder,
    }
    return jobs.begin(Job.Kind.DUPLICATES, parameters, owner)


def latest(dataset: Dataset) -> Job | None:
    """Return the last search in a dataset, whatever came of it."""
    return Job.objects.filter(kind=Job.Kind.DUPLICATES, parameters__dataset_id=dataset.pk).first()


def is_live(job: Job | None) -> bool:
    """Return whether a search waits or runs."""
    return job is not None and not job.is_over


def carry_out(job: Job, bars: Bars) -> Report:
    """Search as a job asks. Raises CannotFind, FindingStopped, encoders.NoEncoder."""
    started = time.monotonic()
    with jobs.failing(job, by_hand="Stopped by hand."):
        dataset = jobs.dataset_in(job.parameters)
        if dataset is None:
            raise CannotFind(f"The dataset {job.parameters['dataset']} is gone.")
        also = list(Dataset.objects.filter(pk__in=job.parameters["also_ids"]))
        encoder = finding.encoder_for(dataset, job.parameters["encoder"])
        found = finding.find(dataset, also, encoder, _Teller(job, bars))
        with transaction.atomic():
            n_pairs = finding.replace(dataset, found.pairs)
        n_groups = _n_groups(found)
        jobs.finish(job, _told(found, n_pairs, n_groups, encoder))
    job.refresh_from_db()
    return Report(
        job=job,
        n_images=found.n_images,
        n_looked_at=found.n_looked_at,
        n_pairs=n_pairs,
        n_groups=n_groups,
        encoder=found.encoder,
        seconds=time.monotonic() - started,
    )


def carry_out_for_worker(job_id: int) -> None:
    """Search as a job asks. Why it cannot be done stands in the job; one that was killed is done again."""
    job = jobs.take(job_id)
    if job is None:
        return
    jobs.count_start(job)
    try:
        carry_out(job, Bars(quiet=True))
    except (CannotFind, FindingStopped, encoders.NoEncoder) as error:
        logger.warning("The search for duplicates %d ended: %s", job_id, error)


def send(job: Job) -> None:
    """Leave a search to the workers; a message that is lost is sent again by the sweeper."""
    jobs.leave(job)
    queue.send_find_duplicates(job.pk)


def _n_groups(found: Found) -> int:
    return len(groups.chains((row.first_id, row.second_id) for row in found.pairs))


def _told(found: Found, n_pairs: int, n_groups: int, encoder: Encoder | None) -> str:
    if not n_pairs:
        said = f"No duplicates among {counted(found.n_images, 'image')}."
    else:
        said = f"{counted(n_pairs, 'pair')} of duplicates in {counted(n_groups, 'group')}."
    return said if encoder else f"{said} No encoder has embedded them: only hashes were compared."


class _Teller:
    """Tells how far a search is, and notices when somebody wants it to end; once a second at most."""

    def __init__(self, job: Job, bars: Bars) -> None:
        self._job, self._bars = job, bars
        self._looked_at = 0.0
        self._stage: Stage | None = None

    def __call__(self, stage: Stage, n_done: int, n_total: int) -> None:
        now = time.monotonic()
        if stage == self._stage and now - self._looked_at < _SECONDS_BETWEEN_LOOKS:
            return
        self._looked_at, self._stage = now, stage
        self._bars.move(stage, n_done, n_total, f"{_NOTES[stage]}, {n_done:,} of {n_total:,}")
        jobs.move_on(self._job, n_done=n_done, n_failed=0, n_total=n_total)
        if jobs.is_cancelled(self._job.pk):
            raise FindingStopped("Stopped. What was found before is kept.")
