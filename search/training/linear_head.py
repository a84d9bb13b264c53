"""A linear head from the vectors that a dataset has already: fitted in seconds, searched with at once."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from django.conf import settings
from numpy.typing import NDArray

from embeddings import heads
from embeddings.specs import EncoderSpec
from search import encoders, vectors
from search.models import Dataset, Encoder, Job
from search.training import feedback
from search.training.dividing import CannotTrain, Divided, labelled, unlabelled
from search.work import jobs

Method = Literal["discriminant", "pca", "centring"]
FAMILY = "linear_head"
PRESET = "linear-head"


@dataclass(frozen=True, kw_only=True)
class HeadRequest:
    """What head is wanted.

    shrinkage: None lets the validation images choose; dim: None keeps all directions.
    feedback: learn from the marks of searches too, or from them alone where there are no labels.
    """

    dataset: Dataset
    backbone: Encoder
    name: str
    method: Method = "discriminant"
    shrinkage: float | None = None
    dim: int | None = None
    seed: int = 0
    feedback: bool = False


def as_parameters(request: HeadRequest) -> dict[str, Any]:
    """Return a request as the parameters of a job, for people and for whoever carries it out."""
    return {
        "preset": PRESET,
        **jobs.of_dataset(request.dataset),
        "backbone": request.backbone.name,
        "name": request.name,
        "method": request.method,
        "shrinkage": request.shrinkage,
        "dim": request.dim,
        "seed": request.seed,
        "feedback": request.feedback,
    }


def from_parameters(parameters: dict[str, Any]) -> HeadRequest:
    """Return the request of a job. Raises CannotTrain where its dataset is gone, encoders.NoEncoder."""
    dataset = jobs.dataset_in(parameters)
    if dataset is None:
        raise CannotTrain(f"The dataset {parameters['dataset']} is gone.")
    return HeadRequest(
        dataset=dataset,
        backbone=encoders.by_name(parameters["backbone"]),
        name=parameters["name"],
        method=parameters["method"],
        shrinkage=parameters["shrinkage"],
        dim=parameters["dim"],
        seed=parameters["seed"],
        feedback=parameters.get("feedback", False),
    )


@dataclass(frozen=True, kw_only=True)
class Fitted:
    """The row of the new encoder, and how it was fitted: figures for people and for the encoder's spec."""

    encoder: Encoder
    facts: dict[str, Any]


def fit(request: HeadRequest, job: Job) -> Fitted:
    """Fit a head on a backbone's stored vectors and make its row, which answers no search until it is chosen.

    Raises CannotTrain, encoders.NoEncoder.
    """
    _check_numbers(request)
    backbone = encoders.network(request.backbone)
    if request.backbone.spec.get("backbone"):
        raise CannotTrain(f"{request.backbone.name} is a linear head itself. Choose the encoder that it sits on.")
    data = _divided(request)
    try:
        head, facts = _fit(request, data, _stored(request, data))
    except heads.CannotFit as error:
        raise CannotTrain(f"Nothing can be fitted: {error}.") from error
    facts |= {**jobs.of_dataset(request.dataset), "n_images": len(data.ids)}
    facts |= {"n_classes": data.n_classes} if data.n_classes > 1 else {}
    facts |= {"method": request.method, "dim": head.dim, "seed": request.seed, "data_sha256": data.digest}
    spec = EncoderSpec(
        name=request.name,
        family=FAMILY,
        dim=head.dim,
        input_size=backbone.spec.input_size,
        description=_description(request, facts),
        licence=backbone.spec.licence,
        source=None,
        backbone=request.backbone.name,
    )
    files = heads.store(
        head, spec, settings.ENCODERS_ROOT / request.name, backbone_sha256=request.backbone.weights_sha256
    )
    try:
        row = Encoder.objects.create(
            name=spec.name,
            family=spec.family,
            dim=spec.dim,
            distance=spec.distance,
            spec={
                "input_size": spec.input_size,
                "n_classes": 0,
                "description": spec.description,
                "backbone": spec.backbone,
                "training": facts,
            },
            weights_sha256=files.weights_sha256,
            job=job,
        )
    except Exception:  # files without a row would keep the name from whoever tries again
        shutil.rmtree(settings.ENCODERS_ROOT / spec.name, ignore_errors=True)
        raise
    return Fitted(encoder=row, facts=facts)


def _check_numbers(request: HeadRequest) -> None:
    if request.dim is not None and not 1 <= request.dim <= 4000:
        raise CannotTrain(f"The numbers of a vector are from 1 to 4,000; got {request.dim}.")
    if request.shrinkage is not None and not 0 < request.shrinkage <= 1:
        raise CannotTrain(f"A shrinkage is above 0 and at most 1; got {request.shrinkage}.")
    if request.feedback and request.method != "discriminant":
        raise CannotTrain(f"Feedback goes with the method discriminant, not with {request.method}.")
    if request.feedback and (request.shrinkage is not None or request.dim is not None):
        raise CannotTrain("With feedback, shrinkage and numbers a vector are chosen by what held-out searches say.")


def _divided(request: HeadRequest) -> Divided:
    if request.feedback:
        return feedback.divided(request.dataset, seed=request.seed)
    return (
        labelled(request.dataset, seed=request.seed)
        if request.method == "discriminant"
        else unlabelled(request.dataset)
    )


def _stored(request: HeadRequest, data: Divided) -> NDArray[np.float32]:
    """Return the backbone's vectors of the images, float32 (n, dim)."""
    ids, stored = vectors.read(request.backbone, data.ids)
    if len(ids) < len(data.ids):
        raise CannotTrain(
            f"{request.backbone.name} has embedded {len(ids):,} of the {len(data.ids):,} images. "
            "First run: "
            f"manage.py embed_images --encoder {request.backbone.name} --dataset {request.dataset.slug} --wait"
        )
    return stored


def _fit(request: HeadRequest, data: Divided, stored: NDArray[np.float32]) -> tuple[heads.LinearHead, dict[str, Any]]:
    if request.feedback:
        return feedback.fit(request.dataset, data, stored)
    if request.method == "centring":
        return heads.fit_centring(stored), {}
    if request.method == "pca":
        return heads.fit_pca(stored, request.dim or min(256, len(stored) - 1, stored.shape[1])), {}
    learnt, checked = data.parts == "train", data.parts == "valid"
    choice = heads.fit_discriminant(
        stored[learnt],
        data.labels[learnt],
        stored[checked],
        data.labels[checked],
        shrinkages=heads.SHRINKAGES if request.shrinkage is None else (request.shrinkage,),
        dim=request.dim,
    )
    facts = {
        "shrinkage": choice.shrinkage,
        "validation": {
            "n": choice.n_checked,
            "map_before": round(choice.map_before, 4),
            "map_after": round(choice.map_by_shrinkage[choice.shrinkage], 4),
        },
    }
    # What was set aside only to choose the shrinkage is learnt from in the end; a val split of the dataset is not.
    if data.has_own_valid:
        return choice.head, facts
    return heads.Discriminant(stored, data.labels).head(choice.shrinkage, request.dim), facts


def _description(request: HeadRequest, facts: dict[str, Any]) -> str:
    learnt = f"{facts['n_images']:,} images"
    if "n_classes" in facts:
        learnt += f" of {facts['n_classes']:,} labels"
    if request.feedback:
        learnt += f" and {facts['feedback']['n_searches']:,} searches of feedback"
    return f"Linear head on {request.backbone.name} ({request.method}), fitted on {learnt} of {request.dataset.name}."
