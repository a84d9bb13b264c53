"""Which label, split and tags a file gets by its name: from the folders above it, or from a table."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from search.ingest.csv_labels import read_csv
from search.ingest.json_labels import JSON_ENDINGS, read_json
from search.ingest.marks import LabelsUnreadable, Marks, split_called, split_of

__all__ = ["LabelsUnreadable", "Marks", "Rule", "Table", "from_folders", "read_table", "without_labels"]

Rule = Callable[[str], Marks]


def from_folders(name: str) -> Marks:
    """Label a file by the folder it lies in; a folder named train, val or test gives the split instead."""
    folders = PurePosixPath(name).parts[:-1]
    label = folders[-1] if folders and not split_called(folders[-1]) else ""
    return Marks(label=label[:200], split=split_of(folders))


def without_labels(name: str) -> Marks:
    """Give no label; the split still comes from a folder named train, val or test."""
    return Marks(split=split_of(PurePosixPath(name).parts[:-1]))


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
                return Marks(found.label, found.split or split_of(parts[:-1]), found.tags, is_listed=True)
        return without_labels(name)


def read_table(path: Path) -> Table:
    """Read a table of labels: JSON and JSON Lines by their endings, anything else as CSV. Raises LabelsUnreadable."""
    if path.suffix.lower() in JSON_ENDINGS:
        return Table(read_json(path))
    return Table(*read_csv(path))
