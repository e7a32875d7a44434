"""The null space of RTV: affine functions on the data, their rank, fit and projection."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .checks import Array


@dataclass(frozen=True, eq=False)
class AffineBasis:
    """An orthonormal basis of the affine functions on weighted data.

    Parameters
    ----------
    centre : ndarray of shape (n_features,)
        A point near the weighted mean whose coordinates have few bits, so that centring keeps
        ties and integer grids exact.
    columns : ndarray of shape (n_samples, rank + 1)
        B with B^T diag(s) B = I, whose columns span [1 X].
    maps : ndarray of shape (n_features, rank)
        M with B = [1, (X - mean) M].
    mean : ndarray of shape (n_features,)
        The weighted mean of the rows.
    span : ndarray of shape (n_features, rank)
        Orthonormal basis of span{x_i - x_j}.
    """

    centre: Array
    columns: Array
    maps: Array
    mean: Array
    span: Array

    @property
    def rank(self) -> int:
        """Rank of [1 X], less 1."""
        return int(self.maps.shape[1])

    @classmethod
    def of(cls, X: Array, s: Array) -> AffineBasis:
        """Return the basis for rows X (n, d) with weights s > 0 of sum 1.

        The rank is decided on columns scaled to unit spread, with tolerance
        max(n, d) eps, so that it does not depend on the units of the features.
        """
        n, d = X.shape
        mean = s @ X
        mean = mean + s @ (X - mean)
        centred = X - mean
        centred -= s @ centred
        spread = np.abs(centred).max(axis=0, initial=0.0)
        noise = 8 * np.finfo(np.float64).eps * np.abs(X).max(axis=0, initial=0.0)
        live = spread > noise
        scale = np.where(live, spread, 1.0)
        root = np.sqrt(s)
        u, sigma, vt = np.linalg.svd(
            root[:, None] * np.where(live, centred / scale, 0.0), full_matrices=False
        )
        tol = max(n, d) * np.finfo(np.float64).eps * (sigma[0] if sigma.size else 0.0)
        rank = int((sigma > 4 * tol).sum())
        columns = np.column_stack([np.ones(n), u[:, :rank] / root[:, None]])
        maps = vt[:rank].T / sigma[:rank] / scale[:, None]
        maps[~live] = 0.0
        span = np.linalg.qr(scale[:, None] * vt[:rank].T * live[:, None])[0]
        return cls(_with_few_bits(mean, spread), columns, maps, mean, span)

    def evaluate(self, theta: Array) -> tuple[Array, float]:
        """Return (coef, intercept) of the function with coefficients `theta` in this basis."""
        coef = self.maps @ theta[1:]
        return coef, float(theta[0] - coef @ self.mean)


def fit_affine(basis: AffineBasis, y: Array, s: Array) -> tuple[Array, float]:
    """Return coef and intercept of the weighted least-squares affine fit to y (two passes)."""
    theta = basis.columns.T @ (s * y)
    theta += basis.columns.T @ (s * (y - basis.columns @ theta))
    return basis.evaluate(theta)


def project_out_affine(basis: AffineBasis, q: Array, s: Array) -> Array:
    """Return the q' nearest to q in sum q_i^2 / s_i with sum q' = 0 and X^T q' = 0.

    q' = q - s * B (B^T q), twice: the second pass removes the rounding of the first.
    """
    for _ in range(2):
        q = q - s * (basis.columns @ (basis.columns.T @ q))
    return q


def _with_few_bits(mean: Array, spread: Array) -> Array:
    """Round each entry of `mean` to a multiple of a power of two near spread / 64."""
    unit = 2.0 ** np.floor(np.log2(np.where(spread > 0, spread, 1.0)) - 6)
    return np.where(spread > 0, np.round(mean / unit) * unit, mean)
