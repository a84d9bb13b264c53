"""The search page, and the query picture beside its results."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.contrib.auth.models import AnonymousUser
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_safe

from embeddings.images import RefusedImage
from search import encoders, galleries
from search.asking import queries
from search.asking.results import find
from search.asking.scope import scope_for, visible_images
from search.forms.searching import SearchForm, UploadForm
from search.models import Dataset, Encoder, Image

if TYPE_CHECKING:
    from django.contrib.auth.models import User
    from django_htmx.middleware import HtmxDetails

N_STARTERS = 12


class HtmxRequest(HttpRequest):
    """A request as the middleware of django-htmx leaves it."""

    htmx: HtmxDetails
    user: User | AnonymousUser


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def search(request: HtmxRequest) -> HttpResponse:
    """Show the start page, or the images nearest to a picture that was sent, is kept, or is in a gallery."""
    if request.method == "POST":
        return _by_upload(request)
    form = SearchForm(request.GET, user=request.user)
    if not form.is_valid():
        return _start_page(request, form, status=400 if form.encoders else 200)
    try:
        if form.cleaned_data["q"]:
            query = queries.recall(form.cleaned_data["q"], form.cleaned_data["encoder"])
        elif form.cleaned_data["image"]:
            image = get_object_or_404(visible_images(request.user), pk=form.cleaned_data["image"])
            query = queries.from_image(image, form.cleaned_data["encoder"])
        else:
            return _start_page(request, form)
    except queries.QueryExpired as error:
        return _start_page(request, form, notice=str(error), status=410)
    except RefusedImage as error:
        form.add_error(None, f"This picture cannot be searched with. {error.reason}")
        return _start_page(request, form, status=422)
    except encoders.NoEncoder as error:
        form.add_error(None, str(error))
        return _start_page(request, form, status=503)
    return _results_page(request, form, query)


def _by_upload(request: HtmxRequest) -> HttpResponse:
    """Search with a picture that was sent. Where it can be kept, the answer has an address of its own."""
    form = UploadForm(request.POST, request.FILES, user=request.user)
    if not form.is_valid():
        return _start_page(request, form, status=422 if form.encoders else 503)
    encoder: Encoder = form.cleaned_data["encoder"]
    try:
        query = queries.keep(queries.from_picture(form.cleaned_data["picture"].read(), encoder), encoder)
    except RefusedImage as error:
        form.add_error("picture", error.reason)
        return _start_page(request, form, status=422)
    except encoders.NoEncoder as error:
        form.add_error(None, str(error))
        return _start_page(request, form, status=503)
    address = f"{reverse('search')}?{form.address(q=query.key, image=None, offset=None).urlencode()}"
    if query.key and not request.htmx:
        return HttpResponseRedirect(address, status=303)
    response = _results_page(request, form, query)
    # Without a key there is nothing to come back to: the address stays what it was.
    response["HX-Push-Url"] = address if query.key else "false"
    return response


def _results_page(request: HtmxRequest, form: SearchForm, query: queries.Query) -> HttpResponse:
    scope = scope_for(request.user, form.cleaned_data["dataset"])
    if query.image is not None:
        scope = scope.without(query.image.pk)
    results = find(
        query, form.cleaned_data["encoder"], scope, k=form.cleaned_data["k"], offset=form.cleaned_data["offset"]
    )
    asked = form.address(q=query.key, image=query.image.pk if query.image else None)
    return render(request, "search/results.html", {"form": form, "results": results, "asked": asked})


def _start_page(request: HtmxRequest, form: SearchForm, *, notice: str = "", status: int = 200) -> HttpResponse:
    starters = _starters(request.user)
    context: dict[str, Any] = {"form": form, "notice": notice, "starters": starters}
    if not starters:
        context["pending"] = visible_images(request.user).filter(status=Image.Status.PENDING).count()
    response = render(request, "search/start.html", context, status=status)
    if status != 200:
        response["HX-Push-Url"] = "false"
    return response


def _starters(user: User | AnonymousUser) -> list[Image]:
    """Return some pictures to begin with, taken in turn from the datasets that the user sees."""
    samples = [gallery.samples for gallery in galleries.galleries(Dataset.objects.visible_to(user)[:N_STARTERS])]
    in_turn = [row[i] for i in range(galleries.N_SAMPLES) for row in samples if i < len(row)]
    return in_turn[:N_STARTERS]


@require_safe
def query_picture(request: HttpRequest, key: str) -> HttpResponse:
    """Serve the kept preview of a query picture."""
    try:
        preview = queries.preview(key)
    except queries.QueryExpired as error:
        raise Http404(str(error)) from error
    return HttpResponse(
        preview,
        content_type="image/jpeg",
        headers={"Cache-Control": f"private, max-age={queries.KEPT_SECONDS}, immutable"},
    )
