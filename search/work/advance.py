"""How quickly a job goes on, and when it will be through: from what whoever looked saw within the last minute."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from django.core.cache import cache
from django.utils import timezone

from search.models import Job
from search.work.jobs import Standing

_SECONDS_BACK = 60.0
# From fewer seconds no speed can be told.
_LEAST_SECONDS = 3.0


@dataclass(frozen=True, kw_only=True)
class Advance:
    """How far a job is, and its speed. n_total is 0, and share and left None, where nobody can tell."""

    n_done: int
    n_total: int
    share: float | None
    per_second: float | None
    left: timedelta | None

    @property
    def per_minute(self) -> float | None:
        return None if self.per_second is None else 60 * self.per_second


def advance(job: Job, now: Standing | None) -> Advance:
    """Look how far a running job is. now: how its images stand, of one that is waiting for their embeddings."""
    n_done, n_total = _position(job, now)
    share = n_done / n_total if n_total else _share_read(job)
    seconds = (timezone.now() - job.started_at).total_seconds()
    key = f"advance-{job.pk}-{job.state}"
    seen: list[tuple[float, int, float]] = [one for one in cache.get(key, []) if seconds - one[0] <= _SECONDS_BACK]
    cache.set(key, [*seen, (seconds, n_done, share or 0.0)], 2 * _SECONDS_BACK)
    # Whoever looks for the first time gets the mean since the job began.
    since, n_then, share_then = seen[0] if seen and seconds - seen[0][0] >= _LEAST_SECONDS else (0.0, 0, 0.0)
    passed = seconds - since
    if passed < _LEAST_SECONDS or n_done <= n_then:
        return Advance(n_done=n_done, n_total=n_total, share=share, per_second=None, left=None)
    left = timedelta(seconds=(1 - share) * passed / (share - share_then)) if share and share > share_then else None
    return Advance(n_done=n_done, n_total=n_total, share=share, per_second=(n_done - n_then) / passed, left=left)


def _position(job: Job, now: Standing | None) -> tuple[int, int]:
    if job.kind != Job.Kind.IMPORT:
        return job.n_done, job.n_total
    # An import's images are its own; other jobs count what they have done.
    if job.state == Job.State.EMBEDDING and now is not None:
        n_through = now.n_ready + now.n_refused
        return n_through, n_through + now.n_pending
    # While it reads, what it has found so far is no total.
    return job.n_done + job.n_failed, 0


def _share_read(job: Job) -> float | None:
    """Return how much of its source an import has read: of the files of a folder, or of the bytes of an archive."""
    reading = job.progress.get("reading")
    return min(1.0, reading["done"] / reading["total"]) if reading and reading["total"] else None
