"""Waiting for the embeddings of what an import found, whichever job or worker looks after them."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable

from django.db import connection

from search import encoders
from search.ingest.errors import CannotImport, DatasetDeleted
from search.models import Dataset, Image
from search.work import queue, reconciling
from search.work.local_workers import LocalWorkers
from search.work.progress import Bars
from search.work.queue import Turn

# Whoever looks often takes time from whoever embeds: the seconds between two looks are a hundredth of those waited.
_SECONDS_BETWEEN_LOOKS = 0.3, 2.0
_SHARE_OF_WAIT = 0.01
_SECONDS_STANDING_STILL = 20.0
# Images are embedded in about the order of their ids: whatever moves is among the first so many that wait.
_N_LOOKED_AT = 1_000


class Watch:
    """How images stand that had no embedding when an import found them; each is forgotten once it is through."""

    def __init__(self, dataset_id: int, image_ids: Iterable[int]) -> None:
        self._dataset_id = dataset_id
        self._waiting = sorted(image_ids)
        self.refused_ids: list[int] = []
        self.n_ready = 0

    @property
    def n_pending(self) -> int:
        """How many wait, as far as they were looked at."""
        return len(self._waiting)

    @property
    def n_done(self) -> int:
        return self.n_ready + len(self.refused_ids)

    def look(self) -> None:
        """See which of the first that wait are through by now. Raises DatasetDeleted."""
        self._check_dataset()
        while self._waiting and self._look_from(0) == 0:
            pass  # all of these: so may be the next

    def look_at_all(self) -> None:
        """See which are through by now, of all of them. Raises DatasetDeleted."""
        self._check_dataset()
        start = 0
        while start < len(self._waiting):
            start += self._look_from(start)

    def _check_dataset(self) -> None:
        if not Dataset.objects.filter(pk=self._dataset_id).exists():
            raise DatasetDeleted

    def _look_from(self, start: int) -> int:
        """Look at a window of images; return how many of them go on waiting. Those that were deleted do not."""
        window = self._waiting[start : start + _N_LOOKED_AT]
        with connection.cursor() as cursor:
            cursor.execute("SELECT id FROM search_image WHERE id = ANY(%s) AND status = 'pending'", [window])
            still = {pk for (pk,) in cursor.fetchall()}
        through = [pk for pk in window if pk not in still]
        statuses = dict(Image.objects.filter(pk__in=through).values_list("pk", "status"))
        self.n_ready += Counter(statuses.values())[Image.Status.READY]
        self.refused_ids += [pk for pk, status in statuses.items() if status == Image.Status.REFUSED]
        self._waiting[start : start + len(window)] = [pk for pk in window if pk in still]
        return len(still)


def wait(watch: Watch, local: LocalWorkers | None, bars: Bars) -> None:
    """Wait until no image is pending. Raises CannotImport where nobody is going to embed those that are."""
    began_at = moved_at = time.monotonic()
    last = -1
    while True:
        is_over = local.is_done() if local else True
        watch.look()
        note = f"{watch.n_ready} embedded, {len(watch.refused_ids)} refused"
        bars.move("embedding", watch.n_done, watch.n_done + watch.n_pending, note, watch.n_done)
        if is_over and not watch.n_pending:
            return
        if watch.n_pending != last:
            moved_at, last = time.monotonic(), watch.n_pending
        if is_over and time.monotonic() - moved_at > _SECONDS_STANDING_STILL:
            _push_on(watch.n_pending, local)
            moved_at = time.monotonic()
        least, most = _SECONDS_BETWEEN_LOOKS
        time.sleep(min(most, max(least, _SHARE_OF_WAIT * (time.monotonic() - began_at))))


def _push_on(n_pending: int, local: LocalWorkers | None) -> None:
    """Send again what the queue lost. Raises CannotImport where nobody is going to embed what is pending."""
    if local:
        raise CannotImport(
            f"{n_pending} pictures still wait: another process holds them, or held them when it was killed less than "
            "two minutes ago. Run the same command again then to go on."
        )
    if not queue.n_workers():
        raise CannotImport(
            "No worker answers. The pictures are in and wait: start a worker "
            "(celery -A imgsim_site worker), or import again with --sync."
        )
    try:
        encoders.check(encoders.default())
    except encoders.BrokenEncoder as error:
        raise CannotImport(str(error)) from error
    except encoders.NoEncoder as error:
        raise CannotImport(f"The pictures are in and wait: {error}.") from error
    # Beat sweeps too, but it is one more process that may have ended. Leases keep two sweeps from embedding twice.
    if queue.n_waiting(Turn.SOON) == 0:
        reconciling.reconcile()
