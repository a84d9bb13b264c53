"""The interval of a share, against published and hand-worked values."""

import pytest

from embeddings.evaluation.proportions import wilson


@pytest.mark.parametrize(
    ("n_found", "n", "expected"),
    # Newcombe, Two-sided confidence intervals for the single proportion (1998), table I, method 3.
    [(81, 263, (0.2553, 0.3662)), (15, 148, (0.0624, 0.1605)), (0, 20, (0.0, 0.1611)), (1, 29, (0.0061, 0.1718))],
)
def test_it_is_the_score_interval(n_found: int, n: int, expected: tuple[float, float]) -> None:
    assert wilson(n_found, n) == pytest.approx(expected, abs=5e-5)


def test_all_is_none_turned_round() -> None:
    low, high = wilson(0, 7)
    assert wilson(7, 7) == pytest.approx((1 - high, 1 - low))


@pytest.mark.parametrize(("n_found", "n"), [(0, 0), (-1, 3), (4, 3)])
def test_counts_that_cannot_be_are_refused(n_found: int, n: int) -> None:
    with pytest.raises(ValueError, match=f"received {n_found} of {n}"):
        wilson(n_found, n)
