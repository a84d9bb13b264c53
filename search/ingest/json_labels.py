"""Labels from JSON: a mapping of paths, a list of objects, or an object a line."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

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

_LINES_ENDINGS = (".jsonl", ".ndjson")
JSON_ENDINGS = (".json", *_LINES_ENDINGS)


def read_json(path: Path) -> dict[str, Marks]:
    """Read what a JSON file says of each path.

    It is {"a.jpg": "cat", …}, or with {"label", "tags", "split"} for each path; or [{"path", "label", …}, …]; or
    such an object on each line. Raises LabelsUnreadable where it is none of these.
    """
    try:
        text = path.read_bytes().decode("utf-8-sig")
        found = _lines(text) if path.suffix.lower() in _LINES_ENDINGS else _whole(text)
    except (OSError, ValueError, RecursionError) as error:
        raise LabelsUnreadable(f"The labels in {path} cannot be read: {error}.") from error
    entries: Iterable[tuple[Any, Any]] = found.items() if isinstance(found, dict) else enumerate(found, 1)
    marks = {}
    for key, entry in entries:
        try:
            name = key if isinstance(found, dict) else _path_of(entry)
            marks[key_of(name)] = marks_of(entry if isinstance(entry, dict) else {"label": entry})
        except ValueError as error:
            where = repr(key) if isinstance(found, dict) else f"entry {key}"
            raise LabelsUnreadable(f"{path}: {where} cannot be read: {error}.") from error
    if not marks:
        raise LabelsUnreadable(f"{path} is no table of labels: it names no file.")
    return marks


def marks_of(entry: dict[str, Any]) -> Marks:
    """Return what an object says of its file. Raises ValueError where its values are no label, tags or split."""
    return Marks(
        label_of(_value(entry, LABEL_NAMES)),
        split_called(label_of(_value(entry, SPLIT_NAMES))),
        tags_of(_value(entry, TAG_NAMES)),
    )


def _whole(text: str) -> Any:
    try:
        found = json.loads(text)
    except json.JSONDecodeError as error:
        if not error.msg.startswith("Extra data"):
            raise
        return _lines(text)
    if not isinstance(found, dict | list):
        raise ValueError("it is neither an object nor a list")
    return found


def _lines(text: str) -> list[Any]:
    """Read an object a line. Only line feeds end lines: texts may have what else is taken for one."""
    return [json.loads(line) for line in text.split("\n") if line.strip()]


def _path_of(entry: Any) -> str:
    path = _value(entry, PATH_NAMES) if isinstance(entry, dict) else None
    if not isinstance(path, str) or not path:
        raise ValueError('it must be an object such as {"path": "a.jpg", "label": "cat"}')
    return path


def _value(entry: dict[str, Any], names: set[str]) -> Any:
    return next((value for name, value in entry.items() if name.lower() in names), None)
