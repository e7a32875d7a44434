"""Compiled bounds of |eta| / |w|_1 over boxes of planes; see `_kernels` for the words."""

from __future__ import annotations

import numpy as np
from numba import njit

from ...problems.checks import Array
from .._circle_kernels import OPTIONS, Ints

QUADRATIC_SWEEPS, EXACT_SWEEPS = 2, 1
"""Passes over the free slopes: for a smooth stand-in of the bound, then for the bound itself."""


@njit(**OPTIONS)
def bound_at(G: Array, centre: Array, half: Array, constant: float) -> float:
    """Return the maximum of G.v + constant over the box."""
    total = constant
    for k in range(len(G)):
        total += G[k] * centre[k] + abs(G[k]) * half[k]
    return total


@njit(**OPTIONS)
def best_slope(G: Array, c: float, z: Array, t: float, half: Array, e: float) -> float:
    """Return the slope in [-1, 1] that minimises c e t + sum_k half_k |G_k + c (e' - e) z_k|.

    Convex and piecewise linear in e', with kinks where an entry vanishes: they are tried from the
    left until the derivative is no longer negative.
    """
    slope = c * t
    for k in range(len(G)):
        slope -= abs(c * z[k]) * half[k]
    # Left of all kinks the derivative is `slope`; find the kink where it changes its sign.
    low = -np.inf
    while True:
        kink = np.inf
        for k in range(len(G)):
            if c * z[k] != 0.0 and half[k] > 0.0:
                at = e - G[k] / (c * z[k])
                if low < at < kink:
                    kink = at
        if slope >= 0.0 or kink == np.inf:
            break
        for k in range(len(G)):
            if c * z[k] != 0.0 and half[k] > 0.0 and e - G[k] / (c * z[k]) == kink:
                slope += 2.0 * abs(c * z[k]) * half[k]
        low = kink
        if low >= 1.0:
            break
    if slope >= 0.0:
        return min(max(low, -1.0), 1.0)
    return 1.0


@njit(**OPTIONS)
def bound_box(
    rows: Array,
    coefs: Array,
    T: float,
    centre: Array,
    half: Array,
    G: Array,
    slopes: Array,
    free: Ints,
    score: Array,
) -> tuple[float, float]:
    """Return (U, v) with sup sigma eta(w, b) / |w|_1 <= max(T, U) on the box; v the centre's value.

    On the box sigma eta(v) - T |w|_1 = sum_i c_i |rows_i.v| is at most G.v + constant, where each
    constraint adds, with t_i = rows_i.centre and rho_i = sum_k half_k |rows_ik|,

        |t_i| >= rho_i               c_i sign(t_i) rows_i to G                     (exact)
        |t_i| < rho_i and c_i > 0    c_i (t_i / rho_i) rows_i to G, c_i (rho_i - t_i^2 / rho_i) to
                                     the constant                                  (the chord)
        |t_i| < rho_i and c_i < 0    c_i e_i rows_i to G, any e_i in [-1, 1]       (free slopes)

    Axes are constraints with c = -T. If the maximum over the box is positive, it is divided by the
    least |w|_1, which is at least 1. `score` receives what each axis of the box leaves open. A box
    without an ambiguous datum with c_i < 0 holds no maximum over the bias; its U is 0.
    """
    m, size = rows.shape
    d, n, count, constant = size - 1, m - size + 1, 0, 0.0
    G[:] = 0.0
    score[:] = 0.0
    value, reached = 0.0, False
    for i in range(m):
        t, rho, reach = 0.0, 0.0, 0.0
        for k in range(size):
            t += rows[i, k] * centre[k]
            rho += abs(rows[i, k]) * half[k]
            reach += abs(rows[i, k])
        c = coefs[i] if i < n else -T
        if i < n:
            value += c * abs(t)
        if c == 0.0:
            continue
        # |centre_k| and half_k are at most 1.
        if abs(t) >= rho + (4 * size + 8) * 2.0**-53 * reach:
            slope = 1.0 if t > 0.0 else -1.0
        else:
            slope = min(max(t / rho, -1.0), 1.0) if rho > 0.0 else 0.0
            if c > 0.0:
                # Not below the chord of the widest interval that rounding leaves possible.
                constant += c * max(rho - slope * t, 0.0)
            else:
                free[count], slopes[count] = i, slope
                count += 1
                reached = reached or i < n
            for k in range(size):
                score[k] += abs(c * rows[i, k]) * half[k]
        for k in range(size):
            G[k] += c * slope * rows[i, k]
    price, least = 0.0, 0.0
    for k in range(d):
        price += abs(centre[k])
        least += max(abs(centre[k]) - half[k], 0.0)
    value /= price
    if not reached:
        return 0.0, value
    bound = bound_at(G, centre, half, constant)
    for step in range(QUADRATIC_SWEEPS + EXACT_SWEEPS):
        if bound <= 0.0 or count == 0:
            break
        for m in range(count):
            i = free[m]
            c, z = (coefs[i] if i < n else -T), rows[i]
            along, square, t = 0.0, 0.0, 0.0
            for k in range(size):
                weight = half[k] * half[k]
                along += weight * G[k] * z[k]
                square += weight * z[k] * z[k]
                t += z[k] * centre[k]
            if square <= 0.0:
                continue
            if step < QUADRATIC_SWEEPS:
                e = min(max(slopes[m] - along / (c * square), -1.0), 1.0)
            else:
                e = best_slope(G, c, z, t, half, slopes[m])
            change = e - slopes[m]
            if change != 0.0:
                slopes[m] = e
                for k in range(size):
                    G[k] += c * change * z[k]
        bound = min(bound, bound_at(G, centre, half, constant))
    return (T + bound / least if bound > 0.0 else 0.0), value


@njit(**OPTIONS)
def split_boxes(
    rows: Array, coefs: Array, T: float, boxes: Array, bounds: Array, out: Array, limits: Array
) -> tuple[int, float, Array]:
    """Halve every box, bound the halves, keep those that may exceed T in `out`, `limits`.

    A box is (centre, half, axis to be halved), v having d + 1 coordinates. Returns how many are
    kept, and the largest sigma eta / |w|_1 at a centre with that centre.
    """
    size = rows.shape[1]
    G, score = np.empty(size), np.empty(size)
    slopes, free = np.empty(len(rows)), np.empty(len(rows), dtype=np.int64)
    count, best, where = 0, -np.inf, np.zeros(size)
    for m in range(len(boxes)):
        axis = int(boxes[m, 2 * size])
        for side in range(2):
            out[count] = boxes[m]
            step = 0.5 * boxes[m, size + axis]
            out[count, size + axis] = step
            out[count, axis] += step if side == 1 else -step
            U, value = bound_box(
                rows, coefs, T, out[count, :size], out[count, size:-1], G, slopes, free, score
            )
            if value > best:
                best = value
                where[:] = out[count, :size]
            if U > T:
                widest = 0
                for k in range(size):
                    if score[k] > score[widest]:
                        widest = k
                out[count, 2 * size] = widest
                limits[count] = min(U, bounds[m])
                count += 1
    return count, best, where
