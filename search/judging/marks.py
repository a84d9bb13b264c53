"""Marks of searches: kept once, and read as judged searches to learn from."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from django.db import transaction

from embeddings.judged_pairs import Judged
from search.curating.holding import hold_those_of
from search.models import Dataset, Image, Mark

if TYPE_CHECKING:
    from django.contrib.auth.models import AbstractBaseUser, AnonymousUser

    Visitor = AbstractBaseUser | AnonymousUser | None

# A search shows hits by the dozen; its pairs grow with the square of its marks.
MOST_MARKS = 100
_NAMESPACE = uuid.UUID("6f2a0a2e-5d0b-4b1e-9c56-0d8a7f1c3e42")


class CannotKeep(ValueError):
    """Marks that say nothing, or contradict each other. The message is for whoever marked."""


def search_of(positives: Sequence[int], negatives: Sequence[int], queries: Sequence[int], user: Visitor) -> uuid.UUID:
    """Return what the marks of a search are kept under: the same for the same marks of the same user."""
    who = user.pk if user is not None and user.is_authenticated else ""
    parts = [",".join(map(str, sorted(set(ids)))) for ids in (queries, positives, negatives)]
    return uuid.uuid5(_NAMESPACE, "|".join([str(who), *parts]))


def keep(positives: Sequence[int], negatives: Sequence[int], queries: Sequence[int], user: Visitor) -> int:
    """Keep the marks of one search and return how many it has; kept already, they are not kept again.

    positives, negatives, queries: ids of images; a query is a positive by itself. Images that are gone, or that this
    user may not see, are left out. Raises CannotKeep.
    """
    wanted = [*queries, *positives]
    if set(wanted) & set(negatives):
        raise CannotKeep("An image cannot be like and unlike what was searched for.")
    if len({*wanted, *negatives}) > MOST_MARKS:
        raise CannotKeep(f"A search can have up to {MOST_MARKS} marks.")
    with transaction.atomic():
        hold_those_of([*wanted, *negatives])
        seen = _visible([*wanted, *negatives], user)
        begun, more, less = (sorted(set(ids) & seen) for ids in (queries, wanted, negatives))
        if not more or len(more) + len(less) < 2:
            raise CannotKeep("Mark at least one image as like what you look for, and one more as like it or unlike it.")
        alike = [one for one in more if one not in begun]
        search = search_of(alike, less, begun, user)
        author = user.pk if user is not None and user.is_authenticated else None
        signs = {**dict.fromkeys(more, Mark.Sign.MORE), **dict.fromkeys(less, Mark.Sign.LESS)}
        rows = [
            Mark(search=search, image_id=image_id, sign=sign, is_query=image_id in begun, user_id=author)
            for image_id, sign in signs.items()
        ]
        _drop_smaller(signs, begun, author)
        Mark.objects.bulk_create(rows, ignore_conflicts=True)
    return len(rows)


def _drop_smaller(signs: Mapping[int, int], begun: list[int], author: int | None) -> None:
    """Drop the marks of the same search that its author kept when there were fewer: they would count twice."""
    if author is None:
        return
    found: dict[uuid.UUID, tuple[dict[int, int], list[int]]] = {}
    theirs = Mark.objects.filter(
        user=author, search__in=Mark.objects.filter(image__in=signs, user=author).values("search")
    )
    for search, image_id, sign, is_query in theirs.order_by("pk").values_list("search", "image_id", "sign", "is_query"):
        known, queries = found.setdefault(search, ({}, []))
        known[image_id] = sign
        if is_query:
            queries.append(image_id)
    smaller = [
        search
        for search, (known, queries) in found.items()
        if sorted(queries) == begun and known.items() < signs.items()
    ]
    Mark.objects.filter(search__in=smaller).delete()


def _visible(image_ids: Sequence[int], user: Visitor) -> set[int]:
    """Return those of the images that this user may see, which stay until the caller's transaction ends."""
    visible = Image.objects.filter(pk__in=image_ids, dataset__in=Dataset.objects.visible_to(user))
    return set(visible.order_by("pk").select_for_update(no_key=True, of=("self",)).values_list("pk", flat=True))


def searches(dataset: Dataset | None = None) -> list[Judged]:
    """Return the judged searches, oldest first; with a dataset, what was said of its images."""
    rows = Mark.objects.order_by("pk")
    rows = rows.filter(image__dataset=dataset) if dataset else rows
    found: dict[uuid.UUID, tuple[list[int], list[int], list[int]]] = {}
    for search, image_id, sign, is_query in rows.values_list("search", "image_id", "sign", "is_query"):
        place = 2 if sign == Mark.Sign.LESS else 0 if is_query else 1
        found.setdefault(search, ([], [], []))[place].append(image_id)
    return [
        Judged(queries=tuple(queries), positives=tuple(positives), negatives=tuple(negatives))
        for queries, positives, negatives in found.values()
    ]
