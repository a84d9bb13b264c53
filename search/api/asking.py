"""What a search is asked with and answered with: the fields, how they are read, and the place of a page."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import date
from typing import Annotated, Any, Literal

from ninja import Schema
from pydantic import ConfigDict, Field, TypeAdapter, ValidationError

from embeddings.images.decoding import FORMATS
from search.api import fields
from search.api.problems import Invalid
from search.asking import programs
from search.asking.examples import LARGEST_ID, MOST, Wish
from search.asking.results import Page
from search.forms.fields import place_text
from search.neighbours import Place

_LARGEST_OFFSET = 10**9
_MOST_NUMBERS = 4000
_FORMAT = f"^({'|'.join(FORMATS)})$"
_Edge = Annotated[int, Field(ge=1, le=100_000)]


class HitOut(Schema):
    """One image, and how far it is from the query, by the distance of its encoder.

    similarity: 1 - distance where that is cosine distance, 0..2; null where it is Euclidean.
    """

    id: int
    source: str
    label: str
    dataset: str
    distance: float
    similarity: float | None
    url: str
    thumbnail_url: str


class WorthOut(Schema):
    """What the distance of a hit is worth, 0..1 each, null where it is not known.

    chance: of having the query's label, from an evaluation; rarity: share of random pairs that are farther apart.
    is_similar: whether it may be called a find.
    """

    chance: float | None
    rarity: float | None
    words: str
    is_similar: bool


class TookOut(Schema):
    """Milliseconds of each step."""

    decode: float
    embed: float
    search: float


class SearchOut(Schema):
    """The nearest images, nearest first. exact: every image in scope was compared. worth: of each hit, in order.

    next: what to send as `after` for the hits behind the last one; null where fewer came than were asked for.
    """

    hits: list[HitOut]
    exact: bool
    encoder: str
    worth: list[WorthOut | None]
    took_ms: TookOut
    next: str | None


class Filters(Schema):
    """Which images may answer. What is left out filters nothing; of several labels, formats or splits any will do."""

    model_config = ConfigDict(extra="forbid")

    labels: list[fields.Label] = []
    tags: list[fields.Tag] = Field([], description="All of them.")
    splits: list[fields.Split] = []
    formats: list[Annotated[str, Field(pattern=_FORMAT)]] = []
    orientation: Literal["landscape", "portrait", "square"] | None = None
    min_edge: _Edge | None = Field(None, description="Of the longer side, in pixels.")
    max_edge: _Edge | None = None
    added_from: date | None = None
    added_to: date | None = Field(None, description="That day included.")
    words: fields.Text = Field("", description="Each of which is in the source, the label or a tag.")
    max_distance: float | None = Field(None, ge=0, allow_inf_nan=False)


_IDS = {"type": "array", "items": {"type": "integer", "minimum": 1}, "maxItems": MOST}
FIELDS: dict[str, Any] = {
    "image_id": {"type": "integer", "description": "In place of a picture: an image of a gallery."},
    "image_ids": {**_IDS, "description": "Further images that hits should be like."},
    "less_ids": {**_IDS, "description": "Images that hits should not be like."},
    "vector": {
        "type": "array",
        "items": {"type": "number"},
        "maxItems": _MOST_NUMBERS,
        "description": "In place of a picture: a vector of the encoder, which has to be named.",
    },
    "dataset": {"type": "string", "description": "Name or slug of a dataset; every visible one if left out."},
    "encoder": {"type": "string", "description": "Name of an encoder; the default one if left out."},
    "k": {"type": "integer", "minimum": 1, "maximum": 1000, "default": 10},
    "after": {"type": "string", "description": "`next` of the answer before."},
    "crop": {"type": "string", "description": "x,y,width,height as fractions: search with this part of the picture."},
    **{
        name: {key: value for key, value in told.items() if key not in {"default", "title"}}
        for name, told in Filters.json_schema()["properties"].items()
    },
}
# Those of which a form may send several.
LISTS = ("image_ids", "less_ids", "vector", "labels", "tags", "splits", "formats")
_Ids = TypeAdapter(Annotated[list[fields.Id], Field(max_length=MOST)])
_Numbers = TypeAdapter(Annotated[list[Annotated[float, Field(allow_inf_nan=False)]], Field(max_length=_MOST_NUMBERS)])


def filters_of(words: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of a scope that a request sets. Raises Invalid."""
    given = {name: words[name] for name in Filters.model_fields if name in words}
    if not given:
        return {}
    try:
        told = Filters.model_validate(given).model_dump(exclude_unset=True)
    except ValidationError as error:
        raise Invalid(error.errors()) from error
    if "words" in told:
        told["words"] = told["words"].split()
    return {name: tuple(value) if isinstance(value, list) else value for name, value in told.items()}


def images_of(words: Mapping[str, Any], *names: str) -> list[Wish]:
    """Return the images that fields name, each once. Raises Invalid."""
    found: list[int] = []
    for name in names:
        value = words.get(name, [])
        found += _valid(_Ids, value if isinstance(value, list) else [value], name)
    return [Wish(name=str(image_id)) for image_id in dict.fromkeys(found)]


def numbers_of(value: object) -> list[float]:
    """Return a vector as it was sent. Raises Invalid."""
    return _valid(_Numbers, value, "vector")


def _valid(kind: TypeAdapter[Any], value: object, name: str) -> Any:
    try:
        return kind.validate_python(value)
    except ValidationError as error:
        raise Invalid([{**one, "loc": (name, *one["loc"])} for one in error.errors()]) from error


def page_of(words: Mapping[str, Any]) -> Page:
    """Return which hits are asked for. Raises programs.BadRequest."""
    k = programs.read_k(str(fields.whole(words.get("k", 10))))
    if "after" not in words:
        return Page(k=k)
    try:
        offset, distance, image_id = str(words["after"]).split("~")
        page = Page(k=k, offset=int(offset), after=Place(float(distance), int(image_id)))
    except ValueError as error:
        raise programs.BadRequest(_NO_PLACE) from error
    if not _is_place(page):
        raise programs.BadRequest(_NO_PLACE)
    return page


_NO_PLACE = "after must be what an answer before gave as `next`."


def _is_place(page: Page) -> bool:
    after = page.after
    return bool(
        after
        and 0 < page.offset <= _LARGEST_OFFSET
        and math.isfinite(after.distance)
        and 0 < after.image_id <= LARGEST_ID
    )


def page_text(page: Page | None) -> str | None:
    """Return the place of a page, to the last bit of the distance."""
    return f"{page.offset}~{place_text(page.after)}" if page else None
