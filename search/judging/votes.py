"""Blind votes between encoders: cast once a ballot, and counted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.db import transaction
from django.db.models import Count, QuerySet

from embeddings.evaluation.proportions import wilson
from search.models import Dataset, Encoder, Vote

if TYPE_CHECKING:
    from django.contrib.auth.models import AbstractBaseUser, AnonymousUser

    Visitor = AbstractBaseUser | AnonymousUser | None


@dataclass(frozen=True, kw_only=True)
class Tally:
    """What votes said of one encoder: in how many it was shown, in how many it won, in how many none was better.

    share: of those won among the decided ones, 0..1, with its 95 % interval; None where none was decided.
    """

    encoder: Encoder
    n_shown: int
    n_won: int
    n_equal: int
    share: float | None
    low: float | None
    high: float | None

    @property
    def n_decided(self) -> int:
        return self.n_shown - self.n_equal


def cast(
    ballot: str, dataset: Dataset | None, encoders: Sequence[Encoder], winner: Encoder | None, user: Visitor
) -> Vote:
    """Keep a vote, or change the one that was cast with this ballot.

    ballot: up to 64 characters, the same where the same voter was asked the same. dataset: None where every visible
    one was searched. winner: None where none was better. Raises ValueError for fewer than two encoders, or a winner
    that is none of them.
    """
    shown = {encoder.pk for encoder in encoders}
    if len(shown) < 2:
        raise ValueError(f"expected a vote between two encoders or more, received {len(shown)}")
    if winner is not None and winner.pk not in shown:
        raise ValueError(f"{winner} was not shown")
    author = user.pk if user is not None and user.is_authenticated else None
    with transaction.atomic():
        facts = {"dataset": dataset, "winner": winner, "user_id": author}
        vote, _ = Vote.objects.update_or_create(ballot=ballot, defaults=facts)
        vote.encoders.set(shown)
    return vote


def tally(dataset: Dataset, user: Visitor) -> list[Tally]:
    """Count the votes on a dataset for each encoder that was shown, the largest share first; on hidden ones none."""
    votes = Vote.objects.filter(dataset=dataset, dataset__in=Dataset.objects.visible_to(user))
    shown = _counts(votes.values_list("encoders"))
    won = _counts(votes.exclude(winner=None).values_list("winner"))
    equal = _counts(votes.filter(winner=None).values_list("encoders"))
    known = Encoder.objects.in_bulk(list(shown))
    found = [_tally(one, shown[pk], won.get(pk, 0), equal.get(pk, 0)) for pk, one in known.items()]
    return sorted(found, key=lambda one: (-(one.share or 0.0), one.encoder.name))


def _counts(encoders: QuerySet[Vote, Any]) -> dict[int, int]:
    rows = encoders.order_by().annotate(n=Count("pk"))
    return {pk: n for pk, n in rows if pk is not None}


def _tally(encoder: Encoder, n_shown: int, n_won: int, n_equal: int) -> Tally:
    n_decided = n_shown - n_equal
    share = n_won / n_decided if n_decided else None
    low, high = wilson(n_won, n_decided) if n_decided else (None, None)
    return Tally(encoder=encoder, n_shown=n_shown, n_won=n_won, n_equal=n_equal, share=share, low=low, high=high)
