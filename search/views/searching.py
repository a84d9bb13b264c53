"""The search page: by pictures sent along, kept or in a gallery, by a link, by words; and the query picture."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.contrib.auth.models import AnonymousUser
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_safe

from embeddings.images import RefusedImage
from search import encoders
from search.asking import beside, examples, queries, words
from search.asking.duplicates import Face
from search.asking.examples import Example, Mix, NothingWanted, UnknownImage, Wish
from search.asking.results import PreparedPage, answer, find, prepare
from search.asking.scope import visible_images
from search.curating import browsing, selecting
from search.forms.searching import SORTS, SearchForm
from search.forms.sending import LinkForm, SentForm, UploadForm
from search.language import wording
from search.links import fetching
from search.models import Dataset, Encoder, Image

if TYPE_CHECKING:
    from django.contrib.auth.models import User
    from django_htmx.middleware import HtmxDetails

N_STARTERS = 12


class HtmxRequest(HttpRequest):
    """A request as the middleware of django-htmx leaves it."""

    htmx: HtmxDetails
    user: User | AnonymousUser


class Refused(Exception):
    """This search cannot be made. The form has the reason; the status is that of the answer."""

    def __init__(self, status: int, notice: str = "") -> None:
        self.status = status
        self.notice = notice
        super().__init__(notice)


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def search(request: HtmxRequest) -> HttpResponse:
    """Show the start page, or the images nearest to pictures that were sent, are kept, or are in a gallery."""
    if request.method == "POST":
        upload = UploadForm(request.POST, request.FILES, user=request.user)
        return _by_what_is_sent(request, upload, lambda: [picture.read() for picture in upload.pictures])
    form = SearchForm(request.GET, user=request.user)
    try:
        if not form.is_valid():
            return _start_page(request, form, status=400 if form.encoders else 200)
        if form.wishes:
            return _results_page(request, form, recalled(request, form))
        return _found_page(request, form) if form.cleaned_data["words"] else _start_page(request, form)
    except Refused as refused:
        return _start_page(request, form, notice=refused.notice, status=refused.status)


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def search_by_link(request: HtmxRequest) -> HttpResponse:
    """Search with a picture that the server fetches from elsewhere. Who only looks is led to the start page."""
    if request.method != "POST":
        return HttpResponseRedirect(reverse("search"))
    form = LinkForm(request.POST, user=request.user)
    return _by_what_is_sent(request, form, lambda: [fetching.fetch(form.cleaned_data["link"])])


def recalled(request: HttpRequest, form: SearchForm, encoder: Encoder | None = None) -> Mix:
    """Return what a form that is valid was asked with. Raises Refused, Http404."""
    try:
        return examples.recall(form.wishes, encoder or form.cleaned_data["encoder"], request.user)
    except queries.QueryExpired as error:
        raise Refused(410, wording.told(error)) from error
    except UnknownImage as error:
        raise Http404(str(error)) from error
    except NothingWanted as error:
        form.add_error(None, wording.told(error))
        raise Refused(400) from error
    except RefusedImage as error:
        form.add_error(None, _("This picture cannot be searched with.") + f" {wording.told(error.reason)}")
        raise Refused(422) from error
    except encoders.NoEncoder as error:
        form.add_error(None, wording.told(error))
        raise Refused(503) from error


def _by_what_is_sent(request: HtmxRequest, form: SentForm, contents: Callable[[], list[bytes]]) -> HttpResponse:
    """Search with pictures from elsewhere. Where they can be kept, the answer has an address of its own."""
    try:
        if not form.is_valid():
            raise Refused(422 if form.encoders else 503)
        _forget_what_was_before(form)
        sent, prepared = _sent(form, contents, is_answered=bool(request.htmx))
        asked = _added(request, form, sent)
        # Without a key there is nothing to come back to: the address stays what it was.
        is_kept = all(example.query.key for example in sent)
        address = f"{reverse('search')}?{form.address().urlencode()}"
        if is_kept and not request.htmx:
            return HttpResponseRedirect(address, status=303)
        response = _results_page(request, form, asked, prepared)
    except Refused as refused:
        return _start_page(request, form, notice=refused.notice, status=refused.status)
    response["HX-Push-Url"] = address if is_kept else "false"
    return response


def _forget_what_was_before(form: SentForm) -> None:
    """Have a form ask with nothing but what is sent, unless that is to be added to what was asked with."""
    told = form.cleaned_data
    told |= {"offset": 0, "after": None}
    if not told["add"]:
        told |= {"q": [], "image": [], "less": []}
    if not told["q"]:  # the crop was one of another picture
        told["crop"] = None


def _sent(
    form: SentForm, contents: Callable[[], list[bytes]], *, is_answered: bool
) -> tuple[list[Example], PreparedPage | None]:
    """Return the pictures that were sent, and the search with a single one of them, prepared while it was decoded."""
    encoder: Encoder = form.cleaned_data["encoder"]
    prepared = None
    try:
        first, *others = contents()
        is_prepared = is_answered and not (others or form.wishes or form.cleaned_data["beside"])
        with queries.reading(first, encoder, aside=is_prepared) as begun:
            if is_prepared:
                prepared = prepare(encoder, form.scope, form.page, sha256=begun.sha256, face=lambda: _face(begun))
            read = [begun.query()]
        read += [queries.from_picture(content, encoder) for content in others]
        found = [queries.keep(query, encoder) for query in read]
    except RefusedImage as error:
        form.add_error(form.sent_field, wording.told(error.reason))
        raise Refused(422) from error
    except fetching.LinkRefused as error:
        form.add_error(form.sent_field, wording.told(error.reason))
        raise Refused(422) from error
    except encoders.NoEncoder as error:
        form.add_error(None, wording.told(error))
        raise Refused(503) from error
    return [Example(query=query, wish=Wish(name=query.key)) for query in found], prepared


def _face(begun: queries.Reading) -> Face:
    picture = begun.picture()
    return Face(picture.phash, picture.preview)


def _added(request: HttpRequest, form: SentForm, sent: list[Example]) -> Mix:
    """Return what is searched with, with what was sent, and have the form's address say so."""
    told = form.cleaned_data
    before = list(recalled(request, form).examples) if form.wishes else []
    uploads = [example for example in before if not example.query.image]
    others = [example for example in before if example.query.image]
    told["q"] = [example.wish for example in [*uploads, *sent] if example.query.key]
    if not all(example.query.key for example in sent):  # no other encoder can see what is not kept
        told["beside"] = []
    try:
        return examples.mix([*uploads, *sent, *others], told["encoder"])
    except NothingWanted as error:
        form.add_error(None, wording.told(error))
        raise Refused(422) from error


