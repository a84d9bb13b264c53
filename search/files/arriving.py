"""Archives that visitors send: streamed to disk, kept until a job has read them, removed afterwards.

Each lies in a folder named after its job, whose worker may be killed and begin anew. That of a job which was
stopped is kept for a day, in which it can be begun once more.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.files.uploadedfile import UploadedFile
from django.core.files.uploadhandler import FileUploadHandler, StopFutureHandlers
from django.db.models import Q
from django.utils import timezone

from search.files.uploads import LimitedUploadHandler
from search.ingest.sources import READ_ENDINGS
from search.models import Job

_DRAFTS = ".drafts"
_A_DAY = timedelta(days=1)


def is_archive(name: str) -> bool:
    """Return whether a file is called as an archive is that an import reads."""
    return name.lower().endswith(READ_ENDINGS)


class LimitedByKind(LimitedUploadHandler):
    """Lets through as much of an archive as archives may have, and of another file as much as a picture may."""

    def limit(self) -> int:
        return settings.MAX_ARCHIVE_BYTES if is_archive(self.file_name or "") else super().limit()


class FileOnDisk(UploadedFile):  # type: ignore[type-arg]
    """An uploaded file that lies below the site's own folder until the request ends."""

    def temporary_file_path(self) -> str:
        """Return where it lies."""
        return str(self.file.name if self.file else "")


class ArchivesOnDisk(FileUploadHandler):
    """Writes archives below the site's own folder, where their jobs find them. Other files it leaves to others."""

    def new_file(self, *args: Any, **kwargs: Any) -> None:
        super().new_file(*args, **kwargs)
        self._file: Any = None
        if is_archive(self.file_name or ""):
            drafts = _root() / _DRAFTS
            drafts.mkdir(parents=True, exist_ok=True)
            # Removed with the request; `keep` gives it another name before.
            self._file = tempfile.NamedTemporaryFile(dir=drafts)  # noqa: SIM115
            raise StopFutureHandlers

    def receive_data_chunk(self, raw_data: bytes, start: int) -> bytes | None:
        if self._file is None:
            return raw_data
        self._file.write(raw_data)
        return None

    def file_complete(self, file_size: int) -> FileOnDisk | None:
        if self._file is None:
            return None
        # What was let through, not what was sent: the difference is what the limit kept out.
        size = self._file.tell()
        return FileOnDisk(self._file, self.file_name, self.content_type, size, self.charset)

    def upload_interrupted(self) -> None:
        if self._file is not None:
            self._file.close()


def keep(job: Job, name: str, file: FileOnDisk) -> None:
    """Keep an archive for a job, without copying it. name: one that leads nowhere."""
    folder = _root() / str(job.pk)
    folder.mkdir(parents=True, exist_ok=True)
    file.flush()
    os.link(file.temporary_file_path(), folder / name)


def path_of(job: Job, name: str) -> Path:
    """Return where the archive of a job lies."""
    return _root() / str(job.pk) / name


def hand_on(job: Job, to: Job) -> None:
    """Give the archive of a job to another one. Raises FileNotFoundError where it is gone."""
    (_root() / str(job.pk)).rename(_root() / str(to.pk))


def remove(job_id: int) -> None:
    """Remove what was kept for a job."""
    shutil.rmtree(_root() / str(job_id), ignore_errors=True)


def remove_leftovers() -> int:
    """Remove what no job is going to read, and what was never sent to its end; return how many archives that were."""
    root = _root()
    kept = [folder for folder in (root.iterdir() if root.is_dir() else ()) if folder.name.isdigit()]
    is_unread = Q(state__in=[Job.State.WAITING, Job.State.RUNNING])
    may_be_begun_again = Q(state=Job.State.FAILED, finished_at__gt=timezone.now() - _A_DAY)
    named = Job.objects.filter(is_unread | may_be_begun_again, pk__in=[folder.name for folder in kept])
    needed = set(named.values_list("pk", flat=True))
    old = [folder for folder in kept if int(folder.name) not in needed]
    for folder in old:
        remove(int(folder.name))
    oldest = time.time() - _A_DAY.total_seconds()
    drafts = root / _DRAFTS
    for draft in drafts.iterdir() if drafts.is_dir() else ():
        if draft.stat().st_mtime < oldest:
            draft.unlink(missing_ok=True)
    return len(old)


def _root() -> Path:
    return Path(settings.ARRIVING_ROOT)
