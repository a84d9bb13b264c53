"""How often one visitor may search, upload, have links fetched, and try to sign in.

Each has a bucket of tokens (A. S. Tanenbaum, "Computer Networks") for each of these, which fills up within a minute:
whoever comes seldom may do much at once. Buckets are of one process, so that nothing has to answer before a request is
let in; where several processes serve, each lets in as much.
"""

from __future__ import annotations

import ipaddress
import math
import re
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render

SECONDS_TO_FILL: Final = 60.0
MOST_BUCKETS: Final = 20_000
# By the names of their addresses; of the API by method and address.
_SEARCHES: Final = {"search", "results-file", "regions", "why"}
_OF_FORMS: Final = {
    "login": "login",
    "admin:login": "login",
    "search-by-link": "link",
    "upload": "upload",
    "upload-file": "upload",
}
_API_SEARCH: Final = re.compile(r"/api/v1/search$")
_API_UPLOAD: Final = re.compile(r"/api/v1/datasets/[^/]+/images$")


@dataclass
class Buckets:
    """The buckets of all visitors of a process. now: seconds that only grow."""

    now: Callable[[], float] = time.monotonic
    # By kind and visitor: how many tokens were left, and when that was.
    _left: dict[tuple[str, str], tuple[float, float]] = field(default_factory=dict)
    _changing: threading.Lock = field(default_factory=threading.Lock)

    def take(self, kind: str, visitor: str, a_minute: int) -> float:
        """Take a token; return 0, or, where there is none, in how many seconds there will be one."""
        with self._changing:
            now, rate = self.now(), a_minute / SECONDS_TO_FILL
            tokens, counted_at = self._left.get((kind, visitor), (float(a_minute), now))
            tokens = min(a_minute, tokens + (now - counted_at) * rate)
            if tokens < 1:
                return (1 - tokens) / rate
            if len(self._left) >= MOST_BUCKETS:
                self._forget_full_ones(now)
            self._left[kind, visitor] = (tokens - 1, now)
            return 0.0

    def _forget_full_ones(self, now: float) -> None:
        """Forget who was not there for as long as a bucket takes to fill; then, if need be, everybody."""
        self._left = {key: one for key, one in self._left.items() if now - one[1] < SECONDS_TO_FILL}
        if len(self._left) >= MOST_BUCKETS:
            self._left = {}


class LimitRates:
    """Answers 429, with Retry-After, to who asks too often for what costs."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self._get_response = get_response
        self._buckets = Buckets()

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        return self._get_response(request)

    def process_view(self, request: HttpRequest, *_: Any) -> HttpResponse | None:
        kind = kind_of(request)
        a_minute = settings.RATE_LIMITS.get(kind, 0) if kind else 0
        if not kind or not a_minute:
            return None
        seconds = self._buckets.take(kind, _visitor(request, kind), a_minute)
        if not seconds:
            return None
        wait = {"seconds": math.ceil(seconds)}
        response = render(request, "429.html", wait, status=429)
        response.headers["Retry-After"] = str(wait["seconds"])
        return response


def kind_of(request: HttpRequest) -> str:
    """Return what a request costs: "search", "upload", "link", "login", or nothing that is counted."""
    is_form = request.method == "POST"
    if request.path_info.startswith("/api/"):
        kinds = {"search": _API_SEARCH, "upload": _API_UPLOAD} if is_form else {}
        return next((kind for kind, address in kinds.items() if address.match(request.path_info)), "")
    name = request.resolver_match.view_name if request.resolver_match else ""
    if name in _SEARCHES and (is_form or request.GET):
        return "search"
    return _OF_FORMS.get(name, "") if is_form else ""


def _visitor(request: HttpRequest, kind: str) -> str:
    """Return whose bucket it is: an account's, or an address's; who tries to sign in has no account yet."""
    if kind != "login" and request.user.is_authenticated:
        return f"account {request.user.pk}"
    return address_of(request)


def address_of(request: HttpRequest) -> str:
    """Return the address that a request comes from; of IPv6 the network, of which one visitor has all addresses.

    Behind proxies of the site's own, each of which adds where it was asked from, the one that the outermost was asked
    from: what stands before that in the header, anybody can write.
    """
    address = request.META.get("REMOTE_ADDR", "")
    if settings.N_PROXIES:
        passed = [one.strip() for one in request.META.get("HTTP_X_FORWARDED_FOR", "").split(",") if one.strip()]
        address = passed[-min(settings.N_PROXIES, len(passed))] if passed else address
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return address
    if found.version == 6 and found.ipv4_mapped is None:
        return str(ipaddress.ip_network((found, 64), strict=False))
    return str(getattr(found, "ipv4_mapped", None) or found)
