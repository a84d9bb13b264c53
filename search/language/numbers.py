"""Numbers as the language of the page writes them. In commands and for programs that is English."""

from __future__ import annotations

from django.utils.formats import number_format


def localised(written: str) -> str:
    """Return a number that is written the English way, 1,234.5, as the page's language writes it."""
    sign = written[0] if written[:1] in "+-−" else ""
    digits = written[len(sign) :].replace(",", "")
    return sign + str(number_format(digits, force_grouping="," in written))


def whole(n: int) -> str:
    """Return a whole number with its thousands apart."""
    return localised(f"{n:,}")


def decimal(value: float, digits: int) -> str:
    """Return a number with so many decimals."""
    return localised(f"{value:,.{digits}f}")


def percent(share: float, digits: int = 0) -> str:
    """Return a share of 0 to 1 as a percentage: 83 %."""
    return f"{decimal(100 * share, digits)}\N{NO-BREAK SPACE}%"
