"""Compiled bounds of branch and bound: what a box of directions can reach at one anchor.

A box is a row ``[u0, h]`` of 2d numbers: the directions u with ``|u_k - u0_k| <= h_k``, where one
coordinate is fixed, ``u_f = 1`` and ``h_f = 0``. With ``z_i = x_i - x_j``, ``c_i = p_i / 2``,
``p = sigma q`` and the target T, the loops prove ``phi(u) = sum_i c_i |u . z_i| <= T ||u||``.
"""

from __future__ import annotations

import math
from typing import Any

import numba

from .oracle import Array
from .sweep import compiled

SWEEPS = 2  # Sweeps over the free slopes; more cost more time than the boxes they save.
MAX_APPROACH = 100  # Times four SWEEPS; reached only by slow convergence to the target.
HOPELESS = 0.5  # Relative excess over the target above which sweeps are not tried.
MAX_VERTEX_DIM = 9  # Above it 2^(d-1) vertices cost more than they save.


@compiled
def length(v: Array) -> float:
    """Return ``||v||``; a loop, because an array expression would allocate."""
    total = 0.0
    for k in range(v.size):
        total += v[k] * v[k]
    return math.sqrt(total)


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
    ``u . z_i`` is constant and ``c_i sign(t_i) z_i`` is added to `fixed`; otherwise i goes to `own`
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
    excess = length(g) - target
    for _ in range(MAX_APPROACH):
        if excess <= 0.0 or excess > HOPELESS * target:
            break
        sweep_slopes(Z, p, steps, own, m, slope, g, 4 * SWEEPS)
        last, excess = excess, length(g) - target
        if excess > 0.9 * last:
            break
    g[:] = fixed
    for a in range(m):
        for k in range(g.size):
            g[k] += 0.5 * p[own[a]] * slope[a] * Z[own[a], k]


@compiled
def tangent_excess(g: Array, u: Array, h: Array, target: float) -> float:
    """Return ``max_box (g - T u0 / ||u0||) . u >= max_box g . u - T ||u||``."""
    norm = length(u)
    total = 0.0
    for k in range(u.size):
        s = g[k] - target * u[k] / norm
        total += s * u[k] + h[k] * abs(s)
    return total


@compiled
def norm_bound(g: Array, const: float, shortest: float) -> float:
    """Return ``||g|| + const / u_min``, a bound on ``(g . u + const) / ||u||``, const >= 0."""
    return length(g) + const / shortest


@compiled
def value_at(Z: Array, p: Array, own: Any, m: int, fixed: Array, u: Array) -> float:
    """Return ``phi(u) / ||u||`` at a point u of the box, from its ambiguous points only."""
    d = u.size
    total, square = 0.0, 0.0
    for k in range(d):
        total += fixed[k] * u[k]
        square += u[k] * u[k]
    for a in range(m):
        i = own[a]
        t = 0.0
        for k in range(d):
            t += u[k] * Z[i, k]
        total += 0.5 * p[i] * abs(t)
    return total / math.sqrt(square)


@compiled
def bound_box(
    Z: Array,
    p: Array,
    steps: Array,
    u: Array,
    h: Array,
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
    r"""Return an upper bound on ``phi(u) / ||u||`` over the box; at most T if T was proved.

    g is the affine bound: ``phi <= g . u + const``. If ``phi - T ||u|| <= e`` on the box, e >= 0,
    then ``phi / ||u|| <= T + e / u_min``, ``u_min <= ||u||``. Three tests, in order of cost:

    1. chords: ``const = sum_{c_i > 0} c_i (r_i - t_i^2 / r_i)``, then `norm_bound` and
       `tangent_excess`;
    2. vertices: with L affine above the negative points and ``-T ||u||``, the convex function
       ``sum_{c_i > 0} c_i |u . z_i| + L(u)`` is largest at a vertex, so compute it there. The const
       of the chords may be replaced by the least one that is valid at all vertices;
    3. the same after `sweep_slopes`.
    """
    d = u.size
    shortest = 0.0
    const = 0.0
    n_positive = 0
    positive = work[3, :d]
    for k in range(d):
        shortest += max(abs(u[k]) - h[k], 0.0) ** 2
        positive[k] = 0.0
        g[k] = fixed[k]
    shortest = math.sqrt(shortest)
    for a in range(m):
        i = own[a]
        s = 0.5 * p[i] * slope[a]
        if p[i] > 0.0:
            n_positive += 1
            const += 0.5 * p[i] * radius[a] * (1.0 - slope[a] * slope[a])
            for k in range(d):
                positive[k] += s * Z[i, k]
        else:
            for k in range(d):
                g[k] += s * Z[i, k]
    for k in range(d):
        g[k] += positive[k]
    worst = const + tangent_excess(g, u, h, target)
    best = min(norm_bound(g, const, shortest), target + max(worst, 0.0) / shortest)
    if best <= target:
        return best
    vertices = d <= MAX_VERTEX_DIM
    size = 1
    if vertices:
        size = vertex_sums(Z, p, own, m, u, h, lines, work[0])
        vertex_values(positive, u, h, work[1])
        const = 0.0
        for v in range(size):
            const = max(const, work[0, v] - work[1, v])
    linear = work[4, :d]
    norm = length(u)
    for attempt in range(2):
        if attempt == 1:
            if m == n_positive:
                break
            if n_positive and worst > HOPELESS * target * norm:
                break
            sweep_slopes(Z, p, steps, own, m, slope, g, SWEEPS)
            if n_positive == 0:
                approach_norm(Z, p, steps, own, m, fixed, slope, g, target)
        best = min(best, norm_bound(g, const, shortest))
        if best <= target:
            break
        if vertices:
            for k in range(d):
                linear[k] = g[k] - positive[k] - target * u[k] / norm
            vertex_values(linear, u, h, work[2])
            worst = -math.inf
            for v in range(size):
                worst = max(worst, work[0, v] + work[2, v])
        else:
            worst = const + tangent_excess(g, u, h, target)
        best = min(best, target + max(worst, 0.0) / shortest)
        if best <= target:
            break
    return best


@compiled
def split_axis(
    Z: Array, p: Array, own: Any, m: int, g: Array, u: Array, h: Array, target: float
) -> int:
    """Return the k with ``h_k (sum_i |c_i z_ik| + |g_k - T u0_k / ||u0|| |)`` largest, or -1.

    The sum runs over ambiguous points: the length of a side is measured by what it leaves open,
    which also makes the search invariant to the scales of the features.
    """
    norm = length(u)
    axis, most = -1, 0.0
    for k in range(u.size):
        if h[k] > 0.0:
            score = abs(g[k] - target * u[k] / norm)
            for a in range(m):
                score += 0.5 * abs(p[own[a]] * Z[own[a], k])
            if axis < 0 or score * h[k] > most:
                axis, most = k, score * h[k]
    return axis
