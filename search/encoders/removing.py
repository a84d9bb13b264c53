"""Removing encoders: what goes with one, and its going, which can be killed at any point and taken up again."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django.db import connection, transaction

from search import encoders, indexing, neighbours
from search.models import Dataset, Encoder, Evaluation, Job
from search.work import jobs, queue
from search.work.progress import Bars

logger = logging.getLogger(__name__)

# The triggers that count vectors keep copies of all that a statement deletes.
_N_AT_ONCE = 5_000


class CannotRemove(Exception):
    """The encoder has to stay, or something of it does. The message says why, and what to do."""


@dataclass(frozen=True, kw_only=True)
class Losses:
    """What goes with an encoder. n_bytes: of its files."""

    n_vectors: int
    has_index: bool
    n_bytes: int
    n_evaluations: int
    n_votes: int


def losses(encoder: Encoder) -> Losses:
    """Return what goes with an encoder."""
    dataset_ids = Dataset.everything.values_list("pk", flat=True)
    return Losses(
        n_vectors=sum(neighbours.sizes(encoder, dataset_ids).values()),
        has_index=indexing.exists(encoder),
        n_bytes=sum(path.stat().st_size for path in encoder.folder.rglob("*") if path.is_file()),
        n_evaluations=encoder.evaluations.count(),
        n_votes=encoder.votes_won.count(),
    )


def begin(encoder: Encoder, owner: Any = None) -> Job:
    """Take an encoder out of use and make the job that removes it; what was begun before goes on where it was.

    Nobody finds the encoder from then on, and it cannot be had back. Raises CannotRemove.
    """
    with transaction.atomic():
        row = Encoder.everything.select_for_update(no_key=True).filter(pk=encoder.pk).first()
        if row is None:
            raise CannotRemove(f"{encoder.name} is gone already.")
        if why := encoders.why_kept(row):
            raise CannotRemove(f"{row.name} cannot be removed: {why}.")
        Encoder.everything.filter(pk=row.pk).update(is_being_removed=True)
    return jobs.begin(Job.Kind.REMOVE, {"encoder": row.name}, owner)


def job_of(encoder: Encoder) -> Job | None:
    """Return the job that removes an encoder and is not over, if there is one."""
    going = Job.objects.filter(kind=Job.Kind.REMOVE, parameters__encoder=encoder.name).exclude(state__in=Job.OVER)
    return going.first() if encoder.is_being_removed else None


def carry_out(job: Job, bars: Bars) -> int:
    """Remove the encoder of a job: its index, its vectors, its files, its row; return how many vectors went.

    Raises CannotRemove where the files cannot be removed. Must run outside a transaction.
    """
    name, n_gone = job.parameters["encoder"], 0
    # Another one of that name, which was installed since, is not meant.
    encoder = Encoder.everything.filter(name=name, is_being_removed=True).first()
    by_hand = "Stopped by hand. Run it again: it goes on where it was."
    with jobs.failing(job, by_hand=by_hand), jobs.looked_after(job):
        if encoder is not None:
            indexing.cancel_build(encoder)
            indexing.drop(encoder)
            n_all = losses(encoder).n_vectors
            for n_gone in _vectors_gone(encoder):
                jobs.move_on(job, n_done=n_gone, n_failed=0, n_total=max(n_all, n_gone))
                bars.move("removing", n_gone, n_all, f"{n_gone:,} of {n_all:,} vectors")
            _remove_files(encoder)
            _remove_row(encoder)
        jobs.finish(job, f"{name} is removed.")
    return n_gone


def _vectors_gone(encoder: Encoder) -> Iterator[int]:
    """Delete the vectors of an encoder; yield how many are gone, after each batch."""
    n_gone = 0
    with connection.cursor() as cursor:
        while True:
            cursor.execute(
                "DELETE FROM search_embedding WHERE id IN "
                "(SELECT id FROM search_embedding WHERE encoder_id = %s LIMIT %s)",
                [encoder.pk, _N_AT_ONCE],
            )
            if not cursor.rowcount:
                return
            n_gone += cursor.rowcount
            yield n_gone


def _remove_files(encoder: Encoder) -> None:
    try:
        if encoder.folder.exists():
            shutil.rmtree(encoder.folder)
    except OSError as error:
        raise CannotRemove(
            f"The folder {encoder.folder} cannot be removed ({error.strerror}). Remove it by hand, then run this again."
        ) from error


def _remove_row(encoder: Encoder) -> None:
    """Delete the row, and with it what was measured with the encoder."""
    Evaluation.objects.filter(encoder=encoder).delete()
    with transaction.atomic():
        # Whoever writes a vector holds the row: after this lock nobody does, and the last ones are seen.
        for row in Encoder.everything.select_for_update().filter(pk=encoder.pk):
            row.delete()


def carry_out_for_worker(job: Job) -> None:
    """Remove the encoder of a job that a worker has taken. Why it cannot be done stands in the job."""
    try:
        carry_out(job, Bars(quiet=True))
    except CannotRemove as error:
        logger.warning("Removal %d ended: %s", job.pk, error)


def ask(encoder: Encoder, owner: Any = None) -> Job:
    """Leave the removal of an encoder to the workers, unless that was done already; return the job of it.

    A message that is lost is sent again by the sweeper. Raises CannotRemove.
    """
    if going := job_of(encoder):
        return going
    job = begin(encoder, owner)
    jobs.leave(job)
    queue.send_upkeep(job.pk)
    return job
