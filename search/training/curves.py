"""The figures of a training's epochs as curves that a page draws, while it runs and afterwards."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

WIDTH, HEIGHT = 300, 90
_TITLES = {
    "loss": _("Loss"),
    "valid_map": _("mAP among validation images"),
    "valid_accuracy": _("Accuracy on validation images"),
    "valid_loss": _("Loss on validation images"),
}


@dataclass(frozen=True, kw_only=True)
class Curve:
    """One figure over the epochs. points: x,y pairs of an SVG polyline in a box of WIDTH by HEIGHT."""

    title: str | Promise
    points: str
    least: float
    most: float
    last: float
    n_epochs: int


def curves(history: Sequence[dict[str, float]]) -> list[Curve]:
    """Return a curve for each figure that the epochs have."""
    names = [name for name in _TITLES if history and all(name in entry for entry in history)]
    return [_curve(_TITLES[name], [entry[name] for entry in history]) for name in names]


def _curve(title: str | Promise, values: list[float]) -> Curve:
    least, most = min(values), max(values)
    step = WIDTH / max(1, len(values) - 1)
    scale = HEIGHT / (most - least) if most > least else 0.0
    points = " ".join(
        f"{place * step:.1f},{HEIGHT - (value - least) * scale:.1f}" for place, value in enumerate(values)
    )
    return Curve(title=title, points=points, least=least, most=most, last=values[-1], n_epochs=len(values))
