"""Compiled local search for sup |eta|: exact line searches along circles of hyperplanes.

For a hyperplane through an anchor x_j with normal w, and a unit e orthogonal to w, the circle
w(t) = cos t w + sin t e rotates the hyperplane about the points that are orthogonal to both. On
it eta_j(w(t)) = 1/2 sum_i q_i |p_i cos t + r_i sin t| with p_i = w.z_i, r_i = e.z_i,
z_i = x_i - x_j: sinusoids between the angles where a point crosses, so one sort finds the global
maximum of |eta| on the circle. Maxima mostly sit on kinks, where the hyperplane meets more data:
the search then *holds* that point (moves on in the face) and *releases* held points one at a time
where the one-sided slope says so, each release being again a circle. Nothing creeps.

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


@njit(**OPTIONS)
def hold(XT: Array, anchor: int, point: int, held: Ints, basis: Array, size: int) -> int:
    """Add x_point - x_anchor to the orthonormal basis of held differences; return the new size."""
    d = XT.shape[0]
    if size >= d - 1:
        return size
    before = 0.0
    z = basis[size]
    for k in range(d):
        z[k] = XT[k, point] - XT[k, anchor]
        before += z[k] * z[k]
    norm = orthogonalise(z, basis, size)
    if norm > 1e-8 * np.sqrt(before) and norm > ON_PLANE:
        for k in range(d):
            z[k] /= norm
        held[size] = point
        return size + 1
    return size


@njit(**OPTIONS)
def release_direction(
    XT: Array, anchor: int, held: Ints, size: int, which: int, others: Array, e: Array
) -> bool:
    """Set e to the unit vector in the span of held differences orthogonal to all but `which`."""
    d = XT.shape[0]
    count = 0
    for m in range(size):
        if m != which:
            z = others[count]
            for k in range(d):
                z[k] = XT[k, held[m]] - XT[k, anchor]
            norm = orthogonalise(z, others, count)
            if norm > ON_PLANE:
                for k in range(d):
                    z[k] /= norm
                count += 1
    for k in range(d):
        e[k] = XT[k, held[which]] - XT[k, anchor]
    norm = orthogonalise(e, others, count)
    if norm <= ON_PLANE:
        return False
    for k in range(d):
        e[k] /= norm
    return True


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
    for i in range(n):
        a = p[i] - base
        if abs(a) <= ON_PLANE:
            a = 0.0
            if i != anchor:
                on_plane[count] = i
                count += 1
        p[i] = a
        active[i] = q[i] if a > 0.0 else 0.0
    for i in range(n):
        value += active[i] * p[i]
        mass += active[i]
    for k in range(d):
        total = 0.0
        for i in range(n):
            total += active[i] * XT[k, i]
        g[k] = total - mass * XT[k, anchor]
    return value, count


@njit(**OPTIONS)
def collect_held(
    XT: Array, anchor: int, held: Ints, basis: Array, on_plane: Ints, count: int, start: int
) -> int:
    """Hold independent points of the plane, tried from `start` on; return how many."""
    size = 0
    for m in range(count):
        size = hold(XT, anchor, on_plane[(m + start) % count], held, basis, size)
    return size


@njit(**OPTIONS)
def release_gains(
    XT: Array,
    q: Array,
    anchor: int,
    sign: float,
    g: Array,
    held: Ints,
    size: int,
    others: Array,
    e: Array,
    gains: Array,
) -> None:
    """gains[m] = the larger one-sided slope of |eta| when held point m is released."""
    d = XT.shape[0]
    for m in range(size):
        gains[m] = -1.0
        if release_direction(XT, anchor, held, size, m, others, e):
            slope, ze = 0.0, 0.0
            for k in range(d):
                slope += g[k] * e[k]
                ze += (XT[k, held[m]] - XT[k, anchor]) * e[k]
            if ze < 0.0:
                slope = -slope
            gains[m] = max(sign * (slope + q[held[m]] * abs(ze)), -sign * slope)


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
    others: Array,
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
        size = hold(XT, anchor, point, held, basis, 0)
    for m in range(count):
        i = on_plane[m]
        if p[i] == 0.0 and abs(r[i]) <= ON_PLANE:
            size = hold(XT, anchor, i, held, basis, size)
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
    p, r, key, scratch, active = floats
    order, on_plane, counts = integers[0, :n], integers[1, :n], integers[2]
    basis, others, rest = small[0], small[1], small[2]
    e, g = rest[0], rest[1 % d] if d > 1 else np.empty(1)
    best, anchor = best_bias(XT, q, w, p, key, order, counts, scratch)
    if d == 1:
        return best, anchor
    value, count = survey(XT, q, anchor, w, p, active, g, on_plane)
    best = abs(value)
    size = collect_held(XT, anchor, held, basis, on_plane, count, 0)
    stage, rotation = 0, 0
    for _ in range(max_moves):
        sign = 1.0 if value >= 0.0 else -1.0
        usable = False
        if stage == 0:
            stage = 1
            if size < d - 1:
                usable = face_direction(g, sign, w, basis, size, e) > 1e-9
            if not usable:
                release_gains(XT, q, anchor, sign, g, held, size, others, e, gains)
        if stage == 1 and not usable:
            pick = -1
            for m in range(size):
                if gains[m] > 1e-10 * best and (pick < 0 or gains[m] > gains[pick]):
                    pick = m
            if pick >= 0:
                usable = release_direction(XT, anchor, held, size, pick, others, e)
                gains[pick] = -1.0
            else:
                stage = 2
        if stage == 2:
            other_value, other = best_bias(XT, q, w, p, key, order, counts, scratch)
            if other_value > best * (1.0 + 1e-12):
                anchor = other
                value, count = survey(XT, q, anchor, w, p, active, g, on_plane)
                best = abs(value)
                size = collect_held(XT, anchor, held, basis, on_plane, count, 0)
                stage, rotation = 0, 0
                continue
            value, count = survey(XT, q, anchor, w, p, active, g, on_plane)
            # The same vertex has other bases, hence other edges; the anchor is one of its points.
            rotation += 1
            if count == 0 or rotation > (2 * d if count > size else 1):
                break
            swap = on_plane[(rotation * 7919) % count]
            on_plane[(rotation * 7919) % count] = anchor
            anchor = swap
            for k in range(d):
                g[k] = 0.0
            value, count = survey(XT, q, anchor, w, p, active, g, on_plane)
            size = collect_held(
                XT, anchor, held, basis, on_plane, count, (rotation * 104729) % count
            )
            stage = 0
            continue
        if usable:
            project(XT, e, r)
            base = r[anchor]
            for i in range(n):
                b = r[i] - base
                r[i] = b if abs(b) > ON_PLANE else 0.0
            _, cot, point = circle(q, p, r, key, order, counts, scratch, best * (1.0 + 1e-12))
            if point > -2:
                rotate(XT, anchor, w, e, cot, point, held, basis, others, p, r, on_plane, count)
                value, count = survey(XT, q, anchor, w, p, active, g, on_plane)
                best = abs(value)
                size = collect_held(XT, anchor, held, basis, on_plane, count, 0)
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
    floats, integers = np.empty((5, n)), np.empty((3, n + 1), np.int64)
    small, held, gains = np.empty((3, max(d, 2), d)), np.empty(d, np.int64), np.empty(d)
    for m in range(starts.shape[0]):
        w = starts[m]
        norm = 0.0
        for k in range(d):
            norm += w[k] * w[k]
        norm = np.sqrt(norm)
        for k in range(d):
            w[k] /= norm
        values[m], anchor = ascend(XT, q, w, max_moves, floats, integers, small, held, gains)
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
