"""An import without writing anything: what it would add, leave as it is, and refuse.

Files are read whole, hashed and checked by their headers; that a picture is damaged further down, only embedding finds.
"""

from __future__ import annotations

from search.ingest import importing, in_place_library, requests, rows
from search.ingest.reporting import Report, library_report, refused_by
from search.ingest.requests import Request
from search.models import Image
from search.work.progress import Bars


def rehearse(request: Request, bars: Bars) -> Report:
    """Return what an import would come to. Neither dataset nor job is made.

    Raises sources.SourceMissing, labels.LabelsUnreadable, paths.NoSuchHome, CannotImport.
    """
    source = requests.open_request(request)
    rule = requests.rule_of(request, source)
    dataset = requests.known_dataset_of(request)
    found = in_place_library.Library(dataset.pk or 0, source.folders) if request.in_place else None
    plan = rows.Plan(
        dataset=dataset, source=source, rule=importing.of_files(rule), split=request.split, in_place_library=found
    )
    tally = rows.Tally()
    refused_ids = _read(plan, tally, bars)
    importing.check_tally(tally, source, rule, is_dry=True)
    return Report(
        dataset=dataset.name,
        job_id=None,
        n_found=tally.n_found,
        n_added=tally.n_added,
        n_unchanged=tally.n_unchanged,
        n_embedded=0,
        n_pending=0,
        n_labelled=tally.n_labelled,
        refused=refused_by(tally.refusals, refused_ids),
        ignored=importing.ignored_by(source, rule),
        in_place_library=library_report(found.compare(tally.n_added), n_removed=0) if found else None,
        warning=importing.warning_of(rule),
    )


def _read(plan: rows.Plan, tally: rows.Tally, bars: Bars) -> set[int]:
    """Read everything; return the ids of images among it that were refused by an earlier import."""
    new: set[str] = set()
    refused_ids: set[int] = set()
    for chunk in rows.chunks(plan.source):
        candidates = rows.examine_all(plan, tally, chunk)
        if plan.in_place_library is not None:
            plan.in_place_library.note(candidates)
        contents = {one.sha256 for one in candidates}
        known = Image.objects.filter(dataset_id=plan.dataset.pk, sha256__in=contents)
        statuses = {sha256: (pk, status) for sha256, pk, status in known.values_list("sha256", "pk", "status")}
        fresh = contents - statuses.keys() - new
        new |= fresh
        refused_ids |= {pk for pk, status in statuses.values() if status == Image.Status.REFUSED}
        tally.n_added += len(fresh)
        tally.n_unchanged += len(candidates) - len(fresh)
        importing.show(tally, plan.source, bars)
    return refused_ids
