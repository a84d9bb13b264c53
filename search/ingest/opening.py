"""A path to import from becomes the source that it is."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from search.ingest.packed import TarSource, ZipSource
from search.ingest.sources import TAR_ENDINGS, FileSource, FolderSource, Source, SourceMissing

_ZIP_BEGINNINGS = (b"PK\3\4", b"PK\5\6", b"PK\7\x08")


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
    if name.endswith(TAR_ENDINGS):
        return TarSource(path)
    return FileSource(path)


def _begins_like_zip(path: Path) -> bool:
    # Not zipfile.is_zipfile, which looks at the end: a picture may have a zip appended to it.
    try:
        with path.open("rb") as file:
            return file.read(4) in _ZIP_BEGINNINGS
    except OSError:  # whoever reads it as a picture says what is wrong with it
        return False
