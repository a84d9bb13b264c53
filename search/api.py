"""The API for programs, `/api/v1`: search by a picture, a part of one, or an image that is in a gallery."""

from __future__ import annotations

import base64
import json
from typing import Any

from django.core.exceptions import SuspiciousOperation
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.http.multipartparser import MultiPartParserError
from ninja import NinjaAPI, Schema
from ninja.openapi.docs import Swagger

from embeddings.images import RefusedImage
from search.asking import programs
from search.asking.scope import UnknownDataset, scope_for
from search.encoders import NoEncoder
from search.models import Image

api = NinjaAPI(
    title="ImgSim",
    version="1",
    description="Find the images most like a picture, in your own galleries.",
    docs=Swagger(settings={"persistAuthorization": True}),
)


class HitOut(Schema):
    """One image, and how far it is from the query: cosine distance 0..2, similarity = 1 - distance."""

    id: int
    source: str
    label: str
    dataset: str
    distance: float
    similarity: float
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
    """The nearest images, nearest first. exact: every image in scope was compared. worth: of each hit, in order."""

    hits: list[HitOut]
    exact: bool
    encoder: str
    worth: list[WorthOut | None]
    took_ms: TookOut


class ProblemOut(Schema):
    """Why a request was not answered (RFC 9457)."""

    type: str
    title: str
    status: int
    code: str
    detail: str


_FIELDS = {
    "image_id": {"type": "integer", "description": "In place of a picture: an image of a gallery."},
    "dataset": {"type": "string", "description": "Name or slug of a dataset; every visible one if left out."},
    "encoder": {"type": "string", "description": "Name of an encoder; the default one if left out."},
    "k": {"type": "integer", "minimum": 1, "maximum": 1000, "default": 10},
    "crop": {"type": "string", "description": "x,y,width,height as fractions: search with this part of the picture."},
}
_BODY = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "properties": {"image": {"type": "string", "format": "binary"}, **_FIELDS},
                }
            },
            "application/json": {
                "schema": {
                    "type": "object",
                    "properties": {
                        "image": {"type": "string", "format": "byte", "description": "The picture, base64."},
                        **_FIELDS,
                    },
                }
            },
        },
    }
}


@api.post(
    "/v1/search",
    response={200: SearchOut, 400: ProblemOut, 404: ProblemOut, 422: ProblemOut, 503: ProblemOut},
    openapi_extra=_BODY,
    summary="Search by a picture",
)
def search(request: HttpRequest) -> HttpResponse:
    """Send a picture, get the images most like it."""
    try:
        return JsonResponse(_search(request).as_json())
    except RefusedImage as error:
        return _problem(422, error.code, error.reason)
    except programs.BadRequest as error:
        return _problem(400, "bad_request", str(error))
    except (UnknownDataset, Image.DoesNotExist) as error:
        return _problem(404, "not_found", str(error))
    except NoEncoder as error:
        return _problem(503 if not _words(request).get("encoder") else 404, "no_encoder", str(error))


@api.api_operation(["GET", "PUT", "PATCH", "DELETE"], "/v1/search", include_in_schema=False)
def search_by_another_method(request: HttpRequest) -> HttpResponse:
    """Say how a search is asked for."""
    response = _problem(405, "method_not_allowed", "Send a picture by POST; /api/docs shows how.")
    response["Allow"] = "POST"
    return response


def _search(request: HttpRequest) -> programs.Result:
    words = _words(request)
    k = programs.read_k(str(words.get("k", 10)))
    encoder, dataset = str(words.get("encoder", "")), str(words.get("dataset", ""))
    crop = programs.read_crop(str(words["crop"])) if words.get("crop") else None
    if "image_id" in words:
        scope = scope_for(request.user, dataset)
        image = _image(request, words["image_id"])
        return programs.by_image(image, scope.without(image.pk), encoder=encoder, k=k, crop=crop)
    return programs.by_picture(
        _picture(request, words), scope_for(request.user, dataset), encoder=encoder, k=k, crop=crop
    )


def _words(request: HttpRequest) -> dict[str, Any]:
    """Return the fields of the request that say something, from its form or its JSON. Raises BadRequest."""
    try:
        words = json.loads(request.body) if request.content_type == "application/json" else request.POST.dict()
    except RecursionError as error:
        raise programs.BadRequest("The body is nested too deeply.") from error
    except (SuspiciousOperation, MultiPartParserError) as error:  # too large, too many fields or files, broken off
        raise programs.BadRequest(f"The body cannot be read: {error}") from error
    except ValueError as error:
        raise programs.BadRequest(f"The body is no JSON: {error}.") from error
    if not isinstance(words, dict):
        raise programs.BadRequest("The body must be a JSON object.")
    return {name: value for name, value in words.items() if value not in (None, "")}


def _picture(request: HttpRequest, words: dict[str, Any]) -> bytes:
    if upload := request.FILES.get("image"):
        return upload.read()
    if encoded := words.get("image"):
        try:
            return base64.b64decode(str(encoded), validate=True)
        except ValueError as error:  # no base64, or no ASCII at all
            raise programs.BadRequest("image must be a file (multipart), or base64 (JSON).") from error
    raise programs.BadRequest(
        "Send a picture as the file 'image' (multipart) or as 'image' in base64 (JSON), or an 'image_id'."
    )


def _image(request: HttpRequest, image_id: object) -> Image:
    visible = scope_for(request.user).dataset_ids
    try:
        pk = int(str(image_id))  # from a form it comes as text
    except ValueError:
        pk = 0
    image = Image.objects.filter(pk=pk, dataset_id__in=visible).first()
    if image is None:
        raise Image.DoesNotExist(f"There is no image {str(image_id)[:40]!r}.")
    return image


def _problem(status: int, code: str, detail: str) -> JsonResponse:
    body = {"type": "about:blank", "title": code.replace("_", " "), "status": status, "code": code, "detail": detail}
    return JsonResponse(body, status=status, content_type="application/problem+json")
