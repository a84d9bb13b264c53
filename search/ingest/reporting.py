"""What an import came to, for its command, its page and programs: with every refusal and its reason."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from django.db.models import QuerySet

from search.exports.cells import as_csv
from search.ingest.errors import CannotImport
from search.ingest.in_place_library import Changes
from search.models import Image, Job, Refusal
from search.work.jobs import standing

KINDS = ("json", "csv")
_COLUMNS = "outcome n source code reason".split()
# A job keeps the names of so many vanished files.
MOST_NAMES_KEPT = 200


@dataclass(frozen=True, kw_only=True)
class LibraryReport:
    """What became of the files of a library in place. n_new and n_changed were added, n_moved were not.

    vanished: the sources of those that are gone. n_kept: how many of them lay in folders in which nothing was found.
    """

    n_new: int
    n_changed: int
    n_moved: int
    n_removed: int
    vanished: list[str]
    n_kept: int = 0

    def as_json(self) -> dict[str, int]:
        return {
            "new": self.n_new,
            "changed": self.n_changed,
            "moved": self.n_moved,
            "vanished": len(self.vanished),
            "removed": self.n_removed,
        }


@dataclass(frozen=True, kw_only=True)
class Report:
    """What an import came to. job_id: None where nothing was to be written."""

    dataset: str
    job_id: int | None
    n_found: int
    n_added: int
    n_unchanged: int
    n_embedded: int
    n_pending: int
    n_labelled: int
    refused: list[dict[str, str]]
    ignored: dict[str, int] = field(default_factory=dict)
    in_place_library: LibraryReport | None = None
    warning: str = ""

    @property
    def is_dry(self) -> bool:
        return self.job_id is None

    def as_json(self) -> dict[str, Any]:
        return {
            "dataset": self.dataset,
            "job": self.job_id,
            "found": self.n_found,
            "added": self.n_added,
            "unchanged": self.n_unchanged,
            "labelled": self.n_labelled,
            "embedded": self.n_embedded,
            "pending": self.n_pending,
            "refused": self.refused,
            "ignored": self.ignored,
            **(self.in_place_library.as_json() if self.in_place_library else {}),
            **({"dry_run": True} if self.is_dry else {}),
        }


def library_report(changes: Changes, n_removed: int) -> LibraryReport:
    """Return what is told of the changes of a library."""
    return LibraryReport(
        n_new=changes.n_new,
        n_changed=len(changes.changed),
        n_moved=changes.n_moved,
        n_removed=n_removed,
        vanished=[*changes.vanished.values(), *changes.kept.values()],
        n_kept=len(changes.kept),
    )


def as_dict(report: Report, seconds: float) -> dict[str, Any]:
    """Return all there is to tell of an import that a command has carried out."""
    vanished = {"vanished_files": report.in_place_library.vanished} if report.in_place_library else {}
    return {**report.as_json(), "seconds": round(seconds, 2), **vanished}


def of_job(job: Job) -> dict[str, Any]:
    """Return all there is to tell of an import that is running or over, with the keys of `as_dict` and its state."""
    now = standing(job)
    refused_ids = job.images.filter(status=Image.Status.REFUSED).values_list("pk", flat=True)
    vanished = job.progress.get("vanished_files")
    return {
        "dataset": job.parameters.get("dataset", ""),
        "job": job.pk,
        "state": job.state,
        "message": job.message,
        "found": job.n_total,
        **job.progress.get("counts", {}),
        "embedded": now.n_ready,
        "pending": now.n_pending,
        "refused": refused_by(job.refusals.order_by("pk"), refused_ids),
        "ignored": job.progress.get("ignored", {}),
        "seconds": round(job.duration.total_seconds(), 2),
        **({"vanished_files": vanished} if vanished is not None else {}),
    }


def refused_by(refusals: Iterable[Refusal], image_ids: Iterable[int]) -> list[dict[str, str]]:
    """Return what was refused: files that could not be taken, then images that were refused later or before."""
    files = [{"source": one.source, "code": one.code, "reason": one.reason} for one in refusals]
    return files + _refused(Image.objects.filter(pk__in=image_ids))


def _refused(images: QuerySet[Image]) -> list[dict[str, str]]:
    rows = images.order_by("pk").values_list("source", "error_code", "error_detail")
    return [{"source": source, "code": code, "reason": reason} for source, code, reason in rows]


def as_text(told: dict[str, Any], kind: str) -> str:
    """Return what `as_dict` or `of_job` tells as JSON or as CSV: there a row a count, then a row a file."""
    if kind == "json":
        return json.dumps(told, ensure_ascii=False, indent=1) + "\n"
    rows = [{"outcome": name, "n": value} for name, value in told.items() if isinstance(value, int) and name != "job"]
    rows += [{"outcome": "refused file", "n": 1, **refusal} for refusal in told["refused"]]
    rows += [{"outcome": "vanished file", "n": 1, "source": source} for source in told.get("vanished_files", [])]
    rows += [
        {"outcome": "left out", "n": n, "reason": f"no picture: {ending}"} for ending, n in told["ignored"].items()
    ]
    return as_csv([dict.fromkeys(_COLUMNS, "") | row for row in rows], _COLUMNS)


def kind_of(path: Path) -> str:
    """Return the kind of report that a file is to be. Raises CannotImport where it can be none, or not be written."""
    kind = path.suffix.lower().removeprefix(".")
    if kind not in KINDS:
        raise CannotImport(f"A report is written as .json or .csv, not as {path.name}.")
    if not path.parent.is_dir() or path.is_dir():
        raise CannotImport(f"The report {path} cannot be written: its folder is not there, or it is one itself.")
    return kind
