"""Compiled choice of where a hyperplane moves: in the face of its held points, or off one."""

from __future__ import annotations

import numpy as np
from numba import njit

from ..problems.checks import Array
from ._circle_kernels import INLINED, OPTIONS, Ints, orthogonalise

FRESH, FACE, RELEASES, SPENT = 0, 1, 2, 3
"""What was tried from a plane: nothing, the gradient of its face, releases, all of them."""
LEAST_SHARE = 1e-9
"""Part of the gradient in the face below which it is rounding."""


@njit(**OPTIONS)
def face_direction(g: Array, sign: float, w: Array, basis: Array, size: int, e: Array) -> float:
    """Set e to the unit tangent gradient of |eta| on the face; return its share of |g|."""
    d = len(w)
    full = 0.0
    for k in range(d):
        e[k] = sign * g[k]
        full += g[k] * g[k]
    orthogonalise(e, basis, size)
    for _ in range(2):
        dot = 0.0
        for k in range(d):
            dot += e[k] * w[k]
        for k in range(d):
            e[k] -= dot * w[k]
    norm = 0.0
    for k in range(d):
        norm += e[k] * e[k]
    if norm <= 0.0:
        return 0.0
    norm = np.sqrt(norm)
    for k in range(d):
        e[k] /= norm
    return float(norm / np.sqrt(full))


@njit(**OPTIONS)
def release_gains(
    q: Array,
    sign: float,
    g: Array,
    held: Ints,
    basis: Array,
    tri: Array,
    size: int,
    releases: Array,
    gains: Array,
) -> None:
    """Fill the ways to release one held point each, and the one-sided slopes of |eta| gained.

    releases[m] is the unit vector in span(Z) orthogonal to all held differences but z_m: with
    Z = L Q (L = tri, Q = basis) it is Q^T c, scaled, where c is column m of inv(L).
    """
    d = basis.shape[1]
    c = releases[size]
    for m in range(size):
        c[m] = 1.0 / tri[m, m]
        squares = c[m] * c[m]
        for row in range(m + 1, size):
            total = 0.0
            for k in range(m, row):
                total -= tri[row, k] * c[k]
            c[row] = total / tri[row, row]
            squares += c[row] * c[row]
        ze = 1.0 / np.sqrt(squares)
        slope = 0.0
        for k in range(d):
            total = 0.0
            for row in range(m, size):
                total += c[row] * basis[row, k]
            releases[m, k] = total * ze
            slope += g[k] * releases[m, k]
        gains[m] = max(sign * (slope + q[held[m]] * ze), -sign * slope)


@njit(**INLINED)
def next_direction(
    q: Array,
    sign: float,
    w: Array,
    size: int,
    stage: int,
    least: float,
    g: Array,
    held: Ints,
    basis: Array,
    tri: Array,
    releases: Array,
    gains: Array,
    e: Array,
) -> int:
    """Write the next direction to try to e; return the stage, `SPENT` if there is none.

    First the gradient of the face, then the releases that gain more than `least`, best first.
    """
    if stage == FRESH and size < w.size - 1:
        if face_direction(g, sign, w, basis, size, e) > LEAST_SHARE:
            return FACE
    if stage != RELEASES:
        release_gains(q, sign, g, held, basis, tri, size, releases, gains)
    pick = -1
    for m in range(size):
        if gains[m] > least and (pick < 0 or gains[m] > gains[pick]):
            pick = m
    if pick < 0:
        return SPENT
    e[:] = releases[pick]
    gains[pick] = -1.0
    return RELEASES
