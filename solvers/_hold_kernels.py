"""Compiled faces of a hyperplane: the data that it meets, *held* while it moves on in the face.

A hyperplane through an anchor x_j meets further points. It moves orthogonally to the differences of
independent ones of them to the anchor, until one is *released*.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from ..problems.checks import Array
from ._circle_kernels import (
    BLOCK,
    FAST,
    INLINED,
    ON_PLANE,
    OPTIONS,
    Ints,
    angle_grid,
    bin_count,
    orthogonalise,
    project,
)

Scratch = tuple[
    Array, Array, Array, Array, Ints, Ints, Array, Ints, Ints, Array, Array, Array, Array, Array,
    Array, Array,
]  # fmt: skip
"""Arrays of an ascent, a plain tuple as those of `_branch_kernels`.

Margins p of the points, their speeds r along a circle, active weights (0 on and below the plane);
work, order, slots, bins of `circle`; on_plane, the points on the plane other than the anchor; held
points, whose differences to the anchor are tri @ basis: held, basis, tri; releases and their gains;
a direction e, the gradient g, and another direction.
"""


@njit(**OPTIONS)
def scratch(n: int, d: int) -> Scratch:
    """Return the arrays of an ascent over n points in d dimensions."""
    bins = np.zeros((7, bin_count(n) + 1))
    angle_grid(bins)
    floats, integers = np.empty((8, n)), np.empty((3, n), np.int64)
    small, e, g, trial = np.empty((3, d, d)), np.empty(d), np.empty(d), np.empty(d)
    return (
        floats[0], floats[1], floats[2], floats[3:8], integers[0], integers[2], bins, integers[1],
        np.empty(d, np.int64), small[0], small[1], small[2], np.empty(d), e, g, trial,
    )  # fmt: skip


@njit(**OPTIONS)
def hold(
    XT: Array, anchor: int, point: int, held: Ints, basis: Array, tri: Array, size: int
) -> int:
    """Add z = x_point - x_anchor to the held differences Z = tri @ basis; return the new size."""
    d = XT.shape[0]
    if size >= d - 1:
        return size
    before = 0.0
    z = basis[size]
    for k in range(d):
        z[k] = XT[k, point] - XT[k, anchor]
        before += z[k] * z[k]
    for m in range(size):
        tri[size, m] = 0.0
    for _ in range(2):
        for m in range(size):
            dot = 0.0
            for k in range(d):
                dot += z[k] * basis[m, k]
            tri[size, m] += dot
            for k in range(d):
                z[k] -= dot * basis[m, k]
    norm = 0.0
    for k in range(d):
        norm += z[k] * z[k]
    norm = np.sqrt(norm)
    if norm > 1e-8 * np.sqrt(before) and norm > ON_PLANE:
        for k in range(d):
            z[k] /= norm
        tri[size, size] = norm
        held[size] = point
        return size + 1
    return size


@njit(**FAST)
def survey(
    XT: Array, q: Array, anchor: int, w: Array, p: Array, active: Array, g: Array, on_plane: Ints
) -> tuple[float, int]:
    """Fill margins p (0 on the plane), gradient g = sum_above q_i (x_i - x_j), points on the plane.

    Returns (signed eta, number of points on the plane other than the anchor).
    """
    d, n = XT.shape
    project(XT, w, p)
    base = p[anchor]
    count = 0
    value, mass = 0.0, 0.0
    for k in range(d):
        g[k] = 0.0
    for first in range(0, n, BLOCK):
        part, above, weights = (
            p[first : first + BLOCK],
            active[first : first + BLOCK],
            q[first : first + BLOCK],
        )
        for i in range(len(part)):
            a = part[i] - base
            part[i] = a if abs(a) > ON_PLANE else 0.0
            above[i] = weights[i] if a > ON_PLANE else 0.0
            value += above[i] * part[i]
            mass += above[i]
        for k in range(d):
            column, total = XT[k, first : first + BLOCK], 0.0
            for i in range(len(column)):
                total += above[i] * column[i]
            g[k] += total
        zeros = 0
        for i in range(len(part)):
            zeros += part[i] == 0.0
        if zeros > 0:
            for i in range(len(part)):
                if part[i] == 0.0 and first + i != anchor:
                    on_plane[count] = first + i
                    count += 1
    for k in range(d):
        g[k] -= mass * XT[k, anchor]
    return value, count


@njit(**OPTIONS)
def collect_held(
    XT: Array,
    anchor: int,
    held: Ints,
    basis: Array,
    tri: Array,
    on_plane: Ints,
    count: int,
    start: int,
) -> int:
    """Hold independent points of the plane, tried from `start` on; return how many."""
    size = 0
    for m in range(count):
        size = hold(XT, anchor, on_plane[(m + start) % count], held, basis, tri, size)
    return size


@njit(**OPTIONS)
def rotate(
    XT: Array,
    anchor: int,
    w: Array,
    e: Array,
    cot: float,
    point: int,
    held: Ints,
    basis: Array,
    tri: Array,
    p: Array,
    r: Array,
    on_plane: Ints,
    count: int,
) -> None:
    """Set w to unit(cot w + e), made exactly orthogonal to the points that stay on the plane."""
    d = XT.shape[0]
    scale = np.sqrt(1.0 + cot * cot)
    for k in range(d):
        w[k] = (cot * w[k] + e[k]) / scale
    size = 0
    if point >= 0:
        size = hold(XT, anchor, point, held, basis, tri, 0)
    for m in range(count):
        i = on_plane[m]
        if p[i] == 0.0 and abs(r[i]) <= ON_PLANE:
            size = hold(XT, anchor, i, held, basis, tri, size)
    norm = orthogonalise(w, basis, size)
    for k in range(d):
        w[k] /= norm


@njit(**INLINED)
def stand(
    XT: Array,
    q: Array,
    anchor: int,
    w: Array,
    p: Array,
    active: Array,
    g: Array,
    on_plane: Ints,
    held: Ints,
    basis: Array,
    tri: Array,
    start: int,
) -> tuple[float, int, int]:
    """Look around from a plane; return (signed eta, points on the plane, how many are held)."""
    value, count = survey(XT, q, anchor, w, p, active, g, on_plane)
    size = collect_held(XT, anchor, held, basis, tri, on_plane, count, start)
    return value, count, size
