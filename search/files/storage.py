"""Files named by their content: written whole or not at all, and written once."""

from __future__ import annotations

import contextlib
import os
import secrets
import threading
import time
from pathlib import Path, PurePath

from django.core.files.base import ContentFile, File
from django.core.files.storage import FileSystemStorage, storages

# What is kept for images: originals, and thumbnails of them, in folders by dataset.
FOLDERS = ("originals", "thumbnails")
_DRAFTS = ".drafts"
_SECONDS_A_DRAFT_TAKES = 3600.0
# To make a folder that others remove at the same time.
_MOST_TRIES = 100
# Workers on several machines may share the storage, where a process is told by more than its number.
_MACHINE = secrets.token_hex(8)


def keep(name: str, content: bytes) -> str:
    """Keep content in the site's storage under a name that tells it from all other content; return the name."""
    storage = storages["default"]
    if isinstance(storage, AtomicFileStorage):
        return storage.put(name, content)
    return storage.save(name, ContentFile(content))


def name_in(dataset_id: int, name: str) -> str:
    """Return the name that a file of an image would have if it had come into another dataset."""
    kind, _, rest = name.split("/", 2)
    return f"{kind}/{dataset_id}/{rest}"


def dataset_of(name: str) -> int:
    """Return the id of the dataset for which a file was made; its image may have moved since."""
    return int(name.split("/", 2)[1])


def remove_old_drafts() -> int:
    """Remove what processes that were killed left half written; return how many files that were."""
    storage = storages["default"]
    return storage.remove_old_drafts() if isinstance(storage, AtomicFileStorage) else 0


class AtomicFileStorage(FileSystemStorage):
    """A file storage in which a file of a name is either absent or complete, also after a kill.

    Names hold the hash of their content, so saving a name that is there already keeps the file that is there.
    Files are written in a folder of drafts, and moved to their names when they are complete. Folders go with their last
    file.
    """

    def put(self, name: str, content: bytes) -> str:
        """Keep content under a name, unless that is there already; return the name.

        What `save` does, without what it does for names that visitors choose: these are the project's own.
        """
        path = self.path(name)
        if os.path.exists(path):  # noqa: PTH110 -- twice for each picture of an import: a Path costs more than the call
            return name
        # No other thread of any process writes to this name.
        draft = f"{self.location}/{_DRAFTS}/{_MACHINE}-{os.getpid()}-{threading.get_native_id()}"
        try:
            self._write(draft, content)
            self._move(draft, path)
        except BaseException:
            Path(draft).unlink(missing_ok=True)
            raise
        return name

    def get_available_name(self, name: str, max_length: int | None = None) -> str:
        return name

    def delete(self, name: str) -> None:
        """Delete a file, and the folders that are empty without it, but not the first of its name."""
        super().delete(name)
        with contextlib.suppress(OSError):  # it is not empty, or gone already
            for folder in PurePath(name).parents[:-2]:
                Path(self.location, folder).rmdir()

    def _save(self, name: str, content: File[bytes]) -> str:
        return self.put(name, content.read())

    def remove_old_drafts(self) -> int:
        """Remove the drafts of an hour ago, whose processes are dead; return how many. The folder holds few files."""
        folder = Path(self.location, _DRAFTS)
        oldest = time.time() - _SECONDS_A_DRAFT_TAKES
        n_removed = 0
        for draft in folder.iterdir() if folder.is_dir() else ():
            with contextlib.suppress(FileNotFoundError):  # it was completed meanwhile
                if draft.stat().st_mtime < oldest:
                    draft.unlink()
                    n_removed += 1
        return n_removed

    # Most folders are there: asking first would cost more than to fail for the few that are not.

    def _write(self, draft: str, content: bytes) -> None:
        try:
            target = open(draft, "wb", buffering=0)  # noqa: PTH123, SIM115 -- as above; closed below
        except FileNotFoundError:
            Path(draft).parent.mkdir(parents=True, exist_ok=True)
            target = open(draft, "wb", buffering=0)  # noqa: PTH123, SIM115
        with target:
            left = memoryview(content)
            while left:  # a disk that is nearly full takes a part, and refuses only the next one
                left = left[target.write(left) :]

    def _move(self, draft: str, path: str) -> None:
        for tries_left in reversed(range(_MOST_TRIES)):
            try:
                os.replace(draft, path)  # noqa: PTH105 -- as above
                return
            except FileNotFoundError:
                if not tries_left:
                    raise
                with contextlib.suppress(FileNotFoundError, FileExistsError):  # it goes, or comes, at this moment
                    Path(path).parent.mkdir(parents=True, exist_ok=True)
