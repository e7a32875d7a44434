"""Compiled sweep of the circles of planes through two points, for `sweep_3d`.

Planes through x_j and x_k have the normals w(t) = cos t e + sin t f in a frame (e, f, a) with
``a = (x_k - x_j) / ||x_k - x_j||``. The coordinates of ``z_i = x_i - x_j`` and of gradients are
those of the frame.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .oracle import Array
from .sweep import compiled

LOOSE = 1e-2
"""Sine of the angle at x_j below which x_j, x_k, x_i need twice the precision."""
ON_AXIS = 2.0**-56
"""Sine below which the three points count as collinear."""


@compiled
def product(a: float, b: float) -> tuple[float, float]:
    """Return ``a b`` and its rounding error, exactly (Dekker, 1971)."""
    s, t = 134217729.0 * a, 134217729.0 * b
    ah, bh = s - (s - a), t - (t - b)
    al, bl = a - ah, b - bh
    p = a * b
    return p, ((ah * bh - p) + ah * bl + al * bh) + al * bl


@compiled
def difference(a: float, b: float) -> tuple[float, float]:
    """Return ``a - b`` and its rounding error, exactly (Knuth)."""
    d = a - b
    t = d - a
    return d, (a - (d - t)) - (b + t)


@compiled
def cross(X: Array, j: int, k: int, i: int, out: Array) -> None:
    """Write ``(x_k - x_j) x (x_i - x_j)`` with an error of about 2^-100 of its terms."""
    for axis in range(3):
        m, n = (axis + 1) % 3, (axis + 2) % 3
        a, al = difference(X[k, m], X[j, m])
        b, bl = difference(X[i, n], X[j, n])
        c, cl = difference(X[k, n], X[j, n])
        d, dl = difference(X[i, m], X[j, m])
        p, pl = product(a, b)
        r, rl = product(c, d)
        s, sl = difference(p, r)
        out[axis] = s + (sl + ((pl + (a * bl + al * b)) - (rl + (c * dl + cl * d))))


@compiled
def make_frame(z: Array, frame: Array) -> float:
    """Write an orthonormal frame whose third row is ``z / ||z||``; return ``||z||``."""
    length = math.sqrt(z[0] * z[0] + z[1] * z[1] + z[2] * z[2])
    e, f, a = frame[0], frame[1], frame[2]
    low = 0
    for m in range(3):
        a[m] = z[m] / length
        if abs(a[m]) < abs(a[low]):
            low = m
    m, n = (low + 1) % 3, (low + 2) % 3
    size = math.hypot(a[m], a[n])
    e[low], e[m], e[n] = 0.0, -a[n] / size, a[m] / size
    for m in range(3):
        f[m] = a[(m + 1) % 3] * e[(m + 2) % 3] - a[(m + 2) % 3] * e[(m + 1) % 3]
    return length


@compiled
def place(X: Array, j: int, k: int, frame: Array, length: float, points: Array, own: Any) -> int:
    """Write the points off the axis in the frame, turned into the upper half plane; return m.

    The rows of `points` are the two coordinates across and the one along the axis, the turn +-1,
    and a key that sorts by angle. `own` lists the m points, then those on the axis.
    """
    n = X.shape[0]
    z, c = np.empty(3), np.empty(3)
    e, f, a = frame[0], frame[1], frame[2]
    m, rest = 0, n
    for i in range(n):
        for axis in range(3):
            z[axis] = X[i, axis] - X[j, axis]
        x = e[0] * z[0] + e[1] * z[1] + e[2] * z[2]
        y = f[0] * z[0] + f[1] * z[1] + f[2] * z[2]
        s = a[0] * z[0] + a[1] * z[1] + a[2] * z[2]
        if x * x + y * y <= LOOSE * LOOSE * s * s:
            cross(X, j, k, i, c)
            x = (f[0] * c[0] + f[1] * c[1] + f[2] * c[2]) / length
            y = -(e[0] * c[0] + e[1] * c[1] + e[2] * c[2]) / length
            if math.hypot(x, y) <= ON_AXIS * abs(s):
                rest -= 1
                own[rest], points[2, rest] = i, s
                continue
        turn = 1.0
        if y < 0.0 or (y == 0.0 and x < 0.0):
            x, y, s, turn = -x, -y, -s, -1.0
        points[0, m], points[1, m], points[2, m], points[3, m] = x, y, s, turn
        points[4, m] = -x / (abs(x) + y)
        own[m] = i
        m += 1
    return m


@compiled
def inside(points: Array, order: Any, arc: int, shift: float, g: Array) -> bool:
    """Return whether all points are on the side of the plane g that they are on beside the arc.

    Points passed, at positions up to `arc`, are below. Coordinates along the axis are relative to
    x_j, or with ``shift = ||x_k - x_j||`` to x_k.
    """
    m = order.size
    for b in range(m):
        at = arc + b if arc + b < m else arc + b - m
        i = order[at]
        t = g[0] * points[0, i] + g[1] * points[1, i]
        t += g[2] * (points[2, i] - shift * points[3, i])
        if (t if at > arc else -t) < 0.0:
            return False
    return True


@compiled
def sweep_circle(
    q: Array, j: int, k: int, length: float, m: int, points: Array, own: Any, top: Array
) -> None:
    """Raise ``top = (value, w in the frame, anchor)`` to the best beside the circle of j and k."""
    n = q.size
    order = np.argsort(points[4, :m])
    g = np.empty(3)
    # Beside the circle the points on the axis add +-across[0] along it for x_j, for x_k across[1].
    across, along, mass, gx, gy = np.zeros(2), 0.0, 0.0, 0.0, 0.0
    for b in range(m, n):
        i = own[b]
        across[0] += 0.5 * q[i] * abs(points[2, b])
        across[1] += 0.5 * q[i] * abs(points[2, b] - length)
    for b in range(m):
        c = 0.5 * q[own[b]]
        gx += c * points[0, b]
        gy += c * points[1, b]
        along += c * points[2, b]
        mass += c * points[3, b]
    for arc in range(max(m, 1)):
        flat = gx * gx + gy * gy
        if m > 0:
            i = order[arc]
            x, y, c = points[0, i], points[1, i], q[own[i]]
            if flat > top[0] * top[0]:
                norm = math.hypot(x, y)
                value = (gy * x - gx * y) / norm
                if abs(value) > top[0]:
                    top[0], top[1], top[2], top[3], top[4] = abs(value), -y / norm, x / norm, 0.0, j
            gx -= c * x
            gy -= c * y
            along -= c * points[2, i]
            mass -= c * points[3, i]
            flat = gx * gx + gy * gy
            if flat > top[0] * top[0]:
                # The arc ends at the next crossing; the last one where the first point leaves.
                i = order[arc + 1] if arc + 1 < m else order[0]
                turn = 1.0 if arc + 1 < m else -1.0
                enters = -y * gy - x * gx
                leaves = turn * (gx * points[0, i] + gy * points[1, i])
                if (enters >= 0.0 and leaves >= 0.0) or (enters <= 0.0 and leaves <= 0.0):
                    norm = math.sqrt(flat)
                    top[0], top[1], top[2], top[3], top[4] = norm, gx / norm, gy / norm, 0.0, j
        for which in range(2):
            anchor, shift = (k, length) if which == 1 else (j, 0.0)
            sign = -1.0 if q[anchor] > 0.0 else 1.0
            for side in (-1.0, 1.0):
                height = along - shift * mass + side * across[which]
                square = flat + height * height
                if square > top[0] * top[0] and side * sign * height >= 0.0:
                    g[0], g[1], g[2] = sign * gx, sign * gy, sign * height
                    if inside(points, order, arc, shift, g):
                        norm = math.sqrt(square)
                        top[0], top[4] = norm, anchor
                        top[1:4] = g / norm


@compiled
def sweep_anchors(X: Array, q: Array, first: int, last: int, floor: float, best: Array) -> int:
    """Write (value, w, anchor) of the best plane above `floor` through x_j and some x_k, k > j."""
    n = X.shape[0]
    points, own = np.empty((5, n)), np.empty(n, dtype=np.int64)
    frame, top = np.empty((3, 3)), np.empty(5)
    visited = 0
    for j in range(first, last):
        top[:] = 0.0
        top[0] = floor
        for k in range(j + 1, n):
            z = X[k] - X[j]
            if z[0] == 0.0 and z[1] == 0.0 and z[2] == 0.0:
                continue
            length = make_frame(z, frame)
            m = place(X, j, k, frame, length, points, own)
            before = top[0]
            sweep_circle(q, j, k, length, m, points, own, top)
            visited += 6 * m
            if top[0] > before:
                best[j, 0], best[j, 4] = top[0], top[4]
                for axis in range(3):
                    best[j, 1 + axis] = (
                        top[1] * frame[0, axis] + top[2] * frame[1, axis] + top[3] * frame[2, axis]
                    )
    return visited
