"""Template filters for the figures of evaluations."""

from django import template

from search.language.numbers import localised
from search.reports import exporting

register = template.Library()


@register.filter
def figure(value: float | None, name: str) -> str:
    """Write a value of a column of a comparison; a dash where there is none."""
    return exporting.written(name, value) or "–"


@register.filter
def signed(value: float) -> str:
    """Write a difference with its sign: +0.031, −0.120."""
    return localised(f"{value:+.3f}".replace("-", "−"))
