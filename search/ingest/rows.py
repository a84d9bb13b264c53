"""Import: files become rows, chunk by chunk, each in one transaction; embedding follows elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from embeddings import images
from search.curating.holding import hold
from search.ingest import in_place_library
from search.ingest.errors import DatasetDeleted
from search.ingest.examining import Candidate, Rule, SplitChoice, examine
from search.ingest.in_place_library import Library
from search.ingest.inserting import all_or_nothing, insert
from search.ingest.marks import Marks
from search.ingest.sidecars import SidecarRefused
from search.ingest.sources import Found, Source
from search.models import Dataset, Image, Job, Refusal
from search.text import storable
from search.work import jobs
from search.work.pace import Pace

CHUNK_SIZE = 256
CHUNK_BYTES = 64_000_000


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What an import is asked to do."""

    dataset: Dataset
    source: Source
    rule: Rule
    split: SplitChoice = "auto"
    in_place_library: Library | None = None  # of files that stay in place

    @property
    def in_place(self) -> bool:
        return self.in_place_library is not None


@dataclass
class Tally:
    """What an import has come to so far."""

    n_found: int = 0
    n_added: int = 0
    n_unchanged: int = 0
    n_labelled: int = 0  # of those found, by their folder, or named by a table or a sidecar
    first_name: str = ""
    position: int = 0
    # The images without an embedding among those found: added, waiting from before, or refused before.
    unfinished_ids: set[int] = field(default_factory=set)
    n_refused: int = 0
    refusals: list[Refusal] = field(default_factory=list)  # of no job yet
    pace: Pace = field(default_factory=Pace)

    def refuse(self, source: str, error: images.RefusedImage) -> None:
        """Note why a file was not taken."""
        self.refusals.append(Refusal(source=storable(source), code=error.code, reason=storable(error.reason)))
        self.n_refused += 1

    def progress(self, source: Source) -> dict[str, Any]:
        """Return what its job shows while it reads."""
        counts = {"found": self.n_found, "added": self.n_added, "unchanged": self.n_unchanged}
        return {
            "reading": {"done": self.position, "total": source.total},
            "read_per_second": round(self.pace.per_second, 2),
            "counts": {**counts, "labelled": self.n_labelled},
            "ignored": dict(source.ignored),
        }


def read_all(plan: Plan, job: Job, send: Callable[[list[int]], None]) -> Iterator[Tally]:
    """Make rows of all files of a source, chunk by chunk; yield the tally after each.

    `send` gets the ids of the images that wait for their embedding: the new ones, and those found waiting from before.
    Files that cannot be taken become refusals of the job, and the rest goes on. Raises DatasetDeleted, and
    jobs.JobCancelled, after which what was read stays.
    """
    tally = Tally()
    tally.pace.note(0, 0)
    plan.source.beat = jobs.Heart(job).beat
    for chunk in chunks(plan.source):
        candidates = examine_all(plan, tally, chunk)
        with all_or_nothing(plan.dataset, candidates, in_place=plan.in_place):
            if not hold(plan.dataset.pk):
                raise DatasetDeleted
            Refusal.objects.bulk_create(_of(job, refusal) for refusal in tally.refusals)
            if plan.in_place_library is not None:
                in_place_library.move(plan.in_place_library.note(candidates))
            inserted = insert(plan.dataset, job, candidates, in_place=plan.in_place)
            tally.n_added += inserted.n_added
            tally.n_unchanged += len(candidates) - inserted.n_added
            n_done = tally.n_added + tally.n_unchanged
            progress = tally.progress(plan.source)
            jobs.move_on(job, n_done=n_done, n_failed=tally.n_refused, n_total=tally.n_found, progress=progress)
        tally.refusals.clear()
        waiting = [pk for pk, status in inserted.unfinished.items() if status == Image.Status.PENDING]
        # A picture that stands in the source twice is sent once.
        if new := [pk for pk in waiting if pk not in tally.unfinished_ids]:
            send(new)
        tally.unfinished_ids.update(inserted.unfinished)
        yield tally


def chunks(found: Iterable[Found]) -> Iterator[list[Found]]:
    """Cut a stream of files where a chunk has enough of them, or enough bytes to hold in memory."""
    chunk: list[Found] = []
    n_bytes = 0
    for one in found:
        chunk.append(one)
        n_bytes += one.n_bytes
        if len(chunk) == CHUNK_SIZE or n_bytes >= CHUNK_BYTES:
            yield chunk
            chunk, n_bytes = [], 0
    if chunk:
        yield chunk


def examine_all(plan: Plan, tally: Tally, chunk: list[Found]) -> list[Candidate]:
    """Return the files of a chunk that can be taken; the others become refusals in the tally, as yet of no job."""
    candidates: list[Candidate] = []
    for found in chunk:
        plan.source.beat()
        marks = _marks(plan, tally, found)
        tally.n_labelled += marks.is_listed or bool(marks.label)
        try:
            candidates.append(examine(found, marks, plan.split, in_place=plan.in_place))
        except images.RefusedImage as error:
            tally.refuse(found.source, error)
    tally.first_name = tally.first_name or chunk[0].name
    tally.n_found += len(chunk)
    tally.position = chunk[-1].position
    tally.pace.note(tally.n_found, tally.position)
    return candidates


def _marks(plan: Plan, tally: Tally, found: Found) -> Marks:
    try:
        return plan.rule(found)
    except SidecarRefused as error:
        folder = found.source.rpartition("/")[0]
        tally.refuse(f"{folder}/{error.name}" if folder else error.name, error)
        return Marks()


def _of(job: Job, refusal: Refusal) -> Refusal:
    refusal.job = job
    return refusal
