"""The page of an image, and its picture and thumbnail as JPEG without metadata."""

from __future__ import annotations

from collections.abc import Callable

from django.http import FileResponse, Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, render
from django.utils.cache import get_conditional_response
from django.utils.http import quote_etag
from django.views.decorators.http import require_safe

from embeddings.images import RefusedImage, rendition
from search import encoders
from search.asking import examples, queries
from search.asking.examples import Example, Wish
from search.asking.results import Page, Results, find
from search.asking.scope import scope_for, visible_images
from search.models import Encoder, Image

PICTURE_EDGE = 1600
N_NEIGHBOURS = 12


@require_safe
def image(request: HttpRequest, pk: int) -> HttpResponse:
    """Show an image, what is known of it, and its nearest neighbours."""
    shown = get_object_or_404(visible_images(request.user), pk=pk)
    embedded_by = list(Encoder.objects.filter(embeddings__image=shown))
    context = {
        "image": shown,
        "embedded_by": embedded_by,
        "results": _neighbours(request, shown, embedded_by),
        "version": shown.sha256[:12],
    }
    return render(request, "search/image.html", context)


def _neighbours(request: HttpRequest, shown: Image, embedded_by: list[Encoder]) -> Results | None:
    """Search with the stored vector: the default encoder's, or another's where that has none."""
    if not embedded_by:
        return None
    encoder = embedded_by[0]  # the default one comes first in the order of encoders
    try:
        example = Example(query=queries.from_image(shown, encoder), wish=Wish(name=str(shown.pk)))
        asked = examples.mix([example], encoder)
        return find(asked, encoder, scope_for(request.user), Page(k=N_NEIGHBOURS), copies=False)
    except (encoders.NoEncoder, RefusedImage):
        # The vector was deleted since it was listed; the page is right without neighbours.
        return None


@require_safe
def picture(request: HttpRequest, pk: int, version: str) -> HttpResponseBase:
    """Serve the picture, its long edge at most 1600 pixels."""
    return _jpeg(request, pk, version, f"picture-{PICTURE_EDGE}", _rendered)


@require_safe
def thumbnail(request: HttpRequest, pk: int, version: str) -> HttpResponseBase:
    """Serve the stored thumbnail."""
    return _jpeg(request, pk, version, "thumbnail", _stored)


def _jpeg(
    request: HttpRequest, pk: int, version: str, kind: str, make: Callable[[Image], HttpResponseBase]
) -> HttpResponseBase:
    """Answer 304 where the browser has it, else what `make` gives. The content decides the address: cached for good."""
    # A page asks for dozens of these, and they need no more of a row.
    few = visible_images(request.user).select_related(None).only("sha256", "file", "in_place_path", "thumbnail")
    shown = get_object_or_404(few, pk=pk)
    if not shown.sha256.startswith(version):
        raise Http404("This image has another content now.")
    etag = quote_etag(f"{kind}-{shown.sha256}")
    response: HttpResponseBase | None = get_conditional_response(request, etag=etag)
    response = make(shown) if response is None else response
    response["ETag"] = etag
    response["Cache-Control"] = "private, max-age=31536000, immutable"
    return response


def _rendered(shown: Image) -> HttpResponse:
    try:
        return HttpResponse(rendition(shown.original, long_edge=PICTURE_EDGE), content_type="image/jpeg")
    except RefusedImage as error:
        raise Http404(error.reason) from error


def _stored(shown: Image) -> FileResponse:
    try:
        return FileResponse(shown.thumbnail.open("rb"), content_type="image/jpeg")
    except (FileNotFoundError, ValueError) as error:
        raise Http404("This image has no thumbnail yet.") from error
