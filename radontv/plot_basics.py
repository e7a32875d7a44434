"""What all pictures share: axes, colours, and names that are drawn as they are."""

from __future__ import annotations

from typing import Any

from .problems import Certificate

BLUE, ORANGE, GREEN, GREY = "#0072B2", "#D55E00", "#009E73", "#7F7F7F"
"""Colours of Okabe and Ito, told apart with every kind of colour vision."""

LONGEST_NAME = 28


def new_axes(ax: Any, size: tuple[float, float] = (7.0, 4.6)) -> Any:
    """Return `ax`, or new axes in a figure of their own that pyplot does not keep."""
    if ax is not None:
        return ax
    from matplotlib.figure import Figure

    return Figure(figsize=size, dpi=100, layout="constrained").add_subplot()


def plain(name: object) -> str:
    """Return a name for a picture: on one line, not too long, and without formulas.

    matplotlib reads what stands between two signs $ as a formula.
    """
    text = " ".join(str(name).split())
    if len(text) > LONGEST_NAME:
        text = text[: LONGEST_NAME - 1] + "…"
    return text.replace("$", r"\$")


def gap_in_words(certificate: Certificate) -> str:
    """Return the relative gap, or the absolute one where it is no more than rounding."""
    if certificate.relative_gap == 0.0 < certificate.gap:
        return f"gap {certificate.gap:.1e} in all, within rounding"
    return f"relative gap {certificate.relative_gap:.1e}"
