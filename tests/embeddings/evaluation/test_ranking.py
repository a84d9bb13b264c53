"""A gallery ranked for each query: in which order, what is left out, and that blocks change nothing."""

import numpy as np
import pytest
from scipy.spatial.distance import cdist

from embeddings.evaluation import ranking
from embeddings.evaluation.ranking import Gallery, Struck


def vectors(n: int, dim: int = 6, seed: int = 0) -> ranking.Vectors:
    return np.random.default_rng(seed).normal(size=(n, dim)).astype(np.float32)


NONE = Struck.of(np.empty(0, np.int64), np.empty(0, np.int64))


@pytest.mark.parametrize(("distance", "name"), [("cosine", "cosine"), ("l2", "euclidean")])
def test_distances_are_those_of_scipy(distance: ranking.Distance, name: str) -> None:
    queries, gallery = vectors(5), vectors(9, seed=1) * 3
    expected = cdist(queries.astype(float), gallery.astype(float), name)
    assert Gallery(gallery, distance).distances(queries) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("distance", ["cosine", "l2"])
def test_the_nearest_stand_first(distance: ranking.Distance) -> None:
    queries, gallery = vectors(20), vectors(300, seed=1)
    (block,) = Gallery(gallery, distance).blocks(queries, NONE)
    assert block.order.tolist() == np.argsort(block.distances, axis=1, kind="stable").tolist()
    assert block.n_ranked.tolist() == [300] * 20


def test_blocks_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    queries, gallery = vectors(20), Gallery(vectors(50, seed=1))
    (whole,) = gallery.blocks(queries, NONE)
    monkeypatch.setattr(ranking, "BLOCK_BYTES", 3 * 8 * 50)
    monkeypatch.setattr(ranking, "_CHUNK", 7)
    blocks = list(gallery.blocks(queries, NONE))
    assert [block.places.stop - block.places.start for block in blocks] == [3] * 6 + [2]
    assert np.concatenate([block.order for block in blocks]).tolist() == whole.order.tolist()


def test_equal_vectors_keep_the_order_of_the_gallery() -> None:
    gallery = np.concatenate([vectors(3)] * 5)
    (block,) = Gallery(gallery).blocks(vectors(3), NONE)
    assert block.order[0, :5].tolist() == [0, 3, 6, 9, 12]


def test_what_is_struck_out_stands_last() -> None:
    struck = Struck.of(np.array([1, 0, 1, 1]), np.array([1, 0, 2, 1]))
    (block,) = Gallery(vectors(4)).blocks(vectors(3), struck)
    assert block.n_ranked.tolist() == [3, 2, 4]
    assert block.order[0, 3] == 0
    assert set(block.order[1, 2:].tolist()) == {1, 2}
    assert block.order[2, 0] == 2


def test_a_single_image_can_be_ranked() -> None:
    (block,) = Gallery(vectors(1)).blocks(vectors(2, seed=3), NONE)
    assert block.order.tolist() == [[0], [0]]


def test_an_empty_gallery_is_refused() -> None:
    with pytest.raises(ValueError, match=r"n at least 1, received \(0, 6\)"):
        Gallery(vectors(0))


def test_equal_ids_are_paired_however_often_they_stand_there() -> None:
    pairs = ranking.same(np.array([5, 7, 9]), np.array([9, 5, 5, 8]))
    assert list(zip(pairs.queries.tolist(), pairs.places.tolist(), strict=True)) == [(0, 1), (0, 2), (2, 0)]


def test_pairs_are_taken_from_pairs() -> None:
    pairs = Struck.of(np.array([0, 1, 1]), np.array([3, 0, 2]))
    left = pairs.less(Struck.of(np.array([1]), np.array([0])))
    assert (left.queries.tolist(), left.places.tolist()) == ([0, 1], [3, 2])
    assert len(pairs.less(pairs)) == 0
    assert len(NONE.less(pairs)) == 0


@pytest.mark.parametrize("distance", ["cosine", "l2"])
@pytest.mark.parametrize("n", [2, 3, 10, 50, 257, 1000])
def test_the_farthest_of_all_still_comes_before_what_is_struck_out(distance: ranking.Distance, n: int) -> None:
    gallery = vectors(n)
    # Opposite to all others, and far away: it stands at the largest distance that there is.
    gallery[-1] = -50 * gallery[:-1].mean(axis=0)
    ids = np.arange(n)
    (block,) = Gallery(gallery, distance).blocks(gallery, ranking.same(ids, ids))
    assert block.order[:, -1].tolist() == ids.tolist()


def test_pairs_follow_the_images_that_are_kept() -> None:
    pairs = Struck.of(np.array([0, 1, 2]), np.array([1, 3, 0])).among(np.array([False, True, False, True]))
    assert (pairs.queries.tolist(), pairs.places.tolist()) == ([0, 1], [0, 1])
