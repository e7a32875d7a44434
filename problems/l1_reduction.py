"""Reduction of problems with the price |w|_1 of the normals: no rotation, one scale for all.

As in `reductions`, but the axes stay: x' = V^T (x - centre) / a with V the columns of the identity
of the features that vary. A constant feature only shifts biases, and leaving it out of w never
raises |w|_1. All features share the scale a, so that |w'|_1 is |w|_1.
"""

from __future__ import annotations

import numpy as np

from .affine import AffineBasis
from .checks import Array
from .losses import Loss
from .merged_rows import merge_rows
from .reductions import Reduction, mapped

CONSTANT = 8 * np.finfo(np.float64).eps
"""Spread of a constant feature relative to its size, as where `AffineBasis` decides on ranks."""


def reduce_l1(X: Array, y: Array, s: Array, alpha: float, loss: Loss) -> Reduction:
    """Return the reduction of a problem with cost 'l1_norm'.

    In its units sup |eta_q| over |w'|_1 = 1 is that over |w|_1 = 1 divided by x_scale y_scale:
    `Reduction.raise_bound` holds, since rows that differ by delta in length change w.x by at most
    |w|_1 delta.
    """
    merged = merge_rows(X, y, s, loss)
    rows = merged.rows
    centre = AffineBasis.of(rows, merged.mass).centre
    size = np.abs(rows).max(axis=0, initial=0.0)
    varying = np.ptp(rows, axis=0) > CONSTANT * size
    centre = np.where(varying, centre, rows[0])
    centred = rows - centre
    return Reduction(
        **mapped(merged, centred[:, varying], alpha),
        centre=centre,
        basis=None if varying.all() else np.ascontiguousarray(np.eye(len(varying))[:, varying]),
        residual=float(np.linalg.norm(centred[:, ~varying], axis=1).max(initial=0.0)),
    )
