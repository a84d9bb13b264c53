"""Jobs begun once more, as new ones: by kind, who may do that, and how it is done."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import TYPE_CHECKING

from search import encoders
from search.curating.selecting import datasets_of
from search.encoders import installing
from search.evaluation import protocol
from search.evaluation import running as evaluation
from search.ingest import archives
from search.models import Job
from search.reviewing import running as duplicates
from search.work import embedding_jobs, index_builds, jobs

if TYPE_CHECKING:
    from django.contrib.auth.models import AnonymousUser, User


class CannotRepeat(Exception):
    """What the job was about is gone. The message says what."""


def may_repeat(user: User | AnonymousUser, job: Job) -> bool:
    """Return whether a job can be carried out once more, and by this user."""
    may = job.is_over and job.kind in PERMISSIONS and user.has_perm(PERMISSIONS[job.kind])
    return may and (job.kind != Job.Kind.IMPORT or archives.may_begin_again(job))


def repeat(job: Job, user: User | AnonymousUser) -> Job:
    """Leave what a job did to the workers once more, as a new job of this user; return that.

    Raises CannotRepeat, evaluation.protocol.CannotEvaluate, encoders.installing.CannotInstall, encoders.NoEncoder.
    """
    return _REPEAT[job.kind](job, user)


def repeat_import(job: Job, user: User | AnonymousUser) -> Job:
    """Leave an archive whose import was stopped to the workers once more; return the new job. Raises CannotRepeat."""
    if archives.may_begin_again(job):
        with contextlib.suppress(FileNotFoundError):
            return archives.begin_again(job, user)
    raise CannotRepeat("What was sent is here no longer. Send it again: what is in is passed over.")


def _evaluate(job: Job, user: User | AnonymousUser) -> Job:
    new = evaluation.begin(protocol.from_parameters(job.parameters), job.parameters["encoders"], user)
    evaluation.send(new)
    return new


def _embed(job: Job, user: User | AnonymousUser) -> Job:
    return embedding_jobs.ask(encoders.by_name(job.parameters["encoder"]), job.progress.get("dataset_ids"), user)


def _build_index(job: Job, user: User | AnonymousUser) -> Job:
    return index_builds.ask(encoders.by_name(job.parameters["encoder"]), user)


def _install(job: Job, user: User | AnonymousUser) -> Job:
    return installing.ask(job.parameters["encoder"], user)


def _find_duplicates(job: Job, user: User | AnonymousUser) -> Job:
    own = datasets_of(user)
    dataset = own.filter(pk=job.parameters["dataset_id"]).first()
    if dataset is None:
        raise CannotRepeat(f"The dataset {job.parameters['dataset']} is gone.")
    last = duplicates.latest(dataset)
    if last is not None and duplicates.is_live(last):
        return last
    also = list(own.filter(pk__in=job.parameters["also_ids"]))
    new = duplicates.begin(dataset, also, job.parameters["encoder"], owner=user)
    duplicates.send(new)
    return new


_REPEAT: dict[str, Callable[[Job, User | AnonymousUser], Job]] = {
    Job.Kind.IMPORT: repeat_import,
    Job.Kind.EVALUATE: _evaluate,
    Job.Kind.EMBED: _embed,
    Job.Kind.INDEX: _build_index,
    Job.Kind.INSTALL: _install,
    Job.Kind.DUPLICATES: _find_duplicates,
}
# What a user needs to have a job of a kind done once more: as much as to have it stopped.
PERMISSIONS: dict[str, str] = {kind: jobs.PERMISSIONS[Job.Kind(kind)] for kind in _REPEAT}
