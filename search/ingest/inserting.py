"""Candidates become rows: what a dataset does not have is inserted in bulk, what it has is given what it lacks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

from django.db import transaction
from django.db.models import Q

from search.bulk import bulk_cursor
from search.files import cleaning, storage
from search.ingest.examining import Candidate
from search.ingest.marks import Marks
from search.models import Dataset, Image, Job
from search.work import jobs

# Parts the tags of an image on their way to the database: it is a space to Python, so that no tag has it.
_BETWEEN_TAGS = "\x1f"


@dataclass(frozen=True, kw_only=True)
class Inserted:
    """What became of candidates. unfinished: the status of all that are not embedded, by the id of their image."""

    n_added: int
    unfinished: dict[int, str]


def insert(dataset: Dataset, job: Job | None, candidates: Sequence[Candidate], *, in_place: bool = False) -> Inserted:
    """Insert the candidates that a dataset does not have, in a caller's `all_or_nothing`, who holds it.

    job: whose images they are, with those that wait from a job that was killed; None for a single upload.
    """
    wanted: dict[str, Candidate] = {}
    for one in candidates:  # of equal contents each may say something else
        same = wanted.get(one.sha256)
        wanted[one.sha256] = replace(same, marks=same.marks.completed(one.marks)) if same else one
    known = dict(Image.objects.filter(dataset=dataset, sha256__in=wanted).values_list("sha256", "pk"))
    complete({known[sha256]: wanted[sha256].marks for sha256 in known})
    fresh = [candidate for sha256, candidate in wanted.items() if sha256 not in known]
    # Files first: a row without its file would be a lie, a file without its row is only found again.
    names = {} if in_place else {one.sha256: _keep_original(dataset, one) for one in fresh}
    n_added = _insert_rows(dataset, job, fresh, names)
    here = Image.objects.filter(dataset=dataset, sha256__in=wanted)
    if job is not None:
        # Images that wait from an import that was killed are this one's to finish.
        here.filter(status=Image.Status.PENDING).exclude(job__in=jobs.alive()).update(job=job)
    unfinished = here.filter(status__in=[Image.Status.PENDING, Image.Status.REFUSED])
    return Inserted(n_added=n_added, unfinished=dict(unfinished.order_by("pk").values_list("pk", "status")))


@contextmanager
def all_or_nothing(dataset: Dataset, candidates: Sequence[Candidate], *, in_place: bool = False) -> Iterator[None]:
    """Run a transaction in which candidates are inserted; where a file cannot be kept, those before it go again.

    Only once the transaction is over can be told whose the files are: others may insert the same contents meanwhile.
    """
    try:
        with transaction.atomic():
            yield
    except OSError:
        for one in () if in_place else candidates:
            cleaning.remove_unused("file", _name_of(dataset, one), one.sha256)
        raise


def complete(marks: dict[int, Marks]) -> None:
    """Give images that are there already the label, split and tags they lack; what they have is not overwritten."""
    unlabelled = Q(pk__in=[pk for pk, found in marks.items() if found.label], label="")
    unsplit = Q(pk__in=[pk for pk, found in marks.items() if found.split], split=Image.Split.NONE)
    untagged = Q(pk__in=[pk for pk, found in marks.items() if found.tags], tags=[])
    lacking = Image.objects.filter(unlabelled | unsplit | untagged)
    for pk, label, split, tags in lacking.values_list("pk", "label", "split", "tags"):
        new_split = marks[pk].split if split == Image.Split.NONE else split
        Image.objects.filter(pk=pk).update(
            label=label or marks[pk].label,
            split=new_split or Image.Split.NONE,
            tags=tags or list(marks[pk].tags),
        )


def _insert_rows(dataset: Dataset, job: Job | None, fresh: list[Candidate], names: dict[str, str]) -> int:
    """Insert rows in one statement and return how many: another import may insert the same content meanwhile."""
    if not fresh:
        return 0
    columns = zip(
        *(
            (
                one.sha256,
                one.source,
                names.get(one.sha256, ""),
                one.in_place_path,
                one.header.format,
                one.header.width,
                one.header.height,
                one.header.n_bytes,
                one.marks.label,
                one.marks.split or Image.Split.NONE.value,
                _BETWEEN_TAGS.join(one.marks.tags),
            )
            for one in fresh
        ),
        strict=True,
    )
    with bulk_cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO search_image (dataset_id, job_id, sha256, source, file, in_place_path, format, width, height,
                                      n_bytes, label, split, tags, thumbnail, status, error_code, error_detail,
                                      n_attempts, created_at)
            SELECT %s, %s, sha256, source, file, in_place_path, format, width, height, n_bytes, label, split,
                   string_to_array(tags, %s), '', 'pending', '', '', 0, now()
            FROM unnest(%s::text[], %s::text[], %s::text[], %s::text[], %s::text[], %s::int[], %s::int[],
                        %s::bigint[], %s::text[], %s::text[], %s::text[])
                 new (sha256, source, file, in_place_path, format, width, height, n_bytes, label, split, tags)
            ON CONFLICT (dataset_id, sha256) DO NOTHING
            """,
            [dataset.pk, job and job.pk, _BETWEEN_TAGS, *map(list, columns)],
        )
        return cursor.rowcount


def _keep_original(dataset: Dataset, one: Candidate) -> str:
    return storage.keep(_name_of(dataset, one), one.content)


def _name_of(dataset: Dataset, one: Candidate) -> str:
    return f"originals/{dataset.pk}/{one.sha256[:2]}/{one.sha256}.{one.header.format.lower()}"
