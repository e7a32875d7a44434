r"""Compiled loops over single hyperplanes for vector outputs: the angular sweep and the search.

``eta_Q(w, b) = sum_i relu(w . x_i - b) Q_i`` in R^D, and ``||eta_Q||`` is to be largest. For a unit
output direction a, ``a . eta_Q = eta_{Q a}`` is the eta of a scalar problem, and ``||eta_Q||`` is
the largest of these.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from ...problems.checks import Array
from .._circle_kernels import OPTIONS, Words, project
from .._hold_kernels import scratch
from .._search_kernels import ascend, hash_plane
from ._face_kernels import own_dual

GAIN = 1e-13
"""Relative gain below which alternating stops."""
SLOW = 0.1
"""Ratio of two steps of the output direction from which on the next ones are extrapolated."""


@njit(**OPTIONS)
def top_direction(a: float, b: float, c: float) -> tuple[float, float, float]:
    """Return the largest eigenvalue of [[a, b], [b, c]] and a unit eigenvector."""
    half, mean = 0.5 * (a - c), 0.5 * (a + c)
    size = math.hypot(half, b)
    # The larger of the two formulas for the eigenvector, so that nothing cancels.
    x, y = (half + size, b) if half >= 0.0 else (b, size - half)
    norm = math.hypot(x, y)
    if norm == 0.0:
        return mean, 1.0, 0.0
    return mean + size, x / norm, y / norm


@njit(**OPTIONS)
def sweep_anchors(X: Array, Q: Array, first: int, last: int, values: Array, weights: Array) -> int:
    """Write max_w ||eta_j(w)|| and where it is attained for anchors first <= j < last, d = 2.

    ``eta_j(w) = G^T w`` on an arc between two critical directions, G (2, D), and passing the
    direction orthogonal to z_i does ``G -= z_i Q_i^T``; ``||G^T w||^2`` is a quadratic form of w
    with the matrix ``G G^T``. Candidates are the critical directions and, on each arc, the leading
    eigenvector if it lies there. Ties and rounding of the order need no tolerance, for the reasons
    given in the sweep of scalar outputs: an eigenvector that passes the test of an arc of width
    zero is parallel to its ends, where eta is continuous, and one missed by an angle e costs a
    relative e^2, because the end of the arc is a candidate.
    """
    n, D = X.shape[0], Q.shape[1]
    zx, zy, key = np.empty(n), np.empty(n), np.empty(n)
    row, gx, gy = np.empty(n, np.int64), np.empty(D), np.empty(D)
    visited = 0
    for j in range(first, last):
        best = 0.0
        weights[j, 0], weights[j, 1] = 1.0, 0.0
        gx[:], gy[:] = 0.0, 0.0
        own, m = 0.0, 0
        for c in range(D):
            own += abs(Q[j, c])
        if own == 0.0:
            values[j] = 0.0
            continue
        for i in range(n):
            dx, dy = X[i, 0] - X[j, 0], X[i, 1] - X[j, 1]
            if dx == 0.0 and dy == 0.0:
                continue
            if dy < 0.0 or (dy == 0.0 and dx < 0.0):
                dx, dy = -dx, -dy
            zx[m], zy[m], row[m] = dx, dy, i
            # Monotone in the angle on the upper half plane, cheaper than an arctangent.
            key[m] = -dx / (abs(dx) + dy)
            for c in range(D):
                gx[c] += 0.5 * Q[i, c] * dx
                gy[c] += 0.5 * Q[i, c] * dy
            m += 1
        order = np.argsort(key[:m])
        for s in range(m):
            i = order[s]
            norm = math.hypot(zx[i], zy[i])
            wx, wy = -zy[i] / norm, zx[i] / norm
            square, xx, xy, yy = 0.0, 0.0, 0.0, 0.0
            for c in range(D):
                square += (gx[c] * wx + gy[c] * wy) ** 2
                gx[c] -= Q[row[i], c] * zx[i]
                gy[c] -= Q[row[i], c] * zy[i]
                xx += gx[c] * gx[c]
                xy += gx[c] * gy[c]
                yy += gy[c] * gy[c]
            if square > best:
                best = square
                weights[j, 0], weights[j, 1] = wx, wy
            # The arc ends at the next critical direction; the last one at -w_1.
            e = order[s + 1] if s + 1 < m else order[0]
            ex, ey = (-zy[e], zx[e]) if s + 1 < m else (zy[e], -zx[e])
            if xx + yy <= best:
                continue
            square, vx, vy = top_direction(xx, xy, yy)
            enters, leaves = wx * vy - wy * vx, vx * ey - vy * ex
            inside = (enters >= 0.0 and leaves >= 0.0) or (enters <= 0.0 and leaves <= 0.0)
            if inside and square > best:
                best = square
                weights[j, 0], weights[j, 1] = vx, vy
        values[j] = math.sqrt(best)
        visited += 2 * m
    return visited


@njit(**OPTIONS)
def best_knot(XT: Array, Q: Array, w: Array, t: Array, mass: Array, a: Array) -> tuple[float, int]:
    """Return (||eta||, anchor) largest over the biases w . x_j; a becomes eta / ||eta|| there.

    ``eta = depth mass - moment`` over the points above, depths measured from the top.
    """
    n, D = XT.shape[1], Q.shape[1]
    project(XT, w, t)
    high = t[0]
    for i in range(n):
        high = max(high, t[i])
    for i in range(n):
        t[i] = high - t[i]
    order = np.argsort(t)
    mass[:] = 0.0
    best, anchor = 0.0, order[0]
    a[:] = 0.0
    a[0] = 1.0
    for s in range(n):
        i = order[s]
        square = 0.0
        for c in range(D):
            square += (t[i] * mass[0, c] - mass[1, c]) ** 2
        if square > best:
            best, anchor = square, i
            for c in range(D):
                a[c] = t[i] * mass[0, c] - mass[1, c]
        for c in range(D):
            mass[0, c] += Q[i, c]
            mass[1, c] += Q[i, c] * t[i]
    best = math.sqrt(best)
    if best > 0.0:
        for c in range(D):
            a[c] /= best
    return best, anchor


@njit(**OPTIONS)
def ahead_of(a: Array, before: Array, earlier: Array, out: Array) -> bool:
    """Write the limit of directions that converge linearly, from the last three of them.

    ``a + r / (1 - r) (a - before)`` with the ratio r of the last two steps (Aitken, 1926).
    Returns False if they do not converge slowly.
    """
    last, first = 0.0, 0.0
    for c in range(a.size):
        last += (a[c] - before[c]) ** 2
        first += (before[c] - earlier[c]) ** 2
    ratio = math.sqrt(last / first) if first > 0.0 else 0.0
    if not SLOW < ratio < 1.0 or last < 1e-30:
        return False
    factor, norm = min(ratio / (1.0 - ratio), 1e3), 0.0
    for c in range(a.size):
        out[c] = a[c] + factor * (a[c] - before[c])
        norm += out[c] * out[c]
    norm = math.sqrt(norm)
    for c in range(a.size):
        out[c] /= norm
    return norm > 0.0


@njit(**OPTIONS)
def alternate_all(
    XT: Array,
    Q: Array,
    starts: Array,
    max_moves: int,
    max_turns: int,
    keys: Words,
    values: Array,
    biases: Array,
    signatures: Words,
) -> None:
    """Climb from every row of `starts` to a local maximum of ||eta_Q||, overwriting it.

    In turn the plane climbs for the fixed output direction a, and ``a <- eta / ||eta||``: both
    raise ``a . eta``. Slow linear convergence of a is extrapolated; what does not gain is dropped.
    """
    d, n = XT.shape
    D = Q.shape[1]
    own = scratch(n, d)
    margins = own[0]
    q, t, mass = np.empty(n), np.empty(n), np.empty((2, D))
    a, before, earlier, trial_a, goal_a = (
        np.empty(D), np.empty(D), np.empty(D), np.empty(D), np.empty(D),
    )  # fmt: skip
    trial = np.empty(d)
    for m in range(starts.shape[0]):
        w = starts[m]
        norm = 0.0
        for k in range(d):
            norm += w[k] * w[k]
        for k in range(d):
            w[k] /= math.sqrt(norm)
        best, anchor = best_knot(XT, Q, w, t, mass, a)
        before[:], earlier[:] = a, a
        leap = False
        for _ in range(max_turns):
            goal_a[:] = a
            if leap:
                leap = ahead_of(a, before, earlier, goal_a)
            own_dual(Q, goal_a, q)
            trial[:] = w
            ascend(XT, q, trial, max_moves, own)
            value, other = best_knot(XT, Q, trial, t, mass, trial_a)
            if value > best * (1.0 + GAIN):
                best, anchor = value, other
                w[:] = trial
                earlier[:], before[:], a[:] = before, a, trial_a
                leap = not leap
            elif leap:
                leap = False
            else:
                break
        project(XT, w, margins)
        values[m], biases[m] = best, margins[anchor]
        signatures[m] = hash_plane(margins, biases[m], keys)
