"""The free function that fits best for an envelope: a slope that is a clipped line.

    min over theta of  sum_i s_i e(y_i, offset_i + (B theta)_i)

The slope of e is that of phi(c_i - (B theta)_i), c = y - offset + mu p and phi' = the line
sign(r) max(|r| - zone, 0) / (mu + softness), clipped to the domain of the dual. Newton's method,
each step followed to the minimum along it, ends after finitely many steps (Li and Swetits, "A
Newton method for convex regression, data smoothing, and quadratic programming with bounded
constraints", 1993, for functions that are piecewise quadratic).
"""

from __future__ import annotations

import numpy as np

from ._clipped_kernels import minimise_clipped
from .checks import Array
from .proximal import ClippedLine


def fit_clipped(
    loss: ClippedLine,
    centre: Array,
    mu: float,
    y: Array,
    s: Array,
    offset: Array,
    B: Array,
    theta: Array,
) -> Array:
    """Return the minimiser theta for the envelope of a loss around `centre`.

    Other arguments as for `affine_fit.fit_smooth`.
    """
    low, high = loss.dual_interval(y)
    found = np.array(theta, dtype=np.float64)
    minimise_clipped(
        np.ascontiguousarray(B),
        np.ascontiguousarray(s),
        y - offset + mu * centre,
        np.ascontiguousarray(low),
        np.ascontiguousarray(high),
        float(loss.zone),
        float(mu + loss.softness),
        found,
    )
    return found
