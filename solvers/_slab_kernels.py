"""Compiled loop of branch and bound over slabs: boxes of directions with an interval of biases.

One slab stands for the hyperplanes through many data points, which share its cost until few of them
are left; then its directions are explored at each of these anchors. Boxes and symbols are those of
`_box_kernels`.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ._box_kernels import MAX_VERTEX_DIM, bound_box, classify, set_ray, split_axis
from ._branch_kernels import (
    MAX_DEPTH,
    Limits,
    Outcome,
    explore,
    halve,
    make_stack,
    probe,
    raised,
    spread_points,
)
from .oracle import Array
from .sweep import compiled

FEW_ANCHORS = 4  # A slab with no more of them is left to its anchors rather than made thinner.


@compiled
def count_anchors(p: Array, own: Any, m: int) -> int:
    """Return how many of the ambiguous points can be anchors of a maximum."""
    count = 0
    for a in range(m):
        if p[own[a]] < 0.0:
            count += 1
    return count


@compiled
def explore_slabs(
    L: Array, p: Array, boxes: Array, bounds: Array, limits: Limits, out: Outcome
) -> float:
    """Bring the slabs of one sign below the target, as `explore` does; return the final goal.

    L has the rows ``(x_i, -B)``. A slab without a possible anchor, that is a point with ``p_i < 0``
    that its hyperplanes can meet, holds no maximum over the bias and is dropped. A slab with few
    anchors, or where all points with ``p_i > 0`` have a fixed sign, is left to its anchors: what is
    left of their boxes is returned with their index, slabs with -1.
    """
    target, goal, violation, max_work, stop_at_violation = limits
    out_boxes, out_bounds, out_anchors, found, tally = out
    n, D = L.shape
    d = D - 1
    top = bounds.size
    stack, stack_bounds, level = make_stack(boxes, bounds, MAX_DEPTH + 2)
    count = np.zeros(MAX_DEPTH + 2, dtype=np.int64)
    own, fixed = np.empty((MAX_DEPTH + 2, n), dtype=np.int32), np.zeros((MAX_DEPTH + 2, D))
    slope, radius, steps, delta = np.empty(n), np.empty(n), np.empty(n), np.empty(n)
    u, h, g, trial, ray = np.empty(D), np.empty(D), np.empty(D), np.empty(D), np.empty(D)
    work = np.empty((6, max(D, 2 ** min(d, MAX_VERTEX_DIM))))
    lines = np.empty((D + 1, n))
    count[0] = spread_points(L, p, delta, steps, own[0])
    biases = np.empty((MAX_DEPTH + 2, 2))  # of the slabs that `own` and `fixed` are about
    biases[0, 0], biases[0, 1] = -np.inf, np.inf
    spare = 2 * n + MAX_DEPTH + 4  # what the anchors of one slab may return
    while top > 0 and tally[3] < max_work and tally[0] + top + spare < out_bounds.size:
        top -= 1
        depth = level[top]
        u[:], h[:] = stack[top, :D], stack[top, D:]
        tally[1] += 1
        tally[3] += count[depth] + 8
        mine, sums = own[depth + 1], fixed[depth + 1]
        sums[:] = fixed[depth]
        m = classify(L, p, delta, u, h, own[depth], count[depth], mine, sums, slope, radius)
        count[depth + 1] = m
        biases[depth + 1, 0], biases[depth + 1, 1] = u[d] - h[d], u[d] + h[d]
        n_anchors = count_anchors(p, mine, m)
        if n_anchors == 0:
            continue
        bound = bound_box(
            L, p, steps, u, h, d, mine, m, sums, slope, radius, target, work, lines, g
        )
        bound = min(bound, stack_bounds[top])
        if bound <= goal:
            continue
        limit = max(violation, goal)
        value = probe(L, p, mine, m, sums, g, u, h, d, limit, trial, found, tally)
        stop, target, goal = raised(value, stop_at_violation, target, goal)
        if stop or bound <= target:
            out_boxes[tally[0]], out_bounds[tally[0]] = stack[top], bound
            out_anchors[tally[0]] = -1
            tally[0] += 1
            if stop:
                break
            continue
        set_ray(u, target, d, ray)
        axis = split_axis(L, p, mine, m, g, ray, u, h)
        few = n_anchors == 1 or (axis == d and n_anchors <= FEW_ANCHORS)
        if few or n_anchors == m or axis < 0 or depth >= MAX_DEPTH:
            violations = tally[2]
            now = (target, goal, violation, max_work, stop_at_violation)
            goal = explore_anchors(
                L, p, own, count, fixed, biases, depth + 1, stack[top], bound, now, out,
                out_bounds.size - top,
            )  # fmt: skip
            target = max(target, goal)
            if stop_at_violation and tally[2] > violations:
                break
            continue
        halve(stack, stack_bounds, level, top, axis, bound, depth)
        top += 2
    first = tally[0]
    out_boxes[first : first + top] = stack[:top]
    out_bounds[first : first + top] = stack_bounds[:top]
    out_anchors[first : first + top] = -1
    tally[0] = first + top
    return goal


@compiled
def enclosing(L: Array, j: int, box: Array, biases: Array, depth: int) -> int:
    """Return the deepest slab on the way down that holds anchor j for all directions of the box.

    Beside it the points whose sign the slab fixes may change sides.
    """
    D = L.shape[1]
    middle, spread, size = 0.0, 0.0, 0.0
    for k in range(D - 1):
        middle += box[k] * L[j, k]
        spread += box[D + k] * abs(L[j, k])
        size += abs(L[j, k])
    spread += (4 * D + 8) * 2.0**-53 * (size - L[j, D - 1])
    low, high = (spread - middle) / L[j, D - 1], -(middle + spread) / L[j, D - 1]
    while biases[depth, 0] > low or biases[depth, 1] < high:
        depth -= 1
    return depth


@compiled
def explore_anchors(
    L: Array,
    p: Array,
    own: Any,
    count: Any,
    fixed: Array,
    biases: Array,
    depth: int,
    slab: Array,
    bound: float,
    limits: Limits,
    out: Outcome,
    room: int,
) -> float:
    """Explore the directions of a slab at each of its anchors; return the final goal.

    What is not done for want of work or room, or after a violation, is returned untouched; no more
    than `room` rows are filled.
    """
    target, goal, violation, max_work, stop_at_violation = limits
    out_boxes, out_bounds, out_anchors, found, tally = out
    n, D = L.shape
    d = D - 1
    Z, weights, start = np.empty((n, d)), np.empty(n), np.empty(d)
    box, top_bound = np.empty((1, 2 * D)), np.full(1, bound)
    violations = tally[2]
    ahead = count[depth]
    for b in range(count[depth]):
        ahead -= 1
        j = own[depth, b]
        if p[j] >= 0.0:
            continue
        first = tally[0]
        box[0] = slab
        box[0, d], box[0, D + d] = 0.0, 0.0
        stopped = stop_at_violation and tally[2] > violations
        if stopped or tally[3] >= max_work or first + ahead + 4 > room:
            out_boxes[first], out_bounds[first] = box[0], bound
            tally[0] += 1
        else:
            above = enclosing(L, j, slab, biases, depth)
            m, sums = count[above], fixed[above]
            for k in range(d):
                # The bias is that of the anchor: (v, v . x_j / B) . sums.
                start[k] = sums[k] - sums[d] * L[j, k] / L[j, d]
            for a in range(m):
                i = own[above, a]
                weights[a] = p[i]
                for k in range(d):
                    Z[a, k] = L[i, k] - L[j, k]
            tally[3] += m
            now = (max(target, goal), goal, violation, max_work - tally[3], stop_at_violation)
            part = (out_boxes, out_bounds[: room - ahead], out_anchors, found, tally)
            goal = explore(Z[:m], weights[:m], start, box, top_bound, now, part)
        out_anchors[first : tally[0]] = j
    return goal
