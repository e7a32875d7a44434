"""Compiled sweep of the great circles w . x_k = 0 in three dimensions, for `sweep`.

The geometry is that of `_sweep_3d_kernels` with the anchor x_0 = 0. Between two crossings of a
circle w(t) = cos t e + sin t f the pattern of the points off its axis is constant, and
``eta(tau w) = tau v . w``, ``v = 1/2 sum_i q_i sign(w . x_i) x_i + tau s / 2`` for tau = +-1: half
circles are enough. In the two cells beside the arc, points on the axis add to v along the axis.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .._sweep_3d_kernels import inside, make_frame, place
from ..oracle import Array
from ..sweep import compiled


@compiled
def sweep_circle(q: Array, half: Array, m: int, points: Array, own: Any, top: Array) -> None:
    """Raise ``top = (|eta|, w)`` to the best on and beside a circle, in its frame.

    `half` is s / 2 in the frame; `points` and `own` are those of `place`.
    """
    order = np.argsort(points[4, :m])
    g = np.empty(3)
    across, along, gx, gy = 0.0, 0.0, 0.0, 0.0
    for b in range(m, q.size):
        across += 0.5 * q[own[b]] * abs(points[2, b])
    for b in range(m):
        c = 0.5 * q[own[b]]
        gx += c * points[0, b]
        gy += c * points[1, b]
        along += c * points[2, b]
    for arc in range(max(m, 1)):
        if m > 0:
            i = order[arc]
            x, y, norm = points[0, i], points[1, i], math.hypot(points[0, i], points[1, i])
            for tau in (-1.0, 1.0):
                value = ((gy + tau * half[1]) * x - (gx + tau * half[0]) * y) / norm
                if abs(value) > top[0]:
                    top[0], top[1], top[2], top[3] = (
                        abs(value),
                        -tau * y / norm,
                        tau * x / norm,
                        0.0,
                    )
            c = q[own[i]]
            gx -= c * x
            gy -= c * y
            along -= c * points[2, i]
            # The arc ends at the next crossing; the last one where the first point leaves.
            e = order[arc + 1] if arc + 1 < m else order[0]
            turn = 1.0 if arc + 1 < m else -1.0
        for tau in (-1.0, 1.0):
            vx, vy = gx + tau * half[0], gy + tau * half[1]
            flat = vx * vx + vy * vy
            if m > 0 and flat > top[0] * top[0]:
                enters = -y * vy - x * vx
                leaves = turn * (vx * points[0, e] + vy * points[1, e])
                if enters * leaves >= 0.0:
                    norm = math.sqrt(flat)
                    sign = tau if enters > 0.0 or leaves > 0.0 else -tau
                    top[0], top[1], top[2], top[3] = norm, sign * vx / norm, sign * vy / norm, 0.0
            for edge in (-1.0, 1.0):
                vz = along + tau * half[2] + edge * across
                square = flat + vz * vz
                # The sign that puts sign v on this edge's side of the circle.
                sign = edge if vz >= 0.0 else -edge
                if square > top[0] * top[0]:
                    g[0], g[1], g[2] = sign * vx, sign * vy, sign * vz
                    if inside(points, order, arc, 0.0, g):
                        top[0] = math.sqrt(square)
                        top[1:4] = g * (tau / top[0])


@compiled
def sweep_circles(
    X: Array, q: Array, s: Array, first: int, last: int, floor: float, best: Array
) -> int:
    """Write (|eta|, w) of the best above `floor` on and beside the circles of x_k, k >= 1.

    Row 0 of X is the origin, q_0 = 0.
    """
    n = X.shape[0]
    points, own = np.empty((5, n)), np.empty(n, dtype=np.int64)
    frame, top, half = np.empty((3, 3)), np.empty(4), np.empty(3)
    visited = 0
    for k in range(first, last):
        top[:] = 0.0
        top[0] = floor
        length = make_frame(X[k], frame)
        m = place(X, 0, k, frame, length, points, own)
        for axis in range(3):
            row = frame[axis]
            half[axis] = 0.5 * (row[0] * s[0] + row[1] * s[1] + row[2] * s[2])
        sweep_circle(q, half, m, points, own, top)
        visited += 8 * m + 4
        if top[0] > floor:
            best[k, 0] = top[0]
            for axis in range(3):
                best[k, 1 + axis] = (
                    top[1] * frame[0, axis] + top[2] * frame[1, axis] + top[3] * frame[2, axis]
                )
    return visited
