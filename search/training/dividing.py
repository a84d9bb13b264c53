"""The images of a dataset, divided into those to learn from, those to check on and those to test with."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from django.db.models import QuerySet
from numpy.typing import NDArray

from embeddings.training import batches
from embeddings.training.presets import SHARES, Shares
from search.models import Dataset, Image


class CannotTrain(Exception):
    """A dataset cannot be learnt from. The message says what it lacks and what to do."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Divided:
    """Ids, and label and part of each: "train", "valid" or "test". digest: SHA-256 of contents, labels and parts."""

    ids: list[int]
    labels: NDArray[np.str_]
    parts: NDArray[np.str_]
    has_own_valid: bool
    digest: str

    @property
    def n_classes(self) -> int:
        return len(np.unique(self.labels))


def labelled(dataset: Dataset, *, seed: int = 0, shares: Shares = SHARES) -> Divided:
    """Return what of a dataset can be learnt from and checked on: its ready images with a label.

    A val or test split of the dataset is taken as it is. Where there is none, its share of each class is drawn by the
    seed; without a share for testing, a test split is left out. Raises CannotTrain.
    """
    ready = Image.objects.filter(dataset=dataset, status=Image.Status.READY)
    rows = list(ready.exclude(label="").order_by("pk").values_list("pk", "label", "split", "sha256"))
    known = {label for _, label, split, _ in rows if split != Image.Split.TEST}
    # A label that only the test split has cannot be learnt.
    rows = [row for row in rows if row[2] != Image.Split.TEST or (shares[1] and row[1] in known)]
    _check(dataset, ready, [label for _, label, split, _ in rows if split != Image.Split.TEST])
    labels = np.array([label for _, label, _, _ in rows])
    splits = np.array([split for _, _, split, _ in rows])
    return Divided(
        ids=[pk for pk, _, _, _ in rows],
        labels=labels,
        parts=(parts := _parts(labels, splits, shares, seed)),
        has_own_valid=bool((splits == Image.Split.VAL).any()),
        digest=_digest([sha256 for _, _, _, sha256 in rows], labels, parts),
    )


def unlabelled(dataset: Dataset, *, seed: int = 0) -> Divided:
    """Return every ready image of a dataset but those of the test split, for what is learnt without labels.

    All are drawn from alike, whatever split they are of. Raises CannotTrain where there is none.
    """
    ready = Image.objects.filter(dataset=dataset, status=Image.Status.READY).exclude(split=Image.Split.TEST)
    rows = list(ready.order_by("pk").values_list("pk", "sha256"))
    if not rows:
        raise CannotTrain(f"{dataset.name} has no image that can be used. Import some, or wait for the workers.")
    labels = np.full(len(rows), "")
    return Divided(
        ids=[pk for pk, _ in rows],
        labels=labels,
        parts=(parts := _parts(labels, labels, SHARES, seed)),
        has_own_valid=False,
        digest=_digest([sha256 for _, sha256 in rows], labels, parts),
    )


def _parts(labels: NDArray[np.str_], splits: NDArray[np.str_], shares: Shares, seed: int) -> NDArray[np.str_]:
    """Return the part of each image: that of its split, or one drawn for the parts that the dataset does not have."""
    parts = np.full(len(labels), "train")
    parts[splits == Image.Split.VAL] = "valid"
    parts[splits == Image.Split.TEST] = "test"
    test_share = 0.0 if (parts == "test").any() else shares[1]
    valid_share = 0.0 if (parts == "valid").any() else shares[2]
    drawn_from = np.flatnonzero(parts == "train")
    numbers = np.unique(labels, return_inverse=True)[1][drawn_from]
    _, test, valid = batches.split(numbers, seed=seed, shares=(1 - test_share - valid_share, test_share, valid_share))
    parts[drawn_from[test]] = "test"
    parts[drawn_from[valid]] = "valid"
    return parts


def _digest(contents: Sequence[str], labels: NDArray[np.str_], parts: NDArray[np.str_]) -> str:
    lines = (f"{content} {label} {part}\n" for content, label, part in zip(contents, labels, parts, strict=True))
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def _check(dataset: Dataset, ready: QuerySet[Image], labels: list[str]) -> None:
    classes = set(labels)
    if not ready.exists():
        raise CannotTrain(f"{dataset.name} has no image that can be used. Import some, or wait for the workers.")
    if not classes:
        raise CannotTrain(
            f"No image of {dataset.name} outside the test split has a label. Import it again with --labels, or label "
            "images in the admin."
        )
    if len(classes) == 1:
        raise CannotTrain(
            f"All labelled images of {dataset.name} are {labels[0]!r}; to tell classes apart, two are needed."
        )
    if len(labels) < 2 * len(classes):
        raise CannotTrain(
            f"{dataset.name} has {len(labels)} labelled images of {len(classes)} classes; two of a class are needed."
        )
