"""Where pictures are imported from: a folder, a file, a zip or a tar, each read as a stream of files.

Names inside archives are never used as paths, nothing is unpacked to disk, and no file is read past its size limit.
"""

from __future__ import annotations

import lzma
import os
import stat
import struct
import tarfile
import zipfile
import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import BinaryIO

from embeddings.images import RefusedImage
from embeddings.images.decoding import MAX_FILE_BYTES, check_file_size

# Endings of picture files, also of kinds that are refused: people want to hear that their HEICs were not taken.
PICTURE_ENDINGS = frozenset(
    ".jpg .jpeg .jpe .jfif .mpo .png .apng .gif .webp .bmp .dib .tif .tiff .avif .avifs .heic .heif .jp2 .j2k .jxl "
    ".svg .psd .tga .ico .ppm .pgm .pbm .pnm .raw .cr2 .cr3 .nef .arw .dng .orf .rw2 .eps .pcx .xcf .exr .hdr".split()
)
# What Python's readers raise on damaged archives, and on those that want what they do not know.
_ARCHIVE_ERRORS = (
    zipfile.BadZipFile,
    tarfile.TarError,
    zlib.error,
    lzma.LZMAError,
    struct.error,
    OSError,
    EOFError,
    ValueError,
    LookupError,
    RuntimeError,
    MemoryError,
)
_ZIP_BEGINNINGS = (b"PK\3\4", b"PK\5\6", b"PK\7\x08")
_TAR_ENDINGS = (".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tbz2", ".tar.xz", ".txz")
READ_ENDINGS = (".zip", *_TAR_ENDINGS)
# Those that are no pictures either, and of which people want to hear.
ARCHIVE_ENDINGS = (*READ_ENDINGS, ".7z", ".rar")
# A tar does not say beforehand how many files it has.
_BYTES_OF_A_PICTURE = 100_000


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
    ends the reading.
    """

    path: Path
    total: int = 0
    ignored: Counter[str] = field(default_factory=Counter)
    beat: Callable[[], object] = field(default=lambda: None)

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
        self.ignored[ending or "no ending"] += 1
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


class ArchiveSource(Source):
    """Shared by zip and tar: an archive inside an archive is refused, and what breaks the reading is a refusal too."""

    @property
    def is_archive(self) -> bool:
        return True

    def source_of(self, name: str) -> str:
        return f"{self.path.name}::{name}"

    def _takes(self, name: str) -> bool:
        return name.lower().endswith(ARCHIVE_ENDINGS) or super()._takes(name)

    def _refused(self, name: str, n_bytes: int) -> RefusedImage | None:
        """Return why a file is not read at all, or None where it is."""
        if name.lower().endswith(ARCHIVE_ENDINGS):
            return RefusedImage("nested_archive", "Archives inside archives are not opened. Unpack it and import it.")
        try:
            check_file_size(n_bytes)
        except RefusedImage as error:
            return error
        return None

    def _broken(self, error: Exception, position: int) -> Found:
        reason = f"The archive is damaged here ({error}). What came before was imported."
        return self._found("", RefusedImage("damaged_archive", reason), position)


class ZipSource(ArchiveSource):
    """Every picture file of a zip. Entries are read one by one, so equal names are kept apart."""

    def weigh(self) -> int:
        with self._opened() as archive:
            return len(archive.infolist())

    def _opened(self) -> zipfile.ZipFile:
        try:
            return zipfile.ZipFile(self.path)
        except _ARCHIVE_ERRORS as error:
            raise SourceMissing(f"{self.path} is not a zip that can be read: {error}.") from error

    def __iter__(self) -> Iterator[Found]:
        with self._opened() as archive:
            entries = [entry for entry in archive.infolist() if not entry.is_dir()]
            self.total = len(entries)
            for position, entry in enumerate(entries, 1):
                if self._takes(entry.filename):
                    yield self._found(entry.filename, self._read(archive, entry), position)

    def _read(self, archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> bytes | RefusedImage:
        if refused := self._refused(entry.filename, entry.file_size):
            return refused
        if entry.flag_bits & 1:
            return RefusedImage(
                "encrypted", "It is encrypted. Unpack the archive with its password and import the folder."
            )
        try:
            with archive.open(entry) as stream:
                return stream.read(MAX_FILE_BYTES + 1)
        except _ARCHIVE_ERRORS as error:
            return RefusedImage(
                "damaged_archive", f"The archive is damaged at this file: {error or type(error).__name__}."
            )


class _Beating:
    """The packed file below a tar, which tells of each read: to skip a member is to unpack all of it."""

    def __init__(self, raw: BinaryIO, beat: Callable[[], object]) -> None:
        self._raw = raw
        self._beat = beat

    def read(self, n_bytes: int) -> bytes:
        self._beat()
        return self._raw.read(n_bytes)


class TarSource(ArchiveSource):
    """Every picture file of a tar, compressed or not, in one pass. Links and devices are left out."""

    def weigh(self) -> int:
        with self.path.open("rb") as raw, self._opened(raw):
            return self.path.stat().st_size // _BYTES_OF_A_PICTURE

    def __iter__(self) -> Iterator[Found]:
        self.total = max(1, self.path.stat().st_size)
        with self.path.open("rb") as raw, self._opened(raw) as archive:
            try:
                for member in archive:
                    if member.isreg() and self._takes(member.name):
                        yield self._found(member.name, self._read(archive, member), raw.tell())
            except _ARCHIVE_ERRORS as error:
                yield self._broken(error, raw.tell())

    def _opened(self, raw: BinaryIO) -> tarfile.TarFile:
        try:
            # Reading as a stream needs nothing of a file but `read`.
            return tarfile.open(fileobj=_Beating(raw, self.beat), mode="r|*")  # type: ignore[call-overload]
        except _ARCHIVE_ERRORS as error:
            raise SourceMissing(f"{self.path} is not a tar that can be read: {error}.") from error

    def _read(self, archive: tarfile.TarFile, member: tarfile.TarInfo) -> bytes | RefusedImage:
        if refused := self._refused(member.name, member.size):
            return refused
        stream = archive.extractfile(member)
        return stream.read(MAX_FILE_BYTES + 1) if stream else b""


def open_source(path: Path) -> Source:
    """Return the source of a path by what it is. Raises SourceMissing where there is nothing that can be read."""
    try:
        mode = path.stat().st_mode
    except (FileNotFoundError, NotADirectoryError) as error:
        raise SourceMissing(f"There is nothing at {path}.") from error
    except OSError as error:
        raise SourceMissing(f"{path} cannot be reached: {error.strerror}.") from error
    if stat.S_ISDIR(mode):
        try:
            next(path.iterdir(), None)
        except OSError as error:
            raise SourceMissing(f"The folder {path} cannot be read: {error.strerror}.") from error
        return FolderSource(path)
    if not stat.S_ISREG(mode) or not os.access(path, os.R_OK):
        raise SourceMissing(f"{path} cannot be read as a file.")
    name = path.name.lower()
    if name.endswith(".zip") or _begins_like_zip(path):
        return ZipSource(path)
    if name.endswith(_TAR_ENDINGS):
        return TarSource(path)
    return FileSource(path)


def _begins_like_zip(path: Path) -> bool:
    # Not zipfile.is_zipfile, which looks at the end: a picture may have a zip appended to it.
    try:
        with path.open("rb") as file:
            return file.read(4) in _ZIP_BEGINNINGS
    except OSError:  # whoever reads it as a picture says what is wrong with it
        return False
