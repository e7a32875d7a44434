"""Pictures of a fit: convergence, and the function with its knots or fold lines.

matplotlib is imported where it is used; no global setting is changed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .plot_certificate import plot_certificate
from .problems import Certificate, RadonTVProblem, RidgeSpline

__all__ = ["plot_certificate", "plot_convergence", "plot_function"]

Array = NDArray[np.float64]

BLUE, ORANGE, GREEN, GREY = "#0072B2", "#D55E00", "#009E73", "#7F7F7F"
"""Colours of Okabe and Ito, told apart with every kind of colour vision."""


def new_axes(ax: Any, size: tuple[float, float] = (7.0, 4.6)) -> Any:
    """Return `ax`, or new axes in a figure of their own that pyplot does not keep."""
    if ax is not None:
        return ax
    from matplotlib.figure import Figure

    return Figure(figsize=size, dpi=100, layout="constrained").add_subplot()


def plot_convergence(
    history: Sequence[Any], ax: Any = None, *, certificate: Certificate | None = None
) -> Any:
    """Draw how objective and lower bound close in on the optimum.

    With P and D the last objective and the best lower bound, the curves are

        (objective - D) / P    and    (P - lower bound) / P

    on a logarithmic scale against seconds: the first is the most that the network of that moment
    could still gain, and both end at the final relative gap. Bounds that are proved (scope
    global) and bounds that rest on a search (local) are separate curves.

    Parameters
    ----------
    history : sequence of Event or of dict
        As kept by `Solution.history` or `RadonTVRegressor.history_`.
    ax : matplotlib Axes, default=None
    certificate : Certificate, default=None
        Of the returned network, for the title; otherwise the title quotes the last round.

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
    best_primal, best_dual = float(primal[-1]), float(dual.max())
    scale = max(abs(best_primal), np.finfo(np.float64).tiny)
    floor = 0.5 * max(float(min(r["gap"] for r in records)), 1e-16)
    everywhere = np.ones_like(proved)
    for values, colour, which, label in (
        (primal - best_dual, ORANGE, everywhere, "objective, above the best lower bound"),
        (
            best_primal - dual,
            BLUE,
            ~proved,
            "lower bound from a search (local), below the objective",
        ),
        (best_primal - dual, GREEN, proved, "proved lower bound (global), below the objective"),
    ):
        if which.any():
            height = np.maximum(values[which] / scale, floor)
            fill = "white" if colour == BLUE else colour
            ax.plot(seconds[which], height, "o-", ms=5, color=colour, mfc=fill, label=label)
    ax.set_yscale("log")
    ax.set_xlim(0.0, 1.03 * max(float(seconds[-1]), 1e-3))
    ax.set_xlabel("seconds since the start")
    ax.set_ylabel("distance, as a fraction of the final objective")
    scope, gap = str(records[-1]["scope"]), float((best_primal - dual[-1]) / scale)
    best_dual = float(dual[-1])
    if certificate is not None:
        scope, gap = certificate.scope.value, certificate.relative_gap
        best_primal, best_dual = certificate.primal, certificate.dual
    meaning = "proved over all neurons" if scope == "global" else "from a search, not proved"
    ax.set_title(
        f"Relative gap at the end: {gap:.1e} ({meaning})\n"
        f"objective {best_primal:.9g}, optimum at least {best_dual:.9g}",
        fontsize=11,
    )
    ax.grid(alpha=0.3)
    ax.legend(frameon=False, fontsize=9)
    return ax


def plot_function(
    data: RadonTVProblem | tuple[Any, Any],
    network: RidgeSpline,
    ax: Any = None,
    *,
    feature_names: Sequence[str] | None = None,
    target_name: str = "y",
) -> Any:
    """Draw a function of one or two inputs with its knots or fold lines, and the data.

    Parameters
    ----------
    data : RadonTVProblem or tuple (X, y)
        In the units of `network`.
    network : RidgeSpline
        For one input the knots b_k / w_k are marked, for two inputs the fold lines w_k.x = b_k.
    ax : matplotlib Axes, default=None
    feature_names : sequence of str, default=None
    target_name : str, default="y"

    Returns
    -------
    matplotlib Axes

    Raises
    ------
    ValueError
        For more than two inputs.
    """
    X, y = (data.X, data.y) if isinstance(data, RadonTVProblem) else map(np.asarray, data)
    d = network.n_features
    if d > 2:
        raise ValueError(f"a function of {d} inputs cannot be drawn; use plot_certificate.")
    names = list(feature_names or [f"input {k + 1}" for k in range(d)])
    draw = _curve if d == 1 else _map
    return draw(new_axes(ax), X, y, network.merged(), names, target_name)


