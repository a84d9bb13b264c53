"""The door for monitoring: `/metrics`, for those who show the token, who are near, or who are staff."""

from __future__ import annotations

import hmac
import ipaddress
from collections.abc import Iterator

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from search.metrics import site
from search.metrics.registry import PROCESS

# What proxies add. Behind one everybody seems near.
_OF_PROXIES = ("HTTP_FORWARDED", "HTTP_X_FORWARDED_FOR", "HTTP_X_FORWARDED_PROTO", "HTTP_X_REAL_IP", "HTTP_VIA")


class _All(Collector):
    def collect(self) -> Iterator[Metric]:
        yield from site.collect()
        yield from PROCESS.collect()


_ALL = CollectorRegistry(auto_describe=False)
_ALL.register(_All())


@never_cache
@require_safe
def metrics(request: HttpRequest) -> HttpResponse:
    """Answer in the text format of Prometheus; 404 to whoever may not read it."""
    if not _may_read(request):
        raise Http404("There is no such page.")
    return HttpResponse(generate_latest(_ALL), content_type=CONTENT_TYPE_PLAIN_0_0_4)


def _may_read(request: HttpRequest) -> bool:
    return _shows_token(request) if settings.METRICS_TOKEN else _is_near(request) or _is_staff(request)


def _shows_token(request: HttpRequest) -> bool:
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    is_it = hmac.compare_digest(token.strip().encode(), settings.METRICS_TOKEN.encode())
    return (scheme.lower() == "bearer" and is_it) or _is_staff(request)


def _is_near(request: HttpRequest) -> bool:
    """Return whether the request comes from this machine or its network, and through no proxy."""
    if any(name in request.META for name in _OF_PROXIES):
        return False
    try:
        address = ipaddress.ip_address(request.META.get("REMOTE_ADDR", ""))
    except ValueError:  # a Unix socket has no address, and a proxy behind it
        return False
    # A server that listens on IPv6 sees public IPv4 addresses inside such a one too.
    return (getattr(address, "ipv4_mapped", None) or address).is_private


def _is_staff(request: HttpRequest) -> bool:
    return bool(getattr(request.user, "is_staff", False))
