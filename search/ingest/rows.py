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
    position: int = 0
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
    Files that cannot be taken become refusals of the job, and the rest goes on.
    """
    tally = Tally()
    for chunk in _chunks(plan.source):
        candidates: list[_Candidate] = []
        for found in chunk:
            try:
                candidates.append(_examine(plan, found))
            except images.RefusedImage as error:
                source = storable(plan.source.source_of(found.name))
                tally.refusals.append(Refusal(job=job, source=source, code=error.code, reason=error.reason))
        tally.n_found += len(chunk)
        tally.position = chunk[-1].position
        with transaction.atomic():
            Refusal.objects.bulk_create(refusal for refusal in tally.refusals if refusal.pk is None)
            n_added, pending = _insert(plan, job, candidates)
            tally.n_added += n_added
            tally.n_unchanged += len(candidates) - n_added
            n_done = tally.n_added + tally.n_unchanged
            jobs.move_on(job, n_done=n_done, n_failed=len(tally.refusals), n_total=tally.n_found)
        if pending:
            send(pending)
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


def _examine(plan: Plan, found: Found) -> _Candidate:
    """Read a file once, hash it and check its header. Raises RefusedImage."""
    if isinstance(found.content, images.RefusedImage):
        raise found.content
    content = content_of(found.content)
    marks = plan.rule(found.name)
    return _Candidate(
        source=storable(plan.source.source_of(found.name)),
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


def _insert(plan: Plan, job: Job, candidates: list[_Candidate]) -> tuple[int, list[int]]:
    """Insert the candidates that the dataset does not have; return how many, and the ids that wait for embedding."""
    wanted = {candidate.sha256: candidate for candidate in candidates}
    known = dict(Image.objects.filter(dataset=plan.dataset, sha256__in=wanted).values_list("sha256", "pk"))
    _complete(plan, {known[sha256]: wanted[sha256].marks for sha256 in known})
    fresh = [candidate for sha256, candidate in wanted.items() if sha256 not in known]
    # Files first: a row without its file would be a lie, a file without its row is only found again.
    names = {} if plan.in_place else {one.sha256: _keep_original(plan.dataset, one) for one in fresh}
    n_added = _insert_rows(plan.dataset, job, fresh, names)
    # Images that wait from an import that was killed are this one's to finish, and refused ones its to report.
    unfinished = [Image.Status.PENDING, Image.Status.REFUSED]
    here = Image.objects.filter(dataset=plan.dataset, sha256__in=wanted, status__in=unfinished)
    here.exclude(job=job).update(job=job)
    return n_added, list(here.filter(status=Image.Status.PENDING).values_list("pk", flat=True))


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
