"""Compiled bounds of branch and bound: what a box of hyperplanes can reach.

A box is a centre u and half widths h: the vectors v with ``|v_k - u_k| <= h_k``, where one
coordinate is fixed, ``u_f = 1`` and ``h_f = 0``. With ``c_i = p_i / 2``, ``p = sigma q`` and the
target T, the loops prove ``phi(v) = sum_i c_i |v . z_i| <= T ||v||``, where the norm is that of the
first `d` coordinates. At an *anchor* j, v is a direction and ``z_i = x_i - x_j``. In a *slab* v has
one more coordinate, the bias in units of B, and ``z_i = (x_i, -B)``.
"""

from __future__ import annotations

import math
from typing import Any

import numba

from .oracle import Array
from .sweep import compiled

SWEEPS = 2  # Sweeps over the free slopes; more cost more time than the boxes they save.
MAX_APPROACH = 100  # Times four SWEEPS; reached only by slow convergence to the target.
LEAN_SWEEPS = 2
HOPELESS = 0.5  # Relative excess over the target above which sweeps are not tried.
MAX_VERTEX_DIM = 9  # Directions of more dimensions have too many vertices to be worth their cost.


@compiled
def length(v: Array, d: int) -> float:
    """Return the norm of the first d coordinates; an array expression would allocate."""
    total = 0.0
    for k in range(d):
        total += v[k] * v[k]
    return math.sqrt(total)


@compiled
def set_ray(u: Array, target: float, d: int, ray: Array) -> None:
    """Write ``T u / ||u||``, the gradient of ``T ||v||`` at the centre, 0 for the bias."""
    norm = length(u, d)
    for k in range(u.size):
        ray[k] = target * u[k] / norm if k < d else 0.0


@compiled
def classify(
    Z: Array,
    p: Array,
    delta: Array,
    u: Array,
    h: Array,
    parent: Any,
    n_parent: int,
    own: Any,
    fixed: Array,
    slope: Array,
    radius: Array,
) -> int:
    """Split the parent's ambiguous points; return how many stay ambiguous.

    ``t_i = u . z_i``, ``r_i = delta_i + sum_k h_k |z_ik|``. If ``|t_i| >= r_i`` the sign of
    ``v . z_i`` is constant and ``c_i sign(t_i) z_i`` is added to `fixed`; otherwise i goes to `own`
    with slope ``t_i / r_i`` (the chord of a positive point, a start for a negative one).
    ``delta_i`` bounds the rounding error of t_i and r_i, so signs are right in exact arithmetic.
    """
    d = u.size
    m = 0
    for a in range(n_parent):
        i = parent[a]
        t, r = 0.0, delta[i]
        for k in range(d):
            t += u[k] * Z[i, k]
            r += h[k] * abs(Z[i, k])
        if abs(t) >= r:
            c = 0.5 * p[i] if t > 0.0 else -0.5 * p[i]
            for k in range(d):
                fixed[k] += c * Z[i, k]
        else:
            own[m] = i
            slope[m] = t / r
            radius[m] = r
            m += 1
    return m


@compiled
def vertex_values(coef: Array, u: Array, h: Array, out: Array) -> int:
    """Write ``coef . v`` for all vertices v of the box; return their number."""
    t = 0.0
    for k in range(u.size):
        t += coef[k] * (u[k] - h[k])
    out[0] = t
    size = 1
    for k in range(u.size):
        if h[k] > 0.0:
            step = 2.0 * h[k] * coef[k]
            for v in range(size):
                out[size + v] = out[v] + step
            size *= 2
    return size


@numba.njit(nogil=True, cache=True, error_model="numpy", fastmath={"reassoc", "contract"})
def vertex_sums(
    Z: Array, p: Array, own: Any, m: int, u: Array, h: Array, lines: Array, out: Array
) -> int:
    """Write ``sum_{p_i > 0} c_i |v . z_i|`` for all vertices v, ordered as in `vertex_values`.

    The vertices are visited in Gray code, so that a step adds ``+- 2 h_k z_ik`` to all ``v . z_i``.
    Sums may be reordered (hence the flags): the rounding margin holds for any order.
    """
    d = u.size
    size = 0
    for a in range(m):
        i = own[a]
        if p[i] > 0.0:
            t = 0.0
            for k in range(d):
                lines[k, size] = p[i] * h[k] * Z[i, k]
                t += Z[i, k] * (u[k] - h[k])
            lines[d, size] = 0.5 * p[i] * t
            size += 1
    face = 0
    while face < d and h[face] > 0.0:
        face += 1
    n_axes = d - 1 if face < d else d
    vertex = 0
    for step in range(1 << n_axes):
        if step > 0:
            axis, bit = 0, step
            while bit & 1 == 0:
                axis, bit = axis + 1, bit >> 1
            vertex ^= 1 << axis
            move = 1.0 if vertex >> axis & 1 else -1.0
            line = axis if axis < face else axis + 1
            for a in range(size):
                lines[d, a] += move * lines[line, a]
        total = 0.0
        for a in range(size):
            total += abs(lines[d, a])
        out[vertex] = total
    return 1 << n_axes


