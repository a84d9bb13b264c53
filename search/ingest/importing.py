"""An import from beginning to end: the request, the reading, the wait for the embeddings, the index, the report."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from django.db import IntegrityError

from search import encoders, indexing
from search.ingest import labels, rows
from search.ingest.sources import Source, open_source
from search.models import Dataset, Encoder, Image, Job
from search.progress import Bars
from search.text import is_storable
from search.work import jobs, queue, reconciling
from search.work.local_workers import LocalWorkers

_SECONDS_BETWEEN_LOOKS = 0.3
_SECONDS_WITHOUT_WORKER = 20.0


class CannotImport(Exception):
    """The request makes no sense, or nothing can carry it out. The message says what to do."""


@dataclass(frozen=True, kw_only=True)
class Request:
    """What somebody wants imported, and how."""

    path: Path
    dataset: str
    labels: str = "folder"
    split: rows.SplitChoice = "auto"
    in_place: bool = False
    is_public: bool = True
    embeds_here: bool = False
    waits: bool = False
    owner: Any = None


@dataclass(frozen=True, kw_only=True)
class Report:
    """What an import came to."""

    dataset: str
    job_id: int
    n_found: int
    n_added: int
    n_unchanged: int
    n_embedded: int
    n_pending: int
    refused: list[dict[str, str]]
    ignored: dict[str, int] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        return {
            "dataset": self.dataset,
            "job": self.job_id,
            "found": self.n_found,
            "added": self.n_added,
            "unchanged": self.n_unchanged,
            "embedded": self.n_embedded,
            "pending": self.n_pending,
            "refused": self.refused,
            "ignored": self.ignored,
        }


def run(request: Request, bars: Bars) -> Report:
    """Import what is requested; embed it here, wait for the workers, or leave it to them.

    Raises sources.SourceMissing, labels.LabelsUnreadable, encoders.NoEncoder, CannotImport.
    """
    source = open_source(request.path)
    if request.in_place and source.is_archive:
        raise CannotImport("Pictures inside an archive cannot stay in place. Unpack it, or leave out --in-place.")
    rule = _rule(request.labels)
    encoder = encoders.default()
    if request.embeds_here:
        encoders.network(encoder)  # an encoder that cannot be loaded is found out before anything is written
    dataset, is_new = _dataset(request)
    plan = rows.Plan(dataset=dataset, source=source, rule=rule, split=request.split, in_place=request.in_place)
    parameters = {"path": str(request.path), "dataset": dataset.name, "labels": request.labels, "split": request.split}
    job = jobs.begin(Job.Kind.IMPORT, parameters, request.owner)
    local = LocalWorkers(encoder) if request.embeds_here else None
    with _failing_with(job, dataset if is_new else None), _closing(local):
        tally = _read(plan, job, encoder, local, bars)
        if not tally.n_found:
            raise CannotImport(f"There are no pictures in {request.path}.{_ignored_note(source)}")
        jobs.wait_for_embeddings(job)
        if request.waits:
            _wait(job, local, bars)
        if jobs.settle(job.pk) and not request.waits:
            queue.send_after_load(encoder.pk)
        if request.waits:
            _index(encoder, bars)
    return _report(plan, job, tally)


def _rule(name: str) -> labels.Rule:
    if name == "folder":
        return labels.from_folders
    return labels.without_labels if name == "none" else labels.read_table(Path(name).expanduser())


def _dataset(request: Request) -> tuple[Dataset, bool]:
    """Return the dataset of the request, and whether it was made for it."""
    name = request.dataset.strip()
    if not name or len(name) > 100 or not is_storable(name):
        raise CannotImport("A dataset needs a name of 1 to 100 characters, in valid Unicode.")
    try:
        return Dataset.objects.get_or_create(
            name=name, defaults={"is_public": request.is_public, "owner": request.owner}
        )
    except IntegrityError as error:  # two datasets made at once can want the same slug
        raise CannotImport(f"The dataset {name} is being made by somebody else. Try again.") from error


def _ignored_note(source: Source) -> str:
    kinds = ", ".join(f"{n} {ending}" for ending, n in source.ignored.most_common())
    return f" Left out, because they are no pictures: {kinds}." if kinds else ""


def _closing(local: LocalWorkers | None) -> contextlib.AbstractContextManager[object]:
    return contextlib.closing(local) if local else contextlib.nullcontext()


@contextlib.contextmanager
def _failing_with(job: Job, made: Dataset | None) -> Iterator[None]:
    """Mark the job as failed when its import cannot go on. What is in stays in; a dataset made in vain goes."""
    try:
        yield
    except BaseException as error:
        by_hand = isinstance(error, KeyboardInterrupt)
        jobs.fail(job, "Stopped by hand. Import again to go on." if by_hand else str(error) or type(error).__name__)
        if made is not None and not made.images.exists():
            made.delete()
        raise


def _read(plan: rows.Plan, job: Job, encoder: Encoder, local: LocalWorkers | None, bars: Bars) -> rows.Tally:
    def send(image_ids: list[int]) -> None:
        if local:
            local.send(image_ids)
            return
        reconciling.send(encoder, image_ids)

    tally = rows.Tally()
    for tally in rows.read_all(plan, job, send):
        bars.move("reading", tally.position, plan.source.total, f"{tally.n_found} found, {tally.n_added} new")
        if local:
            bars.move("embedding", local.n_embedded, tally.n_added, f"{local.n_embedded} embedded")
    return tally


def _wait(job: Job, local: LocalWorkers | None, bars: Bars) -> None:
    """Wait until no image of the job is pending."""
    moved_at, last = time.monotonic(), -1
    while True:
        is_over = local.is_done() if local else True
        now = jobs.standing(job)
        done = now.n_ready + now.n_refused
        bars.move("embedding", done, done + now.n_pending, f"{now.n_ready} embedded, {now.n_refused} refused")
        if is_over and (not now.n_pending or local):
            return
        if done != last:
            moved_at, last = time.monotonic(), done
        if not local and time.monotonic() - moved_at > _SECONDS_WITHOUT_WORKER and not queue.n_workers():
            raise CannotImport(
                "No worker answers. The pictures are in and wait: start a worker "
                "(celery -A imgsim_site worker), or import again with --sync."
            )
        time.sleep(_SECONDS_BETWEEN_LOOKS)


def _index(encoder: Encoder, bars: Bars) -> None:
    """Build the index where it is worthwhile, here or by waiting for the worker that builds it."""
    if not indexing.is_worthwhile(encoder):
        return
    while not indexing.is_valid(encoder):
        bars.move("indexing", 0, 1, "building the index")
        if not indexing.build(encoder, report=lambda _: None):
            time.sleep(_SECONDS_BETWEEN_LOOKS)


def _report(plan: rows.Plan, job: Job, tally: rows.Tally) -> Report:
    job.refresh_from_db()
    now = jobs.standing(job)
    refused = [
        {"source": refusal.source, "code": refusal.code, "reason": refusal.reason} for refusal in job.refusals.all()
    ]
    refused += [
        {"source": image.source, "code": image.error_code, "reason": image.error_detail}
        for image in Image.objects.filter(job=job, status=Image.Status.REFUSED).order_by("pk")
    ]
    return Report(
        dataset=plan.dataset.name,
        job_id=job.pk,
        n_found=tally.n_found,
        n_added=tally.n_added,
        n_unchanged=tally.n_unchanged,
        n_embedded=now.n_ready,
        n_pending=now.n_pending,
        refused=refused,
        ignored=dict(plan.source.ignored),
    )
