"""What is looked at in every request, before any view: its language; text that no row can hold, which is refused."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from django.core.exceptions import BadRequest
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.middleware.locale import LocaleMiddleware
from django.utils import translation

UTF_8 = {"utf-8", "utf8", "us-ascii"}
FORM = "application/x-www-form-urlencoded"
# What programs ask for; they read English, whatever language the machine that they run on asks for.
FOR_PROGRAMS = ("/api/", "/healthz", "/readyz", "/metrics")
ENGLISH = "en"


class PageLanguage(LocaleMiddleware):
    """Answers pages in the language that was chosen on one, else in that of the browser; programs in English."""

    def process_request(self, request: HttpRequest) -> None:
        if not request.path_info.startswith(FOR_PROGRAMS):
            super().process_request(request)
            return
        translation.activate(ENGLISH)
        request.LANGUAGE_CODE = ENGLISH

    def process_response(self, request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
        """Say which language it is, and that another browser gets another one; of pictures and JSON neither is true.

        What the thread does next is not this visitor's, and in English again.
        """
        if response.headers.get("Content-Type", "").startswith("text/html"):
            response = super().process_response(request, response)
        translation.deactivate()
        return response


class RefuseNul:
    """Answers 400 to text that no row can hold: with a NUL in it, or in an encoding that makes half characters."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if (request.content_params or {}).get("charset", "utf-8").lower() not in UTF_8:
            raise BadRequest("Text is sent in UTF-8 only.")
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
