"""Index builds that take long, as jobs that show how far they are."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from search import indexing, neighbours
from search.models import Dataset, Encoder, Job
from search.work import jobs

logger = logging.getLogger(__name__)


def build(encoder: Encoder, report: Callable[[str], None] = logger.info, owner: Any = None) -> bool:
    """Build the index of an encoder, as `indexing.build` does; return whether it was built now.

    It is a job where there are so many vectors that searches use the index: a smaller one is built in seconds.
    """
    if indexing.is_valid(encoder) or not indexing.is_worthwhile(encoder) or indexing.progress() is not None:
        return indexing.build(encoder, report)
    n_all = sum(neighbours.sizes(encoder, Dataset.everything.values_list("pk", flat=True)).values())
    job = jobs.begin(Job.Kind.INDEX, {"encoder": encoder.name}, owner)
    jobs.move_on(job, n_done=0, n_failed=0, n_total=n_all)

    def look() -> None:
        n_done = indexing.progress()
        if n_done is not None:
            jobs.move_on(job, n_done=min(n_done, n_all), n_failed=0, n_total=n_all)

    with jobs.failing(job, by_hand="Stopped by hand."), jobs.looked_after(job, look):
        built = indexing.build(encoder, report)
    if built:
        jobs.move_on(job, n_done=n_all, n_failed=0, n_total=n_all)
        jobs.finish(job, f"The index of {encoder.name} is built.")
    else:
        job.delete()  # another process was quicker
    return built
