"""Compiled steps of the knot method in one dimension, each O(n) or O(knots).

The model is ``Q(z) = sum_i w_i z_i^2 / 2 - b_i z_i`` for z piecewise linear with knots at some of
the sorted points x; the first and the last point are always knots. On the element between two
neighbouring knots a < c with hat functions ``r_i = (x_c - x_i) / h``, ``t_i = (x_i - x_a) / h``,
Q depends on the inner points only through seven sums, a row of `elements`:

    w r^2,  w r t,  w t^2,  b r,  b t  over a < i < c,   then  w_a  and  b_a.

All sums of w are of positive terms, also when two elements merge, so that the tridiagonal matrix
of the knot values is accurate however uneven the points and weights are: there is no second
difference of n points anywhere, whose condition would grow like n^4.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from ...problems.checks import Array
from .._circle_kernels import OPTIONS, Ints

Mask = NDArray[np.bool_]

SUMS = 7
"""Columns of an element."""


@njit(**OPTIONS)
def sum_element(x: Array, w: Array, b: Array, a: int, c: int, out: Array) -> None:
    """Write the seven sums of the element between the knots a and c."""
    h = x[c] - x[a]
    rr, rt, tt, br, bt = 0.0, 0.0, 0.0, 0.0, 0.0
    for i in range(a + 1, c):
        # Both hats by their own difference: 1 - t would cancel near the right end.
        t, r = (x[i] - x[a]) / h, (x[c] - x[i]) / h
        rr += w[i] * r * r
        rt += w[i] * r * t
        tt += w[i] * t * t
        br += b[i] * r
        bt += b[i] * t
    out[0], out[1], out[2], out[3], out[4], out[5], out[6] = rr, rt, tt, br, bt, w[a], b[a]


@njit(**OPTIONS)
def sum_elements(x: Array, w: Array, b: Array, knots: Ints) -> Array:
    """Return the elements of all knots, shape (n_knots, 7); the last has its own point only."""
    count = len(knots)
    elements = np.zeros((count, SUMS))
    for k in range(count - 1):
        sum_element(x, w, b, knots[k], knots[k + 1], elements[k])
    elements[count - 1, 5], elements[count - 1, 6] = w[knots[-1]], b[knots[-1]]
    return elements


@njit(**OPTIONS)
def kinks_of(position: Array, u: Array) -> Array:
    """Return the changes of slope at the knots, 0 at both ends."""
    kinks = np.zeros(len(u))
    for k in range(1, len(u) - 1):
        kinks[k] = (u[k + 1] - u[k]) / (position[k + 1] - position[k]) - (u[k] - u[k - 1]) / (
            position[k] - position[k - 1]
        )
    return kinks


@njit(**OPTIONS)
def solve_knots(
    x: Array, knots: Ints, signs: Array, elements: Array, alpha: float
) -> tuple[Array, Array]:
    """Return knot values and kinks that minimise Q(z) + alpha sum_k signs_k kink_k.

    A tridiagonal positive definite system, solved without pivoting.
    """
    count = len(knots)
    diagonal, right = elements[:, 5].copy(), elements[:, 6].copy()
    off = np.zeros(count)
    for k in range(count - 1):
        force = alpha * (signs[k + 1] - signs[k]) / (x[knots[k + 1]] - x[knots[k]])
        diagonal[k] += elements[k, 0]
        off[k] = elements[k, 1]
        diagonal[k + 1] += elements[k, 2]
        right[k] += elements[k, 3] - force
        right[k + 1] += elements[k, 4] + force
    for k in range(1, count):
        ratio = off[k - 1] / diagonal[k - 1]
        diagonal[k] -= ratio * off[k - 1]
        right[k] -= ratio * right[k - 1]
    u = np.empty(count)
    u[count - 1] = right[count - 1] / diagonal[count - 1]
    for k in range(count - 2, -1, -1):
        u[k] = (right[k] - off[k] * u[k + 1]) / diagonal[k]
    return u, kinks_of(x[knots], u)


@njit(**OPTIONS)
def worst_of_runs(signs: Array, kinks: Array) -> tuple[int, Mask]:
    """Mark, in each run of neighbouring knots with a kink against its sign, the largest one."""
    count = len(signs)
    marked = np.zeros(count, np.bool_)
    found, k = 0, 1
    while k < count - 1:
        if signs[k] * kinks[k] > 0.0:
            k += 1
            continue
        worst = k
        while k < count - 1 and not signs[k] * kinks[k] > 0.0:
            if abs(kinks[k]) > abs(kinks[worst]):
                worst = k
            k += 1
        marked[worst] = True
        found += 1
    return found, marked


@njit(**OPTIONS)
def drop(x: Array, knots: Ints, signs: Array, elements: Array, marked: Mask, carried: Array) -> int:
    """Remove the marked inner knots, in `carried` too, in place; return how many stay.

    With ``p = h_2 / H``, ``l = h_1 / H`` the hats of the merged element are ``r + p t`` and ``l t``
    on its left part, ``p r`` and ``t + l r`` on its right part, p and l at the knot between.
    """
    m = 0
    for k in range(1, len(knots)):
        if not marked[k]:
            m += 1
            knots[m], signs[m] = knots[k], signs[k]
            elements[m] = elements[k]
            carried[:, m] = carried[:, k]
            continue
        left, right = x[knots[k]] - x[knots[m]], x[knots[k + 1]] - x[knots[k]]
        p, q = right / (left + right), left / (left + right)
        A, B = elements[m], elements[k]
        rr = A[0] + 2.0 * p * A[1] + p * p * (A[2] + B[0] + B[5])
        rt = q * A[1] + p * q * (A[2] + B[0] + B[5]) + p * B[1]
        tt = B[2] + 2.0 * q * B[1] + q * q * (A[2] + B[0] + B[5])
        br = A[3] + p * (A[4] + B[3] + B[6])
        bt = B[4] + q * (A[4] + B[3] + B[6])
        A[0], A[1], A[2], A[3], A[4] = rr, rt, tt, br, bt
    return m + 1


@njit(**OPTIONS)
def insert(
    x: Array,
    w: Array,
    b: Array,
    knots: Ints,
    signs: Array,
    elements: Array,
    new: Ints,
    new_signs: Array,
) -> tuple[Ints, Array, Array]:
    """Return knots, signs and elements with the sorted points `new` as further knots."""
    count, added = len(knots), len(new)
    all_knots = np.empty(count + added, np.int64)
    all_signs = np.empty(count + added)
    all_elements = np.empty((count + added, SUMS))
    m, p = 0, 0
    for k in range(count):
        all_knots[m], all_signs[m] = knots[k], signs[k]
        all_elements[m] = elements[k]
        first = m
        m += 1
        while k + 1 < count and p < added and new[p] < knots[k + 1]:
            all_knots[m], all_signs[m] = new[p], new_signs[p]
            m += 1
            p += 1
        if m > first + 1:
            for j in range(first, m):
                end = all_knots[j + 1] if j + 1 < m else knots[k + 1]
                sum_element(x, w, b, all_knots[j], end, all_elements[j])
    return all_knots, all_signs, all_elements


@njit(**OPTIONS)
def interpolate(x: Array, a: int, c: int, left: float, slope: float, right: float, i: int) -> float:
    """Return z_i between two knots, from the nearer one."""
    from_left, from_right = x[i] - x[a], x[c] - x[i]
    near_left: float = left + slope * from_left
    near_right: float = right - slope * from_right
    return near_left if from_left < from_right else near_right


@njit(**OPTIONS)
def expand(x: Array, knots: Ints, u: Array) -> Array:
    """Return z at all points."""
    z = np.empty(len(x))
    for k in range(len(knots) - 1):
        a, c = knots[k], knots[k + 1]
        slope = (u[k + 1] - u[k]) / (x[c] - x[a])
        z[a] = u[k]
        for i in range(a + 1, c):
            z[i] = interpolate(x, a, c, u[k], slope, u[k + 1], i)
    z[knots[-1]] = u[-1]
    return z


@njit(**OPTIONS)
def worst_deviations(x: Array, z: Array, knots: Ints, allowed: Array) -> Ints:
    """Return, for each chord between knots, the point that misses it most beyond `allowed`."""
    found = np.empty(len(knots), np.int64)
    count = 0
    for k in range(len(knots) - 1):
        a, c = knots[k], knots[k + 1]
        slope = (z[c] - z[a]) / (x[c] - x[a])
        worst, at = 1.0, -1
        for i in range(a + 1, c):
            away = abs(z[i] - interpolate(x, a, c, z[a], slope, z[c], i))
            if away > worst * allowed[i]:
                worst, at = away / max(allowed[i], 1e-300), i
        if at >= 0:
            found[count] = at
            count += 1
    return found[:count]


@njit(**OPTIONS)
def point_value(w: Array, b: Array, centre: Array, i: int, z: float) -> float:
    """Return the part of point i in Q, written such that it does not cancel."""
    residual = b[i] - w[i] * z
    value: float = 0.5 * residual * residual / w[i]
    if len(centre) > 0:
        value = -0.5 * (residual + b[i] - w[i] * centre[i]) * (z - centre[i])
    return value


@njit(**OPTIONS)
def scan(
    x: Array,
    w: Array,
    b: Array,
    knots: Ints,
    signs: Array,
    u: Array,
    alpha: float,
    threshold: float,
    centre: Array,
    new: Ints,
    new_signs: Array,
) -> tuple[int, float, float]:
    """Find where |v| exceeds the threshold; v is the eta of the residuals b - w z.

    On an element v is the double sum of the residuals with ``v = alpha signs`` at its two knots,
    which the optimality of u ensures: ``v_i' = v_i + (x_i' - x_i) g``, g the sum of residuals so
    far, starting at ``g = (v_c - v_a - sum_i (x_c - x_i) q_i) / h``. Nothing accumulates from one
    element to the next. The largest point of each run above the threshold is written to `new`.

    Returns
    -------
    tuple of (int, float, float)
        Number of points written, max |v| found above the threshold, and Q up to a constant:
        ``sum_i (b_i - w_i z_i)^2 / (2 w_i)``, or ``Q(z) - Q(centre)`` if a centre is given.
    """
    count, top, value = 0, 0.0, 0.0
    for k in range(len(knots)):
        value += point_value(w, b, centre, knots[k], u[k])
    for k in range(len(knots) - 1):
        a, c = knots[k], knots[k + 1]
        h = x[c] - x[a]
        slope = (u[k + 1] - u[k]) / h
        moment = 0.0
        for i in range(a + 1, c):
            z = interpolate(x, a, c, u[k], slope, u[k + 1], i)
            residual = b[i] - w[i] * z
            moment += residual * (x[c] - x[i])
            value += point_value(w, b, centre, i, z)
        v = alpha * signs[k]
        g = (alpha * signs[k + 1] - v - moment) / h
        best, at, side = 0.0, -1, 0.0
        for i in range(a + 1, c):
            v += g * (x[i] - x[i - 1])
            g += b[i] - w[i] * interpolate(x, a, c, u[k], slope, u[k + 1], i)
            here = 0.0 if not abs(v) > threshold else (1.0 if v > 0.0 else -1.0)
            if here != side:
                if side != 0.0:
                    new[count], new_signs[count] = at, side
                    count += 1
                best, side = 0.0, here
            if here != 0.0 and abs(v) > best:
                best, at = abs(v), i
                top = max(top, best)
        if side != 0.0:
            new[count], new_signs[count] = at, side
            count += 1
    return count, top, value


@njit(**OPTIONS)
def energy(elements: Array, d: Array) -> float:
    """Return sum_i w_i d_i^2 for the piecewise linear function with knot values d."""
    total = 0.0
    for k in range(len(d)):
        total += elements[k, 5] * d[k] * d[k]
        if k + 1 < len(d):
            total += elements[k, 0] * d[k] * d[k] + elements[k, 2] * d[k + 1] * d[k + 1]
            total += 2.0 * elements[k, 1] * d[k] * d[k + 1]
    return total


@njit(**OPTIONS)
def exact_step(start: Array, end: Array, curvature: float) -> tuple[float, int]:
    """Return the step t in (0, 1] that minimises the objective from kinks `start` towards `end`.

    `end` minimises the model with the signs of `start`, so the derivative of the objective is
    ``curvature (t - 1) + 2 alpha sum |end_k - start_k|`` over the kinks that have changed sign
    before t; `curvature` is the energy of the direction over alpha. If the minimum is where a kink
    vanishes, its index comes with it, otherwise -1.
    """
    crossing = np.flatnonzero(start * end < 0.0)
    at = start[crossing] / (start[crossing] - end[crossing])
    total = 0.0
    for o in np.argsort(at):
        k, t = crossing[o], at[o]
        free = 1.0 - 2.0 * total / curvature
        if free <= t:
            return free, -1
        total += abs(end[k] - start[k])
        if curvature * (t - 1.0) + 2.0 * total >= 0.0:
            return t, k
    return 1.0 - 2.0 * total / curvature, -1
