"""What workers do with encoders and their indexes because somebody has asked for it, each as a job."""

from __future__ import annotations

from collections.abc import Callable

from search.encoders import installing, removing
from search.models import Job
from search.work import filling, index_builds, jobs

_WORK: dict[str, Callable[[Job], None]] = {
    Job.Kind.EMBED: filling.carry_out_for_worker,
    Job.Kind.INDEX: index_builds.carry_out_for_worker,
    Job.Kind.INSTALL: installing.carry_out_for_worker,
    Job.Kind.REMOVE: removing.carry_out_for_worker,
}


def carry_out(job_id: int) -> None:
    """Carry out a job that waits for a worker; one that another worker has is left to that."""
    job = jobs.take(job_id)
    if job is not None:
        jobs.count_start(job)
        _WORK[job.kind](job)
