"""How a record is written: as a line for people, or as an object of JSON. Nothing in a record ends its line early."""

from __future__ import annotations

import json
import logging
import time
from typing import Any

from search.logs.context import request_id, task_id, task_name

# What moves a terminal or ends a line: control characters, and the separators of Unicode.
_ESCAPED = {code: f"\\x{code:02x}" for code in (*range(0x20), *range(0x7F, 0xA0))} | {
    0x0A: "\\n",
    0x0D: "\\r",
    0x09: "\\t",
    0x2028: "\\u2028",
    0x2029: "\\u2029",
}
_INDENT = "    "


class TextFormatter(logging.Formatter):
    """Time, level, logger, ids where there are any, message. A traceback follows on lines that are indented."""

    def format(self, record: logging.LogRecord) -> str:
        ids = "".join(f" [{name} {value}]" for name, value in _ids().items() if name != "task")
        line = f"{self.formatTime(record)} {record.levelname} {record.name}{ids}: {record.getMessage()}"
        return "\n".join([line.translate(_ESCAPED), *(_INDENT + _escaped(part) for part in _trace(self, record))])


class JsonFormatter(logging.Formatter):
    """One object a line: time (ISO 8601, UTC), level, logger, message, request_id, task_id, task, exception.

    A record's own fields, `extra={"fields": {...}}`, stand beside them.
    """

    converter = staticmethod(time.gmtime)

    def format(self, record: logging.LogRecord) -> str:
        told: dict[str, Any] = {
            "time": f"{self.formatTime(record, '%Y-%m-%dT%H:%M:%S')}.{int(record.msecs):03d}Z",
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
            **_ids(),
            **getattr(record, "fields", {}),
        }
        if trace := _trace(self, record):
            told["exception"] = "\n".join(trace)
        return json.dumps(told, default=str)  # ASCII: no character of it ends a line


def _ids() -> dict[str, str]:
    found = {"request_id": request_id.get(), "task_id": task_id.get(), "task": task_name.get()}
    return {name: value for name, value in found.items() if value}


def _trace(formatter: logging.Formatter, record: logging.LogRecord) -> list[str]:
    """Return the lines of a record's traceback and stack, where it has any."""
    parts = []
    if record.exc_info:
        parts.append(formatter.formatException(record.exc_info))
    if record.stack_info:
        parts.append(formatter.formatStack(record.stack_info))
    return "\n".join(parts).split("\n") if parts else []


def _escaped(text: str) -> str:
    return text.translate(_ESCAPED)
