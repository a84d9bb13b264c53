"""The plots of evaluations: which figures on which axes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.utils.translation import gettext as _

from search.evaluation.comparing import MEASURES, Comparison, Row
from search.language.numbers import decimal, percent, whole
from search.reports.plots import BOTTOM, HEIGHT, N_COLOURS, Axis, Mark, Plot, Tick, points

SHARES_ACROSS = Axis(least=0, most=1)
SHARES_UP = Axis(least=0, most=1, is_upright=True)


def precision_recall(named: Sequence[tuple[str, Sequence[Sequence[float]]]]) -> Plot:
    """Draw precision over recall of one or more encoders. named: name, (levels of recall, precisions)."""
    lines = [
        Mark(number=place % N_COLOURS, title=name, points=points(SHARES_ACROSS, SHARES_UP, levels, precisions))
        for place, (name, (levels, precisions)) in enumerate(named)
    ]
    told = "; ".join(
        _("%(name)s: %(first)s to %(last)s")
        % {"name": name, "first": decimal(curve[1][0], 2), "last": decimal(curve[1][-1], 2)}
        for name, curve in named
    )
    return Plot(
        title=_("Precision over recall"),
        summary=_("Precision from the first relevant image to the last. %(told)s.") % {"told": told},
        x_words=_("Recall"),
        y_words=_("Precision"),
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
        title=_("Pairs of the same class and of another"),
        summary=_("%(n)s pairs of the same class and %(n_other)s of another, by how alike they are.")
        % {"n": whole(sum(both[0])), "n_other": whole(sum(both[1]))},
        x_words=_("Similarity") if is_cosine else _("Distance"),
        y_words=_("Share of the pairs"),
        x_ticks=across.ticks(),
        y_ticks=upright.ticks(),
        bars=bars,
        keys=[(0, _("same class")), (1, _("another class"))],
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
            title=_("%(n)s hits that promised %(promised)s: %(kept)s were of the same class")
            % {"n": whole(one["n"]), "promised": percent(one["promised"]), "kept": percent(one["kept"])},
        )
        for one in bins
    ]
    line = points(SHARES_ACROSS, SHARES_UP, *zip(*((one["promised"], one["kept"]) for one in bins), strict=True))
    return Plot(
        title=_("Promised and kept"),
        summary=_("Of %(n)s hits, promises are off by %(error)s on average.")
        % {"n": whole(found["n_pairs"]), "error": percent(found["error"], 1)},
        x_words=_("Promised chance of the same class"),
        y_words=_("Share that was right"),
        x_ticks=SHARES_ACROSS.ticks(),
        y_ticks=SHARES_UP.ticks(),
        lines=[Mark(number=11, points=points(SHARES_ACROSS, SHARES_UP, (0, 1), (0, 1))), Mark(points=line)],
        dots=dots,
    )


def chances(found: dict[str, Any], *, is_cosine: bool) -> Plot:
    """Draw the chance of the same class over similarity. found: a calibration, as JSON keeps it."""
    values = [1 - one if is_cosine else one for one in found["distances"]]
    across = Axis(least=min(values), most=max(values))
    highest, lowest = found["probabilities"][0], found["probabilities"][-1]
    return Plot(
        title=_("What a similarity is worth") if is_cosine else _("What a distance is worth"),
        summary=_("The chance of the same class: %(lowest)s for the farthest hits, %(highest)s for the nearest.")
        % {"lowest": percent(lowest), "highest": percent(highest)},
        x_words=_("Similarity") if is_cosine else _("Distance"),
        y_words=_("Chance of the same class"),
        x_ticks=across.ticks(),
        y_ticks=SHARES_UP.ticks(),
        lines=[Mark(points=points(across, SHARES_UP, values, found["probabilities"]))],
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
            title=f"{row.name}: {_of(row, comparison.measure, 3)}, {_of(row, 'latency_ms', 1)} ms",
        )
        for place, row in enumerate(rows)
    ]
    return [
        Plot(
            title=_("%(measure)s against latency") % {"measure": MEASURES[comparison.measure]},
            summary="; ".join(dot.title for dot in dots) + ".",
            x_words=_("Latency of a search from file to hits, ms"),
            y_words=str(MEASURES[comparison.measure]),
            x_ticks=across.ticks(),
            y_ticks=SHARES_UP.ticks(),
            dots=dots,
            keys=[(dot.number, dot.words) for dot in dots],
        )
    ]


def _of(row: Row, name: str, digits: int) -> str:
    return decimal(row.values[name] or 0.0, digits)


def over_time(values: Sequence[tuple[str, float]], title: str, least: float = 0.0) -> Plot:
    """Draw figures of 0 to 1 in the order of their dates. values: date, figure."""
    across = Axis(least=0, most=max(1, len(values) - 1))
    upright = Axis(least=least, most=1, is_upright=True)
    marks = [
        Mark(x=across.at(place), y=upright.at(max(least, value)), title=f"{date}: {decimal(value, 3)}")
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
