"""Linear heads from the marks of searches: which images they speak of, what is fitted, and what is told of it."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from embeddings import feedback_heads, heads, labelled_feedback
from embeddings.feedback_heads import HeldOut
from embeddings.judged_pairs import Judged, pairs
from search.judging import marks
from search.models import Dataset, Image
from search.training.dividing import CannotTrain, Divided, labelled, unlabelled

Vectors = NDArray[np.float32]
# Labels of fewer images than this share would stand for all the others.
LEAST_LABELLED = 0.5


def divided(dataset: Dataset, *, seed: int) -> Divided:
    """Return what is learnt from beside marks: labelled images where most have a label, else all without labels.

    Raises CannotTrain.
    """
    ready = Image.objects.filter(dataset=dataset, status=Image.Status.READY).exclude(split=Image.Split.TEST)
    if ready.exclude(label="").count() < LEAST_LABELLED * ready.count():
        return unlabelled(dataset, seed=seed)
    try:
        return labelled(dataset, seed=seed)
    except CannotTrain:
        return unlabelled(dataset, seed=seed)


def fit(dataset: Dataset, data: Divided, stored: Vectors) -> tuple[heads.LinearHead, dict[str, Any]]:
    """Fit a head on the marks of a dataset, and on its labels where `data` has any, and tell how.

    stored: float32 (n, dim), of the images of `data`. Marks of other images, such as those of the test split, are not
    learnt from. Raises embeddings.heads.CannotFit.
    """
    searches = _by_place(marks.searches(dataset), data.ids)
    if data.n_classes > 1:
        return _beside_labels(data, stored, searches)
    choice = feedback_heads.fit(stored, searches)
    told = _told(searches, choice.held_out) | {"n_alike": choice.n_alike, "n_unlike": choice.n_unlike}
    return choice.head, {"shrinkage": choice.shrinkage, "feedback": told | {"stretch": choice.stretch}}


def _beside_labels(data: Divided, stored: Vectors, searches: list[Judged]) -> tuple[heads.LinearHead, dict[str, Any]]:
    choice = labelled_feedback.choose(stored, data.labels, data.parts == "valid", searches)
    labels = choice.labels
    validation = {
        "n": labels.n_checked,
        "map_before": round(labels.map_before, 4),
        "map_of_labels": round(labels.map_by_shrinkage[labels.shrinkage], 4),
        "map_after": round(choice.map_after, 4),
    }
    told = _told(searches, choice.held_out) | {"n_alike": choice.n_alike, "n_unlike": choice.n_unlike}
    facts = {"shrinkage": labels.shrinkage, "validation": validation, "feedback": told | {"weight": choice.weight}}
    # As without feedback: what was set aside only to choose is learnt from in the end, a val split is not.
    learnt = data.parts == "train" if data.has_own_valid else np.full(len(stored), True)
    said = labelled_feedback.said(stored, *pairs(searches), choice.weight)
    return heads.Discriminant(stored[learnt], data.labels[learnt], said).head(labels.shrinkage), facts


def _by_place(searches: list[Judged], ids: list[int]) -> list[Judged]:
    """Return the searches by places among ids, without images that are not among them, and without empty ones."""
    places = {image_id: place for place, image_id in enumerate(ids)}
    found = [
        Judged(
            **{
                side: tuple(places[image_id] for image_id in getattr(one, side) if image_id in places)
                for side in ("queries", "positives", "negatives")
            }
        )
        for one in searches
    ]
    return [one for one in found if len(one.wanted) + len(one.negatives) > 1 and one.wanted]


def _told(searches: list[Judged], held_out: HeldOut) -> dict[str, Any]:
    difference = held_out.difference
    return {
        "n_searches": len(searches),
        "n_held_out": difference.n_queries,
        "n_triplets": held_out.n_triplets,
        "before": round(held_out.before, 4),
        "after": round(held_out.after, 4),
        "difference": round(difference.mean, 4),
        "low": round(difference.low, 4),
        "high": round(difference.high, 4),
        "is_real": bool(difference.is_real and difference.mean > 0),
    }
