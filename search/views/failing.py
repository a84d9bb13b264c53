"""The page that is shown where nothing that was asked for could be."""

from __future__ import annotations

import sys

from django.http import HttpRequest, HttpResponse
from django.template.loader import render_to_string

from search import failures


def failed(request: HttpRequest) -> HttpResponse:
    """Tell what ended a request that nobody had foreseen; Django has logged it, and calls this while it is handled.

    Nothing of the request goes into the page: who asks stands in the database, which may be what fails.
    """
    error = sys.exc_info()[1]
    status = failures.status_of(error)
    name = "behind" if failures.is_behind(error) else str(status)
    response = HttpResponse(render_to_string(f"{name}.html"), status=status)
    if status == failures.SILENT:
        response.headers["Retry-After"] = str(failures.SECONDS_TO_NEXT_TRY)
    return response
