"""Pairs put together to groups, each around the best of its pictures, and why that is the best.

Pairs can be chains: a picture, one cut out of it, and one cut out of that have no need to be duplicates all. So a group
is the best picture of a chain with those that were looked at beside it; the rest of the chain is grouped again. Nothing
is put into the trash for the sake of a picture that it was not compared with.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final, Literal

from django.db.models import Q

from search.curating.selecting import datasets_of
from search.models import Dataset, DuplicateDecision, DuplicatePair, Image

if TYPE_CHECKING:
    from django.contrib.auth.models import AbstractBaseUser, AnonymousUser

Pair = tuple[int, int]
# What a format keeps of a picture, best first; those that are not named come last.
_FORMATS: Final = ("PNG", "TIFF", "BMP", "AVIF", "WEBP", "JPEG", "GIF")


@dataclass(frozen=True, kw_only=True)
class Member:
    """An image of a group that is not the suggested one, and what it is to that."""

    image: Image
    relation: DuplicatePair.Relation
    n_bits: int | None


@dataclass(frozen=True, kw_only=True)
class Reason:
    """Why an image is the best: what decided between it and the next one, and both values of that."""

    kind: Literal["decided", "pixels", "bytes", "format", "date"]
    best: Image
    other: Image


@dataclass(frozen=True, kw_only=True)
class Group:
    """Images that are the same picture: the one to keep, why, and the others, the best of them first."""

    best: Image
    reason: Reason
    others: list[Member]
    # When an earlier decision about them was made, where there is one: some were imported again since.
    decided_at: datetime | None = None

    @property
    def images(self) -> list[Image]:
        return [self.best, *(member.image for member in self.others)]

    @property
    def labels(self) -> list[str]:
        """The different labels of its images, of the best one first."""
        return list(dict.fromkeys(image.label for image in self.images if image.label))

    @property
    def has_conflict(self) -> bool:
        """Whether it has to be asked which label stays."""
        return len(self.labels) > 1


@dataclass(kw_only=True)
class _Decided:
    """What was decided about the images of pairs: which lost to which, and when."""

    lost_to: dict[int, set[int]] = field(default_factory=lambda: defaultdict(set))
    at: dict[Pair, datetime] = field(default_factory=dict)
    different: set[Pair] = field(default_factory=set)


def rank(image: Image) -> tuple[Any, ...]:
    """Return what images are ordered by, the best first: pixels, bytes, format, then who was here first."""
    kind = image.format.upper()
    place = _FORMATS.index(kind) if kind in _FORMATS else len(_FORMATS)
    return -image.width * image.height, -image.n_bytes, place, image.created_at, image.pk


def chains(pairs: Iterable[Pair]) -> list[list[int]]:
    """Return what hangs together by pairs: lists of ids, ascending, in the order of their first ids."""
    heads: dict[int, int] = {}

    def head(one: int) -> int:
        while heads.setdefault(one, one) != one:
            heads[one] = heads[heads[one]]
            one = heads[one]
        return one

    for first, second in pairs:
        low, high = sorted((head(first), head(second)))
        heads[high] = low
    found = defaultdict(list)
    for one in sorted(heads):
        found[head(one)].append(one)
    return list(found.values())


def stars(chain: Sequence[int], linked: dict[int, set[int]], order: Callable[[int], Any]) -> list[list[int]]:
    """Cut a chain into groups: the best with those paired with it, then the best of the rest; lone ones are none."""
    left = sorted(chain, key=order)
    found = []
    while left:
        best = left[0]
        star = [one for one in left if one == best or one in linked[best]]
        if len(star) > 1:
            found.append(star)
        left = [one for one in left if one not in star]
    return found


def groups_of(dataset: Dataset, user: AbstractBaseUser | AnonymousUser) -> list[Group]:
    """Return the groups of a dataset that wait for a decision: those of images that the user may change."""
    pairs = _pairs(dataset, user)
    images = Image.objects.select_related("dataset").in_bulk(
        {pk for row in pairs for pk in (row.first_id, row.second_id)}
    )
    decided = _decided(dataset, pairs, images)
    open_pairs = {ends: row for row in pairs if (ends := (row.first_id, row.second_id)) not in decided.different}
    linked: dict[int, set[int]] = defaultdict(set)
    for first, second in open_pairs:
        linked[first].add(second)
        linked[second].add(first)

    def order(pk: int) -> tuple[Any, ...]:
        # What lost before to one of those that it is beside now loses again.
        return bool(decided.lost_to[pk] & linked[pk]), *rank(images[pk])

    found = [star for chain in chains(open_pairs) for star in stars(chain, linked, order)]
    return [_group([images[pk] for pk in star], open_pairs, decided) for star in sorted(found, key=min)]


def _pairs(dataset: Dataset, user: AbstractBaseUser | AnonymousUser) -> list[DuplicatePair]:
    own = datasets_of(user).values("pk")
    rows = DuplicatePair.objects.filter(dataset=dataset, first__dataset__in=own, second__dataset__in=own)
    # One side at home: an image may have been moved since.
    return list(rows.filter(Q(first__dataset=dataset) | Q(second__dataset=dataset)))


def _decided(dataset: Dataset, pairs: list[DuplicatePair], images: dict[int, Image]) -> _Decided:
    """Read the decisions about pairs, which are kept by content."""
    known = {
        (one.first_sha256, one.second_sha256): one
        for one in DuplicateDecision.objects.filter(dataset=dataset).select_related("review")
    }
    decided = _Decided()
    for row in pairs:
        first, second = sorted(
            (images[row.first_id], images[row.second_id]), key=lambda image: (image.sha256, image.pk)
        )
        one = known.get((first.sha256, second.sha256))
        if one is None:
            continue
        if one.verdict == DuplicateDecision.Verdict.DIFFERENT:
            decided.different.add((row.first_id, row.second_id))
            continue
        is_first = one.verdict == DuplicateDecision.Verdict.FIRST
        kept, lost = (first, second) if is_first else (second, first)
        decided.at[row.first_id, row.second_id] = one.review.created_at
        if kept.sha256 != lost.sha256:  # of one content in two datasets, nobody can say which
            decided.lost_to[lost.pk].add(kept.pk)
    return decided


def _group(images: list[Image], pairs: dict[Pair, DuplicatePair], decided: _Decided) -> Group:
    best, *others = images
    members, times = [], []
    for image in others:
        ends = min(best.pk, image.pk), max(best.pk, image.pk)
        row = pairs[ends]
        members.append(Member(image=image, relation=DuplicatePair.Relation(row.relation), n_bits=row.n_bits))
        times += [decided.at[ends]] if ends in decided.at else []
    was_decided = any(best.pk in decided.lost_to[image.pk] for image in others)
    reason = Reason(kind="decided" if was_decided else _kind(best, others[0]), best=best, other=others[0])
    return Group(best=best, reason=reason, others=members, decided_at=max(times, default=None))


def _kind(best: Image, other: Image) -> Literal["pixels", "bytes", "format", "date"]:
    for place, kind in enumerate(("pixels", "bytes", "format")):
        if rank(best)[place] != rank(other)[place]:
            return kind  # type: ignore[return-value]  # one of the three
    return "date"
