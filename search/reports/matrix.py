"""A confusion matrix as a page draws it in SVG."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext as _

from search.language.numbers import percent, whole


@dataclass(frozen=True, kw_only=True)
class Cell:
    """A cell of a matrix: where it stands, how strong its colour is (0 to 1), and what it counts."""

    x: float
    y: float
    middle_x: float
    middle_y: float
    strength: float
    is_right: bool
    n: int
    title: str


@dataclass(frozen=True, kw_only=True)
class Matrix:
    """A confusion matrix, one row a label of queries, with the labels beside it and above it.

    step: the edge of a cell; shows_counts: whether counts fit into them. worst: the cells off the diagonal with the
    largest shares of their rows, as (query's label, neighbours' label, count, share).
    """

    labels: list[tuple[float, str]]
    cells: list[Cell]
    step: float
    inside: float
    edge: float
    margin: int
    shows_counts: bool
    worst: list[tuple[str, str, int, float]]
    k: int
    n_classes: int


N_WORST = 15


def confusion(found: dict[str, Any]) -> Matrix:
    """Draw a confusion matrix as `describing.confusion` keeps it. Of many classes cells are small, and say theirs."""
    labels = found["labels"]
    step = 44.0 if len(labels) <= 12 else 28.0 if len(labels) <= 24 else 14.0
    margin = 24 + min(130, (8 if step > 14 else 6) * max(len(label) for label in labels))
    sums = found["sums"]
    cells = [
        Cell(
            x=margin + column * step,
            y=margin + row * step,
            middle_x=margin + (column + 0.5) * step,
            middle_y=margin + (row + 0.5) * step,
            # The square root lets a share of 4 % still be seen beside one of 90 %.
            strength=round((n / sums[row]) ** 0.5, 3),
            is_right=row == column,
            n=n,
            title=_cell_words(labels[row], labels[column], n, sums[row]),
        )
        for row, column, n in found["cells"]
    ]
    wrong = sorted((cell for cell in found["cells"] if cell[0] != cell[1]), key=lambda cell: -cell[2] / sums[cell[0]])
    return Matrix(
        labels=[(margin + (place + 0.5) * step, label) for place, label in enumerate(labels)],
        cells=cells,
        step=step,
        inside=len(labels) * step,
        edge=margin + len(labels) * step + 4,
        margin=margin,
        shows_counts=step > 40,
        worst=[(labels[row], labels[column], n, n / sums[row]) for row, column, n in wrong[:N_WORST]],
        k=found["k"],
        n_classes=found["n_classes"],
    )


def _cell_words(label: str, other: str, n: int, n_all: int) -> str:
    told = {"label": label, "other": other, "n": whole(n), "n_all": whole(n_all), "share": percent(n / n_all)}
    return _("%(label)s: %(n)s of %(n_all)s neighbours (%(share)s) are %(other)s") % told
