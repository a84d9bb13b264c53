"""Linear heads from labels and feedback together: the labels decide, and marks change what labels leave open."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from embeddings import feedback_heads, heads, metrics
from embeddings.evaluation import bootstrap
from embeddings.evaluation.bootstrap import Difference
from embeddings.feedback_heads import HeldOut
from embeddings.heads import Choice, Discriminant, Labels, LinearHead, Said
from embeddings.judged_pairs import Judged, Pairs, pairs

Vectors = NDArray[np.float32]
# As how many labelled images a pair may count. Ordered from the weakest: of equally good ones the first is taken.
WEIGHTS = (0.25, 1.0, 4.0)


@dataclass(frozen=True, kw_only=True)
class LabelledChoice:
    """How labels and feedback were weighed. labels: what labels alone came to; weight: 0 where marks cost precision.

    map_after: with feedback, on the same validation vectors; difference: of average precision, with feedback less
    without. held_out: of searches, beside the head from labels alone.
    """

    labels: Choice
    weight: float
    n_alike: int
    n_unlike: int
    map_after: float
    difference: Difference
    held_out: HeldOut


def said(vectors: Vectors, alike: Pairs, unlike: Pairs, weight: float) -> Said:
    """Return pairs of places among vectors, float32 (n, n_in), as `heads.Discriminant` takes them."""
    exact = vectors.astype(np.float64)
    return Said(
        alike=feedback_heads.differences(exact, alike),
        unlike=feedback_heads.differences(exact, unlike),
        weight=weight,
    )


def choose(vectors: Vectors, labels: Labels, is_valid: NDArray[np.bool_], searches: Sequence[Judged]) -> LabelledChoice:
    """Choose how much marks count beside labels: as much as orders held-out searches best without losing precision.

    A weight is lost where the mean average precision on the validation vectors is lower than with labels alone by more
    than chance: where the paired 95 % interval over queries lies below 0. vectors: float32 (n, n_in) of unit length;
    labels: (n,); is_valid: bool (n,), those that are only asked with. searches: judged by places among all vectors.
    Raises CannotFit.
    """
    learnt, valid = vectors[~is_valid], vectors[is_valid]
    choice = heads.fit_discriminant(learnt, labels[~is_valid], valid, labels[is_valid])

    def fitted(alike: Pairs, unlike: Pairs, weight: float) -> LinearHead:
        given = said(vectors, alike, unlike, weight)
        return Discriminant(learnt, labels[~is_valid], given).head(choice.shrinkage)

    def precisions(head: LinearHead) -> NDArray[np.float64]:
        asked, ranked = (heads.some(*one, most) for one, most in _sides(vectors, labels, is_valid))
        relevant = metrics.relevance(head.apply(asked[0]), asked[1], head.apply(ranked[0]), ranked[1])
        return metrics.average_precision(relevant)

    alike, unlike = pairs(searches)
    plain = precisions(choice.head)
    found = {weight: precisions(fitted(alike, unlike, weight)) for weight in WEIGHTS}
    known = ~np.isnan(plain)
    differences = {weight: bootstrap.paired(one[known], plain[known]) for weight, one in found.items()}
    kept = [weight for weight in WEIGHTS if not (differences[weight].is_real and differences[weight].mean < 0)]
    held_out = feedback_heads.check(vectors, searches, _candidates(fitted, choice.head, kept), before=choice.head)
    weight = (0.0, *kept)[held_out.best]
    return LabelledChoice(
        labels=choice,
        weight=weight,
        n_alike=len(alike),
        n_unlike=len(unlike),
        map_after=metrics.mean(found.get(weight, plain)),
        difference=differences.get(weight, bootstrap.paired(plain[known], plain[known])),
        held_out=held_out,
    )


def _candidates(
    fitted: Callable[[Pairs, Pairs, float], LinearHead], plain: LinearHead, weights: Sequence[float]
) -> feedback_heads.Fit:
    def candidates(alike: Pairs, unlike: Pairs) -> Iterable[LinearHead]:
        yield plain
        for weight in weights:
            yield fitted(alike, unlike, weight)

    return candidates


def _sides(vectors: Vectors, labels: Labels, is_valid: NDArray[np.bool_]) -> list[tuple[tuple[Vectors, Labels], int]]:
    asked, ranked = (vectors[is_valid], labels[is_valid]), (vectors[~is_valid], labels[~is_valid])
    return [(asked, heads.MOST_CHECKED), (ranked, heads.MOST_RANKED)]
