"""Kinds of values that several addresses take or give: text that rows can keep, ids, places in a list."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal, TypeVar

from django.db.models import Model, QuerySet
from ninja import Path, Query, Schema
from pydantic import BeforeValidator, ConfigDict, Field

from search.asking.examples import LARGEST_ID
from search.models import Image

# A NUL can be kept in no row; of what else cannot, JSON and addresses have nothing.
_NO_NUL = r"^[^\x00]*$"
Text = Annotated[str, Field(pattern=_NO_NUL, max_length=200)]
Label = Annotated[str, Field(pattern=r"^[^\x00-\x1f]*$", max_length=200)]
Tag = Annotated[str, Field(pattern=r"^[^\x00-\x1f]+$", min_length=1, max_length=100)]
Tags = Annotated[list[Tag], Field(max_length=50)]
Split = Literal["none", "train", "val", "test"]
Status = Literal["pending", "ready", "refused"]


def whole(value: object) -> object:
    """Return 7 for 7.0: JSON has one kind of number, and some programs write every one with a point."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


WHOLE = BeforeValidator(whole)
Id = Annotated[int, Field(ge=1, le=LARGEST_ID), WHOLE]
Cursor = Annotated[
    int | None, Query(None, ge=0, le=LARGEST_ID, description="`next_cursor` of the page before; none for the first.")
]
Limit = Annotated[int, Query(50, ge=1, le=200, description="How many at most.")]
Slug = Annotated[str, Path(..., pattern=r"^[-a-zA-Z0-9_]+$", max_length=110)]
Row = TypeVar("Row", bound=Model)


class Body(Schema):
    """What is sent: nothing that has no meaning, and each value of its own kind."""

    model_config = ConfigDict(extra="forbid", strict=True)


def page_of(rows: QuerySet[Row], cursor: int | None, limit: int, *, newest_first: bool = False) -> dict[str, Any]:
    """Return a page of rows in the order of their ids as `items`, and where the next one begins as `next_cursor`.

    It goes on after an id and not at a count: what is added or deleted meanwhile moves nothing.
    """
    ordered = rows.order_by("-pk" if newest_first else "pk")
    if cursor is not None:
        ordered = ordered.filter(pk__lt=cursor) if newest_first else ordered.filter(pk__gt=cursor)
    found = list(ordered[: limit + 1])
    more = found[limit - 1].pk if len(found) > limit else None
    return {"items": found[:limit], "next_cursor": more}


class ReasonOut(Schema):
    """Why a picture was refused."""

    code: str
    reason: str


class ImageOut(Schema):
    """An image of a dataset. status: pending until it is embedded; then ready, or refused for a reason.

    picture_url and thumbnail_url answer with JPEG without metadata, to tokens too; the thumbnail once it is ready.
    """

    id: int
    dataset: str
    source: str
    name: str
    label: str
    tags: list[str]
    split: Split
    status: Status
    refusal: ReasonOut | None
    format: str
    width: int
    height: int
    n_bytes: int
    sha256: str
    created_at: datetime
    url: str
    picture_url: str
    thumbnail_url: str


def image_out(image: Image) -> dict[str, Any]:
    """Return what is told of an image; its dataset has been read with it."""
    address = f"/api/v1/images/{image.pk}"
    is_refused = image.status == Image.Status.REFUSED
    return {
        "id": image.pk,
        "dataset": image.dataset.slug,
        "source": image.source,
        "name": image.name,
        "label": image.label,
        "tags": image.tags,
        "split": image.split,
        "status": image.status,
        "refusal": {"code": image.error_code, "reason": image.error_detail} if is_refused else None,
        "format": image.format,
        "width": image.width,
        "height": image.height,
        "n_bytes": image.n_bytes,
        "sha256": image.sha256,
        "created_at": image.created_at,
        "url": image.get_absolute_url(),
        "picture_url": f"{address}/picture",
        "thumbnail_url": f"{address}/thumbnail",
    }
