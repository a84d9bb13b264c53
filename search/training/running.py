"""A training from its request to an encoder that can be searched with: checked, recorded as a job, and told about."""

from __future__ import annotations

import logging
import re
import time
from dataclasses import dataclass, replace
from typing import Any

from django.conf import settings

from embeddings import specs
from search import encoders
from search.models import Dataset, Encoder, Job
from search.training import linear_head, requests, runs
from search.training.dividing import CannotTrain
from search.training.linear_head import HeadRequest
from search.training.requests import Wanted
from search.work import filling, jobs, missing, queue
from search.work.local_workers import EmbeddingStopped
from search.work.progress import Bars

logger = logging.getLogger(__name__)

_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,59}")


@dataclass(frozen=True, kw_only=True)
class Report:
    """What a training came to. n_embedded: images of the dataset that can be found with the new encoder."""

    encoder: Encoder
    job: Job
    seconds: float
    n_embedded: int
    facts: dict[str, Any]

    def as_json(self) -> dict[str, Any]:
        return {
            "encoder": self.encoder.name,
            "job": self.job.pk,
            "seconds": round(self.seconds, 2),
            "dim": self.encoder.dim,
            "embedded": self.n_embedded,
            **self.facts,
        }


def free_name(wanted: str, otherwise: str) -> str:
    """Return the name for a new encoder: the wanted one, or one like `otherwise` that is free.

    Raises CannotTrain where the wanted name is no name, or is taken.
    """
    if wanted and not _NAME.fullmatch(wanted):
        raise CannotTrain(
            f"{wanted!r} cannot name an encoder: use up to 60 of a to z, 0 to 9, - and _, a letter or digit first."
        )
    if wanted and _is_taken(wanted):
        raise CannotTrain(f"The name {wanted} is taken. Choose another --name.")
    base = re.sub(r"[^a-z0-9_]+", "-", otherwise.lower()).strip("-")[:55]
    return wanted or next(name for n in range(1, 10_000) if not _is_taken(name := base if n == 1 else f"{base}-{n}"))


def _public_name(dataset: Dataset) -> str:
    """Return what the name of an encoder, which everybody sees, may tell of a dataset."""
    return dataset.slug if dataset.is_public else f"dataset-{dataset.pk}"


def _is_taken(name: str) -> bool:
    """Return whether an encoder has a name, may be installed under it, or is going to be trained under it."""
    return (
        name == "install"  # that address is a page of its own
        or name in specs.SPECS
        or Encoder.everything.filter(name=name).exists()
        or (settings.ENCODERS_ROOT / name).exists()
        or Job.objects.filter(kind=Job.Kind.TRAIN, parameters__name=name).exclude(state__in=Job.OVER).exists()
    )


def begin(wanted: Wanted) -> Job:
    """Check what is wanted and make its job; nothing is trained yet.

    Raises CannotTrain, encoders.NoEncoder, embeddings.specs.UnknownEncoder.
    """
    if wanted.preset != linear_head.PRESET:
        if wanted.changes.get("feedback"):
            raise CannotTrain(
                f"{wanted.preset} does not learn from feedback. The recipe that does: {linear_head.PRESET}."
            )
        name = free_name(wanted.name, f"{wanted.preset}-{_public_name(wanted.dataset)}")
        return requests.begin_network(replace(wanted, name=name))
    backbone = encoders.by_name(wanted.backbone)
    known = {name: wanted.changes.get(name) for name in ("method", "shrinkage", "dim", "seed", "feedback")}
    request = HeadRequest(
        dataset=wanted.dataset,
        backbone=backbone,
        name=free_name(wanted.name, f"{backbone.name}-{_public_name(wanted.dataset)}-head"),
        **{name: value for name, value in known.items() if value is not None},
    )
    return jobs.begin(Job.Kind.TRAIN, linear_head.as_parameters(request), wanted.owner)


