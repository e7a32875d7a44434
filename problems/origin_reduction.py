"""Reduction of problems whose neurons turn about the origin: cost 'penalized_bias' or 'no_bias'.

As in `reductions`, but rows are homogeneous coordinates xi_i, which are neither centred nor
shifted: x' = V^T xi / a with V an orthonormal basis of the span of the rows. A neuron is a unit
vector v' with v = V v'; biases in reduced units are 0.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .checks import Array
from .losses import Loss
from .merged_rows import merge_rows
from .network import RidgeSpline
from .neuron_cost import FreeBias
from .reductions import Reduction, mapped


@dataclass(frozen=True, eq=False)
class OriginReduction(Reduction):
    """A `Reduction` that turns reduced neurons (v', 0) into hyperplanes by its `cost`.

    Parameters
    ----------
    cost : FreeBias
    constants : bool
        Whether an intercept is a neuron.
    """

    cost: FreeBias
    constants: bool

    def raise_network(self, network: RidgeSpline) -> RidgeSpline:
        """Return the network in the original units; a neuron with w = 0 joins the intercept."""
        ratio = self.y_scale / self.x_scale
        weights, biases = self.cost.hyperplanes(self.up(network.weights))
        length = np.linalg.norm(weights, axis=1)
        amplitudes = ratio * network.amplitudes
        flat = length <= 1e-14
        constant = float(amplitudes[flat] @ np.maximum(-biases[flat], 0.0))
        length = length[~flat]
        weights = weights[~flat] / length[:, None]
        coef, offset = self.cost.hyperplanes(ratio * self.up(network.coef)[None])
        return RidgeSpline(
            amplitudes[~flat] * length,
            weights / np.linalg.norm(weights, axis=1, keepdims=True),
            biases[~flat] / length,
            coef[0] + self.coef,
            self.y_scale * network.intercept - float(offset[0]) + self.intercept + constant,
        )

    def lower_network(self, network: RidgeSpline) -> RidgeSpline:
        """Return the neurons in reduced units, those that are constant on the data dropped.

        An intercept of a problem without skip connection becomes the neuron of constants.
        """
        vectors = self.cost.vectors(network.weights, network.biases)
        amplitudes = np.array(network.amplitudes)
        if self.constants and network.intercept != 0.0:
            constant = np.zeros((1, vectors.shape[1]))
            constant[0, -1] = -self.cost.of_constant
            vectors = np.concatenate([vectors, constant])
            amplitudes = np.append(amplitudes, network.intercept)
        lowered = self.down(vectors)
        length = np.linalg.norm(lowered, axis=1)
        live = length > 1e-12
        return RidgeSpline(
            self.x_scale / self.y_scale * amplitudes[live] * length[live],
            lowered[live] / length[live][:, None],
            np.zeros(int(live.sum())),
            np.zeros(self.rank),
            0.0,
        )

    def raise_hyperplanes(self, weights: Array, biases: Array) -> tuple[Array, Array]:
        """Return unit w and b of the vectors V v'."""
        raised, offsets = self.cost.hyperplanes(self.up(weights))
        length = np.maximum(np.linalg.norm(raised, axis=1), 1e-300)
        return raised / length[:, None], offsets / length


def reduce_origin(
    X: Array, y: Array, s: Array, alpha: float, loss: Loss, cost: FreeBias, skip: str
) -> OriginReduction:
    """Return the reduction of a problem with cost 'penalized_bias' or 'no_bias'."""
    merged = merge_rows(X, y, s, loss, rows=cost.coordinates(X), affine=skip == "affine")
    rows = merged.rows
    # Columns of very different size: the rank is that of columns of length 1.
    length = np.linalg.norm(rows, axis=0)
    unit = rows / np.where(length > 0, length, 1.0)
    sigma, vt = np.linalg.svd(unit, full_matrices=False)[1:]
    tol = 8 * max(rows.shape) * np.finfo(np.float64).eps * (sigma[0] if sigma.size else 0.0)
    rank = int((sigma > tol).sum())
    span = None
    if rank < rows.shape[1]:
        span = np.linalg.qr((vt[:rank] * length).T)[0][:, :rank]
    reduced = rows if span is None else rows @ span
    back = reduced if span is None else reduced @ span.T
    return OriginReduction(
        **mapped(merged, reduced, alpha),
        centre=np.zeros(rows.shape[1]),
        basis=span,
        residual=float(np.linalg.norm(rows - back, axis=1).max(initial=0.0)),
        cost=cost,
        constants=skip == "none" and np.isfinite(cost.of_constant),
    )
