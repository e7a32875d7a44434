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
    BOTH_SIDES,
    ON_PLANE,
    OPTIONS,
    Ints,
    Words,
    circle,
    orthogonalise,
    project,
)
from .._hold_kernels import Scratch, collect_held, rotate, scratch, stand, survey
from .._release_kernels import FRESH, SPENT, next_direction


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
    value, _, size = stand(XT, q, anchor, w, p, active, g, on_plane, held, basis, tri, 0)
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
def ascend(XT: Array, q: Array, w: Array, max_moves: int, seed: int, own: Scratch) -> float:
    """Climb from the unit w to a local maximum of |eta|; return eta there, w is overwritten.

    Moves: the circle through w and the gradient of its face, whose best point is ``+-g / ||g||``
    if that is in the cell; where this gains nothing the circles that release one held point, then
    -w, then other bases and directions where more points tie than there are dimensions.
    """
    d, n = XT.shape
    p, r, active, work, order, slots, bins, on_plane, held, basis, tri, releases, gains, e, g, t = (
        own
    )
    anchor = n - 1
    value, count, size = stand(XT, q, anchor, w, p, active, g, on_plane, held, basis, tri, 0)
    stage, tries = FRESH, 0
    state = seed
    for _ in range(max_moves):
        best = abs(value)
        sign = 1.0 if value >= 0.0 else -1.0
        if stage != SPENT:
            stage = next_direction(
                q, sign, w, size, stage, 1e-10 * best, g, held, basis, tri, releases, gains, e
            )
        if stage == SPENT:
            tries += 1
            along = 0.0
            for i in range(n):
                along += q[i] * p[i]
            if tries == 1 and abs(value - along) > best * (1.0 + 1e-12):
                w *= -1.0
                value, count, size = stand(
                    XT, q, anchor, w, p, active, g, on_plane, held, basis, tri, 0
                )
                stage, tries = FRESH, 0
                continue
            if count <= size or tries > 4 * d:
                break
            if tries % 2 == 0:
                start = tries * 104729
                size = collect_held(XT, anchor, held, basis, tri, on_plane, count, start)
                stage = FRESH
                continue
            for k in range(d):
                state = (state * 1103515245 + 12345) % 2147483648
                e[k] = state / 1073741824.0 - 1.0
            if escape(XT, q, sign, g, w, on_plane, count, e, t) <= 1e-10 * best:
                continue
        project(XT, e, r)
        # s.w and s.e, summed over the same rounded coordinates as the rest of eta.
        along, across = 0.0, 0.0
        for i in range(n):
            r[i] = r[i] if abs(r[i]) > ON_PLANE else 0.0
            along += q[i] * p[i]
            across += q[i] * r[i]
        _, cot, point, side = circle(
            q, p, r, along, across, BOTH_SIDES, work, order, slots, bins,
            best * (1.0 + 1e-12),
        )  # fmt: skip
        if point > -2:
            rotate(XT, anchor, w, e, cot, point, held, basis, tri, p, r, on_plane, count)
            w *= 2.0 * side
            value, count, size = stand(
                XT, q, anchor, w, p, active, g, on_plane, held, basis, tri, 0
            )
            stage, tries = FRESH, 0
    return float(polish(XT, q, w, held, basis, tri, on_plane, p, active, g, t))


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
    own = scratch(n, d)
    margins = own[0]
    for m in range(starts.shape[0]):
        w = starts[m]
        values[m] = ascend(XT, q, w, max_moves, m + 1, own)
        project(XT, w, margins)
        above, on = np.uint64(0), np.uint64(0)
        for i in range(n - 1):
            if margins[i] > 10 * ON_PLANE:
                above ^= keys[i]
            elif margins[i] >= -10 * ON_PLANE:
                on ^= keys[i]
        sign = np.uint64(1 if values[m] > 0.0 else 0)
        signatures[m] = above ^ (on * np.uint64(0x9E3779B97F4A7C15)) ^ sign
