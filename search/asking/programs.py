"""A search from the request's words to the answer, for every door that is no web page: the API and the command line."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from embeddings.images import Crop
from search import encoders, neighbours
from search.asking import queries
from search.asking.queries import Query
from search.models import Encoder, Image
from search.neighbours import MAX_HITS, Answer, Scope
from search.quality import calibrating
from search.quality.calibrating import Worth


class BadRequest(ValueError):
    """A word of the request makes no sense. The message says which values do."""


@dataclass(frozen=True, kw_only=True)
class Result:
    """What was asked, and the answer."""

    query: Query
    answer: Answer
    encoder: Encoder

    @cached_property
    def worths(self) -> list[Worth | None]:
        """What the distance of each hit is worth."""
        return calibrating.worths(self.encoder, self.answer.hits)

    def as_json(self) -> dict[str, Any]:
        return {
            "hits": [hit.as_json() for hit in self.answer.hits],
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
    source: bytes | Path, scope: Scope, *, encoder: str = "", k: int = 10, crop: Crop | None = None
) -> Result:
    """Search with a picture's bytes or path.

    Raises BadRequest, encoders.NoEncoder, embeddings.images.RefusedImage.
    """
    _check(k)
    row = encoders.by_name(encoder)
    query = queries.from_picture(source, row, crop)
    return Result(query=query, answer=neighbours.nearest(query.vector, row, scope, k=k), encoder=row)


def by_image(image: Image, scope: Scope, *, encoder: str = "", k: int = 10, crop: Crop | None = None) -> Result:
    """Search with an image of a gallery, or a part of it; it is left out of the answer. Raises as `by_picture` does."""
    _check(k)
    row = encoders.by_name(encoder)
    query = queries.from_image(image, row, crop)
    return Result(query=query, answer=neighbours.nearest(query.vector, row, scope, k=k), encoder=row)


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
