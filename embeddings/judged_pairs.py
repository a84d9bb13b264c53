"""From judged searches to pairs of images that are alike or unlike: ids and arrays only, no vectors, no rows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations, product

import numpy as np
from numpy.typing import NDArray

Pairs = NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class Judged:
    """A search that was judged, by ids of images: what it began with, what was said to be like it, and what not.

    queries: empty where the query picture is not kept. No id stands in two of the three.
    """

    queries: tuple[int, ...] = ()
    positives: tuple[int, ...] = ()
    negatives: tuple[int, ...] = ()

    @property
    def wanted(self) -> tuple[int, ...]:
        """Everything that is alike: queries and positives."""
        return (*self.queries, *self.positives)

    @property
    def has_both_signs(self) -> bool:
        """Whether it says of some images that they are alike and of others that they are not like them."""
        return len(self.wanted) >= 2 and len(self.negatives) >= 1


def pairs(searches: Iterable[Judged]) -> tuple[Pairs, Pairs]:
    """Return which images are alike and which are unlike: int64 (n_alike, 2) and (n_unlike, 2), ascending.

    Within a search all queries and positives are alike, two by two, and each of them is unlike each negative. Where
    searches contradict each other the majority decides, and a tie drops the pair. The lower id of a pair stands first.
    Of positives {1, 2} and negatives {3}: alike (1, 2), unlike (1, 3) and (2, 3).
    """
    votes: Counter[tuple[int, int]] = Counter()
    for one in searches:
        votes.update(_ordered(*pair) for pair in combinations(one.wanted, 2))
        votes.subtract(_ordered(*pair) for pair in product(one.wanted, one.negatives))
    return _array(pair for pair, n in votes.items() if n > 0), _array(pair for pair, n in votes.items() if n < 0)


def triplets(searches: Sequence[Judged]) -> tuple[Pairs, NDArray[np.int64]]:
    """Return each (query, +, −) of some searches, int64 (n, 3), and which search it is of, int64 (n,).

    A search without a kept query asks with each of its positives in turn.
    """
    found = [
        (anchor, positive, negative, place)
        for place, one in enumerate(searches)
        for anchor in one.queries or one.positives
        for positive in one.positives
        for negative in one.negatives
        if positive != anchor
    ]
    rows = np.array(found, dtype=np.int64).reshape(-1, 4)
    return rows[:, :3], rows[:, 3]


def _ordered(one: int, other: int) -> tuple[int, int]:
    return (one, other) if one < other else (other, one)


def _array(chosen: Iterable[tuple[int, int]]) -> Pairs:
    return np.array(sorted(chosen), dtype=np.int64).reshape(-1, 2)
