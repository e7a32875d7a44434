"""Reductions that lose nothing: zero weights, duplicate rows, rank, units.

Every solver works on the reduced data. `Reduction` carries what is needed to map a problem
down and networks, dual points and bounds back up:

1. rows with zero weight are dropped;
2. equal rows are merged into one point; with the squared loss their targets are merged too
   (weighted mean target, summed weight, and a constant), other losses keep one row each;
3. inputs are centred and, if their differences span only r < d dimensions, rotated into an
   orthonormal basis of that span (a weight orthogonal to it is constant on the data);
4. inputs and targets are divided by powers of two, which is exact: x' = V^T (x - centre) / a,
   y' = (y - affine(x)) / g, alpha' = alpha / (a g), and then F = g^2 F' + constant. The targets
   are divided for the squared loss only, and lose their affine part if the loss depends on y - z.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from .affine import AffineBasis
from .checks import Array
from .losses import Loss
from .merged_rows import MergedRows, merge_rows, scale_of_rows
from .network import RidgeSpline
from .rounding import UNIT_ROUNDOFF


@dataclass(frozen=True, eq=False)
class Reduction:
    """The data that solvers see, and the maps between it and the original problem.

    Parameters
    ----------
    X : ndarray of shape (n_distinct, rank)
        Distinct inputs with positive weight, centred, rotated, scaled.
    y, s : ndarray of shape (n_rows,)
        Reduced targets, and weights that sum to 1.
    points : ndarray of shape (n_rows,), sparse array of shape (n_rows, n_distinct) or None
        Row of X that each of them belongs to, or the matrix of measurements; None if there is one
        for each row of X in order.
    alpha : float
        alpha / (x_scale * y_scale).
    groups : ndarray of shape (n_samples,)
        Reduced row of each original row, -1 where the weight is zero.
    centre : ndarray of shape (n_features,)
    basis : ndarray of shape (n_features, rank) or None
        V, orthonormal columns; None stands for the identity (full rank).
    x_scale, y_scale : float
        a and g above, powers of two.
    coef, intercept : ndarray of shape (n_features,), float
        The affine function that was subtracted from the targets.
    residual : float
        Largest distance between a row and what its reduced row maps back to.
    constant : float
        What merging rows took out of the objective: F = y_scale^2 F' + constant.
    """

    X: Array
    y: Array
    s: Array
    points: Any
    alpha: float
    groups: np.ndarray
    centre: Array
    basis: Array | None
    x_scale: float
    y_scale: float
    coef: Array
    intercept: float
    residual: float
    constant: float

    @property
    def n_distinct(self) -> int:
        """Number of distinct inputs with positive weight."""
        return len(self.X)

    @property
    def rank(self) -> int:
        """Dimension r of the span of the differences of the inputs."""
        return int(self.X.shape[1])

    def up(self, w: Array) -> Array:
        """Return V w for rows w of shape (..., rank)."""
        return w if self.basis is None else w @ self.basis.T

    def down(self, w: Array) -> Array:
        """Return V^T w for rows w of shape (..., n_features)."""
        return w if self.basis is None else w @ self.basis

    def affine_values(self, X: Array) -> Array:
        """Return the affine function that the targets lost, at original rows."""
        values: Array = X @ self.coef + self.intercept
        return values

    def reduce_dual(self, q: Array) -> Array:
        """Return sum of q over the rows of each group, over y_scale, shape (n_rows,)."""
        live = self.groups >= 0
        sums = np.bincount(self.groups[live], weights=q[live], minlength=len(self.y))
        return sums / self.y_scale

    def raise_dual(self, q: Array, y: Array, s: Array) -> Array:
        """Return the best dual point of the original rows whose sums over groups are y_scale q.

        p_i = (y_i - affine_i - g y'_group) + g q'_group / s'_group and q_i = s_i p_i: rows of one
        group keep their targets' differences, as they do at an optimum.
        """
        live = self.groups >= 0
        group = self.groups[live]
        raised = np.zeros(len(self.groups))
        p = self.y_scale * (q / self.s)[group]
        if len(group) > len(self.y):
            # y holds the targets without their affine part.
            p += y[live] - self.y_scale * self.y[group]
        raised[live] = s[live] * p
        return raised

    def raise_hyperplanes(self, weights: Array, biases: Array) -> tuple[Array, Array]:
        """Return V w and a b + (V w).centre."""
        raised = self.up(weights)
        if self.basis is not None and len(raised):
            raised = raised / np.linalg.norm(raised, axis=1, keepdims=True)
        return raised, self.x_scale * biases + raised @ self.centre

    def lower_hyperplanes(self, weights: Array, biases: Array) -> tuple[Array, Array, Array]:
        """Return unit normals w' and biases b' with w.x - b = |V^T w| a (w'.x' - b'), and |V^T w|.

        Rows with V^T w = 0 are constant on the data; their length is returned as 0.
        """
        lowered = self.down(weights)
        length = np.linalg.norm(lowered, axis=1)
        safe = np.where(length > 1e-12, length, 1.0)
        offset = (biases - weights @ self.centre) / (self.x_scale * safe)
        return lowered / safe[:, None], offset, np.where(length > 1e-12, length, 0.0)

    def raise_network(self, network: RidgeSpline) -> RidgeSpline:
        """Return the network in the original units, f(x) = g f'(x') + affine(x)."""
        weights, biases = self.raise_hyperplanes(network.weights, network.biases)
        ratio = self.y_scale / self.x_scale
        coef = ratio * self.up(network.coef)
        intercept = self.y_scale * network.intercept - float(coef @ self.centre)
        return RidgeSpline(
            ratio * network.amplitudes,
            weights,
            biases,
            coef + self.coef,
            intercept + self.intercept,
        )

    def lower_network(self, network: RidgeSpline) -> RidgeSpline:
        """Return the network in reduced units; neurons that are constant on the data are dropped.

        The affine part is not carried over exactly (a solver refits it).
        """
        weights, biases, length = self.lower_hyperplanes(network.weights, network.biases)
        live = length > 0
        ratio = self.x_scale / self.y_scale
        return RidgeSpline(
            ratio * network.amplitudes[live] * length[live],
            weights[live] / np.linalg.norm(weights[live], axis=1, keepdims=True),
            biases[live],
            ratio * self.down(network.coef - self.coef),
            0.0,
        )

    def raise_bound(self, bound: float, q: Array) -> float:
        """Return an upper bound of sup |eta_q| over the original rows.

        `bound` is one over the reduced rows for `reduce_dual(q)`. Reduced and original
        projections differ by at most delta per row, with
        delta = residual + 2 (d + 4) u (max |x_i| + |centre|), and a unit w has |V^T w| <= 1 +
        4 d u, so that sup |eta| <= a g bound (1 + 8 d u) + delta sum |q_i|.
        """
        n_features = len(self.centre)
        largest = float(np.linalg.norm(self.X, axis=1).max(initial=0.0)) * self.x_scale
        delta = self.residual + 2.0 * (n_features + 4) * UNIT_ROUNDOFF * (
            largest + 2.0 * float(np.linalg.norm(self.centre))
        )
        scaled = bound * self.x_scale * self.y_scale * (1.0 + 8.0 * n_features * UNIT_ROUNDOFF)
        return scaled + delta * float(np.abs(q).sum())


def reduce(X: Array, y: Array, s: Array, alpha: float, loss: Loss) -> Reduction:
    """Return the reduction of a problem; see the module docstring for its steps."""
    merged = merge_rows(X, y, s, loss)
    rows = merged.rows
    basis = AffineBasis.of(rows, merged.mass)
    span = None if basis.rank == X.shape[1] else basis.span
    # A rotation needs a centre in the affine hull of the rows; few bits only help without one.
    centre = basis.centre if span is None else basis.mean
    centred = rows - centre
    reduced = centred if span is None else centred @ span
    back = reduced if span is None else reduced @ span.T
    residual = float(np.linalg.norm(centred - back, axis=1).max(initial=0.0))
    return Reduction(**mapped(merged, reduced, alpha), centre=centre, basis=span, residual=residual)


def mapped(merged: MergedRows, reduced: Array, alpha: float) -> dict[str, Any]:
    """Return what a `Reduction` is made of but its map of rows: `reduced` are those, not scaled."""
    x_scale = scale_of_rows(reduced)
    return {
        "X": np.ascontiguousarray(reduced / x_scale),
        "alpha": alpha / (x_scale * merged.y_scale),
        "x_scale": x_scale,
        **{name: value for name, value in merged._asdict().items() if name != "rows"},
    }
