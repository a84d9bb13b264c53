"""Files go with their rows: when an image is deleted, by whatever way, its original's copy and its thumbnail follow."""

from __future__ import annotations

from typing import Any

from django.core.files.storage import default_storage
from django.db import transaction
from django.db.models.signals import post_delete
from django.dispatch import receiver

from search.curating.holding import deleting
from search.files import storage
from search.models import Image


@receiver(post_delete, sender=Image)
def remove_files(instance: Image, **_: Any) -> None:
    """Remove an image's files once its deletion is certain. Originals in place are not ours and stay."""
    for field in ("file", "thumbnail"):
        if name := getattr(instance, field).name:
            _remove_when_certain(field, name, instance.sha256)


def _remove_when_certain(field: str, name: str, sha256: str) -> None:
    # Where a storage fails, other files go all the same, and whoever deleted them goes on.
    transaction.on_commit(lambda: remove_unused(field, name, sha256), robust=True)


def remove_unused(field: str, name: str, sha256: str) -> None:
    """Remove a file of a content, "file" or "thumbnail" by its field, unless some image has it."""
    # An import of the same content into the dataset that the file was made for may be giving it to a new row.
    with deleting([storage.dataset_of(name)]):
        if not Image.objects.filter(sha256=sha256, **{field: name}).exists():
            default_storage.delete(name)