def _results_page(
    request: HtmxRequest, form: SearchForm, asked: Mix, prepared: PreparedPage | None = None
) -> HttpResponse:
    if form.cleaned_data["beside"]:
        return _beside_page(request, form, asked)
    encoder = form.cleaned_data["encoder"]
    results = answer(asked, prepared) if prepared else find(asked, encoder, form.scope, form.page)
    # While a part of the picture is drawn, only what changes with it is made.
    template = "parts/answer.html" if request.htmx.target == "answer" else "search/results.html"
    return render(request, template, {"results": results, **_context(request, form)})


def _beside_page(request: HtmxRequest, form: SearchForm, asked: Mix) -> HttpResponse:
    """Show the same search through several encoders; through the first one as it was asked already."""
    first: Encoder = form.cleaned_data["encoder"]
    shown = [first, *form.cleaned_data["beside"]]
    if form.cleaned_data["blind"]:
        shown = beside.shuffled(shown, form.question)
    comparison = beside.compare(
        lambda encoder: asked if encoder == first else recalled(request, form, encoder), shown, form.scope, form.page
    )
    results = next(column.results for column in comparison.columns if column.encoder == first)
    return render(
        request, "search/beside.html", {"comparison": comparison, "results": results, **_context(request, form)}
    )


def _found_page(request: HtmxRequest, form: SearchForm) -> HttpResponse:
    """Show the images that have words in their name, label or tags."""
    page = form.page
    found = words.find(form.scope, k=page.k, offset=page.offset, sort=page.sort)
    context = {"found": found, "sorts": [("", _("label and name")), *SORTS[1:]], **_context(request, form)}
    return render(request, "search/found.html", context)


def _context(request: HtmxRequest, form: SearchForm) -> dict[str, Any]:
    dataset = next((one for one in form.datasets if one.slug == form.cleaned_data["dataset"]), None)
    return {
        "layout": _layout(request),
        "form": form,
        "asked": form.address(offset=None, after=None),
        "own_datasets": selecting.datasets_of(request.user),
        "labels": browsing.labels(dataset) if dataset else [],
        "allow_links": settings.ALLOW_LINKS,
    }


def _layout(request: HtmxRequest) -> str:
    """Return what the page stands in: htmx has the rest of it already."""
    return "parts/alone.html" if request.htmx else "base.html"


def _start_page(request: HtmxRequest, form: SearchForm, *, notice: str = "", status: int = 200) -> HttpResponse:
    starters = _starters(request.user)
    context: dict[str, Any] = {
        "layout": _layout(request),
        "form": form,
        "notice": notice,
        "starters": starters,
        "allow_links": settings.ALLOW_LINKS,
    }
    if not starters:
        context["pending"] = visible_images(request.user).filter(status=Image.Status.PENDING).count()
    response = render(request, "search/start.html", context, status=status)
    if status != 200:
        response["HX-Push-Url"] = "false"
    return response


def _starters(user: User | AnonymousUser) -> list[Image]:
    """Return some pictures to begin with, taken in turn from the datasets that the user sees."""
    samples = [gallery.samples for gallery in browsing.galleries(Dataset.objects.visible_to(user)[:N_STARTERS])]
    in_turn = [row[i] for i in range(browsing.N_SAMPLES) for row in samples if i < len(row)]
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
