"""Results as files, and what is done with several images that were chosen."""

from __future__ import annotations

import json
from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from search.asking import files
from search.asking.results import find
from search.curating import selecting
from search.exports.cells import as_csv
from search.forms.searching import SearchForm
from search.language import wording
from search.models import Image
from search.views.attaching import attached
from search.views.changing import CHANGES
from search.views.choosing import TooManyMatch, back, chosen
from search.views.searching import HtmxRequest, Refused, recalled


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
    text = as_csv(rows, files.COLUMNS) if kind == "csv" else files.as_json(results, rows)
    return _file(text, f"results.{kind}")


@require_POST
def selection(request: HtmxRequest) -> HttpResponse:
    """Do what was asked with the images that were chosen; lead back to where they were chosen."""
    try:
        images = chosen(request)
    except TooManyMatch as error:
        messages.warning(request, str(error))
        return back(request)
    if not images:
        messages.warning(request, _("Select some results first."))
        return back(request)
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
    return back(request)


def _csv(request: HtmxRequest, images: list[Image]) -> HttpResponse:
    rows = files.rows_of_images(images, _root(request))
    return _file(as_csv(rows, list(rows[0])), "selection.csv")


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
        return back(request)
    return attached(HttpResponse(content, content_type="application/zip"), "pictures.zip")


_ACTIONS: dict[str, Any] = {"csv": _csv, "json": _json, "zip": _zip, **CHANGES}


def _root(request: HttpRequest) -> str:
    return request.build_absolute_uri("/").rstrip("/")


def _file(text: str, name: str) -> HttpResponse:
    kind = "text/csv" if name.endswith(".csv") else "application/json"
    return attached(HttpResponse(text, content_type=f"{kind}; charset=utf-8"), name)
