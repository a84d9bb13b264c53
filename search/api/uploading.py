"""Uploads into a dataset, each of which can be sent again without harm."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from typing import Annotated, Any

from django.core.cache import cache
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from ninja import File, Form, Header, Schema, Status
from ninja.decorators import decorate_view
from ninja.files import UploadedFile
from pydantic import Field

from embeddings.images import RefusedImage
from search.api.access import WRITING, own_dataset
from search.api.fields import ImageOut, Label, Slug, Split, image_out
from search.api.images import router
from search.api.problems import Problem, problem, refusals, status_of
from search.ingest import adding
from search.ingest.errors import DatasetDeleted
from search.models import Dataset

logger = logging.getLogger(__name__)
KEPT_SECONDS = 24 * 3600
_FORM = "multipart/form-data"
Key = Annotated[str, Field(pattern=r"^[!-~]*$", max_length=255)]


class UploadIn(Schema):
    """What is said of the picture."""

    label: Label = ""
    split: Split = "none"


class UploadOut(ImageOut):
    """The image. is_new: whether the dataset did not have that content yet; else it is the one that was there."""

    is_new: bool


def _of_form(run: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
    """Say how files are sent where another kind of body came."""

    @wraps(run)
    def checked(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if request.content_type != _FORM:
            return problem(415, "unsupported_media_type", f"Send the picture as the file 'image' of a form ({_FORM}).")
        return run(request, *args, **kwargs)

    return checked


@router.post(
    "/datasets/{slug:slug}/images",
    auth=WRITING,
    response={200: UploadOut, 201: UploadOut, **refusals(409, 413, 415, 429)},
    summary="Upload a picture",
)
@decorate_view(_of_form)
def upload(
    request: HttpRequest,
    slug: Slug,
    response: HttpResponse,
    image: File[UploadedFile],
    fields: Annotated[UploadIn, Form(...)],
    idempotency_key: Annotated[Key, Header("", alias="Idempotency-Key")] = "",
) -> Status[dict[str, Any]]:
    """Add a picture to a dataset; it can be found when it is embedded, mostly within seconds.

    The content decides what is new: a picture that is there already is told with 200 in place of 201, and gets the
    label and the split that it lacks. The same Idempotency-Key within a day gives the same answer again; with another
    picture or other fields it is refused with 409.
    """
    dataset = own_dataset(request, slug)
    content = image.read()
    once = _Once.begin(request, idempotency_key, [slug, image.name or "", fields.label, fields.split], content)
    status, told = once.told or _add(dataset, image.name or "", content, fields)
    once.keep(status, told)
    if status == 201:
        response["Location"] = reverse("api-1:read_image", args=[told["id"]])
    return Status(status, told)


def _add(dataset: Dataset, name: str, content: bytes, fields: UploadIn) -> tuple[int, dict[str, Any]]:
    try:
        added = adding.add(dataset, name, content, job=None, label=fields.label, split=fields.split)
    except RefusedImage as error:
        raise Problem(status_of(error.code), error.code, error.reason) from error
    except DatasetDeleted as error:
        raise Problem(404, "not_found", str(error)) from error
    return 201 if added.is_new else 200, {**image_out(added.image), "is_new": added.is_new}


@dataclass(frozen=True, kw_only=True)
class _Once:
    """A request with a key, for which the same answer is given for a day. The cache may forget it: then it is done
    again, and finds the picture there.
    """

    name: str
    digest: str
    told: tuple[int, dict[str, Any]] | None = None

    @classmethod
    def begin(cls, request: HttpRequest, key: str, words: list[str], content: bytes) -> _Once:
        """Return what is known of a key. Raises Problem where it came with another request."""
        if not key:
            return cls(name="", digest="")
        name = f"upload:{request.user.pk}:{hashlib.sha256(key.encode()).hexdigest()}"
        digest = hashlib.sha256("\0".join([*words, hashlib.sha256(content).hexdigest()]).encode()).hexdigest()
        # Of two requests with one key at once, the second finds what the first has left here.
        kept = None if _cached("add", name, (digest, None), KEPT_SECONDS) else _cached("get", name)
        if kept and kept[0] != digest:
            raise Problem(409, "key_used", "This Idempotency-Key was used for another upload within the last day.")
        return cls(name=name, digest=digest, told=kept[1] if kept else None)

    def keep(self, status: int, told: dict[str, Any]) -> None:
        if self.name and self.told is None:
            _cached("set", self.name, (self.digest, (status, told)), KEPT_SECONDS)


def _cached(method: str, *arguments: Any) -> Any:
    """Ask the cache; None where it is out of reach."""
    try:
        return getattr(cache, method)(*arguments)
    except Exception:  # whatever the cache's client raises, the upload itself goes on
        logger.warning("The cache is out of reach: an Idempotency-Key is not kept.", exc_info=True)
        return None
