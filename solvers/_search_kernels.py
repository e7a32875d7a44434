"""Compiled local search for sup |eta|: exact line searches along circles of hyperplanes.

For a hyperplane through an anchor x_j with normal w, and a unit e orthogonal to w, the circle
w(t) = cos t w + sin t e rotates the hyperplane about the points that are orthogonal to both. On
it eta_j(w(t)) = 1/2 sum_i q_i |p_i cos t + r_i sin t| with p_i = w.z_i, r_i = e.z_i,
z_i = x_i - x_j: sinusoids between the angles where a point crosses, so one sort finds the global
maximum of |eta| on the circle. Maxima mostly sit on kinks, where the hyperplane meets more data:
the search then *holds* that point (moves on in the face) and tries to *release* held points one
at a time, each release being again a circle. Nothing creeps.
"""

from __future__ import annotations

import numpy as np
from numba import njit

OPTIONS = {"cache": True, "nogil": True, "error_model": "numpy"}
ON_PLANE = 1e-11
"""A point whose distance to the hyperplane is below this (data have unit scale) lies on it."""


@njit(**OPTIONS)
def best_bias(X, q, w, proj, order):
    """Return (|eta|, anchor) maximal over the biases w.x_j: one sort and suffix sums."""
    n, d = X.shape
    for i in range(n):
        v = 0.0
        for k in range(d):
            v += w[k] * X[i, k]
        proj[i] = v
    order[:] = np.argsort(proj)
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
def circle(X, q, anchor, w, e, p, r, key, floor):
    """Return (|eta|, cot t, point) maximal on the circle through w towards e, if above `floor`.

    `point` is the index of the crossing point for a maximum at a kink, -1 inside an arc and -2 if
    nothing exceeds `floor`.
    """
    n, d = X.shape
    base_p, base_r = 0.0, 0.0
    for k in range(d):
        base_p += w[k] * X[anchor, k]
        base_r += e[k] * X[anchor, k]
    P, R = 0.0, 0.0
    for i in range(n):
        a, b = -base_p, -base_r
        for k in range(d):
            a += w[k] * X[i, k]
            b += e[k] * X[i, k]
        if abs(a) <= ON_PLANE:
            a = 0.0
        if abs(b) <= ON_PLANE:
            b = 0.0
        p[i], r[i] = a, b
        # Sign just after t = 0: that of p, or of r for the points that leave at once.
        sign = 1.0 if (a > 0.0 or (a == 0.0 and b > 0.0)) else -1.0
        P += 0.5 * q[i] * sign * a
        R += 0.5 * q[i] * sign * b
        # Sorted ascending by -cot t; points on the axis (a = b = 0) never cross.
        if a != 0.0:
            key[i] = b / a
        elif b != 0.0:
            key[i] = -np.inf
        else:
            key[i] = np.inf
    order = np.argsort(key)
    best2, cot, point = floor * floor, 0.0, -2
    upper = np.inf
    for m in range(n + 1):
        lower = -np.inf
        i = -1
        if m < n:
            i = order[m]
            if key[i] == np.inf:
                i = -1
            else:
                lower = -key[i]
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
        a, b = p[i], r[i]
        if a == 0.0:
            upper = lower
            continue
        sign = 1.0 if a > 0.0 else -1.0
        P -= q[i] * sign * a
        R -= q[i] * sign * b
        upper = lower
    return np.sqrt(best2), cot, point


@njit(**OPTIONS)
def orthogonalise(v, basis, size):
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
    return np.sqrt(total)


@njit(**OPTIONS)
def hold(X, anchor, point, held, basis, size):
    """Add x_point - x_anchor to the orthonormal basis of held differences; return the new size."""
    d = X.shape[1]
    if size >= d - 1:
        return size
    z = X[point] - X[anchor]
    before = np.sqrt(np.sum(z * z))
    norm = orthogonalise(z, basis, size)
    if norm > 1e-8 * before and norm > ON_PLANE:
        basis[size] = z / norm
        held[size] = point
        return size + 1
    return size


