"""Zips and tars as sources of pictures, read as streams.

Names inside are never used as paths, nothing is unpacked to disk, and nothing is read past its limit: neither a file,
nor a header, nor, where `most_bytes` is given, all of it together.
"""

from __future__ import annotations

import bz2
import gzip
import lzma
import math
import re
import stat
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath
from tarfile import (  # type: ignore[attr-defined]  # two of these are missing in the stubs
    InvalidHeaderError,
    ReadError,
    TruncatedHeaderError,
)
from typing import Any, BinaryIO, Self

from embeddings.images import RefusedImage
from embeddings.images.decoding import MAX_FILE_BYTES, check_file_size
from search.ingest.sources import ARCHIVE_ENDINGS, Found, Source, SourceMissing

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
_UNIX = 3  # as zips call what wrote them
_UNPACKERS: dict[bytes, Callable[..., Any]] = {
    b"\x1f\x8b": gzip.open,
    b"BZh": bz2.open,
    b"\xfd7zXZ\0": lzma.open,
}
# A tar does not say beforehand how many files it has.
_BYTES_OF_A_PICTURE = 100_000
# Names in headers that say more than this of one file are of no program that packs files.
_MOST_BYTES_OF_A_HEADER = 1_000_000
# A million files, and a gigabyte of memory: zipfile reads the whole list.
_MOST_BYTES_OF_A_LISTING = 100_000_000
_LONGEST_END_OF_A_ZIP = 22 + 65_535 + 20 + 56  # with its comment, and what stands before it in a large one
_MOST_CHARACTERS_OF_A_NAME = 1_000
# As many times a good tar is asked for more after its end, at most, before its reader knows.
_MOST_READS_OF_NOTHING = 2
_LEADS_OUT = re.compile(r"^[/\\]|^[A-Za-z]:[/\\]|(^|[/\\])\.\.([/\\]|$)")


class ArchiveSource(Source):
    """Shared by zip and tar: an archive inside an archive is refused, and what breaks the reading is a refusal too."""

    @property
    def is_archive(self) -> bool:
        return True

    def source_of(self, name: str) -> str:
        shown = name if len(name) <= _MOST_CHARACTERS_OF_A_NAME else f"{name[:_MOST_CHARACTERS_OF_A_NAME]}…"
        return f"{self.path.name}::{shown}"

    def _takes(self, name: str) -> bool:
        return name.lower().endswith(ARCHIVE_ENDINGS) or super()._takes(name)

    def _refused(self, name: str, n_bytes: int, *, is_link: bool) -> RefusedImage | None:
        """Return why a file is not read at all, or None where it is."""
        if is_link:
            return RefusedImage("link", "It is a link or a device, or lies behind a link. Import what it leads to.")
        if len(name) > _MOST_CHARACTERS_OF_A_NAME:
            return RefusedImage("file_name", f"Its name has more than {_MOST_CHARACTERS_OF_A_NAME:,} characters.")
        if _LEADS_OUT.search(name):
            return RefusedImage("file_name", "Its name leads out of the archive. Pack it anew, from its folder on.")
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

    def _too_large(self, position: int) -> Found:
        n_megabytes = int(self.most_bytes) // 1_000_000
        reason = f"The archive unpacks to more than {n_megabytes:,} MB. What came before was imported."
        return self._found("", RefusedImage("too_large_archive", reason), position)


class ZipSource(ArchiveSource):
    """Every picture file of a zip. Entries are read one by one, so equal names are kept apart."""

    def weigh(self) -> int:
        with self._opened() as archive:
            return len(archive.infolist())

    def _opened(self) -> zipfile.ZipFile:
        try:
            if _listing_bytes(self.path) > _MOST_BYTES_OF_A_LISTING:
                raise zipfile.BadZipFile(f"its list of files has more than {_MOST_BYTES_OF_A_LISTING // 1_000_000} MB")
            return zipfile.ZipFile(self.path)
        except _ARCHIVE_ERRORS as error:
            raise SourceMissing(f"{self.path} is not a zip that can be read: {error}.") from error

    def __iter__(self) -> Iterator[Found]:
        n_left = self.most_bytes
        with self._opened() as archive:
            entries = [entry for entry in archive.infolist() if not entry.is_dir()]
            self.total = len(entries)
            for position, entry in enumerate(entries, 1):
                if self._takes(entry.filename):
                    found = self._found(entry.filename, self._read(archive, entry), position)
                    n_left -= found.n_bytes
                    if n_left < 0:
                        yield self._too_large(position)
                        return
                    yield found

    def _read(self, archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> bytes | RefusedImage:
        kind = stat.S_IFMT(entry.external_attr >> 16) if entry.create_system == _UNIX else 0
        if refused := self._refused(entry.filename, entry.file_size, is_link=kind not in {0, stat.S_IFREG}):
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


def _listing_bytes(path: Path) -> int:
    """Return how long the list of files at the end of a zip says that it is; 0 where there is none."""
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - _LONGEST_END_OF_A_ZIP))
        end = file.read()
    kinds = ((b"PK\5\6", 12, 16), (b"PK\6\6", 40, 48))
    sizes = [end[at + first : at + last] for magic, first, last in kinds if (at := end.rfind(magic)) >= 0]
    return max((size for one in sizes if (size := int.from_bytes(one, "little")) != 0xFFFFFFFF), default=0)


