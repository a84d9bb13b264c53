"""Heads from feedback: what marks teach, what they leave alone, and what is said of searches that were held out."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from embeddings import feedback_heads, heads
from embeddings.feedback_heads import PairMetric
from embeddings.judged_pairs import Judged
from tests.embeddings.test_heads import clouds, unit


def judged(labels: NDArray[np.int64], n: int, seed: int = 0) -> list[Judged]:
    """Searches whose marks say what the labels say: two alike images and two unlike ones each."""
    generator = np.random.default_rng(seed)
    found = []
    for query in generator.choice(len(labels), n, replace=False):
        right = np.setdiff1d(np.flatnonzero(labels == labels[query]), query)
        more, less = (
            generator.choice(chosen, 2, replace=False) for chosen in (right, np.flatnonzero(labels != labels[query]))
        )
        found.append(Judged(queries=(int(query),), positives=tuple(more.tolist()), negatives=tuple(less.tolist())))
    return found


def test_marks_teach_what_tells_images_apart() -> None:
    vectors, labels = clouds(60)
    vectors = unit(vectors)
    choice = feedback_heads.fit(vectors, judged(labels, 40))
    before, after = (heads._map(one, labels, one, labels) for one in (vectors, choice.head.apply(vectors)))
    assert before < 0.6 < 0.8 < after
    assert choice.held_out.before < choice.held_out.after
    assert choice.held_out.difference.is_real
    assert choice.shrinkage < 1


def test_marks_by_chance_are_said_to_teach_nothing() -> None:
    vectors, labels = clouds(60)
    held_out = feedback_heads.fit(unit(vectors), judged(np.random.default_rng(1).permutation(labels), 40)).held_out
    assert not held_out.difference.is_real
    assert abs(held_out.after - 0.5) < 0.12


def test_too_few_searches_are_counted() -> None:
    vectors, labels = clouds(20)
    searches = [*judged(labels, 9), Judged(queries=(1,), positives=(2,))]
    with pytest.raises(
        heads.CannotFit, match="10 searches with two alike images and an unlike one are needed, and there are 9"
    ):
        feedback_heads.fit(vectors, searches)


def metric(dim: int = 6) -> PairMetric:
    """Alike images differ along the first axis, unlike ones along the second."""
    axes = np.eye(dim)
    return PairMetric(np.zeros(dim), 0.5 * axes[:1], 0.5 * axes[1:2])


def test_alike_directions_shrink_unlike_ones_stretch_and_others_stay() -> None:
    (head,) = metric().heads(0.5, [3.0])
    # W has 1/8 at the first place, and a floor of 1/2 x 1/8 / 6 everywhere: 1/96 beside 1/16 + 1/96.
    expected = np.diag([np.sqrt(1 / 7), 2, 1, 1, 1, 1])
    np.testing.assert_allclose(head.linear().matrix, expected, atol=1e-6)


def test_a_head_and_its_matrix_are_the_same() -> None:
    vectors, _ = clouds(10, dim=6)
    (head,) = metric().heads(0.5, [3.0])
    np.testing.assert_allclose(unit(head.apply(vectors)), head.linear().apply(vectors), atol=1e-6)


def test_the_weakest_strength_changes_nothing() -> None:
    (head,) = metric().heads(1.0, [0.0])
    np.testing.assert_allclose(head.linear().matrix, np.eye(6), atol=1e-12)


def test_more_pairs_than_directions_give_the_same_as_their_scatter() -> None:
    generator = np.random.default_rng(0)
    many = generator.normal(size=(30, 6))
    few = np.linalg.cholesky(many.T @ many / 30 * 6).T
    first, second = (PairMetric(np.zeros(6), one, one).heads(0.3, [2.0])[0] for one in (many, few))
    np.testing.assert_allclose(first.linear().matrix, second.linear().matrix, atol=1e-5)


def test_without_pairs_of_a_kind_the_other_is_learnt_from() -> None:
    nothing = np.empty((0, 6))
    (head,) = PairMetric(np.zeros(6), nothing, nothing).heads(0.5, [1.0])
    np.testing.assert_allclose(head.linear().matrix, np.eye(6), atol=1e-12)
    (head,) = PairMetric(np.zeros(6), nothing, np.eye(6)[:1]).heads(0.5, [3.0])
    np.testing.assert_allclose(head.linear().matrix, np.diag([2, 1, 1, 1, 1, 1]), atol=1e-6)


def test_strengths_that_cannot_be_are_refused() -> None:
    with pytest.raises(ValueError, match="expected a shrinkage"):
        metric().heads(0.0, [1.0])


def test_a_pair_of_a_held_out_search_is_not_learnt_from() -> None:
    vectors, labels = clouds(30)
    searches = judged(labels, 12)
    seen: list[set[tuple[int, ...]]] = []

    def fit(alike: NDArray[np.int64], unlike: NDArray[np.int64]) -> list[heads.LinearHead]:
        seen.append({tuple(pair) for side in (alike, unlike) for pair in side.tolist()})
        return [heads.fit_centring(vectors)]

    # Everybody judges twice, so that each pair stands in two searches.
    held_out = feedback_heads.check(vectors, searches + searches, fit)
    everything = {tuple(pair) for side in feedback_heads.pairs(searches) for pair in side.tolist()}
    assert len(seen) == feedback_heads.N_FOLDS
    assert all(len(learnt) < len(everything) for learnt in seen)
    assert held_out.n_triplets == 2 * 12 * 4