@njit(**OPTIONS)
def release_direction(X, anchor, held, size, which, e):
    """Set e to the unit vector in the span of held differences orthogonal to all but `which`."""
    d = X.shape[1]
    others = np.empty((max(size, 1), d))
    count = 0
    for m in range(size):
        if m != which:
            z = X[held[m]] - X[anchor]
            norm = orthogonalise(z, others, count)
            if norm > ON_PLANE:
                others[count] = z / norm
                count += 1
    e[:] = X[held[which]] - X[anchor]
    norm = orthogonalise(e, others, count)
    if norm <= ON_PLANE:
        return False
    e /= norm
    return True


@njit(**OPTIONS)
def face_gradient(X, q, anchor, w, basis, size, e):
    """Set e to the unit tangent gradient of |eta_j| on the face; return its length / |gradient|."""
    n, d = X.shape
    g = np.zeros(d)
    value = 0.0
    for i in range(n):
        a = 0.0
        for k in range(d):
            a += w[k] * (X[i, k] - X[anchor, k])
        if a > ON_PLANE:
            value += q[i] * a
            for k in range(d):
                g[k] += q[i] * (X[i, k] - X[anchor, k])
    if value < 0.0:
        g = -g
    full = np.sqrt(np.sum(g * g))
    orthogonalise(g, basis, size)
    g -= np.sum(g * w) * w
    norm = np.sqrt(np.sum(g * g))
    if norm <= 0.0:
        return 0.0
    e[:] = g / norm
    return norm / max(full, 1e-300)


@njit(**OPTIONS)
def collect_held(X, anchor, w, held, basis, on_plane, start):
    """Hold an independent set of the points on the hyperplane; return (size, points on it).

    `start` rotates the order in which points are tried, so that ties give other bases.
    """
    n, d = X.shape
    count = 0
    for i in range(n):
        a = 0.0
        for k in range(d):
            a += w[k] * (X[i, k] - X[anchor, k])
        if i != anchor and abs(a) <= ON_PLANE:
            on_plane[count] = i
            count += 1
    size = 0
    for m in range(count):
        size = hold(X, anchor, on_plane[(m + start) % count], held, basis, size)
    return size, count


@njit(**OPTIONS)
def release_gains(X, q, anchor, w, held, size, gains):
    n, d = X.shape
    g = np.zeros(d)
    value = 0.0
    for i in range(n):
        a = 0.0
        for k in range(d):
            a += w[k] * (X[i, k] - X[anchor, k])
        if a > ON_PLANE:
            value += q[i] * a
            for k in range(d):
                g[k] += q[i] * (X[i, k] - X[anchor, k])
    sg = 1.0 if value > 0 else -1.0
    e = np.empty(d)
    for m in range(size):
        gains[m] = -1.0
        if release_direction(X, anchor, held, size, m, e):
            slope, ze = 0.0, 0.0
            for k in range(d):
                slope += g[k] * e[k]
                ze += (X[held[m], k] - X[anchor, k]) * e[k]
            up = sg * (slope * (1.0 if ze > 0 else -1.0) + q[held[m]] * abs(ze))
            down = -sg * slope * (1.0 if ze > 0 else -1.0)
            gains[m] = max(up, down)


