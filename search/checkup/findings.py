"""What a check finds."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class Level(StrEnum):
    """How bad it is. ERROR: something does not work, or data is at risk. WARNING: it will not do for long."""

    OK = "ok"
    WARNING = "warning"
    ERROR = "error"


@dataclass(frozen=True, kw_only=True)
class Finding:
    """What was looked at: of which part, how it stands, and the next command where something is to be done."""

    level: Level
    part: str
    what: str
    command: str = ""

    def as_json(self) -> dict[str, Any]:
        return {"level": self.level.value, "part": self.part, "what": self.what, "command": self.command}


def ok(part: str, what: str) -> Finding:
    return Finding(level=Level.OK, part=part, what=what)


def warning(part: str, what: str, command: str) -> Finding:
    return Finding(level=Level.WARNING, part=part, what=what, command=command)


def error(part: str, what: str, command: str) -> Finding:
    return Finding(level=Level.ERROR, part=part, what=what, command=command)
