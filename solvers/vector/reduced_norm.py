r"""The sup of ||eta_Q|| on fewer numbers, with a bound on what that changes.

Equal rows are merged, inputs centred and rotated into the span of their differences, outputs into
the span of the rows of Q (the norm does not change), both scaled to unit size.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from ...problems.rounding import UNIT_ROUNDOFF
from ..oracle import Array, SupBound


@dataclass(frozen=True, eq=False)
class ReducedNorm:
    r"""The same sup on fewer numbers: ``sup ||eta_Q|| <= unit sup ||eta_Q'|| + error``.

    ``x_i = centre + x_unit basis x'_i + r_i`` and ``Q_i = q_unit V Q'_i + e_i`` with nearly
    orthonormal columns. For unit w the vector ``basis^T w`` has length at most ||basis||, and
    eta moves by at most ``sum_i ||Q_i|| ||r_i|| + sum_i 2 R ||e_i||`` for useful b.

    Attributes
    ----------
    X : ndarray of shape (n, r)
        Distinct points.
    Q : ndarray of shape (n, k)
        Weights, k the rank of the original.
    centre : ndarray of shape (n_features,)
    basis : ndarray of shape (n_features, r)
    x_unit, unit, error : float
        See above; unit contains the lengths of the bases.
    """

    X: Array
    Q: Array
    centre: Array
    basis: Array
    x_unit: float
    unit: float
    error: float

    def raised(self, bound: float) -> float:
        """Return the bound in original units, rounded up."""
        return (bound * self.unit + self.error) * (1.0 + 8 * UNIT_ROUNDOFF)

    def lowered(self, threshold: float) -> float:
        """Return the reduced bound that proves the threshold."""
        return max((threshold * (1.0 - 8 * UNIT_ROUNDOFF) - self.error) / self.unit, 0.0)

    def planes(self, found: SupBound) -> list[tuple[Array, float]]:
        """Return the planes of a reduced result in original coordinates."""
        weights = np.vstack([found.weight, found.witnesses_weights]) @ self.basis.T
        biases = np.append(found.bias, found.witnesses_biases) * self.x_unit
        weights /= np.linalg.norm(weights, axis=1, keepdims=True)
        return [(w, float(b + w @ self.centre)) for w, b in zip(weights, biases, strict=True)]


def reduce_norm(X: Array, Q: Array) -> ReducedNorm:
    """Merge equal rows, centre and rotate inputs, rotate outputs, scale both to unit size.

    What is left out, and all rounding, is measured and goes into `error`.
    """
    x_unit, scaled = _scaled(X)
    q_unit, Q = _scaled(Q)
    points, group = np.unique(scaled, axis=0, return_inverse=True)
    weights, sizes = np.zeros((len(points), Q.shape[1])), np.zeros(len(points))
    np.add.at(weights, group.reshape(-1), Q)
    np.add.at(sizes, group.reshape(-1), np.linalg.norm(Q, axis=1))
    mean = points.mean(axis=0) if len(points) else np.zeros(X.shape[1])
    basis, x_length = _span(points - mean)
    # In the span of the differences only if the centre is a mean of the points.
    centre = _short(points, mean) if basis.shape[0] == basis.shape[1] else mean
    moved = points - centre
    turned, q_length = _span(weights)
    reach = np.linalg.norm(moved, axis=1)
    widest = float(reach.max(initial=0.0))
    # Subtracting the centre rounds once; sums of equal rows round once a row.
    x_left = _missed(moved, basis) + 2 * UNIT_ROUNDOFF * (reach + np.linalg.norm(centre))
    q_left = _missed(weights, turned)
    if len(points) < len(X):
        q_left = q_left + len(X) * UNIT_ROUNDOFF * sizes
    error = float(sizes @ x_left + 2.0 * widest * q_left.sum()) * (1.0 + len(X) * 1e-15)
    inner_x, Z = _scaled(moved @ basis)
    inner_q, P = _scaled(weights @ turned)
    return ReducedNorm(
        np.ascontiguousarray(Z),
        np.ascontiguousarray(P),
        centre * x_unit,
        basis,
        x_unit * inner_x,
        x_unit * inner_x * q_unit * inner_q * x_length * q_length,
        error * x_unit * q_unit,
    )


def _short(points: Array, mean: Array) -> Array:
    """Return the mean rounded to few bits of the spread, so that grids stay grids."""
    spread = float(np.max(np.ptp(points, axis=0), initial=0.0))
    if spread == 0.0:
        return mean
    step = 2.0 ** (math.floor(math.log2(spread)) - 3)
    rounded: Array = np.round(mean / step) * step
    return rounded


def _span(rows: Array) -> tuple[Array, float]:
    """Return a basis of the rows' numerical span and a bound on its spectral norm.

    If all columns are needed, the basis is the identity.
    """
    n, d = rows.shape
    largest = float(np.abs(rows).max(initial=0.0))
    if largest == 0.0:
        return np.zeros((d, 0)), 1.0
    _, values, right = np.linalg.svd(rows / largest, full_matrices=False)
    rank = int(np.count_nonzero(values > 4 * max(n, d) * UNIT_ROUNDOFF * values[0]))
    if rank == d:
        return np.eye(d), 1.0
    basis: Array = np.ascontiguousarray(right[:rank].T)
    slack = float(np.linalg.norm(basis.T @ basis - np.eye(rank))) + 4 * rank * d * UNIT_ROUNDOFF
    return basis, 1.0 + slack


def _missed(rows: Array, basis: Array) -> Array:
    """Return a bound on the distance of each row from what its coordinates map back to."""
    d, rank = basis.shape
    if rank == d:
        return np.zeros(len(rows))
    rounding = 4 * (d + rank + 2) * (rank + 1) * UNIT_ROUNDOFF
    missed: Array = np.linalg.norm(rows - (rows @ basis) @ basis.T, axis=1)
    missed += rounding * np.linalg.norm(rows, axis=1)
    return missed


def _scaled(values: Array) -> tuple[float, Array]:
    """Return a power of two near the largest size, and the values in this unit (exact)."""
    largest = float(np.abs(values).max(initial=0.0))
    unit = 2.0 ** math.floor(math.log2(largest)) if largest > 0.0 else 1.0
    return unit, values / unit
