"""Pictures of a fit: convergence, and the function with its knots or fold lines.

matplotlib is imported where it is used; no global setting is changed.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .plot_basics import BLUE, GREY, ORANGE, new_axes, plain
from .plot_certificate import plot_certificate
from .plot_convergence import plot_convergence
from .problems import RadonTVProblem, RidgeSpline
from .wording import counted

__all__ = ["plot_certificate", "plot_convergence", "plot_function"]

Array = NDArray[np.float64]


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
    names = [plain(name) for name in feature_names or [f"input {k + 1}" for k in range(d)]]
    draw = _curve if d == 1 else _map
    return draw(new_axes(ax), X, y, network.merged(), names, plain(target_name))


def _curve(ax: Any, X: Array, y: Array, network: RidgeSpline, names: list[str], target: str) -> Any:
    """Draw the curve, its knots and the data."""
    x = X[:, 0]
    margin = 0.04 * (float(np.ptp(x)) or 1.0)
    low, high = x.min() - margin, x.max() + margin
    knots = np.sort(network.biases / network.weights[:, 0])
    knots = knots[(knots >= low) & (knots <= high)]
    grid = np.concatenate([[low], knots, [high]])  # the function is linear in between
    ax.plot(x, y, "o", ms=4, color=GREY, alpha=0.6, mew=0, label=f"data ({counted(len(y), 'row')})")
    ax.plot(grid, network(grid[:, None]), color=BLUE, lw=2, label="fit")
    if len(knots):
        ax.plot(
            knots, network(knots[:, None]), "D", ms=7, color=ORANGE, mec="white", mew=0.8,
            ls="none", label=f"{counted(len(knots), 'knot')}, one for each neuron",
        )  # fmt: skip
    _widen_if_constant(ax, y)
    ax.set_xlabel(names[0])
    ax.set_ylabel(target)
    pieces = "straight pieces between the knots" if len(knots) else "a straight line, no neurons"
    ax.set_title(f"The fit: {pieces}", fontsize=11)
    ax.legend(frameon=False, fontsize=9)
    return ax


def _widen_if_constant(ax: Any, y: Array) -> None:
    """Show targets that do not vary on an axis that does not magnify rounding."""
    middle, half = float(y.mean()), max(abs(float(y.mean())), 1.0)
    if np.ptp(y) <= 1e-9 * half:
        ax.set_ylim(middle - half, middle + half)


def _map(ax: Any, X: Array, y: Array, network: RidgeSpline, names: list[str], target: str) -> Any:
    """Draw filled contours, fold lines and the data."""
    from matplotlib.ticker import MaxNLocator

    span = np.ptp(X, axis=0)
    span = np.where(span > 0, span, 1.0)
    low, high = X.min(axis=0) - 0.05 * span, X.max(axis=0) + 0.05 * span
    axes = [np.linspace(low[k], high[k], 200) for k in range(2)]
    points = np.stack(np.meshgrid(*axes), axis=-1).reshape(-1, 2)
    values = network(points).reshape(200, 200)
    least, most = min(values.min(), y.min()), max(values.max(), y.max())
    size = max(abs(least), abs(most), 1.0)
    if most - least <= 1e-9 * size:  # constant: without magnifying rounding
        least, most = least - size, most + size
    limits = {"vmin": least, "vmax": most}
    filled = ax.contourf(
        *axes, values, levels=MaxNLocator(20).tick_values(least, most), cmap="cividis", **limits
    )
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
        f"The fit, folded along {counted(network.n_neurons, 'line')}\n"
        "(solid: bends upwards, dashed: bends downwards; width: how sharply)"
        if network.n_neurons
        else "The fit: a plane, no neurons",
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
