"""Installing an encoder: its files by `embeddings.install`, then its row; by a command, or by a worker as a job."""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from django.conf import settings
from numpy.typing import NDArray

from embeddings import images, sample, specs
from embeddings import install as files
from embeddings.install import ConversionFailed
from embeddings.torch_files import UnreadableWeights, UnsafeWeights
from embeddings.weights import WeightsUnavailable, WrongWeights
from search import encoders
from search.models import Embedding, Encoder, Job
from search.text import storable
from search.work import jobs, queue

logger = logging.getLogger(__name__)

# On so many photographs the network is compared with what was exported from it.
N_COMPARED = 32


class CannotInstall(Exception):
    """The encoder cannot be installed now. The message says why, and what to do."""


FAILURES = (
    specs.UnknownEncoder,
    CannotInstall,
    ConversionFailed,
    FileNotFoundError,
    UnreadableWeights,
    UnsafeWeights,
    WeightsUnavailable,
    WrongWeights,
)


def install(name: str, weights: Path | None, report: Callable[[str], None]) -> Encoder:
    """Install an encoder's files, where they are not there yet, and make its row. The first one becomes the default.

    Raises what embeddings.install.install raises, and CannotInstall; a row is made only for files that passed.
    """
    spec = specs.spec_for(name)
    _check_not_going(name)
    row = Encoder.everything.filter(name=name).first()
    if row and row.job_id:
        raise CannotInstall(f"An encoder named {name} was trained here. Remove that one first.")
    installed = files.install(
        name,
        Path(settings.ENCODERS_ROOT) / name,
        weights_path=weights,
        # Vectors of others could not be compared with those that are there.
        weights_sha256=row.weights_sha256 if row and Embedding.objects.filter(encoder=row).exists() else None,
        sample_images=_photographs(spec.input_size),
        report=report,
    )
    facts = {
        "family": spec.family,
        "dim": spec.dim,
        "distance": spec.distance,
        "spec": {"input_size": spec.input_size, "n_classes": spec.n_classes, "description": spec.description},
        "weights_sha256": installed.weights_sha256,
        "fault": "",
    }
    _check_not_going(name)
    # What gives tags is of use for every picture that comes in.
    encoder, _ = Encoder.objects.update_or_create(
        name=name, defaults=facts, create_defaults={**facts, "name": name, "embeds_imports": bool(spec.n_classes)}
    )
    if not Encoder.objects.filter(is_default=True).exists():
        encoders.set_default(encoder)
        encoder.refresh_from_db()
    queue.send_sweep()  # what waits for it goes on at once
    return encoder


def _check_not_going(name: str) -> None:
    if Encoder.everything.filter(name=name, is_being_removed=True).exists():
        raise CannotInstall(f"{name} is being removed. Install it when it is gone.")


def ask(name: str, owner: Any = None) -> Job:
    """Leave an installation to the workers, unless that was done already; return the job of it.

    A message that is lost is sent again by the sweeper. Raises embeddings.specs.UnknownEncoder, CannotInstall.
    """
    specs.spec_for(name)
    _check_not_going(name)
    if going := live().get(name):
        return going
    job = jobs.begin(Job.Kind.INSTALL, {"encoder": name}, owner)
    jobs.leave(job)
    queue.send_upkeep(job.pk)
    return job


def live() -> dict[str, Job]:
    """Return the jobs that install encoders now, by the names of these."""
    return {
        job.parameters["encoder"]: job for job in Job.objects.filter(kind=Job.Kind.INSTALL).exclude(state__in=Job.OVER)
    }


def carry_out_for_worker(job: Job) -> None:
    """Install the encoder of a job that a worker has taken. Each step, and why it cannot be done, stands in the job."""
    try:
        with jobs.failing(job, by_hand="Stopped by hand."), jobs.looked_after(job):
            encoder = install(job.parameters["encoder"], None, report=partial(_tell, job))
            jobs.finish(job, _outcome(encoder))
    except FAILURES as error:
        logger.warning("Installation %d ended: %s", job.pk, error)


def _outcome(encoder: Encoder) -> str:
    if encoder.is_default:
        return f"{encoder.name} is installed, and answers searches."
    return f"{encoder.name} is installed. Embed with it before it answers searches."


def _tell(job: Job, step: str) -> None:
    """Show a step on the page of its job, and end there where somebody wants that."""
    Job.objects.filter(pk=job.pk, state=Job.State.RUNNING).update(message=storable(step))
    if jobs.is_cancelled(job.pk):
        raise CannotInstall("Stopped. Nothing was installed.")


def _photographs(input_size: int) -> NDArray[np.uint8]:
    """Return real photographs as the network takes them: uint8 (n, input_size, input_size, 3)."""
    pictures = islice(sample.photographs(), N_COMPARED)
    return np.stack(
        [images.prepare(picture.content, input_size=input_size, thumbnail=False).input for picture in pictures]
    )
