"""How many requests are worked on at once, and who has to wait outside."""

from __future__ import annotations

import errno
from collections.abc import Callable, Iterable
from tempfile import SpooledTemporaryFile
from typing import Any, Final

from django.core.handlers.wsgi import WSGIHandler

from embeddings.turns import Turns

N_AT_ONCE: Final = 8
# The server's threads: so many clients may be slow at once before the next one waits.
N_WAITING: Final = 256
# A picture of the largest size, and the form around it. What is larger is an archive, and goes to disk as it comes.
MOST_BODY_BYTES: Final = 24_000_000
_MOST_IN_MEMORY: Final = 4_000_000
_CHUNK_BYTES: Final = 65_536
# The last where no folder for temporary files has room for any, so that Python finds none.
_FULL: Final = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.ENOENT}
_NO_ROOM: Final = "The server's disk for temporary files is full. Nothing of the request was kept."


class Gate:
    """Lets a few requests at a time through to the application, each as soon as all of it has come.

    A client that sends its picture byte by byte holds a thread that waits, and nothing of what others need.
    """

    def __init__(self, application: WSGIHandler, *, most_bytes: int, n_at_once: int = N_AT_ONCE) -> None:
        """Take the application and how long a body may be at most, by what its request says before it comes."""
        self._application = application
        self._most_bytes = most_bytes
        self._turns = Turns(n_at_once)

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        n_bytes = _length(environ)
        if n_bytes > self._most_bytes:
            return _refused(environ, start_response, 413, "Content Too Large", self._too_large())
        if n_bytes > MOST_BODY_BYTES:
            return self._application(environ, start_response)
        if n_bytes:
            # Closed with the request, which owns its input.
            body = SpooledTemporaryFile(_MOST_IN_MEMORY)  # noqa: SIM115
            try:
                n_copied = _copy(environ["wsgi.input"], body, n_bytes)
            except OSError as error:
                if error.errno not in _FULL:
                    raise
                return _refused(environ, start_response, 507, "Insufficient Storage", _NO_ROOM)
            if n_copied < n_bytes:
                start_response("400 Bad Request", [("Content-Length", "0")])
                return []  # nobody is there to read more
            environ["wsgi.input"] = body
        with self._turns:
            return self._application(environ, start_response)

    def _too_large(self) -> str:
        return f"The request is too large: at most {self._most_bytes / 1e6:,.0f} MB are taken."


def _refused(
    environ: dict[str, Any], start_response: Callable[..., Any], status: int, reason: str, told: str
) -> Iterable[bytes]:
    """Answer a request that never gets to the application, in words or as a problem for programs."""
    if environ.get("PATH_INFO", "").startswith("/api/"):
        from search.api.problems import of_status  # here: whoever imports this module need not have set up Django

        response = of_status(status, told)
        body, kind = response.content, response["Content-Type"]
    else:
        body, kind = f"{told}\n".encode(), "text/plain; charset=utf-8"
    headers = [("Content-Type", kind), ("Content-Length", str(len(body))), ("Connection", "close")]
    start_response(f"{status} {reason}", headers)
    return [body]


def _length(environ: dict[str, Any]) -> int:
    try:
        return max(int(environ.get("CONTENT_LENGTH") or 0), 0)
    except ValueError:
        return 0


def _copy(source: Any, target: Any, n_bytes: int) -> int:
    """Copy so many bytes, and go back to their beginning; return how many came.

    All are read even where the target has no room for them, as a client that still sends hears no answer; then OSError
    is raised.
    """
    n, full = 0, None
    while n < n_bytes and (chunk := source.read(min(_CHUNK_BYTES, n_bytes - n))):
        n += len(chunk)
        if full is None:
            try:
                target.write(chunk)
            except OSError as error:
                full = error
    if full is not None:
        raise full
    target.seek(0)
    return n
