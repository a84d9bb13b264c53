"""Blind votes: one a ballot, changed by voting again, and counted with an interval."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import User

from search.judging import votes
from search.models import Dataset, Encoder, Vote


@pytest.fixture
def others(encoder: Encoder) -> list[Encoder]:
    """Two encoders beside the default one."""
    facts = {"family": "colours", "dim": encoder.dim, "weights_sha256": "1" * 64}
    return [Encoder.objects.create(name=name, **facts) for name in ("shapes", "textures")]


def test_a_vote_again_changes_the_first(encoder: Encoder, others: list[Encoder], dataset: Dataset) -> None:
    shown = [encoder, others[0]]
    votes.cast("a" * 64, dataset, shown, encoder, None)
    vote = votes.cast("a" * 64, dataset, shown, others[0], None)
    assert (Vote.objects.get(), vote.winner) == (vote, others[0])
    assert set(vote.encoders.all()) == set(shown)


def test_votes_are_counted_with_an_interval(encoder: Encoder, others: list[Encoder], dataset: Dataset) -> None:
    for place, winner in enumerate([encoder] * 8 + [others[0]] * 2 + [None] * 3):
        votes.cast(f"ballot {place}", dataset, [encoder, others[0]], winner, None)
    first, second = votes.tally(dataset, None)
    assert (first.encoder, first.n_shown, first.n_won, first.n_equal, first.share) == (encoder, 13, 8, 3, 0.8)
    assert (first.low, first.high) == (pytest.approx(0.4902, abs=1e-4), pytest.approx(0.9433, abs=1e-4))
    assert (second.encoder, second.n_won, second.n_decided, second.share) == (others[0], 2, 10, 0.2)


def test_an_encoder_counts_only_where_it_was_shown(encoder: Encoder, others: list[Encoder], dataset: Dataset) -> None:
    votes.cast("one", dataset, [encoder, *others], others[1], None)
    votes.cast("two", dataset, [encoder, others[0]], None, None)
    found = {one.encoder.name: (one.n_shown, one.n_won, one.n_equal) for one in votes.tally(dataset, None)}
    assert found == {"textures": (1, 1, 0), "colours": (2, 0, 1), "shapes": (2, 0, 1)}


def test_nothing_decided_has_no_share(encoder: Encoder, others: list[Encoder], dataset: Dataset) -> None:
    votes.cast("one", dataset, [encoder, others[0]], None, None)
    assert [(one.share, one.low, one.high) for one in votes.tally(dataset, None)] == [(None, None, None)] * 2


def test_votes_on_what_one_may_not_see_do_not_count(
    encoder: Encoder, others: list[Encoder], dataset: Dataset, admin_user: User
) -> None:
    hidden = Dataset.objects.create(name="Private", is_public=False)
    for ballot, where in (("one", hidden), ("two", dataset), ("three", None)):
        votes.cast(ballot, where, [encoder, others[0]], encoder, admin_user)
    assert votes.tally(hidden, None) == []
    assert [one.n_shown for one in votes.tally(dataset, None)] == [1, 1]
    assert [one.n_shown for one in votes.tally(hidden, admin_user)] == [1, 1]


def test_a_vote_takes_two_encoders_and_a_winner_of_them(encoder: Encoder, others: list[Encoder]) -> None:
    with pytest.raises(ValueError, match="between two encoders or more, received 1"):
        votes.cast("one", None, [encoder, encoder], encoder, None)
    with pytest.raises(ValueError, match="textures was not shown"):
        votes.cast("one", None, [encoder, others[0]], others[1], None)
    assert not Vote.objects.exists()
