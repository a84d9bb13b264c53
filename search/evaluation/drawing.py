"""Plots as SVG that a page colours: axes, lines, bars and points in a box, finished for a template.

They are drawn here and not by a library, because a page has to colour them by its theme, and to tell and link what is
pointed at, under a policy that allows no style in attributes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from math import ceil, floor, log10
from typing import Any

from search.evaluation.comparing import MEASURES, Comparison

WIDTH, HEIGHT = 420, 240
# Room for the ticks beside the box and below it.
LEFT, RIGHT, TOP, BOTTOM = 46, 14, 10, 40
N_COLOURS = 12


@dataclass(frozen=True, kw_only=True)
class Tick:
    """A mark on an axis, and where it stands."""

    at: float
    words: str


@dataclass(frozen=True, kw_only=True)
class Mark:
    """A line (points), a bar (x, y, width, height) or a dot (x, y). number: of its colour, 0 to 11."""

    number: int = 0
    title: str = ""
    points: str = ""
    x: float = 0.0
    y: float = 0.0
    width: float = 0.0
    height: float = 0.0
    words: str = ""


@dataclass(frozen=True, kw_only=True)
class Plot:
    """A finished plot. summary: what it shows, in a sentence, for those who do not see it."""

    title: str
    summary: str
    x_words: str
    y_words: str
    x_ticks: list[Tick]
    y_ticks: list[Tick]
    lines: list[Mark] = field(default_factory=list)
    bars: list[Mark] = field(default_factory=list)
    dots: list[Mark] = field(default_factory=list)
    keys: list[tuple[int, str]] = field(default_factory=list)

    box_left, box_right, box_top, box_bottom = LEFT, WIDTH - RIGHT, TOP, HEIGHT - BOTTOM
    width, height = WIDTH, HEIGHT


@dataclass(frozen=True, kw_only=True)
class Axis:
    """Values from least to most along one side of the box, evenly or by their logarithm."""

    least: float
    most: float
    is_upright: bool = False
    is_logarithmic: bool = False

    def at(self, value: float) -> float:
        """Return where a value stands."""
        least, most = self._scaled(self.least), self._scaled(self.most)
        share = (self._scaled(value) - least) / ((most - least) or 1)
        if self.is_upright:
            return round(HEIGHT - BOTTOM - share * (HEIGHT - BOTTOM - TOP), 1)
        return round(LEFT + share * (WIDTH - RIGHT - LEFT), 1)

    def ticks(self) -> list[Tick]:
        """Return marks at round values."""
        if self.is_logarithmic:
            powers = range(floor(log10(self.least)), ceil(log10(self.most)) + 1)
            values = [step * 10.0**power for power in powers for step in (1, 2, 5)]
        else:
            step = _round_step((self.most - self.least) / 5)
            first = ceil(self.least / step - 1e-9)
            values = [number * step for number in range(first, floor(self.most / step + 1e-9) + 1)]
        inside = [value for value in values if self.least * (1 - 1e-9) <= value <= self.most * (1 + 1e-9)]
        return [Tick(at=self.at(value), words=f"{value:.6g}") for value in inside]

    def _scaled(self, value: float) -> float:
        return log10(value) if self.is_logarithmic else value


def _round_step(step: float) -> float:
    power = 10.0 ** floor(log10(step)) if step > 0 else 1.0
    return next(power * factor for factor in (1, 2, 5, 10) if power * factor >= step * (1 - 1e-9))


SHARES_ACROSS = Axis(least=0, most=1)
SHARES_UP = Axis(least=0, most=1, is_upright=True)


def precision_recall(named: Sequence[tuple[str, Sequence[Sequence[float]]]]) -> Plot:
    """Draw precision over recall of one or more encoders. named: name, (levels of recall, precisions)."""
    lines = [
        Mark(number=place % N_COLOURS, title=name, points=_points(SHARES_ACROSS, SHARES_UP, levels, precisions))
        for place, (name, (levels, precisions)) in enumerate(named)
    ]
    told = "; ".join(f"{name}: {curve[1][0]:.2f} to {curve[1][-1]:.2f}" for name, curve in named)
    return Plot(
        title="Precision over recall",
        summary=f"Precision from the first relevant image to the last. {told}.",
        x_words="Recall",
        y_words="Precision",
        x_ticks=SHARES_ACROSS.ticks(),
        y_ticks=SHARES_UP.ticks(),
        lines=lines,
        keys=[(line.number, line.title) for line in lines] if len(lines) > 1 else [],
    )


def pairs(counted: dict[str, Any], *, is_cosine: bool) -> Plot:
    """Draw how alike pairs of the same and of other classes are: each kind's bars add up to one."""
    edges, both = counted["edges"], (counted["same"], counted["other"])
    # As similarity where that means something, so that what is alike stands at the right.
    values = [1 - edge for edge in edges] if is_cosine else list(edges)
    across = Axis(least=min(values), most=max(values))
    shares = [[n / max(1, sum(counts)) for n in counts] for counts in both]
    upright = Axis(least=0, most=max(max(one) for one in shares) or 1.0, is_upright=True)
    bars = [
        _bar(across, upright, values[place], values[place + 1], share, number)
        for number, counts in enumerate(shares)
        for place, share in enumerate(counts)
        if share
    ]
    return Plot(
        title="Pairs of the same class and of another",
        summary=f"{sum(both[0]):,} pairs of the same class and {sum(both[1]):,} of another, by how alike they are.",
        x_words="Similarity" if is_cosine else "Distance",
        y_words="Share of the pairs",
        x_ticks=across.ticks(),
        y_ticks=upright.ticks(),
        bars=bars,
        keys=[(0, "same class"), (1, "another class")],
    )


