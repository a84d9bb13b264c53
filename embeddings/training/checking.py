"""How good a network is: on validation pictures after each epoch, on test pictures at the end, and what it draws."""

from __future__ import annotations

from pathlib import Path

import keras
import numpy as np
from numpy.typing import NDArray

from embeddings import images, metrics
from embeddings.training import feeding, sheets
from embeddings.training.config import DRAWINGS_NAME, TrainingConfig
from embeddings.training.pictures import Pictures
from embeddings.training.recipes import Recipe

MOST_CHECKED = 2000
N_DRAWN = 8
_BATCH_SIZE = 64


class Checker:
    """Checks what a training has made of its network so far."""

    def __init__(self, recipe: Recipe, config: TrainingConfig, valid: Pictures) -> None:
        self._recipe, self._config, self._valid = recipe, config, valid
        self._names_classes = config.loss == "cross-entropy"
        self._draws = config.loss == "reconstruction"
        self._both = keras.Model(recipe.encoder.input, [recipe.encoder.output, recipe.trainee.output])

    def check(self) -> dict[str, float]:
        """Return the validation, on up to 2,000 pictures.

        That is "valid_map", the mAP among them, where any two have one label; of a classifier "valid_accuracy" too, the
        share that it names rightly; of an autoencoder "valid_loss" in their place.
        """
        n = min(len(self._valid), MOST_CHECKED)
        chosen = np.sort(np.random.default_rng(self._config.seed).permutation(len(self._valid))[:n])
        if self._draws:
            parts = np.array_split(chosen, max(1, n // _BATCH_SIZE))
            loss = self._recipe.trainee.evaluate(feeding.Batches(self._valid, parts, draws=True), verbose=0)
            return {"valid_loss": float(loss)}
        labels = self._valid.labels[chosen]
        vectors, said = self._outputs(self._valid.pixels[chosen])
        lengths = np.linalg.norm(vectors, axis=1)
        if not (np.isfinite(lengths) & (lengths > 0)).all():
            return {"valid_map": float("nan")}
        found = metrics.mean_average_precision(metrics.relevance_among(vectors, labels))
        checked = {} if np.isnan(found) else {"valid_map": found}
        return checked | {"valid_accuracy": float(np.mean(_named(said) == labels))} if self._names_classes else checked

    def test(self, pictures: Pictures) -> dict[str, float]:
        """Return of a classifier "test_accuracy", the share of the pictures that it names rightly, and "n_tested"."""
        if not self._names_classes:
            return {}
        n_right = 0
        # Not all at once: the backend would copy them into memory.
        for start in range(0, len(pictures), MOST_CHECKED):
            some = slice(start, start + MOST_CHECKED)
            n_right += int((_named(self._outputs(pictures.pixels[some])[1]) == pictures.labels[some]).sum())
        return {"test_accuracy": n_right / len(pictures), "n_tested": len(pictures)}

    def write_drawings(self, folder: Path) -> None:
        """Write what an autoencoder draws of eight validation pictures, below them, into the folder of the run."""
        if not self._draws:
            return
        # From first to last, because pictures of a label often stand together.
        shown = self._valid.pixels[np.linspace(0, len(self._valid) - 1, min(N_DRAWN, len(self._valid)), dtype=int)]
        drawn = np.asarray(self._recipe.trainee.predict_on_batch(shown), np.float32)
        draft = folder / f"draft-{DRAWINGS_NAME}"
        draft.write_bytes(images.png_of(sheets.tiled(np.stack([shown, np.rint(drawn * 255).astype(np.uint8)]))))
        draft.replace(folder / DRAWINGS_NAME)

    def _outputs(self, pixels: NDArray[np.uint8]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Return the vectors, and what the loss compares, from one pass."""
        vectors, said = self._both.predict(pixels, batch_size=_BATCH_SIZE, verbose=0)
        return vectors, said


def _named(said: NDArray[np.float32]) -> NDArray[np.int64]:
    """Return the class of each picture; said: (n, n_classes), or (n, 1) with the probability of the second of two."""
    return (said[:, 0] > 0.5).astype(np.int64) if said.shape[1] == 1 else said.argmax(axis=1)
