"""Compiled range of alpha on which a set of knots with signs stays optimal.

On such a range everything is affine in alpha: knot values ``u = u_p - alpha u_r``, kinks, and
``v = p + alpha r`` with p = 0 and r = sign at the knots.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from ...problems.checks import Array
from .._circle_kernels import OPTIONS, Ints
from ._kernels import interpolate


@njit(**OPTIONS)
def bend(low: float, high: float, p: float, away: float, side: float) -> tuple[float, float]:
    """Cut the range [low, high] of alpha by ``|p + alpha (side + away)| <= alpha``.

    With side = 1 or -1 the near limit is ``side p <= -side away alpha``, whose right side does not
    cancel beside a knot; with side = 0 both limits are equal.
    """
    if side == 0.0:
        for sign in (1.0, -1.0):
            low, high = limit(low, high, sign * p, 1.0 - sign * away)
        return low, high
    low, high = limit(low, high, side * p, -side * away)
    low, high = limit(low, high, -side * p, 2.0 + side * away)
    return low, high


@njit(**OPTIONS)
def limit(low: float, high: float, c: float, rate: float) -> tuple[float, float]:
    """Cut the range by ``c <= rate alpha``."""
    if rate > 0.0:
        return max(low, c / rate), high
    if rate < 0.0:
        return low, min(high, c / rate)
    return low, high


@njit(**OPTIONS)
def half(
    x: Array,
    w: Array,
    b: Array,
    a: int,
    c: int,
    values: tuple[float, float, float, float],
    slopes: tuple[float, float],
    starts: tuple[float, float],
    side: float,
    backward: bool,
    low: float,
    high: float,
) -> tuple[float, float]:
    """Walk from one knot to the middle of the element and cut the range at every point.

    `values` are u_p and u_r at both knots, `slopes` those of z_p and z_r, `starts` those of p and r
    at the knot, in the direction of the walk; `side` is the sign of the knot.
    """
    p, away = 0.0, 0.0
    gp, gr = starts
    middle = 0.5 * (x[a] + x[c])
    i = c if backward else a
    step = -1 if backward else 1
    while True:
        dx = abs(x[i + step] - x[i])
        i += step
        if i <= a or i >= c or (x[i] < middle if backward else x[i] > middle):
            return low, high
        p += gp * dx
        away += gr * dx
        low, high = bend(low, high, p, away, side)
        gp += b[i] - w[i] * interpolate(x, a, c, values[0], slopes[0], values[1], i)
        gr += w[i] * interpolate(x, a, c, values[2], slopes[1], values[3], i)


@njit(**OPTIONS)
def alpha_range(
    x: Array,
    w: Array,
    b: Array,
    knots: Ints,
    signs: Array,
    fixed: tuple[Array, Array],
    rate: tuple[Array, Array],
) -> tuple[float, float]:
    """Return the least and the largest alpha at which knots with these signs are optimal.

    Parameters
    ----------
    x, w, b : ndarray of shape (n,)
        Sorted points and the model.
    knots, signs : ndarray of shape (n_knots,)
    fixed, rate : tuple of two ndarray of shape (n_knots,)
        Values and kinks (u_p, k_p) at alpha = 0, and (u_r, k_r) with u = u_p - alpha u_r.
    """
    low, high = 0.0, np.inf
    up, kp = fixed
    ur, kr = rate
    for k in range(1, len(knots) - 1):
        # signs (k_p - alpha k_r) >= 0
        low, high = limit(low, high, -signs[k] * kp[k], -signs[k] * kr[k])
    for k in range(len(knots) - 1):
        a, c = knots[k], knots[k + 1]
        if c == a + 1:
            continue
        h = x[c] - x[a]
        values = (up[k], up[k + 1], ur[k], ur[k + 1])
        slopes = ((up[k + 1] - up[k]) / h, (ur[k + 1] - ur[k]) / h)
        ahead_p, ahead_r, back_p, back_r = 0.0, 0.0, 0.0, 0.0
        for i in range(a + 1, c):
            res_p = b[i] - w[i] * interpolate(x, a, c, up[k], slopes[0], up[k + 1], i)
            res_r = w[i] * interpolate(x, a, c, ur[k], slopes[1], ur[k + 1], i)
            ahead_p += res_p * (x[c] - x[i])
            back_p += res_p * (x[i] - x[a])
            ahead_r += res_r * (x[c] - x[i])
            back_r += res_r * (x[i] - x[a])
        change = signs[k + 1] - signs[k]
        starts = (-ahead_p / h, (change - ahead_r) / h)
        low, high = half(x, w, b, a, c, values, slopes, starts, signs[k], False, low, high)
        starts = (-back_p / h, (-change - back_r) / h)
        low, high = half(x, w, b, a, c, values, slopes, starts, signs[k + 1], True, low, high)
    return low, high
