r"""Exact sup ||eta_Q|| in one and two dimensions, and what all oracles of vector outputs share.

``eta_Q(w, b) = sum_i relu(w . x_i - b) Q_i`` in R^D for Q (n, D), ``[1 X]^T Q = 0``. For fixed w
the norm is convex between the knots ``b = w . x_i``, and eta vanishes outside, so as for one output
the sup is on hyperplanes through a data point x_j, where

    eta_Q(w, w . x_j) = 1/2 sum_i Q_i |w . (x_i - x_j)|

Multi-output networks with cost sum_k ||a_k||_2: Shenouda, Parhi, Lee, Nowak, *Variation spaces for
multi-output neural networks*, 2024.
"""

from __future__ import annotations

import math
import time
from collections.abc import Sequence

import numpy as np

from ...problems.rounding import UNIT_ROUNDOFF
from ..oracle import Array, SupBound, assemble_valued, null_space_defect
from ..sweep import MOST_PLANES, around_anchors, peaks
from ._kernels import sweep_anchors


def width_bounds(n_points: int, affine_rank: int, n_outputs: int) -> tuple[int, int]:
    r"""Return two bounds on the number of neurons that some optimal network needs.

    ``(n - r_A) D`` and ``n^2``, n distinct inputs, r_A the rank of ``[1 X]``: the fitted values fix
    ``(n - r_A) D`` linear equations for the numbers ``||a_k||`` at given planes and directions
    ``a_k / ||a_k||``, and extreme points have independent columns. The other does not grow with the
    number of outputs (Shenouda, Parhi, Lee, Nowak, 2024). The smaller one counts.

    Parameters
    ----------
    n_points : int
        Distinct inputs.
    affine_rank : int
        Rank of ``[1 X]``; 0 without a skip connection.
    n_outputs : int
        D, or the rank of the targets' residuals if that is smaller.
    """
    if not 0 <= affine_rank <= n_points:
        raise ValueError(
            f"affine_rank must be from 0 to n_points = {n_points}, got {affine_rank}; "
            "count distinct inputs only."
        )
    return (n_points - affine_rank) * n_outputs, n_points * n_points


def norm_margin(X: Array, Q: Array) -> float:
    r"""Return a bound on the floating-point error of ``||eta_Q||``, uniform in w and useful b.

    ``2 sqrt(d) gamma_N sum_i ||Q_i|| (||x_i|| + R) + (sum_c defect_c^2)^(1/2)``,
    ``R = max_j ||x_j||``.

    Each component is a sum of the terms that `rounding_margin` counts, with Q_ic for q_i, and D + 3
    more roundings for products with an output direction, norms and squares. Errors of a vector have
    at most the norm of the vector of the bounds of terms, hence ``||Q_i||``. Boxes add the squares
    of two parts, each with that error: a factor sqrt(2), rounded up to 2.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_features)
        Inputs.
    Q : ndarray of shape (n_samples, n_outputs)
        Dual point.
    """
    n, d = X.shape
    count = 20 * (n + d + Q.shape[1]) + 128 + 2 ** (min(d, 9) + 1)
    gamma = count * UNIT_ROUNDOFF / (1 - count * UNIT_ROUNDOFF)
    norms = np.linalg.norm(X, axis=1)
    size = float(np.linalg.norm(Q, axis=1) @ (norms + np.max(norms, initial=0.0)))
    defect = math.hypot(*(null_space_defect(X, q) for q in Q.T))
    return float((2.0 * math.sqrt(d) * gamma * size + defect) * (1 + 4 * gamma))


def evaluate_norm(X: Array, Q: Array, weight: Array, bias: float) -> float:
    """Return ``||sum_i relu(w . x_i - b) Q_i||`` with correctly rounded sums.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_features)
        Inputs.
    Q : ndarray of shape (n_samples, n_outputs)
        Dual point.
    weight : ndarray of shape (n_features,)
        Unit normal w.
    bias : float
        Bias b.
    """
    active = np.maximum(X @ weight - bias, 0.0)
    return math.hypot(*(math.fsum((q * active).tolist()) for q in Q.T))


def assemble_norms(
    X: Array,
    Q: Array,
    points: Sequence[tuple[Array, float]],
    *,
    threshold: float,
    bound: float,
    complete: bool,
    n_boxes: int,
    seconds: float,
) -> SupBound:
    """Return the `SupBound` whose values are recomputed at the given points; see `assemble`."""
    return assemble_valued(
        [(evaluate_norm(X, Q, w, b), w, b) for w, b in points],
        X.shape[1],
        threshold=threshold,
        bound=bound,
        complete=complete,
        n_boxes=n_boxes,
        seconds=seconds,
    )


def sup_norm_1d(X: Array, Q: Array, *, threshold: float = math.inf) -> SupBound:
    """Return sup ||eta_Q|| in one dimension by a scan of the sorted data, O(n (log n + D)).

    ``max_j ||V_j||``, ``V_j = V_{j+1} + (x_{j+1} - x_j) sum_{i > j} Q_i``, x ascending.

    Parameters
    ----------
    X : ndarray of shape (n_samples, 1)
        Inputs.
    Q : ndarray of shape (n_samples, n_outputs)
        Dual point, orthogonal to ``[1 X]`` up to rounding.
    threshold : float, default inf
        Further local maxima above it are returned as witnesses.
    """
    start = time.perf_counter()
    order = np.argsort(X[:, 0], kind="stable")
    x, P = X[order, 0], Q[order]
    tail = np.cumsum(P[::-1], axis=0)[::-1]
    values = np.zeros(P.shape)
    values[:-1] = np.cumsum((np.diff(x)[:, None] * tail[1:])[::-1], axis=0)[::-1]
    size = np.linalg.norm(values, axis=1)
    keep = peaks(size, threshold)
    keep = keep[np.argsort(-size[keep], kind="stable")][:MOST_PLANES]
    keep = np.append(keep, np.argmax(size)) if x.size else keep
    return assemble_norms(
        X,
        Q,
        [(np.ones(1), float(x[k])) for k in keep],
        threshold=threshold,
        bound=float(np.max(size, initial=0.0)) + norm_margin(X, Q),
        complete=True,
        n_boxes=x.size,
        seconds=time.perf_counter() - start,
    )


def sup_norm_2d(X: Array, Q: Array, n_jobs: int = 1, *, threshold: float = math.inf) -> SupBound:
    """Return sup ||eta_Q|| in two dimensions by an angular sweep around every anchor.

    O(n^2 (log n + D)); on each arc the leading eigenvector of a 2 x 2 matrix is the maximum.

    Parameters
    ----------
    X : ndarray of shape (n_samples, 2)
        Inputs.
    Q : ndarray of shape (n_samples, n_outputs)
        Dual point, orthogonal to ``[1 X]`` up to rounding.
    n_jobs : int, default 1
        Number of threads; the result does not depend on it.
    threshold : float, default inf
        The best points of other anchors above it are returned as witnesses.
    """
    start = time.perf_counter()
    X, Q = np.ascontiguousarray(X), np.ascontiguousarray(Q)
    planes, largest, visited = around_anchors(sweep_anchors, X, Q, n_jobs, threshold)
    return assemble_norms(
        X,
        Q,
        planes,
        threshold=threshold,
        bound=largest + norm_margin(X, Q),
        complete=True,
        n_boxes=visited,
        seconds=time.perf_counter() - start,
    )