def _bar(across: Axis, upright: Axis, first: float, last: float, share: float, number: int) -> Mark:
    left, right = sorted((across.at(first), across.at(last)))
    top = upright.at(share)
    return Mark(number=number, x=left, y=top, width=round(right - left, 1), height=round(HEIGHT - BOTTOM - top, 1))


def reliability(found: dict[str, Any]) -> Plot:
    """Draw how often hits kept what they promised. found: of a calibration, as JSON keeps it."""
    bins = found["bins"]
    dots = [
        Mark(
            x=SHARES_ACROSS.at(one["promised"]),
            y=SHARES_UP.at(one["kept"]),
            title=f"{one['n']:,} hits that promised {one['promised']:.0%}: {one['kept']:.0%} were of the same class",
        )
        for one in bins
    ]
    line = _points(SHARES_ACROSS, SHARES_UP, *zip(*((one["promised"], one["kept"]) for one in bins), strict=True))
    return Plot(
        title="Promised and kept",
        summary=f"Of {found['n_pairs']:,} hits, promises are off by {found['error']:.1%} on average.",
        x_words="Promised chance of the same class",
        y_words="Share that was right",
        x_ticks=SHARES_ACROSS.ticks(),
        y_ticks=SHARES_UP.ticks(),
        lines=[Mark(number=11, points=_points(SHARES_ACROSS, SHARES_UP, (0, 1), (0, 1))), Mark(points=line)],
        dots=dots,
    )


def chances(found: dict[str, Any], *, is_cosine: bool) -> Plot:
    """Draw the chance of the same class over similarity. found: a calibration, as JSON keeps it."""
    values = [1 - one if is_cosine else one for one in found["distances"]]
    across = Axis(least=min(values), most=max(values))
    highest, lowest = found["probabilities"][0], found["probabilities"][-1]
    return Plot(
        title="What a similarity is worth" if is_cosine else "What a distance is worth",
        summary=f"The chance of the same class: {lowest:.0%} for the farthest hits, {highest:.0%} for the nearest.",
        x_words="Similarity" if is_cosine else "Distance",
        y_words="Chance of the same class",
        x_ticks=across.ticks(),
        y_ticks=SHARES_UP.ticks(),
        lines=[Mark(points=_points(across, SHARES_UP, values, found["probabilities"]))],
    )


def of_comparison(comparison: Comparison) -> list[Plot]:
    """Draw quality against latency; nothing where either is unknown."""
    rows = [row for row in comparison.rows if row.values["latency_ms"] and row.values[comparison.measure] is not None]
    if not rows:
        return []
    times = [row.values["latency_ms"] or 0.0 for row in rows]
    across = Axis(least=min(times) / 1.5, most=max(times) * 1.5, is_logarithmic=True)
    dots = [
        Mark(
            number=place % N_COLOURS,
            x=across.at(row.values["latency_ms"] or 0.0),
            y=SHARES_UP.at(row.values[comparison.measure] or 0.0),
            words=row.name,
            title=f"{row.name}: {row.values[comparison.measure]:.3f}, {row.values['latency_ms']:.1f} ms",
        )
        for place, row in enumerate(rows)
    ]
    return [
        Plot(
            title=f"{MEASURES[comparison.measure]} against latency",
            summary="; ".join(dot.title for dot in dots) + ".",
            x_words="Latency of a search from file to hits, ms",
            y_words=MEASURES[comparison.measure],
            x_ticks=across.ticks(),
            y_ticks=SHARES_UP.ticks(),
            dots=dots,
            keys=[(dot.number, dot.words) for dot in dots],
        )
    ]


def over_time(values: Sequence[tuple[str, float]], title: str, least: float = 0.0) -> Plot:
    """Draw figures of 0 to 1 in the order of their dates. values: date, figure."""
    across = Axis(least=0, most=max(1, len(values) - 1))
    upright = Axis(least=least, most=1, is_upright=True)
    marks = [
        Mark(x=across.at(place), y=upright.at(max(least, value)), title=f"{date}: {value:.3f}")
        for place, (date, value) in enumerate(values)
    ]
    named = {0, len(values) - 1}
    return Plot(
        title=title,
        summary="; ".join(mark.title for mark in marks) + ".",
        x_words="",
        y_words="",
        x_ticks=[Tick(at=across.at(place), words=values[place][0]) for place in sorted(named)],
        y_ticks=upright.ticks(),
        lines=[Mark(points=" ".join(f"{mark.x},{mark.y}" for mark in marks))],
        dots=marks,
    )


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
    sums = [0] * len(labels)
    for row, _, n in found["cells"]:
        sums[row] += n
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
            title=f"{labels[row]}: {n:,} of {sums[row]:,} neighbours ({n / sums[row]:.0%}) are {labels[column]}",
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


def _points(across: Axis, upright: Axis, xs: Sequence[float], ys: Sequence[float]) -> str:
    return " ".join(f"{across.at(x)},{upright.at(y)}" for x, y in zip(xs, ys, strict=True))
