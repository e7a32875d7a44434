"""Exact sup |eta| in one and two dimensions."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import Any, TypeVar, cast

import numba
import numpy as np
from numpy.typing import NDArray

from ..problems.sums import LONG, running_roundings
from .oracle import Array, SupBound, assemble, rounding_margin
from .parallel import in_threads

_Function = TypeVar("_Function", bound=Callable[..., Any])

Ints = NDArray[np.intp]

ANCHORS_PER_TASK = 32
MOST_PLANES = 1024
"""Planes that are evaluated once more, the largest values first."""


def compiled(function: _Function) -> _Function:
    """Return the function compiled without the GIL, cached on disk, with its type kept."""
    return cast(_Function, numba.njit(nogil=True, cache=True, error_model="numpy")(function))


def sup_eta_1d(X: Array, q: Array, *, threshold: float = math.inf) -> SupBound:
    """Return sup |eta| in one dimension by a scan of the sorted data.

    ``max_j |sum_{i > j} q_i (x_i - x_j)|``, x ascending, accumulated gap by gap (no
    cancellation): ``v_j = v_{j+1} + (x_{j+1} - x_j) sum_{i > j} q_i``, in extended precision where
    there is one.

    Parameters
    ----------
    X : ndarray of shape (n_samples, 1)
        Inputs.
    q : ndarray of shape (n_samples,)
        Dual vector, ``sum q = 0`` and ``x . q = 0`` up to rounding.
    threshold : float, default inf
        Further local maxima above it are returned as witnesses.
    """
    start = time.perf_counter()
    x = X[:, 0]
    order = np.argsort(x, kind="stable")
    x, p = x[order], q[order]
    tail = np.cumsum(p[::-1], dtype=LONG)[::-1]
    values = np.zeros(x.size)
    values[:-1] = np.cumsum((np.diff(x) * tail[1:])[::-1], dtype=LONG)[::-1]
    size = np.abs(values)
    keep = peaks(size, threshold)[:4096]
    keep = np.append(keep, np.argmax(size)) if x.size else keep
    return assemble(
        X,
        q,
        [(np.ones(1), float(x[k])) for k in keep],
        threshold=threshold,
        bound=float(np.max(size, initial=0.0))
        + rounding_margin(X, q, operations=16 + 4 * running_roundings(x.size)),
        complete=True,
        n_boxes=x.size,
        seconds=time.perf_counter() - start,
    )


def peaks(values: Array, threshold: float) -> Ints:
    """Return the indices of the local maxima above the threshold.

    A point between two larger neighbours is no separate witness.
    """
    peak = (values >= np.append(0.0, values[:-1])) & (values >= np.append(values[1:], 0.0))
    return np.flatnonzero(peak & (values > threshold))


@compiled
def _sweep_anchors(X: Array, q: Array, first: int, last: int, values: Array, weights: Array) -> int:
    """Write max_w |eta_j(w)| and where it is attained for anchors first <= j < last.

    With z_i = +-(x_i - x_j) turned into the upper half plane and sorted by angle, all
    ``w . z_i`` are positive just before the first critical direction ``w_1 = rot90(z_1)``, so
    ``g = 1/2 sum_i q_i z_i`` there; passing ``w_i`` does ``g -= q_i z_i``. Candidates are
    ``|g . w_i|`` and, on the arc after ``w_i``, ``||g||`` if ``+-g`` lies on the arc.

    No tolerance is needed for ties or rounding of the order. Between two directions that
    coincide to 1e-16, g belongs to no arc, but there ``+-g`` passes the test only if it is
    parallel to them, and then ``||g|| = |g . w_i|`` is a true value. A ``+-g`` that is missed
    by an angle e costs a relative e^2/2, because the end of the arc is a candidate.
    """
    n = X.shape[0]
    zx, zy, key, c = np.empty(n), np.empty(n), np.empty(n), np.empty(n)
    visited = 0
    for j in range(first, last):
        values[j] = 0.0
        weights[j, 0], weights[j, 1] = 1.0, 0.0
        if q[j] == 0.0:
            continue
        m, gx, gy = 0, 0.0, 0.0
        for i in range(n):
            dx, dy = X[i, 0] - X[j, 0], X[i, 1] - X[j, 1]
            if q[i] == 0.0 or (dx == 0.0 and dy == 0.0):
                continue
            if dy < 0.0 or (dy == 0.0 and dx < 0.0):
                dx, dy = -dx, -dy
            zx[m], zy[m], c[m] = dx, dy, q[i]
            # Monotone in the angle on the upper half plane, cheaper than an arctangent.
            key[m] = -dx / (abs(dx) + dy)
            gx += 0.5 * q[i] * dx
            gy += 0.5 * q[i] * dy
            m += 1
        order = np.argsort(key[:m])
        for a in range(m):
            i = order[a]
            norm = math.hypot(zx[i], zy[i])
            wx, wy = -zy[i] / norm, zx[i] / norm
            value = abs(gx * wx + gy * wy)
            if value > values[j]:
                values[j] = value
                weights[j, 0], weights[j, 1] = wx, wy
            gx -= c[i] * zx[i]
            gy -= c[i] * zy[i]
            # The arc ends at the next critical direction; the last one at -w_1.
            e = order[a + 1] if a + 1 < m else order[0]
            ex, ey = (-zy[e], zx[e]) if a + 1 < m else (zy[e], -zx[e])
            enters, leaves = wx * gy - wy * gx, gx * ey - gy * ex
            if (enters >= 0.0 and leaves >= 0.0) or (enters <= 0.0 and leaves <= 0.0):
                value = math.hypot(gx, gy)
                if value > values[j]:
                    values[j] = value
                    weights[j, 0], weights[j, 1] = gx / value, gy / value
        visited += 2 * m
    return visited


def sup_eta_2d(X: Array, q: Array, n_jobs: int = 1, *, threshold: float = math.inf) -> SupBound:
    """Return sup |eta| in two dimensions by an angular sweep around every anchor.

    ``sup |eta| = max_j max_w |eta_j(w)|``, ``eta_j(w) = 1/2 sum_i q_i |w . (x_i - x_j)|``.

    Parameters
    ----------
    X : ndarray of shape (n_samples, 2)
        Inputs.
    q : ndarray of shape (n_samples,)
        Dual vector, orthogonal to ``[1 X]`` up to rounding.
    n_jobs : int, default 1
        Number of threads; the result does not depend on it.
    threshold : float, default inf
        The best points of other anchors above it are returned as witnesses.
    """
    start = time.perf_counter()
    X, q = np.ascontiguousarray(X), np.ascontiguousarray(q)
    planes, largest, visited = around_anchors(_sweep_anchors, X, q, n_jobs, threshold)
    return assemble(
        X,
        q,
        planes,
        threshold=threshold,
        bound=largest + rounding_margin(X, q),
        complete=True,
        n_boxes=visited,
        seconds=time.perf_counter() - start,
    )


def around_anchors(
    sweep: Callable[[Array, Array, int, int, Array, Array], int],
    X: Array,
    q: Array,
    n_jobs: int,
    threshold: float,
) -> tuple[list[tuple[Array, float]], float, int]:
    """Return planes (w, b), the largest value and how many candidates a sweep has visited.

    Parameters
    ----------
    sweep : callable
        ``sweep(X, q, first, last, values, weights)`` writes the largest value at the anchors
        first <= j < last and the w where it is, and returns the number of candidates.
    X : ndarray of shape (n_samples, 2)
    q : ndarray of shape (n_samples, ...)
    n_jobs : int
    threshold : float
        Planes of other anchors than the best are returned above it only.
    """
    n = X.shape[0]
    values, weights = np.zeros(n), np.zeros((n, 2))

    def task(first: int) -> int:
        last = min(first + ANCHORS_PER_TASK, n)
        return int(sweep(X, q, first, last, values, weights))

    visited = sum(in_threads(task, range(0, n, ANCHORS_PER_TASK), n_jobs))
    order = np.argsort(-values, kind="stable")[:MOST_PLANES]
    keep = [j for k, j in enumerate(order) if k == 0 or values[j] > threshold]
    planes = [(weights[j], float(weights[j] @ X[j])) for j in keep]
    return planes, float(np.max(values, initial=0.0)), visited
