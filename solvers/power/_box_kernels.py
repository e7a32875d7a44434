"""Compiled upper bounds of |eta| of order m over boxes of (direction, bias).

A box holds the planes z = (u, beta) with |z_k - c_k| <= h_k, where one u_f is 1. eta is
homogeneous, eta(u, beta) = |u|^p eta(w, b) with w = u / |u|. So sup |eta(w, b)| over the box is at
most T + e / r^p, with r the least |u| in it, if for sigma = 1 and -1

    max over the box of  sigma eta(z) - T (u.w0)^p  <=  e,    w0 = c / |c| of the direction,

since u.w0 <= |u|. Both terms are expanded at the centre to second order, with an interval for the
curvature: for s = delta.(x_i, -1), |s| <= rho_i, and t = c.(x_i, -1),

    max(t + s, 0)^p / p!  =  value + slope s + k s^2 / 2,        low_i <= k <= high_i

    p = 2:   low = 1 if t >= rho else 0,       high = 1 if t + rho > 0 else 0
    p = 3:   low = max(t - rho / 3, 0),        high = (2 max(t, 0) + max(t + rho, 0)) / 3

because k is the mean of the second derivative over [t, t + s] with the weight 2 (1 - r) at t + r s,
and that derivative, max(., 0), is convex: Jensen's inequality from below, its chord from above.
By the parity of eta the points below the hyperplane may be used in place of those above.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from ...problems.checks import Array
from .._circle_kernels import OPTIONS, Ints


@njit(**OPTIONS)
def expand(
    X: Array, q: Array, p: int, c: Array, h: Array, t: Array, rho: Array, g: Array, H: Array
) -> float:
    """Fill the gradient g of eta at c, and majorants H[0], H[1] of the Hessians of eta, -eta.

    Returns eta up to sign: points on the side where the third derivative weighs less are used.
    H[2] is the difference between both, what is not known of the curvature.
    """
    n, d = X.shape
    above, below = 0.0, 0.0
    for i in range(n):
        v, r = -c[d], h[d]
        for k in range(d):
            v += c[k] * X[i, k]
            r += h[k] * abs(X[i, k])
        t[i], rho[i] = v, r
        weight = abs(q[i]) * r * r * r
        if v > 0.0:
            above += weight
        else:
            below += weight
    side = 1.0 if above <= below else -1.0
    value = 0.0
    g[:] = 0.0
    H[:, :, :] = 0.0
    for i in range(n):
        v, r = side * t[i], rho[i]
        if v + r <= 0.0:
            continue
        top = max(v, 0.0)
        if p == 2:
            value += 0.5 * q[i] * top * top
            slope = q[i] * top
            low, high = (1.0 if v >= r else 0.0), 1.0
        else:
            value += q[i] * top * top * top / 6.0
            slope = 0.5 * q[i] * top * top
            low, high = max(v - r / 3.0, 0.0), (2.0 * top + v + r) / 3.0
        plus = q[i] * (high if q[i] > 0.0 else low)
        minus = -q[i] * (low if q[i] > 0.0 else high)
        for k in range(d + 1):
            a = X[i, k] if k < d else -1.0
            g[k] += side * slope * a
            for m in range(k + 1):
                product = a * (X[i, m] if m < d else -1.0)
                H[0, k, m] += plus * product
                H[1, k, m] += minus * product
    for k in range(d + 1):
        for m in range(k + 1):
            H[2, k, m] = H[0, k, m] + H[1, k, m]
            for which in range(3):
                H[which, m, k] = H[which, k, m]
    return value


@njit(**OPTIONS)
def quadratic_bound(e: float, g: Array, H: Array, h: Array) -> float:
    """Return an upper bound of e + g.delta + delta^T H delta / 2 over |delta_k| <= h_k."""
    size = len(g)
    for k in range(size):
        slope, bend = abs(g[k]), H[k, k]
        if bend < 0.0 and slope < -bend * h[k]:
            e += 0.5 * slope * slope / -bend
        else:
            e += h[k] * (slope + 0.5 * bend * h[k])
        for m in range(k):
            e += abs(H[k, m]) * h[k] * h[m]
    return e


@njit(**OPTIONS)
def bound_boxes(
    X: Array,
    q: Array,
    p: int,
    T: float,
    centres: Array,
    halves: Array,
    bounds: Array,
    values: Array,
    split: Ints,
) -> None:
    """Fill upper bounds of |eta| on boxes, |eta| at their centres, and which side to halve."""
    n, d = X.shape
    t, rho = np.empty(n), np.empty(n)
    g, slope = np.empty(d + 1), np.empty(d + 1)
    H, M = np.empty((3, d + 1, d + 1)), np.empty((d + 1, d + 1))
    for r in range(len(centres)):
        c, h = centres[r], halves[r]
        value = expand(X, q, p, c, h, t, rho, g, H)
        square, least, reach = 0.0, 0.0, 0.0
        for k in range(d):
            square += c[k] * c[k]
            inside = max(abs(c[k]) - h[k], 0.0)
            least += inside * inside
            reach += abs(c[k]) * h[k]
        length = np.sqrt(square)
        reach /= length
        values[r] = abs(value) / length**p
        worst, bounds[r] = -np.inf, T
        for side in range(2):
            sigma = 1.0 if side == 0 else -1.0
            slope[:] = sigma * g
            M[:, :] = H[side]
            # (u.w0)^3 >= L^3 + 3 L^2 v + (3 L - reach) v^2 for u.w0 = L + v, |v| <= reach.
            bend = 2.0 * T if p == 2 else 2.0 * T * (3.0 * length - reach)
            for k in range(d):
                slope[k] -= T * p * length ** (p - 2) * c[k]
                for m in range(d):
                    M[k, m] -= bend * c[k] * c[m] / square
            e = quadratic_bound(sigma * value - T * length**p, slope, M, h)
            if e > 0.0:
                bounds[r] = max(bounds[r], T + e / least ** (0.5 * p))
            if e > worst:
                worst, most = e, -1.0
                for k in range(d + 1):
                    score = abs(slope[k])
                    for m in range(d + 1):
                        score += 0.5 * (abs(M[k, m]) + abs(H[2, k, m])) * h[m]
                    if score * h[k] > most:
                        most, split[r] = score * h[k], k
