"""A search from the request's words to the answer, for every door that is no web page: the API and the command line."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from embeddings.images import Crop
from search import encoders, neighbours
from search.asking import examples, queries
from search.asking.examples import MOST, Example, Wish, Wishes
from search.asking.queries import Query
from search.asking.results import Page, Prepared
from search.models import Encoder, Image
from search.neighbours import MAX_HITS, Answer, Place, Scope
from search.quality import calibrating
from search.quality.calibrating import Worth

if TYPE_CHECKING:
    from django.contrib.auth.models import AbstractBaseUser, AnonymousUser

_LARGEST_NUMBER = 65_504.0  # of the halves as which vectors are compared
_LEAST_NUMBER = 1e-6
FIRST = Page(k=10)


class BadRequest(ValueError):
    """A word of the request makes no sense. The message says which values do."""


@dataclass(frozen=True, kw_only=True)
class Result:
    """What was asked, and the answer. worths: what the distance of each hit is worth, where that is known."""

    query: Query
    answer: Answer
    encoder: Encoder
    page: Page
    worths: Sequence[Worth | None]

    @property
    def next_page(self) -> Page | None:
        """Where to go on; None after the last hit. Of a full last page this is found out by an empty one."""
        hits, page = self.answer.hits, self.page
        if len(hits) < page.k:
            return None
        return Page(k=page.k, offset=page.offset + page.k, after=Place(hits[-1].distance, hits[-1].id))

    def as_json(self) -> dict[str, Any]:
        has_similarity = self.encoder.distance == Encoder.Distance.COSINE
        return {
            "hits": [hit.as_json(has_similarity=has_similarity) for hit in self.answer.hits],
            "exact": self.answer.exact,
            "encoder": self.encoder.name,
            # Of each hit, in their order; null where nothing is known.
            "worth": [one and one.as_json() for one in self.worths],
            "took_ms": {
                "decode": round(self.query.decode_ms, 2),
                "embed": round(self.query.embed_ms, 2),
                "search": round(self.answer.search_ms, 2),
            },
        }


def by_picture(
    source: bytes | Path,
    find_scope: Callable[[], Scope],
    *,
    encoder: str = "",
    page: Page = FIRST,
    crop: Crop | None = None,
) -> Result:
    """Search with a picture's bytes or path. The scope is found while the picture is decoded.

    Raises BadRequest, encoders.NoEncoder, embeddings.images.RefusedImage, and what `find_scope` raises.
    """
    _check(page.k)
    row = encoders.by_name(encoder)
    with queries.reading(source, row, crop, preview=False, copies=False) as begun:
        prepared = _prepared(row, find_scope(), page)
        return _answered(begun.query(), prepared)


def by_image(image: Image, scope: Scope, *, encoder: str = "", page: Page = FIRST, crop: Crop | None = None) -> Result:
    """Search with an image of a gallery, or a part of it; it is left out of the answer. Raises as `by_picture` does."""
    _check(page.k)
    row = encoders.by_name(encoder)
    return _answered(queries.from_image(image, row, crop), _prepared(row, scope.without(image.pk), page))


def by_vector(numbers: Sequence[float], scope: Scope, *, encoder: str, page: Page = FIRST) -> Result:
    """Search with a vector that an encoder gave, of any length above 0 where it compares by cosine.

    Raises BadRequest, encoders.NoEncoder.
    """
    _check(page.k)
    if not encoder:
        raise BadRequest("Name the encoder that the vector is of.")
    row = encoders.by_name(encoder)
    if len(numbers) != row.dim:
        raise BadRequest(f"A vector of {row.name} has {row.dim} numbers; got {len(numbers)}.")
    vector = np.array(numbers, np.float64)
    if not _LEAST_NUMBER < np.abs(vector).max() < _LARGEST_NUMBER:
        raise BadRequest("The vector must have a length above 0, and numbers below 65,504.")
    if row.distance == Encoder.Distance.COSINE:
        vector = vector / np.linalg.norm(vector)
    return _answered(Query(vector=vector.astype(np.float32)), _prepared(row, scope, page))


def by_examples(
    wishes: Wishes,
    user: AbstractBaseUser | AnonymousUser | None,
    scope: Scope,
    *,
    picture: bytes | None = None,
    encoder: str = "",
    page: Page = FIRST,
) -> Result:
    """Search with several images of galleries, and with pictures of what is not wanted; none of them answers.

    picture: one that is wanted first of all. Raises BadRequest, encoders.NoEncoder, examples.UnknownImage,
    examples.NothingWanted, embeddings.images.RefusedImage.
    """
    _check(page.k)
    if len(wishes.images) + len(wishes.less) + (picture is not None) > MOST:
        raise BadRequest(f"A search takes {MOST} pictures at most.")
    row = encoders.by_name(encoder)
    first: list[Example] = []
    if picture is not None:
        query = queries.from_picture(picture, row, wishes.crop, preview=False, copies=False)
        first, wishes = [Example(query=query, wish=Wish(name="picture"))], replace(wishes, crop=None)
    mix = examples.recall(wishes, row, user, beside=first)
    query = replace(mix.main, vector=mix.vector, decode_ms=mix.decode_ms, embed_ms=mix.embed_ms)
    return _answered(query, _prepared(row, scope.without(*mix.image_ids), page, is_mixed=mix.is_mixed))


def _prepared(encoder: Encoder, scope: Scope, page: Page, *, is_mixed: bool = False) -> Prepared:
    return Prepared(
        encoder=encoder,
        scope=scope,
        page=page,
        plan=neighbours.plan(encoder, scope, k=page.k, offset=page.offset),
        # They were measured with single pictures.
        scales={} if is_mixed else calibrating.scales_of(encoder),
    )


def _answered(query: Query, asked: Prepared) -> Result:
    answer = asked.ranked(query.vector)
    worths = calibrating.worths(asked.scales, answer.hits)
    return Result(query=query, answer=answer, encoder=asked.encoder, page=asked.page, worths=worths)


def read_k(text: str) -> int:
    """Return the number of hits that a request's text asks for. Raises BadRequest."""
    try:
        return int(text)
    except ValueError as error:
        raise BadRequest(f"k must be a whole number from 1 to {MAX_HITS}; got {text[:40]!r}.") from error


def read_crop(text: str) -> Crop:
    """Return a crop from "x,y,width,height", fractions of the picture. Raises BadRequest."""
    try:
        x, y, width, height = (float(part) for part in text.split(","))
    except ValueError as error:
        raise BadRequest("crop must be four numbers: x,y,width,height, as fractions of the picture.") from error
    return x, y, width, height


def _check(k: int) -> None:
    if not 1 <= k <= MAX_HITS:
        raise BadRequest(f"k must be from 1 to {MAX_HITS}; got {k}.")
