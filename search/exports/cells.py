"""Tables for spreadsheets: CSV in which no cell is taken for a formula."""

from __future__ import annotations

import csv
from io import StringIO
from typing import Any

# Spreadsheets take a cell that begins so for a formula.
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def as_csv(rows: list[dict[str, Any]], columns: list[str]) -> str:
    """Return rows as CSV with a head; text that a spreadsheet would compute is quoted by an apostrophe."""
    text = StringIO()
    writer = csv.DictWriter(text, columns, lineterminator="\r\n")
    writer.writeheader()
    writer.writerows({name: harmless(value) for name, value in row.items()} for row in rows)
    return text.getvalue()


def harmless(value: Any) -> Any:
    """Return a cell as it is, and text that a spreadsheet would compute quoted by an apostrophe."""
    # What has apostrophes before it already gets one more, so that it is got back.
    return f"'{value}" if isinstance(value, str) and value.lstrip("'").startswith(_FORMULA) else value


def as_it_was(text: str) -> str:
    """Return what `harmless` has made a cell of."""
    return text[1:] if text.startswith("'") and text.lstrip("'").startswith(_FORMULA) else text
