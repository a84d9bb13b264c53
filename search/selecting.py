"""What is done with several images at once: a label for them, and a second place for them in another dataset."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from django.contrib.auth.models import PermissionsMixin
from django.core.files.storage import default_storage
from django.db import transaction
from django.db.models import Q, QuerySet

from search.bulk import bulk_cursor
from search.files import storage
from search.holding import hold
from search.models import Dataset, Image

if TYPE_CHECKING:
    from django.contrib.auth.models import AbstractBaseUser, AnonymousUser


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
    return dataset.owner_id == user.pk or (
        isinstance(user, PermissionsMixin) and user.has_perm("search.delete_dataset")
    )


def label(image_ids: Sequence[int], text: str, user: AbstractBaseUser | AnonymousUser) -> dict[int, str]:
    """Give images a label, or take it with an empty text; return what they had before, by id. Raises NotAllowed."""
    with transaction.atomic():
        chosen = Image.objects.filter(pk__in=image_ids).order_by("pk").select_for_update(of=("self",))
        before = {image.pk: image.label for image in chosen}
        _check(before, user)
        Image.objects.filter(pk__in=before).update(label=text)
    return before


def relabel(labels: dict[int, str], user: AbstractBaseUser | AnonymousUser) -> int:
    """Give each image back the label that it had; return how many there still are. Raises NotAllowed."""
    with transaction.atomic():
        chosen = list(Image.objects.filter(pk__in=labels).order_by("pk").select_for_update(of=("self",)))
        _check([image.pk for image in chosen], user)
        for image in chosen:
            image.label = labels[image.pk]
        Image.objects.bulk_update(chosen, ["label"], batch_size=500)
    return len(chosen)


def add(image_ids: Sequence[int], into: Dataset, user: AbstractBaseUser | AnonymousUser) -> tuple[int, int, int]:
    """Put copies of images that the user sees into a dataset.

    Returns how many are new there, how many were there, and how many have lost a file and stay where they are. Vectors,
    labels and tags come along; copies belong to no split. An image that is referenced in place is so there too. Raises
    NotAllowed, DatasetGone.
    """
    if not datasets_of(user).filter(pk=into.pk).exists():
        raise NotAllowed
    visible = Q(dataset__in=Dataset.objects.visible_to(user))
    chosen = list(Image.objects.filter(visible, pk__in=image_ids, status=Image.Status.READY).order_by("pk"))
    n_added = n_lost = 0
    for image in chosen:
        with transaction.atomic():
            if not hold(into.pk):
                raise DatasetGone
            try:
                n_added += _copy(image, into)
            except FileNotFoundError:
                n_lost += 1
    return n_added, len(chosen) - n_added - n_lost, n_lost


def _check(image_ids: Sequence[int] | dict[int, str], user: AbstractBaseUser | AnonymousUser) -> None:
    own = datasets_of(user)
    if Image.objects.filter(pk__in=list(image_ids)).exclude(dataset__in=own).exists():
        raise NotAllowed


def _copy(image: Image, into: Dataset) -> bool:
    """Copy one image with its files and vectors; return whether it was not there yet."""
    if Image.objects.filter(dataset=into, sha256=image.sha256).exists():
        return False
    # The small file first: where one of them is lost, the other is copied for nothing.
    thumbnail = _copy_file(image.thumbnail.name, into)
    file = _copy_file(image.file.name, into)
    with bulk_cursor() as cursor:
        cursor.execute(
            """
            WITH new AS (
                INSERT INTO search_image (dataset_id, sha256, source, file, in_place_path, thumbnail, format, width,
                                          height, n_bytes, label, tags, split, phash, status, error_code, error_detail,
                                          n_attempts, created_at)
                SELECT %(into)s, sha256, source, %(file)s, in_place_path, %(thumbnail)s, format, width, height, n_bytes,
                       label, tags, 'none', phash, status, '', '', 0, now()
                FROM search_image WHERE id = %(image)s
                ON CONFLICT (dataset_id, sha256) DO NOTHING RETURNING id
            ), vectors AS (
                INSERT INTO search_embedding (image_id, encoder_id, dataset_id, vector)
                SELECT new.id, old.encoder_id, %(into)s, old.vector
                FROM search_embedding old CROSS JOIN new WHERE old.image_id = %(image)s
            )
            SELECT count(*) FROM new
            """,
            {"into": into.pk, "image": image.pk, "file": file, "thumbnail": thumbnail},
        )
        (n,) = cursor.fetchone() or (0,)
    return bool(n)


def _copy_file(name: str | None, into: Dataset) -> str:
    """Copy a file to where that of the other dataset is kept; return its name there."""
    if not name:
        return ""
    with default_storage.open(name) as file:
        return storage.keep(storage.name_in(into.pk, name), file.read())
