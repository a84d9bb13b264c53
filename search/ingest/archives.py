"""An archive that somebody has uploaded, from the file to rows: a job that a worker carries out, and begins anew."""

from __future__ import annotations

import logging
import re
from typing import Any

from django.conf import settings

from search import encoders
from search.files import arriving
from search.files.arriving import FileOnDisk
from search.ingest import importing, labels, rows
from search.ingest.errors import CannotImport, DatasetDeleted, ImportCancelled
from search.ingest.examining import SplitChoice
from search.ingest.labels import Marks, Rule
from search.ingest.opening import open_source
from search.ingest.sources import SourceMissing
from search.models import Dataset, Encoder, Image, Job
from search.text import storable
from search.work import jobs, missing, queue

logger = logging.getLogger(__name__)

_MOST_BYTES_OF_A_NAME = 200
# parameters["way"] of these jobs.
_WAY = "archive"


def begin(
    dataset: Dataset, file: FileOnDisk, owner: Any, *, label: str = "", split: str = "none", folders: bool = True
) -> Job:
    """Keep an archive, and leave its import to the workers.

    label: for all its pictures; empty: that of the folder that each lies in, or with folders=False none. split: for
    all its pictures; none: that of a folder named train, val or test.
    """
    name = _as_name(file.name or "")
    rule = "folder" if folders and not label else "none"
    parameters = jobs.of_dataset(dataset) | {"path": name, "labels": rule, "label": label}
    job = jobs.begin(Job.Kind.IMPORT, parameters | {"split": split, "way": _WAY}, owner)
    arriving.keep(job, name, file)
    _leave(job)
    return job


def may_begin_again(job: Job) -> bool:
    """Return whether a job was stopped, or its workers were killed, and the archive that it read is still there."""
    told = job.parameters
    return (
        job.kind == Job.Kind.IMPORT
        and job.state == Job.State.FAILED
        and told.get("way") == _WAY
        and arriving.path_of(job, told["path"]).exists()
    )


def begin_again(job: Job, owner: Any) -> Job:
    """Leave the archive of a job that was stopped to the workers, as a new job; what is in is passed over.

    Raises FileNotFoundError where somebody else has done so.
    """
    new = jobs.begin(Job.Kind.IMPORT, job.parameters, owner)
    try:
        arriving.hand_on(job, new)
    except FileNotFoundError:
        new.delete()
        raise
    _leave(new)
    return new


def _leave(job: Job) -> None:
    jobs.leave(job)
    queue.send_import(job.pk)


def carry_out_for_worker(job_id: int) -> None:
    """Import the archive of a job. Why it cannot be done stands in the job.

    A worker that is killed leaves the file where it is: the sweeper lets the job wait again, and whoever takes it reads
    from the beginning, past what is in.
    """
    job = jobs.take(job_id)
    if job is None:
        return
    jobs.count_start(job)
    job.refusals.all().delete()  # those of a worker that was killed are found again
    try:
        _import(job)
    except jobs.JobCancelled:
        jobs.fail(job, str(ImportCancelled()))
        return
    except (CannotImport, SourceMissing) as error:
        logger.warning("Import %d ended: %s", job_id, error)
        jobs.fail(job, _without_path(job, error), is_for_good=isinstance(error, DatasetDeleted))
    arriving.remove(job.pk)


def _import(job: Job) -> None:
    told = job.parameters
    dataset = jobs.dataset_in(told)
    if dataset is None:
        raise DatasetDeleted
    source = open_source(arriving.path_of(job, told["path"]))
    source.most_bytes = settings.MAX_ARCHIVE_BYTES
    split: SplitChoice = "auto" if told["split"] == Image.Split.NONE else told["split"]
    rule = _rule(told)
    plan = rows.Plan(dataset=dataset, source=source, rule=importing.of_files(rule), split=split)
    encoder = _default()

    def send(image_ids: list[int]) -> None:
        if encoder is not None:  # without one they wait until one is installed
            missing.send(encoder, image_ids)

    *_, tally = [rows.Tally(), *rows.read_all(plan, job, send)]
    importing.check_tally(tally, source, rule)
    jobs.wait_for_embeddings(job)
    if jobs.settle(job.pk) and encoder is not None:
        queue.send_after_load(encoder.pk)


def _rule(told: dict[str, Any]) -> Rule:
    if told["label"]:
        label = told["label"]
        return lambda name: Marks(label, labels.without_labels(name).split)
    return labels.from_folders if told["labels"] == "folder" else labels.without_labels


def _default() -> Encoder | None:
    try:
        return encoders.default()
    except encoders.NoEncoder:
        return None


def _as_name(name: str) -> str:
    """Return the last part of a name as one that leads nowhere on any system, with its ending."""
    last = storable(re.split(r"[/\\]", name)[-1])
    safe = "".join(letter if letter.isalnum() or letter in " -_.()" else "_" for letter in last).strip(" .")
    # Of its end so much as every file system takes: letters may be of four bytes.
    return safe.encode()[-_MOST_BYTES_OF_A_NAME:].decode(errors="ignore").strip(" .") or "archive.zip"


def _without_path(job: Job, error: Exception) -> str:
    """Return what went wrong, without where this machine keeps the file."""
    name = job.parameters["path"]
    return str(error).replace(str(arriving.path_of(job, name)), name)