class _UnpackedTooMuch(Exception):
    """The archive unpacks to more than it may."""


class _Unpacked:
    """A tar unpacked, as a stream that tells of each read: to skip a member is to unpack all of it.

    Nothing behind `header_end`, where the next header has to end, is given away: tarfile reads headers of any length
    into memory.
    """

    def __init__(self, stream: BinaryIO, beat: Callable[[], object], most_bytes: float) -> None:
        self._stream = stream
        self._beat = beat
        self._most_bytes = most_bytes
        self._n_bytes = 0
        self._n_reads_of_nothing = 0
        self.header_end = math.inf

    def read(self, n_bytes: int) -> bytes:
        self._beat()
        content = self._stream.read(n_bytes)
        self._n_bytes += len(content)
        self._n_reads_of_nothing += not content
        if self._n_reads_of_nothing > _MOST_READS_OF_NOTHING:  # to skip what a header promises, without end
            raise tarfile.ReadError("unexpected end of data")
        if self._n_bytes > self.header_end:
            raise tarfile.ReadError("a header without end")
        if self._n_bytes > self._most_bytes:
            raise _UnpackedTooMuch
        return content


class _Header(tarfile.TarInfo):
    """A header of a tar, of which a damaged one is not taken for the end of the archive."""

    @classmethod
    def fromtarfile(cls, tarfile: tarfile.TarFile) -> Self:
        try:
            return super().fromtarfile(tarfile)
        except (InvalidHeaderError, TruncatedHeaderError) as error:
            raise ReadError(str(error)) from error


class TarSource(ArchiveSource):
    """Every picture file of a tar, compressed or not, in one pass."""

    def weigh(self) -> int:
        with self.path.open("rb") as raw:
            self._opened(self._unpacked(raw)).close()
        return self.path.stat().st_size // _BYTES_OF_A_PICTURE

    def __iter__(self) -> Iterator[Found]:
        self.total = max(1, self.path.stat().st_size)
        with self.path.open("rb") as raw:
            unpacked = self._unpacked(raw)
            with self._opened(unpacked) as archive:
                try:
                    for member, is_link in self._members(archive, unpacked):
                        if self._takes(member.name):
                            yield self._found(member.name, self._read(archive, member, is_link), raw.tell())
                except _UnpackedTooMuch:
                    yield self._too_large(raw.tell())
                except _ARCHIVE_ERRORS as error:
                    yield self._broken(error, raw.tell())

    def _unpacked(self, raw: BinaryIO) -> _Unpacked:
        beginning = raw.read(6)
        raw.seek(0)
        unpacker = next((open_ for magic, open_ in _UNPACKERS.items() if beginning.startswith(magic)), None)
        return _Unpacked(unpacker(raw) if unpacker else raw, lambda: self.beat(), self.most_bytes)

    def _opened(self, unpacked: _Unpacked) -> tarfile.TarFile:
        unpacked.header_end = _MOST_BYTES_OF_A_HEADER
        try:
            # Reading as a stream needs nothing of a file but `read`.
            return tarfile.open(fileobj=unpacked, mode="r|", tarinfo=_Header)  # type: ignore[call-overload]
        except _ARCHIVE_ERRORS as error:
            raise SourceMissing(f"{self.path} is not a tar that can be read: {error}.") from error

    def _members(self, archive: tarfile.TarFile, unpacked: _Unpacked) -> Iterator[tuple[tarfile.TarInfo, bool]]:
        """Yield all that is no folder, and whether it is a link or a device, or lies below one by its name."""
        links: set[str] = set()
        member = archive.next()
        while member is not None:
            archive.members = []  # type: ignore[attr-defined]  # tarfile would keep all of them
            unpacked.header_end = math.inf
            path = PurePosixPath(member.name)
            if member.issym():
                links.add(str(path))
            if not member.isdir():
                yield member, not member.isreg() or not links.isdisjoint(map(str, path.parents))
            unpacked.header_end = archive.offset + _MOST_BYTES_OF_A_HEADER
            member = archive.next()

    def _read(self, archive: tarfile.TarFile, member: tarfile.TarInfo, is_link: bool) -> bytes | RefusedImage:
        if refused := self._refused(member.name, member.size, is_link=is_link):
            return refused
        stream = archive.extractfile(member)
        return stream.read(member.size) if stream else b""
