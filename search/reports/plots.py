"""A plot as a page draws it in SVG: axes, lines, bars and points in a box, finished for a template.

Drawn here and not by a library, because a page colours a plot by its theme, and tells and links what is pointed at,
under a policy that allows no style in attributes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from math import ceil, floor, log10

from search.language.numbers import localised

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
        return [Tick(at=self.at(value), words=localised(f"{value:.6g}")) for value in inside]

    def _scaled(self, value: float) -> float:
        return log10(value) if self.is_logarithmic else value


def _round_step(step: float) -> float:
    power = 10.0 ** floor(log10(step)) if step > 0 else 1.0
    return next(power * factor for factor in (1, 2, 5, 10) if power * factor >= step * (1 - 1e-9))


def points(across: Axis, upright: Axis, xs: Sequence[float], ys: Sequence[float]) -> str:
    """Return places as the points of a line."""
    return " ".join(f"{across.at(x)},{upright.at(y)}" for x, y in zip(xs, ys, strict=True))
