"""Sums of hinges in one dimension, in O(n log n) instead of O(n K)."""

from __future__ import annotations

import numpy as np

from .checks import Array
from .sums import LONG

MANY = 1000
"""Products of points and neurons from which on sums are sorted: by then they are as fast, and their
rounding is smaller."""


def hinge_sums(points: Array, sizes: Array, knots: Array) -> Array:
    """Return sum_k a_k relu(p_i - t_k), shape (n_points,) or (n_points, n_outputs).

    At sorted knots the sum is V_j = V_{j-1} + S_{j-1} (t_j - t_{j-1}) with S the running sums of a,
    and V_j + S_j (p - t_j) behind knot j: no products of a and t that would cancel. The running
    sums are in extended precision where there is one.

    Parameters
    ----------
    points : ndarray of shape (n_points,)
        p.
    sizes : ndarray of shape (n_knots,) or (n_knots, n_outputs)
        a.
    knots : ndarray of shape (n_knots,)
        t.
    """
    if len(knots) == 0:
        return np.zeros((len(points), *sizes.shape[1:]))
    order = np.argsort(knots, kind="stable")
    t, a = knots[order], sizes[order]
    column = (slice(None), *[None] * (a.ndim - 1))
    slopes = np.cumsum(a, axis=0, dtype=LONG)
    values = np.zeros_like(slopes)
    values[1:] = np.cumsum(slopes[:-1] * np.diff(t)[column], axis=0, dtype=LONG)
    behind = np.searchsorted(t, points, side="left") - 1
    at = np.maximum(behind, 0)
    sums: Array = (values[at] + slopes[at] * (points - t[at])[column]).astype(np.float64)
    sums[behind < 0] = 0.0
    return sums


def line_network(x: Array, amplitudes: Array, weights: Array, biases: Array) -> Array:
    """Return sum_k a_k relu(w_k x_i - b_k) for w_k = 1 or -1."""
    right = weights > 0
    values = hinge_sums(x, amplitudes[right], biases[right])
    values += hinge_sums(-x, amplitudes[~right], biases[~right])
    return values


def line_eta(x: Array, q: Array, weights: Array, biases: Array) -> Array:
    """Return sum_i q_i relu(w_k x_i - b_k) for w_k = 1 or -1."""
    right = weights > 0
    values = np.empty(len(biases))
    values[right] = hinge_sums(-biases[right], q, -x)
    values[~right] = hinge_sums(-biases[~right], q, x)
    return values
