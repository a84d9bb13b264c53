"""Pictures fetched by their link: the connection, its time, its redirects and how much of the answer is read.

The standard library's client looks names up by itself, keeps a time limit for each read only and asks proxies. Here
the socket is connected to an address that was checked; what it says over it is read by the library's parser.
"""

from __future__ import annotations

import http.client
import io
import socket
import ssl
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Final, cast
from urllib.parse import urljoin

from django.conf import settings

from embeddings.images.decoding import MAX_FILE_BYTES
from search.links import targets
from search.links.addresses import IPAddress
from search.links.targets import UPLOAD, LinkRefused, Target

__all__ = ["LinkRefused", "fetch"]

MAX_SECONDS: Final = 10.0
MAX_REDIRECTS: Final = 3

_CHUNK: Final = 64 * 1024
_FRAMING_BYTES: Final = 1_000_000  # for headers, and the sizes of chunks
_REDIRECTS: Final = {301, 302, 303, 307, 308}


def fetch(url: str) -> bytes:
    """Return the bytes of the file that a link leads to, at most MAX_FILE_BYTES; decoding tells what they are.

    Takes MAX_SECONDS at most, redirects included. Only public servers are asked, on ports 80 and 443. Raises
    LinkRefused, with code "off" where the site allows no links.
    """
    if not settings.ALLOW_LINKS:
        raise LinkRefused("off", "Searching by link is off on this site. " + UPLOAD)
    deadline = time.monotonic() + MAX_SECONDS
    for _ in range(MAX_REDIRECTS + 1):
        target = targets.read(url)
        with _refusals(target), closing(_connected(target, deadline)) as connection:
            response = _asked(target, connection, deadline)
            if response.status not in _REDIRECTS:
                return _content(response)
            url = _next(target, response)
    raise LinkRefused("redirects", f"The link is redirected more than {MAX_REDIRECTS} times. " + UPLOAD)


@contextmanager
def _refusals(target: Target) -> Iterator[None]:
    """Turn what goes wrong on the way into a reason for the person who gave the link."""
    try:
        yield
    except LinkRefused:
        raise
    except TimeoutError as error:
        raise LinkRefused(
            "slow",
            f"{target.host} took more than {MAX_SECONDS:.0f} seconds. Try again, or save the picture and upload it.",
        ) from error
    except ssl.SSLError as error:
        raise LinkRefused(
            "tls", f"The connection to {target.host} is not safe: its certificate or its encryption is wrong. {UPLOAD}"
        ) from error
    except OSError as error:
        raise LinkRefused(
            "unreachable", f"{target.host} does not answer. Try again later, or look at the link."
        ) from error
    except http.client.IncompleteRead as error:
        raise _broken_off() from error
    except (http.client.HTTPException, ValueError) as error:
        raise LinkRefused("http", f"{target.host} gave an answer that is no web server's. {UPLOAD}") from error


def _connected(target: Target, deadline: float) -> socket.socket:
    """Return a connection to one of the addresses that were checked, encrypted for https. Raises OSError."""
    connection = _first_open(targets.resolve(target, deadline), target.port, deadline)
    if target.scheme != "https":
        return connection
    try:
        connection.settimeout(_left(deadline))
        return _tls().wrap_socket(connection, server_hostname=target.host)
    except BaseException:
        connection.close()
        raise


def _first_open(found: list[IPAddress], port: int, deadline: float) -> socket.socket:
    """Try the addresses in turn, each for its share of the time that is left."""
    failed: OSError = OSError("no address")
    for n_tried, address in enumerate(found):
        connection = socket.socket(socket.AF_INET if address.version == 4 else socket.AF_INET6, socket.SOCK_STREAM)
        try:
            connection.settimeout(_left(deadline) / (len(found) - n_tried))
            connection.connect((str(address), port))
        except OSError as error:
            connection.close()
            failed = error
        else:
            return connection
    raise failed


def _tls() -> ssl.SSLContext:
    return ssl.create_default_context()


