"""A file looked at: read once, hashed, its header checked, its label found. Nothing is written here."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from embeddings import images
from embeddings.images.decoding import content_of
from search.ingest.marks import Marks
from search.ingest.sources import Found
from search.text import is_storable, storable

SplitChoice = Literal["auto", "none", "train", "val", "test"]
Rule = Callable[[Found], Marks]


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """A file whose header was accepted."""

    source: str
    sha256: str
    content: bytes
    header: images.Header
    marks: Marks
    in_place_path: str


def examine(found: Found, marks: Marks, split: SplitChoice, *, in_place: bool) -> Candidate:
    """Read a file once, hash it and check its header. Raises RefusedImage."""
    if isinstance(found.content, images.RefusedImage):
        raise found.content
    content = content_of(found.content)
    return Candidate(
        source=storable(found.source),
        sha256=images.sha256_of(content),
        content=content,
        header=images.read_header(content),
        marks=Marks(storable(marks.label), marks.split if split == "auto" else split, tuple(map(storable, marks.tags))),
        in_place_path=_in_place_path(found.content) if in_place and isinstance(found.content, Path) else "",
    )


def _in_place_path(path: Path) -> str:
    absolute = str(path.resolve())
    if not is_storable(absolute):
        raise images.RefusedImage(
            "file_name", "The name of the file is no valid Unicode. Rename it, or import it without --in-place."
        )
    return absolute
