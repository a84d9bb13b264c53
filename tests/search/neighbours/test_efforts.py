"""How far a walk through an index goes: further the more there is, and the more of it is left out."""

from __future__ import annotations

import pytest

from search.neighbours.planning import MOST_LOOKED_AT, Walk


@pytest.mark.parametrize(
    ("n", "share", "depth", "expected"),
    [
        (40_000, 1.0, 10, [100]),
        (50_000, 1.0, 10, [100]),
        (50_000, 1.0, 240, [480]),
        (1_000_000, 1.0, 10, [603]),  # where recall of the ten nearest was .94 with 100, and .98 with 600
        (10_000_000, 1.0, 10, [MOST_LOOKED_AT]),
        (1_000_000, 1.0, 1200, [MOST_LOOKED_AT]),
        (50_000, 0.9, 10, [233, MOST_LOOKED_AT]),
        (50_000, 0.5, 10, [260, MOST_LOOKED_AT]),
        (50_000, 0.1, 10, [500, MOST_LOOKED_AT]),
        (50_000, 0.01, 10, [MOST_LOOKED_AT]),
        (1_000_000, 0.5, 10, [MOST_LOOKED_AT]),
    ],
)
def test_efforts(n: int, share: float, depth: int, expected: list[int]) -> None:
    assert Walk(n=n, share=share, is_of_all=share == 1.0).efforts(depth) == expected


def test_where_a_comparison_is_cheap_it_comes_after_the_first_walk() -> None:
    assert Walk(n=50_000, share=0.1, may_be_repeated=False).efforts(10) == [500]
