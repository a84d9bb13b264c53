"""What is looked at in every request, before any view: text that no row can hold is refused."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from django.core.exceptions import BadRequest
from django.http import HttpRequest, HttpResponse

FORM = "application/x-www-form-urlencoded"


class RefuseNul:
    """Answers 400 to an address or a form with a NUL in it: Postgres takes none, and nobody means one."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if any("\0" in text for text in _texts(request)):
            raise BadRequest("The request has a NUL character in it.")
        return self._get_response(request)


def _texts(request: HttpRequest) -> Iterator[str]:
    yield request.path
    for name, values in request.GET.lists():
        yield from (name, *values)
    # Uploads are left alone: the view that takes them says what it is allowed to read.
    if request.content_type == FORM:
        for name, values in request.POST.lists():
            yield from (name, *values)