@compiled
def sweep_slopes(
    Z: Array, p: Array, steps: Array, own: Any, m: int, slope: Array, g: Array, sweeps: int
) -> None:
    """Reduce ``||g||^2`` over the slopes of negative points by projected coordinate descent.

    ``e_i <- clip(e_i - g . z_i / (c_i ||z_i||^2), -1, 1)``, ``steps_i = -1 / (c_i ||z_i||^2)``.
    g is updated alongside.
    """
    d = g.size
    for _ in range(sweeps):
        moved = False
        for a in range(m):
            i = own[a]
            if p[i] < 0.0:
                c = 0.5 * p[i]
                gz = 0.0
                for k in range(d):
                    gz += g[k] * Z[i, k]
                e = slope[a] + gz * steps[i]
                e = 1.0 if e > 1.0 else (-1.0 if e < -1.0 else e)
                step = c * (e - slope[a])
                if step != 0.0:
                    moved = True
                    slope[a] = e
                    for k in range(d):
                        g[k] += step * Z[i, k]
        if not moved:
            break


@compiled
def lean_slopes(
    Z: Array, p: Array, own: Any, m: int, slope: Array, g: Array, ray: Array, h: Array
) -> None:
    """Reduce ``sum_k h_k^2 (g - ray)_k^2`` over the slopes of negative points, as `sweep_slopes`.

    That is nearly what `tangent_excess` adds to the value at the centre.
    """
    D = g.size
    for _ in range(LEAN_SWEEPS):
        for a in range(m):
            i = own[a]
            if p[i] < 0.0:
                c = 0.5 * p[i]
                along, square = 0.0, 0.0
                for k in range(D):
                    side = h[k] * h[k] * Z[i, k]
                    along += (g[k] - ray[k]) * side
                    square += Z[i, k] * side
                if square > 0.0:
                    e = slope[a] - along / (c * square)
                    e = 1.0 if e > 1.0 else (-1.0 if e < -1.0 else e)
                    step = c * (e - slope[a])
                    slope[a] = e
                    for k in range(D):
                        g[k] += step * Z[i, k]


@compiled
def approach_norm(
    Z: Array,
    p: Array,
    steps: Array,
    own: Any,
    m: int,
    fixed: Array,
    slope: Array,
    g: Array,
    target: float,
) -> None:
    """Sweep until ``||g|| <= T`` or progress stalls, for a box without ambiguous positive points.

    There the least ``||g||`` is the exact maximum of a concave function, and stopping early would
    cut the neighbourhood of a maximum into ever smaller boxes. g is computed anew at the end,
    ``g = fixed + sum_i c_i e_i z_i``, so that its rounding error does not grow with the sweeps.
    """
    d = g.size
    excess = length(g, d) - target
    for _ in range(MAX_APPROACH):
        if excess <= 0.0 or excess > HOPELESS * target:
            break
        sweep_slopes(Z, p, steps, own, m, slope, g, 4 * SWEEPS)
        last, excess = excess, length(g, d) - target
        if excess > 0.9 * last:
            break
    g[:] = fixed
    for a in range(m):
        for k in range(d):
            g[k] += 0.5 * p[own[a]] * slope[a] * Z[own[a], k]


@compiled
def tangent_excess(g: Array, ray: Array, u: Array, h: Array) -> float:
    """Return ``max_box (g - T u / ||u||) . v >= max_box g . v - T ||v||``."""
    total = 0.0
    for k in range(u.size):
        s = g[k] - ray[k]
        total += s * u[k] + h[k] * abs(s)
    return total


@compiled
def value_at(Z: Array, p: Array, own: Any, m: int, fixed: Array, v: Array, d: int) -> float:
    """Return ``phi(v) / ||v||`` at a point v of the box, from its ambiguous points only."""
    total = 0.0
    for k in range(v.size):
        total += fixed[k] * v[k]
    for a in range(m):
        i = own[a]
        t = 0.0
        for k in range(v.size):
            t += v[k] * Z[i, k]
        total += 0.5 * p[i] * abs(t)
    return total / length(v, d)


