"""Template filters for pictures."""

from datetime import timedelta

from django import template

from search.language import numbers
from search.language.numbers import decimal

register = template.Library()

# static/css/grid.css has one class for each step of 5 % between these; wider and taller pictures get bars.
NARROWEST, WIDEST, STEP = 60, 240, 5


@register.filter
def ratio_class(width: int, height: int) -> str:
    """Return the class that gives a tile a picture's proportions, as styles in attributes are not allowed here."""
    percent = 100 * width / height if height else 100
    step = STEP * round(percent / STEP)
    if step < NARROWEST or step > WIDEST:
        return f"r{min(max(step, NARROWEST), WIDEST)} has-bars"
    return f"r{step}"


@register.filter
def phash_hex(bits: str) -> str:
    """Write a perceptual hash of 64 bits as 16 hexadecimal digits."""
    return f"{int(bits, 2):016x}"


@register.filter
def short_duration(duration: timedelta) -> str:
    """Write how long something took: 850 ms, 4.2 s, 3 min 5 s, 2 h 7 min."""
    seconds = max(0.0, duration.total_seconds())
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 60:
        return f"{decimal(seconds, 1)} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


@register.filter
def milliseconds(ms: float) -> str:
    """Write a time in milliseconds, with one decimal where it is short: 3.4 ms, 91 ms."""
    return f"{decimal(ms, 1 if ms < 9.95 else 0)} ms"


@register.filter
def listed(value: object) -> object:
    """Write a list as its members with commas; leave all else as it is."""
    return ", ".join(map(str, value)) if isinstance(value, list) else value


@register.filter
def percent(share: float) -> str:
    """Write a share of 0 to 1 as a percentage: 83.1 %."""
    return numbers.percent(share, 1)


@register.filter
def lookup(key: object, mapping: dict[object, object]) -> object:
    """Return what a mapping has under a key; nothing where it has none."""
    return mapping.get(key, "")
