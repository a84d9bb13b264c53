"""Who gets in: pages for staff, and those with which a dataset is changed."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, Concatenate, ParamSpec
from urllib.parse import urlsplit

from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme

from search.curating import selecting
from search.models import Dataset

P = ParamSpec("P")


def _to_login(request: HttpRequest) -> HttpResponseRedirect:
    """Lead to the sign-in page, and from there back: to the page with the form where a form was sent."""
    if request.method in {"GET", "HEAD"}:
        return redirect_to_login(request.get_full_path())
    came_from = request.headers.get("Referer", "")
    is_ours = url_has_allowed_host_and_scheme(came_from, {request.get_host()}, require_https=request.is_secure())
    page = urlsplit(came_from)._replace(scheme="", netloc="").geturl() if is_ours else reverse("search")
    return redirect_to_login(page)


def staff_only(
    view: Callable[Concatenate[HttpRequest, P], HttpResponse],
) -> Callable[Concatenate[HttpRequest, P], HttpResponse]:
    """Send strangers to the sign-in page, and tell those who are signed in and no staff that this is not for them."""

    @wraps(view)
    def guarded(request: HttpRequest, /, *args: P.args, **kwargs: P.kwargs) -> HttpResponse:
        if not request.user.is_authenticated:
            return _to_login(request)
        if not request.user.is_staff:
            raise PermissionDenied("This page is for staff.")
        return view(request, *args, **kwargs)

    return guarded


def of_own_dataset(
    view: Callable[Concatenate[HttpRequest, Dataset, ...], HttpResponseBase],
) -> Callable[..., HttpResponseBase]:
    """Give a view the dataset of a slug, for those who may change it.

    A dataset that one may not see is told like one that is not there; of one that others may see, strangers are sent
    to the sign-in page.
    """

    @wraps(view)
    def guarded(request: HttpRequest, slug: str, **kwargs: Any) -> HttpResponseBase:
        seen = get_object_or_404(Dataset.objects.visible_to(request.user), slug=slug)
        if not selecting.datasets_of(request.user).filter(pk=seen.pk).exists():
            if not request.user.is_authenticated:
                return _to_login(request)
            raise PermissionDenied("You may not change this dataset.")
        return view(request, seen, **kwargs)

    return guarded
