"""What a link names, read strictly, and the addresses of its server, each of which has to be public. Nothing is sent.

Whatever two programs could read in two ways is refused: the server that is checked is then the one that is asked.
"""

from __future__ import annotations

import re
import socket
import threading
import time
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address
from queue import Empty, SimpleQueue
from typing import Final
from urllib.parse import SplitResult, quote, urlsplit

from search.links import addresses
from search.links.addresses import IPAddress

PORTS: Final = {"http": 80, "https": 443}
MAX_LENGTH: Final = 4096

UPLOAD: Final = "Save the picture and upload it."
_IN_PATHS: Final = "!#$%&'()*+,/:;=?@[]~"
_HOST_NAME: Final = re.compile(r"(?=.{1,253}\Z)(?:[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?\.)+[a-z0-9-]{2,63}")
_BRACKETED: Final = re.compile(r"\[[^\]]*\](?::[0-9]*)?")
# A name whose last part is a number is read as an IPv4 address, in decimal, octal or hexadecimal, whole or in parts.
_NUMBER_LAST: Final = re.compile(r"(?:.*\.)?(?:[0-9]+|0x[0-9a-f]*)")


class LinkRefused(ValueError):
    """A link that is not fetched, or whose server gave no picture: `code` for programs, `reason` for the person."""

    def __init__(self, code: str, reason: str) -> None:
        super().__init__(code, reason)
        self.code = code
        self.reason = reason

    def __str__(self) -> str:
        return self.reason


@dataclass(frozen=True, kw_only=True)
class Target:
    """A server and what to ask it for. host: ASCII, lower case, an IPv6 address without its brackets."""

    scheme: str
    host: str
    port: int
    path: str  # with the query; ASCII
    literal: IPAddress | None = None  # the host, where it is an address

    @property
    def authority(self) -> str:
        """The host as links and the Host header write it, with the port where it is not the scheme's own."""
        host = f"[{self.host}]" if isinstance(self.literal, IPv6Address) else self.host
        return host if self.port == PORTS[self.scheme] else f"{host}:{self.port}"

    @property
    def url(self) -> str:
        return f"{self.scheme}://{self.authority}{self.path}"


def read(url: str) -> Target:
    """Return what a link names. Spaces around it and a fragment are dropped. Raises LinkRefused."""
    url = url.strip(" \t\r\n")
    if len(url) > MAX_LENGTH:
        raise LinkRefused("malformed", f"The link has more than {MAX_LENGTH:,} characters. {UPLOAD}")
    if re.search(r"[\x00-\x20\x7f-\xa0\u2028\u2029\\]", url):
        raise _malformed("It has a space, a backslash or a control character in it")
    try:
        parts = urlsplit(url)
        port = parts.port
        path = quote((parts.path or "/") + (f"?{parts.query}" if parts.query else ""), safe=_IN_PATHS)
    except ValueError as error:  # half a surrogate pair in the path is one too
        raise _malformed("A part of it cannot be read") from error
    if parts.scheme not in PORTS:
        raise LinkRefused("scheme", "Only links that begin with http:// or https:// are fetched. " + UPLOAD)
    host, literal = _host(parts)
    if port is not None and port not in PORTS.values():
        raise LinkRefused("port", f"Only ports 80 and 443 are asked, not {port}. {UPLOAD}")
    return Target(scheme=parts.scheme, host=host, port=port or PORTS[parts.scheme], path=path, literal=literal)


def resolve(target: Target, deadline: float) -> list[IPAddress]:
    """Return all addresses of a target's server, looked up once; connect to these and look up no more.

    deadline: as `time.monotonic` counts. Raises LinkRefused where one of them is not public, or there is none;
    TimeoutError.
    """
    found = [target.literal] if target.literal is not None else _looked_up(target, deadline)
    if not all(addresses.is_public(address) for address in found):
        raise _private()
    return found


def _host(parts: SplitResult) -> tuple[str, IPAddress | None]:
    """Return the host in its one spelling, and as an address where it is one."""
    if "@" in parts.netloc:
        raise LinkRefused("userinfo", "The link has a name or a password before its server. " + UPLOAD)
    if not parts.hostname:
        raise _malformed("It names no server")
    if "[" in parts.netloc:
        if not _BRACKETED.fullmatch(parts.netloc):
            raise _malformed("The address of its server cannot be one")
        return _ipv6(parts.hostname)
    host = _ascii(parts.hostname)
    if _NUMBER_LAST.fullmatch(host):
        return _ipv4(host)
    if "." not in host:
        raise _private()
    if not _HOST_NAME.fullmatch(host):
        raise _malformed("The name of its server cannot be one")
    return host, None


def _ascii(host: str) -> str:
    """Return a name in lower-case ASCII without the root's dot; look-alikes of digits, dots and letters are folded."""
    try:
        return host.encode("idna").decode("ascii").lower().removesuffix(".")
    except UnicodeError as error:
        raise _malformed("The name of its server cannot be one") from error


def _ipv4(host: str) -> tuple[str, IPv4Address]:
    try:
        address = IPv4Address(host)
    except ValueError as error:
        raise LinkRefused("address", "An address in numbers is taken as four decimal ones only. " + UPLOAD) from error
    if not addresses.is_public(address):
        raise _private()
    return host, address


def _ipv6(host: str) -> tuple[str, IPv6Address]:
    try:
        address = ip_address(host)
    except ValueError as error:
        raise _malformed("The address of its server cannot be one") from error
    if not isinstance(address, IPv6Address) or not addresses.is_public(address):
        raise _private()
    return str(address), address


def _looked_up(target: Target, deadline: float) -> list[IPAddress]:
    """Ask the resolver in a thread: it keeps to no time limit, so it is left behind where it takes too long."""
    answers: SimpleQueue[list[IPAddress] | OSError] = SimpleQueue()

    def look_up() -> None:
        try:
            answers.put(lookup(target.host, target.port))
        except OSError as error:
            answers.put(error)

    threading.Thread(target=look_up, daemon=True).start()
    try:
        answer = answers.get(timeout=max(0.0, deadline - time.monotonic()))
    except Empty as error:
        raise TimeoutError("The resolver took too long.") from error
    if isinstance(answer, OSError) or not answer:
        raise LinkRefused(
            "dns", f"There is no server called {target.host}, or it cannot be found from here. Look for a typing error."
        ) from (answer if isinstance(answer, OSError) else None)
    return answer


def lookup(host: str, port: int) -> list[IPAddress]:
    """Return the addresses that the system's resolver gives, in its order. Raises OSError."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [ip_address(address[0]) for *_, address in found]


def _private() -> LinkRefused:
    return LinkRefused("address", "This link leads into a private network, not to the public internet. " + UPLOAD)


def _malformed(why: str) -> LinkRefused:
    return LinkRefused("malformed", f"This is no link that can be fetched. {why}. Copy the picture's address again.")
