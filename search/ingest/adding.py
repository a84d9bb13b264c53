"""One file that somebody uploads, into a dataset that is there. Whoever calls has asked whether they may."""

from __future__ import annotations

from dataclasses import dataclass

from django.db import transaction

from search import encoders
from search.curating.holding import hold
from search.ingest import inserting
from search.ingest.errors import DatasetDeleted
from search.ingest.examining import examine
from search.ingest.marks import Marks, label_of
from search.ingest.sources import Found
from search.models import Dataset, Image, Job
from search.work.missing import send

_WITHOUT_NAME = "upload"


@dataclass(frozen=True, kw_only=True)
class Added:
    """An image that was uploaded. is_new: whether the dataset did not have that content yet."""

    image: Image
    is_new: bool


def add(dataset: Dataset, name: str, content: bytes, *, job: Job | None, label: str = "", split: str = "none") -> Added:
    """Take a file into a dataset, and send it to the workers after the commit.

    name: the file's own, shown to visitors. split: "none", "train", "val" or "test". What is there already gets the
    label and the split that it lacks, and keeps those that it has. job: whose image it is; without one it is embedded
    all the same. Raises embeddings.images.RefusedImage, and DatasetDeleted, also where the dataset is in the trash.
    """
    marks = Marks(label_of(label), "" if split == Image.Split.NONE else Image.Split(split).value)
    source = name.strip() or _WITHOUT_NAME
    found = Found(name=source, source=source, content=content, position=1)
    candidate = examine(found, marks, "auto", in_place=False)
    with inserting.all_or_nothing(dataset, [candidate]):
        if not (hold(dataset.pk) and Dataset.objects.filter(pk=dataset.pk).exists()):
            raise DatasetDeleted
        inserted = inserting.insert(dataset, job, [candidate])
        image = Image.objects.select_related("dataset").get(dataset=dataset, sha256=candidate.sha256)
        if image.status == Image.Status.PENDING:
            transaction.on_commit(lambda: _send(image.pk))
    return Added(image=image, is_new=bool(inserted.n_added))


def _send(image_id: int) -> None:
    try:
        send(encoders.default(), [image_id])
    except encoders.NoEncoder:
        # It waits until one is installed: the sweeper finds it then.
        return
