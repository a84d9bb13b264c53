"""An import from beginning to end: the request, the reading, the wait for the embeddings, the index, the report."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator

from search import encoders, indexing
from search.curating.holding import deleting
from search.ingest import in_place_library, labels, requests, rows, waiting
from search.ingest.errors import CannotImport, DatasetDeleted, ImportCancelled
from search.ingest.examining import Rule
from search.ingest.reporting import MOST_NAMES_KEPT, LibraryReport, Report, library_report, refused_by
from search.ingest.requests import Request
from search.ingest.sidecars import Sidecars
from search.ingest.sources import Source
from search.models import Dataset, Encoder, Job
from search.text import storable
from search.work import jobs, missing, queue
from search.work.local_workers import EmbeddingStopped, LocalWorkers
from search.work.progress import Bars

_SECONDS_BETWEEN_LOOKS = 0.3


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
    found = in_place_library.Library(dataset.pk, source.folders) if request.in_place else None
    plan = rows.Plan(dataset=dataset, source=source, rule=of_files(rule), split=request.split, in_place_library=found)
    job = jobs.begin(Job.Kind.IMPORT, request.as_parameters() | jobs.of_dataset(dataset), request.owner)
    with _failing_with(job, dataset if is_new else None), _local_workers(request, encoder) as local:
        tally = _read(plan, job, encoder, local, bars)
        check_tally(tally, source, rule)
        became = _settle_library(plan, job, tally, request)
        jobs.wait_for_embeddings(job)
        watch = waiting.Watch(dataset.pk, tally.unfinished_ids)
        if request.waits:
            waiting.wait(watch, local, bars)
        if jobs.settle(job.pk) and not request.waits:
            queue.send_after_load(encoder.pk)
        if request.waits:
            _index(encoder, bars)
        watch.look_at_all()
    return _report(plan, rule, job, tally, watch, became)


def of_files(rule: labels.Rule | Sidecars) -> Rule:
    """Return a rule for names as one for files."""
    return rule if isinstance(rule, Sidecars) else lambda found: rule(found.name)


def check_tally(tally: rows.Tally, source: Source, rule: labels.Rule | Sidecars, *, is_dry: bool = False) -> None:
    """Raise CannotImport where nothing was found, or no file found its row in the table of labels."""
    if not tally.n_found:
        kinds = ", ".join(f"{n} {ending}" for ending, n in source.ignored.most_common())
        note = f" Left out, because they are no pictures: {kinds}." if kinds else ""
        raise CannotImport(f"There are no pictures in {source.title}.{note}")
    if isinstance(rule, labels.Table) and rule.marks and not tally.n_labelled:
        what_to_do = "The pictures are in, without labels: correct the table, and import again to add them."
        raise CannotImport(
            f"No file has a row in the table of labels: its first row names {storable(next(iter(rule.marks)))}, and "
            f"the first file is {storable(tally.first_name)}. {'Correct the table.' if is_dry else what_to_do}"
        )


def _settle_library(plan: rows.Plan, job: Job, tally: rows.Tally, request: Request) -> LibraryReport | None:
    """Do what is to be done where files of a library have changed, moved or gone, and let the job tell of it."""
    if plan.in_place_library is None:
        return None
    changes = plan.in_place_library.compare(tally.n_added)
    became = library_report(
        changes, in_place_library.carry_out(changes, plan.dataset, removes=request.removes_vanished)
    )
    progress = tally.progress(plan.source)
    progress["counts"] |= became.as_json()
    jobs.keep_progress(job, progress | {"vanished_files": became.vanished[:MOST_NAMES_KEPT]})
    return became


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
    """Read everything. Raises ImportCancelled where somebody has stopped it."""

    def send(image_ids: list[int]) -> None:
        if local:
            local.send(image_ids)
            return
        missing.send(encoder, image_ids)

    tally = rows.Tally()
    try:
        for tally in rows.read_all(plan, job, send):
            show(tally, plan.source, bars)
            if local:
                n_embedded = local.n_embedded
                bars.move("embedding", n_embedded, tally.n_added, f"{n_embedded} embedded", n_embedded)
    except jobs.JobCancelled as error:
        raise ImportCancelled from error
    return tally


def show(tally: rows.Tally, source: Source, bars: Bars) -> None:
    """Show how far the reading is."""
    note = f"{tally.n_found} found, {tally.n_added} new, {tally.n_refused} refused"
    bars.move("reading", tally.position, source.total, note, tally.n_found)


def _index(encoder: Encoder, bars: Bars) -> None:
    """Build the index where it is worthwhile, here or by waiting for the worker that builds it."""
    if not indexing.is_worthwhile(encoder):
        return
    while not indexing.is_valid(encoder):
        bars.move("indexing", 0, 1, "building the index")
        if not indexing.build(encoder, report=lambda _: None):
            time.sleep(_SECONDS_BETWEEN_LOOKS)


def _report(
    plan: rows.Plan,
    rule: labels.Rule | Sidecars,
    job: Job,
    tally: rows.Tally,
    watch: waiting.Watch,
    became: LibraryReport | None,
) -> Report:
    return Report(
        dataset=plan.dataset.name,
        job_id=job.pk,
        n_found=tally.n_found,
        n_added=tally.n_added,
        n_unchanged=tally.n_unchanged,
        n_embedded=watch.n_ready,
        n_pending=watch.n_pending,
        n_labelled=tally.n_labelled,
        refused=refused_by(job.refusals.order_by("pk"), watch.refused_ids),
        ignored=ignored_by(plan.source, rule),
        in_place_library=became,
        warning=warning_of(rule),
    )


def ignored_by(source: Source, rule: labels.Rule | Sidecars) -> dict[str, int]:
    """Return how many files were left out, by their endings: sidecars that were read are not."""
    return dict(source.ignored - rule.n_read if isinstance(rule, Sidecars) else source.ignored)


def warning_of(rule: labels.Rule | Sidecars) -> str:
    """Return what to say of a table of labels."""
    return rule.warning if isinstance(rule, labels.Table) else ""
