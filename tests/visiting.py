"""A visitor of a running site, as a browser or a program is one: cookies, tokens, forms with files in them."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from email.message import Message
from http.cookiejar import CookieJar
from types import MappingProxyType
from typing import Any

LONGEST_SECONDS = 60.0
File = tuple[str, str, bytes]  # the field of a form, the file's name, its content
_NONE: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What the site has answered; url: after all redirects."""

    status: int
    url: str
    headers: Message = field(repr=False)
    body: bytes = field(repr=False)

    @property
    def text(self) -> str:
        return self.body.decode()

    def json(self) -> Any:
        return json.loads(self.body)


class Visitor:
    """Somebody who asks a site; session: of whom is signed in; token: of a program."""

    def __init__(self, url: str, *, session: str = "", token: str = "") -> None:
        self._url = url
        self._headers = {"Cookie": f"sessionid={session}"} if session else {}
        self._headers |= {"Authorization": f"Bearer {token}"} if token else {}
        self._hidden = {} if token else {"csrfmiddlewaretoken": self._first_csrf_token()}

    def get(self, path: str) -> Answer:
        return self._ask(urllib.request.Request(self._url + path))

    def post(self, path: str, fields: Mapping[str, str] = _NONE, files: Iterable[File] = ()) -> Answer:
        """Send a form."""
        body, content_type = form({**self._hidden, **fields}, files)
        return self._ask(urllib.request.Request(self._url + path, body, {"Content-Type": content_type}))

    def post_json(self, path: str, fields: dict[str, Any]) -> Answer:
        body = json.dumps(fields).encode()
        return self._ask(urllib.request.Request(self._url + path, body, {"Content-Type": "application/json"}))

    def _first_csrf_token(self) -> str:
        jar = CookieJar()
        with urllib.request.build_opener(urllib.request.HTTPCookieProcessor(jar)).open(self._url) as page:
            page.read()
        (token,) = [cookie.value or "" for cookie in jar if cookie.name == "csrftoken"]
        self._headers["Cookie"] = "; ".join(filter(None, [self._headers.get("Cookie"), f"csrftoken={token}"]))
        return token

    def _ask(self, request: urllib.request.Request) -> Answer:
        for name, value in self._headers.items():
            request.add_header(name, value)
        try:
            response = urllib.request.urlopen(request, timeout=LONGEST_SECONDS)
        except urllib.error.HTTPError as error:
            response = error
        with response:
            return Answer(status=response.status, url=response.url, headers=response.headers, body=response.read())


def form(fields: Mapping[str, str], files: Iterable[File]) -> tuple[bytes, str]:
    """Return the body and the Content-Type of a form as browsers send it."""
    boundary = uuid.uuid4().hex
    parts = [(f'name="{name}"', value.encode()) for name, value in fields.items()]
    parts += [(f'name="{field}"; filename="{name}"', content) for field, name, content in files]
    head = f"--{boundary}\r\nContent-Disposition: form-data; "
    body = b"".join(f"{head}{what}\r\n\r\n".encode() + content + b"\r\n" for what, content in parts)
    return body + f"--{boundary}--\r\n".encode(), f"multipart/form-data; boundary={boundary}"
