"""Images of datasets: listed, read, labelled, put into the trash and taken back; their pictures and vectors."""

from __future__ import annotations

from typing import Annotated, Any

from django.core.files.storage import default_storage
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from ninja import Path, Query, Router, Schema, Status
from pydantic import Field

from embeddings.images import RefusedImage, rendition
from search import encoders, vectors
from search.api import fields
from search.api.access import ANYBODY, READING, WRITING, own_image, seen_dataset, seen_image
from search.api.fields import Body, Cursor, ImageOut, Limit, image_out, page_of
from search.api.problems import Problem, refusals
from search.asking.examples import LARGEST_ID
from search.curating import browsing, selecting, trash
from search.exports.pictures import RENDITION_EDGE
from search.models import Encoder, Image

router = Router(tags=["images"])
ImageId = Annotated[int, Path(..., ge=1, le=LARGEST_ID)]
_JPEG: dict[str, Any] = {
    **ANYBODY,
    "responses": {200: {"content": {"image/jpeg": {"schema": {"type": "string", "format": "binary"}}}}},
}


class ImagesOut(Schema):
    """A page of images, in the order in which they were added."""

    items: list[ImageOut]
    next_cursor: int | None


class ImageChange(Body):
    """What shall be different; what is left out stays. tags: all of them, in place of those that there are."""

    label: fields.Label | None = None
    tags: fields.Tags | None = None
    split: fields.Split | None = None


class VectorOut(Schema):
    """The vector of an image by an encoder: `dim` numbers, compared by cosine distance or by L2."""

    image_id: int
    encoder: str
    dim: int
    distance: str
    vector: list[float]


class Filters(Schema):
    """Which images of a dataset; what is left out filters nothing."""

    name: fields.Text = Field(
        "", description="What is part of the source, its name among its folders, in any case of letters."
    )
    label: fields.Text = ""
    tag: fields.Text = ""
    status: fields.Status | None = None
    split: fields.Split | None = None


@router.get(
    "/datasets/{slug:slug}/images",
    auth=READING,
    response={200: ImagesOut, **refusals()},
    openapi_extra=ANYBODY,
    summary="List the images of a dataset",
)
def list_images(
    request: HttpRequest, slug: fields.Slug, filters: Annotated[Filters, Query(...)], cursor: Cursor, limit: Limit
) -> dict[str, Any]:
    page = page_of(browsing.filtered(seen_dataset(request, slug), filters.dict()), cursor, limit)
    return {**page, "items": [image_out(image) for image in page["items"]]}


@router.get(
    "/images/{image_id}",
    auth=READING,
    response={200: ImageOut, **refusals()},
    openapi_extra=ANYBODY,
    summary="Read an image",
)
def read_image(request: HttpRequest, image_id: ImageId) -> dict[str, Any]:
    return image_out(seen_image(request, image_id))


@router.patch(
    "/images/{image_id}", auth=WRITING, response={200: ImageOut, **refusals(413, 415)}, summary="Change an image"
)
def change_image(request: HttpRequest, image_id: ImageId, body: ImageChange) -> dict[str, Any]:
    """Change the label, the tags or the split."""
    found = own_image(request, image_id)
    changes = body.dict(exclude_none=True)
    if "tags" in changes:
        changes["tags"] = list(dict.fromkeys(changes["tags"]))
    Image.objects.filter(pk=found.pk).update(**changes)
    return image_out(seen_image(request, image_id))


@router.delete("/images/{image_id}", auth=WRITING, response={204: None, **refusals()}, summary="Delete an image")
def delete_image(request: HttpRequest, image_id: ImageId) -> Status[None]:
    """Put an image into the trash, where it is for a day."""
    trash.discard([own_image(request, image_id).pk])
    return Status(204, None)


@router.post(
    "/images/{image_id}/restore",
    auth=WRITING,
    response={200: ImageOut, **refusals(409)},
    summary="Take an image back from the trash",
)
def restore_image(request: HttpRequest, image_id: ImageId) -> dict[str, Any]:
    """Take an image back that was deleted within the last day. One that is not in the trash is told as it is."""
    origin = selecting.datasets_of(request.user).filter(trash__images=image_id)
    with transaction.atomic():
        if origin.exists() and not trash.restore([image_id]):
            raise Problem(409, "replaced", "The same picture was added to the dataset meanwhile, and stays as it is.")
    return image_out(own_image(request, image_id))


@router.get(
    "/images/{image_id}/picture",
    auth=READING,
    response={200: None, **refusals()},
    openapi_extra=_JPEG,
    summary="Get the picture",
)
def picture(request: HttpRequest, image_id: ImageId) -> HttpResponse:
    """Get the picture as JPEG without metadata, its long edge at most 1600 pixels."""
    found = seen_image(request, image_id)
    try:
        return _jpeg(rendition(found.original, long_edge=RENDITION_EDGE))
    except RefusedImage as error:
        raise Problem(404, error.code, error.reason) from error


@router.get(
    "/images/{image_id}/thumbnail",
    auth=READING,
    response={200: None, **refusals()},
    openapi_extra=_JPEG,
    summary="Get the thumbnail",
)
def thumbnail(request: HttpRequest, image_id: ImageId) -> HttpResponse:
    """Get the thumbnail as JPEG; there is one as soon as the image is ready."""
    found = seen_image(request, image_id)
    try:
        with default_storage.open(found.thumbnail.name or "") as file:
            return _jpeg(file.read())
    except (OSError, ValueError) as error:
        raise Problem(404, "no_thumbnail", "This image has no thumbnail yet.") from error


@router.get(
    "/images/{image_id}/vector",
    auth=READING,
    response={200: VectorOut, **refusals(503)},
    openapi_extra=ANYBODY,
    summary="Get the vector of an image",
)
def vector(request: HttpRequest, image_id: ImageId, encoder: fields.Text = "") -> dict[str, Any]:
    """Get the vector that an encoder gave an image; the default encoder where none is named."""
    found = seen_image(request, image_id)
    row = named_encoder(encoder)
    ids, stored = vectors.read(row, [found.pk])
    if not ids:
        raise Problem(404, "not_embedded", f"{row.name} has no vector of this image yet.")
    return {
        "image_id": found.pk,
        "encoder": row.name,
        "dim": row.dim,
        "distance": row.distance,
        "vector": stored[0].tolist(),
    }


def named_encoder(name: fields.Slug) -> Encoder:
    """Return an encoder, the default one for no name. Raises Problem 404, or 503 where none is installed."""
    try:
        return encoders.by_name(name)
    except encoders.NoEncoder as error:
        raise Problem(404 if name else 503, "no_encoder", str(error)) from error


def _jpeg(content: bytes) -> HttpResponse:
    return HttpResponse(content, content_type="image/jpeg")
