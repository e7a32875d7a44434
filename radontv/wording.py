"""Small things that sentences are made of."""

from __future__ import annotations


def counted(count: int, noun: str) -> str:
    """Return "1 row", "2 rows"."""
    return f"{count} {noun}{'s' if count != 1 else ''}"


def percent(fraction: float) -> str:
    """Return the fraction in per cent with two significant digits."""
    fraction = min(fraction, 1.0)  # no objective is negative
    return f"{100 * fraction:.2g} %" if fraction >= 1e-6 else f"{100 * fraction:.0e} %"
