"""How objective and lower bounds close in on the optimum, over time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .plot_basics import BLUE, GREEN, GREY, ORANGE, gap_in_words, new_axes
from .problems import Certificate

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]

SLACK = 1e-9
"""Bounds that differ by less than this, relative to the objective, count as equal."""


def plot_convergence(
    history: Sequence[Any], ax: Any = None, *, certificate: Certificate | None = None
) -> Any:
    """Draw how objective and lower bound close in on the optimum.

    With P and D the objective and the lower bound at the end, the curves are

        (objective - D) / P    and    (P - lower bound) / P

    on a logarithmic scale against seconds: the first is the most that the network of that moment
    could still gain, as far as D tells, and ends at the final relative gap. Bounds that are
    proved (scope global) and bounds that rest on a search (local) are separate curves; a proof
    that takes long shows its progress. A local bound that a later one refutes is crossed out.
    What is zero up to rounding has no place on a logarithmic scale and stands at the bottom.

    Parameters
    ----------
    history : sequence of Event or of dict
        As kept by `Solution.history` or `RadonTVRegressor.history_`.
    ax : matplotlib Axes, default=None
    certificate : Certificate, default=None
        Of the returned network; otherwise P and D are those of the last event.

    Returns
    -------
    matplotlib Axes
    """
    ax = new_axes(ax)
    if not history:
        ax.text(0.5, 0.5, "no rounds recorded", ha="center", va="center", transform=ax.transAxes)
        return ax
    records = [event if isinstance(event, Mapping) else event.to_dict() for event in history]
    seconds, primal, dual = (
        np.array([record[name] for record in records], dtype=np.float64)
        for name in ("seconds", "primal", "dual")
    )
    proved = np.array([record["scope"] == "global" for record in records])
    proving = np.array([record.get("stage") == "proving" for record in records])
    scope, P, D = str(records[-1]["scope"]), float(primal[-1]), float(dual[-1])
    gap, rounding = f"Relative gap at the end: {records[-1]['gap']:.1e}", 0.0
    if certificate is not None:
        scope, P, D = certificate.scope.value, certificate.primal, certificate.dual
        gap, rounding = f"At the end: {gap_in_words(certificate)}", certificate.resolution
    size = max(abs(P), np.finfo(np.float64).tiny)
    limit = min(P, D) if scope == "local" else P
    refuted = ~proved & _refuted(dual, ~proved, limit, SLACK * size + rounding)
    held = ~proved & ~refuted
    zero = max(rounding / size, 1e-16)
    worth = "proved" if scope == "global" else "not proved"
    below = "below the final objective"
    curves = [
        (~proving, primal - D, ORANGE, f"objective, above the final bound ({worth})"),
        (held, P - dual, BLUE, f"lower bound from a search (local), {below}"),
        (proved, P - dual, GREEN, f"proved lower bound (global), {below}"),
    ]
    heights = np.concatenate([values[which] / size for which, values, _, _ in curves])
    floor = 0.3 * float(heights[heights > zero].min(initial=1.0))
    for which, values, colour, label in curves:
        if which.any():
            style = {"color": colour, "mfc": "white" if colour == BLUE else colour}
            ends = ~proving[which] & (colour == GREEN)  # one line for each proof
            height, dots = values[which] / size, ~proving[which]
            _draw(ax, seconds[which], height, dots, ends, zero, floor, style)
            ax.plot([], [], "o-", ms=5, label=label, **style)
    if (heights <= zero).any():
        ax.plot([], [], "v", ms=6, color=GREY, label="(at the bottom: zero up to rounding)")
    if refuted.any():
        gone = refuted & (P - dual > zero * size)
        ax.plot(
            seconds[gone], (P - dual[gone]) / size, "x", ms=6, color=GREY, gid="refuted",
            label="lower bound from a search, refuted later",
        )  # fmt: skip
    ax.set_yscale("log")
    ax.set_ylim(bottom=0.6 * floor)
    ax.set_xlim(0.0, 1.03 * max(float(seconds[-1]), 1e-3))
    ax.set_xlabel("seconds since the start")
    ax.set_ylabel("distance, as a fraction of the final objective")
    meaning = "proved over all neurons" if scope == "global" else "from a search, not proved"
    ax.set_title(
        f"{gap} ({meaning})\nobjective {P:.9g}, optimum at least {D:.9g}",
        fontsize=11,
    )
    ax.grid(alpha=0.3)
    ax.legend(frameon=False, fontsize=9)
    return ax


def _refuted(dual: Array, local: Mask, limit: float, slack: float) -> Mask:
    """Return which bounds cannot hold: above a later local one, or above the limit."""
    later = np.where(local, dual, np.inf)
    later = np.minimum.accumulate(later[::-1])[::-1]
    return np.asarray(dual > np.minimum(later, limit) + slack)


def _draw(
    ax: Any, x: Array, height: Array, dots: Mask, ends: Mask, zero: float, floor: float, style: Any
) -> None:
    """Draw one curve with dots at `dots`, and triangles at the bottom where it is zero.

    `ends` tells after which points the line is interrupted.
    """
    vanishing = height <= zero
    after = np.flatnonzero(ends) + 1
    line = np.insert(np.where(vanishing, np.nan, height), after, np.nan)
    ax.plot(np.insert(x, after, np.nan), line, "-", color=style["color"])
    ax.plot(x[dots & ~vanishing], height[dots & ~vanishing], "o", ms=5, **style)
    low = x[dots & vanishing]
    ax.plot(low, np.full(len(low), floor), "v", ms=6, **style)
