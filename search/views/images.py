"""The page of an image, and its picture and thumbnail as JPEG without metadata."""

from __future__ import annotations

from collections.abc import Callable

from django.core.files.storage import default_storage
from django.db import connection
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
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
from search.exports.pictures import RENDITION_EDGE
from search.models import Dataset, Encoder, Image

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
    shown = get_object_or_404(visible_images(request.user), pk=pk)
    return jpeg(request, shown.sha256, version, f"picture-{RENDITION_EDGE}", lambda: _rendered(shown))


@require_safe
def thumbnail(request: HttpRequest, pk: int, version: str) -> HttpResponseBase:
    """Serve the stored thumbnail. A page asks for dozens at once: a row of a model would take longer than all else."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT image.sha256, image.thumbnail, dataset.is_public AND dataset.trashed_at IS NULL, dataset.id "
            "FROM search_image image JOIN search_dataset dataset ON dataset.id = image.dataset_id WHERE image.id = %s",
            [min(pk, examples.LARGEST_ID)],
        )
        row = cursor.fetchone()
    sha256, name, is_public, dataset_id = row or ("", "", False, 0)
    # Of a public one nobody's session has to be read.
    if row is None or not (is_public or Dataset.objects.visible_to(request.user).filter(pk=dataset_id).exists()):
        raise Http404("There is no such image.")
    return jpeg(request, sha256, version, "thumbnail", lambda: stored(name))


def jpeg(request: HttpRequest, sha256: str, version: str, kind: str, make: Callable[[], bytes]) -> HttpResponseBase:
    """Answer 304 where the browser has it, else what `make` gives. The content decides the address: cached for good."""
    if not sha256.startswith(version):
        raise Http404("This image has another content now.")
    etag = quote_etag(f"{kind}-{sha256}")
    response: HttpResponseBase | None = get_conditional_response(request, etag=etag)
    response = HttpResponse(make(), content_type="image/jpeg") if response is None else response
    response["ETag"] = etag
    response["Cache-Control"] = "private, max-age=31536000, immutable"
    return response


def _rendered(shown: Image) -> bytes:
    try:
        return rendition(shown.original, long_edge=RENDITION_EDGE)
    except RefusedImage as error:
        raise Http404(error.reason) from error


def stored(name: str) -> bytes:
    """Return what a file of the site's storage holds. Raises Http404 where it is not there."""
    try:
        with default_storage.open(name) as file:
            content: bytes = file.read()
    except (OSError, ValueError) as error:
        raise Http404("This image has no thumbnail yet.") from error
    return content
