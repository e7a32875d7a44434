"""Compiled local search for sup |eta|: climbing along circles of hyperplanes.

Maxima mostly sit on kinks, where the hyperplane meets more data: the search then *holds* that
point (moves on in the face) and *releases* held points one at a time where the one-sided slope
says so, each release being again a circle. Nothing creeps.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from ..problems.checks import Array
from ._circle_kernels import (
    BLOCK,
    FAST,
    ON_PLANE,
    OPTIONS,
    Ints,
    Words,
    angle_grid,
    best_bias,
    bin_count,
    circle,
    orthogonalise,
    project,
)


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


@njit(**OPTIONS)
def ascend(
    XT: Array,
    q: Array,
    w: Array,
    max_moves: int,
    floats: Array,
    integers: Ints,
    bins: Array,
    small: Array,
    held: Ints,
    gains: Array,
) -> tuple[float, int]:
    """Climb from the normal w to a local maximum of |eta|; w is overwritten.

    The end point cannot be improved by any bias, nor by the gradient of its face, nor by
    releasing any one held point (for several bases where ties hold more points than dimensions).
    Returns (|eta|, anchor).
    """
    d, n = XT.shape
    p, r, active, work = floats[0], floats[1], floats[2], floats[3:8]
    order, on_plane, slots = integers
    basis, tri, releases, e, g = small[0], small[1], small[2], small[3, 0], small[3, 1]
    best, anchor = best_bias(XT, q, w, p, work, order, slots, bins)
    if d == 1:
        return best, anchor
    value, count = survey(XT, q, anchor, w, p, active, g, on_plane)
    best = abs(value)
    size = collect_held(XT, anchor, held, basis, tri, on_plane, count, 0)
    stage, rotation = 0, 0
    for _ in range(max_moves):
        sign = 1.0 if value >= 0.0 else -1.0
        usable = False
        if stage == 0:
            stage = 1
            if size < d - 1:
                usable = face_direction(g, sign, w, basis, size, e) > 1e-9
            if not usable:
                release_gains(q, sign, g, held, basis, tri, size, releases, gains)
        if stage == 1 and not usable:
            pick = -1
            for m in range(size):
                if gains[m] > 1e-10 * best and (pick < 0 or gains[m] > gains[pick]):
                    pick = m
            if pick >= 0:
                usable = True
                e[:] = releases[pick]
                gains[pick] = -1.0
            else:
                stage = 2
        if stage == 2:
            if rotation == 0:
                other_value, other = best_bias(XT, q, w, r, work, order, slots, bins)
                if other_value > best * (1.0 + 1e-12):
                    anchor = other
                    value, count = survey(XT, q, anchor, w, p, active, g, on_plane)
                    best = abs(value)
                    size = collect_held(XT, anchor, held, basis, tri, on_plane, count, 0)
                    stage = 0
                    continue
            # The same vertex has other bases, hence other edges; the anchor is one of its points.
            rotation += 1
            if count == 0 or rotation > (2 * d if count > size else 1):
                break
            swap = on_plane[(rotation * 7919) % count]
            anchor = swap
            value, count = survey(XT, q, anchor, w, p, active, g, on_plane)
            size = collect_held(
                XT, anchor, held, basis, tri, on_plane, count, (rotation * 104729) % count
            )
            stage = 0
            continue
        if usable:
            project(XT, e, r)
            base = r[anchor]
            for i in range(n):
                b = r[i] - base
                r[i] = b if abs(b) > ON_PLANE else 0.0
            floor = best * (1.0 + 1e-12)
            _, cot, point = circle(q, p, r, work, order, slots, bins, floor)
            if point > -2:
                rotate(XT, anchor, w, e, cot, point, held, basis, tri, p, r, on_plane, count)
                value, count = survey(XT, q, anchor, w, p, active, g, on_plane)
                best = abs(value)
                size = collect_held(XT, anchor, held, basis, tri, on_plane, count, 0)
                stage, rotation = 0, 0
    return best, anchor


@njit(**OPTIONS)
def ascend_all(
    XT: Array,
    q: Array,
    starts: Array,
    max_moves: int,
    keys: Words,
    values: Array,
    biases: Array,
    signatures: Words,
) -> None:
    """Run `ascend` from every row of `starts` (overwritten by the maxima), filling the outputs.

    `signatures` are hashes of the patterns {above, on} of the hyperplane, equal for (w, b) and
    (-w, -b); equal signatures mean the same vertex, face or cell.
    """
    d, n = XT.shape
    floats, integers = np.empty((8, n)), np.empty((3, n), np.int64)
    bins = np.zeros((7, bin_count(n) + 1))
    angle_grid(bins)
    small, held, gains = np.empty((4, max(d, 2), d)), np.empty(d, np.int64), np.empty(d)
    for m in range(starts.shape[0]):
        w = starts[m]
        norm = 0.0
        for k in range(d):
            norm += w[k] * w[k]
        norm = np.sqrt(norm)
        for k in range(d):
            w[k] /= norm
        values[m], anchor = ascend(XT, q, w, max_moves, floats, integers, bins, small, held, gains)
        margins = floats[0]
        project(XT, w, margins)
        bias = margins[anchor]
        biases[m] = bias
        above, below, on = np.uint64(0), np.uint64(0), np.uint64(0)
        for i in range(n):
            a = margins[i] - bias
            if a > 10 * ON_PLANE:
                above ^= keys[i]
            elif a < -10 * ON_PLANE:
                below ^= keys[i]
            else:
                on ^= keys[i]
        signatures[m] = min(above, below) ^ (on * np.uint64(0x9E3779B97F4A7C15))
