"""From the pictures on disk to the batches of an epoch, changed anew each time and the same again for the same seed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from embeddings.cores import available_cores
from embeddings.training import augmentation, batches
from embeddings.training.config import TrainingConfig
from embeddings.training.pictures import Pictures

Indices = NDArray[np.int64]


def epoch_indices(config: TrainingConfig, labels: NDArray[np.int64], epoch: int) -> Sequence[Indices]:
    """Return which pictures stand in each batch of an epoch, as the loss wants them put together."""
    seeded = {"seed": config.seed, "epoch": epoch}
    if config.loss == "pairs":
        n_batches = config.batches_per_epoch or max(1, len(labels) // (2 * len(np.unique(labels))))
        return [pair.reshape(-1) for pair in batches.pairs(labels, n_batches=n_batches, **seeded)]
    if config.loss in ("supervised-contrastive", "multi-similarity"):
        n_classes = min(config.classes_per_batch, len(np.unique(labels)))
        n_batches = config.batches_per_epoch or max(1, len(labels) // (n_classes * config.images_per_class))
        chosen = batches.p_by_k(
            labels, n_classes=n_classes, n_each=config.images_per_class, n_batches=n_batches, **seeded
        )
        return list(chosen)
    return batches.shuffled(len(labels), batch_size=config.batch_size, **seeded)


@dataclass(frozen=True, kw_only=True)
class Change:
    """How the pictures of a batch are changed before the network sees them."""

    augmentation: tuple[str, ...] = ()
    jitter: bool = False
    seed: int = 0
    epoch: int = 0

    def of(self, images: NDArray[np.uint8], batch: int) -> NDArray[np.uint8]:
        """Return changed copies, uint8 (n, s, s, 3); the same for the same seed, epoch and batch."""
        # One number of the three, as both augmentations take one.
        seed = int(np.random.SeedSequence((self.seed, self.epoch, batch)).generate_state(1)[0])
        if self.jitter:
            images = augmentation.jittered(images, seed)
        return augmentation.augmented(images, self.augmentation, seed) if self.augmentation else images


class Batches(keras.utils.PyDataset):
    """The batches of one pass: pictures and labels, or pictures and themselves as 0..1 where they are to be drawn."""

    def __init__(
        self, pictures: Pictures, indices: Sequence[Indices], *, draws: bool = False, change: Change | None = None
    ) -> None:
        # Threads, because Pillow's and OpenCV's work leaves Python's lock alone; the device never waits for one batch.
        super().__init__(workers=available_cores(), use_multiprocessing=False, max_queue_size=16)
        self._pictures = pictures
        self._indices = indices
        self._draws = draws
        self._change = change or Change()

    @property
    def num_batches(self) -> int:
        """The number of batches in a pass; by Keras' name for it."""
        return len(self._indices)

    def __getitem__(self, batch: int) -> tuple[Any, Any]:
        chosen = self._indices[batch]
        images = self._change.of(self._pictures.pixels[chosen], batch)
        return images, images.astype(np.float32) / 255 if self._draws else self._pictures.labels[chosen]
