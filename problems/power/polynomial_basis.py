"""The null space of the penalty of order m: polynomials of degree < m on weighted data."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..affine import AffineBasis
from ..checks import Array
from ..rounding import UNIT_ROUNDOFF
from .polynomials import Ints, Polynomial, all_exponents, factors_of, monomials


@dataclass(frozen=True, eq=False)
class PolynomialBasis(AffineBasis):
    """An orthonormal basis B of the polynomials of degree < m on weighted data.

    B = V T, V the monomials of the whitened coordinates u of the rows (mean 0, covariance I), in
    which neither units nor correlations of the features decide the rank. `columns`
    (n_samples, rank A_m) is B with B^T diag(s) B = I, and `error` bounds its distance from a matrix
    with exactly that span; `centre`, `maps`, `mean` and `span` are those of the affine functions.

    Parameters
    ----------
    exponents : ndarray of int, shape (n_monomials, rank)
        Of the monomials, in the `rank` whitened coordinates.
    transform : ndarray of shape (n_monomials, rank A_m)
        T.
    """

    exponents: Ints
    transform: Array

    @classmethod
    def of_order(cls, X: Array, s: Array, order: int) -> PolynomialBasis:
        """Return the basis for rows X (n, d) with weights s > 0 of sum 1.

        Columns are scaled to length 1; singular values count as zero below 4 max(n, N) eps of the
        largest and what rounding of the inputs, 8 eps max_i |x_ik| in feature k, can produce.
        """
        affine = AffineBasis.of(X, s)
        U, slip = affine.columns[:, 1:], affine.error[:, 1:]
        exponents = all_exponents(affine.rank, order - 1)
        factors = factors_of(exponents)
        V = monomials(U, factors)
        length = np.sqrt(s @ (V * V))
        length = np.where(length > 0.0, length, 1.0)
        root = np.sqrt(s)[:, None]
        sigma, vt = np.linalg.svd(root * V / length, full_matrices=False)[1:]
        noise = 8 * np.finfo(np.float64).eps * np.abs(X).max(axis=0, initial=0.0)
        blur = _change(U, noise @ np.abs(affine.maps), factors) / length
        tol = 4 * max(V.shape) * np.finfo(np.float64).eps * float(sigma[0])
        size = int((sigma > tol + float(np.linalg.norm(root * blur))).sum())
        # Not the left singular vectors: in rows of small weight they are not polynomials.
        transform = vt[:size].T / sigma[:size] / length[:, None]
        for _ in range(2):
            B = root * (V @ transform)
            transform = np.linalg.solve(np.linalg.cholesky(B.T @ B), transform.T).T
        rounding = _change(U, slip, factors)
        rounding += (len(exponents) + 8) * UNIT_ROUNDOFF * monomials(np.abs(U) + slip, factors)
        return cls(
            affine.centre,
            V @ transform,
            rounding @ np.abs(transform),
            affine.maps,
            affine.mean,
            affine.span,
            exponents,
            transform,
        )

    @property
    def size(self) -> int:
        """Rank of A_m, the number of columns."""
        return int(self.columns.shape[1])

    def evaluate(self, theta: Array) -> tuple[Array, float]:
        """Refuse: the functions are polynomials; see `polynomial`."""
        raise TypeError("a polynomial has no coef and intercept; use `polynomial(theta)`.")

    def polynomial(self, theta: Array) -> Polynomial:
        """Return the polynomial with coefficients `theta` in this basis."""
        d, r = self.maps.shape
        exponents = np.zeros((len(self.exponents), d), dtype=np.int64)
        exponents[:, :r] = self.exponents
        return Polynomial(exponents, self.transform @ theta, self.mean, self._coordinates())

    def _coordinates(self) -> Array:
        """Return an invertible (d, d) matrix whose first columns whiten the data.

        The other columns vanish on the data: they are orthogonal to the span of the rows. The
        first ones are not projected onto it: with features of unlike units that would cancel.
        """
        d, r = self.maps.shape
        if r == d:
            return self.maps
        outside = np.linalg.qr(self.span, mode="complete")[0][:, r:]
        unit = float(np.abs(self.maps).max(initial=0.0)) or 1.0
        return np.column_stack([self.maps, unit * outside])


def _change(U: Array, slip: Array, factors: Ints) -> Array:
    """Return a bound of what the monomials change by if |u_ik| moves by at most slip_ik."""
    size = np.abs(U)
    change: Array = monomials(size + slip, factors) - monomials(size, factors)
    return change
