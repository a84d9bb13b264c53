"""A picture, part of one, or an image of a gallery, as a query: a vector, and what tells copies of it.

An uploaded picture is kept in the cache for an hour, as a preview without metadata and its vectors, under a random key;
so reloading, cropping and changing the encoder need no second upload. Nothing else keeps it.
"""

from __future__ import annotations

import base64
import logging
import secrets
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cache as cached
from pathlib import Path

import numpy as np
from django.core.cache import cache
from django.urls import reverse
from numpy.typing import NDArray

from embeddings import images
from embeddings.encoder import BrokenVectors
from embeddings.images import Crop, PreparedQuery, refusals
from search import encoders
from search.metrics import stages
from search.models import Embedding, Encoder, Image

logger = logging.getLogger(__name__)

KEPT_SECONDS = 3600


class QueryExpired(Exception):
    """The picture of this key is no longer kept."""


@dataclass(frozen=True, kw_only=True)
class Query:
    """A question: a unit vector of one encoder, and where it came from."""

    vector: NDArray[np.float32]
    # JPEG without metadata; empty where the query is an image of a gallery, and so are the facts of the picture.
    preview: bytes = b""
    format: str = ""
    width: int = 0
    height: int = 0
    # Of the file, and of what is searched with, 64 characters 0 or 1; empty where that is not known.
    sha256: str = ""
    phash: str = ""
    image: Image | None = None
    crop: Crop | None = None
    key: str = ""  # under which the picture is kept; empty where it is not
    decode_ms: float = 0.0
    embed_ms: float = 0.0

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of the whole upright picture."""
        return (self.image.width, self.image.height) if self.image else (self.width, self.height)

    @property
    def preview_url(self) -> str:
        """The address of the whole picture; the picture itself where it could not be kept."""
        if self.key:
            return reverse("query-picture", args=[self.key])
        if self.image is not None:
            return reverse("picture", args=[self.image.pk, self.image.sha256[:12]])
        return "data:image/jpeg;base64," + base64.b64encode(self.preview).decode()

    @property
    def thumbnail_url(self) -> str:
        return self.image.thumbnail_url if self.image else self.preview_url


@dataclass(frozen=True, kw_only=True)
class Reading:
    """A picture that becomes a query. picture: returns what was made of it; query: that, encoded. Or both say why not.

    sha256: of the file; empty where copies are not asked for, and for a part of a picture, which has no exact one.
    """

    picture: Callable[[], PreparedQuery]
    query: Callable[[], Query]
    sha256: str


def from_picture(
    source: bytes | Path, encoder: Encoder, crop: Crop | None = None, *, preview: bool = True, copies: bool = True
) -> Query:
    """Turn a picture's bytes into a query.

    crop: x, y, width, height as fractions of the upright picture. preview: whether to make one; where the whole picture
    is at hand already, that would take as long as embedding it. copies: whether to make what tells copies of it.
    Raises embeddings.images.RefusedImage, with code "crop" for one outside the picture; encoders.NoEncoder.
    """
    with reading(source, encoder, crop, preview=preview, copies=copies) as begun:
        return begun.query()


@contextmanager
def reading(
    source: bytes | Path,
    encoder: Encoder,
    crop: Crop | None = None,
    *,
    preview: bool = True,
    copies: bool = True,
    aside: bool = False,
) -> Iterator[Reading]:
    """Begin to do what `from_picture` does.

    In the web server another process decodes, and with `aside` another thread waits for it and encodes: questions to
    the database that the caller has until then cost no time. He has to have asked it something before, so that nobody
    waits here for a connection.
    """
    network = encoders.network(encoder)
    size = network.spec.input_size
    started = time.perf_counter()

    def encoded(prepared: PreparedQuery) -> Query:
        decoded = time.perf_counter()
        try:
            vector = network.encode(prepared.input[np.newaxis])[0]
        except BrokenVectors as error:
            raise refusals.without_vector() from error
        embedded = time.perf_counter()
        stages.observe("decode", decoded - started)
        stages.observe("embed", embedded - decoded)
        return Query(
            vector=vector,
            preview=prepared.preview,
            format=prepared.format,
            width=prepared.width,
            height=prepared.height,
            sha256=sha256,
            phash=prepared.phash,
            crop=crop,
            decode_ms=(decoded - started) * 1000,
            embed_ms=(embedded - decoded) * 1000,
        )

    with images.preparing_query(source, input_size=size, crop=crop, preview=preview, phash=copies) as prepared:
        picture = cached(prepared)
        sha256 = "" if crop or not copies else images.sha256_of(source)
        if not aside:
            yield Reading(picture=picture, query=lambda: encoded(picture()), sha256=sha256)
            return
        with ThreadPoolExecutor(1) as thread:
            read = thread.submit(picture)
            query = thread.submit(lambda: encoded(read.result()))
            yield Reading(picture=read.result, query=query.result, sha256=sha256)


def from_image(image: Image, encoder: Encoder, crop: Crop | None = None) -> Query:
    """Turn an image of a gallery, or a part of it, into a query: by its stored vector, or by embedding it now.

    Raises embeddings.images.RefusedImage where it has to be embedded and its file cannot be read.
    """
    if crop is not None:
        return replace(from_picture(image.original, encoder, crop, preview=False), image=image)
    stored = Embedding.objects.filter(image=image, encoder=encoder).values_list("vector", flat=True).first()
    if stored is not None:
        return Query(
            vector=np.asarray(stored, dtype=np.float32), image=image, sha256=image.sha256, phash=image.phash_bits
        )
    return replace(from_picture(image.original, encoder, preview=False), image=image)


def keep(query: Query, encoder: Encoder) -> Query:
    """Keep the query's picture for an hour; return the query with its key (empty where the cache is out of reach)."""
    kept = replace(query, key=secrets.token_urlsafe(16))
    return kept if _store(kept.key, {encoder.pk: kept}) else query


def recall(key: str, encoder: Encoder, crop: Crop | None = None) -> Query:
    """Return the query kept under a key, embedding its picture again where the encoder or the crop is new.

    Raises QueryExpired, and embeddings.images.RefusedImage for a crop outside the picture.
    """
    kept = _kept(key)
    if crop is None and encoder.pk in kept:
        return kept[encoder.pk]
    first = next(iter(kept.values()))
    again = from_picture(first.preview, encoder, crop, preview=False)
    query = replace(first, vector=again.vector, decode_ms=again.decode_ms, embed_ms=again.embed_ms)
    if crop is not None:
        return replace(query, crop=crop, sha256="", phash=again.phash)
    _store(key, {**kept, encoder.pk: query})
    return query


def preview(key: str) -> bytes:
    """Return the JPEG kept under a key. Raises QueryExpired."""
    return next(iter(_kept(key).values())).preview


def _store(key: str, kept: dict[int, Query]) -> bool:
    """Keep a picture's queries, one for each encoder; return whether the cache took them."""
    try:
        cache.set(f"query:{key}", kept, KEPT_SECONDS)
    except Exception:  # whatever the cache's client raises, the search itself goes on
        logger.warning("The cache is out of reach: a query picture is not kept.", exc_info=True)
        return False
    return True


def _kept(key: str) -> dict[int, Query]:
    try:
        kept: dict[int, Query] | None = cache.get(f"query:{key}")
    except Exception as error:
        raise QueryExpired("The cache is out of reach; upload the picture again.") from error
    if kept is None:
        raise QueryExpired("Pictures you search with are kept for an hour. Upload this one again.")
    return kept
