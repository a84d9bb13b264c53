"""What is done with several images at once, by those who may: described, moved, copied, deleted, embedded again."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, Literal

from django.contrib.auth.models import PermissionsMixin
from django.db import transaction
from django.db.models import Q, QuerySet

from search import embedding, encoders
from search.curating import moving, trash
from search.curating.copying import copy
from search.curating.holding import hold
from search.models import Dataset, Image
from search.work.missing import send

if TYPE_CHECKING:
    from django.contrib.auth.models import AbstractBaseUser, AnonymousUser


Field = Literal["label", "tags", "split"]


class NotAllowed(Exception):
    """The user may not change some of these images, or that dataset."""


class DatasetGone(Exception):
    """The dataset was deleted meanwhile."""


def datasets_of(user: AbstractBaseUser | AnonymousUser) -> QuerySet[Dataset]:
    """Return the datasets that a user may change: their own; for those who may change images in the admin, all."""
    if not user.is_authenticated:
        return Dataset.objects.none()
    if isinstance(user, PermissionsMixin) and getattr(user, "is_staff", False) and user.has_perm("search.change_image"):
        return Dataset.objects.all()
    return Dataset.objects.filter(owner_id=user.pk)


def may_delete(user: AbstractBaseUser | AnonymousUser, dataset: Dataset) -> bool:
    """Return whether a user may delete a dataset: its owner, and those who may delete datasets in the admin."""
    if not user.is_authenticated:
        return False
    return dataset.owner_id == user.pk or trash.may_delete_all(user)


def label(image_ids: Sequence[int], text: str, user: AbstractBaseUser | AnonymousUser) -> dict[int, str]:
    """Give images a label, or take it with an empty text; return what they had before, by id. Raises NotAllowed."""
    return _change(image_ids, "label", lambda image: text, user)


def relabel(labels: dict[int, str], user: AbstractBaseUser | AnonymousUser) -> int:
    """Give each image back the label that it had; return how many there still are. Raises NotAllowed."""
    return give_back("label", labels, user)


def divide(image_ids: Sequence[int], split: str, user: AbstractBaseUser | AnonymousUser) -> dict[int, str]:
    """Put images into a split: none, train, val or test; return where they were before, by id. Raises NotAllowed."""
    return _change(image_ids, "split", lambda image: Image.Split(split).value, user)


def tag(image_ids: Sequence[int], tags: Sequence[str], user: AbstractBaseUser | AnonymousUser) -> dict[int, list[str]]:
    """Give images tags that they lack; return those that they had before, by id. Raises NotAllowed."""
    return _change(image_ids, "tags", lambda image: list(dict.fromkeys([*image.tags, *tags])), user)


def untag(
    image_ids: Sequence[int], tags: Sequence[str], user: AbstractBaseUser | AnonymousUser
) -> dict[int, list[str]]:
    """Take tags off images; return those that they had before, by id. Raises NotAllowed."""
    return _change(image_ids, "tags", lambda image: [one for one in image.tags if one not in tags], user)


def give_back(field: Field, values: dict[int, Any], user: AbstractBaseUser | AnonymousUser) -> int:
    """Give each image back the label, tags or split that it had; return how many there still are. Raises NotAllowed."""
    return len(_change(list(values), field, lambda image: values[image.pk], user))


def _change(
    image_ids: Sequence[int], field: Field, new: Callable[[Image], Any], user: AbstractBaseUser | AnonymousUser
) -> dict[int, Any]:
    with transaction.atomic():
        chosen = list(Image.objects.filter(pk__in=image_ids).order_by("pk").select_for_update(of=("self",)))
        before = {image.pk: getattr(image, field) for image in chosen}
        _check(before, user)
        for image in chosen:
            setattr(image, field, new(image))
        changed = [image for image in chosen if getattr(image, field) != before[image.pk]]
        Image.objects.bulk_update(changed, [field], batch_size=500)
    return before


def move(image_ids: Sequence[int], into: Dataset, user: AbstractBaseUser | AnonymousUser) -> tuple[dict[int, int], int]:
    """Move images into another dataset; return where each that moved was, and how many were there already.

    Vectors, labels, tags and splits come along. Raises NotAllowed where either dataset is not the user's, DatasetGone.
    """
    if not datasets_of(user).filter(pk=into.pk).exists():
        raise NotAllowed
    _check(image_ids, user)
    origins = dict(Image.objects.filter(pk__in=image_ids).exclude(dataset=into).values_list("pk", "dataset"))
    moved = moving.move(list(origins), into.pk)
    if origins and not Dataset.objects.filter(pk=into.pk).exists():
        raise DatasetGone
    return {pk: origins[pk] for pk in moved}, len(image_ids) - len(moved)


def move_back(origins: dict[int, int], user: AbstractBaseUser | AnonymousUser) -> int:
    """Move images back to where they were, by id; return how many moved. Raises NotAllowed."""
    wanted = set(origins.values())
    if wanted - set(datasets_of(user).filter(pk__in=wanted).values_list("pk", flat=True)):
        raise NotAllowed
    _check(list(origins), user)
    return sum(len(moving.move([pk for pk, one in origins.items() if one == into], into)) for into in wanted)


def discard(image_ids: Sequence[int], user: AbstractBaseUser | AnonymousUser) -> int:
    """Put images into the trash; return how many. Raises NotAllowed."""
    _check(image_ids, user)
    return trash.discard(image_ids)


def restore(image_ids: Sequence[int], user: AbstractBaseUser | AnonymousUser) -> int:
    """Put images from the trash back where they were; return how many. Raises NotAllowed."""
    origins = Dataset.objects.filter(trash__images__in=image_ids)
    if origins.exclude(pk__in=datasets_of(user)).exists():
        raise NotAllowed
    return trash.restore(image_ids)


def embed_again(image_ids: Sequence[int], user: AbstractBaseUser | AnonymousUser) -> int:
    """Have images embedded anew, refused ones too; return how many wait now. Raises NotAllowed, encoders.NoEncoder."""
    _check(image_ids, user)
    encoder = encoders.default()
    with transaction.atomic():
        n_waiting = embedding.forget(image_ids)
        transaction.on_commit(partial(send, encoder, list(image_ids)))
    return n_waiting


def add(image_ids: Sequence[int], into: Dataset, user: AbstractBaseUser | AnonymousUser) -> tuple[list[int], int, int]:
    """Put copies of images that the user sees into a dataset.

    Returns the ids of the copies, how many were there, and how many have lost a file and stay where they are. Vectors,
    labels and tags come along; copies belong to no split. An image that is referenced in place is so there too. Raises
    NotAllowed, DatasetGone.
    """
    if not datasets_of(user).filter(pk=into.pk).exists():
        raise NotAllowed
    visible = Q(dataset__in=Dataset.objects.visible_to(user))
    chosen = list(Image.objects.filter(visible, pk__in=image_ids, status=Image.Status.READY).order_by("pk"))
    copies, n_lost = [], 0
    for image in chosen:
        with transaction.atomic():
            if not hold(into.pk):
                raise DatasetGone
            try:
                made = copy(image, into)
            except FileNotFoundError:
                n_lost += 1
                continue
        copies += [made] if made else []
    return copies, len(chosen) - len(copies) - n_lost, n_lost


def _check(image_ids: Sequence[int] | dict[int, str], user: AbstractBaseUser | AnonymousUser) -> None:
    own = datasets_of(user)
    if Image.objects.filter(pk__in=list(image_ids)).exclude(dataset__in=own).exists():
        raise NotAllowed
