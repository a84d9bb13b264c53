"""A sheet of augmented pictures, to see what a training would see."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from embeddings import images
from search.models import Dataset, Image
from search.training.labelled import CannotTrain

N_PICTURES = 6
N_EACH = 6
SIZE = 160


def write_preview(dataset: Dataset, augmentations: Sequence[str], seed: int, path: Path) -> None:
    """Write a PNG with some pictures of a dataset, each with changed copies of it beside it. Raises CannotTrain."""
    # Here: it brings OpenCV, which nothing else of a command needs.
    from embeddings.training import augmentation

    ready = Image.objects.filter(dataset=dataset, status=Image.Status.READY).order_by("sha256")[:N_PICTURES]
    inputs = [images.prepare(image.original, input_size=SIZE, thumbnail=False).input for image in ready]
    if not inputs:
        raise CannotTrain(f"{dataset.name} has no image that can be used.")
    try:
        sheet = augmentation.sheet(np.stack(inputs), augmentations, seed, N_EACH)
        path.write_bytes(images.png_of(sheet))
    except ValueError as error:
        raise CannotTrain(f"{error}.") from error
    except OSError as error:
        raise CannotTrain(f"{path} cannot be written: {error.strerror}.") from error
