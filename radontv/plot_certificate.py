"""The certificate in the Radon domain: abs(eta) / alpha over directions and offsets."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .plot_basics import gap_in_words, new_axes, plain
from .problems import Certificate, RadonTVProblem, RidgeSpline
from .slices import profile, slice_plane
from .wording import counted

Array = NDArray[np.float64]

UP, DOWN, LINE, ABOVE = "#E69F00", "#56B4E9", "#0072B2", "#D00000"
"""Neurons with a > 0, with a < 0, curves, and places where the certificate fails."""
LEVELS = np.array([0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99, 1.001])
"""Colours change here; above the last one, which leaves room for the tolerance, is red."""
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
    optimal if |eta| <= alpha everywhere and eta(w_k, b_k) = alpha sign(a_k) at its neurons. If
    the loss has kinks q does not follow from the network, and that of the certificate is drawn.
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
        If given, its gap and scope are written above the picture. Losses with kinks need one: its
        dual point is that of the picture.
    feature_names : sequence of str, default=None
    inputs : str, default="inputs"
        What the offsets are measured in, for example "standardised inputs".

    Returns
    -------
    matplotlib Axes
    """
    merged = network.merged()
    q = problem.dual_point(network)
    if not problem.loss.smooth and certificate is not None and certificate.dual_point is not None:
        q = problem.project(certificate.dual_point)
    names = feature_names or [f"input {k + 1}" for k in range(problem.n_features)]
    names = [f"'{plain(name)}'" for name in names]
    if problem.n_features == 1:
        ax = _draw_curve(new_axes(ax), problem, merged, q, names[0], inputs)
        ax.set_title(_headline(problem, merged, q, certificate), fontsize=11)
    elif problem.n_features == 2:
        ax = _draw_map(new_axes(ax), problem, merged, q, np.eye(2))
        ax.set_xlabel(f"direction w: degrees from {names[0]} towards {names[1]}")
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
        where = f"{network.n_neurons} neurons" if network.n_neurons > 1 else "neuron"
        most = f" to {values.max():.6f}" if network.n_neurons > 1 else ""
        parts = [rf"$|\eta|/\alpha$ at the {where}: {values.min():.6f}{most}"]
    if certificate is not None:
        worth = "proved" if certificate.scope.value == "global" else "from a search, not proved"
        parts.append(f"{gap_in_words(certificate)} ({worth})")
    return "\n".join(parts)


def _percent(share: float) -> str:
    """Return the share in per cent, rounded down, so that 100 % means all."""
    return f"{np.floor(1000 * share + 1e-6) / 10:g} %"


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
    ax.set_xlabel(f"offset b: place of a knot on {name} (in {inputs})")
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
    from matplotlib.ticker import MaxNLocator

    points = (problem.X - problem.affine.mean) @ plane
    reach = float(np.linalg.norm(points[problem.s > 0], axis=1).max(initial=0.0)) or 1.0
    angles = np.linspace(-np.pi / 2, np.pi / 2, _ANGLES)
    offsets = np.linspace(-reach, reach, _OFFSETS)
    heights = np.empty((_OFFSETS, _ANGLES))
    for k, t in enumerate(angles):
        direction = np.array([np.cos(t), np.sin(t)])
        heights[:, k] = np.abs(profile(points @ direction, q, offsets)) / problem.alpha
    levels, meaning = LEVELS, f"red: above {LEVELS[-1]:g}, not optimal"
    if heights.max() < 0.5:  # an affine fit: all of it would have the darkest colours
        levels = np.asarray(MaxNLocator(10).tick_values(0.0, heights.max() or 1e-3))
        meaning = "far below 1 everywhere"
    colours = colormaps["cividis"].with_extremes(over=ABOVE)
    filled = ax.pcolormesh(
        np.degrees(angles), offsets, heights, cmap=colours, shading="nearest",
        norm=BoundaryNorm(levels, 256, extend="max" if levels is LEVELS else "neither"),
        rasterized=True,
    )  # fmt: skip
    bar = ax.figure.colorbar(filled, ax=ax, ticks=levels, label=rf"$|\eta|/\alpha$ ({meaning})")
    bar.set_ticklabels([f"{level:.4g}" for level in levels])
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


def _draw_slice(
    ax: Any,
    problem: RadonTVProblem,
    network: RidgeSpline,
    q: Array,
    inputs: str,
    certificate: Certificate | None,
) -> Any:
    """Draw the map of one plane of directions, and say how little or how much it shows."""
    plane, share = slice_plane(problem, network, q)
    ax = _draw_map(ax, problem, network, q, plane)
    inside = int((((network.weights @ plane) ** 2).sum(axis=1) > 0.999).sum())
    lines = [f"A slice: directions w in one plane of the {problem.n_features}-dimensional space"]
    if network.n_neurons:
        lines.append(
            f"{inside} of {counted(network.n_neurons, 'neuron')} in it; it holds "
            f"{_percent(share)} of the neurons' mass (faint: neurons outside it)"
        )
    lines.append(_headline(problem, network, q, certificate))
    ax.set_title("\n".join(lines), fontsize=10)
    zero = "the strongest neuron" if network.n_neurons else r"the largest $|\eta|$ found"
    ax.set_xlabel(f"direction w within the plane (degrees; 0: {zero})")
    ax.set_ylabel(f"offset from the centre (in {inputs})")
    return ax
