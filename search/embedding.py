"""Images become vectors: a batch is claimed, decoded once, encoded once and written once.

Everything here can be killed at any line and run again: a batch is written in one transaction or not at all.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from django.core.files.storage import default_storage
from django.db import connection, transaction
from django.db.models import F
from numpy.typing import NDArray

from embeddings import images
from embeddings.encoder import BrokenVectors, HeadedEncoder
from embeddings.encoder import Encoder as Network
from embeddings.images import refusals
from search import encoders
from search import vectors as stored_vectors
from search.bulk import bulk_cursor
from search.encoders import heads
from search.files import originals, storage
from search.metrics import batches
from search.models import Embedding, Encoder, Image
from search.work import jobs, leases, queue

logger = logging.getLogger(__name__)

BATCH_SIZE = 64
# A picture that was begun so often and never finished takes its worker down with it.
MAX_ATTEMPTS = 3
# A batch of so many pictures, none of which gets a vector, says that the encoder is broken, and not they.
SEVERAL = 8
N_TAGS = 5
# Below this a class of the thousand is a guess that nobody would search for.
LEAST_TAG_PROBABILITY = 0.1
_Tags = list[list[tuple[str, float]]]


@dataclass(frozen=True, kw_only=True)
class Refused:
    """An image that could not be embedded, and why."""

    image_id: int
    code: str
    reason: str


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What became of a batch."""

    n_embedded: int = 0
    refused: tuple[Refused, ...] = ()

    @property
    def n_refused(self) -> int:
        return len(self.refused)


@dataclass(frozen=True, kw_only=True)
class _Task:
    """An image that has to be embedded, as far as the work needs it."""

    id: int
    dataset_id: int
    sha256: str
    file: str
    in_place_path: str
    job_id: int | None
    is_new: bool  # thumbnail and pHash are still to be made


def embed(encoder: Encoder, image_ids: Sequence[int]) -> Outcome:
    """Embed those of the images that this encoder has still to embed, and return how many were.

    Images that wait for their first embedding are only taken by the default encoder, which makes their thumbnail too.
    Raises encoders.NoEncoder where the encoder cannot be loaded, encoders.BrokenEncoder where it gives no vectors; the
    images keep waiting then.
    """
    if encoder.fault:
        raise encoders.BrokenEncoder(encoder.fault)
    network = encoders.network(encoder)
    claimed = _claim(image_ids) if encoder.is_default else []
    try:
        rest = set(image_ids) - {task.id for task in claimed}
        turned = heads.transform(encoder, network, rest) if isinstance(network, HeadedEncoder) else set()
        outcome = _embed(encoder, network, claimed + _missing(encoder, rest - turned))
    except Exception:
        _release(claimed)
        raise
    ended = [jobs.settle(job_id) for job_id in {task.job_id for task in claimed} if job_id]
    if any(ended):
        queue.send_after_load(encoder.pk)
    return replace(outcome, n_embedded=outcome.n_embedded + len(turned))


def _embed(encoder: Encoder, network: Network, tasks: list[_Task]) -> Outcome:
    """Decode, encode and write."""
    if tasks:
        network.warm_up()  # one that cannot be used is found out before pictures are read in vain
    started = time.perf_counter()
    done: list[tuple[_Task, images.Prepared]] = []
    refused: list[tuple[_Task, images.RefusedImage]] = []
    renewed = started
    for task in tasks:
        if time.perf_counter() - renewed > leases.SECONDS_TO_RENEWAL:
            _renew(tasks)
            renewed = time.perf_counter()
        try:
            size = network.spec.input_size
            source = originals.source(task.file, task.in_place_path)
            done.append((task, images.prepare(source, input_size=size, thumbnail=task.is_new)))
        except originals.StorageSilent:
            raise  # all of them wait until it answers
        except images.RefusedImage as error:
            refused.append((task, error))
    vectors, tags, without = _encode_those_that_can_be(encoder, network, [prepared.input for _, prepared in done])
    refused += [(done[place][0], refusals.without_vector()) for place in sorted(without)]
    done = [one for place, one in enumerate(done) if place not in without]
    for task, prepared in done:
        if task.is_new:
            storage.keep(_thumbnail_name(task), prepared.thumbnail)
    with _quick_transaction():
        _write(encoder, done, vectors, tags)
        _refuse(refused)
    made = [(task, prepared) for task, prepared in done if task.is_new]
    _keep_lost_thumbnails(made)
    _remove_thumbnails_of_deleted([task for task, _ in made])
    batches.note(len(done), len(refused), time.perf_counter() - started)
    told = [Refused(image_id=task.id, code=error.code, reason=error.reason) for task, error in refused]
    return Outcome(n_embedded=len(done), refused=tuple(told))


