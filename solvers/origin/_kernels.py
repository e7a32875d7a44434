"""Compiled loops for neurons through the origin: ascent along great circles.

``eta(w) = sum_i q_i relu(w . x_i) = 1/2 sum_i q_i |w . x_i| + 1/2 w . s``, ``s = sum_i q_i x_i``.
On a great circle w(t) = cos t w + sin t e the first part is that of a hyperplane through an anchor
at the origin, so the kernels of hyperplanes serve here: the data get one more point at the origin,
with weight 0, which is the anchor. The second part tells w from -w: a half circle is searched for
both, ``eta(+-w(t)) = (P +- a / 2) cos t + (R +- b / 2) sin t``, ``a = s . w``, ``b = s . e``.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from ...problems.checks import Array
from .._circle_kernels import (
    ON_PLANE,
    OPTIONS,
    Ints,
    Words,
    angle_grid,
    bin_count,
    collect,
    crossings,
    fill_bins,
    orthogonalise,
    project,
)
from .._search_kernels import collect_held, face_direction, release_gains, rotate, survey


@njit(**OPTIONS)
def bound_both(P: float, R: float, a: float, b: float, floor: float, bins: Array) -> float:
    """As `bound_arcs`, for |(P +- a / 2) cos t + (R +- b / 2) sin t|; rows 3, 4 get P and R."""
    best = floor
    for k in range(bins.shape[1] - 1):
        c, s, cc, ss = bins[0, k], bins[1, k], bins[0, k + 1], bins[1, k + 1]
        most = 0.0
        for side in (-0.5, 0.5):
            A, B = P + side * a, R + side * b
            left, right = abs(A * c + B * s), abs(A * cc + B * ss)
            best = max(best, left)
            top = max(left, right)
            if (B * c - A * s) * (B * cc - A * ss) <= 0.0:
                top = np.sqrt(A * A + B * B)
            most = max(most, top)
        bins[6, k] = most + bins[2, k] * bins[5, k]
        step, more = bins[3, k], bins[4, k]
        bins[3, k], bins[4, k] = P, R
        P += step
        R += more
    return best


@njit(**OPTIONS)
def circle_both(
    q: Array,
    p: Array,
    r: Array,
    a: float,
    b: float,
    work: Array,
    order: Ints,
    slots: Ints,
    bins: Array,
    floor: float,
) -> tuple[float, float, int, float]:
    """Return (|eta|, cot t, point, side) maximal on the circle with coordinates p, r.

    The direction is ``side w(t)``, 0 < t < pi; `point` is as in `circle`, -2 if nothing exceeds
    `floor`.
    """
    steps, last = work[1:3], bins.shape[1] - 2
    P, R = crossings(q, p, r, work)
    fill_bins(work, 0.5 * (last + 1), slots, bins)
    least = bound_both(P, R, a, b, floor, bins) * (1.0 - 1e-9)
    count = collect(work, slots, bins, least, order)
    best2, cot, point, half = floor * floor, 0.0, -2, 1.0
    m = 0
    for k in range(last + 1):
        if bins[6, k] <= least:
            continue
        P, R = bins[3, k], bins[4, k]
        upper = bins[0, k] / bins[1, k] if k > 0 else np.inf
        end = bins[0, k + 1] / bins[1, k + 1] if k < last else -np.inf
        while True:
            i, lower = -1, end
            if m < count and slots[order[m]] == k:
                i = order[m]
                m += 1
                if p[i] == 0.0:
                    continue
                lower = -r[i] / p[i]
            for side in (-1.0, 1.0):
                A, B = P + 0.5 * side * a, R + 0.5 * side * b
                square = A * A + B * B
                if square > best2:
                    c = A / B if B != 0.0 else np.inf
                    if lower <= c <= upper and abs(c) < 1e15:
                        best2, cot, point, half = square, c, -1, side
                    elif i >= 0 and abs(lower) < 1e15:
                        value = A * lower + B
                        value = value * value / (1.0 + lower * lower)
                        if value > best2:
                            best2, cot, point, half = value, lower, i, side
            if i < 0:
                break
            P += steps[0, i]
            R += steps[1, i]
            upper = lower
    return np.sqrt(best2), cot, point, half


@njit(**OPTIONS)
def escape(
    XT: Array,
    q: Array,
    sign: float,
    g: Array,
    w: Array,
    on_plane: Ints,
    count: int,
    e: Array,
    trial: Array,
) -> float:
    """Raise the one-sided slope of |eta| at w from the tangent e on; return the best, in e.

    ``slope(e) = sign (g . e + sum_{i on the plane} q_i relu(e . x_i))`` is again an eta: its
    gradient on the pattern of e is tried as the next e. Where many points tie, no basis of held
    points shows all edges.
    """
    d = w.size
    best = -np.inf
    trial[:] = e
    for _ in range(6):
        dot, norm = 0.0, 0.0
        for k in range(d):
            dot += trial[k] * w[k]
        for k in range(d):
            trial[k] -= dot * w[k]
            norm += trial[k] * trial[k]
        norm = np.sqrt(norm)
        if norm <= 1e-300:
            break
        slope = 0.0
        for k in range(d):
            trial[k] /= norm
            slope += sign * g[k] * trial[k]
        for m in range(count):
            t = 0.0
            for k in range(d):
                t += trial[k] * XT[k, on_plane[m]]
            slope += sign * q[on_plane[m]] * max(t, 0.0)
        if slope > best:
            best = slope
            e[:] = trial
        # `e` keeps the best; the next trial is the gradient on the pattern of the current one.
        trial[:] = sign * g
        for m in range(count):
            i, t = on_plane[m], 0.0
            for k in range(d):
                t += e[k] * XT[k, i]
            if t > 0.0:
                for k in range(d):
                    trial[k] += sign * q[i] * XT[k, i]
    return best


@njit(**OPTIONS)
def polish(
    XT: Array,
    q: Array,
    w: Array,
    held: Ints,
    basis: Array,
    tri: Array,
    on_plane: Ints,
    p: Array,
    active: Array,
    g: Array,
    trial: Array,
) -> float:
    """Put w at the maximum of its face, exactly orthogonal to held points; return eta.

    That is ``+-`` the projection of g on the face; if |eta| falls there, the projection of w. An
    ascent stops where the gain is below rounding, which leaves the angle uncertain by its root.
    """
    anchor = XT.shape[1] - 1
    value, count = survey(XT, q, anchor, w, p, active, g, on_plane)
    size = collect_held(XT, anchor, held, basis, tri, on_plane, count, 0)
    for attempt in range(2):
        trial[:] = w
        if attempt == 0:
            trial[:] = g if value >= 0.0 else -g
        norm = orthogonalise(trial, basis, size)
        if norm <= 1e-300:
            continue
        trial /= norm
        # Once more: what is left along the basis grew if the first norm was small.
        trial /= orthogonalise(trial, basis, size)
        other, _ = survey(XT, q, anchor, trial, p, active, g, on_plane)
        if abs(other) >= abs(value) * (1.0 - 1e-13):
            w[:] = trial
            return float(other)
    return float(value)


@njit(**OPTIONS)
def ascend(
    XT: Array,
    q: Array,
    w: Array,
    max_moves: int,
    seed: int,
    floats: Array,
    integers: Ints,
    bins: Array,
    small: Array,
    held: Ints,
    gains: Array,
) -> float:
    """Climb from the unit w to a local maximum of |eta|; return eta there, w is overwritten.

    Moves: the circle through w and the gradient of its face, whose best point is ``+-g / ||g||``
    if that is in the cell; where this gains nothing the circles that release one held point, then
    -w, then other bases and directions where more points tie than there are dimensions.
    """
    d, n = XT.shape
    anchor = n - 1
    p, r, active, work = floats[0], floats[1], floats[2], floats[3:8]
    order, on_plane, slots = integers
    basis, tri, releases = small[0], small[1], small[2]
    e, g, trial = small[3, 0], small[3, 1], small[3, 2]
    value, count = survey(XT, q, anchor, w, p, active, g, on_plane)
    size = collect_held(XT, anchor, held, basis, tri, on_plane, count, 0)
    stage, tries = 0, 0
    state = seed
    for _ in range(max_moves):
        best = abs(value)
        sign = 1.0 if value >= 0.0 else -1.0
        usable = False
        if stage == 0:
            stage = 1
            release_gains(q, sign, g, held, basis, tri, size, releases, gains)
            usable = size < d - 1 and face_direction(g, sign, w, basis, size, e) > 1e-9
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
            tries += 1
            along = 0.0
            for i in range(n):
                along += q[i] * p[i]
            if tries == 1 and abs(value - along) > best * (1.0 + 1e-12):
                w *= -1.0
                value, count = survey(XT, q, anchor, w, p, active, g, on_plane)
                size = collect_held(XT, anchor, held, basis, tri, on_plane, count, 0)
                stage, tries = 0, 0
                continue
            if count <= size or tries > 4 * d:
                break
            if tries % 2 == 0:
                first = (tries * 104729) % count
                size = collect_held(XT, anchor, held, basis, tri, on_plane, count, first)
                stage = 0
                continue
            for k in range(d):
                state = (state * 1103515245 + 12345) % 2147483648
                e[k] = state / 1073741824.0 - 1.0
            if escape(XT, q, sign, g, w, on_plane, count, e, trial) <= 1e-10 * best:
                continue
            usable = True
        if usable:
            project(XT, e, r)
            # s.w and s.e, summed over the same rounded coordinates as the rest of eta.
            along, across = 0.0, 0.0
            for i in range(n):
                r[i] = r[i] if abs(r[i]) > ON_PLANE else 0.0
                along += q[i] * p[i]
                across += q[i] * r[i]
            floor = best * (1.0 + 1e-12)
            _, cot, point, side = circle_both(
                q, p, r, along, across, work, order, slots, bins, floor
            )
            if point > -2:
                rotate(XT, anchor, w, e, cot, point, held, basis, tri, p, r, on_plane, count)
                w *= side
                value, count = survey(XT, q, anchor, w, p, active, g, on_plane)
                size = collect_held(XT, anchor, held, basis, tri, on_plane, count, 0)
                stage, tries = 0, 0
    return float(polish(XT, q, w, held, basis, tri, on_plane, p, active, g, trial))


@njit(**OPTIONS)
def ascend_all(
    XT: Array, q: Array, starts: Array, max_moves: int, keys: Words, values: Array,
    signatures: Words,
) -> None:  # fmt: skip
    """Run `ascend` from every unit row of `starts`, overwritten by the maxima.

    The last column of XT and entry of q is the point at the origin. `signatures` are hashes of the
    patterns {above, on} and the sign of eta: equal ones mean the same vertex, face or cell.
    """
    d, n = XT.shape
    floats, integers = np.empty((8, n)), np.empty((3, n), np.int64)
    bins = np.zeros((7, bin_count(n) + 1))
    angle_grid(bins)
    small, held, gains = np.empty((4, max(d, 3), d)), np.empty(d, np.int64), np.empty(d)
    for m in range(starts.shape[0]):
        w = starts[m]
        values[m] = ascend(XT, q, w, max_moves, m + 1, floats, integers, bins, small, held, gains)
        margins = floats[0]
        project(XT, w, margins)
        above, on = np.uint64(0), np.uint64(0)
        for i in range(n - 1):
            if margins[i] > 10 * ON_PLANE:
                above ^= keys[i]
            elif margins[i] >= -10 * ON_PLANE:
                on ^= keys[i]
        sign = np.uint64(1 if values[m] > 0.0 else 0)
        signatures[m] = above ^ (on * np.uint64(0x9E3779B97F4A7C15)) ^ sign
