"""Affine functions and reductions where rows are linear measurements.

Rows are z = M f(x_1..x_n): the dual point of the points is r = M^T q, so that eta_q(w, b) =
sum_j r_j relu(w.x_j - b), and the affine functions that are free have the measurements M [1 X].
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import sparse

from .affine import AffineBasis
from .checks import Array
from .losses import Loss
from .merged_rows import scale_of_rows, scale_of_targets
from .reductions import Reduction
from .rounding import UNIT_ROUNDOFF
from .sampling import Sampling


@dataclass(frozen=True, eq=False)
class MeasuredAffine(AffineBasis):
    """A basis B = M [1, X - mean] T of the measurements of affine functions, B^T diag(s) B = I.

    Parameters
    ----------
    transform : ndarray of shape (n_features + 1, size)
        T.
    """

    transform: Array

    @classmethod
    def of_samples(cls, sampling: Sampling, s: Array) -> MeasuredAffine:
        """Return the basis for measurements with weights s > 0 of sum 1.

        The rank is decided on columns of length 1, to max(n, d) eps of the largest singular value.
        """
        X = sampling.points
        mean = X.mean(axis=0)
        centred = X - mean
        # A feature that varies by rounding only is constant, as in `AffineBasis.of`.
        noise = 8 * np.finfo(np.float64).eps * np.abs(X).max(axis=0, initial=0.0)
        centred = np.where(np.abs(centred).max(axis=0, initial=0.0) > noise, centred, 0.0)
        raw = sampling.to_rows(np.column_stack([np.ones(len(X)), centred]))
        length = np.sqrt(s @ (raw * raw))
        scale = np.where(length > 0.0, length, 1.0)
        unit = raw / scale
        sigma, vt = np.linalg.svd(np.sqrt(s)[:, None] * unit, full_matrices=False)[1:]
        tol = 8 * max(unit.shape) * np.finfo(np.float64).eps * (sigma[0] if sigma.size else 0.0)
        size = int((sigma > tol).sum())
        transform = vt[:size].T / sigma[:size]
        columns = unit @ transform
        terms = sampling.sizes(np.column_stack([np.ones(len(X)), np.abs(centred)])) / scale
        error = (X.shape[1] + sampling.depth + 8) * UNIT_ROUNDOFF * (terms @ np.abs(transform))
        spread = np.abs(centred).max(axis=0, initial=0.0)
        span = np.linalg.svd(centred / np.where(spread > 0, spread, 1.0), full_matrices=False)
        wide = span[1] > 4 * max(X.shape) * np.finfo(np.float64).eps * span[1].max(initial=0.0)
        directions = np.linalg.qr((span[2][wide] * spread).T)[0]
        return cls(
            mean, columns, error, np.zeros((X.shape[1], 0)), mean, directions,
            transform / scale[:, None],
        )  # fmt: skip

    def evaluate(self, theta: Array) -> tuple[Array, float]:
        """Return (coef, intercept) of the function with coefficients `theta` in this basis."""
        found = self.transform @ theta
        return found[1:], float(found[0] - found[1:] @ self.mean)


@dataclass(frozen=True, eq=False)
class MeasuredReduction(Reduction):
    """A `Reduction` whose `points` is the matrix M of its rows and points.

    Parameters
    ----------
    reach : ndarray of shape (n_rows,)
        sum_j |M_ij| of all rows of the problem.
    """

    reach: Array

    def raise_bound(self, bound: float, q: Array) -> float:
        """Return an upper bound of sup |eta_q|, as for samples with sum_j |M_ij| |q_i|."""
        return super().raise_bound(bound, q * self.reach)


def reduce_measured(
    sampling: Sampling, basis: AffineBasis, y: Array, s: Array, alpha: float, loss: Loss
) -> MeasuredReduction:
    """Return the reduction of a problem with measurements: points distinct, centred and scaled."""
    live, X = sampling.live, sampling.X
    matrix = sampling.matrix[live]
    seen = np.zeros(len(X), dtype=bool)
    seen[matrix.indices] = True
    rows, inverse = np.unique(X[seen] + 0.0, axis=0, return_inverse=True)
    inverse = inverse.reshape(-1)
    place = np.zeros(len(X), dtype=np.intp)
    place[seen] = inverse
    merged = sparse.csr_array(
        (matrix.data, place[matrix.indices], matrix.indptr), shape=(len(y[live]), len(rows))
    )
    merged.sum_duplicates()
    weight = s[live] / s[live].sum()
    coef, intercept = np.zeros(X.shape[1]), 0.0
    target = np.array(y[live])
    if loss.translates:
        B = basis.columns
        theta = B.T @ (weight * target)
        theta += B.T @ (weight * (target - B @ theta))
        coef, intercept = basis.evaluate(theta)
        target -= sampling.to_rows(sampling.points @ coef + intercept)
    own = AffineBasis.of(rows, np.full(len(rows), 1.0 / len(rows)))
    span = None if own.rank == X.shape[1] else own.span
    centre = own.centre if span is None else own.mean
    centred = rows - centre
    reduced = centred if span is None else centred @ span
    back = reduced if span is None else reduced @ span.T
    x_scale, y_scale = scale_of_rows(reduced), scale_of_targets(target, weight, loss)
    groups = np.full(len(y), -1, dtype=np.intp)
    groups[live] = np.arange(len(weight))
    reach = np.asarray(abs(sampling.matrix).sum(axis=1)).ravel()
    return MeasuredReduction(
        X=np.ascontiguousarray(reduced / x_scale),
        y=target / y_scale,
        s=weight,
        points=merged,
        alpha=alpha / (x_scale * y_scale),
        groups=groups,
        centre=centre,
        basis=span,
        x_scale=x_scale,
        y_scale=y_scale,
        coef=coef,
        intercept=intercept,
        residual=float(np.linalg.norm(centred - back, axis=1).max(initial=0.0)),
        constant=0.0,
        reach=reach,
    )
