"""What somebody wants trained, held against the dataset before anything starts, and written down as a run."""

from __future__ import annotations

from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
from django.conf import settings

from embeddings import specs
from embeddings.training import pictures
from embeddings.training.config import TrainingConfig
from embeddings.training.pictures import Sample
from embeddings.training.presets import PRESETS, SHARES
from search import encoders
from search.files import originals
from search.models import Dataset, Image, Job
from search.training import linear_head
from search.training.dividing import CannotTrain, Divided, labelled, unlabelled
from search.work import jobs

MAX_NAMED = 10


LOSSES = ("cross-entropy", "pairs", "supervised-contrastive", "multi-similarity", "proxy-anchor")
SUMMARIES = {
    linear_head.PRESET: "a matrix on the vectors that are stored already, fitted in seconds; no picture is read",
    **{name: preset.summary for name, preset in PRESETS.items()},
}


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """What somebody wants trained. name: of the new encoder; backbone: of an installed one; both may be left empty.

    changes: fields of TrainingConfig, or of HeadRequest for a linear head, that take the place of the preset's; None
    leaves one to the preset.
    """

    preset: str
    dataset: Dataset
    name: str = ""
    backbone: str = ""
    changes: dict[str, Any] = field(default_factory=dict)
    owner: Any = None


def run_folder(job: Job) -> Path:
    """Return the folder of a training: its config, pictures, checkpoints, history and, in the end, the encoder."""
    return Path(settings.VAR) / "runs" / str(job.pk)


def augmentations(wanted: Wanted) -> tuple[str, ...]:
    """Return the names of the augmentations that a training would use."""
    preset = PRESETS.get(wanted.preset)
    given = wanted.changes.get("augmentation")
    return tuple(given if given is not None else preset.defaults.get("augmentation", ()) if preset else ())


def begin_network(request: Wanted) -> Job:
    """Check the request for a network, make its job and write its folder; nothing is trained yet.

    Raises CannotTrain, encoders.NoEncoder, and specs.UnknownEncoder for a network to train from scratch.
    """
    config = _config(request)
    data = _data(request, config)
    config = replace(config, data_sha256=data.digest)
    parameters: dict[str, Any] = {
        "preset": request.preset,
        **jobs.of_dataset(request.dataset),
        "name": request.name,
    }
    parameters |= {"backbone": config.backbone, "epochs": config.epochs, "dim": config.dim, "loss": config.loss}
    job = jobs.begin(
        Job.Kind.TRAIN,
        parameters
        | {
            "n_images": int((data.parts != "test").sum()),
            "n_classes": data.n_classes,
            "seed": config.seed,
            "data_sha256": data.digest,
        },
        request.owner,
    )
    folder = run_folder(job)
    folder.mkdir(parents=True)
    config.write(folder)
    pictures.write_samples(_samples(data), folder)
    return job


def _config(request: Wanted) -> TrainingConfig:
    preset = PRESETS[request.preset]
    known = {one.name for one in fields(TrainingConfig)}
    chosen = {name: value for name, value in request.changes.items() if value is not None and name in known}
    facts: dict[str, Any] = {**preset.defaults, **chosen}
    if preset.takes_backbone and chosen.get("from_scratch"):
        spec = specs.spec_for(request.backbone or preset.backbone or encoders.default().name)
        facts |= {"backbone": spec.name}
        facts.setdefault("input_size", spec.input_size)
    elif preset.takes_backbone:
        backbone = encoders.by_name(request.backbone or preset.backbone)
        if backbone.spec.get("backbone"):
            raise CannotTrain(f"{backbone.name} is a linear head, which has no network of its own to train.")
        if not (backbone.folder / f"{backbone.name}.keras").is_file():
            raise CannotTrain(f"The network of {backbone.name} is not on this machine. Install it again.")
        facts |= {"backbone": backbone.name, "backbone_folder": str(backbone.folder)}
        facts |= {"backbone_sha256": backbone.weights_sha256}
        size = backbone.spec["input_size"]
        if facts.setdefault("input_size", size) != size:
            raise CannotTrain(f"{backbone.name} takes pictures of {size}; another --input-size takes --from-scratch.")
    config = TrainingConfig(preset=request.preset, name=request.name, **facts)
    _check_numbers(config)
    return config


def _check_numbers(config: TrainingConfig) -> None:
    limits = {"epochs": (1, 10_000), "dim": (1, 4000), "batch_size": (1, 4096), "input_size": (16, 1024)}
    limits |= {"n_trainable_layers": (0, 10_000), "frozen_epochs": (0, 10_000), "batches_per_epoch": (0, 1_000_000)}
    limits |= {"classes_per_batch": (2, 1000), "images_per_class": (2, 1000), "patience": (0, 10_000)}
    for name, (least, most) in limits.items():
        value = getattr(config, name)
        if not least <= value <= most:
            raise CannotTrain(f"--{name.replace('_', '-')} must be from {least} to {most:,}; got {value}.")
    for name in ("learning_rate", "fine_tuning_rate", "temperature"):
        if not 0 < getattr(config, name) < 100:
            raise CannotTrain(f"--{name.replace('_', '-')} must be above 0 and below 100; got {getattr(config, name)}.")
    if config.network == "conv-autoencoder" and config.input_size % 16:
        raise CannotTrain(f"--input-size must be a multiple of 16 for an autoencoder; got {config.input_size}.")
    if config.from_scratch and config.input_size % 32:
        raise CannotTrain(f"--input-size must be a multiple of 32 to train from scratch; got {config.input_size}.")


def _data(request: Wanted, config: TrainingConfig) -> Divided:
    preset = PRESETS[request.preset]
    if preset.needs_labels:
        shares = preset.shares if config.loss == "cross-entropy" else SHARES
        data = labelled(request.dataset, seed=config.seed, shares=shares)
        return _with_pairs(data) if config.loss == "pairs" else data
    data = unlabelled(request.dataset, seed=config.seed)
    if len(data.ids) < 2:
        raise CannotTrain(f"{request.dataset.name} has one image; there has to be one to learn from and one to check.")
    return data


def _with_pairs(data: Divided) -> Divided:
    """Refuse classes that have no second image to learn from: an anchor needs a positive."""
    labels, counts = np.unique(data.labels[data.parts == "train"], return_counts=True)
    lonely = ", ".join(labels[counts == 1][:MAX_NAMED])
    if lonely:
        raise CannotTrain(f"A pair needs two images of a label to learn from, and these have one: {lonely}.")
    return data


def _samples(data: Divided) -> list[Sample]:
    rows = Image.objects.filter(pk__in=data.ids).values_list("pk", "file", "in_place_path")
    paths = {pk: str(originals.local_path(file, in_place_path)) for pk, file, in_place_path in rows}
    return [
        Sample(path=paths[pk], label=str(label), part=str(part))  # type: ignore[arg-type]  # one of the three
        for pk, label, part in zip(data.ids, data.labels, data.parts, strict=True)
        if pk in paths
    ]
