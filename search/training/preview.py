"""A sheet of augmented pictures, to see what a training would see."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from embeddings import images
from search.models import Dataset, Image
from search.training.dividing import CannotTrain

N_PICTURES = 6
N_EACH = 6
SIZE = 160
# On a page seven columns of this are as wide as it.
SIZE_ON_PAGE = 112


def write_preview(dataset: Dataset, augmentations: Sequence[str], seed: int, path: Path) -> None:
    """Write a PNG with some pictures of a dataset, each with changed copies of it beside it. Raises CannotTrain."""
    try:
        path.write_bytes(images.png_of(sheet(dataset, augmentations, seed)))
    except OSError as error:
        raise CannotTrain(f"{path} cannot be written: {error.strerror}.") from error


def sheet(dataset: Dataset, augmentations: Sequence[str], seed: int, size: int = SIZE) -> NDArray[np.uint8]:
    """Return six pictures of a dataset, each beside six changed copies of it, as one uint8 RGB picture.

    The pictures are squashed to `size` by `size` pixels. Raises CannotTrain.
    """
    # Here: it brings OpenCV, which nothing else of a command or of the site needs.
    from embeddings.training import augmentation

    ready = Image.objects.filter(dataset=dataset, status=Image.Status.READY).order_by("sha256")[:N_PICTURES]
    if not ready:
        raise CannotTrain(f"{dataset.name} has no image that can be used.")
    try:
        inputs = [images.prepare(image.original, input_size=size, thumbnail=False).input for image in ready]
        return augmentation.sheet(np.stack(inputs), augmentations, seed, N_EACH)
    except images.RefusedImage as error:
        raise CannotTrain(f"A picture of {dataset.name} cannot be read any more: {error.reason}") from error
    except ValueError as error:
        raise CannotTrain(f"{error}.") from error
