"""Which pictures are asked with, and which may answer: read from rows once for all encoders."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from functools import reduce
from operator import or_
from typing import Any

import numpy as np
from django.db.models import Q, QuerySet
from numpy.typing import NDArray

from embeddings.evaluation.ranking import Struck, same
from search.models import Dataset, Image
from search.models.galleries import bits_of
from search.work import jobs

# By choosing no split, one chooses all of a dataset.
ALL = "all"
SPLITS = (ALL, *Image.Split.values)


class CannotEvaluate(Exception):
    """There is nothing that could be evaluated. The message says what is missing and what to do."""


@dataclass(frozen=True, kw_only=True)
class Protocol:
    """Queries of one split, or dataset, against a gallery of another.

    dataset: the gallery's; queries_dataset: the queries'. Splits: of Image.Split, or ALL; `chosen` fills in empty ones.
    Each query leaves itself out, so equal splits of one dataset mean leave-one-out.
    max_queries: so many are drawn by the seed where there are more.
    """

    dataset: Dataset
    queries_dataset: Dataset
    queries_split: str = ""
    gallery_split: str = ""
    max_queries: int = 10_000
    seed: int = 0

    @property
    def is_leave_one_out(self) -> bool:
        return self.dataset == self.queries_dataset and self.queries_split == self.gallery_split

    @property
    def scope_splits(self) -> tuple[str, ...]:
        """The splits of a search scope that answers alike."""
        return () if self.gallery_split == ALL else (self.gallery_split,)

    def in_words(self) -> str:
        """Return what is asked of what, for people: "test against train"."""
        if self.is_leave_one_out:
            return "each against all others" + ("" if self.gallery_split == ALL else f" of {self.gallery_split}")
        queries = self.queries_split if self.dataset == self.queries_dataset else ""
        named = f"{self.queries_dataset.name}{_of_split(self.queries_split)}"
        return f"{queries or named} against {self.gallery_split if queries else 'all' + _of_split(self.gallery_split)}"

    def as_parameters(self) -> dict[str, Any]:
        """Return it as it is kept, for people and for whoever carries it out."""
        return {
            **jobs.of_dataset(self.dataset),
            **jobs.of_dataset(self.queries_dataset, "queries_dataset"),
            "queries_split": self.queries_split,
            "gallery_split": self.gallery_split,
            "max_queries": self.max_queries,
            "seed": self.seed,
        }


def from_parameters(parameters: dict[str, Any]) -> Protocol:
    """Return the protocol of a job. Raises CannotEvaluate where a dataset is gone."""
    known = {name: jobs.dataset_in(parameters, name) for name in ("dataset", "queries_dataset")}
    for name, dataset in known.items():
        if dataset is None:
            raise CannotEvaluate(f"The dataset {parameters[name]} is gone.")
    rest = {name: parameters[name] for name in ("queries_split", "gallery_split", "max_queries", "seed")}
    return Protocol(**known, **rest)  # type: ignore[arg-type]  # none of them is None


def chosen(protocol: Protocol) -> Protocol:
    """Choose the splits that were left open: test against train where a dataset has both, else all against all.

    Raises CannotEvaluate for a split that there is not.
    """
    for split in (protocol.queries_split, protocol.gallery_split):
        if split and split not in SPLITS:
            raise CannotEvaluate(f"There is no split {split!r}. There are: {', '.join(SPLITS)}.")
    if not 0 <= protocol.seed < 2**32:
        raise CannotEvaluate(f"A seed is from 0 to {2**32 - 1:,}; got {protocol.seed}.")
    if protocol.max_queries < 1:
        raise CannotEvaluate(f"At least one query has to be asked; got {protocol.max_queries}.")
    if protocol.dataset != protocol.queries_dataset:
        return replace(
            protocol, queries_split=protocol.queries_split or ALL, gallery_split=protocol.gallery_split or ALL
        )
    if not protocol.queries_split and not protocol.gallery_split:
        there = set(
            Image.objects.filter(dataset=protocol.dataset).order_by().values_list("split", flat=True).distinct()
        )
        is_split = {Image.Split.TEST, Image.Split.TRAIN} <= there
        splits = (Image.Split.TEST.value, Image.Split.TRAIN.value) if is_split else (ALL, ALL)
        return replace(protocol, queries_split=splits[0], gallery_split=splits[1])
    # Of one split that is named the other side is all the rest: for a query its own split is as good as any.
    return replace(protocol, queries_split=protocol.queries_split or ALL, gallery_split=protocol.gallery_split or ALL)


@dataclass(frozen=True, kw_only=True, eq=False)
class Pictures:
    """Images by ascending id. labels: empty for those without one; contents: SHA-256 in hexadecimal digits."""

    ids: NDArray[np.int64]
    labels: NDArray[np.str_]
    contents: NDArray[np.bytes_]
    phashes: NDArray[np.uint64]

    def __len__(self) -> int:
        return len(self.ids)

    def only(self, chosen: NDArray[Any]) -> Pictures:
        """Return some of them. chosen: a mask, or places."""
        return Pictures(
            ids=self.ids[chosen],
            labels=self.labels[chosen],
            contents=self.contents[chosen],
            phashes=self.phashes[chosen],
        )


@dataclass(frozen=True, kw_only=True, eq=False)
class Sides:
    """The two sides of an evaluation.

    gallery: every image that may answer a search; queries: the labelled images that ask, or any where none has a label.
    struck: which query is which image of the gallery, by row or by content. n_unlabelled: images without a label, which
    are neither right nor wrong and are left out of the measures: of those that would ask, and of the gallery.
    n_drawn_from: how many queries there were before some were drawn. n_not_ready: images that wait or were refused.
    """

    protocol: Protocol
    queries: Pictures
    gallery: Pictures
    struck: Struck
    n_drawn_from: int
    n_unlabelled: tuple[int, int]
    n_not_ready: int

    @property
    def has_labels(self) -> bool:
        return bool(len(self.queries)) and bool(self.queries.labels[0])

    def digest(self) -> str:
        """Return a SHA-256 of what is asked and what may answer: where it is equal, figures are comparable."""
        known = hashlib.sha256()
        for side in (self.queries, self.gallery):
            known.update(len(side).to_bytes(8, "big"))
            known.update(side.contents.tobytes())
            known.update("\n".join(side.labels).encode())
        return known.hexdigest()


def sides(protocol: Protocol) -> Sides:
    """Return who asks and who may answer. protocol: with its splits chosen. Raises CannotEvaluate."""
    gallery = _pictures(protocol.dataset, protocol.gallery_split)
    asking = gallery if protocol.is_leave_one_out else _pictures(protocol.queries_dataset, protocol.queries_split)
    for side, dataset, split in (
        (asking, protocol.queries_dataset, protocol.queries_split),
        (gallery, protocol.dataset, protocol.gallery_split),
    ):
        if not len(side):
            raise CannotEvaluate(
                f"{dataset.name} has no image{_of_split(split)} that is ready. "
                "Import some, wait for the workers, or choose another split."
            )
    if len(np.unique(np.concatenate([asking.contents, gallery.contents]))) < 2:
        raise CannotEvaluate(
            f"{protocol.dataset.name} has one image{_of_split(protocol.gallery_split)}: there is no other to find."
        )
    is_labelled = asking.labels != ""
    queries = asking.only(is_labelled) if is_labelled.any() else asking
    n_drawn_from = len(queries)
    if n_drawn_from > protocol.max_queries:
        drawn = np.random.default_rng(protocol.seed).choice(n_drawn_from, protocol.max_queries, replace=False)
        queries = queries.only(np.sort(drawn))
    return Sides(
        protocol=protocol,
        queries=queries,
        gallery=gallery,
        struck=same(queries.ids, gallery.ids).and_also(same(queries.contents, gallery.contents)),
        n_drawn_from=n_drawn_from,
        n_unlabelled=(int((~is_labelled).sum()), int((gallery.labels == "").sum())),
        n_not_ready=_n_not_ready(protocol),
    )


def _n_not_ready(protocol: Protocol) -> int:
    sides = {(protocol.dataset, protocol.gallery_split), (protocol.queries_dataset, protocol.queries_split)}
    waiting = Image.objects.exclude(status=Image.Status.READY)
    chosen = (Q(dataset=dataset) if split == ALL else Q(dataset=dataset, split=split) for dataset, split in sides)
    return waiting.filter(reduce(or_, chosen)).count()


def _pictures(dataset: Dataset, split: str) -> Pictures:
    rows: QuerySet[Any, Any] = Image.objects.filter(dataset=dataset, status=Image.Status.READY).order_by("pk")
    if split != ALL:
        rows = rows.filter(split=split)
    known = list(rows.values_list("pk", "label", "sha256", "phash"))
    return Pictures(
        ids=np.array([pk for pk, _, _, _ in known], np.int64),
        labels=np.array([label for _, label, _, _ in known], np.str_),
        contents=np.array([sha256 for _, _, sha256, _ in known], "S64"),
        # 0, which is compared with none, where there is none.
        phashes=np.array([int(bits_of(phash) or "0", 2) for _, _, _, phash in known], np.uint64),
    )


def _of_split(split: str) -> str:
    return "" if split == ALL else f" of the split {split}"
