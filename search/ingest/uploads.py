"""Files that a page sends one by one, all of them one job: begun before the first, ended after the last."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from django.db.models import F
from django.db.models.functions import Now

from embeddings.images import RefusedImage
from search.ingest import adding
from search.models import Dataset, Image, Job, Refusal
from search.text import storable
from search.work import jobs


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What became of a file. reason: why it was refused, in English. image: where it was not."""

    kind: Literal["added", "there", "refused"]
    name: str
    reason: str = ""
    image: Image | None = None


def begin(dataset: Dataset, owner: Any) -> Job:
    """Begin the job of files that are going to be sent. The sweeper ends one into which none comes for minutes."""
    parameters = jobs.of_dataset(dataset) | {"way": jobs.FROM_A_PAGE}
    return jobs.begin(Job.Kind.IMPORT, parameters, owner)


def begun(job_id: int, dataset: Dataset, owner: Any) -> Job | None:
    """Return the job that somebody has begun for files into a dataset; None where there is none, or it has ended."""
    running = Job.objects.filter(kind=Job.Kind.IMPORT, state=Job.State.RUNNING, parameters__way=jobs.FROM_A_PAGE)
    return running.filter(pk=job_id, owner=owner, parameters__dataset_id=dataset.pk).first()


def take(job: Job, dataset: Dataset, name: str, content: bytes, *, label: str = "", split: str = "none") -> Outcome:
    """Take one file into a dataset; one that cannot be taken becomes a refusal of the job. Raises DatasetDeleted."""
    try:
        added = adding.add(dataset, name, content, job=job, label=label, split=split)
    except RefusedImage as error:
        return refuse(job, name, error)
    _count(job, n_done=1)
    return Outcome(kind="added" if added.is_new else "there", name=name, image=added.image)


def refuse(job: Job, name: str, why: RefusedImage) -> Outcome:
    """Keep why a file was not taken."""
    Refusal.objects.create(job=job, source=storable(name), code=why.code, reason=storable(why.reason))
    _count(job, n_failed=1)
    return Outcome(kind="refused", name=name, reason=why.reason)


def end(job: Job) -> None:
    """Say that all files are sent: the job is done when those that are in are embedded."""
    jobs.wait_for_embeddings(job)
    jobs.settle(job.pk)


def _count(job: Job, *, n_done: int = 0, n_failed: int = 0) -> None:
    Job.objects.filter(pk=job.pk).update(
        n_done=F("n_done") + n_done,
        n_failed=F("n_failed") + n_failed,
        n_total=F("n_total") + n_done + n_failed,
        heartbeat_at=Now(),
    )
