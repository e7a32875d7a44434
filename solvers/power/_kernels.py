"""Compiled maxima of eta of order m: along the biases of one direction, and by Newton's method.

eta(w, b) = sum_i q_i max(w.x_i - b, 0)^p / p! with p = m - 1 in {1, 2, 3} is for fixed w a spline
of degree p in b with knots w.x_i. With v_k = sum_i q_i (x_i - c)^k / k! over the points above c it
equals, for biases c - t in the piece below the knot c,

    eta(c - t) = sum_k v_k t^(p-k) / (p-k)!

and the v_k move from knot to knot without differences of large numbers. As a function of (w, b) it
is homogeneous of degree p, and twice differentiable almost everywhere for p >= 2.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from ...problems.checks import Array
from .._circle_kernels import OPTIONS

STEPS, HALVINGS = 60, 40
"""Newton steps from one start, and halvings of a step, at the most."""
LONGEST = 0.5
"""Longest step in (w, b)."""
RESTARTS = 3
"""Times that a climb goes on from a better bias of the direction where it has ended."""


@njit(**OPTIONS)
def line_candidates(x: Array, q: Array, p: int, values: Array, biases: Array) -> int:
    """Write eta at the knots and where its derivative vanishes, largest bias first.

    x is sorted; `values` and `biases` have room for 3 len(x). Returns their number.
    """
    n = len(x)
    v0, v1, v2, v3 = 0.0, 0.0, 0.0, 0.0
    last, count = x[n - 1], 0
    for j in range(n - 1, -1, -1):
        h = last - x[j]
        first, second = -1.0, -1.0
        if p == 2 and v0 != 0.0:
            first = -v1 / v0
        elif p == 3:
            # v2 + v1 t + v0 t^2 / 2 = 0, both roots without cancellation.
            square = v1 * v1 - 2.0 * v0 * v2
            if square >= 0.0:
                root = np.sqrt(square)
                big = -(v1 + root) if v1 >= 0.0 else -v1 + root
                first = big / v0 if v0 != 0.0 else -1.0
                second = 2.0 * v2 / big if big != 0.0 else -1.0
                if first > second:
                    first, second = second, first
        for k in range(2):
            t = first if k == 0 else second
            if 0.0 < t < h:
                if p == 2:
                    values[count] = v2 + t * (v1 + 0.5 * t * v0)
                else:
                    values[count] = v3 + t * (v2 + 0.5 * t * (v1 + t * v0 / 3.0))
                biases[count] = last - t
                count += 1
        v3 += h * (v2 + 0.5 * h * (v1 + h * v0 / 3.0))
        v2 += h * (v1 + 0.5 * h * v0)
        v1 += h * v0
        last = x[j]
        values[count] = v1 if p == 1 else (v2 if p == 2 else v3)
        biases[count] = last
        count += 1
        v0 += q[j]
    return count


@njit(**OPTIONS)
def power_value(X: Array, q: Array, p: int, plane: Array) -> float:
    """Return eta at a plane (w, b)."""
    n, d = X.shape
    total = 0.0
    for i in range(n):
        t = -plane[d]
        for k in range(d):
            t += plane[k] * X[i, k]
        if t > 0.0:
            total += q[i] * (t if p == 1 else (0.5 * t * t if p == 2 else t * t * t / 6.0))
    return total


@njit(**OPTIONS)
def derivatives(X: Array, q: Array, p: int, plane: Array, g: Array, H: Array) -> float:
    """Fill gradient and Hessian of eta in (w, b), p >= 2; return eta."""
    n, d = X.shape
    total = 0.0
    g[:] = 0.0
    H[:, :] = 0.0
    for i in range(n):
        t = -plane[d]
        for k in range(d):
            t += plane[k] * X[i, k]
        if t <= 0.0:
            continue
        slope = q[i] * (t if p == 2 else 0.5 * t * t)
        bend = q[i] if p == 2 else q[i] * t
        total += slope * t / p
        for k in range(d + 1):
            a = X[i, k] if k < d else -1.0
            g[k] += slope * a
            for m in range(k + 1):
                H[k, m] += bend * a * (X[i, m] if m < d else -1.0)
    for k in range(d + 1):
        for m in range(k):
            H[m, k] = H[k, m]
    return total


@njit(**OPTIONS)
def newton_step(sign: float, value: float, p: int, plane: Array, g: Array, H: Array) -> Array:
    """Return the ascent step of sign eta(w, b) / |w|^p at |w| = 1, orthogonal to w.

    Its Hessian is P H P - p eta P on w, P = I - w w^T; negative curvatures are used as they are,
    positive ones with the other sign, so that the step ascends.
    """
    d = len(plane) - 1
    M = sign * H
    slope = sign * g
    w = plane[:d].copy()
    for k in range(d + 1):
        inner = 0.0
        for m in range(d):
            inner += M[k, m] * w[m]
        for m in range(d):
            M[k, m] -= inner * w[m]
    for k in range(d + 1):
        inner = 0.0
        for m in range(d):
            inner += M[m, k] * w[m]
        for m in range(d):
            M[m, k] -= inner * w[m]
    inner, size = 0.0, p * abs(value)
    for m in range(d):
        inner += slope[m] * w[m]
        size += abs(M[m, m])
    # Along w the curvature would be zero, and rounding of the slope a step.
    for m in range(d):
        slope[m] -= inner * w[m]
        M[m, m] -= p * sign * value
        for k in range(d):
            M[m, k] += (p * sign * value - size) * w[m] * w[k]
    bends, axes = np.linalg.eigh(M)
    top = max(abs(bends[0]), abs(bends[d]))
    step = np.zeros(d + 1)
    for k in range(d + 1):
        along = 0.0
        for m in range(d + 1):
            along += axes[m, k] * slope[m]
        step += along / max(abs(bends[k]), 1e-10 * top + 1e-300) * axes[:, k]
    long = np.sqrt(np.sum(step * step))
    return step * (LONGEST / long) if long > LONGEST else step


@njit(**OPTIONS)
def climb_plane(X: Array, q: Array, p: int, plane: Array) -> float:
    """Move a plane uphill in |eta| to a local maximum, in place; return eta there."""
    d = X.shape[1]
    g, H = np.zeros(d + 1), np.zeros((d + 1, d + 1))
    trial = plane.copy()
    value: float = derivatives(X, q, p, plane, g, H)
    sign = 1.0 if value >= 0.0 else -1.0
    for _ in range(STEPS):
        step = newton_step(sign, value, p, plane, g, H)
        promised = 0.0
        for k in range(d + 1):
            promised += sign * g[k] * step[k]
        if not promised > 1e-15 * abs(value):
            break
        found = -np.inf
        t = 1.0
        for _ in range(HALVINGS):
            trial[:] = plane + t * step
            trial /= np.sqrt(np.sum(trial[:d] * trial[:d]))
            found = power_value(X, q, p, trial)
            if sign * found > sign * value + 1e-4 * t * promised:
                break
            t *= 0.5
        if not sign * found > sign * value:
            break
        plane[:] = trial
        value = derivatives(X, q, p, plane, g, H)
    return value


@njit(**OPTIONS)
def climb_all(X: Array, q: Array, p: int, planes: Array, own: Array, values: Array) -> None:
    """Climb from all planes, in place; where own is False, from the best bias of the direction."""
    n, d = X.shape
    found, biases = np.empty(3 * n), np.empty(3 * n)
    trial = np.empty(d + 1)
    for r in range(len(planes)):
        values[r] = climb_plane(X, q, p, planes[r]) if own[r] else 0.0
        for _ in range(RESTARTS):
            x = X @ planes[r, :d]
            order = np.argsort(x)
            count = line_candidates(x[order], q[order], p, found, biases)
            best = np.argmax(np.abs(found[:count]))
            if abs(found[best]) <= abs(values[r]) * (1.0 + 1e-9):
                break
            trial[:] = planes[r]
            trial[d] = biases[best]
            value = climb_plane(X, q, p, trial)
            if abs(value) <= abs(values[r]):
                break
            planes[r] = trial
            values[r] = value
