"""A web server that repeats from memory what the site answered: what a browser takes whatever the server does."""

from __future__ import annotations

import contextlib
import http.client
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import NamedTuple
from urllib.parse import urlsplit

# Of one connection only, or said anew.
NOT_REPEATED = {"connection", "content-length", "date", "server", "transfer-encoding"}


class _Answer(NamedTuple):
    status: int
    headers: list[tuple[str, str]]
    body: bytes


class Replay:
    """Passes requests on to the site while `is_recording`, and any that it does not know; answers all others itself."""

    def __init__(self, site_url: str) -> None:
        self.is_recording = True
        self._site = urlsplit(site_url).netloc
        self._answers: dict[tuple[object, ...], _Answer] = {}

    @contextlib.contextmanager
    def serving(self) -> Iterator[str]:
        """Listen on a free port of this machine; give the address."""
        replay = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                replay._answer(self)

            def do_POST(self) -> None:
                replay._answer(self)

            def log_message(self, *_: object) -> None:
                pass

        with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
            threading.Thread(target=server.serve_forever, daemon=True).start()
            yield f"http://127.0.0.1:{server.server_port}"
            server.shutdown()

    def _answer(self, request: BaseHTTPRequestHandler) -> None:
        body = request.rfile.read(int(request.headers.get("Content-Length", 0)))
        # The boundary of a form is another each time, and equally long.
        key = (request.command, request.path, request.headers.get("HX-Target"), len(body))
        if self.is_recording or key not in self._answers:
            self._answers[key] = self._asked(request, body)
        answer = self._answers[key]
        request.send_response_only(answer.status)
        for name, value in answer.headers:
            request.send_header(name, value)
        request.send_header("Content-Length", str(len(answer.body)))
        request.end_headers()
        request.wfile.write(answer.body)

    def _asked(self, request: BaseHTTPRequestHandler, body: bytes) -> _Answer:
        headers = {name: value for name, value in request.headers.items() if name.lower() != "connection"}
        connection = http.client.HTTPConnection(self._site, timeout=30)
        with contextlib.closing(connection):
            connection.request(request.command, request.path, body or None, headers)
            response = connection.getresponse()
            kept = [(name, value) for name, value in response.getheaders() if name.lower() not in NOT_REPEATED]
            return _Answer(response.status, kept, response.read())
