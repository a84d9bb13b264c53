"""The labelled images of a dataset, divided into those to learn from and those to check on."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np
from django.db.models import QuerySet
from numpy.typing import NDArray

from search.models import Dataset, Image

VALID_SHARE = 0.15


class CannotTrain(Exception):
    """A dataset cannot be learnt from. The message says what it lacks and what to do."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Labelled:
    """Ids and labels, in the order of the ids. digest: SHA-256 of the contents, labels and their division."""

    ids: list[int]
    labels: NDArray[np.str_]
    is_valid: NDArray[np.bool_]
    has_own_valid: bool
    digest: str

    @property
    def n_classes(self) -> int:
        return len(np.unique(self.labels))


def labelled(dataset: Dataset, *, seed: int = 0) -> Labelled:
    """Return what of a dataset can be learnt from: ready images with a label, those of the test split left out.

    Checked on are the images of the val split; where there are none, a share of each class is set aside by the seed.
    Raises CannotTrain.
    """
    ready = Image.objects.filter(dataset=dataset, status=Image.Status.READY)
    usable = ready.exclude(label="").exclude(split=Image.Split.TEST).order_by("pk")
    rows = list(usable.values_list("pk", "label", "split", "sha256"))
    _check(dataset, ready, [label for _, label, _, _ in rows])
    labels = np.array([label for _, label, _, _ in rows])
    is_valid = np.array([split == Image.Split.VAL for _, _, split, _ in rows])
    has_own_valid = bool(is_valid.any())
    if not has_own_valid:
        is_valid = set_aside(labels, VALID_SHARE, seed)
    digest = hashlib.sha256()
    for (_, label, _, sha256), valid in zip(rows, is_valid, strict=True):
        digest.update(f"{sha256} {label} {valid:d}\n".encode())
    return Labelled(
        ids=[pk for pk, _, _, _ in rows],
        labels=labels,
        is_valid=is_valid,
        has_own_valid=has_own_valid,
        digest=digest.hexdigest(),
    )


def all_ready(dataset: Dataset) -> Labelled:
    """Return every ready image of a dataset but those of the test split, for what is learnt without labels.

    Raises CannotTrain where there is none.
    """
    ready = Image.objects.filter(dataset=dataset, status=Image.Status.READY).exclude(split=Image.Split.TEST)
    rows = list(ready.order_by("pk").values_list("pk", "sha256"))
    if not rows:
        raise CannotTrain(f"{dataset.name} has no image that can be used. Import some, or wait for the workers.")
    return Labelled(
        ids=[pk for pk, _ in rows],
        labels=np.full(len(rows), ""),
        is_valid=np.zeros(len(rows), dtype=bool),
        has_own_valid=False,
        digest=hashlib.sha256("\n".join(sha256 for _, sha256 in rows).encode()).hexdigest(),
    )


def set_aside(labels: NDArray[np.str_], share: float, seed: int) -> NDArray[np.bool_]:
    """Return which images to set aside, bool (n,): a share of each class, none of a class of one."""
    chosen = np.zeros(len(labels), dtype=bool)
    generator = np.random.default_rng(seed)
    for label in np.unique(labels):
        places = generator.permutation(np.flatnonzero(labels == label))
        n_chosen = max(1, round(share * len(places))) if len(places) > 1 else 0
        chosen[places[:n_chosen]] = True
    return chosen


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
