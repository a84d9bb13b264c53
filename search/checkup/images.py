"""Images and their files: what waits too long, rows whose files are gone, files that belong to no row."""

from __future__ import annotations

import os
import shlex
import time
from collections.abc import Iterator, Sequence
from datetime import timedelta
from pathlib import Path, PurePosixPath
from random import Random

from django.conf import settings
from django.core.files.storage import FileSystemStorage, default_storage, storages
from django.utils import timezone

from search.checkup.findings import Finding, error, ok, warning
from search.files import in_place
from search.files.storage import FOLDERS
from search.models import Image
from search.work import leases

_PART = "images"
WAITS_TOO_LONG = timedelta(minutes=30)
N_ROWS, N_FOLDERS = 300, 20
_SHOWN = 3
_AT_ONCE = 2_000
# An import writes files before their rows.
_IS_NEW_S = 3_600


def look(*, every_file: bool) -> Iterator[Finding]:
    """Look at images that wait, and at rows and files: at some drawn at random, or at all."""
    yield from _pending()
    yield from _missing(every_file=every_file)
    yield from _without_rows(every_file=every_file)


def _pending() -> Iterator[Finding]:
    waiting = Image.objects.filter(status=Image.Status.PENDING)
    n_long = waiting.filter(leases.free(), created_at__lt=timezone.now() - WAITS_TOO_LONG).count()
    if n_long:
        minutes = int(WAITS_TOO_LONG.total_seconds() // 60)
        what = f"{n_long:,} images wait though they were added more than {minutes} minutes ago, and nobody has them."
        yield warning(_PART, what, "manage.py reconcile; without workers: manage.py embed_images --sync")
    else:
        yield ok(_PART, f"{waiting.count():,} images wait for their embedding, none of them for long.")


def _missing(*, every_file: bool) -> Iterator[Finding]:
    n_seen, lost, outside = 0, [], []
    for pk, file, in_place_path, thumbnail in _rows(every_file=every_file):
        n_seen += 1
        try:
            original_is_there = default_storage.exists(file) if file else in_place.resolved(in_place_path).is_file()
        except in_place.OutsideRoots:
            outside.append(pk)
            continue
        if not original_is_there or (thumbnail and not default_storage.exists(thumbnail)):
            lost.append(pk)
    among = "" if every_file else " drawn at random"
    if outside:
        told = f"{len(outside):,} lie outside IN_PLACE_ROOTS, and are not read: {_first(outside)}"
        what = f"Of {n_seen:,} images{among} {told}"
        yield error(_PART, what, "set IN_PLACE_ROOTS to the folders of such libraries")
    if lost:
        what = f"Of {n_seen:,} images{among} {len(lost):,} have lost a file: {_first(lost)}"
        yield error(_PART, what, "manage.py restore BACKUP --files, or import those pictures again")
    if not (lost or outside):
        yield ok(_PART, f"Of {n_seen:,} images{among} every file is there.")


def _first(found: Sequence[object]) -> str:
    return ", ".join(map(str, found[:_SHOWN])) + (" …" if len(found) > _SHOWN else "")


def _rows(*, every_file: bool) -> Iterator[tuple[int, str, str, str]]:
    found = Image.objects.values_list("pk", "file", "in_place_path", "thumbnail")
    found = found.order_by("pk") if every_file else found.order_by("?")[:N_ROWS]
    yield from found.iterator(chunk_size=_AT_ONCE)


def _without_rows(*, every_file: bool) -> Iterator[Finding]:
    # A bucket would have to be listed whole.
    if not isinstance(storages["default"], FileSystemStorage) or not Path(settings.MEDIA_ROOT).is_dir():
        return
    n_seen, stray = 0, []
    for names in _files(every_file=every_file):
        n_seen += len(names)
        stray += sorted(set(names) - _known(names))
    among = "" if every_file else " in folders drawn at random"
    if stray:
        what = f"Of {n_seen:,} files{among} {len(stray):,} belong to no image; they only take room: {_first(stray)}"
        yield warning(_PART, what, f"cd {settings.MEDIA_ROOT} && rm {shlex.join(stray[:_SHOWN])}")
    elif n_seen:
        yield ok(_PART, f"Of {n_seen:,} files{among} each belongs to an image.")
    else:
        yield ok(_PART, "No file is older than an hour; newer ones may still wait for their rows.")


def _files(*, every_file: bool) -> Iterator[list[str]]:
    """Give the names of files that are older than an hour, some thousand at once."""
    root, oldest = Path(settings.MEDIA_ROOT), time.time() - _IS_NEW_S
    folders = [folder for name in FOLDERS for folder in sorted((root / name).glob("*/*")) if folder.is_dir()]
    if not every_file and len(folders) > N_FOLDERS:
        folders = Random().sample(folders, N_FOLDERS)  # noqa: S311 -- any of them will do
    names: list[str] = []
    for folder in folders:
        with os.scandir(folder) as entries:
            inside = folder.relative_to(root).as_posix()
            names += [f"{inside}/{one.name}" for one in entries if one.is_file() and one.stat().st_mtime < oldest]
        if len(names) > _AT_ONCE:
            yield names
            names = []
    yield names


def _known(names: Sequence[str]) -> set[str]:
    """Return those of the names that an image has. Names hold the content's hash, by which rows are found quickly."""
    contents = [PurePosixPath(name).stem for name in names]
    rows = Image.objects.filter(sha256__in=contents).values_list("file", "thumbnail")
    return {name for row in rows for name in row}
