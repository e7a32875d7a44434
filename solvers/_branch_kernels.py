"""Compiled loop of branch and bound: one anchor, a list of boxes, depth first.

Boxes and symbols are those of `_box_kernels`.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ._box_kernels import MAX_VERTEX_DIM, bound_box, classify, length, split_axis, value_at
from .oracle import Array
from .sweep import compiled

MAX_DEPTH = 200
RAISE = 1e-9  # A maximum at the goal itself would be cut into ever smaller boxes.


@compiled
def nearest_to(g: Array, u: Array, h: Array, out: Array) -> None:
    """Write the box's point nearest to the ray of g: ``clip(g / g_f)``, or u0 if ``g_f <= 0``.

    If nothing is clipped it maximises ``g . u / ||u||``.
    """
    face = 0
    while h[face] > 0.0 or u[face] != 1.0:
        face += 1
    for k in range(u.size):
        out[k] = u[k]
        if g[face] > 0.0:
            out[k] = min(max(g[k] / g[face], u[k] - h[k]), u[k] + h[k])


@compiled
def explore(
    Z: Array,
    p: Array,
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

    Boxes below `goal <= target` are dropped, the others written to `out_boxes`: parked between
    goal and target, or unfinished when the work (points looked at) exceeds `max_work`. A direction
    with ``phi > violation, goal`` violates: the search stops there, or else raises goal (and
    target) just above it. `found[0]` receives the best direction and its value, the following rows
    the violations; `tally` the numbers of returned boxes, visited boxes and violations.
    """
    n, d = Z.shape
    room = MAX_DEPTH + bounds.size + 2
    stack, stack_bounds = np.empty((room, 2 * d)), np.empty(room)
    level, count = np.zeros(room, dtype=np.int64), np.zeros(MAX_DEPTH + 2, dtype=np.int64)
    own, fixed = np.empty((MAX_DEPTH + 2, n), dtype=np.int32), np.zeros((MAX_DEPTH + 2, d))
    slope, radius, steps, delta = np.empty(n), np.empty(n), np.empty(n), np.empty(n)
    u, h, g, trial = np.empty(d), np.empty(d), np.empty(d), np.empty(d)
    work = np.empty((5, max(d, 2 ** (min(d, MAX_VERTEX_DIM) - 1))))
    lines = np.empty((d + 1, n))
    for i in range(n):
        steps[i] = 0.0
        delta[i] = (4 * d + 8) * 2.0**-53 * np.sum(np.abs(Z[i]))
        if delta[i] > 0.0 and p[i] != 0.0:
            steps[i] = 2.0 / (abs(p[i]) * np.sum(Z[i] * Z[i]))
            own[0, count[0]] = i
            count[0] += 1
    top = bounds.size
    stack[:top] = boxes
    stack_bounds[:top] = bounds
    n_out, visited, n_found, done = 0, 0, 0, 0
    while top > 0 and done < max_work and n_out + top + 2 < out_bounds.size:
        top -= 1
        depth = level[top]
        u[:], h[:] = stack[top, :d], stack[top, d:]
        visited += 1
        done += count[depth] + 8
        mine, sums = own[depth + 1], fixed[depth + 1]
        sums[:] = fixed[depth]
        m = classify(Z, p, delta, u, h, own[depth], count[depth], mine, sums, slope, radius)
        count[depth + 1] = m
        bound = bound_box(Z, p, steps, u, h, mine, m, sums, slope, radius, target, work, lines, g)
        bound = min(bound, stack_bounds[top])
        if bound <= goal:
            continue
        nearest_to(g, u, h, trial)
        value = value_at(Z, p, mine, m, sums, trial)
        if value > found[0, d]:
            found[0, :d], found[0, d] = trial / length(trial), value
        stop = False
        if value > max(violation, goal):
            n_found = min(n_found + 1, found.shape[0] - 1)
            found[n_found, :d] = trial / length(trial)
            found[n_found, d] = value
            stop = stop_at_violation
            if not stop:
                goal = value * (1.0 + RAISE)
                target = max(target, goal)
        axis = split_axis(Z, p, mine, m, g, u, h, target)
        if stop or axis < 0 or depth >= MAX_DEPTH or bound <= target:
            out_boxes[n_out], out_bounds[n_out] = stack[top], bound
            n_out += 1
            if stop:
                break
            continue
        h[axis] *= 0.5
        for side in range(2):
            stack[top, :d], stack[top, d:] = u, h
            stack[top, axis] += h[axis] if side == 1 else -h[axis]
            stack_bounds[top], level[top] = bound, depth + 1
            top += 1
    out_boxes[n_out : n_out + top] = stack[:top]
    out_bounds[n_out : n_out + top] = stack_bounds[:top]
    tally[0], tally[1], tally[2] = n_out + top, visited, n_found
    return goal
