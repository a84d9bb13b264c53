"""Jobs: one's own, for staff all; listed, read, stopped."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from django.db.models import QuerySet
from django.http import HttpRequest
from ninja import Path, Router, Schema

from search.api import fields
from search.api.access import JOBS, READING_OWN
from search.api.fields import Cursor, Limit, page_of
from search.api.problems import Problem, refusals
from search.asking.examples import LARGEST_ID
from search.models import Job
from search.views.jobs import MAX_REFUSALS
from search.work import jobs

router = Router(tags=["jobs"])
JobId = Annotated[int, Path(..., ge=1, le=LARGEST_ID)]


class JobOut(Schema):
    """A long piece of work. state: waiting, running, embedding, done or failed; message: what came of it, or why."""

    id: int
    kind: str
    state: str
    n_done: int
    n_failed: int
    n_total: int
    message: str
    is_cancelled: bool
    parameters: dict[str, Any]
    started_at: datetime
    finished_at: datetime | None


class JobsOut(Schema):
    """A page of jobs, the newest first."""

    items: list[JobOut]
    next_cursor: int | None


class RefusalOut(Schema):
    """A file that a job could not take."""

    source: str
    code: str
    reason: str


class JobReadOut(JobOut):
    """A job, and what it refused: the first 500 files of `n_failed`."""

    refusals: list[RefusalOut]


@router.get("", auth=READING_OWN, response={200: JobsOut, **refusals()}, summary="List the jobs")
def list_jobs(
    request: HttpRequest, cursor: Cursor, limit: Limit, kind: fields.Text = "", state: fields.Text = ""
) -> dict[str, Any]:
    """List the jobs that you began; for staff, all."""
    wanted = {name: value for name, value in {"kind": kind, "state": state}.items() if value}
    return page_of(_seen(request).filter(**wanted), cursor, limit, newest_first=True)


@router.get("/{job_id}", auth=READING_OWN, response={200: JobReadOut, **refusals()}, summary="Read a job")
def read_job(request: HttpRequest, job_id: JobId) -> dict[str, Any]:
    job = _found(request, job_id)
    told = {name: getattr(job, name) for name in JobOut.model_fields}
    return {**told, "refusals": list(job.refusals.all()[:MAX_REFUSALS])}


@router.post("/{job_id}/stop", auth=JOBS, response={200: JobOut, **refusals(409)}, summary="Stop a job")
def stop_job(request: HttpRequest, job_id: JobId) -> Job:
    """Stop an import, a training or other long work: one that waits at once, one that runs in a moment.

    What it made is kept. The removal of an encoder cannot be stopped.
    """
    job = _found(request, job_id)
    needed = {str(kind): permission for kind, permission in jobs.PERMISSIONS.items()}.get(job.kind)
    if needed is None or not request.user.has_perm(needed):
        raise Problem(403, "forbidden", "You may not stop this job.")
    if not jobs.cancel(job):
        raise Problem(409, "not_running", "This job has ended, or is being stopped already.")
    job.refresh_from_db()
    return job


def _seen(request: HttpRequest) -> QuerySet[Job]:
    """Return the jobs that the caller may see: their own; for staff all."""
    is_staff = bool(getattr(request.user, "is_staff", False))
    return Job.objects.all() if is_staff else Job.objects.filter(owner=request.user.pk)


def _found(request: HttpRequest, job_id: int) -> Job:
    job = _seen(request).filter(pk=job_id).first()
    if job is None:
        raise Problem(404, "not_found", f"There is no job {job_id}.")
    return job
