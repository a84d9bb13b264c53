"""Which label and split a file gets: from the folders above it, or from a table."""

from __future__ import annotations

import csv
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

_SPLITS = {
    "train": "train",
    "training": "train",
    "val": "val",
    "valid": "val",
    "validation": "val",
    "test": "test",
    "testing": "test",
}
_PATH_HEADERS = {"path", "file", "filename", "file_name", "image", "source", "name"}
_LABEL_HEADERS = {"label", "class", "category", "target"}
_SPLIT_HEADERS = {"split", "subset", "set"}


class LabelsUnreadable(Exception):
    """The table of labels cannot be used. The message says what it should look like."""


@dataclass(frozen=True)
class Marks:
    """What is known of a file before it is opened."""

    label: str = ""
    split: str = ""


Rule = Callable[[str], Marks]


def from_folders(name: str) -> Marks:
    """Label a file by the folder it lies in; a folder named train, val or test gives the split instead."""
    folders = PurePosixPath(name).parts[:-1]
    label = folders[-1] if folders and folders[-1].lower() not in _SPLITS else ""
    return Marks(label=label[:200], split=_split_of(folders))


def without_labels(name: str) -> Marks:
    """Give no label; the split still comes from a folder named train, val or test."""
    return Marks(split=_split_of(PurePosixPath(name).parts[:-1]))


def _split_of(folders: tuple[str, ...]) -> str:
    return next((_SPLITS[folder.lower()] for folder in folders if folder.lower() in _SPLITS), "")


@dataclass(frozen=True)
class Table:
    """Labels read from a table: one row a file, keyed by its path or the last part of it."""

    marks: dict[str, Marks]

    def __call__(self, name: str) -> Marks:
        parts = PurePosixPath(name).parts
        # The table may have been written from a folder further down: the longest ending that it names counts.
        for start in range(len(parts)):
            if found := self.marks.get("/".join(parts[start:])):
                return Marks(found.label, found.split or _split_of(parts[:-1]))
        return without_labels(name)


def read_table(path: Path) -> Table:
    """Read a CSV of path, label and perhaps split; with a header line or in this order without one.

    Raises LabelsUnreadable where it is no such table.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise LabelsUnreadable(f"The labels in {path} cannot be read: {error}.") from error
    lines = text.splitlines()
    rows = [[cell.strip() for cell in row] for row in csv.reader(lines, delimiter=_delimiter(lines)) if row]
    if not rows or len(rows[0]) < 2:
        raise LabelsUnreadable(f"{path} is no table of labels: each line must name a file and its label.")
    columns = _columns([cell.lower() for cell in rows[0]])
    if columns is None:
        columns = (0, 1, None)
    else:
        rows = rows[1:]
    marks = {}
    for number, row in enumerate(rows, 1):
        if len(row) <= max(columns[0], columns[1]):
            raise LabelsUnreadable(f"{path}: row {number} has {len(row)} columns; a file and a label are needed.")
        split = _SPLITS.get(row[columns[2]].lower(), "") if columns[2] is not None and columns[2] < len(row) else ""
        marks[row[columns[0]].replace("\\", "/").removeprefix("./")] = Marks(row[columns[1]][:200], split)
    return Table(marks)


def _delimiter(lines: list[str]) -> str:
    return max(",;\t", key=lines[0].count) if lines else ","


def _columns(header: list[str]) -> tuple[int, int, int | None] | None:
    """Return where path, label and split stand, or None where the first line is no header."""

    def place(names: set[str]) -> int | None:
        return next((place for place, cell in enumerate(header) if cell in names), None)

    path, label = place(_PATH_HEADERS), place(_LABEL_HEADERS)
    return None if path is None or label is None else (path, label, place(_SPLIT_HEADERS))
