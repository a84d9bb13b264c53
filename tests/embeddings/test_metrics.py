"""Tests of the measures of a ranking: cases worked by hand, a slow twin in plain Python, and scikit-learn."""

import math
from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.metrics import average_precision_score, ndcg_score, precision_score, recall_score
from sklearn.neighbors import KNeighborsClassifier

from embeddings import metrics

RELEVANT = np.array([[True, False, True, False], [False, True, False, False], [False, False, False, False]])


@pytest.fixture(scope="module")
def ranked() -> NDArray[np.bool_]:
    """40 rankings of 25, of which from one to some ten are relevant."""
    random = np.random.default_rng(5)
    found = random.random((40, 25)) < random.random((40, 1)) * 0.5
    found[~found.any(axis=1), 7] = True
    return found


def test_precision_divides_by_k_for_every_query() -> None:
    assert metrics.precision_at_k(RELEVANT, 1).tolist() == [1, 0, 0]
    assert metrics.precision_at_k(RELEVANT, 3) == pytest.approx([2 / 3, 1 / 3, 0])


def test_recall_divides_by_what_is_relevant_and_has_no_figure_without_any() -> None:
    assert metrics.recall_at_k(RELEVANT, 2) == pytest.approx([1 / 2, 1, np.nan], nan_ok=True)


def test_a_hit_is_one_relevant_image_or_more() -> None:
    assert metrics.hit_rate_at_k(RELEVANT, 1) == pytest.approx([1, 0, np.nan], nan_ok=True)
    assert metrics.hit_rate_at_k(RELEVANT, 2) == pytest.approx([1, 1, np.nan], nan_ok=True)


def test_r_precision_looks_as_deep_as_there_are_relevant_images() -> None:
    assert metrics.r_precision(RELEVANT) == pytest.approx([1 / 2, 0, np.nan], nan_ok=True)


def test_average_precision_is_taken_at_each_relevant_rank_and_queries_without_any_are_left_out() -> None:
    assert metrics.average_precision(RELEVANT) == pytest.approx([(1 + 2 / 3) / 2, 1 / 2, np.nan], nan_ok=True)
    assert metrics.mean_average_precision(RELEVANT) == pytest.approx(((1 + 2 / 3) / 2 + 1 / 2) / 2)


def test_average_precision_of_the_first_k_divides_by_what_could_stand_there() -> None:
    assert metrics.average_precision_at_k(RELEVANT, 2) == pytest.approx([1 / 2, 1 / 2, np.nan], nan_ok=True)
    assert metrics.average_precision_at_k(RELEVANT, 1) == pytest.approx([1, 0, np.nan], nan_ok=True)


def test_gains_are_discounted_by_rank_and_divided_by_the_best_there_could_be() -> None:
    best = 1 + 1 / math.log2(3)
    assert metrics.ndcg_at_k(RELEVANT, 3) == pytest.approx([1.5 / best, 1 / math.log2(3), np.nan], nan_ok=True)


def test_most_neighbours_name_a_query_and_the_nearest_of_equally_many() -> None:
    assert metrics.vote(np.array([[3, 1, 1], [2, 1, 3], [1, 2, 2]])).tolist() == [1, 2, 2]


def test_interpolated_precision_is_the_best_at_that_recall_or_above() -> None:
    row = np.array([[False, True, True, False], [False, False, False, False]])
    found = metrics.interpolated_precision(row, np.array([0, 0.5, 1]))
    assert found == pytest.approx(np.array([[2 / 3, 2 / 3, 2 / 3], [np.nan] * 3]), nan_ok=True)
    falling = metrics.interpolated_precision(RELEVANT[:1], np.array([0, 0.5, 0.51, 1]))
    assert falling[0] == pytest.approx([1, 1, 2 / 3, 2 / 3])


def test_without_a_relevant_image_there_is_no_average_precision() -> None:
    assert np.isnan(metrics.mean_average_precision(np.zeros((2, 3), dtype=bool)))


AT_RANKS: list[Callable[[NDArray[np.bool_], int], NDArray[np.float64]]] = [
    metrics.precision_at_k,
    metrics.recall_at_k,
    metrics.hit_rate_at_k,
    metrics.average_precision_at_k,
    metrics.ndcg_at_k,
]


@pytest.mark.parametrize("k", [0, 5])
@pytest.mark.parametrize("measure", AT_RANKS)
def test_k_must_lie_in_the_ranking(measure: Callable[[NDArray[np.bool_], int], NDArray[np.float64]], k: int) -> None:
    with pytest.raises(ValueError, match=f"k must be from 1 to 4, received {k}"):
        measure(RELEVANT, k)


@pytest.mark.parametrize("k", [1, 4, 25])
def test_measures_agree_with_a_slow_twin(ranked: NDArray[np.bool_], k: int) -> None:
    for place, row in enumerate(ranked.tolist()):
        n = sum(row)
        found = sum(row[:k])
        precisions = [sum(row[: rank + 1]) / (rank + 1) for rank in range(k) if row[rank]]
        assert metrics.precision_at_k(ranked, k)[place] == found / k
        assert metrics.recall_at_k(ranked, k)[place] == found / n
        assert metrics.hit_rate_at_k(ranked, k)[place] == (found > 0)
        assert metrics.average_precision_at_k(ranked, k)[place] == pytest.approx(sum(precisions) / min(k, n))
        assert metrics.r_precision(ranked)[place] == sum(row[:n]) / n


def test_measures_agree_with_scikit_learn(ranked: NDArray[np.bool_]) -> None:
    scores = -np.arange(25.0)[np.newaxis].repeat(40, axis=0)
    first = np.arange(25) < 6
    for place, row in enumerate(ranked):
        assert metrics.average_precision(ranked)[place] == pytest.approx(average_precision_score(row, scores[place]))
        assert metrics.precision_at_k(ranked, 6)[place] == pytest.approx(precision_score(row, first))
        assert metrics.recall_at_k(ranked, 6)[place] == pytest.approx(recall_score(row, first))
        upto = np.arange(25) < row.sum()
        assert metrics.r_precision(ranked)[place] == pytest.approx(precision_score(row, upto))
    assert metrics.ndcg_at_k(ranked, 6).mean() == pytest.approx(ndcg_score(ranked.astype(int), scores, k=6))
    assert metrics.ndcg_at_k(ranked, 25).mean() == pytest.approx(ndcg_score(ranked.astype(int), scores))


def test_votes_agree_with_scikit_learn_where_nothing_ties() -> None:
    random = np.random.default_rng(1)
    gallery, labels = random.normal(size=(90, 4)), random.integers(2, size=90)
    queries = random.normal(size=(30, 4))
    classifier = KNeighborsClassifier(5).fit(gallery, labels)
    order = np.argsort(np.linalg.norm(queries[:, np.newaxis] - gallery, axis=2), axis=1)[:, :5]
    assert metrics.vote(labels[order]).tolist() == classifier.predict(queries).tolist()


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
