"""Where pictures are imported from, each read as a stream of files: a folder, a file; `packed` has archives."""

from __future__ import annotations

import math
import os
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from embeddings.images import RefusedImage

# Endings of picture files, also of kinds that are refused: people want to hear that their HEICs were not taken.
PICTURE_ENDINGS = frozenset(
    ".jpg .jpeg .jpe .jfif .mpo .png .apng .gif .webp .bmp .dib .tif .tiff .avif .avifs .heic .heif .jp2 .j2k .jxl "
    ".svg .psd .tga .ico .ppm .pgm .pbm .pnm .raw .cr2 .cr3 .nef .arw .dng .orf .rw2 .eps .pcx .xcf .exr .hdr".split()
)
TAR_ENDINGS = (".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tbz2", ".tar.xz", ".txz")
READ_ENDINGS = (".zip", *TAR_ENDINGS)
# Those that are no pictures either, and of which people want to hear.
ARCHIVE_ENDINGS = (*READ_ENDINGS, ".7z", ".rar")
# Of files that are ignored so many kinds are told apart; no program has as many, or longer ones.
_MOST_ENDINGS, _LONGEST_ENDING = 200, 20


class SourceMissing(Exception):
    """The path cannot be imported from at all. The message says why."""


@dataclass(frozen=True, kw_only=True)
class Found:
    """One file of a source: its name from the source on, what is recorded of that, and its content or why not."""

    name: str
    source: str
    content: bytes | Path | RefusedImage
    position: int  # of Source.total

    @property
    def n_bytes(self) -> int:
        """The size of the content; 0 where it cannot be told."""
        if isinstance(self.content, bytes):
            return len(self.content)
        try:
            return self.content.stat().st_size if isinstance(self.content, Path) else 0
        except OSError:
            return 0


@dataclass
class Source:
    """A path to import from. Iterating gives every picture file in it; `ignored` counts the others by their ending.

    `beat` is called while it reads, often: whoever iterates can tell a long reading from a dead one. What it raises
    ends the reading. `most_bytes` is what an archive may unpack to: what comes after is refused.
    """

    path: Path
    total: int = 0
    ignored: Counter[str] = field(default_factory=Counter)
    beat: Callable[[], object] = field(default=lambda: None)
    most_bytes: float = math.inf

    @property
    def is_archive(self) -> bool:
        return False

    @property
    def folders(self) -> list[Path]:
        """The folders of which everything is given: what lay there before and is not found lies there no longer."""
        return []

    @property
    def title(self) -> str:
        """What it is called in sentences."""
        return str(self.path)

    def __iter__(self) -> Iterator[Found]:
        raise NotImplementedError

    def weigh(self) -> int:
        """Return about how many files are to be read. Raises SourceMissing where none can be."""
        return 1

    def source_of(self, name: str) -> str:
        """Return what is recorded as the origin of a file of this source."""
        return name

    def _found(self, name: str, content: bytes | Path | RefusedImage, position: int) -> Found:
        return Found(name=name, source=self.source_of(name), content=content, position=position)

    def _takes(self, name: str) -> bool:
        """Return whether a name looks like a picture's; note it as ignored where it does not."""
        self.beat()
        base = name.rpartition("/")[2]
        if base.startswith("._") or "__MACOSX/" in name or base in {".DS_Store", "Thumbs.db", "desktop.ini"}:
            return False
        ending = Path(base).suffix.lower()
        if ending in PICTURE_ENDINGS:
            return True
        kind = ending or "no ending"
        is_told = len(kind) <= _LONGEST_ENDING and (kind in self.ignored or len(self.ignored) < _MOST_ENDINGS)
        self.ignored[kind if is_told else "others"] += 1
        return False


class FileSource(Source):
    """One file, taken whatever its name is."""

    def __iter__(self) -> Iterator[Found]:
        self.total = 1
        yield self._found(self.path.name, self.path, 1)


class FolderSource(Source):
    """Every picture file below a folder, in the order of their names. Links to folders are not followed."""

    _walked: tuple[list[Path], list[OSError]] | None = None

    @property
    def folders(self) -> list[Path]:
        return [self.path]

    @cached_property
    def _name(self) -> str:
        # The folder one is in can be typed without its name.
        return (self.path if self.path.name not in {"", ".."} else self.path.resolve()).name

    def source_of(self, name: str) -> str:
        return f"{self._name}/{name}"

    def weigh(self) -> int:
        self._walked = self._walk()
        return len(self._walked[0])

    def _walk(self) -> tuple[list[Path], list[OSError]]:
        """Return the paths of all files, and why folders cannot be read."""
        unreadable: list[OSError] = []
        paths: list[Path] = []
        for folder, subfolders, names in os.walk(self.path, onerror=unreadable.append):
            self.beat()
            subfolders.sort()
            paths += [Path(folder, name) for name in sorted(names)]
        return paths, unreadable

    def __iter__(self) -> Iterator[Found]:
        (paths, unreadable), self._walked = self._walked or self._walk(), None
        self.total = len(paths) + len(unreadable)
        for position, error in enumerate(unreadable, 1):
            name = os.path.relpath(error.filename or self.path, self.path)
            reason = f"The folder cannot be read: {error.strerror}. Nothing in it was imported."
            yield self._found(name, RefusedImage("unreadable", reason), position)
        for position, path in enumerate(paths, len(unreadable) + 1):
            name = path.relative_to(self.path).as_posix()
            if self._takes(name):
                yield self._found(name, path, position)
