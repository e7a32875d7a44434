"""Compiled exact line searches for |eta|: over all biases, and along circles of hyperplanes.

For a hyperplane through an anchor x_j with normal w, and a unit e orthogonal to w, the circle
w(t) = cos t w + sin t e rotates the hyperplane about the points that are orthogonal to both. On
it eta_j(w(t)) = 1/2 sum_i q_i |p_i cos t + r_i sin t| with p_i = w.z_i, r_i = e.z_i,
z_i = x_i - x_j: sinusoids P cos t + R sin t between the angles where a point crosses, so sorting
the crossings would find the global maximum of |eta| on the circle. Angles are binned first: the
sinusoid at a bin's left end plus the crossings' weights times the bin's width bounds |eta| in it,
and only bins that may hold the maximum are sorted. The same is done for biases.

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
INLINED: dict[str, Any] = {**OPTIONS, "forceinline": True}
"""For steps of an ascent: calls with many arrays would take 5 % of a short one."""
BLOCK = 2048
"""Points per block."""
ON_PLANE = 1e-11
"""A point whose distance to the hyperplane is below this (data have unit scale) lies on it."""
ONE_SIDE = (0.0,)
"""Sides of `circle` where eta(-w) = eta(w)."""
BOTH_SIDES = (-0.5, 0.5)
"""Sides of `circle` where eta(+-w) = even(w) +- 1/2 s . w: then a = s . w, b = s . e."""


@njit(**FAST)
def project(XT: Array, w: Array, out: Array) -> None:
    """out[i] = w.x_i, block after block so that `out` stays in the first cache."""
    d, n = XT.shape
    for first in range(0, n, BLOCK):
        part = out[first : first + BLOCK]
        part[:] = 0.0
        # Two features a pass halve the traffic; views let the compiler vectorise.
        for k in range(0, d - 1, 2):
            c, e = w[k], w[k + 1]
            one, two = XT[k, first : first + BLOCK], XT[k + 1, first : first + BLOCK]
            for i in range(len(part)):
                part[i] += c * one[i] + e * two[i]
        if d % 2 == 1:
            c, one = w[d - 1], XT[d - 1, first : first + BLOCK]
            for i in range(len(part)):
                part[i] += c * one[i]


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
def bin_count(n: int) -> int:
    """Return the number of bins for n points: the fastest on random data from 100 to 8192."""
    return max(16, min(int(5.6 * np.sqrt(n)), 1024))


@njit(**OPTIONS)
def angle_grid(bins: Array) -> None:
    """Fill rows 0-2 of bins with cos t, sin t of the bins' left ends and the bins' widths.

    Ends are equidistant in the key 1 - cos t / (|cos t| + sin t), which needs no arc tangent.
    """
    count = bins.shape[1] - 1
    for k in range(count + 1):
        v = 1.0 - 2.0 * k / count
        size = np.sqrt(v * v + (1.0 - abs(v)) ** 2)
        bins[0, k], bins[1, k] = v / size, (1.0 - abs(v)) / size
    for k in range(count):
        cross = bins[0, k] * bins[1, k + 1] - bins[1, k] * bins[0, k + 1]
        bins[2, k] = np.arcsin(min(cross, 1.0))


@njit(**FAST)
def crossings(q: Array, p: Array, r: Array, work: Array) -> tuple[float, float]:
    """Fill work with keys, steps of (P, R) and their sizes; return (P, R) just after t = 0."""
    keys, steps, sizes = work[0], work[1:3], work[3]
    P, R = 0.0, 0.0
    for i in range(len(p)):
        a, b = p[i], r[i]
        # Just after t = 0 the sign is that of p, or of r for the points that leave at once.
        above = a > 0.0 or (a == 0.0 and b > 0.0)
        s = q[i] if above else -q[i]
        P += s * a
        R += s * b
        size = abs(a) + abs(b)
        ratio = b / size if size > 0.0 else -1.0
        keys[i] = 1.0 + (ratio if a > 0.0 else -ratio) if a != 0.0 else 0.0
        steps[0, i] = -s * a
        steps[1, i] = -s * b if a != 0.0 else 0.0
        sizes[i] = abs(q[i]) * size
    return 0.5 * P, 0.5 * R


@njit(**OPTIONS)
def fill_bins(work: Array, scale: float, slots: Ints, bins: Array) -> None:
    """Add up the steps of each bin in rows 3 and 4 of bins, their sizes in row 5."""
    keys, steps, sizes = work[0], work[1:3], work[3]
    last = bins.shape[1] - 2
    bins[3:6] = 0.0
    for i in range(len(keys)):
        k = min(int(keys[i] * scale), last)
        slots[i] = k
        bins[3, k] += steps[0, i]
        bins[4, k] += steps[1, i]
        bins[5, k] += sizes[i]


@njit(**OPTIONS)
def collect(work: Array, slots: Ints, bins: Array, best: float, order: Ints) -> int:
    """Sort the points of the bins whose upper bound (row 6) exceeds best; return how many."""
    keys, sorted_keys, count = work[0], work[4], 0
    for i in range(len(keys)):
        if bins[6, slots[i]] > best:
            sorted_keys[count], order[count] = keys[i], i
            count += 1
    shell_sort(sorted_keys, order, count)
    return count


@njit(**OPTIONS)
def best_bias(
    XT: Array, q: Array, w: Array, proj: Array, work: Array, order: Ints, slots: Ints, bins: Array
) -> tuple[float, int]:
    """Return (|eta|, anchor) maximal over the biases w.x_j: bins, then a sort of the best ones."""
    n, last = XT.shape[1], bins.shape[1] - 2
    project(XT, w, proj)
    low, high = proj[0], proj[0]
    for i in range(n):
        low, high = min(low, proj[i]), max(high, proj[i])
    width = (high - low) / (last + 1)
    keys, steps, sizes = work[0], work[1:3], work[3]
    for i in range(n):
        keys[i] = high - proj[i]
        steps[0, i], steps[1, i], sizes[i] = q[i], q[i] * keys[i], abs(q[i])
    fill_bins(work, 1.0 / width if width > 0.0 else 0.0, slots, bins)
    # |eta| at depth t below the top is |t mass - moment| over the points above.
    mass, moment, best = 0.0, 0.0, 0.0
    for k in range(last + 1):
        left, right = abs(k * width * mass - moment), abs((k + 1) * width * mass - moment)
        best = max(best, left)
        step, more = bins[3, k], bins[4, k]
        bins[6, k] = max(left, right) + width * bins[5, k]
        bins[3, k], bins[4, k] = mass, moment
        mass += step
        moment += more
    count = collect(work, slots, bins, best * (1.0 - 1e-9) - 1e-300, order)
    best, anchor, before = -1.0, 0, -1
    for m in range(count):
        i = order[m]
        if slots[i] != before:
            before = slots[i]
            mass, moment = bins[3, before], bins[4, before]
        value = abs(keys[i] * mass - moment)
        if value > best:
            best, anchor = value, i
        mass += q[i]
        moment += q[i] * keys[i]
    return best, anchor


@njit(**OPTIONS)
def bound_arcs(
    P: float, R: float, a: float, b: float, sides: tuple[float, ...], floor: float, bins: Array
) -> float:
    """Replace steps by the (P, R) of each bin's left end, bound |eta| in each bin (row 6).

    Returns the largest |eta| at the ends of bins, or `floor` if larger. See `circle` for a, b and
    sides.
    """
    best = floor
    for k in range(bins.shape[1] - 1):
        c, s, cc, ss = bins[0, k], bins[1, k], bins[0, k + 1], bins[1, k + 1]
        most = 0.0
        for side in sides:
            A, B = P + side * a, R + side * b
            left, right = abs(A * c + B * s), abs(A * cc + B * ss)
            best = max(best, left)
            top = max(left, right)
            if (B * c - A * s) * (B * cc - A * ss) <= 0.0:
                top = np.sqrt(A * A + B * B)
            most = max(most, top)
        bins[6, k] = most + bins[2, k] * bins[5, k]
        step, more = bins[3, k], bins[4, k]
        bins[3, k], bins[4, k] = P, R
        P += step
        R += more
    return best


@njit(**OPTIONS)
def circle(
    q: Array,
    p: Array,
    r: Array,
    a: float,
    b: float,
    sides: tuple[float, ...],
    work: Array,
    order: Ints,
    slots: Ints,
    bins: Array,
    floor: float,
) -> tuple[float, float, int, float]:
    """Return (|eta|, cot t, point, side) largest on the circle with coordinates p, r.

    eta is (P + side a) cos t + (R + side b) sin t for the best of the sides: of one, 0, where eta
    is even. `point` is the index of the crossing point for a maximum at a kink, -1 inside an arc
    and -2 if nothing exceeds `floor`. Only bins of angles that can hold the maximum are sorted.
    """
    steps, last = work[1:3], bins.shape[1] - 2
    P, R = crossings(q, p, r, work)
    fill_bins(work, 0.5 * (last + 1), slots, bins)
    least = bound_arcs(P, R, a, b, sides, floor, bins) * (1.0 - 1e-9)
    count = collect(work, slots, bins, least, order)
    best2, cot, point, best_side = floor * floor, 0.0, -2, sides[0]
    m = 0
    for k in range(last + 1):
        if bins[6, k] <= least:
            continue
        P, R = bins[3, k], bins[4, k]
        upper = bins[0, k] / bins[1, k] if k > 0 else np.inf
        end = bins[0, k + 1] / bins[1, k + 1] if k < last else -np.inf
        while True:
            i, lower = -1, end
            if m < count and slots[order[m]] == k:
                i = order[m]
                m += 1
                if p[i] == 0.0:
                    continue
                lower = -r[i] / p[i]
            for side in sides:
                A, B = P + side * a, R + side * b
                square = A * A + B * B
                if square > best2:
                    c = A / B if B != 0.0 else np.inf
                    if lower <= c <= upper and abs(c) < 1e15:
                        best2, cot, point, best_side = square, c, -1, side
                    elif i >= 0 and abs(lower) < 1e15:
                        value = A * lower + B
                        value = value * value / (1.0 + lower * lower)
                        if value > best2:
                            best2, cot, point, best_side = value, lower, i, side
            if i < 0:
                break
            P += steps[0, i]
            R += steps[1, i]
            upper = lower
    return np.sqrt(best2), cot, point, best_side


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
