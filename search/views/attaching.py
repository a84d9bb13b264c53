"""Files that a browser saves and never shows, whatever is in them."""

from __future__ import annotations

from typing import TypeVar

from django.http.response import HttpResponseBase

_Response = TypeVar("_Response", bound=HttpResponseBase)
# Even where somebody opens one in a browser, nothing in it runs or is loaded.
_POLICY = "default-src 'none'; sandbox"


def attached(response: _Response, name: str) -> _Response:
    """Have a response saved under a name that is made of letters, digits and signs of ASCII."""
    response.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    response.headers["Content-Security-Policy"] = _POLICY
    return response
