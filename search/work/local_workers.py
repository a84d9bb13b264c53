"""Embedding without a worker: the same batches, in processes of this command, one for each core."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Sequence
from concurrent.futures import Future, ProcessPoolExecutor

from search import embedding
from search.embedding import BATCH_SIZE, Outcome
from search.models import Encoder
from search.work import child_process


class LocalWorkers:
    """Takes ids, embeds them in batches. Few images are embedded in this process, many in one process a core."""

    def __init__(self, encoder: Encoder) -> None:
        self._encoder = encoder
        self._ids: list[int] = []
        self._pool: ProcessPoolExecutor | None = None
        self._futures: list[Future[Outcome]] = []
        self._outcomes: list[Outcome] = []

    def send(self, image_ids: Sequence[int]) -> None:
        """Take ids; begin as soon as there are enough to keep every core busy."""
        self._ids += image_ids
        if self._pool is None and len(self._ids) > 2 * BATCH_SIZE:
            # Spawned, not forked: a connection to the database or a loaded network does not survive a fork.
            context = multiprocessing.get_context("spawn")
            n_cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
            self._pool = ProcessPoolExecutor(n_cores, context, initializer=child_process.begin)
        while self._pool is not None and len(self._ids) >= BATCH_SIZE:
            self._submit(self._pool, self._ids[:BATCH_SIZE])
            del self._ids[:BATCH_SIZE]

    @property
    def n_embedded(self) -> int:
        """How many images were embedded so far."""
        return sum(future.result().n_embedded for future in self._futures if future.done()) + sum(
            outcome.n_embedded for outcome in self._outcomes
        )

    def is_done(self) -> bool:
        """Embed what is left over, if it is little; return whether all that was sent is embedded."""
        if self._pool is None:
            while self._ids:
                self._outcomes.append(embedding.embed(self._encoder, self._ids[:BATCH_SIZE]))
                del self._ids[:BATCH_SIZE]
            return True
        if self._ids:
            self._submit(self._pool, self._ids)
            self._ids = []
        return all(future.done() for future in self._futures)

    def close(self) -> None:
        """End the processes; what was not begun stays pending."""
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)

    def _submit(self, pool: ProcessPoolExecutor, image_ids: list[int]) -> None:
        self._futures.append(pool.submit(child_process.embed, self._encoder.pk, list(image_ids)))
