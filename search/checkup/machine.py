"""This machine: room on the disk, folders that can be written, formats that can be read."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from django.conf import settings

from embeddings.images.formats import unreadable_formats
from search.checkup.findings import Finding, error, ok, warning

_PART = "machine"
_GB = 10**9
_LITTLE_SHARE, _LITTLE_BYTES, _TOO_LITTLE_BYTES = 0.05, 2 * _GB, _GB // 5
_FOR_OTHERS = 0o077


def look() -> Iterator[Finding]:
    """Look at what this machine gives the site."""
    yield from _disk()
    yield from _permissions()
    if unreadable := unreadable_formats():
        what = f"Pictures as {', '.join(unreadable)} cannot be read here."
        yield error(_PART, what, "pip install --force-reinstall -r requirements.lock")
    else:
        yield ok(_PART, "Every format that is promised can be read.")


def _disk() -> Iterator[Finding]:
    for name, folder in (("var", settings.VAR), ("pictures", Path(settings.MEDIA_ROOT))):
        usage = shutil.disk_usage(_existing(folder))
        told = f"{usage.free / _GB:.1f} GB of {usage.total / _GB:.1f} GB are free for {name} ({folder})."
        if usage.free < _TOO_LITTLE_BYTES:
            yield error(_PART, told, f"du -xh --max-depth 2 {folder} | sort -h | tail; then make room")
        elif usage.free < min(_LITTLE_BYTES, _LITTLE_SHARE * usage.total):
            yield warning(_PART, told, f"du -xh --max-depth 2 {folder} | sort -h | tail")
        else:
            yield ok(_PART, told)


def _permissions() -> Iterator[Finding]:
    folders = [Path(folder) for folder in (settings.VAR, settings.MEDIA_ROOT, settings.ENCODERS_ROOT)]
    closed = [folder for folder in folders if not os.access(_existing(folder), os.W_OK | os.X_OK)]
    for folder in closed:
        yield error(_PART, f"{folder} cannot be written by this user.", f"sudo chown -R $(id -u):$(id -g) {folder}")
    if not closed:
        yield ok(_PART, "Its folders can be written.")
    key = settings.VAR / "secret_key"
    if key.exists() and key.stat().st_mode & _FOR_OTHERS:
        yield warning(_PART, f"{key} can be read by others: sessions can be forged with it.", f"chmod 600 {key}")


def _existing(folder: Path) -> Path:
    """Return a folder, or the nearest one above it that is there."""
    return next(path for path in (folder, *folder.parents) if path.exists())
