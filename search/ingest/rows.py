"""Import: files become rows. Walk, hash, check the header, keep the original, insert; embedding follows elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from django.db import transaction
from django.db.models import Q

from embeddings import images
from embeddings.images.decoding import content_of
from search.bulk import bulk_cursor
from search.files import storage
from search.holding import hold
from search.ingest.errors import DatasetDeleted
from search.ingest.labels import Marks, Rule
from search.ingest.sources import Found, Source
from search.models import Dataset, Image, Job, Refusal
from search.text import is_storable, storable
from search.work import jobs

CHUNK_SIZE = 256
CHUNK_BYTES = 64_000_000
SplitChoice = Literal["auto", "none", "train", "val", "test"]


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What an import is asked to do."""

    dataset: Dataset
    source: Source
    rule: Rule
    split: SplitChoice = "auto"
    in_place: bool = False


@dataclass
class Tally:
    """What an import has come to so far."""

    n_found: int = 0
    n_added: int = 0
    n_unchanged: int = 0
    n_labelled: int = 0  # of those found, by their folder or by a row of the table
    first_name: str = ""
    position: int = 0
    # The images without an embedding among those found: added, waiting from before, or refused before.
    unfinished_ids: set[int] = field(default_factory=set)
    refusals: list[Refusal] = field(default_factory=list)


@dataclass(frozen=True, kw_only=True)
class _Candidate:
    """A file whose header was accepted."""

    source: str
    sha256: str
    content: bytes
    header: images.Header
    marks: Marks
    in_place_path: str


def read_all(plan: Plan, job: Job, send: Callable[[list[int]], None]) -> Iterator[Tally]:
    """Make rows of all files of a source, chunk by chunk; yield the tally after each.

    `send` gets the ids of the images that wait for their embedding: the new ones, and those found waiting from before.
    Files that cannot be taken become refusals of the job, and the rest goes on. Raises DatasetDeleted.
    """
    tally = Tally()
    plan.source.beat = jobs.Heart(job).beat
    for chunk in _chunks(plan.source):
        candidates = _examine_all(plan, job, tally, chunk)
        tally.first_name = tally.first_name or chunk[0].name
        tally.n_found += len(chunk)
        tally.position = chunk[-1].position
        with transaction.atomic():
            if not hold(plan.dataset.pk):
                raise DatasetDeleted
            Refusal.objects.bulk_create(refusal for refusal in tally.refusals if refusal.pk is None)
            n_added, unfinished = _insert(plan, job, candidates)
            tally.n_added += n_added
            tally.n_unchanged += len(candidates) - n_added
            n_done = tally.n_added + tally.n_unchanged
            jobs.move_on(job, n_done=n_done, n_failed=len(tally.refusals), n_total=tally.n_found)
        waiting = [pk for pk, status in unfinished.items() if status == Image.Status.PENDING]
        # A picture that stands in the source twice is sent once.
        if new := [pk for pk in waiting if pk not in tally.unfinished_ids]:
            send(new)
        tally.unfinished_ids.update(unfinished)
        yield tally


def _chunks(found: Iterable[Found]) -> Iterator[list[Found]]:
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


def _examine_all(plan: Plan, job: Job, tally: Tally, chunk: list[Found]) -> list[_Candidate]:
    """Return the files of a chunk that can be taken; the others become refusals in the tally."""
    candidates: list[_Candidate] = []
    for found in chunk:
        plan.source.beat()
        marks = plan.rule(found.name)
        tally.n_labelled += marks.is_listed or bool(marks.label)
        try:
            candidates.append(_examine(plan, found, marks))
        except images.RefusedImage as error:
            source = storable(found.source)
            tally.refusals.append(Refusal(job=job, source=source, code=error.code, reason=storable(error.reason)))
    return candidates


def _examine(plan: Plan, found: Found, marks: Marks) -> _Candidate:
    """Read a file once, hash it and check its header. Raises RefusedImage."""
    if isinstance(found.content, images.RefusedImage):
        raise found.content
    content = content_of(found.content)
    return _Candidate(
        source=storable(found.source),
        sha256=images.sha256_of(content),
        content=content,
        header=images.read_header(content),
        marks=Marks(storable(marks.label), marks.split if plan.split == "auto" else plan.split),
        in_place_path=_in_place_path(found.content) if plan.in_place and isinstance(found.content, Path) else "",
    )


def _in_place_path(path: Path) -> str:
    absolute = str(path.resolve())
    if not is_storable(absolute):
        raise images.RefusedImage(
            "file_name", "The name of the file is no valid Unicode. Rename it, or import it without --in-place."
        )
    return absolute


def _insert(plan: Plan, job: Job, candidates: list[_Candidate]) -> tuple[int, dict[int, str]]:
    """Insert the candidates that the dataset does not have; return how many, and the status of all not embedded."""
    wanted = {candidate.sha256: candidate for candidate in candidates}
    known = dict(Image.objects.filter(dataset=plan.dataset, sha256__in=wanted).values_list("sha256", "pk"))
    _complete(plan, {known[sha256]: wanted[sha256].marks for sha256 in known})
    fresh = [candidate for sha256, candidate in wanted.items() if sha256 not in known]
    # Files first: a row without its file would be a lie, a file without its row is only found again.
    names = {} if plan.in_place else {one.sha256: _keep_original(plan.dataset, one) for one in fresh}
    n_added = _insert_rows(plan.dataset, job, fresh, names)
    here = Image.objects.filter(dataset=plan.dataset, sha256__in=wanted)
    # Images that wait from an import that was killed are this one's to finish.
    here.filter(status=Image.Status.PENDING).exclude(job__in=jobs.alive()).update(job=job)
    unfinished = here.filter(status__in=[Image.Status.PENDING, Image.Status.REFUSED])
    return n_added, dict(unfinished.order_by("pk").values_list("pk", "status"))


def _insert_rows(dataset: Dataset, job: Job, fresh: list[_Candidate], names: dict[str, str]) -> int:
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
            )
            for one in fresh
        ),
        strict=True,
    )
    with bulk_cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO search_image (dataset_id, job_id, sha256, source, file, in_place_path, format, width, height,
                                      n_bytes, label, split, thumbnail, tags, status, error_code, error_detail,
                                      n_attempts, created_at)
            SELECT %s, %s, new.*, '', '{}', 'pending', '', '', 0, now()
            FROM unnest(%s::text[], %s::text[], %s::text[], %s::text[], %s::text[], %s::int[], %s::int[],
                        %s::bigint[], %s::text[], %s::text[]) new
            ON CONFLICT (dataset_id, sha256) DO NOTHING
            """,
            [dataset.pk, job.pk, *map(list, columns)],
        )
        return cursor.rowcount


def _complete(plan: Plan, marks: dict[int, Marks]) -> None:
    """Give images that are there already the label and split they lack; what they have is not overwritten."""
    unlabelled = Q(pk__in=[pk for pk, found in marks.items() if found.label], label="")
    unsplit = Q(pk__in=[pk for pk, found in marks.items() if found.split], split=Image.Split.NONE)
    for pk, label, split in Image.objects.filter(unlabelled | unsplit).values_list("pk", "label", "split"):
        new_split = marks[pk].split if split == Image.Split.NONE else split
        Image.objects.filter(pk=pk).update(label=label or marks[pk].label, split=new_split or Image.Split.NONE)


def _keep_original(dataset: Dataset, one: _Candidate) -> str:
    name = f"originals/{dataset.pk}/{one.sha256[:2]}/{one.sha256}.{one.header.format.lower()}"
    return storage.keep(name, one.content)
