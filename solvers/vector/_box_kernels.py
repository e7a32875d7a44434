r"""Compiled branch and bound for vector outputs: what a box of hyperplanes can reach.

Boxes, slabs, anchors and ambiguous points are those of `_box_kernels` and `_slab_kernels`, but
weights are rows: ``phi(v) = 1/2 sum_i Q_i |v . z_i|`` in R^D, and ``||phi(v)|| <= T ||v||`` is to
be proved. On a box ``|v . z_i| = s_i v . z_i + r_i (1 - s_i^2) (1 +- 1) / 2`` with the chord's
slope ``s_i``, so phi is an affine map plus or minus an error. Let a be the direction of that map at
the centre. Then

    ||phi||^2 = (a . phi)^2 + ||phi - (a . phi) a||^2  <=  (E^2 + P^2) ||v||^2.

E bounds a scalar problem with the weights ``a . Q_i``, where all of `bound_box` applies: concave
kinks cost nothing. P bounds the rest crudely; it vanishes at the centre, so it adds O(h^2) only.
"""

from __future__ import annotations

import math
from typing import Any

from .._box_kernels import bound_box, length
from ..oracle import Array
from ..sweep import compiled

MAX_IMAGE_AXES = 7  # Above it the triangle inequality replaces the vertices of the image of a box.


@compiled
def live_points(Z: Array, Q: Array, delta: Array, square: Array, own: Any) -> int:
    """Fill the rounding errors of ``v . z_i``, ``||z_i||^2``, and the points that count."""
    n, K = Z.shape
    count = 0
    for i in range(n):
        total, weight, square[i] = 0.0, 0.0, 0.0
        for k in range(K):
            total += abs(Z[i, k])
            square[i] += Z[i, k] * Z[i, k]
        for c in range(Q.shape[1]):
            weight += abs(Q[i, c])
        delta[i] = (4 * K + 8) * 2.0**-53 * total
        if delta[i] > 0.0 and weight > 0.0:
            own[count] = i
            count += 1
    return count


@compiled
def classify_rows(
    Z: Array,
    Q: Array,
    delta: Array,
    u: Array,
    h: Array,
    parent: Any,
    n_parent: int,
    own: Any,
    G: Array,
    slope: Array,
    radius: Array,
) -> int:
    """Add ``1/2 sign(t_i) Q_i z_i^T`` to G (D, K) where the sign is constant; see `classify`."""
    m = 0
    for a in range(n_parent):
        i = parent[a]
        t, r = 0.0, delta[i]
        for k in range(u.size):
            t += u[k] * Z[i, k]
            r += h[k] * abs(Z[i, k])
        if abs(t) >= r:
            half = 0.5 if t > 0.0 else -0.5
            for c in range(Q.shape[1]):
                weight = half * Q[i, c]
                for k in range(u.size):
                    G[c, k] += weight * Z[i, k]
        else:
            own[m] = i
            slope[m] = t / r
            radius[m] = r
            m += 1
    return m


@compiled
def aim(
    Z: Array,
    Q: Array,
    own: Any,
    m: int,
    G: Array,
    slope: Array,
    radius: Array,
    u: Array,
    M: Array,
    a: Array,
    p: Array,
) -> float:
    """Fill the middle map M, the unit a of its value at the centre, ``p_i = a . Q_i``; return it.

    ``M v + k``, ``M = G + 1/2 sum_i s_i Q_i z_i^T``, ``k = 1/4 sum_i r_i (1 - s_i^2) Q_i``.
    """
    D = Q.shape[1]
    a[:] = 0.0
    M[:] = G
    for b in range(m):
        i = own[b]
        along, beside = 0.5 * slope[b], 0.25 * radius[b] * (1.0 - slope[b] * slope[b])
        for c in range(D):
            a[c] += beside * Q[i, c]
            weight = along * Q[i, c]
            for k in range(u.size):
                M[c, k] += weight * Z[i, k]
    for c in range(D):
        for k in range(u.size):
            a[c] += M[c, k] * u[k]
    norm = length(a, D)
    if norm > 0.0:
        for c in range(D):
            a[c] /= norm
    else:
        a[0] = 1.0
    for b in range(m):
        i = own[b]
        p[i] = 0.0
        for c in range(D):
            p[i] += a[c] * Q[i, c]
    return norm


