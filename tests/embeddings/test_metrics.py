"""Tests of the measures of a ranking against cases worked by hand."""

import numpy as np
import pytest

from embeddings import metrics

RELEVANT = np.array([[True, False, True, False], [False, True, False, False], [False, False, False, False]])


def test_precision_divides_by_k_for_every_query() -> None:
    assert metrics.precision_at_k(RELEVANT, 1) == pytest.approx(1 / 3)
    assert metrics.precision_at_k(RELEVANT, 3) == pytest.approx((2 / 3 + 1 / 3 + 0) / 3)


def test_average_precision_is_taken_at_each_relevant_rank_and_queries_without_any_are_left_out() -> None:
    assert metrics.mean_average_precision(RELEVANT) == pytest.approx(((1 + 2 / 3) / 2 + 1 / 2) / 2)


def test_without_a_relevant_image_there_is_no_average_precision() -> None:
    assert np.isnan(metrics.mean_average_precision(np.zeros((2, 3), dtype=bool)))


@pytest.mark.parametrize("k", [0, 5])
def test_k_must_lie_in_the_ranking(k: int) -> None:
    with pytest.raises(ValueError, match=f"k must be from 1 to 4, received {k}"):
        metrics.precision_at_k(RELEVANT, k)


def test_the_nearest_by_cosine_comes_first_and_equal_ones_keep_their_order() -> None:
    gallery = np.array([[0, 1], [1, 0], [0.6, 0.8], [1, 0]], dtype=np.float32)
    found = metrics.relevance(gallery[1:2], np.array(["a"]), gallery, np.array(["b", "a", "a", "b"]))
    assert found.tolist() == [[True, False, True, False]]


def test_a_vector_is_never_found_by_itself() -> None:
    vectors = np.array([[1, 0], [1, 0], [0, 1]], dtype=np.float32)
    found = metrics.relevance_among(vectors, np.array(["a", "b", "a"]))
    assert found.tolist() == [[False, True], [False, False], [True, False]]


def test_labels_and_vectors_must_be_equally_many() -> None:
    with pytest.raises(ValueError, match="received 2 and 1, 2 and 2"):
        metrics.relevance(np.eye(2, dtype=np.float32), np.array(["a"]), np.eye(2, dtype=np.float32), np.array([1, 2]))
