"""Files go with their rows: when an image is deleted, by whatever way, its original's copy and its thumbnail follow."""

from __future__ import annotations

from functools import partial
from typing import Any

from django.core.files.storage import default_storage
from django.db import transaction
from django.db.models.signals import post_delete
from django.dispatch import receiver

from search.models import Image


@receiver(post_delete, sender=Image)
def remove_files(instance: Image, **_: Any) -> None:
    """Remove an image's files once its deletion is certain. Originals in place are not ours and stay."""
    transaction.on_commit(partial(_remove, instance))


def _remove(image: Image) -> None:
    # The same content may have been imported anew into the same dataset meanwhile: then the files are that image's.
    if Image.objects.filter(dataset_id=image.dataset_id, sha256=image.sha256).exists():
        return
    for name in (image.file.name, image.thumbnail.name):
        if name:
            default_storage.delete(name)
