"""Embedding without a worker: the same batches, in processes of this command, one for each core."""

from __future__ import annotations

import logging
import multiprocessing
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager

from embeddings.cores import available_cores
from search import embedding, encoders
from search.bulk import batches
from search.embedding import BATCH_SIZE, Outcome
from search.models import Encoder
from search.work import child_process

_N_TAKEN_AT_ONCE = 5_000

logger = logging.getLogger(__name__)


class EmbeddingStopped(Exception):
    """The pictures that were sent cannot all be embedded. The message says what happened and how to go on."""


class LocalWorkers:
    """Takes ids, embeds them in batches. Few images are embedded in this process, many in one process a core.

    Every method but `close` raises EmbeddingStopped once a batch went wrong.
    """

    def __init__(self, encoder: Encoder) -> None:
        self._encoder = encoder
        self._ids: list[int] = []
        self._tried_ids: list[int] = []
        self._pool: ProcessPoolExecutor | None = None
        self._running: list[tuple[Future[Outcome], list[int]]] = []
        self._n_embedded = 0

    def send(self, image_ids: Sequence[int]) -> None:
        """Take ids; begin as soon as there are enough to keep every core busy.

        An image that was tried before goes alone, so that whatever kills a process does not take others with it.
        """
        for chunk in batches(list(image_ids), _N_TAKEN_AT_ONCE):
            tried = embedding.tried(chunk)
            self._ids += [image_id for image_id in chunk if image_id not in tried]
            self._tried_ids += sorted(tried)
        if self._pool is None and len(self._ids) + len(self._tried_ids) > 2 * BATCH_SIZE:
            # Spawned, not forked: a connection to the database or a loaded network does not survive a fork.
            context = multiprocessing.get_context("spawn")
            self._pool = ProcessPoolExecutor(available_cores(), context, initializer=child_process.begin)
        if self._pool is not None:
            n_in_full_batches = len(self._ids) // BATCH_SIZE * BATCH_SIZE
            for batch in batches(self._ids[:n_in_full_batches], BATCH_SIZE):
                self._submit(self._pool, batch)
            del self._ids[:n_in_full_batches]

    @property
    def n_embedded(self) -> int:
        """How many images were embedded so far."""
        self._collect()
        return self._n_embedded

    def is_done(self) -> bool:
        """Embed what is left over, if it is little; return whether all that was sent has been tried."""
        left = [*batches(self._ids, BATCH_SIZE), *batches(self._tried_ids, 1)]
        self._ids, self._tried_ids = [], []
        for batch in left:
            if self._pool is None:
                with self._failures():
                    self._n_embedded += embedding.embed(self._encoder, batch).n_embedded
            else:
                self._submit(self._pool, batch)
        self._collect()
        return not self._running

    def close(self) -> None:
        """End the processes; what was not begun stays pending."""
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)

    def _submit(self, pool: ProcessPoolExecutor, image_ids: list[int]) -> None:
        with self._failures():
            self._running.append((pool.submit(child_process.embed, self._encoder.pk, image_ids), image_ids))

    def _collect(self) -> None:
        """Count what the batches that ended have embedded."""
        still_running = []
        for future, image_ids in self._running:
            if not future.done():
                still_running.append((future, image_ids))
                continue
            with self._failures():
                self._n_embedded += future.result().n_embedded
        self._running = still_running

    @contextmanager
    def _failures(self) -> Iterator[None]:
        """Turn whatever ends a batch into an EmbeddingStopped."""
        try:
            yield
        except BrokenProcessPool as error:
            raise EmbeddingStopped(_told("A process that embeds was killed, perhaps for want of memory")) from error
        except encoders.NoEncoder as error:
            raise EmbeddingStopped(str(error)) from error
        except Exception as error:
            logger.debug("A batch cannot be embedded.", exc_info=True)
            raise EmbeddingStopped(_told(f"Embedding failed ({type(error).__name__}: {error})")) from error


def _told(what: str) -> str:
    return f"{what}. What was embedded stays: run the same command again to go on."
