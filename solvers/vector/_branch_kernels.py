"""Compiled loop of branch and bound for vector outputs, depth first over slabs and their anchors.

Boxes and symbols are those of `_box_kernels`. At a maximum of ``||phi||`` with the direction
``a = phi / ||phi||`` the bias maximises ``a . phi``, a scalar problem, so a point with
``a . Q_j < 0`` lies on the plane: it is the anchor.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .._box_kernels import MAX_VERTEX_DIM, set_ray
from .._branch_kernels import (
    MAX_DEPTH,
    Limits,
    Outcome,
    halve,
    keep,
    make_stack,
    nearest_to,
    raised,
)
from .._slab_kernels import FEW_ANCHORS
from ..oracle import Array
from ..sweep import compiled
from ._box_kernels import bound_norm, classify_rows, live_points, norm_at

DOUBT = 1e-12  # A point whose weight along a is this close to 0 may have either sign.


@compiled
def longest_side(
    Z: Array,
    sizes: Array,
    own: Any,
    m: int,
    g: Array,
    ray: Array,
    M: Array,
    share: float,
    u: Array,
    h: Array,
) -> int:
    """Return the k whose side leaves most open, or -1, as `split_axis`.

    ``h_k (1/2 sum_i ||Q_i|| |z_ik| + |g_k - ray_k| + share ||M_k||)``: a part P beside a costs
    ``P^2 / 2 T``, hence the last term with ``share = P / T``.
    """
    axis, most = -1, 0.0
    for k in range(u.size):
        if h[k] > 0.0:
            column = 0.0
            for c in range(M.shape[0]):
                column += M[c, k] * M[c, k]
            score = abs(g[k] - ray[k]) + share * math.sqrt(column)
            for b in range(m):
                score += 0.5 * sizes[own[b]] * abs(Z[own[b], k])
            if axis < 0 or score * h[k] > most:
                axis, most = k, score * h[k]
    return axis


@compiled
def mark_anchors(
    own: Any, m: int, rows: Array, sizes: Array, side: float, back: float, goal: float, marks: Any
) -> tuple[int, int]:
    """Mark the points that can be anchors of a maximum above goal; count them and the negative.

    There ``phi / ||phi||`` is within the angle arcsin(P / goal) of a, unless it may be opposite. A
    point on the plane of some maximum has ``Q_j . phi < 0``; negative are those where all such
    directions say so: their kinks are concave.
    """
    p, beside = rows[0], rows[3]
    certain = math.hypot(side, back) < goal
    sine = min(side / goal, 1.0) if goal > 0.0 else 1.0
    cosine = math.sqrt((1.0 - sine) * (1.0 + sine))
    n_anchors, n_negative = 0, 0
    for b in range(m):
        i = own[b]
        middle, swing = p[i] * cosine, beside[i] * sine + DOUBT * sizes[i]
        marks[b] = p[i] < 0.0 or middle < swing or not certain
        n_anchors += marks[b]
        n_negative += certain and middle + swing < 0.0
    return n_anchors, n_negative


@compiled
def differences(L: Array, j: int, Q: Array, W: Array, delta: Array, square: Array, own: Any) -> int:
    """Write the rows ``x_i - x_j`` and what `live_points` says of them; return its count."""
    for i in range(W.shape[0]):
        for k in range(W.shape[1]):
            W[i, k] = L[i, k] - L[j, k]
    return live_points(W, Q, delta, square, own)


@compiled
def replace_by_anchors(
    stack: Array,
    stack_bounds: Array,
    level: Any,
    above: Any,
    who: Any,
    top: int,
    bound: float,
    own: Any,
    m: int,
    marks: Any,
) -> int:
    """Replace the slab in row `top` by its directions at each marked anchor; return the new top."""
    K = stack.shape[1] // 2
    slab, depth = stack[top].copy(), level[top]
    slab[K - 1], slab[-1] = 0.0, 0.0
    for b in range(m):
        if marks[b]:
            stack[top], stack_bounds[top], who[top] = slab, bound, own[b]
            # Level 1 holds the whole data. A slab too deep to be cut may go on at its anchors.
            level[top], above[top] = min(depth + 1, MAX_DEPTH), 1
            top += 1
    return top


@compiled
def explore_planes(
    L: Array,
    Q: Array,
    sizes: Array,
    anchor: int,
    boxes: Array,
    bounds: Array,
    limits: Limits,
    out: Outcome,
) -> float:
    """Bring slabs (anchor -1) or boxes of an anchor below the target; return the final goal.

    As `explore_slabs` and `explore`, on one stack: a slab with few anchors is replaced by its box
    of directions at each of them, which is classified anew from all points.
    """
    target, goal, violation, max_work, stop_at_violation = limits
    out_boxes, out_bounds, out_anchors, found, tally = out
    n, K = L.shape
    d, D = K - 1, Q.shape[1]
    stack, stack_bounds, level = make_stack(boxes, bounds, 2 * MAX_DEPTH + n + 4)
    above, who = np.zeros_like(level), np.empty_like(level)
    # Levels 0 and 1 are the whole data, for slabs and for the current anchor.
    own, count = np.empty((MAX_DEPTH + 4, n), np.int32), np.zeros(MAX_DEPTH + 4, np.int64)
    sums_slab = np.zeros((MAX_DEPTH + 4, D, K))
    sums_anchor = np.zeros((MAX_DEPTH + 4, D, d))
    M_slab, M_anchor, W = np.empty((D, K)), np.empty((D, d)), np.empty((n, d))
    slope, radius = np.empty(n), np.empty(n)
    delta, square, rows, marks = np.empty((2, n)), np.empty((2, n)), np.empty((4, n)), np.empty(n)
    small, a, image = np.empty((6, K)), np.empty(D), np.empty(D)
    work = np.empty((6, max(K, 2 ** min(d, MAX_VERTEX_DIM))))
    lines = np.empty((K + 2, max(n, K)))
    count[0] = live_points(L, Q, delta[0], square[0], own[0])
    current, top = -1, bounds.size
    who[:top], above[:top] = anchor, 0 if anchor < 0 else 1
    while top > 0 and tally[3] < max_work and tally[0] + top + n + 8 < out_bounds.size:
        top -= 1
        depth, source, j = level[top], above[top], who[top]
        slab = j < 0
        size = K if slab else d
        Z, sums, M = (L, sums_slab, M_slab) if slab else (W, sums_anchor, M_anchor)
        kind = 0 if slab else 1
        if not slab and source == 1 and current != j:
            current = j
            count[1] = differences(L, j, Q, W, delta[1], square[1], own[1])
        u, h, g, flat = small[0, :size], small[1, :size], small[2, :size], small[3, :size]
        trial, ray = small[4, :size], small[5, :size]
        u[:], h[:] = stack[top, :size], stack[top, K : K + size]
        here = depth + 2
        tally[1] += 1
        tally[3] += count[source] + 8
        mine, G = own[here], sums[here]
        G[:] = sums[source]
        m = classify_rows(
            Z, Q, delta[kind], u, h, own[source], count[source], mine, G, slope, radius
        )
        count[here] = m
        bound, side, back = bound_norm(
            Z, Q, square[kind], u, h, d, mine, m, G, slope, radius, target, M, a, image, rows,
            flat, work, lines, g,
        )  # fmt: skip
        bound = min(bound, stack_bounds[top])
        if bound <= goal:
            continue
        n_anchors, n_negative = mark_anchors(mine, m, rows, sizes, side, back, goal, marks)
        if slab and n_anchors == 0:
            continue
        limit = max(violation, goal)
        value = probe_norm(Z, Q, mine, m, G, g, u, h, d, limit, trial, image, found, tally)
        stop, target, goal = raised(value, stop_at_violation, target, goal)
        axis = -1
        if not (stop or bound <= target):
            set_ray(u, target, d, ray)
            share = min(side / target, 1.0)
            axis = longest_side(Z, sizes, mine, m, g, ray, M, share, u, h)
        deep = axis < 0 or depth >= MAX_DEPTH
        if stop or bound <= target or (deep and not slab):
            file_box(stack, stack_bounds, top, j, out_boxes, out_bounds, out_anchors, tally)
            out_bounds[tally[0] - 1] = bound
            if stop:
                break
            continue
        few = n_anchors == 1 or (axis == d and n_anchors <= FEW_ANCHORS) or n_negative == m
        if slab and (few or deep):
            top = replace_by_anchors(
                stack, stack_bounds, level, above, who, top, bound, mine, m, marks
            )
            continue
        halve(stack, stack_bounds, level, top, axis, bound, depth)
        above[top], above[top + 1] = here, here
        who[top], who[top + 1] = j, j
        top += 2
    while top > 0:
        top -= 1
        file_box(stack, stack_bounds, top, who[top], out_boxes, out_bounds, out_anchors, tally)
    return goal


@compiled
def file_box(
    stack: Array,
    stack_bounds: Array,
    top: int,
    anchor: int,
    out_boxes: Array,
    out_bounds: Array,
    out_anchors: Any,
    tally: Any,
) -> None:
    """Return the box in row `top` of the stack with its anchor."""
    row = tally[0]
    out_boxes[row], out_bounds[row], out_anchors[row] = stack[top], stack_bounds[top], anchor
    tally[0] += 1


@compiled
def probe_norm(
    Z: Array,
    Q: Array,
    own: Any,
    m: int,
    G: Array,
    g: Array,
    u: Array,
    h: Array,
    d: int,
    limit: float,
    trial: Array,
    image: Array,
    found: Array,
    tally: Any,
) -> float:
    """Keep the centre or the point of `nearest_to` if best so far or violating; see `probe`."""
    nearest_to(g, u, h, d, trial)
    value = norm_at(Z, Q, own, m, G, trial, d, image)
    middle = norm_at(Z, Q, own, m, G, u, d, image)
    if middle > value:
        trial[:] = u
        value = middle
    return keep(trial, value, d, limit, found, tally)
