"""Rows that are left of the data: those of positive weight, equal ones merged, targets scaled."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from .affine import AffineBasis, fit_affine
from .checks import Array
from .losses import Loss


class MergedRows(NamedTuple):
    """Distinct rows, the targets and weights that are left, and who belongs to whom.

    The targets are y = (y_i - coef.x_i - intercept) / y_scale. `points` holds the row of each
    target, None if there is one for each in order; `groups` the target of each original row, -1
    without weight; `constant` what merging targets took out of the objective.
    """

    rows: Array
    y: Array
    s: Array
    points: np.ndarray | None
    groups: np.ndarray
    constant: float
    coef: Array
    intercept: float
    y_scale: float

    @property
    def mass(self) -> Array:
        """Sum of the weights of each row."""
        if self.points is None:
            return self.s
        return np.bincount(self.points, weights=self.s).astype(np.float64)


def merge_rows(
    X: Array, y: Array, s: Array, loss: Loss, *, rows: Array | None = None, affine: bool = True
) -> MergedRows:
    """Return the distinct rows with s > 0 and their targets.

    Targets lose their affine part, before rows are averaged, if the loss depends on y - z and
    affine functions are free. With the squared loss rows that agree share their weighted mean,
    which costs `constant`, and targets are divided by a power of two.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_features)
    y, s : ndarray of shape (n_samples,)
    loss : Loss
    rows : ndarray of shape (n_samples, size), optional
        Coordinates to merge in place of X.
    affine : bool, default=True
        Whether affine functions are free.
    """
    live = s > 0
    coef, intercept = np.zeros(X.shape[1]), 0.0
    if loss.translates and affine:
        coef, intercept = fit_affine(AffineBasis.of(X[live], s[live]), y[live], s[live])
    rest = y[live] - (X[live] @ coef + intercept)
    seen = (X if rows is None else rows)[live] + 0.0
    if seen.shape[1] == 1:
        values, inverse = np.unique(seen[:, 0], return_inverse=True)
        distinct = values[:, None]
    else:
        distinct, inverse = np.unique(seen, axis=0, return_inverse=True)
    inverse = inverse.reshape(-1)
    groups = np.full(len(X), -1, dtype=np.intp)
    if not (loss.quadratic or len(distinct) == len(rest)):
        groups[live] = np.arange(len(rest))
        share = s[live] / s[live].sum()
        return MergedRows(distinct, rest, share, inverse, groups, 0.0, coef, intercept, 1.0)
    groups[live] = inverse
    mass: Array = np.bincount(inverse, weights=s[live]).astype(np.float64)
    target = np.bincount(inverse, weights=s[live] * rest) / mass
    if len(distinct) == len(rest):
        target[inverse] = rest
    share = mass / mass.sum()
    y_scale, constant = scale_of_targets(target, share, loss), 0.0
    if loss.quadratic:
        constant = 0.5 * float(s[live] @ _squares(rest - target[inverse]))
    scaled = target / y_scale
    return MergedRows(distinct, scaled, share, None, groups, constant, coef, intercept, y_scale)


def scale_of_targets(y: Array, s: Array, loss: Loss) -> float:
    """Return the power of two below the root mean square of y, 1 but for the squared loss.

    Only that one is the same loss in other units.
    """
    return power_of_two(float(np.sqrt(s @ _squares(y)))) if loss.quadratic else 1.0


def scale_of_rows(rows: Array) -> float:
    """Return the power of two below the root mean square of the largest entry per column."""
    if not rows.size:
        return 1.0
    return power_of_two(float(np.sqrt(np.mean(np.max(np.abs(rows), axis=0, initial=0) ** 2))))


def power_of_two(value: float) -> float:
    """Return the power of two nearest to `value` from below, 1 for 0."""
    if value == 0.0 or not np.isfinite(value):
        return 1.0
    return float(2.0 ** np.floor(np.log2(value)))


def _squares(values: Array) -> Array:
    return values * values
