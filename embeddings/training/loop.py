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

from embeddings.training import feeding, recipes
from embeddings.training.checking import Checker
from embeddings.training.config import TrainingConfig
from embeddings.training.pictures import Pictures

Report = Callable[[dict[str, Any]], None]
STATE_NAME = "state.json"
BEST_NAME = "best.weights.h5"
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
        self.config, self.folder, self.train = config, folder, train
        self._report, self._is_stopped = report, is_stopped
        self.state = State.read(folder)
        keras.utils.set_random_seed(config.seed)
        self.recipe = recipes.build(config, len(train.classes))
        self._is_frozen: bool | None = None
        self.checker = Checker(self.recipe, config, valid)

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
        checked = self.checker.check() if np.isfinite(loss) else {"loss": loss}
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
            self.checker.write_drawings(self.folder)
        self.recipe.trainee.save_weights(self._checkpoint(state.n_epochs))
        state.write(self.folder)
        self._checkpoint(state.n_epochs - 1).unlink(missing_ok=True)


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
