"""Kernel of `clipped_fit`: Newton's method with an exact search along each step."""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from .checks import Array

OPTIONS = {"cache": True, "nogil": True, "error_model": "numpy"}
EPS = 2.0**-52
MOST_STEPS, MOST_TRIALS = 200, 100
RIDGE, LEAST_RIDGE = 1e-3, 1e-13
"""First and least ridge of a Newton step, in units of the largest possible curvature 1 / width. It
falls with every step that need not be shortened: in directions without curvature, as where all rows
are clipped, no step shall be longer than the search along it makes it."""
FALL, RISE = 0.03, 10.0
CURVED = 1e-5
"""Least pivot of the Hessian, in the same unit, from which on no ridge is needed."""
SHORT = 0.1
"""Part of the first slope that may be left where the search along a step ends, still falling."""
NEAR = 1e-9
"""Relative distance of the minimum along a step where the search for it may end, rising again."""


@njit(**OPTIONS)
def clipped(r: float, low: float, high: float, zone: float, width: float) -> float:
    """Return clip(sign(r) max(|r| - zone, 0) / width, low, high)."""
    p = max(abs(r) - zone, 0.0) / width
    return min(max(p if r > 0.0 else -p, low), high)


@njit(**OPTIONS)
def slope_along(
    t: float, r: Array, m: Array, s: Array, low: Array, high: Array, zone: float, width: float
) -> tuple[float, float]:
    """Return d/dt and d^2/dt^2 of sum_i s_i phi(r_i - t m_i) where phi' is `clipped`."""
    first, second = 0.0, 0.0
    for i in range(len(r)):
        at = r[i] - t * m[i]
        p = clipped(at, low[i], high[i], zone, width)
        first -= s[i] * p * m[i]
        if low[i] < p < high[i] and (p != 0.0 or zone == 0.0):
            second += s[i] * m[i] * m[i] / width
    return first, second


@njit(**OPTIONS)
def best_length(
    r: Array, m: Array, s: Array, low: Array, high: Array, zone: float, width: float
) -> float:
    """Return the t > 0 that minimises sum_i s_i phi(r_i - t m_i), which falls at t = 0.

    A root of its piecewise linear slope, by Newton's method inside a bracket, from t = 1.
    """
    start = slope_along(0.0, r, m, s, low, high, zone, width)[0]
    lower, upper, t = 0.0, math.inf, 1.0
    for _ in range(MOST_TRIALS):
        first, second = slope_along(t, r, m, s, low, high, zone, width)
        if SHORT * start <= first <= max(NEAR * t * second, 0.0):
            return t
        if first < 0.0:
            lower = t
        else:
            upper = t
        t = t - first / second if second > 0.0 else -1.0
        if not lower < t < upper:
            t = 2.0 * lower if upper == math.inf else 0.5 * (lower + upper)
        if t <= lower * (1.0 + EPS) or t >= upper:
            break
    return lower


@njit(**OPTIONS)
def solve_positive(H: Array, g: Array) -> bool:
    """Overwrite g by H^-1 g by Cholesky's method, H by its factor; False if H is not positive."""
    n = len(g)
    for j in range(n):
        for k in range(j):
            H[j, j] -= H[j, k] * H[j, k]
        if not H[j, j] > 0.0:
            return False
        H[j, j] = math.sqrt(H[j, j])
        for i in range(j + 1, n):
            for k in range(j):
                H[i, j] -= H[i, k] * H[j, k]
            H[i, j] /= H[j, j]
    for j in range(n):
        for k in range(j):
            g[j] -= H[j, k] * g[k]
        g[j] /= H[j, j]
    for j in range(n - 1, -1, -1):
        for k in range(j + 1, n):
            g[j] -= H[k, j] * g[k]
        g[j] /= H[j, j]
    return True


@njit(**OPTIONS)
def minimise_clipped(
    B: Array, s: Array, c: Array, low: Array, high: Array, zone: float, width: float, theta: Array
) -> int:
    """Minimise sum_i s_i phi(c_i - (B theta)_i), phi' `clipped`, in place; return the steps.

    B^T diag(s) B = I, so that 1 / width bounds the curvature.
    """
    n, size = B.shape
    r, m, g, H = np.empty(n), np.empty(n), np.empty(size), np.empty((size, size))
    down, saved = np.empty(size), np.empty((size, size))
    last, ridge = math.inf, RIDGE
    for step in range(MOST_STEPS):
        g[:], H[:], noise = 0.0, 0.0, 0.0
        for i in range(n):
            fitted = 0.0
            for a in range(size):
                fitted += B[i, a] * theta[a]
            r[i] = c[i] - fitted
            p = clipped(r[i], low[i], high[i], zone, width)
            inner = low[i] < p < high[i] and (p != 0.0 or zone == 0.0)
            weight = s[i] / width if inner else 0.0
            top = 0.0
            for a in range(size):
                g[a] += s[i] * p * B[i, a]
                top = max(top, abs(B[i, a]))
            noise += (s[i] * abs(p) + weight * (abs(fitted) + abs(c[i]))) * top
            if inner:
                for a in range(size):
                    for b in range(a + 1):
                        H[a, b] += weight * B[i, a] * B[i, b]
        length = math.sqrt(np.sum(g * g))
        noise *= 4.0 * EPS
        if length <= noise or (length >= 0.5 * last and length <= 64.0 * noise):
            return step
        last = length
        for a in range(size):
            H[a, a] += LEAST_RIDGE / width
            down[a] = g[a]
            for b in range(a + 1):
                saved[a, b] = H[a, b]
        curved = solve_positive(H, g)
        for a in range(size):
            curved = curved and H[a, a] * H[a, a] >= CURVED / width
        if not curved:
            for a in range(size):
                g[a] = down[a]
                for b in range(a + 1):
                    H[a, b] = saved[a, b]
                H[a, a] += ridge / width
            if not solve_positive(H, g):
                ridge *= 100.0
                continue
        for i in range(n):
            m[i] = 0.0
            for a in range(size):
                m[i] += B[i, a] * g[a]
        t = best_length(r, m, s, low, high, zone, width)
        if t == 0.0:
            return step
        for a in range(size):
            theta[a] += t * g[a]
        ridge = max(FALL * ridge, LEAST_RIDGE) if t >= 0.5 else min(RISE * ridge, RIDGE)
    return MOST_STEPS
