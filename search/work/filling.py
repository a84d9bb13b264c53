"""Filling in the vectors that an encoder lacks, here or by the workers, with progress."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

from embeddings.encoder import HeadedEncoder
from search import encoders, heads, indexing
from search.models import Encoder
from search.progress import Bars
from search.work import index_builds, queue, reconciling
from search.work.local_workers import LocalWorkers
from search.work.queue import Turn

_SECONDS_BETWEEN_LOOKS = 0.5
# A batch takes seconds on a slow machine: whoever has not moved for so long, with an empty queue, is not going to.
_SECONDS_STANDING_STILL = 20.0


@dataclass(frozen=True, kw_only=True)
class Filled:
    """What became of the images that had no vector: n_left have none still, for whatever reason."""

    n_missing: int
    n_left: int


def fill(encoder: Encoder, dataset_ids: Sequence[int] | None, *, here: bool, waits: bool, bars: Bars) -> Filled:
    """Embed the images of some datasets (None: of all) that an encoder has not embedded.

    here: in processes of this command, else by the workers, which are waited for only if `waits`.
    Raises encoders.NoEncoder, before anything is sent, where the encoder's files cannot be used, and
    local_workers.EmbeddingStopped where embedding here does not go on.
    """
    network = encoders.network(encoder)
    ids = missing = reconciling.missing_ids(encoder, dataset_ids)
    if isinstance(network, HeadedEncoder):
        ids = _turn(encoder, network, missing, bars)
    if here:
        _fill_here(encoder, ids, bars)
    else:
        reconciling.send(encoder, ids)
        if waits:
            _wait(encoder, dataset_ids, len(ids), bars)
    n_left = reconciling.n_missing(encoder, dataset_ids)
    if indexing.is_worthwhile(encoder) and (here or waits):
        bars.move("indexing", 0, 1, f"building the index of {encoder.name}")
        index_builds.build(encoder, report=lambda _: None)
    return Filled(n_missing=len(missing), n_left=n_left)


def _turn(encoder: Encoder, network: HeadedEncoder, ids: list[int], bars: Bars) -> list[int]:
    """Give a linear head the vectors that its backbone has; return the ids of the images that need decoding."""
    left: list[int] = []
    for start in range(0, len(ids), heads.CHUNK_SIZE):
        chunk = ids[start : start + heads.CHUNK_SIZE]
        turned = heads.transform(encoder, network, chunk)
        left += [image_id for image_id in chunk if image_id not in turned]
        _show(start + len(chunk), len(ids), bars)
    return left


def _fill_here(encoder: Encoder, ids: list[int], bars: Bars) -> None:
    local = LocalWorkers(encoder)
    try:
        local.send(ids)
        while not local.is_done():
            _show(local.n_embedded, len(ids), bars)
            time.sleep(_SECONDS_BETWEEN_LOOKS)
    finally:
        local.close()


def _wait(encoder: Encoder, dataset_ids: Sequence[int] | None, n_missing: int, bars: Bars) -> None:
    """Wait until nothing is missing, or what is left does not move and is in no queue."""
    turn = Turn.SOON if encoder.is_default else Turn.LATER
    moved_at, last = time.monotonic(), n_missing
    while last:
        n_left = reconciling.n_missing(encoder, dataset_ids)
        _show(n_missing - n_left, n_missing, bars)
        if n_left != last:
            moved_at, last = time.monotonic(), n_left
        elif time.monotonic() - moved_at > _SECONDS_STANDING_STILL and (
            not queue.n_waiting(turn) or not queue.n_workers()
        ):
            return
        time.sleep(_SECONDS_BETWEEN_LOOKS)


def _show(n_done: int, n_total: int, bars: Bars) -> None:
    bars.move("embedding", n_done, n_total, f"{n_done} of {n_total}")
