"""Cholesky factors straight from LAPACK: for small systems the checks of scipy cost more."""

from __future__ import annotations

import numpy as np
from scipy.linalg.lapack import dpotrf, dpotrs

from ..problems.checks import Array


def factorise(matrix: Array, ridge: float) -> Array:
    """Return the lower Cholesky factor of the symmetric `matrix` + ridge I.

    The ridge grows tenfold until the matrix is numerically positive definite.

    Raises
    ------
    numpy.linalg.LinAlgError
        The matrix is far from positive semidefinite, or not finite.
    """
    size = float(np.abs(np.diag(matrix)).max(initial=0.0))
    while True:
        shifted = np.array(matrix)
        shifted[np.diag_indices_from(shifted)] += ridge
        # The transpose of a symmetric array is the same array in LAPACK's order.
        factor, failed = dpotrf(shifted.T, lower=1, clean=0, overwrite_a=1)
        if not failed:
            return np.asarray(factor)
        if not ridge <= 1e3 * size:
            raise np.linalg.LinAlgError("matrix is not positive semidefinite")
        ridge = 10.0 * ridge if ridge > 0 else 1e-16 * size


def solve(factor: Array, right: Array) -> Array:
    """Return the solution of the system with the lower factor, for one or several right sides."""
    return np.asarray(dpotrs(factor, right, lower=1)[0])
