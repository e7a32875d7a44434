r"""Points as a check sees them: differences to one of them, and the affine functions on them.

Nothing here is shared with what makes certificates. Inputs are differences ``x_i - x_ref`` to one
of the points: they are rounded once, wherever the data lie. Bounds of rounding errors are ``count u
times the sum of absolute terms``, ``u = 2^-53``, with counts of operations rounded up generously.
Directions in which the points spread by rounding only (the rank rule of `RadonTVProblem.affine`)
are not directions of A, see `null_space`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...problems.checks import Array
from .null_space import NullSpace, U


@dataclass(frozen=True, eq=False)
class Rows:
    """Points, their affine hull, and the affine functions on them.

    Parameters
    ----------
    reference : ndarray of shape (n_features,)
        x_ref, one of the points; the origin for points that must not be moved.
    X : ndarray of shape (n_points, n_features)
        x_i - x_ref, rounded once.
    span : ndarray of shape (n_features, rank)
        Orthonormal basis of the differences of the points.
    columns, slip : ndarray of shape (n_points, n_features + 1)
        The affine functions 1 and ``(x - x_ref) / unit - mean``, and bounds of their errors.
    unit, mean : ndarray of shape (n_features,)
    maps : ndarray of shape (n_features + 1, rank + 1)
        T of the `NullSpace` of the columns.
    """

    reference: Array
    X: Array
    span: Array
    columns: Array
    slip: Array
    unit: Array
    mean: Array
    maps: Array

    @property
    def rank(self) -> int:
        """Dimension of the affine hull of the points."""
        return int(self.span.shape[1])

    @classmethod
    def of(cls, points: Array, s: Array) -> Rows:
        """Return the rows for points (n, d) with weights s > 0."""
        n, d = points.shape
        centre = points.mean(axis=0)
        reference = points[np.argmin(np.abs(points - centre).max(axis=1))]
        # Constant columns become exact zeros.
        X, largest = points - reference, np.abs(points).max(axis=0)
        spread = np.abs(X).max(axis=0)
        varies = spread > 16 * U * largest
        unit = np.where(varies, 2.0 ** np.floor(np.log2(np.where(varies, spread, 1.0))), np.inf)
        C = X / unit
        mean = s @ C / s.sum()
        root = np.sqrt(s)[:, None]
        sigma, vt = np.linalg.svd(root * (C - mean), full_matrices=False)[1:]
        noise = 16 * U * float(np.linalg.norm(largest[varies] / spread[varies]))
        rank = int((sigma > 8 * max(n, d) * U * sigma[0] + noise).sum())
        maps = np.zeros((d + 1, rank + 1))
        maps[0, 0] = 1.0 / np.sqrt(s.sum())
        maps[1:, 1:] = vt[:rank].T / sigma[:rank]
        span = np.linalg.qr(vt[:rank].T * np.where(varies, unit, 0.0)[:, None])[0]
        columns = np.column_stack([np.ones(n), C - mean])
        slip = np.column_stack([np.zeros(n), 4 * U * (np.abs(C) + np.abs(mean))])
        span = np.eye(d) if rank == d else span
        return cls(reference, X, span, columns, slip, unit, mean, maps)

    def affine(self, s: Array) -> NullSpace:
        """Return the null space of the affine functions, s the weights of `of`."""
        return NullSpace.of_basis(self.columns, self.slip, s, self.maps)

    def coefficients(self, combination: Array) -> tuple[Array, Array]:
        """Return c, c0 of ``columns @ combination`` as the function c.(x - x_ref) + c0."""
        coef = (combination[1:].T / self.unit).T
        return coef, combination[0] - self.mean @ combination[1:]

    def magnitude(self, combination: Array) -> tuple[Array, Array]:
        """Return |c| and a bound of |c0 - c.x_ref| of ``columns @ combination``."""
        coef, constant = self.coefficients(combination)
        return np.abs(coef), np.abs(constant) + np.abs(self.reference) @ np.abs(coef)


def lowered(X: Array, span: Array) -> tuple[Array, float]:
    """Return coordinates X @ span, and the largest distance of a row from their span."""
    low = X @ span
    if np.array_equal(span, np.eye(len(span))):
        return low, 0.0
    return low, float(np.linalg.norm(X - low @ span.T, axis=1).max(initial=0.0))


def power_of_two(value: float) -> float:
    """Return the largest power of two that is at most `value` > 0."""
    return float(2.0 ** np.floor(np.log2(value)))
