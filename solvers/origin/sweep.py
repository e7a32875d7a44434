r"""Exact sup |eta| for neurons through the origin in one, two and three dimensions.

``eta(w) = sum_i q_i relu(w . x_i)``; the great circles ``w . x_i = 0`` cut the sphere into cells on
which ``eta = g . w``, so the maximum of |eta| is ``||g||`` inside a cell or lies on a circle, and
so on within circles. Every candidate is a direction, so what is attained is certain; that none is
missing needs no tolerance for ties:

* Moving the rows by e_i changes eta by at most ``sum_i |q_i| e_i``, so what lies on a circle, or at
  a crossing, is right up to the rounding margin in whatever order ties are swept.
* ``||g||`` is only used if ``+-g`` is in the cell, and then is a value of eta up to the margin E.
  If rounding of g hides that, a circle within an angle ``E / ||g||`` reaches at least
  ``||g|| - E^2 / (2 ||g||)``.
* Between crossings that coincide up to DELTA a cell of three dimensions may not be seen. All its
  edges are shorter than that, hence its perimeter at most ``2 n^2 DELTA``, its inradius r has
  ``2 pi sin r`` no larger, and its boundary reaches ``||g|| cos r``.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ..oracle import Array
from ..parallel import in_threads
from ..sweep_3d import DELTA
from ._sweep_kernels import sweep_circles
from .rows import origin_margin, values_at

CIRCLES_PER_TASK = 16
MOST_POINTS = 1024
"""Directions returned at the most."""


@dataclass(frozen=True, eq=False)
class Swept:
    """Directions of large |eta|, the best among them, and a bound that includes rounding."""

    directions: Array
    bound: float
    visited: int
    complete: bool = True


def sweep_1(X: Array, q: Array) -> Swept:
    """Return the two directions: ``eta(+-1) = sum_i q_i relu(+-x_i)``."""
    directions = np.array([[1.0], [-1.0]])
    bound = float(np.abs(values_at(X, q, directions)).max()) + origin_margin(X, q)
    return Swept(directions, bound, 2)


def sweep_2(X: Array, q: Array) -> Swept:
    """Return the maxima around the circle of directions, by sorting where rows cross it.

    The rows are turned into the upper half plane, x_i' = +-x_i, and sorted by angle. Half a turn
    from ``w_1 = rot90(x_1')`` on, ``eta(tau w) = tau v . w`` with ``v = g + tau s / 2``,
    ``g = 1/2 sum_i q_i x_i'`` before w_1, ``g -= q_k x_k'`` at w_k; tau = 1, -1.
    O(n log n) time.

    Parameters
    ----------
    X : ndarray of shape (n_samples, 2)
        Nonzero scaled rows.
    q : ndarray of shape (n_samples,)
        Weights.
    """
    turned = np.where((X[:, 1] < 0.0) | ((X[:, 1] == 0.0) & (X[:, 0] < 0.0)), -1.0, 1.0)
    Z = X * turned[:, None]
    # Monotone in the angle on the upper half plane.
    order = np.argsort(-Z[:, 0] / (np.abs(Z[:, 0]) + Z[:, 1]), kind="stable")
    Z, p = Z[order], q[order]
    steps = p[:, None] * Z
    after = 0.5 * steps.sum(axis=0) - np.cumsum(steps, axis=0)
    before = after + steps
    begin = np.column_stack([-Z[:, 1], Z[:, 0]]) / np.hypot(Z[:, 0], Z[:, 1])[:, None]
    end = np.concatenate([begin[1:], -begin[:1]])
    values, points = [], []
    for tau in (1.0, -1.0):
        shift = 0.5 * tau * (q @ X)
        v = after + shift
        enters, leaves = _cross(begin, v), _cross(v, end)
        same = ((enters >= 0.0) & (leaves >= 0.0)) | ((enters <= 0.0) & (leaves <= 0.0))
        length = np.hypot(v[:, 0], v[:, 1])
        sign = np.where((enters > 0.0) | (leaves > 0.0), tau, -tau)
        arcs = v * (sign / np.where(length > 0.0, length, 1.0))[:, None]
        kinks = np.abs(((before + shift) * begin).sum(axis=1))
        inner = np.where(same & (length > 0.0), length, -1.0)
        values.append(np.column_stack([kinks, inner]).ravel())
        points.append(np.stack([tau * begin, arcs], axis=1).reshape(-1, 2))
    ring, W = np.concatenate(values), np.concatenate(points)
    W, ring = W[ring >= 0.0], ring[ring >= 0.0]
    # Local maxima only: a point between two larger neighbours is no separate witness.
    peak = np.flatnonzero((ring >= np.roll(ring, 1)) & (ring >= np.roll(ring, -1)))
    best = peak[np.argsort(-ring[peak], kind="stable")][:MOST_POINTS]
    return Swept(W[best], float(ring.max()) + origin_margin(X, q), 4 * len(q))


def _cross(a: Array, b: Array) -> Array:
    result: Array = a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0]
    return result


def sweep_3(
    X: Array,
    q: Array,
    *,
    floor: float = math.inf,
    n_jobs: int = 1,
    ended: Callable[[], bool] = lambda: False,
) -> Swept:
    """Return the best directions on and beside the great circle of each row.

    O(n^2 log n) time.

    Parameters
    ----------
    X : ndarray of shape (n_samples, 3)
        Nonzero scaled rows.
    q : ndarray of shape (n_samples,)
        Weights.
    floor : float, default inf
        Circles below it and below the best of the first ones need not be resolved.
    n_jobs : int, default 1
        Threads.
    ended : callable
        Asked between circles; once it is true the result is not complete, its bound infinite.
    """
    n = len(q)
    Z, p, s = np.vstack([np.zeros((1, 3)), X]), np.append(0.0, q), q @ X
    best = np.zeros((n + 1, 4))
    best[:, 1] = 1.0

    def task(first: int, least: float) -> int:
        if ended():
            return 0
        return int(sweep_circles(Z, p, s, first, min(first + CIRCLES_PER_TASK, n + 1), least, best))

    # What the first circles reach saves the others most of their work.
    visited = task(1, 0.0)
    least = min(float(best[:, 0].max()), floor)
    firsts = range(1 + CIRCLES_PER_TASK, n + 1, CIRCLES_PER_TASK)
    counts = list(in_threads(lambda first: task(first, least), firsts, n_jobs))
    complete = visited > 0 and all(counts)
    top = np.argsort(-best[:, 0], kind="stable")[:MOST_POINTS]
    # The height of a missed cell over its boundary, 1 / cos r - 1 <= r^2 for r <= 1/2.
    missed = (n * n * DELTA / math.pi) ** 2
    bound = float(best[:, 0].max()) * (1.0 + missed) + origin_margin(X, q)
    return Swept(
        best[top, 1:], bound if complete else math.inf, visited + sum(counts), complete=complete
    )
