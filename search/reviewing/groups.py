"""Pairs put together to groups, each around the best of its pictures, and why that is the best.

Pairs can be chains: a picture, one cut out of it, and one cut out of that have no need to be duplicates all. So a group
is the best picture of a chain with those that were looked at beside it; the rest of the chain is grouped again. Nothing
is put into the trash for the sake of a picture that it was not compared with.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple, overload

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


class _Facts(NamedTuple):
    """What images are ordered and known by."""

    pk: int
    sha256: str
    width: int
    height: int
    n_bytes: int
    format: str
    created_at: datetime


class _Paired(NamedTuple):
    """What two images are to each other."""

    relation: str
    n_bits: int | None


@dataclass(kw_only=True)
class _Decided:
    """What was decided about the images of pairs: which lost to which, and when."""

    lost_to: dict[int, set[int]] = field(default_factory=lambda: defaultdict(set))
    at: dict[Pair, datetime] = field(default_factory=dict)
    different: set[Pair] = field(default_factory=set)


def rank(image: Image | _Facts) -> tuple[Any, ...]:
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


class Groups(Sequence[Group]):
    """The groups of a dataset that wait for a decision, in the order of their first images.

    Which images belong together is known of all of them; the images are read of those that are asked for.
    """

    def __init__(self, stars: list[list[int]], pairs: dict[Pair, _Paired], decided: _Decided) -> None:
        self._stars, self._pairs, self._decided = stars, pairs, decided

    def __len__(self) -> int:
        return len(self._stars)

    @overload
    def __getitem__(self, place: int) -> Group: ...

    @overload
    def __getitem__(self, place: slice) -> list[Group]: ...

    def __getitem__(self, place: int | slice) -> Group | list[Group]:
        chosen = self._stars[place] if isinstance(place, slice) else [self._stars[place]]
        images = Image.objects.select_related("dataset").in_bulk([pk for star in chosen for pk in star])
        # Some may have gone since the stars were read.
        there = [star for star in chosen if all(pk in images for pk in star)]
        found = [_group([images[pk] for pk in star], self._pairs, self._decided) for star in there]
        return found if isinstance(place, slice) else found[0]

    @property
    def n_others(self) -> int:
        """How many images could go, of all groups."""
        return sum(len(star) - 1 for star in self._stars)

    def place_after(self, image_id: int) -> int:
        """Return the place of the first group whose first image comes after one."""
        return bisect_right(self._stars, image_id, key=min)


def groups_of(dataset: Dataset, user: AbstractBaseUser | AnonymousUser) -> Groups:
    """Return the groups of a dataset that wait for a decision: those of images that the user may change."""
    pairs = _pairs(dataset, user)
    facts = _facts({pk for ends in pairs for pk in ends})
    # What was deleted between the two is in none.
    pairs = {ends: row for ends, row in pairs.items() if all(pk in facts for pk in ends)}
    decided = _decided(dataset, pairs, facts)
    open_pairs = {ends: row for ends, row in pairs.items() if ends not in decided.different}
    linked: dict[int, set[int]] = defaultdict(set)
    for first, second in open_pairs:
        linked[first].add(second)
        linked[second].add(first)

    def order(pk: int) -> tuple[Any, ...]:
        # What lost before to one of those that it is beside now loses again.
        return bool(decided.lost_to[pk] & linked[pk]), *rank(facts[pk])

    found = [star for chain in chains(open_pairs) for star in stars(chain, linked, order)]
    return Groups(sorted(found, key=min), open_pairs, decided)


def _pairs(dataset: Dataset, user: AbstractBaseUser | AnonymousUser) -> dict[Pair, _Paired]:
    own = datasets_of(user).values("pk")
    rows = DuplicatePair.objects.filter(dataset=dataset, first__dataset__in=own, second__dataset__in=own)
    # One side at home: an image may have been moved since.
    rows = rows.filter(Q(first__dataset=dataset) | Q(second__dataset=dataset))
    found = rows.values_list("first", "second", "relation", "n_bits")
    return {(first, second): _Paired(relation, n_bits) for first, second, relation, n_bits in found}


def _facts(image_ids: set[int]) -> dict[int, _Facts]:
    rows = Image.objects.filter(pk__in=image_ids).values_list(*_Facts._fields)
    return {row[0]: _Facts(*row) for row in rows}


def _decided(dataset: Dataset, pairs: Iterable[Pair], facts: dict[int, _Facts]) -> _Decided:
    """Read the decisions about pairs, which are kept by content."""
    decisions = DuplicateDecision.objects.filter(dataset=dataset)
    rows = decisions.values_list("first_sha256", "second_sha256", "verdict", "review__created_at")
    known = {(first, second): (verdict, at) for first, second, verdict, at in rows}
    decided = _Decided()
    for ends in pairs if known else ():
        first, second = sorted((facts[pk] for pk in ends), key=lambda one: (one.sha256, one.pk))
        decision = known.get((first.sha256, second.sha256))
        if decision is None:
            continue
        verdict, at = decision
        if verdict == DuplicateDecision.Verdict.DIFFERENT:
            decided.different.add(ends)
            continue
        kept, lost = (first, second) if verdict == DuplicateDecision.Verdict.FIRST else (second, first)
        decided.at[ends] = at
        if kept.sha256 != lost.sha256:  # of one content in two datasets, nobody can say which
            decided.lost_to[lost.pk].add(kept.pk)
    return decided


def _group(images: list[Image], pairs: dict[Pair, _Paired], decided: _Decided) -> Group:
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
