"""Originals that stay where they lie: they are read under the folders of IN_PLACE_ROOTS only, links resolved.

A library may be written to by people who have no account on the server. A link that one of them lays into it, before an
import or afterwards, must not lead to pictures that lie elsewhere.
"""

from __future__ import annotations

import os
from pathlib import Path

from django.conf import settings

from embeddings.images import RefusedImage


class OutsideRoots(RefusedImage):
    """A file lies, links resolved, in a folder from which nothing is read in place."""

    def __init__(self) -> None:
        super().__init__(
            "outside_roots",
            "The file, or what it links to, lies outside the folders in which originals may stay (IN_PLACE_ROOTS).",
        )


def resolved(path: str | Path) -> Path:
    """Return a path, which may lead nowhere, with its links resolved. Raises OutsideRoots."""
    path = without_links(path)
    if not is_inside(path):
        raise OutsideRoots
    return path


def without_links(path: str | Path) -> Path:
    """Return a path with its links resolved as far as they lead anywhere: one that leads in a circle is no error."""
    return Path(os.path.realpath(path))  # `Path.resolve` raises RuntimeError for a circle


def is_inside(path: Path) -> bool:
    """Return whether a path without links is that of a root, or of something in one."""
    return any(path.is_relative_to(without_links(root)) for root in settings.IN_PLACE_ROOTS)