def _keep_lost_thumbnails(made: list[tuple[_Task, images.Prepared]]) -> None:
    """Keep thumbnails again that went before their images had them: with another image of the same content."""
    for task, prepared in made:
        if not default_storage.exists(_thumbnail_name(task)):
            storage.keep(_thumbnail_name(task), prepared.thumbnail)


def _remove_thumbnails_of_deleted(tasks: list[_Task]) -> None:
    """Remove what was made for images that were deleted meanwhile: nobody else knows of those files."""
    there = set(Image.objects.filter(pk__in=[task.id for task in tasks]).values_list("pk", flat=True))
    for task in tasks:
        # The same content may have been imported anew into the same dataset: then the thumbnail is that image's.
        if task.id not in there and not Image.objects.filter(dataset_id=task.dataset_id, sha256=task.sha256).exists():
            default_storage.delete(_thumbnail_name(task))


def _encode_those_that_can_be(
    encoder: Encoder, network: Network, inputs: list[NDArray[np.uint8]]
) -> tuple[NDArray[np.float32], _Tags, set[int]]:
    """Encode pictures; return vectors and tags, and the places of those pictures that get none.

    Raises encoders.BrokenEncoder where that is no picture's fault.
    """
    without: set[int] = set()
    while True:
        places = [place for place in range(len(inputs)) if place not in without]
        try:
            vectors, tags = _encode(network, np.stack([inputs[place] for place in places]) if places else None)
        except BrokenVectors as error:
            if len(error.places) == len(inputs) >= SEVERAL or not _encodes_anything(network):
                raise encoders.declare_broken(encoder) from error
            without |= {places[place] for place in error.places}
        else:
            return vectors, tags, without


def _encodes_anything(network: Network) -> bool:
    """Return whether a network gives a vector for a picture in which there is something of everything."""
    size = network.spec.input_size
    noise = np.random.default_rng(0).integers(0, 256, (1, size, size, 3), dtype=np.uint8)
    try:
        network.encode(noise)
    except BrokenVectors:
        return False
    return True


def _encode(network: Network, inputs: NDArray[np.uint8] | None) -> tuple[NDArray[np.float32], _Tags]:
    if inputs is None:
        return np.empty((0, network.spec.dim), dtype=np.float32), []
    if network.spec.n_classes:
        return network.encode_with_tags(inputs, top=N_TAGS)
    return network.encode(inputs), []


@contextmanager
def _quick_transaction() -> Iterator[None]:
    """Run a transaction that does not wait for the disk.

    A server that loses power forgets its last half second whole: those images wait again, and are embedded again.
    """
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL synchronous_commit = off")
        yield


def _claim(image_ids: Sequence[int]) -> list[_Task]:
    """Take the pending images that nobody holds; give up on those that were taken too often."""
    with _quick_transaction(), connection.cursor() as cursor:
        cursor.execute(
            f"""
            UPDATE search_image SET {leases.HOLD}, n_attempts = n_attempts + 1
            WHERE id IN (SELECT id FROM search_image
                         WHERE id = ANY(%(ids)s) AND status = 'pending' AND {leases.FREE}
                         ORDER BY id FOR UPDATE SKIP LOCKED)
            RETURNING id, dataset_id, sha256, file, in_place_path, job_id, n_attempts
            """,  # noqa: S608 -- the pieces are constants of `leases`
            {"ids": list(image_ids)},
        )
        rows = cursor.fetchall()
    given_up = [_task(row[:6], is_new=True) for row in rows if row[6] > MAX_ATTEMPTS]
    if given_up:
        reason = "Reading it stopped the worker each time it was tried. Save it again with a picture editor."
        _refuse([(task, images.RefusedImage("crashed", reason)) for task in given_up])
        for job_id in {task.job_id for task in given_up if task.job_id}:
            jobs.settle(job_id)
    return [_task(row[:6], is_new=True) for row in rows if row[6] <= MAX_ATTEMPTS]


