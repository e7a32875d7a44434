"""Rows on one line through the origin, put together: boxes cannot tell them apart.

``1/2 sum_i q_i |w . x_i|`` depends on the rows of one line through ``sum_i q_i ||x_i||`` only. If
weights of both signs were kept apart, the bound of a box that the line's circle cuts would exceed
the maximum by a part of the box's width, however small the box: boxes would never end there. Near
lines are almost as bad; they are put together where the error that this makes can be afforded.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...problems.rounding import UNIT_ROUNDOFF
from ..oracle import Array
from .rows import size_of

TOLERANCES = (1e-4, 1e-6, 1e-8, 1e-12)
"""Distances of unit rows that may count as one line; the last one always does."""


@dataclass(frozen=True, eq=False)
class Lines:
    """``|eta(w) - (1/2 sum_l weights_l |w . units_l| + 1/2 w . total)| <= moved`` for unit w.

    Attributes
    ----------
    units : ndarray of shape (n_lines, p)
        Unit vectors on the lines.
    weights : ndarray of shape (n_lines,)
        ``sum_i q_i ||x_i||`` over the rows of a line.
    total : ndarray of shape (p,)
        ``sum_i q_i x_i``.
    moved : float
        ``1/2 sum_i |q_i| ||x_i|| ||u_i - u_l||`` and rounding.
    """

    units: Array
    weights: Array
    total: Array
    moved: float


def affordable_lines(X: Array, q: Array, error: float) -> Lines:
    """Return the coarsest lines with ``moved <= error``, or else the finest."""
    for tolerance in TOLERANCES[:-1] if error > 0.0 else ():
        lines = gather_lines(X, q, tolerance)
        if lines.moved <= error:
            return lines
    return gather_lines(X, q, TOLERANCES[-1])


def gather_lines(X: Array, q: Array, tolerance: float) -> Lines:
    """Return the lines of nonzero rows, in O(n log n) unless many rows are nearly parallel.

    Parameters
    ----------
    X : ndarray of shape (n_samples, p)
        Nonzero scaled rows.
    q : ndarray of shape (n_samples,)
        Weights.
    tolerance : float
        Largest difference of coordinates of unit rows on one line.
    """
    n, p = X.shape
    norms = np.linalg.norm(X, axis=1)
    units = X / norms[:, None]
    # Equal rows have equal products with a generic vector, opposite ones opposite products.
    along = units @ np.random.default_rng(0).standard_normal(p)
    units = np.where(along[:, None] < 0.0, -units, units)
    along = np.abs(along)
    order = np.argsort(along, kind="stable")
    window = 8.0 * p * tolerance
    owner, leaders = np.empty(n, dtype=np.int64), list[int]()
    for i in order:
        owner[i] = i
        for j in reversed(leaders):
            if along[i] - along[j] > window:
                break
            if np.abs(units[i] - units[j]).max() <= tolerance:
                owner[i] = j
                break
        if owner[i] == i:
            leaders.append(int(i))
    mass = q * norms
    weights = np.zeros(n)
    np.add.at(weights, owner, mass)
    weights = weights[leaders]
    # Unit rows, their norms and sums are rounded: p + 8 times for each row.
    rounding = (n + p + 8) * UNIT_ROUNDOFF * size_of(X, q)
    moved = 0.5 * float(np.abs(mass) @ np.linalg.norm(units - units[owner], axis=1)) + rounding
    return Lines(np.ascontiguousarray(units[leaders]), weights, q @ X, moved)
