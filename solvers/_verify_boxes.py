r"""Upper bounds of ``sigma eta_j(w)`` over all directions w, by halving boxes, in plain numpy.

``eta_j(w) = 1/2 sum_i q_i |w . z_i|``, ``z_i = x_i - x_j``, is even and homogeneous, so the d faces
``u_f = 1`` of the cube [-1, 1]^d hold a multiple of every direction up to its sign, with
``||u|| >= 1``. On a box ``|u_k - m_k| <= h_k``, with ``c_i = sigma q_i / 2``, ``t_i = m . z_i``,
``r_i = sum_k h_k |z_ik|`` and any slopes ``|e_i| <= 1``,

    c_i > 0:   |u . z_i| <= e_i u . z_i + max(r_i - |t_i| |e_i|, 0)   at e_i = clip(t_i / r_i)
    c_i < 0:  -|u . z_i| <= -e_i u . z_i
    hence     sigma eta_j(u) <= g . u + k,  g = sum_i c_i e_i z_i,  k = sum_{c_i > 0} c_i max(...)

(the first line is the chord over the box, or |.| itself where its sign is fixed). So
``sigma eta_j <= T ||u||`` on the box if ``k + max_u (g - T m / ||m||) . u <= 0``, by
``||u|| >= u . m / ||m||``; and in any case ``sigma eta_j / ||u|| <= ||g|| + k / min ||u||``. The
slopes with ``c_i < 0`` whose sign is open are free; they are chosen to make ||g|| small.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from ..problems.checks import Array

BATCH = 1 << 19
"""Entries (boxes times points) of one step."""
DESCENTS = 12
"""Steps of the descent that chooses the free slopes."""
RAISE = 1e-6
"""How far above a contradiction, relatively, the new level is."""
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


def bound_anchor(Z: Array, c: Array, target: Target, ended: Callable[[], bool]) -> AnchorProof:
    """Return an upper bound of ``max_w sum_i c_i |w . z_i|``, at most the target if time permits.

    Boxes are halved until their bound is at most the target's level, or until `ended` returns
    True; the bound holds in any case.

    Parameters
    ----------
    Z : ndarray of shape (n_samples, rank)
        Differences z_i, with entries of magnitude about 1.
    c : ndarray of shape (n_samples,)
        sigma q_i / 2.
    """
    d = Z.shape[1]
    lengths = np.linalg.norm(Z, axis=1)
    useful = (lengths > 0.0) & (c != 0.0)
    Z, c, lengths = np.ascontiguousarray(Z[useful]), c[useful], lengths[useful]
    cheap = float(np.maximum(c, 0.0) @ lengths) * (1.0 + 1e-12)
    best, direction, visited, closed = 0.0, np.eye(d)[0], 0, 0.0
    if cheap <= target.level:
        return AnchorProof(cheap, best, direction, visited)
    size = max(16, BATCH // max(1, len(Z)))
    stack = [(np.eye(d), 1.0 - np.eye(d), np.full(d, cheap))]
    while stack and not ended():
        middle, half, bounds = stack.pop()
        visited += len(middle)
        level = target.level
        bounds, values = _bound_boxes(Z, c, lengths, middle, half, bounds, level)
        top = int(np.argmax(values))
        if values[top] > best:
            best, direction = float(values[top]), middle[top] / np.linalg.norm(middle[top])
            target.see(best)
        widest = np.argmax(half, axis=1)
        split = (bounds > level) & (half[np.arange(len(half)), widest] > SMALLEST)
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


def _bound_boxes(
    Z: Array, c: Array, lengths: Array, middle: Array, half: Array, bounds: Array, level: float
) -> tuple[Array, Array]:
    """Return bounds of sigma eta_j(w) on boxes (`level` if proved), and values at their middles."""
    t = middle @ Z.T
    size = np.abs(t)
    r = half @ np.abs(Z).T
    norm = np.linalg.norm(middle, axis=1)
    values = (size @ c) / norm
    undecided = r > size
    slopes = np.where(undecided, t, np.sign(t))
    np.divide(t, r, out=slopes, where=undecided)
    constant = np.maximum(r - size * np.abs(slopes), 0.0) @ np.maximum(c, 0.0)
    nearest = np.linalg.norm(np.maximum(np.abs(middle) - half, 0.0), axis=1)
    bounds = bounds.copy()
    rows = np.arange(len(middle))
    free = undecided & (c < 0.0)
    for last in (False, True):
        g = (slopes * c) @ Z
        tilted = g - (level / norm[rows])[:, None] * middle[rows]
        linear = (
            constant[rows]
            + np.einsum("ij,ij->i", tilted, middle[rows])
            + np.einsum("ij,ij->i", np.abs(tilted), half[rows])
        )
        radial = np.linalg.norm(g, axis=1) + constant[rows] / nearest[rows]
        bounds[rows] = np.where(linear <= 0.0, level, np.minimum(bounds[rows], radial))
        left = (bounds[rows] > level) & free.any(axis=1) & (values[rows] <= level)
        if last or not left.any():
            break
        rows, free, slopes = rows[left], free[left], slopes[left]
        slopes = _descend(Z, c, lengths, slopes, free, g[left])
    return bounds, values


def _descend(Z: Array, c: Array, lengths: Array, slopes: Array, free: Array, g: Array) -> Array:
    """Return slopes with a smaller ||g||: projected gradient steps, each with an exact search.

    The step ``e_i + lambda z_i . g / (||z_i|| S)``, ``S = sum over the free of |c_i| ||z_i||``,
    descends for lambda = 1 (diagonal dominance); a longer one usually gets further, and the search
    along it makes every one safe.
    """
    total = np.where(free, np.abs(c) * lengths, 0.0).sum(axis=1)
    rate = np.where(free, 4.0 / lengths, 0.0) / total[:, None]
    for _ in range(DESCENTS):
        change = np.clip(slopes + rate * (g @ Z.T), -1.0, 1.0) - slopes
        move = (change * c) @ Z
        squared = np.einsum("ij,ij->i", move, move)
        along = -np.einsum("ij,ij->i", g, move)
        step = np.clip(np.divide(along, squared, out=np.zeros_like(along), where=squared > 0), 0, 1)
        slopes = slopes + step[:, None] * change
        g = g + step[:, None] * move
    clipped: Array = np.clip(slopes, -1.0, 1.0)
    return clipped
