"""Compiled exact line searches for |eta|: over all biases, and along circles of hyperplanes.

For a hyperplane through an anchor x_j with normal w, and a unit e orthogonal to w, the circle
w(t) = cos t w + sin t e rotates the hyperplane about the points that are orthogonal to both. On
it eta_j(w(t)) = 1/2 sum_i q_i |p_i cos t + r_i sin t| with p_i = w.z_i, r_i = e.z_i,
z_i = x_i - x_j: sinusoids between the angles where a point crosses, so one sort finds the global
maximum of |eta| on the circle.

Arrays are passed as XT (d, n): one feature after the other, so that inner loops run over points.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from ..problems.checks import Array

Ints = NDArray[np.int64]
Words = NDArray[np.uint64]

OPTIONS: dict[str, Any] = {"cache": True, "nogil": True, "error_model": "numpy"}
FAST: dict[str, Any] = {**OPTIONS, "fastmath": {"reassoc", "contract"}}
ON_PLANE = 1e-11
"""A point whose distance to the hyperplane is below this (data have unit scale) lies on it."""


@njit(**FAST)
def project(XT: Array, w: Array, out: Array) -> None:
    """out[i] = w.x_i."""
    d, n = XT.shape
    for i in range(n):
        out[i] = w[0] * XT[0, i]
    for k in range(1, d):
        c = w[k]
        for i in range(n):
            out[i] += c * XT[k, i]


@njit(**OPTIONS)
def shell_sort(key: Array, order: Ints, n: int) -> None:
    """Sort key[:n] ascending in place, order alongside (Shell, 1959, gaps of Ciura, 2001)."""
    for gap in (3548, 1577, 701, 301, 132, 57, 23, 10, 4, 1):
        for m in range(gap, n):
            value, item = key[m], order[m]
            j = m - gap
            while j >= 0 and key[j] > value:
                key[j + gap], order[j + gap] = key[j], order[j]
                j -= gap
            key[j + gap], order[j + gap] = value, item


@njit(**OPTIONS)
def sort_by_bucket(key: Array, order: Ints, counts: Ints, scratch: Array) -> None:
    """Fill order with the indices that sort key, values in [0, 2]: buckets, then insertion."""
    n = len(key)
    counts[:] = 0
    scale = 0.5 * n
    for i in range(n):
        counts[min(int(key[i] * scale), n - 1) + 1] += 1
    for m in range(n):
        counts[m + 1] += counts[m]
    for i in range(n):
        slot = min(int(key[i] * scale), n - 1)
        order[counts[slot]] = i
        counts[slot] += 1
    for m in range(n):
        scratch[m] = key[order[m]]
    moves = 0
    for m in range(1, n):
        value, item = scratch[m], order[m]
        j = m - 1
        while j >= 0 and scratch[j] > value:
            scratch[j + 1], order[j + 1] = scratch[j], order[j]
            j -= 1
        scratch[j + 1], order[j + 1] = value, item
        moves += m - 1 - j
        if moves > 16 * n:
            # Clustered keys: insertion would be quadratic.
            shell_sort(scratch, order, n)
            return


@njit(**OPTIONS)
def best_bias(
    XT: Array,
    q: Array,
    w: Array,
    proj: Array,
    key: Array,
    order: Ints,
    counts: Ints,
    scratch: Array,
) -> tuple[float, int]:
    """Return (|eta|, anchor) maximal over the biases w.x_j: one sort and suffix sums."""
    n = XT.shape[1]
    project(XT, w, proj)
    low, high = proj[0], proj[0]
    for i in range(n):
        low, high = min(low, proj[i]), max(high, proj[i])
    scale = 2.0 / (high - low) if high > low else 0.0
    for i in range(n):
        key[i] = (proj[i] - low) * scale
    sort_by_bucket(key, order, counts, scratch)
    best, anchor = -1.0, 0
    mass, moment = 0.0, 0.0
    for m in range(n - 1, -1, -1):
        i = order[m]
        value = abs(moment - mass * proj[i])
        if value > best:
            best, anchor = value, i
        mass += q[i]
        moment += q[i] * proj[i]
    return best, anchor


@njit(**OPTIONS)
def circle(
    q: Array,
    p: Array,
    r: Array,
    key: Array,
    order: Ints,
    counts: Ints,
    scratch: Array,
    floor: float,
) -> tuple[float, float, int]:
    """Return (|eta|, cot t, point) maximal on the circle with coordinates p, r, above `floor`.

    `point` is the index of the crossing point for a maximum at a kink, -1 inside an arc and -2 if
    nothing exceeds `floor`.
    """
    n = len(p)
    P, R = 0.0, 0.0
    for i in range(n):
        a, b = p[i], r[i]
        # Just after t = 0 the sign is that of p, or of r for the points that leave at once.
        if a > 0.0 or (a == 0.0 and b > 0.0):
            P += 0.5 * q[i] * a
            R += 0.5 * q[i] * b
        else:
            P -= 0.5 * q[i] * a
            R -= 0.5 * q[i] * b
        # Monotone in the crossing angle: cot t = -b / a with sin t >= 0.
        size = abs(a) + abs(b)
        c = -b if a > 0.0 else b
        key[i] = 1.0 - c / size if size > 0.0 else 2.0
        if a == 0.0 and b != 0.0:
            key[i] = 0.0
    sort_by_bucket(key, order, counts, scratch)
    best2, cot, point = floor * floor, 0.0, -2
    upper = np.inf
    for m in range(n + 1):
        i, lower = -1, -np.inf
        if m < n:
            i = order[m]
            a, b = p[i], r[i]
            if a == 0.0:
                if b != 0.0:
                    continue
                i = -1
            else:
                lower = -b / a
        square = P * P + R * R
        if square > best2:
            c = P / R if R != 0.0 else np.inf
            if lower <= c <= upper and abs(c) < 1e15:
                best2, cot, point = square, c, -1
            elif abs(lower) < 1e15:
                value = P * lower + R
                value = value * value / (1.0 + lower * lower)
                if value > best2:
                    best2, cot, point = value, lower, i
        if i < 0:
            break
        if a > 0.0:
            P -= q[i] * a
            R -= q[i] * b
        else:
            P += q[i] * a
            R += q[i] * b
        upper = lower
    return np.sqrt(best2), cot, point


@njit(**OPTIONS)
def orthogonalise(v: Array, basis: Array, size: int) -> float:
    """Remove from v its components along the first `size` rows of `basis`, twice; return |v|."""
    d = v.shape[0]
    for _ in range(2):
        for m in range(size):
            dot = 0.0
            for k in range(d):
                dot += v[k] * basis[m, k]
            for k in range(d):
                v[k] -= dot * basis[m, k]
    total = 0.0
    for k in range(d):
        total += v[k] * v[k]
    return float(np.sqrt(total))