def _curve(ax: Any, X: Array, y: Array, network: RidgeSpline, names: list[str], target: str) -> Any:
    """Draw the curve, its knots and the data."""
    x = X[:, 0]
    margin = 0.04 * (float(np.ptp(x)) or 1.0)
    low, high = x.min() - margin, x.max() + margin
    knots = np.sort(network.biases / network.weights[:, 0])
    knots = knots[(knots >= low) & (knots <= high)]
    grid = np.concatenate([[low], knots, [high]])  # the function is linear in between
    ax.plot(x, y, "o", ms=4, color=GREY, alpha=0.6, mew=0, label=f"data ({len(y)} rows)")
    ax.plot(grid, network(grid[:, None]), color=BLUE, lw=2, label="fit")
    ax.plot(
        knots, network(knots[:, None]), "D", ms=7, color=ORANGE, mec="white", mew=0.8,
        ls="none", label=f"knots, one for each of {network.n_neurons} neurons",
    )  # fmt: skip
    ax.set_xlabel(names[0])
    ax.set_ylabel(target)
    ax.set_title("The fit: straight pieces between the knots", fontsize=11)
    ax.legend(frameon=False, fontsize=9)
    return ax


def _map(ax: Any, X: Array, y: Array, network: RidgeSpline, names: list[str], target: str) -> Any:
    """Draw filled contours, fold lines and the data."""
    from matplotlib.ticker import MaxNLocator

    span = np.ptp(X, axis=0)
    span = np.where(span > 0, span, 1.0)
    low, high = X.min(axis=0) - 0.05 * span, X.max(axis=0) + 0.05 * span
    axes = [np.linspace(low[k], high[k], 200) for k in range(2)]
    points = np.stack(np.meshgrid(*axes), axis=-1).reshape(-1, 2)
    values = network(points).reshape(200, 200)
    limits = {"vmin": min(values.min(), y.min()), "vmax": max(values.max(), y.max())}
    levels = MaxNLocator(20).tick_values(limits["vmin"], limits["vmax"])
    filled = ax.contourf(*axes, values, levels=levels, cmap="cividis", **limits)
    ax.figure.colorbar(filled, ax=ax, label=f"{target}: fit (surface) and data (dots)")
    top = float(np.abs(network.amplitudes).max(initial=0.0)) or 1.0
    for a, w, b in zip(network.amplitudes, network.weights, network.biases, strict=True):
        ends = fold_line(w, float(b), low, high)
        if ends is not None:
            ax.plot(
                ends[:, 0], ends[:, 1], color="white", lw=0.8 + 2.2 * abs(a) / top,
                ls="-" if a > 0 else "--",
            )  # fmt: skip
    ax.scatter(
        X[:, 0], X[:, 1], c=y, cmap="cividis", s=22, edgecolors="black", linewidths=0.6,
        zorder=3, **limits,
    )  # fmt: skip
    ax.set(xlim=(low[0], high[0]), ylim=(low[1], high[1]), xlabel=names[0], ylabel=names[1])
    ax.set_title(
        f"The fit, folded along {network.n_neurons} lines\n"
        "(solid: bends upwards, dashed: bends downwards; width: how sharply)",
        fontsize=11,
    )
    return ax


def fold_line(w: Array, b: float, low: Array, high: Array) -> Array | None:
    """Return the ends (2, 2) of the line w.x = b inside the box [low, high], None if outside."""
    found = []
    for axis in range(2):
        other = 1 - axis
        if w[other] == 0.0:
            continue
        for edge in (low[axis], high[axis]):
            value = (b - w[axis] * edge) / w[other]
            if low[other] <= value <= high[other]:
                found.append((edge, value) if axis == 0 else (value, edge))
    if len(found) < 2:
        return None
    points = np.array(found)
    along = points @ np.array([-w[1], w[0]])
    return points[[int(np.argmin(along)), int(np.argmax(along))]]
