r"""Upper bounds of ``sigma eta_j(w)`` over all directions w, by halving boxes, in plain numpy.

``eta_j(w) = 1/2 sum_i q_i |w . z_i|``, ``z_i = x_i - x_j``, is even and homogeneous, so the d faces
``u_f = 1`` of the cube [-1, 1]^d hold a multiple of every direction up to its sign, with
``||u|| >= 1``. (A linear term ``l . u`` may be added; then u and -u are two cases.) On a box
``|u_k - m_k| <= h_k``, with ``c_i = sigma q_i / 2``, ``t_i = m . z_i``,
``r_i = sum_k h_k |z_ik|`` and any slopes ``|e_i| <= 1``,

    c_i > 0:   |u . z_i| <= e_i u . z_i + max(r_i - |t_i| |e_i|, 0)   at e_i = clip(t_i / r_i)
    c_i < 0:  -|u . z_i| <= -e_i u . z_i
    hence     sigma eta_j(u) <= g . u + k,  g = sum_i c_i e_i z_i,  k = sum_{c_i > 0} c_i max(...)

(the first line is the chord over the box, or |.| itself where its sign is fixed). So
``sigma eta_j <= T ||u||`` on the box if ``k + max_u (g - T v) . u <= 0``, where ``||u|| >= u . v``,
as by ``v = m / ||m||``; and in any case ``sigma eta_j / ||u|| <= ||g|| + k / min ||u||``. The
slopes with ``c_i < 0`` whose sign is open are free; they are chosen to make ||g|| small.

With the norm ``sum_k |u_k|`` in place of the Euclidean one, ``-T ||u||`` is a sum over d more
points, the unit vectors with ``c = -T``, and v = 0. There maxima may fill edges of cells, on which
only slopes with g near 0 prove anything.

Last, in few dimensions, the convex terms ``c_i > 0`` are taken as they are: with the others
replaced by ``c_i e_i u . z_i`` the sum is largest at a vertex of the box.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import product
from typing import NamedTuple

import numpy as np

from ...problems.checks import Array

BATCH = 1 << 19
"""Entries (boxes times points) of one step."""
DESCENTS = 12
"""Steps of the descent that chooses the free slopes."""
RAISE = 1e-6
"""How far above a contradiction, relatively, the new level is."""
LIGHT = 1e-3
"""Least share of an axis in the choice which one is cut."""
MOST_AXES = 5
"""Axes up to which the vertices of boxes are visited."""
CLOSED = 1e-12
"""How far above the level, relatively, a bound may be where the level is proved."""
SMALLEST = 1e-15
"""Half width of a box that is not halved any more."""


class AnchorProof(NamedTuple):
    """Upper bound of sigma eta_j, the largest value seen and where, and the boxes visited."""

    bound: float
    attained: float
    direction: Array
    n_boxes: int


class Target:
    """What boxes are to prove: `level`, raised when the value in a direction exceeds it.

    Parameters
    ----------
    level : float
    margin : float
        Accuracy of the values. A level exceeded by 2 margins is given up for good, and the new one
        lies `RAISE` above the value; else it lies half a margin above.
    """

    def __init__(self, level: float, margin: float) -> None:
        self.level, self.margin, self.violation = level, margin, level + 2.0 * margin

    def see(self, value: float) -> None:
        """Raise the level if the value exceeds it: boxes around it could be halved without end."""
        if value > self.level:
            far = value > self.violation
            self.level = value + max(RAISE * value if far else 0.0, 0.5 * self.margin)

    def times(self, ratio: float) -> Target:
        """Return a target with another level, relative to this one."""
        return Target(ratio * self.level, self.margin)


def bound_anchor(
    Z: Array,
    c: Array,
    target: Target,
    ended: Callable[[], bool],
    *,
    by_sum: bool = False,
    linear: Array | None = None,
) -> AnchorProof:
    """Return an upper bound of ``max sum_i c_i |u . z_i| + linear . u`` over ||u|| = 1.

    Boxes are halved until their bound is at most the target's level, or until `ended` returns
    True; the bound holds in any case. With a linear term only the half sphere of those u is
    searched whose entry of largest size is positive.

    Parameters
    ----------
    Z : ndarray of shape (n_samples, rank)
        Differences z_i, with entries of magnitude about 1.
    c : ndarray of shape (n_samples,)
        sigma q_i / 2.
    by_sum : bool, default=False
        Whether ||u|| is sum_k |u_k|.
    linear : ndarray of shape (rank,), default=None
    """
    d = Z.shape[1]
    linear = np.zeros(d) if linear is None else linear
    lengths = np.linalg.norm(Z, axis=1)
    useful = (lengths > 0.0) & (c != 0.0)
    Z, c, lengths = np.ascontiguousarray(Z[useful]), c[useful], lengths[useful]
    anchor = Anchor(Z, c, lengths, linear, by_sum)
    cheap = float(np.maximum(c, 0.0) @ lengths) + float(np.linalg.norm(linear))
    cheap *= 1.0 + 1e-12
    weight = np.abs(c) @ np.abs(Z)
    weight = np.maximum(weight, LIGHT * float(weight.max(initial=1.0)))
    best, direction, visited, closed = 0.0, np.eye(d)[0], 0, 0.0
    if cheap <= target.level:
        return AnchorProof(cheap, best, direction, visited)
    size = max(16, BATCH // max(1, len(Z)))
    stack = [(np.eye(d), 1.0 - np.eye(d), np.full(d, cheap))]
    while stack and not ended():
        middle, half, bounds = stack.pop()
        visited += len(middle)
        level = target.level
        bounds, values = anchor.bound_boxes(middle, half, bounds, level)
        top = int(np.argmax(values))
        if values[top] > best:
            best, direction = float(values[top]), middle[top] / np.linalg.norm(middle[top])
            target.see(best)
        widest = np.argmax(half * weight, axis=1)
        split = (bounds > level * (1.0 + CLOSED)) & (half[np.arange(len(half)), widest] > SMALLEST)
        closed = max(closed, float(np.max(bounds, initial=0.0, where=~split)))
        children = _halve(middle[split], half[split], widest[split], bounds[split])
        for first in range(0, len(children[2]), size):
            part = slice(first, first + size)
            stack.append((children[0][part], children[1][part], children[2][part]))
    left = max((float(bounds.max()) for _, _, bounds in stack), default=0.0)
    return AnchorProof(min(max(closed, left), cheap), best, direction, visited)


def _halve(middle: Array, half: Array, axis: Array, bounds: Array) -> tuple[Array, Array, Array]:
    """Return both halves of every box, cut across the given axis, with the bound of the whole."""
    rows = np.arange(len(middle))
    half = half.copy()
    half[rows, axis] *= 0.5
    step = np.zeros_like(middle)
    step[rows, axis] = half[rows, axis]
    return (
        np.concatenate([middle - step, middle + step]),
        np.concatenate([half, half]),
        np.concatenate([bounds, bounds]),
    )


class Anchor(NamedTuple):
    """Points around an anchor: bounds of ``sum_i c_i |u . z_i| + linear . u`` on boxes."""

    Z: Array
    c: Array
    lengths: Array
    linear: Array
    by_sum: bool = False

    def bound_boxes(
        self, middle: Array, half: Array, bounds: Array, level: float
    ) -> tuple[Array, Array]:
        """Return bounds of the value over ||u|| (`level` if proved), and values at the middles."""
        around = self.priced(level) if self.by_sum else self
        t = middle @ around.Z.T
        size = np.abs(t)
        values = (size[:, : len(self.c)] @ self.c + middle @ self.linear) / self.length(middle)
        r = half @ np.abs(around.Z).T
        undecided = r > size
        slopes = np.where(undecided, t, np.sign(t))
        np.divide(t, r, out=slopes, where=undecided)
        constant = np.maximum(r - size * np.abs(slopes), 0.0) @ np.maximum(around.c, 0.0)
        nearest = self.length(np.maximum(np.abs(middle) - half, 0.0))
        bounds = bounds.copy()
        rows = np.arange(len(middle))
        free = undecided & (around.c < 0.0)
        for last in (False, True):
            g = (slopes * around.c) @ around.Z + self.linear
            boxes = middle[rows], half[rows], constant[rows], nearest[rows]
            bounds[rows] = np.minimum(bounds[rows], around.bounds(g, *boxes, level))
            left = (bounds[rows] > level * (1.0 + CLOSED)) & free.any(axis=1)
            left &= values[rows] <= level
            rows, free, slopes = rows[left], free[left], slopes[left]
            if not last:
                slopes = around.descend(slopes, free, g[left])
        if middle.shape[1] <= MOST_AXES:
            found = around.bounds_at_vertices(
                middle[rows], half[rows], slopes, nearest[rows], level
            )
            bounds[rows] = np.minimum(bounds[rows], found)
        return bounds, values

    def priced(self, level: float) -> Anchor:
        """Return the points with those that stand for ``-level sum_k |u_k|``."""
        d = self.Z.shape[1]
        return Anchor(
            np.concatenate([self.Z, np.eye(d)]),
            np.append(self.c, np.full(d, -level)),
            np.append(self.lengths, np.ones(d)),
            self.linear,
            True,
        )

    def length(self, rows: Array) -> Array:
        """Return ||u||."""
        if self.by_sum:
            return np.asarray(np.abs(rows).sum(axis=1))
        return np.asarray(np.sqrt(np.einsum("ij,ij->i", rows, rows)))

    def bounds(
        self, g: Array, middle: Array, half: Array, constant: Array, nearest: Array, level: float
    ) -> Array:
        """Return bounds on boxes where the value is at most ``g . u + constant``."""
        lowered = g if self.by_sum else g - level * middle / self.length(middle)[:, None]
        highest = constant + np.einsum("ij,ij->i", lowered, middle)
        highest += np.einsum("ij,ij->i", np.abs(lowered), half)
        found: Array = level + np.maximum(highest, 0.0) / nearest
        return found if self.by_sum else np.minimum(found, self.length(g) + constant / nearest)

    def bounds_at_vertices(
        self, middle: Array, half: Array, slopes: Array, nearest: Array, level: float
    ) -> Array:
        """Return bounds on boxes where |.| itself stands in place of its chords.

        With the other points replaced by linear functions the sum is convex, and largest at a
        vertex of the box.
        """
        up = self.c > 0.0
        linear = (slopes[:, ~up] * self.c[~up]) @ self.Z[~up] + self.linear
        if not self.by_sum:
            linear -= level * middle / self.length(middle)[:, None]
        highest = np.full(len(middle), -np.inf)
        for signs in product((-1.0, 1.0), repeat=middle.shape[1]):
            vertex = middle + half * np.array(signs)
            value = np.abs(vertex @ self.Z[up].T) @ self.c[up]
            highest = np.maximum(highest, value + np.einsum("ij,ij->i", linear, vertex))
        found: Array = level + np.maximum(highest, 0.0) / nearest
        return found

    def descend(self, slopes: Array, free: np.ndarray, g: Array) -> Array:
        """Return slopes with a smaller ||g||: projected gradient steps, each with an exact search.

        The step ``e_i + lambda z_i . g / (||z_i|| S)``, ``S = sum over the free of |c_i| ||z_i||``,
        descends for lambda = 1 (diagonal dominance); a longer one usually gets further, and the
        search along it makes every one safe.
        """
        Z, c, lengths = self.Z, self.c, self.lengths
        total = np.where(free, np.abs(c) * lengths, 0.0).sum(axis=1)
        rate = np.where(free, 4.0 / lengths, 0.0) / total[:, None]
        for _ in range(DESCENTS):
            change = np.clip(slopes + rate * (g @ Z.T), -1.0, 1.0) - slopes
            move = (change * c) @ Z
            squared = np.einsum("ij,ij->i", move, move)
            along = -np.einsum("ij,ij->i", g, move)
            step = np.divide(along, squared, out=np.zeros_like(along), where=squared > 0)
            step = np.clip(step, 0, 1)
            slopes = slopes + step[:, None] * change
            g = g + step[:, None] * move
        clipped: Array = np.clip(slopes, -1.0, 1.0)
        return clipped
