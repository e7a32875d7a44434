"""Compiled searches of pencils of planes for max |eta| / |w|_1.

A plane is v = (w, b). The functions |w.x_i - b| of the data and |w_l| of the axes vanish on n + d
*constraints*, hyperplanes rows_i.v = 0 through the origin of R^(d+1), and

    eta(v) = sum_i weights_i |rows_i.v|,     |w|_1 = sum_i prices_i |rows_i.v|

with weights q_i / 2 at data (by [1 X]^T q = 0) and prices 1 at axes. On a pencil
v(t) = cos t v + sin t e both are sinusoids between the angles where a constraint crosses zero, so
their ratio is monotone there: its maximum over the pencil is at one of the crossings, which are
sorted and visited in turn.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from ...problems.checks import Array
from .._circle_kernels import OPTIONS, Ints, orthogonalise, shell_sort

FLAT = 1e-12
"""|w|_1 relative to its largest possible size below which a plane has no direction."""
DEPENDENT = 1e-13
"""Relative volume of points from which on they are taken as dependent: they fix no pencil."""


@njit(**OPTIONS)
def sweep(
    weights: Array, prices: Array, p: Array, r: Array, keys: Array, order: Ints
) -> tuple[float, float, float, int]:
    """Return (|eta| / |w|_1, cos t, sin t, constraint) maximal over t in [0, pi).

    Constraint i is p_i cos t + r_i sin t; those with p_i = r_i = 0 do not count. -1 if none does.
    """
    P, R, N, S, size, count = 0.0, 0.0, 0.0, 0.0, 0.0, 0
    for i in range(len(p)):
        a, b = p[i], r[i]
        if a == 0.0 and b == 0.0:
            continue
        turn = 1.0 if a > 0.0 or (a == 0.0 and b > 0.0) else -1.0
        P += weights[i] * turn * a
        R += weights[i] * turn * b
        N += prices[i] * turn * a
        S += prices[i] * turn * b
        reach = abs(a) + abs(b)
        size += prices[i] * reach
        ratio = b / reach
        keys[count] = 0.0 if a == 0.0 else 1.0 + (ratio if a > 0.0 else -ratio)
        order[count] = i
        count += 1
    shell_sort(keys, order, count)
    best, cosine, sine, point = -1.0, 1.0, 0.0, -1
    for m in range(count):
        i = order[m]
        a, b = p[i], r[i]
        turn = 1.0 if a > 0.0 else -1.0
        c, s = (-turn * b, turn * a) if a != 0.0 else (1.0, 0.0)
        price = N * c + S * s
        # Both are homogeneous in (c, s), which need not have length 1.
        if price > FLAT * size * (abs(c) + abs(s)):
            value = abs(P * c + R * s) / price
            if value > best:
                best, cosine, sine, point = value, c, s, i
        if a != 0.0:
            P -= 2.0 * weights[i] * turn * a
            R -= 2.0 * weights[i] * turn * b
            N -= 2.0 * prices[i] * turn * a
            S -= 2.0 * prices[i] * turn * b
    length = np.sqrt(cosine * cosine + sine * sine)
    return best, cosine / length, sine / length, point


@njit(**OPTIONS)
def two_across(basis: Array, size: int) -> None:
    """Fill rows size and size + 1 of basis with unit vectors orthogonal to the others."""
    k = basis.shape[1]
    for count in (size, size + 1):
        axis, most = 0, -1.0
        for c in range(k):
            left = 1.0
            for m in range(count):
                left -= basis[m, c] * basis[m, c]
            if left > most:
                axis, most = c, left
        basis[count] = 0.0
        basis[count, axis] = 1.0
        basis[count] /= orthogonalise(basis[count], basis, count)


@njit(**OPTIONS)
def scan_pencils(
    X: Array, weights: Array, members: Ints, first: int, rotation: float, best: Array
) -> tuple[float, int, int]:
    """Visit all pencils through k - 1 of the members, the first one fixed; X has k columns.

    `best` receives (w, b) of the largest |eta| / |w|_1. Returns a bound on that ratio over the
    exact pencils, the number of pencils, and how many sets of points were taken as dependent.

    The bound of a pencil is its largest value plus rotation / volume: `rotation` is what an error
    of the pencil of one rounding per operation, divided by the relative volume of the points that
    span its complement, changes at the most.
    """
    n, k = X.shape
    Z = X - X[members[first]]
    norms = np.sqrt(np.sum(Z * Z, axis=1))
    m = n + k
    p, r, keys, order = np.empty(m), np.empty(m), np.empty(m), np.empty(m, dtype=np.int64)
    half, prices = np.zeros(m), np.zeros(m)
    half[:n] = weights
    prices[n:] = 1.0
    basis, volume, chosen = np.zeros((k, k)), np.ones(k), np.zeros(k, dtype=np.int64)
    chosen[0] = first
    bound, top, pencils, dependent = 0.0, -1.0, 0, 0
    level, last = 0, k - 2
    while level >= 0:
        if level > 0:
            chosen[level] += 1
            if chosen[level] > len(members) - (k - 1) + level:
                level -= 1
                continue
            i = members[chosen[level]]
            if norms[i] == 0.0:
                # It agrees with the first point on these features: exactly dependent.
                continue
            basis[level - 1] = Z[i] / norms[i]
            pivot = orthogonalise(basis[level - 1], basis, level - 1)
            volume[level] = volume[level - 1] * pivot
            if volume[level] <= DEPENDENT:
                dependent += 1
                continue
            basis[level - 1] /= pivot
        elif pencils > 0 or dependent > 0 or (last > 0 and chosen[1] > 0):
            break
        if level < last:
            chosen[level + 1] = chosen[level]
            level += 1
            continue
        two_across(basis, last)
        for i in range(n):
            a, b = 0.0, 0.0
            for c in range(k):
                a += basis[last, c] * Z[i, c]
                b += basis[last + 1, c] * Z[i, c]
            p[i], r[i] = a, b
        for c in range(k):
            p[n + c], r[n + c] = basis[last, c], basis[last + 1, c]
        for c in range(k - 1):
            p[members[chosen[c]]], r[members[chosen[c]]] = 0.0, 0.0
        value, c0, s0, _ = sweep(half, prices, p, r, keys, order)
        bound = max(bound, value + rotation / volume[last])
        pencils += 1
        if value > top:
            top = value
            best[:k] = c0 * basis[last] + s0 * basis[last + 1]
            best[k] = np.sum(best[:k] * X[members[first]])
        if last == 0:
            break
    return bound, pencils, dependent
