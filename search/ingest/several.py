"""Several sources as one: paths one after the other, and the files that a list names."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from embeddings.images import RefusedImage
from search.ingest.opening import open_source
from search.ingest.sources import ARCHIVE_ENDINGS, Found, Source, SourceMissing

STDIN = Path("-")


class Several(Source):
    """Sources one after the other. Each is looked at before the first is read: none is found missing half-way."""

    def __init__(self, parts: Sequence[Source]) -> None:
        super().__init__(Path())
        self._parts = parts
        for part in parts:
            part.ignored = self.ignored
            part.beat = lambda: self.beat()

    @property
    def is_archive(self) -> bool:
        return any(part.is_archive for part in self._parts)

    @property
    def folders(self) -> list[Path]:
        return [folder for part in self._parts for folder in part.folders]

    @property
    def title(self) -> str:
        return ", ".join(part.title for part in self._parts)

    def __iter__(self) -> Iterator[Found]:
        weights = [max(1, part.weigh()) for part in self._parts]
        self.total = sum(weights)
        n_before = 0
        for part, weight in zip(self._parts, weights, strict=True):
            for found in part:
                # Some count files, others bytes.
                yield replace(found, position=n_before + weight * found.position // max(1, part.total))
            n_before += weight


class ListSource(Source):
    """The files that a list names, in its order. What is recorded of a path begins at the folder common to all."""

    def __init__(self, path: Path, named: Sequence[str]) -> None:
        super().__init__(path)
        self._paths = [os.path.abspath(name) for name in named]  # noqa: PTH100 -- what links lead to is not named
        self._common = Path(os.path.commonpath([os.path.dirname(path) for path in self._paths]))  # noqa: PTH120

    @property
    def title(self) -> str:
        return "the list on stdin" if self.path == STDIN else f"the list {self.path}"

    def weigh(self) -> int:
        return len(self._paths)

    def source_of(self, name: str) -> str:
        return f"{self._common.name}/{name}" if self._common.name else name

    def __iter__(self) -> Iterator[Found]:
        self.total = len(self._paths)
        for position, path in enumerate(map(Path, self._paths), 1):
            name = self._name_of(path)
            if refused := _refused(path):
                yield self._found(name, refused, position)
            elif self._takes(name):
                yield self._found(name, path, position)

    def _name_of(self, path: Path) -> str:
        if self._common.name:
            return path.relative_to(self._common).as_posix()
        # From the root on it would be a path of the server: its folder and its name are enough to know it by.
        return "/".join(path.parts[1:][-2:])


def _refused(path: Path) -> RefusedImage | None:
    if path.name.lower().endswith(ARCHIVE_ENDINGS):
        return RefusedImage("listed_archive", "Archives in a list are not opened. Name it as a path of the command.")
    if not path.suffix and os.path.isdir(path):  # noqa: PTH112 -- which never raises, whatever is given for a path
        return RefusedImage("listed_folder", "This is a folder. Name it as a path of the command.")
    return None


def open_sources(paths: Sequence[Path], files_from: Path | None = None) -> Source:
    """Return the source of several paths, and of a list of files. Raises SourceMissing."""
    parts = [open_source(path) for path in paths]
    if files_from is not None:
        parts.append(ListSource(files_from, read_list(files_from)))
    if not parts:
        raise SourceMissing("Name a folder, a picture or an archive, or a list of files.")
    return parts[0] if len(parts) == 1 else Several(parts)


def read_list(path: Path) -> list[str]:
    """Read a list of paths, one a line or, as `find -print0` writes it, each ended by NUL; `-` is stdin.

    Raises SourceMissing where it cannot be read, or is empty.
    """
    try:
        content = sys.stdin.buffer.read() if path == STDIN else path.read_bytes()
    except OSError as error:
        raise SourceMissing(f"The list {path} cannot be read: {error.strerror}.") from error
    lines = content.split(b"\0") if b"\0" in content else content.splitlines()
    named = [os.fsdecode(line.removeprefix(b"\xef\xbb\xbf")) for line in lines if line.strip()]
    if not named:
        raise SourceMissing(f"The list {path} names no file: write one path a line.")
    return named
