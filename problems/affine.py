"""The null space of RTV: affine functions on the data, their rank, fit and projection."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from .checks import Array
from .rounding import UNIT_ROUNDOFF


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
    error : ndarray of shape (n_samples, rank + 1)
        Bound of the distance of B from a matrix with exactly that span.
    maps : ndarray of shape (n_features, rank)
        M with B = [1, (X - mean) M].
    mean : ndarray of shape (n_features,)
        The weighted mean of the rows.
    span : ndarray of shape (n_features, rank)
        Orthonormal basis of span{x_i - x_j}.
    """

    centre: Array
    columns: Array
    error: Array
    maps: Array
    mean: Array
    span: Array

    @classmethod
    def none(cls, n_samples: int, n_features: int) -> AffineBasis:
        """Return the basis of no function at all, for problems without skip connection."""
        empty, origin = np.zeros((n_samples, 0)), np.zeros(n_features)
        return cls(origin, empty, empty, np.zeros((n_features, 0)), origin, np.eye(n_features))

    @property
    def rank(self) -> int:
        """Rank of [1 X], less 1."""
        return int(self.maps.shape[1])

    @classmethod
    def of(cls, X: Array, s: Array) -> AffineBasis:
        """Return the basis for rows X (n, d) with weights s > 0 of sum 1.

        The rank is decided on columns scaled to unit spread, so that it does not depend on the
        units of the features. Its tolerance is 4 max(n, d) eps of the largest singular value, and
        what rounding of the inputs themselves, 8 eps max_i |x_ik| in feature k, can produce.
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
        centred = np.where(live, centred / scale, 0.0)
        sigma, vt = np.linalg.svd(np.sqrt(s)[:, None] * centred, full_matrices=False)[1:]
        tol = 4 * max(n, d) * np.finfo(np.float64).eps * (sigma[0] if sigma.size else 0.0)
        rank = int((sigma > tol + np.linalg.norm(np.where(live, noise / scale, 0.0))).sum())
        # Not the left singular vectors: in rows of small weight they are not affine functions.
        maps = vt[:rank].T / sigma[:rank]
        columns = np.column_stack([np.ones(n), centred @ maps])
        rounding = (d + 8) * UNIT_ROUNDOFF * (np.abs(centred) @ np.abs(maps))
        error = np.column_stack([np.zeros(n), rounding])
        maps = maps / scale[:, None]
        maps[~live] = 0.0
        span = np.linalg.qr(scale[:, None] * vt[:rank].T * live[:, None])[0]
        return cls(_with_few_bits(mean, spread), columns, error, maps, mean, span)

    def radius(self, q: Array, s: Array, movable: np.ndarray) -> Array:
        """Return r (n,): some q - e has A^T (q - e) = 0 exactly and |e_i| <= s_i r_i.

        e = S M B (B^T S M B)^-1 B^T q with M = diag(movable), hence r_i = |B_i| |B^T q| / lambda
        for movable rows and 0 for others, lambda <= lambda_min(B^T S M B); the distance of B from
        the range of A is counted on top. Infinite if the movable rows do not determine e.
        """
        B, weight = self.columns, np.where(movable, s, 0.0)
        if B.shape[1] == 0:
            return np.zeros(len(q))
        along = np.abs([math.fsum((q * column).tolist()) for column in B.T])
        slack = np.abs(q) @ (self.error + 4.0 * UNIT_ROUNDOFF * np.abs(B))
        rest = float(np.linalg.norm(along + slack))
        if rest == 0.0:
            return np.zeros(len(q))
        root = np.sqrt(weight)[:, None]
        count = B.shape[1]
        least = float(np.linalg.eigvalsh((root * B).T @ (root * B))[0])
        least -= 3.0 * float(np.linalg.norm(root * self.error) * np.linalg.norm(root * B))
        least -= 4.0 * (len(q) + 8) * count * UNIT_ROUNDOFF
        size = np.linalg.norm(np.abs(B) + self.error, axis=1) * (1.0 + 8 * count * UNIT_ROUNDOFF)
        length = size * rest / least if least > 1e-9 else np.full(len(q), np.inf)
        return np.where(movable, length, 0.0)

    def evaluate(self, theta: Array) -> tuple[Array, float]:
        """Return (coef, intercept) of the function with coefficients `theta` in this basis."""
        if len(theta) == 0:
            return np.zeros(len(self.mean)), 0.0
        coef = self.maps @ theta[1:]
        return coef, float(theta[0] - coef @ self.mean)


def fit_affine(basis: AffineBasis, y: Array, s: Array) -> tuple[Array, float]:
    """Return coef and intercept of the weighted least-squares affine fit to y (two passes)."""
    theta = basis.columns.T @ (s * y)
    theta += basis.columns.T @ (s * (y - basis.columns @ theta))
    return basis.evaluate(theta)


def project_out_affine(
    basis: AffineBasis, q: Array, s: Array, movable: np.ndarray | None = None
) -> Array:
    """Return the q' nearest to q in sum q_i^2 / s_i with sum q' = 0 and X^T q' = 0.

    q' = q - s * B (B^T q), twice: the second pass removes the rounding of the first. With
    `movable` only these rows change, if they suffice.
    """
    B = basis.columns
    if B.shape[1] == 0:
        return q
    if movable is not None and not movable.all():
        weight = np.where(movable, s, 0.0)
        gram = (B * weight[:, None]).T @ B
        if np.linalg.eigvalsh(gram)[0] > 1e-9:
            for _ in range(2):
                q = q - weight * (B @ np.linalg.solve(gram, B.T @ q))
            return q
    for _ in range(2):
        q = q - s * (B @ (B.T @ q))
    return q


def _with_few_bits(mean: Array, spread: Array) -> Array:
    """Round each entry of `mean` to a multiple of a power of two near spread / 64."""
    unit = 2.0 ** np.floor(np.log2(np.where(spread > 0, spread, 1.0)) - 6)
    return np.where(spread > 0, np.round(mean / unit) * unit, mean)
