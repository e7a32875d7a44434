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
    """Keep the point of `nearest_to` if it is the best so far or violates.

    Returns its value ``phi(v) / ||v||`` if that is above the limit, else 0.
    """
    nearest_to(g, u, h, d, trial)
    value = value_at(Z, p, own, m, fixed, trial, d)
    norm = length(trial, d)
    if value > found[0, d]:
        found[0, :d], found[0, d] = trial[:d] / norm, value
    if value <= limit:
        return 0.0
    row = min(tally[2] + 1, found.shape[0] - 1)
    found[row, :d], found[row, d] = trial[:d] / norm, value
    tally[2] = row
    return value


@compiled
def explore(
    Z: Array,
    p: Array,
    start: Array,
    boxes: Array,
    bounds: Array,
    target: float,
    goal: float,
    violation: float,
    max_work: int,
    stop_at_violation: bool,
    out_boxes: Array,
    out_bounds: Array,
    found: Array,
    tally: Any,
) -> float:
    """Bring the boxes of one anchor and sign below `target`, depth first; return the final goal.

    `start` is the gradient of points that are not in Z since their sign is fixed. Boxes below
    `goal <= target` are dropped, the others written to `out_boxes`: parked between goal and target,
    or unfinished when the work (points looked at) exceeds `max_work`. A direction with
    ``phi > violation, goal`` violates: the search stops there, or else raises goal (and target)
    just above it. `found[0]` receives the best direction and its value, the following rows the
    violations; `tally` the numbers of returned boxes (from its value on), visited boxes,
    violations, and the work (all three added up).
    """
    n, d = Z.shape
    D = boxes.shape[1] // 2
    room = MAX_DEPTH + bounds.size + 2
    stack, stack_bounds = np.empty((room, 2 * D)), np.empty(room)
    level, count = np.zeros(room, dtype=np.int64), np.zeros(MAX_DEPTH + 2, dtype=np.int64)
    own, fixed = np.empty((MAX_DEPTH + 2, n), dtype=np.int32), np.zeros((MAX_DEPTH + 2, d))
    slope, radius, steps, delta = np.empty(n), np.empty(n), np.empty(n), np.empty(n)
    u, h, g, trial, ray = np.empty(d), np.empty(d), np.empty(d), np.empty(d), np.empty(d)
    work = np.empty((6, max(d, 2 ** (min(d, MAX_VERTEX_DIM) - 1))))
    lines = np.empty((d + 1, n))
    count[0] = spread_points(Z, p, delta, steps, own[0])
    fixed[0] = start
    top = bounds.size
    stack[:top] = boxes
    stack_bounds[:top] = bounds
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
        stop = stop_at_violation and value > 0.0
        if value > 0.0 and not stop:
            goal = value * (1.0 + RAISE)
            target = max(target, goal)
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
