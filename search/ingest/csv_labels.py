"""Labels from a CSV: a row a file, with its path, its label, and perhaps its split and tags."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from pathlib import Path

from search.exports.cells import as_it_was
from search.ingest.marks import (
    LABEL_NAMES,
    PATH_NAMES,
    SPLIT_NAMES,
    TAG_NAMES,
    LabelsUnreadable,
    Marks,
    key_of,
    label_of,
    split_called,
    tags_of,
)
from search.ingest.sources import PICTURE_ENDINGS


@dataclass(frozen=True, kw_only=True)
class _Columns:
    """Where path, label, split and tags stand."""

    path: int
    label: int | None = None
    split: int | None = None
    tags: int | None = None

    @property
    def n_needed(self) -> int:
        return 1 + max(self.path, self.label or 0)


def read_csv(path: Path) -> tuple[dict[str, Marks], str]:
    """Read a CSV of path, label and perhaps split and tags; with a header line, or path and label without one.

    Returns what it says of each path, and what to warn of. Raises LabelsUnreadable where it is no such table.
    """
    rows = _rows(path)
    if not rows or len(rows[0]) < 2:
        raise LabelsUnreadable(f"{path} is no table of labels: each line must name a file and its label.")
    columns = _columns([cell.lower() for cell in rows[0]])
    if columns is None:
        warning = _warning(path, rows[0])
        columns = _Columns(path=0, label=1)
    else:
        warning = ""
        rows = rows[1:]
    marks = {}
    for number, row in enumerate(rows, 1):
        if len(row) < columns.n_needed:
            raise LabelsUnreadable(f"{path}: row {number} has {len(row)} columns; a file and a label are needed.")
        marks[key_of(row[columns.path])] = _marks(row, columns)
    return marks, warning


def _marks(row: list[str], columns: _Columns) -> Marks:
    def cell(place: int | None) -> str:
        return row[place] if place is not None and place < len(row) else ""

    return Marks(label_of(cell(columns.label)), split_called(cell(columns.split)), tags_of(cell(columns.tags)))


def _rows(path: Path) -> list[list[str]]:
    """Read the cells of a table, without the empty lines. Raises LabelsUnreadable."""
    try:
        text = path.read_bytes().decode("utf-8-sig")
        # Only line ends part lines, and only outside quotes: csv knows, str.splitlines() does not.
        reader = csv.reader(io.StringIO(text, newline=""), delimiter=_delimiter(text))
        return [[as_it_was(cell.strip()) for cell in row] for row in reader if row]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise LabelsUnreadable(f"The labels in {path} cannot be read: {error}.") from error


def _delimiter(text: str) -> str:
    return max(",;\t", key=text.partition("\n")[0].count)


def _warning(path: Path, row: list[str]) -> str:
    """Return what to say of a first line that is read as data and looks like a header, or nothing."""
    is_file = Path(row[0]).suffix.lower() in PICTURE_ENDINGS
    if is_file and row[1].lower() not in LABEL_NAMES:
        return ""
    return (
        f"The first line of {path} ({', '.join(row)[:80]}) was read as a file and its label. "
        "If it is a header, call the columns path, label and perhaps split and tags."
    )


def _columns(header: list[str]) -> _Columns | None:
    """Return where path, label, split and tags stand, or None where the first line is no header."""

    def place(names: set[str]) -> int | None:
        return next((place for place, cell in enumerate(header) if cell in names), None)

    path, label, tags = place(PATH_NAMES), place(LABEL_NAMES), place(TAG_NAMES)
    if path is None or (label is None and tags is None):
        return None
    return _Columns(path=path, label=label, split=place(SPLIT_NAMES), tags=tags)
