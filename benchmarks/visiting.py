"""Somebody who visits a site: a browser with its cookies, or a program with a token; and how they were answered."""

from __future__ import annotations

import contextlib
import http.client
import json
import re
import socket
import urllib.error
import urllib.request
import uuid
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlencode, urlsplit

_TOKEN = re.compile(rb'name="csrfmiddlewaretoken" value="(\w+)"')


@dataclass
class Tally:
    """How requests were answered, by status. failures: what the server is to blame for, with its address."""

    statuses: Counter[int] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)

    def count(self, status: int, method: str, address: str) -> None:
        self.statuses[status] += 1
        if status >= 500:
            self.failures.append(f"{status} {method} {address}")

    def fail(self, what: str, error: BaseException) -> None:
        self.failures.append(f"{what}: {type(error).__name__}: {error}")


class Visitor:
    """Somebody who asks a site, and keeps its cookies."""

    def __init__(self, url: str, tally: Tally, *, token: str = "", language: str = "en") -> None:
        self._url, self._tally = url, tally
        self._opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor())
        self._opener.addheaders = [("Accept-Language", language)]
        if token:
            self._opener.addheaders.append(("Authorization", f"Bearer {token}"))
        self._csrf = ""

    def get(self, address: str) -> bytes:
        """Return what stands at an address; nothing, where nobody answers."""
        return self._ask("GET", address)

    def send(self, address: str, fields: Mapping[str, str], *files: tuple[str, str, bytes]) -> bytes:
        """Send a form as the last page would have it, with files (field, name, content); return the answer."""
        fields = {"csrfmiddlewaretoken": self._csrf, **fields}
        if not files:
            return self._ask("POST", address, urlencode(fields).encode(), "application/x-www-form-urlencoded")
        return self._ask("POST", address, *form(fields, *files))

    def send_json(self, method: str, address: str, words: Mapping[str, object]) -> bytes:
        return self._ask(method, address, json.dumps(words).encode(), "application/json")

    def sign_in(self, name: str, password: str) -> None:
        self.get("/login/")
        self.send("/login/", {"username": name, "password": password, "next": "/"})

    def sign_out(self) -> None:
        self.send("/logout/", {})

    def hang_up(self, address: str, content: bytes) -> None:
        """Send the first half of a picture, and go."""
        body, kind = form({}, ("image", "half.jpg", content))
        lines = [f"POST {address} HTTP/1.1", "Host: localhost", f"Content-Type: {kind}", f"Content-Length: {len(body)}"]
        head = "\r\n".join([*lines, "", ""]).encode()
        where = urlsplit(self._url)
        with contextlib.suppress(OSError), socket.create_connection((where.hostname, where.port), timeout=60) as client:
            client.sendall(head + body[: len(body) // 2])

    def _ask(self, method: str, address: str, body: bytes | None = None, kind: str = "") -> bytes:
        headers = {"Content-Type": kind} if kind else {}
        request = urllib.request.Request(self._url + address, body, headers, method=method)
        try:
            with self._opener.open(request, timeout=60) as answer:
                content: bytes = answer.read()
            self._tally.count(answer.status, method, address)
        except urllib.error.HTTPError as error:
            with error:
                content = error.read()
            self._tally.count(error.code, method, address)
        except (OSError, http.client.HTTPException) as error:
            self._tally.fail(f"{method} {address}", error)
            return b""
        if found := _TOKEN.search(content):
            self._csrf = found[1].decode()
        return content


def form(fields: Mapping[str, str], *files: tuple[str, str, bytes]) -> tuple[bytes, str]:
    """Return a form with files (field, name, content) as the body of a request, and its type."""
    boundary = uuid.uuid4().hex
    parts = [f'name="{name}"\r\n\r\n{value}'.encode() for name, value in fields.items()]
    parts += [f'name="{name}"; filename="{file}"\r\n\r\n'.encode() + content for name, file, content in files]
    head = f"--{boundary}\r\nContent-Disposition: form-data; ".encode()
    body = b"".join(head + part + b"\r\n" for part in parts) + f"--{boundary}--\r\n".encode()
    return body, f"multipart/form-data; boundary={boundary}"