@compiled
def largest_image(N: Array, h: Array, image: Array) -> float:
    """Return ``max ||N e||`` over ``|e_k| <= h_k``, by vertices, or ``sum_k h_k ||N_k||`` above it.

    The sum is exact for maps of rank one, hence for D = 2.
    """
    D, K = N.shape
    total, n_axes = 0.0, 0
    image[:] = 0.0
    for k in range(K):
        if h[k] > 0.0:
            n_axes += 1
            column = 0.0
            for c in range(D):
                column += N[c, k] * N[c, k]
                image[c] -= h[k] * N[c, k]
            total += h[k] * math.sqrt(column)
    if D <= 2 or n_axes > MAX_IMAGE_AXES or n_axes < 2:
        return total
    best = length(image, D)
    vertex = 0
    # The last axis keeps its sign: opposite vertices have the same norm.
    for step in range(1, 1 << (n_axes - 1)):
        bit, position = step, 0
        while bit & 1 == 0:
            bit, position = bit >> 1, position + 1
        vertex ^= 1 << position
        axis = -1
        for _ in range(position + 1):
            axis += 1
            while h[axis] <= 0.0:
                axis += 1
        move = 2.0 * h[axis] if vertex >> position & 1 else -2.0 * h[axis]
        for c in range(D):
            image[c] += move * N[c, axis]
        best = max(best, length(image, D))
    return min(best, total)


@compiled
def side_weight(Q: Array, i: int, a: Array, along: float) -> float:
    """Return ``||Q_i - along a||``, without cancellation of squares."""
    total = 0.0
    for c in range(a.size):
        total += (Q[i, c] - along * a[c]) ** 2
    return math.sqrt(total)


@compiled
def bound_norm(
    Z: Array,
    Q: Array,
    square: Array,
    u: Array,
    h: Array,
    d: int,
    own: Any,
    m: int,
    G: Array,
    slope: Array,
    radius: Array,
    target: float,
    M: Array,
    a: Array,
    image: Array,
    rows: Array,
    flat: Array,
    work: Array,
    lines: Array,
    g: Array,
) -> tuple[float, float, float]:
    """Return bounds on ``||phi||``, its part beside a, and ``-a . phi``, all over ``||v||``.

    The first is at most T if T was proved. M is overwritten by the part of the map beside a; g is
    an affine bound on ``a . phi`` for the choice of points and sides.
    """
    D, K = Q.shape[1], u.size
    p, steps, spare, beside = rows[0], rows[1], rows[2], rows[3]
    centre = aim(Z, Q, own, m, G, slope, radius, u, M, a, p)
    shortest = 0.0
    for k in range(d):
        shortest += max(abs(u[k]) - h[k], 0.0) ** 2
    shortest = math.sqrt(shortest)
    spread, error, side = 0.0, 0.0, 0.0
    for k in range(K):
        g[k], flat[k] = 0.0, 0.0
        for c in range(D):
            g[k] += a[c] * M[c, k]
            flat[k] += a[c] * G[c, k]
        for c in range(D):
            M[c, k] -= a[c] * g[k]
        spread += h[k] * abs(g[k])
    for b in range(m):
        i = own[b]
        half = 0.25 * radius[b] * (1.0 - slope[b] * slope[b])
        beside[i] = side_weight(Q, i, a, p[i])
        error += half * abs(p[i])
        side += half * beside[i]
    side = (side + largest_image(M, h, image)) / shortest
    back = max(spread + error - centre, 0.0) / shortest
    crude = math.hypot((centre + spread + error) / shortest, side)
    if side >= target:
        return crude, side, back
    goal = math.sqrt((target - side) * (target + side))
    for b in range(m):
        i = own[b]
        steps[i] = 2.0 / (abs(p[i]) * square[i]) if p[i] != 0.0 else 0.0
        spare[b] = slope[b]
    ahead = bound_box(
        Z, p, steps, u, h, d, own, m, flat, spare, radius, goal, work, lines, g
    )  # fmt: skip
    if back > goal:
        for b in range(m):
            p[own[b]] = -p[own[b]]
            spare[b] = slope[b]
        for k in range(K):
            flat[k] = -flat[k]
        back = bound_box(
            Z, p, steps, u, h, d, own, m, flat, spare, radius, goal, work, lines, lines[-1, :K]
        )  # fmt: skip
        for b in range(m):
            p[own[b]] = -p[own[b]]
    if ahead <= goal and back <= goal:
        return min(target, crude), side, back
    return min(crude, math.hypot(max(ahead, back), side)), side, back


@compiled
def norm_at(Z: Array, Q: Array, own: Any, m: int, G: Array, v: Array, d: int, out: Array) -> float:
    """Return ``||phi(v)|| / ||v||`` at a point v of the box, from its ambiguous points only."""
    D = Q.shape[1]
    for c in range(D):
        out[c] = 0.0
        for k in range(v.size):
            out[c] += G[c, k] * v[k]
    for b in range(m):
        i = own[b]
        t = 0.0
        for k in range(v.size):
            t += v[k] * Z[i, k]
        for c in range(D):
            out[c] += 0.5 * abs(t) * Q[i, c]
    return length(out, D) / length(v, d)
