"""What a backup says of itself: which rows and files it has, and how to tell that they are whole."""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path

_FORMAT = 1
_NAME = "manifest.json"
NEW = ".new"  # what is still being written ends so
ROWS = "rows-*.dump"
FILES = "files-*.tsv"


class BackupError(RuntimeError):
    """A backup cannot be made or used. The message says why, and what to do."""


@dataclass(frozen=True, kw_only=True)
class KeptFile:
    """A file of a backup: its SHA-256, its size in bytes, and its path below the backup, with slashes."""

    sha256: str
    n_bytes: int
    path: str


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """The whole of a backup.

    rows, files: the names of the dump and of the list of files, which hold the first digits of their SHA-256.
    counts: rows by table. migrations: those that had been applied, as "app.name". n_in_place: images whose originals
    lie elsewhere and are not in the backup. missing: names of files that rows have and that were not there.
    """

    made_at: str
    version: str
    postgres: str
    rows: str
    rows_sha256: str
    files: str
    files_sha256: str
    counts: dict[str, int]
    migrations: list[str]
    encoders: list[str]
    n_files: int
    n_bytes: int
    n_in_place: int
    missing: list[str]
    format: int = _FORMAT

    @classmethod
    def read(cls, folder: Path) -> Manifest:
        """Return the manifest of a backup. Raises BackupError where the folder holds none that can be read here."""
        try:
            fields = json.loads((folder / _NAME).read_text(encoding="utf-8"))
            if fields["format"] != _FORMAT:
                raise BackupError(f"{folder} has a backup of format {fields['format']}; this version reads {_FORMAT}.")
            return cls(**fields)
        except FileNotFoundError as error:
            raise BackupError(f"There is no backup in {folder}: it has no {_NAME}.") from error
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise BackupError(f"{folder / _NAME} cannot be read: {error}.") from error

    def write(self, folder: Path) -> None:
        """Write it, whole or not at all: from then on the backup is this one."""
        write_whole(folder / _NAME, json.dumps(asdict(self), indent=1, sort_keys=True) + "\n")


def is_backup(folder: Path) -> bool:
    """Return whether a folder has the manifest of a backup."""
    return (folder / _NAME).is_file()


def read_files(path: Path) -> list[KeptFile]:
    """Return the files that a list names. Raises BackupError for one that is damaged."""
    found = []
    for line in path.read_text(encoding="utf-8").splitlines():
        try:
            sha256, n_bytes, name = line.split("\t")
            found.append(KeptFile(sha256=sha256, n_bytes=int(n_bytes), path=name))
        except ValueError as error:
            raise BackupError(f"{path} is damaged: {line[:80]!r} is no line of it.") from error
    return found


def write_files(folder: Path, files: list[KeptFile]) -> tuple[Path, str]:
    """Write the list of files under a name of its own; return its path and SHA-256."""
    text = "".join(f"{one.sha256}\t{one.n_bytes}\t{one.path}\n" for one in files)
    digest = hashlib.sha256(text.encode()).hexdigest()
    return write_whole(folder / FILES.replace("*", digest[:12]), text), digest


def write_whole(path: Path, text: str) -> Path:
    """Write a file so that it is never half there, also after a loss of power; return its path."""
    draft = path.with_name(path.name + NEW)
    with draft.open("w", encoding="utf-8", newline="\n") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    return draft.replace(path)
