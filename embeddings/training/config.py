"""What a training is asked to do: one frozen set of facts, kept as JSON beside what comes of it."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

Network = Literal["backbone", "metric-convnet", "conv-autoencoder"]
Loss = Literal["cross-entropy", "pairs", "supervised-contrastive", "multi-similarity", "proxy-anchor", "reconstruction"]
Schedule = Literal["constant", "cosine"]
FILE_NAME = "config.json"
# In the folder of a run: pictures, and below them what an autoencoder draws of them.
DRAWINGS_NAME = "reconstructions.png"


@dataclass(frozen=True, kw_only=True)
class TrainingConfig:
    """One training.

    name: of the encoder that comes of it. network: what is trained; "backbone" is an installed encoder, whose folder
    is `backbone_folder`, cut behind its pooling, or with `from_scratch` a network like it with random weights.
    hidden: widths of the ReLU layers between features and vector. pooling: "average", or "flatten" for all places of
    the features side by side. loss: "cross-entropy" and "proxy-anchor" have a weight for each class, the others
    compare the pictures of a batch.
    epochs: of which the first `frozen_epochs` leave the backbone as it is; later ones train its last
    `n_trainable_layers` layers (0: all) with `fine_tuning_rate`. schedule: "cosine" lets either rate fall towards 0,
    epoch by epoch, along half a cosine. batches_per_epoch: 0 takes each picture once an epoch.
    patience: epochs without a better validation after which it ends; 0: never early.
    augmentation: names of `embeddings.training.augmentation`; jitter: shift and mirror, for small pictures.
    distance: "cosine" vectors have unit length, "l2" ones do not.
    data_sha256: of the pictures' contents, labels and division; for people, who want to know what was learnt from.
    """

    preset: str
    name: str
    network: Network
    loss: Loss
    input_size: int
    dim: int
    epochs: int
    learning_rate: float
    backbone: str = ""
    backbone_folder: str = ""
    backbone_sha256: str = ""
    from_scratch: bool = False
    hidden: tuple[int, ...] = ()
    pooling: Literal["average", "flatten"] = "average"
    depth: Literal["published", "residual"] = "published"
    frozen_epochs: int = 0
    n_trainable_layers: int = 0
    fine_tuning_rate: float = 1e-4
    schedule: Schedule = "constant"
    batch_size: int = 32
    classes_per_batch: int = 8
    images_per_class: int = 4
    batches_per_epoch: int = 0
    temperature: float = 0.2
    patience: int = 0
    augmentation: tuple[str, ...] = ()
    jitter: bool = False
    distance: Literal["cosine", "l2"] = "cosine"
    seed: int = 0
    data_sha256: str = ""

    def write(self, folder: Path) -> None:
        """Write the config into a run's folder."""
        (folder / FILE_NAME).write_text(json.dumps(asdict(self), indent=2) + "\n", encoding="utf-8")

    @classmethod
    def read(cls, folder: Path) -> TrainingConfig:
        """Return the config in a run's folder. Raises FileNotFoundError, and ValueError where it is none."""
        text = (folder / FILE_NAME).read_text(encoding="utf-8")
        try:
            fields: dict[str, Any] = json.loads(text)
            fields |= {name: tuple(value) for name, value in fields.items() if isinstance(value, list)}
            return cls(**fields)
        except (TypeError, AttributeError, ValueError) as error:
            raise ValueError(f"{folder / FILE_NAME} is no config of a training: {error}") from error
