"""The request and the task that this thread works for."""

from __future__ import annotations

import re
import secrets
from contextvars import ContextVar

request_id: ContextVar[str] = ContextVar("request_id", default="")
task_id: ContextVar[str] = ContextVar("task_id", default="")
task_name: ContextVar[str] = ContextVar("task_name", default="")

_SANE = re.compile(r"[A-Za-z0-9._-]{1,64}")


def sane_id(text: object) -> str:
    """Return an id that somebody sent; a new one where it is no token of 1 to 64 letters, digits, `.`, `_`, `-`."""
    return text if isinstance(text, str) and _SANE.fullmatch(text) else secrets.token_hex(8)
