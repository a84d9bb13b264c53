"""The trash: what was deleted within the last day, out of everybody's sight, and the way back.

A deleted dataset is marked. Deleted images move, vectors and all, to a dataset beside their own, which is marked from
the beginning: whatever looks for images looks for them in datasets, and finds no such one.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import timedelta
from typing import TYPE_CHECKING

from django.contrib.auth.models import PermissionsMixin
from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from search.curating.holding import deleting
from search.curating.moving import move
from search.models import Dataset, Image

if TYPE_CHECKING:
    from django.contrib.auth.models import AbstractBaseUser, AnonymousUser

KEPT_FOR = timedelta(days=1)
_N_AT_ONCE = 500


def discard(image_ids: Sequence[int]) -> int:
    """Put images into the trash; return how many. What is there of the same content and dataset makes room for them."""
    n = 0
    for dataset_id, ids in _by_dataset(image_ids).items():
        with transaction.atomic():
            beside = _beside(dataset_id)
            if beside is None:
                continue
            contents = Image.objects.filter(pk__in=ids).values("sha256")
            Image.objects.filter(dataset=beside, sha256__in=contents).delete()
            n += len(move(ids, beside.pk, trashed_at=timezone.now()))
    return n


def restore(image_ids: Sequence[int]) -> int:
    """Put images from the trash back where they were; return how many.

    What was imported anew meanwhile is there, and stays as it is.
    """
    # Not into a dataset that is in the trash itself.
    origins = Dataset.objects.filter(trash__images__in=image_ids).distinct()
    return sum(
        len(move(list(origin.trash.images.filter(pk__in=image_ids).values_list("pk", flat=True)), origin.pk))
        for origin in origins
    )


def discard_dataset(dataset: Dataset) -> None:
    """Put a dataset with all its images into the trash."""
    with deleting([dataset.pk]):
        Dataset.objects.filter(pk=dataset.pk).update(trashed_at=timezone.now())


def datasets_of(user: AbstractBaseUser | AnonymousUser) -> QuerySet[Dataset]:
    """Return the datasets in the trash that a user may take back: whose owner they are, for some all; latest first."""
    deleted = Dataset.everything.filter(trashed_at__isnull=False, trash_of=None).order_by("-trashed_at")
    if not user.is_authenticated:
        return deleted.none()
    return deleted if may_delete_all(user) else deleted.filter(owner_id=user.pk)


def may_delete_all(user: AbstractBaseUser | AnonymousUser) -> bool:
    """Return whether a user may delete, and take back, whatever dataset: staff alone, as in the admin."""
    return (
        isinstance(user, PermissionsMixin)
        and getattr(user, "is_staff", False)
        and user.has_perm("search.delete_dataset")
    )


def restore_dataset(dataset: Dataset) -> Dataset:
    """Take a dataset out of the trash; where its name was given away meanwhile, under another one."""
    with deleting([dataset.pk]):
        kept = Dataset.everything.get(pk=dataset.pk)
        if kept.trashed_at is None or kept.trash_of_id is not None:
            return kept
        kept.trashed_at = None
        taken = set(Dataset.objects.filter(name__startswith=kept.name[:90]).values_list("name", flat=True))
        names = [kept.name, *(f"{kept.name[:90]} ({n})" for n in range(2, len(taken) + 3))]
        kept.name = next(name for name in names if name not in taken)
        if Dataset.objects.filter(slug=kept.slug).exists():
            kept.slug = ""  # saving finds a free one
        kept.save()
    return kept


def purge() -> int:
    """Delete for good what has been in the trash for a day; return how many images went."""
    before = timezone.now() - KEPT_FOR
    n = 0
    while ids := list(Image.objects.filter(trashed_at__lt=before).values_list("pk", flat=True)[:_N_AT_ONCE]):
        n += Image.objects.filter(pk__in=ids, trashed_at__lt=before).delete()[1].get("search.Image", 0)
    expired = Dataset.everything.filter(trashed_at__lt=before, trash_of=None)
    for dataset_id in expired.values_list("pk", flat=True):
        with deleting([dataset_id]):
            dataset = expired.filter(pk=dataset_id).first()
            if dataset is not None:  # nobody took it back while another one went
                n += dataset.delete()[1].get("search.Image", 0)
    return n


def _by_dataset(image_ids: Sequence[int]) -> dict[int, list[int]]:
    found: dict[int, list[int]] = defaultdict(list)
    rows = Image.objects.filter(pk__in=image_ids).order_by("dataset", "pk").values_list("dataset", "pk")
    for dataset_id, pk in rows:
        found[dataset_id].append(pk)
    return found


def _beside(dataset_id: int) -> Dataset | None:
    """Return the dataset that holds what is deleted from a dataset; None where that is none, or in the trash itself."""
    origin = Dataset.objects.filter(pk=dataset_id).first()
    if origin is None:
        return None
    facts = {"name": origin.name, "slug": origin.slug, "is_public": False, "trashed_at": timezone.now()}
    return Dataset.everything.get_or_create(trash_of=origin, defaults=facts)[0]
