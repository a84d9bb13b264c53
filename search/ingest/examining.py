"""A file looked at: read once, hashed, its header checked, its label found. Nothing is written here."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from embeddings import images
from embeddings.images.decoding import content_of
from search.files.in_place import resolved
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
    file = found.content
    if in_place and isinstance(file, Path):
        file = _in_place(file)
    content = content_of(file)
    return Candidate(
        source=storable(found.source),
        sha256=images.sha256_of(content),
        content=content,
        header=images.read_header(content),
        marks=Marks(storable(marks.label), marks.split if split == "auto" else split, tuple(map(storable, marks.tags))),
        in_place_path=str(file) if in_place and isinstance(file, Path) else "",
    )


def _in_place(path: Path) -> Path:
    path = resolved(path)
    if not is_storable(str(path)):
        raise images.RefusedImage(
            "file_name", "The name of the file is no valid Unicode. Rename it, or import it without --in-place."
        )
    return path