@compiled
def bound_box(
    Z: Array,
    p: Array,
    steps: Array,
    u: Array,
    h: Array,
    d: int,
    own: Any,
    m: int,
    fixed: Array,
    slope: Array,
    radius: Array,
    target: float,
    work: Array,
    lines: Array,
    g: Array,
) -> float:
    r"""Return an upper bound on ``phi(v) / ||v||`` over the box; at most T if T was proved.

    g is the affine bound: ``phi <= g . v + const``. If ``phi - T ||v|| <= e`` on the box, e >= 0,
    then ``phi / ||v|| <= T + e / v_min``, ``v_min <= ||v||``. Three tests, in order of cost:

    1. chords: ``const = sum_{c_i > 0} c_i (r_i - t_i^2 / r_i)``, then `tangent_excess`, and at an
       anchor ``||g|| + const / v_min``;
    2. vertices: with L affine above the negative points and ``-T ||v||``, the convex function
       ``sum_{c_i > 0} c_i |v . z_i| + L(v)`` is largest at a vertex, so compute it there. The const
       of the chords may be replaced by the least one that is valid at all vertices;
    3. the same after `sweep_slopes` (anchor) or `lean_slopes` (slab).
    """
    D = u.size
    shortest, const = 0.0, 0.0
    n_positive = 0
    positive, linear, ray = work[3, :D], work[4, :D], work[5, :D]
    set_ray(u, target, d, ray)
    for k in range(D):
        positive[k] = 0.0
        g[k] = fixed[k]
        if k < d:
            shortest += max(abs(u[k]) - h[k], 0.0) ** 2
    shortest = math.sqrt(shortest)
    for a in range(m):
        i = own[a]
        s = 0.5 * p[i] * slope[a]
        if p[i] > 0.0:
            n_positive += 1
            const += 0.5 * p[i] * radius[a] * (1.0 - slope[a] * slope[a])
            for k in range(D):
                positive[k] += s * Z[i, k]
        else:
            for k in range(D):
                g[k] += s * Z[i, k]
    for k in range(D):
        g[k] += positive[k]
    anchored = D == d
    best = length(g, d) + const / shortest if anchored else math.inf
    worst = const + tangent_excess(g, ray, u, h)
    best = min(best, target + max(worst, 0.0) / shortest)
    if best <= target:
        return best
    vertices = n_positive > 0 and d <= MAX_VERTEX_DIM
    size = 1
    if vertices:
        size = vertex_sums(Z, p, own, m, u, h, lines, work[0])
        vertex_values(positive, u, h, work[1])
        const = 0.0
        for v in range(size):
            const = max(const, work[0, v] - work[1, v])
    for attempt in range(2):
        if attempt == 1:
            if m == n_positive or (n_positive and worst > HOPELESS * target * length(u, d)):
                break
            if anchored:
                sweep_slopes(Z, p, steps, own, m, slope, g, SWEEPS)
                if n_positive == 0:
                    approach_norm(Z, p, steps, own, m, fixed, slope, g, target)
            else:
                lean_slopes(Z, p, own, m, slope, g, ray, h)
        if anchored:
            best = min(best, length(g, d) + const / shortest)
            if best <= target:
                break
        if vertices:
            for k in range(D):
                linear[k] = g[k] - positive[k] - ray[k]
            vertex_values(linear, u, h, work[2])
            worst = -math.inf
            for v in range(size):
                worst = max(worst, work[0, v] + work[2, v])
        else:
            worst = const + tangent_excess(g, ray, u, h)
        best = min(best, target + max(worst, 0.0) / shortest)
        if best <= target:
            break
    return best


@compiled
def split_axis(
    Z: Array, p: Array, own: Any, m: int, g: Array, ray: Array, u: Array, h: Array
) -> int:
    """Return the k with ``h_k (sum_i |c_i z_ik| + |g_k - ray_k|)`` largest, or -1.

    The sum runs over ambiguous points: the length of a side is measured by what it leaves open,
    which also makes the search invariant to the scales of the features.
    """
    axis, most = -1, 0.0
    for k in range(u.size):
        if h[k] > 0.0:
            score = abs(g[k] - ray[k])
            for a in range(m):
                score += 0.5 * abs(p[own[a]] * Z[own[a], k])
            if axis < 0 or score * h[k] > most:
                axis, most = k, score * h[k]
    return axis