def _renew(tasks: list[_Task]) -> None:
    """Hold for another while what is still being worked on."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"UPDATE search_image SET {leases.HOLD} WHERE id = ANY(%s) AND status = 'pending'",  # noqa: S608 -- as above
            [[task.id for task in tasks if task.is_new]],
        )


def forget(image_ids: Sequence[int]) -> int:
    """Let images wait for their embedding anew: refused ones get another try, ready ones new vectors; return how many.

    Whoever calls this sends them to the workers afterwards.
    """
    with transaction.atomic():
        Embedding.objects.filter(image__in=image_ids).delete()
        return Image.objects.filter(pk__in=image_ids).update(
            status=Image.Status.PENDING, n_attempts=0, leased_until=None, error_code="", error_detail=""
        )


def tried(image_ids: Sequence[int]) -> set[int]:
    """Return those that wait though somebody has begun them: one of them may be what kills whoever decodes it."""
    waiting = Image.objects.filter(pk__in=image_ids, status=Image.Status.PENDING, n_attempts__gt=0)
    return set(waiting.values_list("pk", flat=True))


def _release(tasks: list[_Task]) -> None:
    """Give claimed images back at once: what failed was not their fault, and nobody has to wait for the lease."""
    Image.objects.filter(pk__in=[task.id for task in tasks], status=Image.Status.PENDING).update(
        leased_until=None, n_attempts=F("n_attempts") - 1
    )


def _missing(encoder: Encoder, image_ids: set[int]) -> list[_Task]:
    """Return the ready images that have no vector of this encoder."""
    if not image_ids:
        return []
    rows = (
        Image.objects.filter(pk__in=image_ids, status=Image.Status.READY)
        .exclude(pk__in=Embedding.objects.filter(encoder=encoder, image__in=image_ids).values("image"))
        .values_list("pk", "dataset_id", "sha256", "file", "in_place_path", "job_id")
    )
    return [_task(row, is_new=False) for row in rows]


def _task(row: tuple[Any, ...], *, is_new: bool) -> _Task:
    names = ("id", "dataset_id", "sha256", "file", "in_place_path", "job_id")
    return _Task(**dict(zip(names, row, strict=True)), is_new=is_new)


def _thumbnail_name(task: _Task) -> str:
    return f"thumbnails/{task.dataset_id}/{task.sha256[:2]}/{task.sha256}.jpg"


def _write(
    encoder: Encoder,
    done: list[tuple[_Task, images.Prepared]],
    vectors: NDArray[np.float32],
    tags: list[list[tuple[str, float]]],
) -> None:
    """Write the vectors of a batch, and the facts of its new images, in the caller's transaction."""
    if not done:
        return
    facts = [
        (_thumbnail_name(task), prepared.format, prepared.width, prepared.height, prepared.phash, task.id)
        for task, prepared in done
        if task.is_new
    ]
    stored_vectors.write(encoder, [task.id for task, _ in done], vectors)
    with bulk_cursor() as cursor:
        if facts:
            cursor.execute(
                """
                UPDATE search_image SET status = 'ready', leased_until = NULL, error_code = '', error_detail = '',
                       thumbnail = new.thumbnail, format = new.format, width = new.width, height = new.height,
                       phash = new.phash::bit(64)
                FROM unnest(%s::text[], %s::text[], %s::int[], %s::int[], %s::text[], %s::bigint[])
                     new (thumbnail, format, width, height, phash, id)
                WHERE search_image.id = new.id
                """,
                [list(column) for column in zip(*facts, strict=True)],
            )
        if tags:
            cursor.executemany(
                # Those that somebody gave it stay.
                "UPDATE search_image SET tags = %s::varchar[] WHERE id = %s AND tags = '{}'",
                [
                    ([name for name, probability in found if probability >= LEAST_TAG_PROBABILITY], task.id)
                    for (task, _), found in zip(done, tags, strict=True)
                ],
            )


def _refuse(refused: list[tuple[_Task, images.RefusedImage]]) -> None:
    """Record why images were refused. One that was ready before stays ready; it only has no vector of this encoder."""
    for task, error in refused:
        logger.warning("Image %d is refused (%s): %s", task.id, error.code, error.reason)
        if task.is_new:
            Image.objects.filter(pk=task.id, status=Image.Status.PENDING).update(
                status=Image.Status.REFUSED, error_code=error.code, error_detail=error.reason, leased_until=None
            )
