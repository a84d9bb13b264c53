"""Which code a process runs: the version of the project, and a digest of its modules as they were at the start."""

from __future__ import annotations

import hashlib
import tomllib
from functools import cache
from pathlib import Path

_PROJECT = Path(__file__).resolve().parents[1]
_PACKAGES = ("embeddings", "imgsim_site", "search")


@cache
def version() -> str:
    """Return such as "0.1.0+3f9a51c20e44". What is asked first in a process stays, whatever is installed later."""
    digest = hashlib.sha256()
    for path in sorted(path for package in _PACKAGES for path in (_PROJECT / package).rglob("*.py")):
        digest.update(path.relative_to(_PROJECT).as_posix().encode() + b"\0" + path.read_bytes() + b"\0")
    return f"{_number()}+{digest.hexdigest()[:12]}"


def _number() -> str:
    number: str = tomllib.loads((_PROJECT / "pyproject.toml").read_text())["project"]["version"]
    return number
