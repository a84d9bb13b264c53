"""Encoders: which there are, and how many of the images that one may see each has embedded."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.http import HttpRequest
from django.urls import reverse
from ninja import Router, Schema

from search.api import fields
from search.api.access import ANYBODY, READING
from search.api.fields import Cursor, Limit, page_of
from search.api.problems import Problem, refusals
from search.models import Dataset, Encoder
from search.neighbours import sizes

router = Router(tags=["encoders"])


class EncoderOut(Schema):
    """A network that turns pictures into vectors of `dim` numbers. n_embedded: of the images that you may see."""

    name: str
    family: str
    dim: int
    distance: str
    input_size: int | None
    is_default: bool
    embeds_imports: bool
    gives_tags: bool
    weights_sha256: str
    n_embedded: int
    created_at: datetime
    url: str


class EncodersOut(Schema):
    """A page of encoders, in the order in which they were installed."""

    items: list[EncoderOut]
    next_cursor: int | None


@router.get(
    "", auth=READING, response={200: EncodersOut, **refusals()}, openapi_extra=ANYBODY, summary="List the encoders"
)
def list_encoders(request: HttpRequest, cursor: Cursor, limit: Limit) -> dict[str, Any]:
    page = page_of(Encoder.objects.all(), cursor, limit)
    return {**page, "items": _told(request, page["items"])}


@router.get(
    "/{slug:name}",
    auth=READING,
    response={200: EncoderOut, **refusals()},
    openapi_extra=ANYBODY,
    summary="Read an encoder",
)
def read_encoder(request: HttpRequest, name: fields.Slug) -> dict[str, Any]:
    found = Encoder.objects.filter(name=name).first()
    if found is None:
        raise Problem(404, "not_found", f"There is no encoder {name[:100]!r}.")
    return _told(request, [found])[0]


def _told(request: HttpRequest, encoders: Sequence[Encoder]) -> list[dict[str, Any]]:
    visible = tuple(Dataset.objects.visible_to(request.user).values_list("pk", flat=True))
    return [
        {
            **{name: getattr(one, name) for name in _FACTS},
            # What it was trained on may be private: of its description no more than this.
            "input_size": one.spec.get("input_size"),
            "n_embedded": sum(sizes(one, visible).values()),
            "url": reverse("encoder", args=[one.name]),
        }
        for one in encoders
    ]


_FACTS = (
    "name", "family", "dim", "distance", "is_default", "embeds_imports", "gives_tags", "weights_sha256", "created_at",
)  # fmt: skip
