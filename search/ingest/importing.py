"""An import from beginning to end: the request, the reading, the wait for the embeddings, the index, the report."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from search import encoders, indexing
from search.holding import deleting
from search.ingest import labels, requests, rows, waiting
from search.ingest.errors import CannotImport, DatasetDeleted
from search.ingest.examining import Rule
from search.ingest.requests import Request
from search.ingest.sidecars import Sidecars
from search.ingest.sources import Source
from search.models import Dataset, Encoder, Image, Job
from search.progress import Bars
from search.text import storable
from search.work import jobs, missing, queue
from search.work.local_workers import EmbeddingStopped, LocalWorkers

_SECONDS_BETWEEN_LOOKS = 0.3


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
    n_labelled: int
    refused: list[dict[str, str]]
    ignored: dict[str, int] = field(default_factory=dict)
    warning: str = ""

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
        }


def run(request: Request, bars: Bars) -> Report:
    """Import what is requested; embed it here, wait for the workers, or leave it to them.

    Raises sources.SourceMissing, labels.LabelsUnreadable, paths.NoSuchHome, encoders.NoEncoder, CannotImport.
    """
    source = requests.open_request(request)
    rule = requests.rule_of(request, source)
    encoder = encoders.default()
    if request.embeds_here:
        encoders.network(encoder)  # an encoder that cannot be loaded is found out before anything is written
    dataset, is_new = requests.dataset_of(request)
    plan = rows.Plan(
        dataset=dataset, source=source, rule=_of_files(rule), split=request.split, in_place=request.in_place
    )
    job = jobs.begin(Job.Kind.IMPORT, request.as_parameters(), request.owner)
    with _failing_with(job, dataset if is_new else None), _local_workers(request, encoder) as local:
        tally = _read(plan, job, encoder, local, bars)
        if not tally.n_found:
            raise CannotImport(f"There are no pictures in {source.title}.{_ignored_note(source)}")
        _check_table(rule, tally)
        jobs.wait_for_embeddings(job)
        watch = waiting.Watch(dataset.pk, tally.unfinished_ids)
        if request.waits:
            waiting.wait(watch, local, bars)
        if jobs.settle(job.pk) and not request.waits:
            queue.send_after_load(encoder.pk)
        if request.waits:
            _index(encoder, bars)
        watch.look_at_all()
    return _report(plan, rule, job, tally, watch)


def _of_files(rule: labels.Rule | Sidecars) -> Rule:
    return rule if isinstance(rule, Sidecars) else lambda found: rule(found.name)


def _check_table(rule: labels.Rule | Sidecars, tally: rows.Tally) -> None:
    """Raise CannotImport where no file found its row in the table of labels."""
    if isinstance(rule, labels.Table) and rule.marks and not tally.n_labelled:
        raise CannotImport(
            f"No file has a row in the table of labels: its first row names {storable(next(iter(rule.marks)))}, and "
            f"the first file is {storable(tally.first_name)}. The pictures are in, without labels: correct the table, "
            "and import again to add them."
        )


def _ignored_note(source: Source) -> str:
    kinds = ", ".join(f"{n} {ending}" for ending, n in source.ignored.most_common())
    return f" Left out, because they are no pictures: {kinds}." if kinds else ""


@contextlib.contextmanager
def _local_workers(request: Request, encoder: Encoder) -> Iterator[LocalWorkers | None]:
    """Have this command's own workers where the request wants them. Raises CannotImport where they cannot go on."""
    if not request.embeds_here:
        yield None
        return
    with contextlib.closing(LocalWorkers(encoder)) as local:
        try:
            yield local
        except EmbeddingStopped as error:
            raise CannotImport(str(error)) from error


@contextlib.contextmanager
def _failing_with(job: Job, made: Dataset | None) -> Iterator[None]:
    """Fail the job when its import cannot go on. What is in stays in; a dataset made in vain goes."""
    try:
        with jobs.failing(job, by_hand="Stopped by hand. Import again to go on.", for_good=(DatasetDeleted,)):
            yield
    except BaseException:
        if made is not None:
            _remove_if_empty(made)
        raise


def _remove_if_empty(dataset: Dataset) -> None:
    with deleting([dataset.pk]):
        if not dataset.images.exists():
            dataset.delete()


def _read(plan: rows.Plan, job: Job, encoder: Encoder, local: LocalWorkers | None, bars: Bars) -> rows.Tally:
    def send(image_ids: list[int]) -> None:
        if local:
            local.send(image_ids)
            return
        missing.send(encoder, image_ids)

    tally = rows.Tally()
    for tally in rows.read_all(plan, job, send):
        bars.move("reading", tally.position, plan.source.total, f"{tally.n_found} found, {tally.n_added} new")
        if local:
            bars.move("embedding", local.n_embedded, tally.n_added, f"{local.n_embedded} embedded")
    return tally


def _index(encoder: Encoder, bars: Bars) -> None:
    """Build the index where it is worthwhile, here or by waiting for the worker that builds it."""
    if not indexing.is_worthwhile(encoder):
        return
    while not indexing.is_valid(encoder):
        bars.move("indexing", 0, 1, "building the index")
        if not indexing.build(encoder, report=lambda _: None):
            time.sleep(_SECONDS_BETWEEN_LOOKS)


def _report(plan: rows.Plan, rule: labels.Rule | Sidecars, job: Job, tally: rows.Tally, watch: waiting.Watch) -> Report:
    refused = [
        {"source": refusal.source, "code": refusal.code, "reason": refusal.reason} for refusal in job.refusals.all()
    ]
    refused += [
        {"source": image.source, "code": image.error_code, "reason": image.error_detail}
        for image in Image.objects.filter(pk__in=watch.refused_ids).order_by("pk")
    ]
    return Report(
        dataset=plan.dataset.name,
        job_id=job.pk,
        n_found=tally.n_found,
        n_added=tally.n_added,
        n_unchanged=tally.n_unchanged,
        n_embedded=watch.n_ready,
        n_pending=watch.n_pending,
        n_labelled=tally.n_labelled,
        refused=refused,
        ignored=dict(plan.source.ignored - rule.n_read if isinstance(rule, Sidecars) else plan.source.ignored),
        warning=rule.warning if isinstance(rule, labels.Table) else "",
    )
