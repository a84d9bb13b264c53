"""Pairs and triplets of judged searches, by hand-worked cases."""

from embeddings.judged_pairs import Judged, pairs, triplets


def test_what_is_wanted_is_alike_and_unlike_what_is_not() -> None:
    alike, unlike = pairs([Judged(queries=(9,), positives=(2,), negatives=(4, 1))])
    assert alike.tolist() == [[2, 9]]
    assert unlike.tolist() == [[1, 2], [1, 9], [2, 4], [4, 9]]


def test_the_majority_decides_and_a_tie_drops_the_pair() -> None:
    yes, no = Judged(queries=(1,), positives=(2,)), Judged(queries=(2,), negatives=(1,))
    assert [side.tolist() for side in pairs([yes, yes, no])] == [[[1, 2]], []]
    assert [side.tolist() for side in pairs([yes, no, no])] == [[], [[1, 2]]]
    assert [side.tolist() for side in pairs([yes, no])] == [[], []]


def test_no_search_gives_no_pairs_of_the_right_shape() -> None:
    assert [side.shape for side in pairs([])] == [(0, 2), (0, 2)]
    assert triplets([])[0].shape == (0, 3)


def test_a_triplet_is_a_query_a_positive_and_a_negative() -> None:
    found, places = triplets([Judged(positives=(7, 8)), Judged(queries=(1,), positives=(2, 3), negatives=(4, 5))])
    assert found.tolist() == [[1, 2, 4], [1, 2, 5], [1, 3, 4], [1, 3, 5]]
    assert places.tolist() == [1, 1, 1, 1]


def test_without_a_kept_query_each_positive_asks() -> None:
    found, _ = triplets([Judged(positives=(1, 2), negatives=(3,))])
    assert found.tolist() == [[1, 2, 3], [2, 1, 3]]


def test_both_signs_are_two_alike_and_one_that_is_not() -> None:
    assert Judged(positives=(1, 2), negatives=(3,)).has_both_signs
    assert not Judged(queries=(1,), negatives=(3,)).has_both_signs
    assert not Judged(queries=(1,), positives=(2,)).has_both_signs
