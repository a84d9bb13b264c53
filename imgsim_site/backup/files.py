"""The files of a backup: copied when they are not there yet, and told by their SHA-256 on the way back."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path

from django.conf import settings
from django.core.files.storage import default_storage

from embeddings.stored import sha256_of
from imgsim_site.backup.manifest import BackupError, KeptFile
from search.files import storage

MEDIA = "media"
ENCODERS = "encoders"


def copy_media(names: Iterable[str], folder: Path, known: dict[str, KeptFile]) -> Iterator[KeptFile | str]:
    """Copy files of the site's storage; give what each is, or the bare name of one that is not there.

    known: the files of the backup before, by path. Names hold the hash of what they were made of, and no file ever
    changes, so that one of the same name and size need not be copied again.
    """
    for name in names:
        path = f"{MEDIA}/{name}"
        before, target = known.get(path), folder / path
        if before is not None and target.is_file() and target.stat().st_size == before.n_bytes:
            yield before
            continue
        try:
            with default_storage.open(name) as file:
                content: bytes = file.read()
        except FileNotFoundError:
            yield name
            continue
        _write(target, content)
        yield KeptFile(sha256=hashlib.sha256(content).hexdigest(), n_bytes=len(content), path=path)


def copy_encoders(names: Iterable[str], folder: Path) -> Iterator[KeptFile]:
    """Copy the folders of encoders; those whose files are all there by size and digest are left."""
    for name in names:
        source = Path(settings.ENCODERS_ROOT) / name
        for path in sorted(path for path in source.rglob("*") if path.is_file()):
            relative = f"{ENCODERS}/{name}/{path.relative_to(source).as_posix()}"
            target, digest = folder / relative, sha256_of(path)
            if not target.is_file() or sha256_of(target) != digest:
                target.parent.mkdir(parents=True, exist_ok=True)
                draft = target.with_name(target.name + ".new")
                shutil.copyfile(path, draft)
                draft.replace(target)
            yield KeptFile(sha256=digest, n_bytes=path.stat().st_size, path=relative)


def remove_others(folder: Path, kept: Iterable[KeptFile]) -> int:
    """Remove from a backup the files of images and encoders that are no longer there; return how many."""
    wanted = {one.path for one in kept}
    n_removed = 0
    for kind in (MEDIA, ENCODERS):
        for path in (folder / kind).rglob("*"):
            if path.is_file() and path.relative_to(folder).as_posix() not in wanted:
                path.unlink()
                n_removed += 1
    return n_removed


def put_back(folder: Path, files: Iterable[KeptFile]) -> Iterator[KeptFile]:
    """Copy the files of a backup to where the site has them, and give each. Raises BackupError for one that changed."""
    for one in files:
        content = _checked(folder, one)
        kind, _, name = one.path.partition("/")
        if kind == MEDIA:
            _keep(name, content)
        else:
            _write(Path(settings.ENCODERS_ROOT) / _inside(name), content)
        yield one


def _keep(name: str, content: bytes) -> None:
    # What is there under the name may have been damaged: that is why somebody restores.
    if default_storage.exists(name):
        with default_storage.open(name) as file:
            if file.read() == content:
                return
        default_storage.delete(name)
    storage.keep(name, content)


def _checked(folder: Path, one: KeptFile) -> bytes:
    try:
        content = (folder / _inside(one.path)).read_bytes()
    except OSError as error:
        raise BackupError(f"{one.path} is in the backup's list and cannot be read: {error}.") from error
    if hashlib.sha256(content).hexdigest() != one.sha256:
        raise BackupError(f"{one.path} has changed since the backup was made: take another backup.")
    return content


def _inside(name: str) -> str:
    """Return a path of a list, which leads nowhere else. Raises BackupError."""
    if name.startswith("/") or "\\" in name or ".." in name.split("/"):
        raise BackupError(f"The backup's list names {name!r}, which is no file of a backup.")
    return name


def _write(target: Path, content: bytes) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    draft = target.with_name(f"{target.name}.new-{os.getpid()}")
    draft.write_bytes(content)
    draft.replace(target)
