"""What is known of the workers without asking each time: how many answered lately, and when beat last swept."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass

from django.core.cache import cache

from search.work import queue

_WORKERS = "workers-that-answered"
_SWEEP = "swept-at"
_IS_OLD_AFTER_S = 10.0
_asking = threading.Lock()


@dataclass(frozen=True, kw_only=True)
class Count:
    """How many workers that embed answered, and when they were asked, in seconds since 1970."""

    n: int
    asked_at: float

    @property
    def is_old(self) -> bool:
        return abs(time.time() - self.asked_at) > _IS_OLD_AFTER_S  # after that time, or before it: the clock was set


def last_count() -> Count | None:
    """Return the last count that any process made; None where there was none."""
    kept = cache.get(_WORKERS)
    return Count(n=kept[0], asked_at=kept[1]) if kept else None


def count() -> Count:
    """Ask the workers, wait a second for their answers, and keep the count for every process."""
    asked_at = time.time()
    n = queue.n_workers(timeout_s=1.0)
    cache.set(_WORKERS, (n, asked_at), None)
    return Count(n=n, asked_at=asked_at)


def count_soon() -> None:
    """Ask the workers in a thread, unless one of this process asks already; nobody waits for it."""
    if _asking.acquire(blocking=False):
        threading.Thread(target=_count_and_release, name="count-workers", daemon=True).start()


def note_sweep() -> None:
    """Note that beat had the site swept now."""
    cache.set(_SWEEP, time.time(), None)


def swept_at() -> float | None:
    """Return when beat last had the site swept, in seconds since 1970; None where Redis knows of no sweep."""
    at: float | None = cache.get(_SWEEP)
    return at


def _count_and_release() -> None:
    try:
        count()
    finally:
        _asking.release()
