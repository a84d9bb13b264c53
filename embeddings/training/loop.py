"""The loop over epochs: train, check, keep what is needed to go on after a kill, stop when it no longer gets better."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from embeddings import images, metrics
from embeddings.training import feeding, recipes, sheets
from embeddings.training.config import TrainingConfig
from embeddings.training.pictures import Pictures

Report = Callable[[dict[str, Any]], None]
STATE_NAME = "state.json"
BEST_NAME = "best.weights.h5"
SHOWN_NAME = "reconstructions.png"
MOST_CHECKED = 2000
N_SHOWN = 8
_CHECK_BATCH = 64
_SECONDS_BETWEEN_REPORTS = 1.0


class Diverged(ValueError):
    """The loss is no number any more; the message says what to change."""


class Stopped(Exception):
    """The run was asked to stop; it can go on from the end of its last whole epoch."""


@dataclass
class State:
    """How far a run is. best: the best validation so far, larger is better; n_worse: epochs since."""

    n_epochs: int = 0
    best: float = -np.inf
    best_epoch: int = 0
    n_worse: int = 0
    history: list[dict[str, float]] = field(default_factory=list)

    def write(self, folder: Path) -> None:
        """Replace the state in the folder in one step."""
        draft = folder / f"{STATE_NAME}.draft"
        draft.write_text(json.dumps(asdict(self), indent=1))
        draft.replace(folder / STATE_NAME)

    @classmethod
    def read(cls, folder: Path) -> State:
        """Return the state in the folder, or that of a run that has not begun."""
        path = folder / STATE_NAME
        return cls(**json.loads(path.read_text())) if path.exists() else cls()


class Run:
    """A training in a folder of its own, from its first epoch or from where an earlier start of it was killed."""

    def __init__(
        self,
        config: TrainingConfig,
        folder: Path,
        train: Pictures,
        valid: Pictures,
        *,
        report: Report,
        is_stopped: Callable[[], bool],
    ) -> None:
        self.config, self.folder, self.train, self.valid = config, folder, train, valid
        self._report, self._is_stopped = report, is_stopped
        self.state = State.read(folder)
        keras.utils.set_random_seed(config.seed)
        self.recipe = recipes.build(config, len(train.classes))
        self._is_frozen: bool | None = None
        self._both: keras.Model | None = None

    def run(self) -> keras.Model:
        """Train to the end; return the encoder with the weights of its best epoch. Raises Stopped, Diverged."""
        self._resume()
        while self.state.n_epochs < self.config.epochs and not self._is_exhausted():
            self._epoch(self.state.n_epochs)
        self.recipe.trainee.load_weights(self.folder / BEST_NAME)
        return self.recipe.encoder

    def _is_exhausted(self) -> bool:
        return bool(self.config.patience) and self.state.n_worse >= self.config.patience

    def _resume(self) -> None:
        if self.state.n_epochs:
            self._enter(self.state.n_epochs - 1)
            # Its variables have to be there to be given their values.
            self.recipe.trainee.optimizer.build(self.recipe.trainee.trainable_variables)
            self.recipe.trainee.load_weights(self._checkpoint(self.state.n_epochs))

    def _enter(self, epoch: int) -> None:
        is_frozen = epoch < self.config.frozen_epochs
        if is_frozen != self._is_frozen:
            recipes.set_stage(self.recipe, self.config, is_frozen=is_frozen)
            self._is_frozen = is_frozen

    def _checkpoint(self, n_epochs: int) -> Path:
        return self.folder / f"checkpoint-{n_epochs}.weights.h5"

    def _epoch(self, epoch: int) -> None:
        started = time.monotonic()
        self._enter(epoch)
        self.recipe.trainee.optimizer.learning_rate = recipes.learning_rate(self.recipe, self.config, epoch)
        # Of what is drawn by chance inside the network, each epoch draws its own, whether it was resumed or not.
        keras.utils.set_random_seed(self.config.seed + 7919 * (epoch + 1))
        batches = self.batches(epoch)
        watch = _Watch(epoch, self.config.epochs, batches.num_batches, self._report, self._is_stopped)
        fitted = self.recipe.trainee.fit(batches, epochs=1, verbose=0, shuffle=False, callbacks=[watch])
        loss = float(fitted.history["loss"][-1])
        checked = self._check() if np.isfinite(loss) else {"loss": loss}
        if not all(np.isfinite(value) for value in checked.values()):
            raise Diverged(f"epoch {epoch + 1} gives no numbers any more: train again with a smaller learning rate")
        entry = {"epoch": epoch + 1, "loss": loss, **checked}
        entry["seconds"] = round(time.monotonic() - started, 2)
        self._keep(entry)
        self._report({"event": "epoch", "of": self.config.epochs, "best_epoch": self.state.best_epoch, **entry})

    def batches(self, epoch: int) -> feeding.Batches:
        """Return the batches of an epoch, counted from 0, with its augmentation."""
        config = self.config
        change = feeding.Change(augmentation=config.augmentation, jitter=config.jitter, seed=config.seed, epoch=epoch)
        indices = feeding.epoch_indices(config, self.train.labels, epoch)
        return feeding.Batches(self.train, indices, draws=config.loss == "reconstruction", change=change)

    def _check(self) -> dict[str, float]:
        """Return the validation: the mAP among the validation pictures and, of a classifier, how many it names rightly;
        or how well they are drawn again.

        No mAP where no two of the validation pictures have one label.
        """
        n = min(len(self.valid), MOST_CHECKED)
        chosen = np.sort(np.random.default_rng(self.config.seed).permutation(len(self.valid))[:n])
        if self.config.loss == "reconstruction":
            parts = np.array_split(chosen, max(1, n // _CHECK_BATCH))
            loss = self.recipe.trainee.evaluate(feeding.Batches(self.valid, parts, draws=True), verbose=0)
            return {"valid_loss": float(loss)}
        labels = self.valid.labels[chosen]
        vectors, said = self._outputs(self.valid.pixels[chosen])
        lengths = np.linalg.norm(vectors, axis=1)
        if not (np.isfinite(lengths) & (lengths > 0)).all():
            return {"valid_map": float("nan")}
        found = metrics.mean_average_precision(metrics.relevance_among(vectors, labels))
        checked = {} if np.isnan(found) else {"valid_map": found}
        return checked if said is None else {**checked, "valid_accuracy": _accuracy(said, labels)}

    def _show(self) -> None:
        """Write what an autoencoder draws of some validation pictures, below them."""
        if self.config.loss != "reconstruction":
            return
        # From first to last, because pictures of a label often stand together.
        shown = self.valid.pixels[np.linspace(0, len(self.valid) - 1, min(N_SHOWN, len(self.valid)), dtype=int)]
        drawn = self.recipe.trainee.predict_on_batch(shown)
        again = np.rint(np.asarray(drawn, np.float32) * 255).astype(np.uint8)
        draft = self.folder / f"draft-{SHOWN_NAME}"
        draft.write_bytes(images.png_of(sheets.tiled(np.stack([shown, again]))))
        draft.replace(self.folder / SHOWN_NAME)

    def accuracy(self, pictures: Pictures) -> float:
        """Return the share of the pictures that a classifier, with its best weights after `run`, names rightly."""
        _, said = self._outputs(pictures.pixels)
        if said is None:
            raise ValueError(f"{self.config.loss} names no classes")
        return _accuracy(said, pictures.labels)

    def _outputs(self, pixels: NDArray[np.uint8]) -> tuple[NDArray[np.float32], NDArray[np.float32] | None]:
        """Return the vectors and, of a classifier, what it says of the classes, from one pass."""
        if self.config.loss != "cross-entropy":
            return self.recipe.encoder.predict(pixels, batch_size=_CHECK_BATCH, verbose=0), None
        if self._both is None:
            self._both = keras.Model(
                self.recipe.encoder.input, [self.recipe.encoder.output, self.recipe.trainee.output]
            )
        vectors, said = self._both.predict(pixels, batch_size=_CHECK_BATCH, verbose=0)
        return vectors, said

    def _keep(self, entry: dict[str, float]) -> None:
        """Write what is needed to go on; the state comes last, so that it never names a file that is not whole."""
        state = self.state
        measure = entry["valid_map"] if "valid_map" in entry else -entry.get("valid_loss", entry["loss"])
        is_best = not state.history or measure > state.best
        state.n_epochs += 1
        state.history.append(entry)
        state.n_worse = 0 if is_best else state.n_worse + 1
        if is_best:
            state.best, state.best_epoch = measure, state.n_epochs
            self.recipe.trainee.save_weights(self.folder / f"draft-{BEST_NAME}")
            (self.folder / f"draft-{BEST_NAME}").replace(self.folder / BEST_NAME)
            self._show()
        self.recipe.trainee.save_weights(self._checkpoint(state.n_epochs))
        state.write(self.folder)
        self._checkpoint(state.n_epochs - 1).unlink(missing_ok=True)


def _accuracy(said: NDArray[np.float32], labels: NDArray[np.int64]) -> float:
    """said: float32 (n, n_classes), or (n, 1) with the probability of the second of two classes."""
    named = said[:, 0] > 0.5 if said.shape[1] == 1 else said.argmax(axis=1)
    return float(np.mean(named == labels))


class _Watch(keras.callbacks.Callback):
    """Reports the batches of an epoch, and ends it when the run is asked to stop."""

    def __init__(
        self, epoch: int, n_epochs: int, n_batches: int, report: Report, is_stopped: Callable[[], bool]
    ) -> None:
        super().__init__()
        self._where = {"event": "batch", "epoch": epoch + 1, "epochs": n_epochs, "of": n_batches}
        self._n_batches = n_batches
        self._report, self._is_stopped = report, is_stopped
        self._last = time.monotonic()

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        if self._is_stopped():
            raise Stopped  # `fit` looks at its own flag between epochs only
        if time.monotonic() - self._last > _SECONDS_BETWEEN_REPORTS:
            self._last = time.monotonic()
            self._report(
                {
                    **self._where,
                    "batch": min(batch + 1, self._n_batches),
                    "loss": float((logs or {}).get("loss", np.nan)),
                }
            )
