"""The certificate in the Radon domain: abs(eta) / alpha over directions and offsets."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .problems import Certificate, RadonTVProblem, RidgeSpline

Array = NDArray[np.float64]

UP, DOWN, LINE, ABOVE = "#E69F00", "#56B4E9", "#0072B2", "#D00000"
"""Neurons with a > 0, with a < 0, curves, and places where the certificate fails."""
_ANGLES, _OFFSETS = 361, 301


def plot_certificate(
    problem: RadonTVProblem,
    network: RidgeSpline,
    ax: Any = None,
    *,
    certificate: Certificate | None = None,
    feature_names: Sequence[str] | None = None,
    inputs: str = "inputs",
) -> Any:
    """Draw |eta(w, b)| / alpha and mark the neurons, where it must touch 1.

    eta(w, b) = sum_i q_i relu(w.x_i - b) for the dual point q of the network. The network is
    optimal if |eta| <= alpha everywhere and eta(w_k, b_k) = alpha sign(a_k) at its neurons.
    (w, b) and (-w, -b) have the same eta and are shown once.

    One input: the curve eta(b) / alpha. Two inputs: a map over the angle of w and the offset b.
    More inputs: the map over the directions in one plane, see `slice_plane`; neurons appear at
    the angle of their projection, fainter the less of them lies in the plane, and only those that
    lie in it have to touch 1 in the picture.

    Parameters
    ----------
    problem : RadonTVProblem
    network : RidgeSpline
        In the units of `problem`.
    ax : matplotlib Axes, default=None
    certificate : Certificate, default=None
        If given, its gap and scope are written above the picture.
    feature_names : sequence of str, default=None
    inputs : str, default="inputs"
        What the offsets are measured in, for example "standardised inputs".

    Returns
    -------
    matplotlib Axes
    """
    from .plotting import new_axes

    merged = network.merged()
    q = problem.dual_point(network)
    names = list(feature_names or [f"input {k + 1}" for k in range(problem.n_features)])
    if problem.n_features == 1:
        ax = _draw_curve(new_axes(ax), problem, merged, q, names[0], inputs)
        ax.set_title(_headline(problem, merged, q, certificate), fontsize=11)
    elif problem.n_features == 2:
        ax = _draw_map(new_axes(ax), problem, merged, q, np.eye(2))
        ax.set_xlabel(f"direction w: degrees from {names[0]!r} towards {names[1]!r}")
        ax.set_ylabel(f"offset from the centre (in {inputs})")
        ax.set_title(_headline(problem, merged, q, certificate), fontsize=11)
    else:
        ax = _draw_slice(new_axes(ax, (7.4, 5.6)), problem, merged, q, inputs, certificate)
    return ax


def _headline(
    problem: RadonTVProblem, network: RidgeSpline, q: Array, certificate: Certificate | None
) -> str:
    """Return how well the conditions of optimality hold."""
    parts = ["no neurons: the fit is affine"]
    if network.n_neurons:
        values = np.abs(problem.eta(q, network.weights, network.biases)) / problem.alpha
        parts = [
            rf"$|\eta|/\alpha$ at {_count(network.n_neurons)}: {values.min():.6f} to "
            f"{values.max():.6f}"
        ]
    if certificate is not None:
        worth = "proved" if certificate.scope.value == "global" else "from a search, not proved"
        parts.append(f"relative gap {certificate.relative_gap:.1e} ({worth})")
    return "\n".join(parts)


def _count(n: int) -> str:
    return f"the {n} neuron{'s' if n != 1 else ''}"


def _percent(share: float) -> str:
    """Return the share in per cent, rounded down, so that 100 % means all."""
    return f"{np.floor(1000 * share + 1e-6) / 10:g} %"


def profile(projections: Array, q: Array, offsets: Array) -> Array:
    """Return eta(b) = sum_i q_i relu(p_i - b) at the offsets, exact between the knots p_i."""
    order = np.argsort(projections)
    knots, weights = projections[order], q[order]
    mass = np.cumsum(weights[::-1])[::-1]
    moment = np.cumsum((weights * knots)[::-1])[::-1]
    return np.interp(offsets, knots, moment - mass * knots, left=0.0, right=0.0)


def _draw_curve(
    ax: Any, problem: RadonTVProblem, network: RidgeSpline, q: Array, name: str, inputs: str
) -> Any:
    """Draw eta(b) / alpha for one input, w = 1."""
    knots = np.unique(problem.X[:, 0])
    ax.axhspan(-1.0, 1.0, color="#EEEEEE", zorder=0)
    for level in (-1.0, 1.0):
        ax.axhline(level, color="black", lw=1, ls="--", zorder=1)
    ax.plot(
        knots, profile(problem.X[:, 0], q, knots) / problem.alpha, color=LINE, lw=1.8,
        label=r"$\eta(b)/\alpha$",
    )  # fmt: skip
    offsets = network.biases * network.weights[:, 0]
    values = problem.eta(q, np.ones((len(offsets), 1)), offsets) / problem.alpha
    for colour, which, text in (
        (UP, network.amplitudes > 0, "knots that bend upwards"),
        (DOWN, network.amplitudes < 0, "knots that bend downwards"),
    ):
        if which.any():
            ax.plot(
                offsets[which], values[which], "o", ms=8, color=colour, mec="black", ls="none",
                label=f"{text} ({which.sum()})", gid="neurons", zorder=4,
            )  # fmt: skip
    ax.set_xlabel(f"offset b: place of a knot on {name!r} (in {inputs})")
    ax.set_ylabel(r"certificate $\eta(b)/\alpha$ (optimal: within $\pm 1$)")
    return _legend_below(ax)


def _legend_below(ax: Any) -> Any:
    """Put the legend, if there is anything in it, where it hides nothing."""
    if ax.get_legend_handles_labels()[0]:
        ax.legend(
            frameon=False, fontsize=9, ncols=3, loc="upper center", bbox_to_anchor=(0.5, -0.13)
        )
    return ax


def _draw_map(
    ax: Any, problem: RadonTVProblem, network: RidgeSpline, q: Array, plane: Array
) -> Any:
    """Draw the map over w = plane (cos t, sin t), -90 <= t < 90 degrees, and the neurons."""
    from matplotlib import colormaps
    from matplotlib.colors import BoundaryNorm

    points = (problem.X - problem.affine.mean) @ plane
    reach = float(np.linalg.norm(points[problem.s > 0], axis=1).max(initial=0.0)) or 1.0
    angles = np.linspace(-np.pi / 2, np.pi / 2, _ANGLES)
    offsets = np.linspace(-reach, reach, _OFFSETS)
    heights = np.empty((_OFFSETS, _ANGLES))
    for k, t in enumerate(angles):
        direction = np.array([np.cos(t), np.sin(t)])
        heights[:, k] = np.abs(profile(points @ direction, q, offsets)) / problem.alpha
    levels = np.array([0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99, 1.001])
    colours = colormaps["cividis"].with_extremes(over=ABOVE)
    filled = ax.pcolormesh(
        np.degrees(angles), offsets, heights, cmap=colours, shading="nearest",
        norm=BoundaryNorm(levels, 256, extend="max"),
        rasterized=True,
    )  # fmt: skip
    bar = ax.figure.colorbar(
        filled, ax=ax, ticks=levels, label=r"$|\eta|/\alpha$ (red: above 1, not optimal)"
    )
    bar.set_ticklabels([f"{level:g}" for level in levels[:-1]] + ["1"])
    ax.set_xticks(range(-90, 91, 30))
    return _draw_neurons(ax, network, plane, network.biases - network.weights @ problem.affine.mean)


def _draw_neurons(ax: Any, network: RidgeSpline, plane: Array, offset: Array) -> Any:
    """Mark neurons at the angle of their projection, opaque as far as they lie in the plane."""
    flat = network.weights @ plane
    share = (flat**2).sum(axis=1)
    angle = np.arctan2(flat[:, 1], flat[:, 0])
    flip = (angle < -np.pi / 2) | (angle > np.pi / 2 - 1e-9)
    angle = np.mod(angle + np.pi / 2 + 1e-9, np.pi) - np.pi / 2
    offset = np.where(flip, -offset, offset)
    size = 30 + 120 * np.abs(network.amplitudes) / (np.abs(network.amplitudes).max(initial=0) or 1)
    for colour, which, text in (
        (UP, network.amplitudes > 0, "neurons that bend upwards"),
        (DOWN, network.amplitudes < 0, "neurons that bend downwards"),
    ):
        if which.any():
            ax.scatter(
                np.degrees(angle[which]), offset[which], s=size[which], c=colour,
                alpha=np.clip(share[which], 0.08, 1.0), edgecolors="black", linewidths=1.0,
                gid="neurons", zorder=4,
            )  # fmt: skip
            ax.plot([], [], "o", color=colour, mec="black", label=f"{text} ({which.sum()})")
    return _legend_below(ax)


def slice_plane(problem: RadonTVProblem, network: RidgeSpline) -> tuple[Array, float]:
    """Return an orthonormal basis (d, 2) of a plane of directions, and its share of the mass.

    The plane contains the neuron with the largest |a_k|, and that second neuron for which

        share = sum_k |a_k| ||P^T w_k||^2 / sum_k |a_k|

    is largest. With fewer than two neurons, principal axes of the data fill the plane.
    """
    axes = np.linalg.svd(problem.X - problem.affine.mean, full_matrices=True)[2]
    order = np.argsort(-np.abs(network.amplitudes), kind="stable")
    mass = np.abs(network.amplitudes)
    first = network.weights[order[0]] if len(order) else axes[0]
    best, best_share = None, -1.0
    for second in [*network.weights[order[1:]], *axes[:2]]:
        rest = second - (first @ second) * first
        length = float(np.linalg.norm(rest))
        if length < 1e-6:
            continue
        plane = np.column_stack([first, rest / length])
        share = float(mass @ ((network.weights @ plane) ** 2).sum(axis=1)) / (mass.sum() or 1.0)
        if share > best_share * (1 + 1e-9):
            best, best_share = plane, share
    if best is None:
        raise ValueError("a plane of directions needs at least two features.")
    return best, best_share


def _draw_slice(
    ax: Any,
    problem: RadonTVProblem,
    network: RidgeSpline,
    q: Array,
    inputs: str,
    certificate: Certificate | None,
) -> Any:
    """Draw the map of one plane of directions, and say how little or how much it shows."""
    plane, share = slice_plane(problem, network)
    ax = _draw_map(ax, problem, network, q, plane)
    inside = int((((network.weights @ plane) ** 2).sum(axis=1) > 0.999).sum())
    lines = [f"A slice: directions w in one plane of the {problem.n_features}-dimensional space"]
    if network.n_neurons:
        lines.append(
            f"{inside} of {network.n_neurons} neurons lie in it; it holds {_percent(share)} of the "
            "neurons' mass (faint: neurons outside it)"
        )
    lines.append(_headline(problem, network, q, certificate))
    ax.set_title("\n".join(lines), fontsize=10)
    ax.set_xlabel("direction w within the plane (degrees; 0: the strongest neuron)")
    ax.set_ylabel(f"offset from the centre (in {inputs})")
    return ax
