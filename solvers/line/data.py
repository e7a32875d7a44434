"""Rows of a problem in one dimension, gathered at distinct sorted points."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...problems.checks import Array, as_float_array
from ...problems.losses import Loss
from .._circle_kernels import Ints


@dataclass(frozen=True, eq=False)
class LineData:
    """Rows sorted by x, and the distinct points that they share.

    Attributes
    ----------
    x : ndarray of shape (n_points,)
        Distinct, ascending.
    y, s : ndarray of shape (n_rows,)
        Targets less ``slope x + level``, and weights, row after row of the points. Rows of a
        squared loss are merged: one row per point, with the weighted mean and the sum of weights.
    first : ndarray of shape (n_points,)
        First row of each point.
    point : ndarray of shape (n_rows,)
        Point of each row.
    order : ndarray of shape (n,)
        What sorts the rows that were passed.
    share, offset : ndarray of shape (n,)
        A dual point of the merged rows is, before merging, ``share q + offset``:
        ``s_i / S`` and ``s_i (y_i - mean)``; 1 and 0 where nothing was merged. Sorted.
    new_point : ndarray of bool, shape (n,)
        Whether a sorted row is the first of its point.
    slope, level : float
        The affine function taken out of y, 0 unless the loss allows it.
    constant : float
        ``sum_i s_i (y_i - mean at x_i)^2 / 2``, what merging took out of the objective.
    """

    x: Array
    y: Array
    s: Array
    first: Ints
    point: Ints
    order: Ints
    share: Array
    offset: Array
    new_point: np.ndarray
    slope: float
    level: float
    constant: float

    @property
    def merged(self) -> bool:
        """Whether every point has exactly one row."""
        return len(self.y) == len(self.x)

    def sums(self, rows: Array) -> Array:
        """Return the sums over the rows of each point."""
        return (
            rows if self.merged else np.asarray(np.add.reduceat(rows, self.first), dtype=np.float64)
        )

    def at_rows(self, points: Array) -> Array:
        """Return the values at the points of the rows."""
        return points if self.merged else np.asarray(points[self.point], dtype=np.float64)

    def as_passed(self, rows: Array) -> Array:
        """Return a dual point of the rows in the order in which they were passed, not merged."""
        spread = rows
        if len(self.order) != len(rows):
            spread = rows[np.cumsum(self.new_point) - 1]
        out = np.empty(len(self.order))
        out[self.order] = self.share * spread + self.offset
        return out

    @property
    def affine(self) -> Array:
        """The function taken out of y, at the points."""
        values: Array = self.slope * (self.x - self.x[0]) + self.level
        return values


def affine_fit(x: Array, y: Array, s: Array) -> tuple[float, float]:
    """Return slope and value at x_0 of the weighted least-squares line, slope 0 for one point."""
    total = float(s.sum())
    t = x - x[0]
    centre, mean = float(s @ t) / total, float(s @ y) / total
    t = t - centre
    spread = float(s @ (t * t))
    slope = float(s @ (t * (y - mean))) / spread if spread > 0.0 else 0.0
    return slope, mean - slope * centre


def gather(x: Array, y: Array, s: Array, loss: Loss | None) -> LineData:
    """Return the rows at distinct points; without a loss targets stay as they are.

    Raises
    ------
    TypeError, ValueError
        If an array is not finite, shapes disagree, or a weight is not positive.
    """
    x, y, s = (
        as_float_array(name, np.ravel(value) if np.ndim(value) == 2 else value, ndim=1)
        for name, value in (("x", x), ("y", y), ("s", s))
    )
    if not (len(x) == len(y) == len(s)) or len(x) == 0:
        raise ValueError(
            f"x, y and s have {len(x)}, {len(y)} and {len(s)} entries; pass arrays of one length, "
            "with at least one row."
        )
    if not s.min() > 0.0:
        i = int(np.argmin(s))
        raise ValueError(f"s[{i}] is {s[i]:.6g}; drop rows whose weight is not positive.")
    if loss is not None:
        loss.check_targets(y)
    order = np.argsort(x, kind="stable")
    x, y, s = x[order] + 0.0, y[order], s[order]
    new = np.append(True, x[1:] > x[:-1])
    first, point = np.flatnonzero(new), np.cumsum(new) - 1
    share, offset = np.ones(len(x)), np.zeros(len(x))
    constant, points = 0.0, x[first]
    if loss is not None and loss.quadratic and len(first) < len(x):
        weight = np.add.reduceat(s, first)
        # Relative to the first target of each point, so that large means do not cancel.
        away = y - y[first][point]
        mean = np.add.reduceat(s * away, first) / weight
        away = away - mean[point]
        constant = 0.5 * float(s @ away**2)
        share, offset = s / weight[point], s * away
        y, s = y[first] + mean, weight
        first = point = np.arange(len(y))
    slope = level = 0.0
    if loss is not None and loss.translates and len(points) > 0:
        slope, level = affine_fit(points[point], y, s)
        y = y - (slope * (points[point] - points[0]) + level)
    return LineData(points, y, s, first, point, order, share, offset, new, slope, level, constant)
