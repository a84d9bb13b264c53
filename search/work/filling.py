"""Filling in the vectors that an encoder lacks, here or by the workers, with progress."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import dataclass

from embeddings.encoder import HeadedEncoder
from search import encoders, indexing
from search.encoders import heads
from search.models import Encoder, Job
from search.work import embedding_jobs, index_builds, jobs, queue
from search.work.local_workers import EmbeddingStopped, LocalWorkers
from search.work.missing import missing_ids, n_missing, send, turn_of
from search.work.progress import Bars

logger = logging.getLogger(__name__)

_SECONDS_BETWEEN_LOOKS = 0.5
# A batch takes seconds on a slow machine: whoever has not moved for so long, with an empty queue, is not going to.
_SECONDS_STANDING_STILL = 20.0


@dataclass(frozen=True, kw_only=True)
class Filled:
    """What became of the images that had no vector: n_left have none still, for whatever reason.

    job: of it, where one was asked for and anything was missing.
    """

    n_missing: int
    n_left: int
    job: Job | None = None


def fill(
    encoder: Encoder,
    dataset_ids: Sequence[int] | None,
    *,
    here: bool,
    waits: bool,
    bars: Bars,
    as_job: bool = False,
) -> Filled:
    """Embed the images of some datasets (None: of all) that an encoder has not embedded.

    here: in processes of this command, else by the workers, which are waited for only if `waits`. as_job: so that it
    shows on the page of the jobs, and can be stopped there.
    Raises encoders.NoEncoder, before anything is sent, where the encoder's files cannot be used, and
    local_workers.EmbeddingStopped where embedding here does not go on.
    """
    encoders.network(encoder)
    missing = missing_ids(encoder, dataset_ids)
    job = embedding_jobs.begin(encoder, dataset_ids) if as_job and missing else None
    _carry_out(encoder, missing, job, bars, here=here)
    if waits and not here:
        _wait(encoder, dataset_ids, len(missing), job, bars)
    n_left = n_missing(encoder, dataset_ids)
    n_missing_before = max(len(missing), n_left)  # more may have come in meanwhile than were there
    if job and here:
        jobs.move_on(job, n_done=n_missing_before - n_left, n_failed=n_left, n_total=n_missing_before)
        jobs.finish(job, embedding_jobs.told(n_missing_before - n_left, encoder, n_left))
    if indexing.is_worthwhile(encoder) and (here or waits):
        bars.move("indexing", 0, 1, f"building the index of {encoder.name}")
        with suppress(index_builds.BuildStopped):
            index_builds.build(encoder, report=lambda _: None)
    return Filled(n_missing=n_missing_before, n_left=n_left, job=job)


def carry_out_for_worker(job: Job) -> None:
    """Send what an encoder lacks to the workers, for a job that this one has taken. Why not stands in the job."""
    try:
        with _failing(job):
            encoder = encoders.by_name(job.parameters["encoder"])
            missing = missing_ids(encoder, job.progress.get("dataset_ids"))
            _carry_out(encoder, missing, job, Bars(quiet=True), here=False)
    except (encoders.NoEncoder, EmbeddingStopped) as error:
        logger.warning("Embedding %d ended: %s", job.pk, error)


def _carry_out(encoder: Encoder, missing: list[int], job: Job | None, bars: Bars, *, here: bool) -> None:
    """Give a linear head what can be had from its backbone; embed the rest here, or send it."""
    show = _Teller(bars, job, len(missing))
    encoders.declare_mended(encoder)  # whoever asks for this wants it tried
    with _failing(job):
        network = encoders.network(encoder)
        ids = _turn(encoder, network, missing, show) if isinstance(network, HeadedEncoder) else missing
        if here:
            _fill_here(encoder, ids, show)
        elif job:
            show(len(missing) - len(ids))
            embedding_jobs.hand_over(job, encoder, ids, n_total=len(missing))
        else:
            send(encoder, ids)


def _failing(job: Job | None) -> AbstractContextManager[None]:
    by_hand = "Stopped by hand. Run it again: it goes on where it was."
    return jobs.failing(job, by_hand=by_hand) if job else nullcontext()


class _Teller:
    """Tells how many images are done, on a bar and in the job, and notices when somebody wants it to end."""

    def __init__(self, bars: Bars, job: Job | None, n_total: int) -> None:
        self._bars, self._job, self.n_total = bars, job, n_total

    def __call__(self, n_done: int) -> None:
        _show(n_done, self.n_total, self._bars)
        if self._job:
            jobs.move_on(self._job, n_done=n_done, n_failed=0, n_total=self.n_total)
            if jobs.is_cancelled(self._job.pk):
                raise EmbeddingStopped(jobs.STOPPED_EMBEDDING)


def _turn(encoder: Encoder, network: HeadedEncoder, ids: list[int], show: _Teller) -> list[int]:
    """Give a linear head the vectors that its backbone has; return the ids of the images that need decoding."""
    left: list[int] = []
    for start in range(0, len(ids), heads.CHUNK_SIZE):
        chunk = ids[start : start + heads.CHUNK_SIZE]
        turned = heads.transform(encoder, network, chunk)
        left += [image_id for image_id in chunk if image_id not in turned]
        show(min(start + heads.CHUNK_SIZE, len(ids)) - len(left))
    return left


def _fill_here(encoder: Encoder, ids: list[int], show: _Teller) -> None:
    local = LocalWorkers(encoder)
    try:
        local.send(ids)
        while not local.is_done():
            show(show.n_total - len(ids) + local.n_embedded)
            time.sleep(_SECONDS_BETWEEN_LOOKS)
    finally:
        local.close()


def _wait(encoder: Encoder, dataset_ids: Sequence[int] | None, n_all: int, job: Job | None, bars: Bars) -> None:
    """Wait until nothing is missing, the job is over, or what is left does not move and is in no queue."""
    moved_at, last = time.monotonic(), n_all
    while last and not (job and _is_over(job)):
        n_left = n_missing(encoder, dataset_ids)
        _show(n_all - n_left, n_all, bars)
        if n_left != last:
            moved_at, last = time.monotonic(), n_left
        elif time.monotonic() - moved_at > _SECONDS_STANDING_STILL and (
            not queue.n_waiting(turn_of(encoder)) or not queue.n_workers()
        ):
            return
        time.sleep(_SECONDS_BETWEEN_LOOKS)


def _is_over(job: Job) -> bool:
    return Job.objects.filter(pk=job.pk, state__in=Job.OVER).exists()


def _show(n_done: int, n_total: int, bars: Bars) -> None:
    bars.move("embedding", n_done, n_total, f"{n_done} of {n_total}")
