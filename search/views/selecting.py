"""Results as files, and what is done with several images that were chosen."""

from __future__ import annotations

import json
from typing import Any

from django.contrib import messages
from django.core import signing
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect, QueryDict
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_POST, require_safe

from search import selecting
from search.asking import files
from search.asking.examples import LARGEST_ID
from search.asking.results import find
from search.asking.scope import visible_images
from search.forms.fields import IMAGE_ID
from search.forms.searching import SearchForm
from search.language import wording
from search.models import Dataset, Image
from search.text import storable
from search.views.searching import HtmxRequest, Refused, recalled
from search.views.undoing import tell_with_undo

MOST_CHOSEN = 1000
_UNDO = "search.selecting.undo"
_UNDO_SECONDS = 86_400
_NO_ADDRESS = ("csrfmiddlewaretoken", "chosen", "do", "new_label", "into", "labels", "back")


@require_safe
def results_file(request: HttpRequest, kind: str) -> HttpResponse:
    """Send the nearest images as a file, k of them."""
    form = SearchForm(request.GET, user=request.user)
    if kind not in {"csv", "json"}:
        raise Http404("Results come as CSV or JSON.")
    if not form.is_valid() or not form.wishes:
        return HttpResponse(_("This address names no search."), status=400, content_type="text/plain; charset=utf-8")
    try:
        asked = recalled(request, form)
    except Refused as refused:
        reason = refused.notice or _("This search cannot be made.")
        return HttpResponse(reason, status=refused.status, content_type="text/plain; charset=utf-8")
    results = find(asked, form.cleaned_data["encoder"], form.scope, form.page, copies=False)
    rows = files.rows_of(results, _root(request))
    text = files.as_csv(rows, files.COLUMNS) if kind == "csv" else files.as_json(results, rows)
    return _file(text, f"results.{kind}")


@require_POST
def selection(request: HtmxRequest) -> HttpResponse:
    """Do what was asked with the images that were chosen; lead back to where they were chosen."""
    images = _chosen(request)
    if not images:
        messages.warning(request, _("Select some results first."))
        return _back(request)
    action = _ACTIONS.get(request.POST.get("do", ""))
    if action is None:
        raise Http404("There is no such action.")
    try:
        return action(request, images)
    except files.TooMuch as error:
        messages.warning(request, _("Select fewer pictures.") + f" {wording.told(error)}")
    except selecting.NotAllowed:
        messages.error(request, _("You may not change some of these images. Nothing was changed."))
    except selecting.DatasetGone:
        messages.error(request, _("There is no such dataset any more."))
    return _back(request)


@require_POST
def undo(request: HtmxRequest) -> HttpResponse:
    """Give images the labels back that they had before."""
    try:
        text = signing.loads(request.POST.get("labels", ""), salt=_UNDO, max_age=_UNDO_SECONDS)
        n = selecting.relabel({int(pk): label for pk, label in text.items()}, request.user)
    except signing.BadSignature:
        messages.error(request, _("This can no longer be undone."))
    except selecting.NotAllowed:
        messages.error(request, _("You may not change some of these images. Nothing was changed."))
    else:
        messages.success(
            request,
            ngettext("%(n)d image has its old label again.", "%(n)d images have their old labels again.", n) % {"n": n},
        )
    return HttpResponseRedirect(request.POST["back"] if _is_ours(request) else reverse("search"), status=303)


def _csv(request: HtmxRequest, images: list[Image]) -> HttpResponse:
    rows = files.rows_of_images(images, _root(request))
    return _file(files.as_csv(rows, list(rows[0])), "selection.csv")


def _json(request: HtmxRequest, images: list[Image]) -> HttpResponse:
    rows = files.rows_of_images(images, _root(request))
    return _file(json.dumps(rows, ensure_ascii=False, indent=1) + "\n", "selection.json")


def _zip(request: HtmxRequest, images: list[Image]) -> HttpResponse:
    """Send pictures without metadata; the originals to those alone who look after the galleries.

    Owners of datasets are not among them: what they have put there may be copies of pictures of others.
    """
    content = files.zipped(images, originals=request.user.is_staff and request.user.has_perm("search.change_image"))
    if not content:
        messages.warning(request, _("None of these pictures can be read."))
        return _back(request)
    response = HttpResponse(content, content_type="application/zip")
    response["Content-Disposition"] = 'attachment; filename="pictures.zip"'
    return response


def _label(request: HtmxRequest, images: list[Image]) -> HttpResponse:
    text = storable(request.POST.get("new_label", "")).strip()[:200]
    before = selecting.label([image.pk for image in images], text, request.user)
    n = len(before)
    if text:
        said = ngettext("%(n)d image is labelled “%(label)s” now.", "%(n)d images are labelled “%(label)s” now.", n)
    else:
        said = ngettext("%(n)d image has no label any more.", "%(n)d images have no label any more.", n)
    tell_with_undo(
        request,
        said % {"n": n, "label": text},
        reverse("undo-labels"),
        labels=signing.dumps({str(pk): label for pk, label in before.items()}, salt=_UNDO, compress=True),
        back=_address(request),
    )
    return _back(request)


def _add(request: HtmxRequest, images: list[Image]) -> HttpResponse:
    slug = storable(request.POST.get("into", ""))
    into = Dataset.objects.visible_to(request.user).filter(slug=slug).first()
    if into is None:
        raise selecting.DatasetGone
    n_added, n_there, n_lost = selecting.add([image.pk for image in images], into, request.user)
    said = ngettext("%(n)d image was added to %(dataset)s.", "%(n)d images were added to %(dataset)s.", n_added)
    if n_there:
        said += " " + ngettext("%(there)d was there already.", "%(there)d were there already.", n_there)
    if n_lost:
        said += " " + ngettext("%(lost)d could not be read.", "%(lost)d could not be read.", n_lost)
    messages.success(request, said % {"n": n_added, "dataset": into.name, "there": n_there, "lost": n_lost})
    return _back(request)


_ACTIONS: dict[str, Any] = {"csv": _csv, "json": _json, "zip": _zip, "label": _label, "add": _add}


def _chosen(request: HtmxRequest) -> list[Image]:
    """Return the images that were chosen and that the user may see, in the order of the page."""
    ids = [int(text) for text in request.POST.getlist("chosen")[:MOST_CHOSEN] if IMAGE_ID.fullmatch(text)]
    found = visible_images(request.user).in_bulk([pk for pk in ids if pk <= LARGEST_ID])
    return [found[pk] for pk in dict.fromkeys(ids) if pk in found]


def _address(request: HttpRequest) -> str:
    """Return the address of the search that the images were chosen in: the form carries its fields."""
    asked = QueryDict(mutable=True)
    for name, values in request.POST.lists():
        if name not in _NO_ADDRESS:
            asked.setlist(name, values)
    return f"{reverse('search')}?{asked.urlencode()}"


def _back(request: HttpRequest) -> HttpResponseRedirect:
    return HttpResponseRedirect(_address(request), status=303)


def _is_ours(request: HttpRequest) -> bool:
    return request.POST.get("back", "").startswith(reverse("search") + "?")


def _root(request: HttpRequest) -> str:
    return request.build_absolute_uri("/").rstrip("/")


def _file(text: str, name: str) -> HttpResponse:
    kind = "text/csv" if name.endswith(".csv") else "application/json"
    response = HttpResponse(text, content_type=f"{kind}; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="{name}"'
    return response
