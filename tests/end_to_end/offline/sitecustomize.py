"""Loaded by every Python that finds it on its path: notes each connection that leaves this machine, and refuses it."""

import os
import socket

_connect = socket.socket.connect
_lookup = socket.getaddrinfo


def _note(address: object) -> None:
    with open(os.environ["CONNECTIONS_LOG"], "a") as log:  # noqa: PTH123 -- no imports beyond these two
        log.write(f"{address}\n")


def connect(self: socket.socket, address: object) -> None:
    if self.family in (socket.AF_INET, socket.AF_INET6) and not str(address[0]).startswith(("127.", "::1")):  # type: ignore[index]
        _note(address)
        raise ConnectionRefusedError(address)
    return _connect(self, address)  # type: ignore[arg-type]


def getaddrinfo(host: object, *rest: object, **options: object) -> object:
    if host not in (None, "", "localhost", "127.0.0.1", "::1", b"localhost"):
        _note(host)
        raise socket.gaierror(-2, f"refused: {host!r}")
    return _lookup(host, *rest, **options)  # type: ignore[call-overload]


socket.socket.connect = connect  # type: ignore[method-assign,assignment]
socket.getaddrinfo = getaddrinfo  # type: ignore[assignment]
