"""Files of images as whoever reads them wants them, wherever the site keeps them: on a disk, or in a bucket.

From a disk a file is named by its path, and read by whoever needs it; from elsewhere its bytes are fetched.
"""

from __future__ import annotations

import os
import time
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

from django.conf import settings
from django.core.files.storage import FileSystemStorage, storages

from embeddings.images import RefusedImage
from search.files import in_place


class StorageSilent(RefusedImage):
    """The storage does not answer: its pictures are not to blame, and can be read another time."""


def source(name: str, in_place_path: str = "") -> bytes | Path:
    """Return a file of the storage, or the one in place where there is no name: its path, or its bytes.

    Raises RefusedImage where it is not in the storage, StorageSilent where that does not answer, OutsideRoots where it
    may not be read in place; of a path that leads nowhere whoever reads it does.
    """
    if not name:
        return in_place.resolved(in_place_path)
    storage = storages["default"]
    if isinstance(storage, FileSystemStorage):
        return Path(storage.path(name))
    try:
        with storage.open(name) as file:
            content: bytes = file.read()
    except FileNotFoundError as error:
        raise RefusedImage("unreadable", "The file cannot be read: No such file or directory.") from error
    except Exception as error:  # every client of a bucket has errors of its own
        reason = f"The file cannot be read: the storage does not answer ({type(error).__name__})."
        raise StorageSilent("unreadable", reason) from error
    return content


def local_path(name: str, in_place_path: str = "") -> Path:
    """Return a path of a file for programs that take nothing else; what is elsewhere is fetched and kept beside.

    A file that cannot be fetched, or not be read in place, has a path that leads nowhere.
    """
    path = _fetched() / (name or "none")
    if name and path.is_file():  # by its name it is of the same content
        os.utime(path)
        return path
    try:
        found = source(name, in_place_path)
    except RefusedImage:
        return path
    if isinstance(found, Path):
        return found
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f"{path.name}.{os.getpid()}")
    draft.write_bytes(found)
    return draft.replace(path)


def remove_fetched(unused_for: timedelta = timedelta(days=1)) -> None:
    """Remove what was fetched and not asked for since; not to be called while a training may read it."""
    oldest = time.time() - unused_for.total_seconds()
    for path in _fetched().rglob("*"):
        with suppress(FileNotFoundError):
            if path.is_file() and path.stat().st_mtime < oldest:
                path.unlink()


def _fetched() -> Path:
    return Path(settings.VAR) / "fetched"