@njit(**OPTIONS)
def ascend(X, q, w, max_moves, random, edges):
    """Climb from the normal w to a maximum of |eta|; w is overwritten, (|eta|, anchor) returned.

    The end point cannot be improved by any bias, by the gradient of its face, by releasing any
    one held point (for several bases where ties hold more points than dimensions), nor on the
    circles towards the rows of `random`.
    """
    n, d = X.shape
    p, r, key = np.empty(n), np.empty(n), np.empty(n)
    order = np.empty(n, np.int64)
    on_plane = np.empty(n, np.int64)
    held = np.empty(d, np.int64)
    basis = np.empty((d, d))
    e = np.empty(d)
    best, anchor = best_bias(X, q, w, p, order)
    if d == 1:
        return best, anchor
    size, crowd = collect_held(X, anchor, w, held, basis, on_plane, 0)
    stage, rotation = 0, 0
    moves = 0
    gains = np.empty(d)
    fresh = False
    # Stages: 0 face gradient; 1..size releases of held points; then the anchor; then random.
    while moves < max_moves:
        moves += 1
        usable = False
        pivot = anchor
        first_random = size + 2
        if stage == 0:
            if size < d - 1:
                usable = face_gradient(X, q, anchor, w, basis, size, e) > 1e-9
        elif stage <= size:
            if edges == 0:
                if stage == 1:
                    release_gains(X, q, anchor, w, held, size, gains)
                usable = False
                bm = -1
                for m in range(size):
                    if gains[m] > 1e-9 * best and (bm < 0 or gains[m] > gains[bm]):
                        bm = m
                if bm >= 0:
                    usable = release_direction(X, anchor, held, size, bm, e)
                    gains[bm] = -1.0
                else:
                    stage = size
            else:
                usable = release_direction(X, anchor, held, size, stage - 1, e)
        elif stage == size + 1:
            if size > 0:
                # The anchor becomes an ordinary held point of another anchor, and is released.
                pivot = held[0]
                old = held[0]
                held[0] = anchor
                usable = release_direction(X, pivot, held, size, 0, e)
                held[0] = old
        elif stage < first_random + random.shape[0]:
            e[:] = random[stage - first_random]
            e -= np.sum(e * w) * w
            norm = np.sqrt(np.sum(e * e))
            usable = norm > 1e-6
            if usable:
                e /= norm
        else:
            value, other = best_bias(X, q, w, p, order)
            if value > best * (1.0 + 1e-12):
                best, anchor = value, other
                size, crowd = collect_held(X, anchor, w, held, basis, on_plane, 0)
                stage = 0
                continue
            # Ties: the same vertex has other bases, hence other edges.
            rotation += 1
            if crowd > size and rotation <= 2 * d:
                size, crowd = collect_held(
                    X, anchor, w, held, basis, on_plane, (rotation * 7919) % crowd
                )
                stage = 1
                continue
            break
        if usable:
            value, cot, point = circle(X, q, pivot, w, e, p, r, key, best * (1.0 + 1e-12))
            if point > -2:
                scale = np.sqrt(1.0 + cot * cot)
                for k in range(d):
                    w[k] = (cot * w[k] + e[k]) / scale
                w /= np.sqrt(np.sum(w * w))
                anchor = pivot
                refine(X, anchor, point, w, held, basis)
                best, anchor = exact_value(X, q, w, anchor)
                size, crowd = collect_held(X, anchor, w, held, basis, on_plane, 0)
                stage, rotation = 0, 0
                continue
        stage += 1
    return best, anchor


@njit(**OPTIONS)
def refine(X, anchor, point, w, held, basis):
    """Make w exactly orthogonal to the points it nearly meets, so that rounding cannot add up."""
    n, d = X.shape
    size = 0
    if point >= 0:
        size = hold(X, anchor, point, held, basis, 0)
    for i in range(n):
        a = 0.0
        for k in range(d):
            a += w[k] * (X[i, k] - X[anchor, k])
        if i != anchor and abs(a) <= 1e-2 * ON_PLANE:
            size = hold(X, anchor, i, held, basis, size)
    orthogonalise(w, basis, size)
    w /= np.sqrt(np.sum(w * w))


@njit(**OPTIONS)
def exact_value(X, q, w, anchor):
    """Return (|eta(w, w.x_anchor)|, anchor) by direct summation."""
    n, d = X.shape
    total = 0.0
    for i in range(n):
        a = 0.0
        for k in range(d):
            a += w[k] * (X[i, k] - X[anchor, k])
        if a > 0.0:
            total += q[i] * a
    return abs(total), anchor


@njit(**OPTIONS)
def ascend_all(X, q, starts, max_moves, random, edges, keys, values, biases, signatures):
    """Run `ascend` from every row of `starts` (overwritten by the maxima), filling the outputs.

    `signatures` are hashes of the patterns {above, on} of the hyperplane, equal for (w, b) and
    (-w, -b); equal signatures mean the same vertex, face or cell.
    """
    n, d = X.shape
    for m in range(starts.shape[0]):
        w = starts[m]
        w /= np.sqrt(np.sum(w * w))
        values[m], anchor = ascend(X, q, w, max_moves, random, edges)
        bias = 0.0
        for k in range(d):
            bias += w[k] * X[anchor, k]
        biases[m] = bias
        above, below, on = np.uint64(0), np.uint64(0), np.uint64(0)
        for i in range(n):
            a = -bias
            for k in range(d):
                a += w[k] * X[i, k]
            if a > 10 * ON_PLANE:
                above ^= keys[i]
            elif a < -10 * ON_PLANE:
                below ^= keys[i]
            else:
                on ^= keys[i]
        signatures[m] = min(above, below) ^ (on * np.uint64(0x9E3779B97F4A7C15))
