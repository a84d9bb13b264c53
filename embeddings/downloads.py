"""Download one file over https into a folder: with progress, within seconds where there is no network, checked."""

import hashlib
import tempfile
from collections.abc import Callable
from http.client import HTTPException, HTTPResponse
from pathlib import Path
from queue import Empty, SimpleQueue
from threading import Thread
from typing import IO
from urllib.request import urlopen

Report = Callable[[str], None]

_TIMEOUT_S = 10
_CHUNK = 1 << 20


class DownloadFailed(RuntimeError):
    """Raised when an address does not give a whole file."""


class WrongDigest(ValueError):
    """Raised when a whole file came that is not the one expected."""


def download(url: str, folder: Path, report: Report, *, md5: str | None = None) -> Path:
    """Write what `url` gives into `folder`, under its own name once it is whole and checked, and return the path.

    Proxies come from the environment, as urllib reads it. No answer for ten seconds is a failure. `report` gets a
    line at the start and about each tenth. md5: in hexadecimal; None leaves the content unchecked.
    Raises DownloadFailed, WrongDigest; nothing is left in `folder` then.
    """
    target = folder / url.rpartition("/")[2]
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        part = Path(scratch, target.name)
        with part.open("wb") as file:
            try:
                _fetch(url, file, report)
            # OSError covers what urllib raises: no route, a refusal, a status, a timeout.
            except (OSError, HTTPException) as error:
                raise DownloadFailed(f"could not download {url}: {error}") from error
        if md5 is not None:
            _check(part, md5)
        return part.rename(target)


def _fetch(url: str, file: IO[bytes], report: Report) -> None:
    with _open(url) as response:
        total = int(response.headers.get("Content-Length") or 0)
        report(f"Downloading {url}" + (f" ({total / 1e6:.0f} MB)" if total else ""))
        received = told = 0
        while chunk := response.read(_CHUNK):
            file.write(chunk)
            received += len(chunk)
            if total and received - told >= total / 10:
                told = received
                report(f"{received / 1e6:.0f} of {total / 1e6:.0f} MB")
    if total and received != total:
        raise OSError(f"it broke off after {received} of {total} bytes")


def _open(url: str) -> HTTPResponse:
    """Open an address, or give up after ten seconds in all: urllib would wait so long for each address of a host."""
    answer: SimpleQueue[HTTPResponse | Exception] = SimpleQueue()

    def attempt() -> None:
        try:
            answer.put(urlopen(url, timeout=_TIMEOUT_S))  # noqa: S310 -- the addresses stand in `specs`
        except (OSError, HTTPException) as error:
            answer.put(error)

    Thread(target=attempt, daemon=True).start()
    try:
        response = answer.get(timeout=_TIMEOUT_S)
    except Empty:
        raise TimeoutError(f"no answer within {_TIMEOUT_S} seconds") from None
    if isinstance(response, Exception):
        raise response
    return response


def _check(path: Path, expected: str) -> None:
    with path.open("rb") as file:
        # A published MD5 still tells a broken or another file from the right one; what is in it is never run.
        received = hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
    if received != expected:
        raise WrongDigest(f"{path.name} is not the file expected: MD5 {received}, expected {expected}")