def _asked(target: Target, connection: socket.socket, deadline: float) -> http.client.HTTPResponse:
    """Send the request and return the response, read up to the end of its headers."""
    lines = (
        f"GET {target.path} HTTP/1.1",
        f"Host: {target.authority}",
        "User-Agent: ImgSim",
        "Accept: image/*",
        "Accept-Encoding: identity",
        "Connection: close",
    )
    connection.settimeout(_left(deadline))
    connection.sendall("".join(f"{line}\r\n" for line in (*lines, "")).encode("ascii"))
    # All that the parser wants of a socket is a file to read.
    response = http.client.HTTPResponse(cast(socket.socket, _Limited(connection, deadline)), method="GET")
    response.begin()
    return response


class _Limited(io.RawIOBase):
    """What a socket receives until a moment, however slowly it drips in, and up to a limit, headers and all.

    Raises TimeoutError after the moment. The limit holds where the parser itself would read on: through headers
    without end, or a chunk that says it has -1 bytes.
    """

    def __init__(self, connection: socket.socket, deadline: float) -> None:
        self._connection = connection
        self._deadline = deadline
        self._n_left = MAX_FILE_BYTES + _FRAMING_BYTES

    def makefile(self, mode: str) -> io.BufferedReader:
        return io.BufferedReader(self)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        if self._n_left <= 0:
            raise _too_large()
        self._connection.settimeout(_left(self._deadline))
        n_received = self._connection.recv_into(buffer)
        self._n_left -= n_received
        return n_received


def _left(deadline: float) -> float:
    """Return the seconds that are left, above 0. Raises TimeoutError."""
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError("The time for this link is over.")
    return left


def _next(target: Target, response: http.client.HTTPResponse) -> str:
    """Return where a redirect leads."""
    # Headers are read as Latin-1; what stands in them unescaped is UTF-8 nowadays.
    location = response.getheader("Location", "").encode("latin-1").decode("utf-8", "replace")
    if not location:
        raise LinkRefused("redirects", f"{target.host} redirects the link to nowhere. {UPLOAD}")
    try:
        return urljoin(target.url, location)
    except ValueError as error:
        raise LinkRefused("redirects", f"{target.host} redirects the link to no address. {UPLOAD}") from error


def _content(response: http.client.HTTPResponse) -> bytes:
    """Return the body of a response that promises a file, and keeps to it."""
    if response.status != 200:
        raise _no_file(response.status)
    if response.getheader("Content-Type", "").partition(";")[0].strip().lower() in {
        "text/html",
        "application/xhtml+xml",
    }:
        raise LinkRefused("html", "This link leads to a web page; open the picture itself and copy its address.")
    if response.getheader("Content-Encoding", "identity").strip().lower() not in {"", "identity"}:
        raise LinkRefused("encoded", "The server sends the file compressed, though it was asked not to. " + UPLOAD)
    content = _body(response)
    if not content:
        raise LinkRefused("empty", "The server sent an empty file. Open the link in your browser to see what it gives.")
    return content


def _body(response: http.client.HTTPResponse) -> bytes:
    """Read to the end or to the limit, whatever length was declared."""
    declared = response.length
    if declared is not None and declared > MAX_FILE_BYTES:
        raise _too_large()
    content = bytearray()
    while chunk := response.read(_CHUNK):
        content += chunk
        if len(content) > MAX_FILE_BYTES:
            raise _too_large()
    if declared is not None and len(content) < declared:
        raise _broken_off()
    return bytes(content)


def _broken_off() -> LinkRefused:
    return LinkRefused("truncated", "The connection ended before the file did. Try again.")


def _too_large() -> LinkRefused:
    limit = f"{MAX_FILE_BYTES / 1e6:.0f} MB"
    return LinkRefused("too_large_file", f"The file has more than {limit}. Save it, make it smaller and upload it.")


def _no_file(status: int) -> LinkRefused:
    if status in {404, 410}:
        reason = "The server has nothing at this link. Look whether the address is complete."
    elif status in {401, 403, 407, 451}:
        reason = "The server does not give this file to everybody. Save the picture and upload it."
    else:
        reason = "The server could not give the file. Try again later, or save the picture and upload it."
    return LinkRefused("status", f"{reason} (HTTP {status})")
