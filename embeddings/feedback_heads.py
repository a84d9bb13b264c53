"""Linear heads from feedback: images that people called alike or unlike, where labels need not be known.

What is learnt is checked on searches that it was not learnt from: whole ones, never single pairs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from embeddings.evaluation import bootstrap
from embeddings.evaluation.bootstrap import Difference
from embeddings.heads import CannotFit, LinearHead
from embeddings.judged_pairs import Judged, Pairs, pairs, triplets

Vectors = NDArray[np.float32]
Exact = NDArray[np.float64]
Turn = Callable[[Exact], Exact]
LEAST_SEARCHES = 10
N_FOLDS = 5
# Ordered from the weakest: of equally good ones the first is taken. A few pairs span a few of a thousand directions,
# each with a spread that is known from hardly more than itself: what is right for them lies close to 1.
SHRINKAGES = (1.0, 0.97, 0.9, 0.7, 0.4, 0.2)
STRETCHES = (0.0, 1.0, 3.0, 10.0)


class PairMetric:
    """Relevant component analysis of alike pairs, and a stretch along unlike ones, for any strength of both.

    Bar-Hillel, Hertz, Shental and Weinshall, Learning distance functions using equivalence relations (2003): directions
    in which alike images differ do not matter, and are divided by the root of that spread W, drawn towards a sphere as
    in `heads.Discriminant`: (1 - s) W + s trace(W) / n_in identity. Then the directions in which unlike images still
    differ, of spread B, at most b, are stretched by the root of 1 + stretch B / b: Fisher's idea, with a bound.
    Directions in which no pair differs keep their proportions, so that what nobody spoke of stays as it was.
    """

    def __init__(self, mean: Exact, alike: Exact, unlike: Exact) -> None:
        """mean: float64 (n_in,); alike, unlike: float64 (n_pairs, n_in), differences of the vectors of pairs."""
        self._mean = mean
        self._spread, self._axes = _principal(alike)
        self._unlike = unlike

    def heads(self, shrinkage: float, stretches: Sequence[float]) -> list[PairHead]:
        """Return a head for each stretch, 0 or more, at a shrinkage, 0 < s <= 1; vectors keep their width."""
        if not 0 < shrinkage <= 1 or min(stretches) < 0:
            raise ValueError(f"expected a shrinkage in 0..1 and no stretch below 0, received {shrinkage}, {stretches}")
        floor = shrinkage * self._spread.sum() / len(self._mean)
        whitened = _scaled(self._axes, np.sqrt(floor / ((1 - shrinkage) * self._spread + floor)))
        spread, axes = _principal(whitened(self._unlike))
        # A stretch by 1 where nothing is unlike: there is no largest spread to hold others against.
        shares = spread / spread.max(initial=1e-300)
        stretched = [_scaled(axes, np.sqrt(1 + stretch * shares)) for stretch in stretches]
        return [PairHead(mean=self._mean, turns=(whitened, one)) for one in stretched]


@dataclass(frozen=True, kw_only=True, eq=False)
class PairHead:
    """A head as the few directions that it changes: a hundred times quicker to try on a few vectors than its matrix."""

    mean: Exact
    turns: tuple[Turn, ...]

    def apply(self, vectors: Vectors) -> Exact:
        """Return float64 (n, n_in), of any length, for float32 (n, n_in)."""
        return self._turned(vectors - self.mean)

    def linear(self) -> LinearHead:
        """Return it as a matrix."""
        matrix = self._turned(np.eye(len(self.mean)))
        return LinearHead(mean=self.mean.astype(np.float32), matrix=matrix.astype(np.float32))

    def _turned(self, vectors: Exact) -> Exact:
        for turn in self.turns:
            vectors = turn(vectors)
        return vectors


def _scaled(axes: Exact, factors: Exact) -> Turn:
    """Return what multiplies vectors by a factor along each axis: (n, n_in) orthonormal, (n,)."""
    return lambda vectors: vectors + (vectors @ axes.T * (factors - 1)) @ axes


def _principal(differences: Exact) -> tuple[Exact, Exact]:
    """Return the spreads and directions of differences, (n,) and (n, n_in), without those that have none."""
    n, n_in = differences.shape
    products = differences @ differences.T if n < n_in else differences.T @ differences
    values, vectors = np.linalg.eigh(products)
    kept = values > 1e-9 * max(float(values.max(initial=0.0)), 1e-300)
    values, vectors = values[kept], vectors[:, kept]
    axes = (vectors / np.sqrt(values)).T @ differences if n < n_in else vectors.T
    return values / (2 * max(n, 1)), axes


class Head(Protocol):
    """Whatever turns float32 (n, n_in) into vectors to compare by cosine."""

    def apply(self, vectors: Vectors) -> Any: ...


# Gives candidates for pairs of places among the vectors, alike and unlike: a head for each of several strengths.
Fit = Callable[[Pairs, Pairs], Iterable[Head]]


@dataclass(frozen=True, kw_only=True)
class HeldOut:
    """What a kind of head made of searches that it was not fitted on.

    before, after: mean shares of their triplets (query, +, −) in which + is nearer than −, 0..1; difference: after less
    before, over searches. best: which of the candidates orders most of them rightly.
    """

    n_triplets: int
    before: float
    after: float
    difference: Difference
    best: int


@dataclass(frozen=True, kw_only=True)
class FeedbackChoice:
    """A head from feedback alone, and how it came about."""

    head: LinearHead
    shrinkage: float
    stretch: float
    n_alike: int
    n_unlike: int
    held_out: HeldOut


def fit(vectors: Vectors, searches: Sequence[Judged]) -> FeedbackChoice:
    """Return the head from feedback whose strength orders held-out searches best.

    vectors: float32 (n, n_in); searches: judged by places among them. Raises CannotFit for fewer than ten searches
    with both signs.
    """
    exact = vectors.astype(np.float64)
    mean = exact.mean(axis=0)
    strengths = [(shrinkage, stretch) for shrinkage in SHRINKAGES for stretch in STRETCHES]

    def metric(alike: Pairs, unlike: Pairs) -> PairMetric:
        return PairMetric(mean, differences(exact, alike), differences(exact, unlike))

    def candidates(alike: Pairs, unlike: Pairs) -> Iterable[Head]:
        fitted = metric(alike, unlike)
        for shrinkage in SHRINKAGES:
            yield from fitted.heads(shrinkage, STRETCHES)

    held_out = check(vectors, searches, candidates)
    shrinkage, stretch = strengths[held_out.best]
    alike, unlike = pairs(searches)
    (head,) = metric(alike, unlike).heads(shrinkage, [stretch])
    return FeedbackChoice(
        head=head.linear(),
        shrinkage=shrinkage,
        stretch=stretch,
        n_alike=len(alike),
        n_unlike=len(unlike),
        held_out=held_out,
    )


def check(vectors: Vectors, searches: Sequence[Judged], fit: Fit, before: Head | None = None) -> HeldOut:
    """Fit candidates on four fifths of the searches, five times, and see how they order the triplets of the rest.

    A pair that a held-out search judges is not learnt from, though another search judges it too. The searches of each
    fifth are told with the candidate that is best on the other four, so that choosing flatters no figure.
    vectors: float32 (n, n_in). fit: gives equally many candidates, in the same order, each time. before: the head to
    hold them against; None: the vectors as they are. Raises CannotFit for too few searches.
    """
    judged = [one for one in searches if one.has_both_signs]
    if len(judged) < LEAST_SEARCHES:
        raise CannotFit(
            f"{LEAST_SEARCHES} searches with two alike images and an unlike one are needed, and there are {len(judged)}"
        )
    others = [one for one in searches if not one.has_both_signs]
    folds = np.random.default_rng(0).permutation(len(judged)) % N_FOLDS
    asked, places = triplets(judged)
    old = _shares(before, vectors, asked, places, len(judged))
    found = np.empty((0, len(judged)))
    for fold in range(N_FOLDS):
        held = [one for one, own in zip(judged, folds, strict=True) if own == fold]
        learnt = others + [one for one, own in zip(judged, folds, strict=True) if own != fold]
        rows = np.flatnonzero(folds[places] == fold)
        columns = folds == fold
        heads = fit(*_without(pairs(learnt), pairs(held)))
        new = np.stack([_shares(head, vectors, asked[rows], places[rows], len(judged)) for head in heads])
        found = found if len(found) else np.zeros((len(new), len(judged)))
        found[:, columns] = new[:, columns]
    chosen = [int(found[:, folds != fold].mean(axis=1).argmax()) for fold in range(N_FOLDS)]
    after = found[np.array(chosen)[folds], np.arange(len(judged))]
    return HeldOut(
        n_triplets=len(asked),
        before=float(old.mean()),
        after=float(after.mean()),
        difference=bootstrap.paired(after, old),
        best=int(found.mean(axis=1).argmax()),
    )


def differences(vectors: Exact, chosen: Pairs) -> Exact:
    """Return the differences of pairs of places: float64 (n_pairs, n_in)."""
    return vectors[chosen[:, 0]] - vectors[chosen[:, 1]]


def _without(learnt: tuple[Pairs, Pairs], held: tuple[Pairs, Pairs]) -> tuple[Pairs, Pairs]:
    """Return the pairs that are learnt from, less those that are held out, whichever way either was judged."""
    struck = {tuple(pair) for side in held for pair in side.tolist()}
    first, second = (side[[tuple(pair) not in struck for pair in side.tolist()]] for side in learnt)
    return first, second


def _shares(head: Head | None, vectors: Vectors, asked: Pairs, places: Pairs, n: int) -> Exact:
    """Return the share of rightly ordered triplets of each of n searches, float64 (n,); 0 for those without any."""
    images, turned = np.unique(asked, return_inverse=True)
    seen = vectors[images] if head is None else head.apply(vectors[images])
    seen = seen / np.linalg.norm(seen, axis=1, keepdims=True)
    query, more, less = (seen[column] for column in turned.reshape(asked.shape).T)
    right = np.einsum("ij,ij->i", query, more) > np.einsum("ij,ij->i", query, less)
    counts = np.bincount(places, minlength=n)
    return np.bincount(places, weights=right, minlength=n) / np.maximum(counts, 1)
