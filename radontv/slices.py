"""Planes of directions that a picture of the certificate can show, in more than two dimensions."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .problems import RadonTVProblem, RidgeSpline
from .solvers.core import Core, Neurons
from .solvers.pricing import Pricing

Array = NDArray[np.float64]

STARTS = 64
"""Of the search for a direction where there are no neurons."""


def profile(projections: Array, q: Array, offsets: Array) -> Array:
    """Return eta(b) = sum_i q_i relu(p_i - b) at the offsets, exact between the knots p_i."""
    order = np.argsort(projections)
    knots, weights = projections[order], q[order]
    mass = np.cumsum(weights[::-1])[::-1]
    moment = np.cumsum((weights * knots)[::-1])[::-1]
    return np.interp(offsets, knots, moment - mass * knots, left=0.0, right=0.0)


def slice_plane(problem: RadonTVProblem, network: RidgeSpline, q: Array) -> tuple[Array, float]:
    """Return an orthonormal basis (d, 2) of a plane of directions, and its share of the mass.

    The plane contains the neuron with the largest |a_k|, and that second neuron for which

        share = sum_k |a_k| ||P^T w_k||^2 / sum_k |a_k|

    is largest. Without neurons it contains the direction with the largest |eta| that a short
    search finds; principal axes of the data fill it up.
    """
    centred = problem.X - problem.affine.mean
    axes = np.linalg.eigh(centred.T @ centred)[1].T[::-1]
    order = np.argsort(-np.abs(network.amplitudes), kind="stable")
    mass = np.abs(network.amplitudes)
    first = network.weights[order[0]] if len(order) else steepest(problem, q, axes[0])
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


def steepest(problem: RadonTVProblem, q: Array, otherwise: Array) -> Array:
    """Return the direction of the largest |eta| that a search finds; if none, `otherwise`."""
    core, reduction = Core.of(problem), problem.reduction
    reduced = core.on_points(reduction.reduce_dual(q))
    if core.d == 0 or not reduced.any():
        return otherwise
    planes = Pricing(core).search(reduced, Neurons.none(core.d), STARTS).planes[:1]
    if not len(planes):
        return otherwise
    direction: Array = reduction.raise_hyperplanes(planes[:, :-1], planes[:, -1])[0][0]
    return direction
