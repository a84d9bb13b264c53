"""Requests of this process: how many, what came of them, and how long they took."""

from __future__ import annotations

import time
from collections.abc import Callable

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from prometheus_client import Counter, Histogram

from search.metrics.registry import PROCESS

# Of a method that somebody made up there are endlessly many.
_METHODS = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}
_REQUESTS = Counter(
    "imgsim_http_requests", "Requests that this process has answered.", ["view", "method", "status"], registry=PROCESS
)
_SECONDS = Histogram(
    "imgsim_http_request_seconds",
    "Time until the answer began, in this process.",
    ["view"],
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0),
    registry=PROCESS,
)


class CountRequests:
    """Counts each request under the name of its view; it stands before all other middleware, and counts theirs too."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        started = time.perf_counter()
        response = self._get_response(request)
        view = _view(request)
        _SECONDS.labels(view).observe(time.perf_counter() - started)
        method = request.method if request.method in _METHODS else "other"
        _REQUESTS.labels(view, method, response.status_code).inc()
        return response


def _view(request: HttpRequest) -> str:
    """Return the name of the view that answered: few in number, whatever addresses are asked for."""
    match = request.resolver_match
    if match is None:  # static files, and addresses that lead nowhere
        return "none"
    return match.namespaces[0] if match.namespaces else match.url_name or "unnamed"
