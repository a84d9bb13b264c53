"""What is decided about a group of duplicates: one is kept and the others go into the trash, or all are kept; undone.

Decisions are kept pair by pair and by content, so that they hold for what is imported again and for any encoder.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING, Any

from django.db.models import Q, QuerySet

from search.curating import trash
from search.curating.holding import deleting
from search.curating.selecting import NotAllowed, datasets_of
from search.models import Dataset, DuplicateDecision, DuplicatePair, DuplicateReview, Image

if TYPE_CHECKING:
    from django.contrib.auth.models import AbstractBaseUser, AnonymousUser

# In larger groups only the pairs that were found are remembered: the number of all grows with the square.
_MOST_PAIRED = 40
_MOST_NAMES = 20


class GroupChanged(Exception):
    """Some of the images are gone, or no longer pairs of this dataset: somebody else has decided meanwhile."""


class LabelsDiffer(Exception):
    """The images have different labels, and nobody has said which one stays."""

    def __init__(self, labels: list[str]) -> None:
        self.labels = labels
        super().__init__(f"Which label stays: {', '.join(labels)}?")


@dataclass(frozen=True, kw_only=True)
class Undone:
    """What undoing came to. n_lost: images that were in the trash for too long, or are there anew."""

    n_reviews: int
    n_restored: int
    n_lost: int


def keep_best(
    dataset: Dataset,
    kept_id: int,
    image_ids: Sequence[int],
    user: AbstractBaseUser | AnonymousUser,
    *,
    label: str | None = None,
    batch: uuid.UUID | None = None,
) -> DuplicateReview:
    """Keep one image of a group and put the others into the trash.

    Where the one that is kept has no label, it gets that of the others, and where it has no tags, theirs. label: the
    one that stays where they differ. batch: of the press of a button that decides about several groups.
    Raises NotAllowed, GroupChanged, LabelsDiffer.
    """
    with deleting(_datasets(image_ids)):
        images = _checked(dataset, image_ids, user)
        kept = next((image for image in images if image.pk == kept_id), None)
        if kept is None:
            raise GroupChanged
        others = [image for image in images if image.pk != kept_id]
        merged = _merge(kept, others, label)
        review = _review(dataset, [kept, *others], user, batch, kept=kept, merged=merged)
        for other in others:
            _decide(review, kept, other, kept=kept)
        trash.discard(review.discarded)
    return review


def keep_all(
    dataset: Dataset,
    image_ids: Sequence[int],
    user: AbstractBaseUser | AnonymousUser,
    *,
    batch: uuid.UUID | None = None,
) -> DuplicateReview:
    """Say that the images of a group are not duplicates; none of their pairs is shown again. Raises as `keep_best`."""
    with deleting(_datasets(image_ids)):
        images = _checked(dataset, image_ids, user)
        found = {(row.first_id, row.second_id) for row in _pairs_among(dataset, image_ids)}
        review = _review(dataset, images, user, batch)
        for one, other in combinations(images, 2):
            if len(images) <= _MOST_PAIRED or (min(one.pk, other.pk), max(one.pk, other.pk)) in found:
                _decide(review, one, other)
    return review


def reviews_of(dataset: Dataset, user: AbstractBaseUser | AnonymousUser) -> QuerySet[DuplicateReview]:
    """Return what was decided in a dataset, the newest first; nothing for those who may not change it."""
    own = DuplicateReview.objects.filter(dataset=dataset, dataset__in=datasets_of(user))
    return own.select_related("kept", "user")


def undo(batch: uuid.UUID, user: AbstractBaseUser | AnonymousUser) -> Undone:
    """Take back what one press of a button decided: images from the trash, label and tags, and the decisions.

    A label that was changed since stays. Raises NotAllowed, also where it was undone before.
    """
    reviews = list(DuplicateReview.objects.filter(batch=batch, dataset__in=datasets_of(user)).order_by("-pk"))
    if not reviews:
        raise NotAllowed
    n_restored = n_discarded = 0
    for review in reviews:
        with deleting([review.dataset_id]):
            n_discarded += len(review.discarded)
            n_restored += trash.restore(review.discarded)
            _unmerge(review)
            review.delete()
    return Undone(n_reviews=len(reviews), n_restored=n_restored, n_lost=n_discarded - n_restored)


def _datasets(image_ids: Sequence[int]) -> list[int]:
    rows = Image.objects.filter(pk__in=image_ids).order_by()
    return list(rows.values_list("dataset", flat=True).distinct())


def _pairs_among(dataset: Dataset, image_ids: Sequence[int]) -> QuerySet[DuplicatePair]:
    return DuplicatePair.objects.filter(dataset=dataset, first__in=image_ids, second__in=image_ids)


def _checked(dataset: Dataset, image_ids: Sequence[int], user: AbstractBaseUser | AnonymousUser) -> list[Image]:
    """Return the images of a group, locked, in their order; they have to be pairs that were found in this dataset."""
    wanted = list(dict.fromkeys(image_ids))
    own = datasets_of(user)
    rows = Image.objects.filter(pk__in=wanted).order_by("pk").select_for_update(of=("self",))
    images = {image.pk: image for image in rows}
    if not own.filter(pk=dataset.pk).exists():
        raise NotAllowed
    theirs = set(own.filter(pk__in={image.dataset_id for image in images.values()}).values_list("pk", flat=True))
    found = [(row.first_id, row.second_id) for row in _pairs_among(dataset, wanted)]
    if len(wanted) < 2 or any(pk not in images or images[pk].dataset_id not in theirs for pk in wanted):
        raise GroupChanged
    if len(wanted) != len(_reached(wanted[0], found)):  # nobody has compared all of them
        raise GroupChanged
    return [images[pk] for pk in wanted]


def _reached(image_id: int, pairs: list[tuple[int, int]]) -> set[int]:
    """Return the images that hang together with one of them by pairs, that one too."""
    reached, n_before = {image_id}, 0
    while len(reached) > n_before:
        n_before = len(reached)
        reached |= {pk for pair in pairs if not reached.isdisjoint(pair) for pk in pair}
    return reached


def _merge(kept: Image, others: list[Image], label: str | None) -> dict[str, Any]:
    """Give the image that is kept what it lacks; return what changed: before and after, by field."""
    labels = list(dict.fromkeys(image.label for image in (kept, *others) if image.label))
    if len(labels) > 1 and label not in labels:
        raise LabelsDiffer(labels)
    chosen = label if len(labels) > 1 else "".join(labels)
    tags = kept.tags or list(dict.fromkeys(tag for image in others for tag in image.tags))
    after = {"label": chosen, "tags": tags}
    merged = {name: [getattr(kept, name), value] for name, value in after.items() if getattr(kept, name) != value}
    if merged:
        Image.objects.filter(pk=kept.pk).update(**{name: new for name, (_, new) in merged.items()})
    return merged


def _unmerge(review: DuplicateReview) -> None:
    for name, (before, after) in review.merged.items():
        Image.objects.filter(Q(pk=review.kept_id) & Q(**{name: after})).update(**{name: before})


def _review(
    dataset: Dataset,
    images: list[Image],
    user: AbstractBaseUser | AnonymousUser,
    batch: uuid.UUID | None,
    *,
    kept: Image | None = None,
    merged: dict[str, Any] | None = None,
) -> DuplicateReview:
    return DuplicateReview.objects.create(
        dataset=dataset,
        batch=batch or uuid.uuid4(),
        kept=kept,
        discarded=[image.pk for image in images if kept and image != kept],
        names=[image.name for image in images[:_MOST_NAMES]],
        merged=merged or {},
        user_id=user.pk,
    )


def _decide(review: DuplicateReview, one: Image, other: Image, *, kept: Image | None = None) -> None:
    first, second = sorted((one, other), key=lambda image: (image.sha256, image.pk))
    verdict = DuplicateDecision.Verdict.DIFFERENT
    if kept is not None:
        verdict = DuplicateDecision.Verdict.FIRST if kept == first else DuplicateDecision.Verdict.SECOND
    # Who decides anew about a pair takes the decision before it away.
    DuplicateDecision.objects.update_or_create(
        dataset=review.dataset,
        first_sha256=first.sha256,
        second_sha256=second.sha256,
        defaults={"verdict": verdict, "review": review},
    )
