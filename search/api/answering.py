"""What every answer of the API has, whatever made it: no cache keeps it, and a refusal is a problem for programs."""

from __future__ import annotations

from collections.abc import Callable

from django.http import HttpRequest
from django.http.response import HttpResponseBase

from search.api import problems

_ROOT = "/api/"
# What an answer keeps when its body is told anew.
_KEPT = ("Allow", "WWW-Authenticate", "Retry-After")


class ForPrograms:
    """Tells what Django itself refuses as JSON, where a program asked; and keeps answers of the API out of caches."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        response = self._get_response(request)
        if not request.path_info.startswith(_ROOT):
            return response
        if response.status_code >= 400 and response.headers.get("Content-Type") != problems.CONTENT_TYPE:
            told = problems.of_status(response.status_code)
            for name in _KEPT:
                if name in response.headers:
                    told.headers[name] = response.headers[name]
            response = told
        # Who asks decides what is told: the next one behind the same cache may not see it.
        response.headers.setdefault("Cache-Control", "private, no-store")
        return response
