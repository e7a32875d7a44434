"""Reduction of problems with a weighted norm |L w| of the normals: inputs become L^-T x."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np

from .checks import Array
from .network import RidgeSpline
from .neuron_cost import WeightedNorm
from .reductions import Reduction
from .rounding import UNIT_ROUNDOFF


@dataclass(frozen=True, eq=False)
class WeightedReduction(Reduction):
    """A `Reduction` of the inputs L^-T x; a unit normal v there is w = L^-1 v of price 1 here.

    Parameters
    ----------
    cost : WeightedNorm
    blur : float
        Bound of the rounding error of L^-T x_i.
    """

    cost: WeightedNorm
    blur: float

    @classmethod
    def of(cls, inner: Reduction, cost: WeightedNorm, X: Array) -> WeightedReduction:
        """Return the reduction with the maps of `inner`, which was made for L^-T x."""
        given = {f.name: getattr(inner, f.name) for f in fields(Reduction)}
        condition = float(np.linalg.cond(cost.factor))
        largest = float(np.linalg.norm(cost.coordinates(X), axis=1).max(initial=0.0))
        blur = 16.0 * X.shape[1] ** 2 * condition * UNIT_ROUNDOFF * largest
        return cls(**given, cost=cost, blur=blur)

    def affine_values(self, X: Array) -> Array:
        """Return the affine function that the targets lost, at original rows."""
        return super().affine_values(self.cost.coordinates(X))

    def raise_network(self, network: RidgeSpline) -> RidgeSpline:
        """Return the network in the original units."""
        weights, biases = super().raise_hyperplanes(network.weights, network.biases)
        vectors = self.cost.hyperplanes(weights)[0]
        length = np.linalg.norm(vectors, axis=1)
        ratio = self.y_scale / self.x_scale
        coef = ratio * self.up(network.coef)
        intercept = self.y_scale * network.intercept - float(coef @ self.centre)
        return RidgeSpline(
            ratio * network.amplitudes * length,
            _unit(vectors),
            biases / length,
            self.cost.hyperplanes((coef + self.coef)[None])[0][0],
            intercept + self.intercept,
        )

    def raise_hyperplanes(self, weights: Array, biases: Array) -> tuple[Array, Array]:
        """Return unit normals and biases of reduced ones."""
        raised, offsets = super().raise_hyperplanes(weights, biases)
        vectors = self.cost.hyperplanes(raised)[0]
        return _unit(vectors), offsets / np.linalg.norm(vectors, axis=1)

    def lower_hyperplanes(self, weights: Array, biases: Array) -> tuple[Array, Array, Array]:
        """Return reduced unit normals and biases, and the lengths |V^T L w|."""
        return super().lower_hyperplanes(self.cost.vectors(weights, biases), biases)

    def lower_network(self, network: RidgeSpline) -> RidgeSpline:
        """Return the network in reduced units; a solver refits its affine part."""
        return super().lower_network(network.with_affine(self.coef, 0.0))

    def raise_bound(self, bound: float, q: Array) -> float:
        """Return an upper bound of sup |eta_q| / kappa, the rounding of L^-T x included."""
        return super().raise_bound(bound, q) + 2.0 * self.blur * float(np.abs(q).sum())


def _unit(rows: Array) -> Array:
    """Return rows of length 1, to rounding even after large or small factors."""
    for _ in range(2):
        rows = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    return rows
