r"""The rows of a problem as a check sees them, and how far a vector is from its null space.

Nothing here is shared with what makes certificates. Inputs are differences ``x_i - x_ref`` to one
of the rows: they are rounded once, wherever the data lie. Bounds of rounding errors are ``count u
times the sum of absolute terms``, ``u = 2^-53``, with counts of operations rounded up generously.

The dual bound needs ``A^T q = 0`` exactly, ``A = [1 X]``, and a q in float64 has it only up to
rounding. Let B be a basis of the range of A with ``||B^T S B - I|| <= kappa < 1``, S = diag(s).
Then ``e = S B (B^T S B)^-1 B^T q`` has ``A^T (q - e) = 0`` and

    (sum_i e_i^2 / s_i)^1/2  <=  E = ||B^T q|| / (1 - kappa),        sum_i |e_i| <= E sqrt(sum s)

What is bounded is therefore ``q - e``, whose sup |eta| and dual value differ from those of q by no
more than a multiple of E. Directions in which the rows spread by rounding only (the rank rule of
`RadonTVProblem.affine`) are not directions of A.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from ..problems import RadonTVProblem
from ..problems.checks import Array

U = 2.0**-53
"""Unit roundoff."""


def exact_sum(values: Array) -> float:
    """Return the correctly rounded sum."""
    return math.fsum(values.ravel().tolist())


@dataclass(frozen=True, eq=False)
class Rows:
    """The rows of positive weight, and an orthonormal basis of the affine functions on them.

    Parameters
    ----------
    reference : ndarray of shape (n_features,)
        x_ref, one of the rows.
    X : ndarray of shape (n_live, n_features)
        x_i - x_ref, rounded once.
    y, s : ndarray of shape (n_live,)
        Targets and weights.
    B : ndarray of shape (n_live, rank + 1)
        Basis with B^T S B = I up to `kappa`.
    error : ndarray of shape (n_live, rank + 1)
        Distance of B from a matrix whose range is exactly that of A.
    maps : ndarray of shape (n_features, rank)
        M with B_k = X M_k - shift_k for k >= 1.
    shift : ndarray of shape (rank,)
    span : ndarray of shape (n_features, rank)
        Orthonormal basis of the differences of the rows.
    kappa : float
        Bound of ||B^T S B - I||.
    """

    reference: Array
    X: Array
    y: Array
    s: Array
    B: Array
    error: Array
    maps: Array
    shift: Array
    span: Array
    kappa: float

    @property
    def rank(self) -> int:
        """Dimension of the affine hull of the rows."""
        return int(self.span.shape[1])

    @classmethod
    def of(cls, problem: RadonTVProblem) -> Rows:
        """Return the rows of a problem."""
        live = problem.s > 0
        X, y, s = problem.X[live], problem.y[live], problem.s[live]
        n, d = X.shape
        centre = X.mean(axis=0)
        reference = X[np.argmin(np.abs(X - centre).max(axis=1))]
        # Constant columns become exact zeros.
        X, largest = X - reference, np.abs(X).max(axis=0)
        spread = np.abs(X).max(axis=0)
        varies = spread > 16 * U * largest
        unit = np.where(varies, 2.0 ** np.floor(np.log2(np.where(varies, spread, 1.0))), np.inf)
        C = X / unit
        mean = s @ C / s.sum()
        root = np.sqrt(s)[:, None]
        sigma, vt = np.linalg.svd(root * (C - mean), full_matrices=False)[1:]
        noise = 16 * U * float(np.linalg.norm(largest[varies] / spread[varies]))
        rank = int((sigma > 8 * max(n, d) * U * sigma[0] + noise).sum())
        V = vt[:rank].T / sigma[:rank]
        maps, shift = V / unit[:, None], mean @ V
        constant = np.full((n, 1), 1.0 / math.sqrt(s.sum()))
        B = np.hstack([constant, (C - mean) @ V])
        slop = (d + 8) * U * ((np.abs(C) + np.abs(mean)) @ np.abs(V))
        error = np.hstack([8 * U * constant, slop])
        gram = (root * B).T @ (root * B) - np.eye(rank + 1)
        distance = float(np.linalg.norm(root * error))
        kappa = float(np.linalg.norm(gram)) + 3.0 * distance + 4.0 * (n + 8) * (rank + 1) * U
        span = np.linalg.qr(vt[:rank].T * np.where(varies, unit, 0.0)[:, None])[0]
        if rank == d:
            span = np.eye(d)
        return cls(reference, X, y, s, B, error, maps, shift, span, kappa)

    def defect(self, q: Array) -> float:
        """Return E: some q - e is in the null space, with (sum_i e_i^2 / s_i)^1/2 <= E."""
        if self.kappa > 0.5:
            return math.inf
        along = np.array([exact_sum(q * column) for column in self.B.T])
        slack = np.abs(q) @ (self.error + 4 * U * np.abs(self.B))
        return float(np.linalg.norm(np.abs(along) + slack)) / (1.0 - self.kappa) * (1.0 + 1e-12)

    def fit(self, values: Array) -> tuple[Array, float]:
        """Return c, c0 of the weighted least-squares fit c.(x - x_ref) + c0 to the values."""
        theta = self.B.T @ (self.s * values)
        theta += self.B.T @ (self.s * (values - self.B @ theta))
        coef: Array = self.maps @ theta[1:]
        return coef, float(theta[0] / math.sqrt(self.s.sum()) - self.shift @ theta[1:])
