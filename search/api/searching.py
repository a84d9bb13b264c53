"""Searches: by a picture or a part of one, by images that are in galleries, by a vector."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from typing import Any

from django.core.exceptions import RequestDataTooBig, SuspiciousOperation
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.http.multipartparser import MultiPartParserError
from ninja import Router

from embeddings.encoder import EncoderDamaged, EncoderMissing
from search.api import fields
from search.api.access import ANYBODY, READING, no_image
from search.api.asking import FIELDS, LISTS, SearchOut, filters_of, images_of, numbers_of, page_of, page_text
from search.api.problems import Problem, refusals
from search.asking import programs
from search.asking.examples import NothingWanted, UnknownImage, Wishes
from search.asking.scope import UnknownDataset, scope_for, visible_images
from search.encoders import NoEncoder
from search.models import Image
from search.neighbours import Scope

router = Router(tags=["search"])
JSON = "application/json"
FORMS = ("multipart/form-data", "application/x-www-form-urlencoded", "")
_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "properties": {"image": {"type": "string", "format": "binary"}, **FIELDS},
                }
            },
            JSON: {
                "schema": {
                    "type": "object",
                    "properties": {
                        "image": {"type": "string", "format": "byte", "description": "The picture, base64."},
                        **FIELDS,
                    },
                    "additionalProperties": False,
                }
            },
        },
    },
    **ANYBODY,
}
Words = Mapping[str, Any]
_NAMES = {*FIELDS, "image", "csrfmiddlewaretoken"}


@router.post(
    "",
    auth=READING,
    response={200: SearchOut, **refusals(413, 415, 429, 503)},
    openapi_extra=_BODY,
    summary="Search by a picture, by images, or by a vector",
)
def search(request: HttpRequest) -> HttpResponse:
    """Send one of: a picture; an image's id; several ids, of images that are wanted and not wanted; a vector.

    A picture may be joined by ids. Where `next` is not null, send it as `after` for the hits behind the last one.
    """
    words = _words(request)
    try:
        result = _search(request, words)
    except programs.BadRequest as error:
        raise Problem(400, "bad_request", str(error)) from error
    except NothingWanted as error:
        raise Problem(400, "nothing_wanted", str(error)) from error
    except (UnknownDataset, UnknownImage) as error:
        raise Problem(404, "not_found", str(error)) from error
    except NoEncoder as error:
        is_unknown = bool(words.get("encoder")) and not isinstance(error, (EncoderDamaged, EncoderMissing))
        raise Problem(404 if is_unknown else 503, "no_encoder", str(error)) from error
    return JsonResponse({**result.as_json(), "next": page_text(result.next_page)})


@router.api_operation(["GET", "PUT", "PATCH", "DELETE"], "", include_in_schema=False)
def search_by_another_method(request: HttpRequest) -> HttpResponse:
    """Say how a search is asked for."""
    raise Problem(405, "method_not_allowed", "Send a picture by POST; /api/docs shows how.", Allow="POST")


def _search(request: HttpRequest, words: Words) -> programs.Result:
    page = page_of(words)
    encoder, dataset = str(words.get("encoder", "")), str(words.get("dataset", ""))
    crop = programs.read_crop(str(words["crop"])) if words.get("crop") else None
    filters = filters_of(words)

    def find_scope() -> Scope:
        return scope_for(request.user, dataset, **filters)

    if "vector" in words:
        return programs.by_vector(numbers_of(words["vector"]), find_scope(), encoder=encoder, page=page)
    if "image_ids" in words or "less_ids" in words:
        wishes = Wishes(images=images_of(words, "image_id", "image_ids"), less=images_of(words, "less_ids"), crop=crop)
        picture = _picture(request, words) if _has_picture(request, words) else None
        return programs.by_examples(wishes, request.user, find_scope(), picture=picture, encoder=encoder, page=page)
    if "image_id" in words:
        image = _image(request, words["image_id"])
        return programs.by_image(image, find_scope(), encoder=encoder, page=page, crop=crop)
    return programs.by_picture(_picture(request, words), find_scope, encoder=encoder, page=page, crop=crop)


def _words(request: HttpRequest) -> Words:
    """Return the fields of the request that say something, from its form or its JSON. Raises Problem."""
    try:
        words = json.loads(request.body) if request.content_type == JSON else _of_form(request)
    except RecursionError as error:
        raise Problem(400, "bad_request", "The body is nested too deeply.") from error
    except RequestDataTooBig:
        raise
    except (SuspiciousOperation, MultiPartParserError) as error:  # too many fields or files, broken off
        raise Problem(400, "bad_request", f"The body cannot be read: {error}") from error
    except ValueError as error:
        raise Problem(400, "bad_request", f"The body is no JSON: {error}.") from error
    if not isinstance(words, dict):
        raise Problem(400, "bad_request", "The body must be a JSON object.")
    said = {name: value for name, value in words.items() if value not in (None, "", [])}
    if unknown := said.keys() - _NAMES:  # a filter that is misspelt would let everything answer
        names = ", ".join(sorted(FIELDS))
        raise Problem(400, "unknown_field", f"There is no field {min(unknown)[:100]!r}. There are: image, {names}.")
    return said


def _of_form(request: HttpRequest) -> dict[str, Any]:
    if request.content_type not in FORMS:
        raise Problem(415, "unsupported_media_type", "Send a form (multipart/form-data) or JSON (application/json).")
    lists = {name: [one for one in request.POST.getlist(name) if one] for name in LISTS}
    return {**request.POST.dict(), **lists}


def _has_picture(request: HttpRequest, words: Words) -> bool:
    return "image" in request.FILES or "image" in words


def _picture(request: HttpRequest, words: Words) -> bytes:
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
    try:
        pk = int(str(fields.whole(image_id)))  # from a form it comes as text
    except ValueError:
        pk = 0
    image = visible_images(request.user).filter(pk=pk).first()
    if image is None:
        raise no_image(image_id)
    return image
