"""Reduction of problems with the price |w|_1 of the normals: no rotation, one scale for all.

As in `reductions`, but the axes stay: x' = V^T (x - centre) / a with V the columns of the identity
of the features that vary. A constant feature only shifts biases, and leaving it out of w never
raises |w|_1. All features share the scale a, so that |w'|_1 is |w|_1.
"""

from __future__ import annotations

import numpy as np

from .affine import AffineBasis, fit_affine
from .checks import Array
from .losses import Loss
from .reductions import Reduction, merge_rows, power_of_two, scale_of

CONSTANT = 8 * np.finfo(np.float64).eps
"""Spread of a constant feature relative to its size, as where `AffineBasis` decides on ranks."""


def reduce_l1(X: Array, y: Array, s: Array, alpha: float, loss: Loss) -> Reduction:
    """Return the reduction of a problem with cost 'l1_norm'.

    In its units sup |eta_q| over |w'|_1 = 1 is that over |w|_1 = 1 divided by x_scale y_scale:
    `Reduction.raise_bound` holds, since rows that differ by delta in length change w.x by at most
    |w|_1 delta.
    """
    live = s > 0
    coef, intercept = np.zeros(X.shape[1]), 0.0
    if loss.translates:
        coef, intercept = fit_affine(AffineBasis.of(X[live], s[live]), y[live], s[live])
    rest = y[live] - (X[live] @ coef + intercept)
    merged = merge_rows(X, rest, s, loss)
    rows = merged.rows
    n_rows = len(merged.s)
    points = np.arange(n_rows) if merged.points is None else merged.points
    mass = np.asarray(np.bincount(points, weights=merged.s), dtype=np.float64)
    centre = AffineBasis.of(rows, mass).centre
    size = np.abs(rows).max(axis=0, initial=0.0)
    varying = np.ptp(rows, axis=0) > CONSTANT * size
    centre = np.where(varying, centre, rows[0])
    centred = rows - centre
    reduced = centred[:, varying]
    x_scale, y_scale, constant = scale_of(reduced), 1.0, 0.0
    if loss.quadratic:
        y_scale = power_of_two(float(np.sqrt(merged.s @ (merged.y * merged.y))))
        constant = merged.constant
    return Reduction(
        X=np.ascontiguousarray(reduced / x_scale),
        y=merged.y / y_scale,
        s=merged.s,
        points=merged.points,
        alpha=alpha / (x_scale * y_scale),
        groups=merged.groups,
        centre=centre,
        basis=None if varying.all() else np.ascontiguousarray(np.eye(len(varying))[:, varying]),
        x_scale=x_scale,
        y_scale=y_scale,
        coef=coef,
        intercept=intercept,
        residual=float(np.linalg.norm(centred[:, ~varying], axis=1).max(initial=0.0)),
        constant=constant,
    )
