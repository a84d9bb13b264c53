"""A training from its request to an encoder that can be searched with: checked, recorded as a job, and told about."""

from __future__ import annotations

import contextlib
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django.conf import settings

from embeddings.heads import CannotFit
from search.models import Encoder, Job
from search.progress import Bars
from search.training import linear_head
from search.training.labelled import CannotTrain
from search.training.linear_head import HeadRequest
from search.work import filling, jobs

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
        raise CannotTrain(f"There is an encoder named {wanted} already. Choose another --name.")
    base = re.sub(r"[^a-z0-9_]+", "-", otherwise.lower()).strip("-")[:55]
    return wanted or next(name for n in range(1, 10_000) if not _is_taken(name := base if n == 1 else f"{base}-{n}"))


def _is_taken(name: str) -> bool:
    return Encoder.objects.filter(name=name).exists() or (settings.ENCODERS_ROOT / name).exists()


def fit_head(request: HeadRequest, bars: Bars) -> Report:
    """Fit a linear head, and give the images of its dataset their vectors from those of the backbone.

    Raises CannotTrain, encoders.NoEncoder.
    """
    started = time.monotonic()
    job = jobs.begin(Job.Kind.TRAIN, _parameters(request))
    with _failing_with(job):
        fitted = linear_head.fit(request, job)
        filled = filling.fill(fitted.encoder, request.dataset.pk, here=True, waits=True, bars=bars)
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


def _parameters(request: HeadRequest) -> dict[str, Any]:
    return {
        "preset": "linear-head",
        "dataset": request.dataset.name,
        "backbone": request.backbone.name,
        "name": request.name,
        "method": request.method,
        "dim": request.dim,
        "seed": request.seed,
    }


@contextlib.contextmanager
def _failing_with(job: Job) -> Iterator[None]:
    """Mark the job as failed where the training cannot go on."""
    try:
        yield
    except CannotFit as error:
        jobs.fail(job, f"{error}.")
        raise CannotTrain(f"Nothing can be fitted: {error}.") from error
    except BaseException as error:
        by_hand = isinstance(error, KeyboardInterrupt)
        jobs.fail(job, "Stopped by hand." if by_hand else str(error) or type(error).__name__)
        raise
