"""Compiled loop of branch and bound at one anchor, depth first, and what slabs share with it.

Boxes and symbols are those of `_box_kernels`. All rows have the coordinates of slabs,
``[u, bias / B | h]``; at an anchor the last coordinate is not used.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ._box_kernels import (
    MAX_VERTEX_DIM,
    bound_box,
    classify,
    length,
    set_ray,
    split_axis,
    value_at,
)
from .oracle import Array
from .sweep import compiled

MAX_DEPTH = 200
RAISE = 1e-9  # A maximum at the goal itself would be cut into ever smaller boxes.


# Plain tuples: numba's cache on disk would not survive a class of another name or place.
Limits = tuple[float, float, float, int, bool]
"""What a kernel is to reach: target, goal, violation, work, stop_at_violation.

Boxes below ``goal <= target`` are dropped; those between are left. A direction with
``phi > violation, goal`` violates: the kernel stops there, or else raises the goal (and the target)
just above it. When it has looked at so many points as `work` says it leaves the other boxes as they
are.
"""
Outcome = tuple[Array, Array, Any, Array, Any]
"""What a kernel fills: boxes, bounds, anchors, found, tally.

The boxes left with their bounds, and the anchors of boxes from slabs, -1 for slabs; `found` gets
the best direction with its value, then violations; `tally` the numbers of boxes left, boxes visited
and violations, and the work, all added up.
"""


@compiled
def nearest_to(g: Array, u: Array, h: Array, d: int, out: Array) -> None:
    """Write the box's point nearest to the ray of g: ``clip(g / g_f)``, or u if ``g_f <= 0``.

    If nothing is clipped it maximises ``g . v / ||v||``. The bias is that of the centre.
    """
    face = 0
    while h[face] > 0.0 or u[face] != 1.0:
        face += 1
    for k in range(u.size):
        out[k] = u[k]
        if k < d and g[face] > 0.0:
            out[k] = min(max(g[k] / g[face], u[k] - h[k]), u[k] + h[k])


@compiled
def spread_points(Z: Array, p: Array, delta: Array, steps: Array, own: Any) -> int:
    """Fill the rounding errors, the steps of `sweep_slopes`, and the points that count."""
    n, D = Z.shape
    count = 0
    for i in range(n):
        total, square = 0.0, 0.0
        for k in range(D):
            total += abs(Z[i, k])
            square += Z[i, k] * Z[i, k]
        steps[i] = 0.0
        delta[i] = (4 * D + 8) * 2.0**-53 * total
        if delta[i] > 0.0 and p[i] != 0.0:
            steps[i] = 2.0 / (abs(p[i]) * square)
            own[count] = i
            count += 1
    return count


@compiled
def probe(
    Z: Array,
    p: Array,
    own: Any,
    m: int,
    fixed: Array,
    g: Array,
    u: Array,
    h: Array,
    d: int,
    limit: float,
    trial: Array,
    found: Array,
    tally: Any,
) -> float:
    """Keep the point of `nearest_to`; return its value ``phi(v) / ||v||`` as `keep` does."""
    nearest_to(g, u, h, d, trial)
    return keep(trial, value_at(Z, p, own, m, fixed, trial, d), d, limit, found, tally)


@compiled
def keep(v: Array, value: float, d: int, limit: float, found: Array, tally: Any) -> float:
    """Keep the direction v if it is the best so far or its value violates.

    Returns the value if it is above the limit, else 0.
    """
    norm = length(v, d)
    if value > found[0, d]:
        found[0, :d], found[0, d] = v[:d] / norm, value
    if value <= limit:
        return 0.0
    row = min(tally[2] + 1, found.shape[0] - 1)
    found[row, :d], found[row, d] = v[:d] / norm, value
    tally[2] = row
    return value


@compiled
def raised(
    value: float, stop_at_violation: bool, target: float, goal: float
) -> tuple[bool, float, float]:
    """Return (stop, target, goal) after a direction of that value, 0 if it does not violate."""
    if value <= 0.0 or stop_at_violation:
        return value > 0.0, target, goal
    goal = value * (1.0 + RAISE)
    return False, max(target, goal), goal


@compiled
def make_stack(boxes: Array, bounds: Array, room: int) -> tuple[Array, Array, Any]:
    """Return boxes, bounds and levels (0) of a stack with so many more rows."""
    top = bounds.size
    stack, stack_bounds = np.empty((top + room, boxes.shape[1])), np.empty(top + room)
    stack[:top] = boxes
    stack_bounds[:top] = bounds
    return stack, stack_bounds, np.zeros(top + room, dtype=np.int64)


@compiled
def explore(
    Z: Array, p: Array, start: Array, boxes: Array, bounds: Array, limits: Limits, out: Outcome
) -> float:
    """Bring the boxes of one anchor and sign below the target, depth first; return the final goal.

    `start` is the gradient of points that are not in Z since their sign is fixed. Boxes that are
    left are added to those in `out`; anchors are not written.
    """
    target, goal, violation, max_work, stop_at_violation = limits
    out_boxes, out_bounds, _, found, tally = out
    n, d = Z.shape
    D, top = boxes.shape[1] // 2, bounds.size
    stack, stack_bounds, level = make_stack(boxes, bounds, MAX_DEPTH + 2)
    count = np.zeros(MAX_DEPTH + 2, dtype=np.int64)
    own, fixed = np.empty((MAX_DEPTH + 2, n), dtype=np.int32), np.zeros((MAX_DEPTH + 2, d))
    slope, radius, steps, delta = np.empty(n), np.empty(n), np.empty(n), np.empty(n)
    u, h, g, trial, ray = np.empty(d), np.empty(d), np.empty(d), np.empty(d), np.empty(d)
    work = np.empty((6, max(d, 2 ** (min(d, MAX_VERTEX_DIM) - 1))))
    lines = np.empty((d + 1, n))
    count[0] = spread_points(Z, p, delta, steps, own[0])
    fixed[0] = start
    n_out, done = tally[0], 0
    while top > 0 and done < max_work and n_out + top + 2 < out_bounds.size:
        top -= 1
        depth = level[top]
        u[:], h[:] = stack[top, :d], stack[top, D : D + d]
        tally[1] += 1
        done += count[depth] + 8
        mine, sums = own[depth + 1], fixed[depth + 1]
        sums[:] = fixed[depth]
        m = classify(Z, p, delta, u, h, own[depth], count[depth], mine, sums, slope, radius)
        count[depth + 1] = m
        bound = bound_box(
            Z, p, steps, u, h, d, mine, m, sums, slope, radius, target, work, lines, g
        )
        bound = min(bound, stack_bounds[top])
        if bound <= goal:
            continue
        limit = max(violation, goal)
        value = probe(Z, p, mine, m, sums, g, u, h, d, limit, trial, found, tally)
        stop, target, goal = raised(value, stop_at_violation, target, goal)
        set_ray(u, target, d, ray)
        axis = split_axis(Z, p, mine, m, g, ray, u, h)
        if stop or axis < 0 or depth >= MAX_DEPTH or bound <= target:
            out_boxes[n_out], out_bounds[n_out] = stack[top], bound
            n_out += 1
            if stop:
                break
            continue
        halve(stack, stack_bounds, level, top, axis, bound, depth)
        top += 2
    out_boxes[n_out : n_out + top] = stack[:top]
    out_bounds[n_out : n_out + top] = stack_bounds[:top]
    tally[0] = n_out + top
    tally[3] += done
    return goal


@compiled
def halve(
    stack: Array, stack_bounds: Array, level: Any, top: int, axis: int, bound: float, depth: int
) -> None:
    """Replace the box in row `top` by its halves, in rows `top` and `top + 1`."""
    D = stack.shape[1] // 2
    stack[top, D + axis] *= 0.5
    stack[top + 1] = stack[top]
    stack[top, axis] -= stack[top, D + axis]
    stack[top + 1, axis] += stack[top, D + axis]
    stack_bounds[top], level[top] = bound, depth + 1
    stack_bounds[top + 1], level[top + 1] = bound, depth + 1
