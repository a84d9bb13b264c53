"""Heads from labels and marks together: marks count where labels leave something open, and never at their cost."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from embeddings import heads, labelled_feedback
from embeddings.judged_pairs import pairs
from tests.embeddings.test_feedback_heads import judged
from tests.embeddings.test_heads import clouds, unit


def divided(n: int) -> NDArray[np.bool_]:
    return np.arange(n) % 4 == 0


def test_a_pair_that_weighs_nothing_changes_nothing() -> None:
    vectors, labels = clouds(30)
    searches = judged(labels, 10)
    without = heads.Discriminant(vectors, labels).head(0.1)
    given = heads.Discriminant(vectors, labels, labelled_feedback.said(vectors, *pairs(searches), 0.0)).head(0.1)
    first, second = (head.apply(vectors) for head in (given, without))
    np.testing.assert_allclose(first @ first.T, second @ second.T, atol=1e-4)


def test_marks_tell_apart_what_labels_leave_together() -> None:
    vectors, kinds = clouds(60)
    vectors, labels = unit(vectors), np.where(kinds == 0, "one", "other")
    random = np.random.default_rng(2).permutation(len(labels))
    choice = labelled_feedback.choose(vectors, labels, divided(len(labels))[random], judged(kinds, 40))
    assert choice.weight > 0
    assert choice.held_out.after > choice.held_out.before
    assert not (choice.difference.is_real and choice.difference.mean < 0)


def test_marks_that_contradict_the_labels_weigh_nothing() -> None:
    vectors, labels = clouds(60)
    vectors = unit(vectors)
    by_chance = judged(np.random.default_rng(1).permutation(labels), 40)
    choice = labelled_feedback.choose(vectors, labels, divided(len(labels)), by_chance)
    plain = choice.labels.map_by_shrinkage[choice.labels.shrinkage]
    assert choice.map_after > plain - 0.02
    assert not choice.held_out.difference.is_real or choice.held_out.difference.mean > 0
