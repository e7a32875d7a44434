"""Planes of directions that a picture of the certificate can show, in more than two dimensions."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .problems import RadonTVProblem, RidgeSpline

Array = NDArray[np.float64]

_STARTS, _STEPS = 64, 30


def profile(projections: Array, q: Array, offsets: Array) -> Array:
    """Return eta(b) = sum_i q_i relu(p_i - b) at the offsets, exact between the knots p_i."""
    order = np.argsort(projections)
    knots, weights = projections[order], q[order]
    mass = np.cumsum(weights[::-1])[::-1]
    moment = np.cumsum((weights * knots)[::-1])[::-1]
    return np.interp(offsets, knots, moment - mass * knots, left=0.0, right=0.0)


def slice_plane(problem: RadonTVProblem, network: RidgeSpline) -> tuple[Array, float]:
    """Return an orthonormal basis (d, 2) of a plane of directions, and its share of the mass.

    The plane contains the neuron with the largest |a_k|, and that second neuron for which

        share = sum_k |a_k| ||P^T w_k||^2 / sum_k |a_k|

    is largest. Without neurons it contains the direction with the largest |eta| that a short
    search finds; principal axes of the data fill it up.
    """
    axes = np.linalg.svd(problem.X - problem.affine.mean, full_matrices=True)[2]
    order = np.argsort(-np.abs(network.amplitudes), kind="stable")
    mass = np.abs(network.amplitudes)
    first = network.weights[order[0]] if len(order) else steepest(problem, network, axes)
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


def steepest(problem: RadonTVProblem, network: RidgeSpline, starts: Array) -> Array:
    """Return a direction w whose max_b |eta(w, b)| is large, found by ascent from many starts.

    At a knot b = w.x_j, eta = w.g with g = sum_i q_i (x_i - x_j) over the rows above it, so that
    w = +-g / ||g|| is a step upwards as long as the rows above stay the same.
    """
    X, q = problem.X - problem.affine.mean, problem.dual_point(network)
    random = np.random.default_rng(0).standard_normal((_STARTS, problem.n_features))
    best, best_height = starts[0], 0.0
    for w in [*starts, *random]:
        w, height = w / np.linalg.norm(w), 0.0
        for _ in range(_STEPS):
            p = X @ w
            values = profile(p, q, p)
            j = int(np.argmax(np.abs(values)))
            if abs(values[j]) <= height * (1 + 1e-9):
                break
            height = abs(float(values[j]))
            if height > best_height:
                best, best_height = w, height
            above = p > p[j]
            g = q[above] @ X[above] - q[above].sum() * X[j]
            w = np.sign(values[j]) * g / (np.linalg.norm(g) or 1.0)
    return np.asarray(best)
