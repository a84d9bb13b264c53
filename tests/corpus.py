"""An optional corpus of odd and hostile pictures and archives beside the checkout, and what each has to meet."""

from __future__ import annotations

import csv
import tarfile
from dataclasses import dataclass, field
from pathlib import Path

import pytest

_FOLDER = Path(__file__).parents[1].parent / "shared" / "corpus"
_MANIFEST = _FOLDER / "manifest.csv"
MARKER = b"POLYGLOT-MARKER"

needs_corpus = pytest.mark.skipif(not _MANIFEST.exists(), reason="no corpus of odd images beside the checkout")


@dataclass(frozen=True, kw_only=True)
class Corpus:
    """The content of each file by its name; of each picture whether to take it: "accept", "reject" or "either"."""

    pictures: dict[str, bytes] = field(repr=False)
    archives: dict[str, bytes] = field(repr=False)
    verdicts: dict[str, str] = field(repr=False)

    def unlike_verdicts(self, outcomes: dict[str, str]) -> dict[str, str]:
        """Return the outcomes that are not "accept" or "reject" as the verdict on a picture wants, by its name."""
        assert outcomes.keys() == self.verdicts.keys()
        allowed = {
            name: {"accept", "reject"} if verdict == "either" else {verdict} for name, verdict in self.verdicts.items()
        }
        return {name: found for name, found in outcomes.items() if found not in allowed[name]}

    @property
    def accepted(self) -> list[str]:
        """The names of the pictures that have to be accepted."""
        return [name for name, verdict in self.verdicts.items() if verdict == "accept"]


def outcome_of(reason: str) -> str:
    """Return how a refusal counts: one that gives no sentence as its reason meets no verdict."""
    return "reject" if reason.endswith(".") else f"reject without a reason: {reason!r}"


def read() -> Corpus:
    """Read all of it into memory, 13 MB."""
    with _MANIFEST.open(newline="") as file:
        verdicts = {Path(row["file"]): row["expected"] for row in csv.DictReader(file)}
    with tarfile.open(_FOLDER / "images.tar") as archive:
        contents = {path: archive.extractfile(path.as_posix()).read() for path in verdicts}  # type: ignore[union-attr]
    return Corpus(
        pictures={path.name: content for path, content in contents.items() if path.parent.name == "img"},
        archives={path.name: content for path, content in contents.items() if path.parent.name == "arc"},
        verdicts={path.name: verdict for path, verdict in verdicts.items() if path.parent.name == "img"},
    )
