"""Files named by their content: written whole or not at all, and written once."""

from __future__ import annotations

import os
import threading
from pathlib import Path
from typing import BinaryIO

from django.core.files.base import ContentFile, File
from django.core.files.storage import FileSystemStorage, storages


def keep(name: str, content: bytes) -> str:
    """Keep content in the site's storage under a name that tells it from all other content; return the name."""
    storage = storages["default"]
    if isinstance(storage, AtomicFileStorage):
        return storage.put(name, content)
    return storage.save(name, ContentFile(content))


class AtomicFileStorage(FileSystemStorage):
    """A file storage in which a file of a name is either absent or complete, also after a kill.

    Names hold the hash of their content, so saving a name that is there already keeps the file that is there.
    """

    def put(self, name: str, content: bytes) -> str:
        """Keep content under a name, unless that is there already; return the name.

        What `save` does, without what it does for names that visitors choose: these are the project's own.
        """
        path = self.path(name)
        if os.path.exists(path):  # noqa: PTH110 -- twice for each picture of an import: a Path costs more than the call
            return name
        # No other thread of any process writes to this name; one that was killed leaves its draft to be overwritten.
        draft = f"{path}.{os.getpid()}-{threading.get_native_id()}.draft"
        try:
            with self._opened(draft) as target:
                target.write(content)
            os.replace(draft, path)  # noqa: PTH105 -- as above
        except BaseException:
            Path(draft).unlink(missing_ok=True)
            raise
        return name

    def get_available_name(self, name: str, max_length: int | None = None) -> str:
        return name

    def _save(self, name: str, content: File[bytes]) -> str:
        return self.put(name, content.read())

    def _opened(self, draft: str) -> BinaryIO:
        # Most folders are there: asking first would cost more than to fail for the few that are not.
        try:
            return open(draft, "wb", buffering=0)  # noqa: PTH123 -- as above; the caller closes it
        except FileNotFoundError:
            Path(draft).parent.mkdir(parents=True, exist_ok=True)
            return open(draft, "wb", buffering=0)  # noqa: PTH123
