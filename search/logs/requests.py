"""An id for each request, in all its lines and in its answer; and in JSON a line for each request."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.core.signals import request_finished
from django.dispatch import receiver
from django.http import HttpRequest
from django.http.response import HttpResponseBase

from search.logs.context import request_id, sane_id

logger = logging.getLogger("search.access")

HEADER = "X-Request-ID"


class GiveId:
    """Takes the id that a client or a proxy gave the request, or makes one; stands before all other middleware."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        started = time.perf_counter()
        request_id.set(sane_id(request.headers.get(HEADER)))
        response = self._get_response(request)
        response[HEADER] = request_id.get()
        if settings.LOG_FORMAT == "json":
            _note(request, response, (time.perf_counter() - started) * 1000)
        return response


@receiver(request_finished)
def forget(**_: Any) -> None:
    """Forget the id when the last line of the request is written: Django's, on its status, comes after all others."""
    request_id.set("")


def _note(request: HttpRequest, response: HttpResponseBase, ms: float) -> None:
    method = request.method or ""
    fields = {"method": method, "path": _path(request), "status": response.status_code, "ms": round(ms, 1)}
    logger.info("%s %s", method, fields["path"], extra={"fields": fields})


def _path(request: HttpRequest) -> str:
    """Return the path without what is asked, and without the key that opens a visitor's picture."""
    key = request.resolver_match.kwargs.get("key") if request.resolver_match else None
    return request.path.replace(key, "-") if key else request.path
