"""Which label and split a file gets: from the folders above it, or from a table."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from search.ingest.sources import PICTURE_ENDINGS

_SPLITS = {
    "train": "train",
    "training": "train",
    "val": "val",
    "valid": "val",
    "validation": "val",
    "test": "test",
    "testing": "test",
}
_PATH_HEADERS = set(
    "path file filename file_name filepath file_path image images image_path image_name image_file img img_path "
    "img_name source name".split()
)
_LABEL_HEADERS = set("label labels label_name class class_name category target".split())
_SPLIT_HEADERS = {"split", "subset", "set"}


class LabelsUnreadable(Exception):
    """The table of labels cannot be used. The message says what it should look like."""


@dataclass(frozen=True)
class Marks:
    """What is known of a file before it is opened."""

    label: str = ""
    split: str = ""
    # A table has a row for it.
    is_listed: bool = field(default=False, compare=False)


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
    warning: str = ""  # what its user should look at

    def __call__(self, name: str) -> Marks:
        parts = PurePosixPath(name).parts
        # The table may have been written from a folder further down: the longest ending that it names counts.
        for start in range(len(parts)):
            if found := self.marks.get("/".join(parts[start:])):
                return Marks(found.label, found.split or _split_of(parts[:-1]), is_listed=True)
        return without_labels(name)


def read_table(path: Path) -> Table:
    """Read a CSV of path, label and perhaps split; with a header line or in this order without one.

    Raises LabelsUnreadable where it is no such table.
    """
    rows = _rows(path)
    if not rows or len(rows[0]) < 2:
        raise LabelsUnreadable(f"{path} is no table of labels: each line must name a file and its label.")
    columns = _columns([cell.lower() for cell in rows[0]])
    if columns is None:
        warning = _warning(path, rows[0])
        columns = (0, 1, None)
    else:
        warning = ""
        rows = rows[1:]
    marks = {}
    for number, row in enumerate(rows, 1):
        if len(row) <= max(columns[0], columns[1]):
            raise LabelsUnreadable(f"{path}: row {number} has {len(row)} columns; a file and a label are needed.")
        split = _SPLITS.get(row[columns[2]].lower(), "") if columns[2] is not None and columns[2] < len(row) else ""
        # A label stands in one line wherever it is shown.
        label = " ".join(row[columns[1]].splitlines())[:200]
        marks[row[columns[0]].replace("\\", "/").removeprefix("./")] = Marks(label, split)
    return Table(marks, warning)


def _rows(path: Path) -> list[list[str]]:
    """Read the cells of a table, without the empty lines. Raises LabelsUnreadable."""
    try:
        text = path.read_bytes().decode("utf-8-sig")
        # Only line ends part lines, and only outside quotes: csv knows, str.splitlines() does not.
        reader = csv.reader(io.StringIO(text, newline=""), delimiter=_delimiter(text))
        return [[cell.strip() for cell in row] for row in reader if row]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise LabelsUnreadable(f"The labels in {path} cannot be read: {error}.") from error


def _delimiter(text: str) -> str:
    return max(",;\t", key=text.partition("\n")[0].count)


def _warning(path: Path, row: list[str]) -> str:
    """Return what to say of a first line that is read as data and looks like a header, or nothing."""
    is_file = Path(row[0]).suffix.lower() in PICTURE_ENDINGS
    if is_file and row[1].lower() not in _LABEL_HEADERS:
        return ""
    return (
        f"The first line of {path} ({', '.join(row)[:80]}) was read as a file and its label. "
        "If it is a header, call the columns path, label and perhaps split."
    )


def _columns(header: list[str]) -> tuple[int, int, int | None] | None:
    """Return where path, label and split stand, or None where the first line is no header."""

    def place(names: set[str]) -> int | None:
        return next((place for place, cell in enumerate(header) if cell in names), None)

    path, label = place(_PATH_HEADERS), place(_LABEL_HEADERS)
    return None if path is None or label is None else (path, label, place(_SPLIT_HEADERS))