def _fit_head(job: Job, bars: Bars) -> Report:
    """Fit a linear head, and give the images of its dataset their vectors from those of the backbone.

    Raises CannotTrain, encoders.NoEncoder.
    """
    started = time.monotonic()
    with jobs.failing(job, by_hand="Stopped by hand."):
        request = linear_head.from_parameters(job.parameters)
        fitted = linear_head.fit(request, job)
        filled = filling.fill(fitted.encoder, [request.dataset.pk], here=True, waits=True, bars=bars)
        n_embedded = filled.n_missing - filled.n_left
        jobs.move_on(job, n_done=n_embedded, n_failed=filled.n_left, n_total=filled.n_missing)
        jobs.finish(job, f"{fitted.encoder.name} can be searched with. It is not the default encoder.")
    job.refresh_from_db()
    return Report(
        encoder=fitted.encoder,
        job=job,
        seconds=time.monotonic() - started,
        n_embedded=n_embedded,
        facts=fitted.facts,
    )


def carry_out(job: Job, *, embeds: bool, bars: Bars) -> Report:
    """Train what a job asks for, and embed its dataset with what comes of it.

    Raises CannotTrain, runs.RunStopped, encoders.NoEncoder, local_workers.EmbeddingStopped.
    """
    if job.parameters["preset"] == linear_head.PRESET:
        return _fit_head(job, bars)
    started = time.monotonic()
    encoder = runs.carry_out(job, bars)
    dataset, n_embedded = runs.dataset_of(job), 0
    if embeds and dataset is not None:
        filled = filling.fill(encoder, [dataset.pk], here=True, waits=True, bars=bars)
        n_embedded = filled.n_missing - filled.n_left
    job.refresh_from_db()
    return Report(
        encoder=encoder,
        job=job,
        seconds=time.monotonic() - started,
        n_embedded=n_embedded,
        facts={**encoder.spec["training"], **_outcome(job)},
    )


def _outcome(job: Job) -> dict[str, Any]:
    drawn = runs.reconstructions(job)
    facts = {name: job.progress[name] for name in ("name", "backend", "weights_digest") if name in job.progress}
    return facts | ({"reconstructions": str(drawn)} if drawn else {})


def resume(job_id: int, *, embeds: bool, bars: Bars) -> Report:
    """Go on with a training that was stopped or killed. Raises as `carry_out` does."""
    job = Job.objects.filter(pk=job_id, kind=Job.Kind.TRAIN).first()
    if job is None or job.parameters["preset"] == linear_head.PRESET:
        raise CannotTrain(f"Job {job_id} is no training that can be gone on with.")
    if job.state == Job.State.RUNNING and not jobs.has_beaten(job, within=jobs.STALE_AFTER / 5):
        jobs.fail(job, "It was killed.")
    if not jobs.begin_again(job):
        raise CannotTrain(f"Job {job_id} is {job.get_state_display()}: only one that was stopped or killed goes on.")
    job.refresh_from_db()
    return carry_out(job, embeds=embeds, bars=bars)


def carry_out_for_worker(job_id: int) -> None:
    """Train what a job asks for, and leave the embedding to the workers. Why one cannot go on stands in its job."""
    job = jobs.take(job_id)
    if job is None:
        return
    if job.parameters["preset"] != linear_head.PRESET:
        jobs.count_start(job)
    try:
        report = carry_out(job, embeds=False, bars=Bars(quiet=True))
    except (CannotTrain, runs.RunStopped, encoders.NoEncoder, EmbeddingStopped) as error:
        logger.warning("Training %d ended: %s", job_id, error)
        return
    dataset = runs.dataset_of(job)
    if dataset is not None:
        missing.send(report.encoder, missing.missing_ids(report.encoder, [dataset.pk]))


def send(job: Job) -> None:
    """Leave a training to the worker that trains; a message that is lost is sent again by the sweeper."""
    jobs.leave(job)
    queue.send_train(job.pk)
