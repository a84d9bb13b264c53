"""All measures in one pass, against a computation of its own; near-duplicates, confusions and contradictions."""

import numpy as np
import pytest

from embeddings import metrics
from embeddings.evaluation import measuring, near_duplicates, ranking
from embeddings.evaluation.measuring import Measured
from embeddings.evaluation.ranking import Gallery, Struck

RANDOM = np.random.default_rng(3)
CENTRES = RANDOM.normal(size=(5, 8))
CODES = RANDOM.integers(5, size=120)
VECTORS = (CENTRES[CODES] + RANDOM.normal(size=(120, 8))).astype(np.float32)


def leave_one_out(vectors: ranking.Vectors = VECTORS, codes: measuring.Codes = CODES) -> Measured:
    ids = np.arange(len(vectors))
    return measuring.measure(vectors, codes, Gallery(vectors), codes, ranking.same(ids, ids))


def test_figures_are_those_of_a_computation_of_its_own() -> None:
    found = leave_one_out()
    unit = VECTORS / np.linalg.norm(VECTORS, axis=1, keepdims=True)
    relevant = metrics.relevance_among(unit, CODES)
    expected = {
        "precision@10": metrics.precision_at_k(relevant, 10),
        "recall@5": metrics.recall_at_k(relevant, 5),
        "map": metrics.average_precision(relevant),
        "map@5": metrics.average_precision_at_k(relevant, 5),
        "ndcg@10": metrics.ndcg_at_k(relevant, 10),
        "r_precision": metrics.r_precision(relevant),
    }
    for name, figures in expected.items():
        assert found.figures[:, found.names.index(name)] == pytest.approx(figures)


def test_every_pair_is_counted_once_and_no_image_with_itself() -> None:
    found = leave_one_out()
    same = CODES[:, np.newaxis] == CODES
    assert found.same_pairs.sum() == same.sum() - 120
    assert found.other_pairs.sum() == (~same).sum()
    assert found.edges[[0, -1]].tolist() == [0, 2]


def test_a_query_without_another_of_its_label_has_no_figures() -> None:
    found = leave_one_out(VECTORS[:4], np.array([0, 0, 1, 0]))
    assert found.is_answerable.tolist() == [True, True, False, True]
    assert np.isnan(found.figures[2]).all()
    assert not np.isnan(found.figures[[0, 1, 3]]).any()


def test_ranks_that_the_gallery_does_not_have_are_left_out() -> None:
    found = leave_one_out(VECTORS[:7], CODES[:7])
    assert found.ks == (1, 5)
    assert found.n_voters == 6
    assert "precision@10" not in found.names


def test_without_near_duplicates_only_their_queries_change() -> None:
    ids = np.arange(120)
    struck, gallery = ranking.same(ids, ids), Gallery(VECTORS)
    found = leave_one_out()
    first = Struck.of(np.array([4, 9]), found.neighbours[[4, 9], 0])
    figures = measuring.without(found, first, VECTORS, CODES, gallery, CODES, struck)
    changed = np.flatnonzero((figures != found.figures).any(axis=1)).tolist()
    assert set(changed) <= {4, 9}
    again = measuring.measure(
        VECTORS[[4]], CODES[[4]], gallery, CODES, Struck.of(np.array([0, 0]), np.array([4, int(first.places[0])]))
    )
    assert figures[4] == pytest.approx(again.figures[0])


def test_confusions_count_neighbours_by_the_label_of_their_query() -> None:
    asked, found, counts = measuring.confusion(np.array([[0, 1], [1, 1]]), np.array([0, 2]), 3)
    assert list(zip(asked.tolist(), found.tolist(), counts.tolist(), strict=True)) == [(0, 0, 1), (0, 1, 1), (2, 1, 2)]


def test_labels_that_neighbours_contradict_come_worst_first() -> None:
    neighbours = np.array([[0, 0, 0, 0], [1, 1, 0, 1], [2, 2, 2, 2], [0, 0, 1, 1]])
    found = measuring.contradictions(neighbours, np.array([0, 0, 1, 1]), 10)
    assert [(one.place, one.label, one.share, one.own_share) for one in found] == [
        (2, 2, 1.0, 0.0),
        (1, 1, 0.75, 0.25),
        (3, 0, 0.5, 0.5),
    ]
    assert len(measuring.contradictions(neighbours, np.array([0, 0, 1, 1]), 1)) == 1


def test_perceptual_hashes_within_six_bits_are_near_duplicates() -> None:
    queries = np.array([0xFFFF0000FFFF0000, 0, 2**64 - 1], np.uint64)
    gallery = np.array([0xFFFF0000FFFF003F, 0xFFFF0000FFFF007F, 0, 2**64 - 1], np.uint64)
    found = near_duplicates.by_phash(queries, gallery)
    # Plain pictures, whose hash has no bit or every bit, are compared with nothing.
    assert (found.queries.tolist(), found.places.tolist()) == ([0], [0])


def test_near_vectors_are_near_duplicates_unless_lengths_tell_them_apart() -> None:
    gallery = np.array([[1, 0], [0, 1], [1, 0.1]], np.float32)
    found = near_duplicates.by_vector(gallery[:1], gallery, "cosine")
    assert found.places.tolist() == [0, 2]
    assert len(near_duplicates.by_vector(gallery[:1], gallery, "l2")) == 0


def test_a_query_to_which_nothing_is_left_has_no_figures_and_spoils_none() -> None:
    gallery = Gallery(VECTORS[:3])
    struck = Struck.of(np.array([0, 0, 0]), np.array([0, 1, 2]))
    found = measuring.measure(VECTORS[:2], np.array([0, 1]), gallery, np.array([1, 1, 0]), struck)
    assert found.is_answerable.tolist() == [False, True]
    assert found.n_voters == 3
    with pytest.raises(ValueError, match="no query has anything to be compared with"):
        measuring.measure(VECTORS[:1], np.array([0]), gallery, np.array([1, 1, 0]), struck)
