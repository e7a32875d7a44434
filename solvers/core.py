"""The reduced problem as solvers see it, and the neurons they move."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ..problems import RadonTVProblem, RidgeSpline
from ..problems.affine import AffineBasis
from ..problems.checks import Array
from ..problems.losses import Loss


@dataclass(frozen=True, eq=False)
class Neurons:
    """Neurons sign_k amplitude_k relu(w_k.x - b_k), amplitude >= 0, planes (w_k, b_k), |w_k| = 1.

    Parameters
    ----------
    sign, amplitude : ndarray of shape (n_neurons,)
    planes : ndarray of shape (n_neurons, n_features + 1)
        Rows (w_k, b_k).
    """

    sign: Array
    amplitude: Array
    planes: Array

    @classmethod
    def none(cls, n_features: int) -> Neurons:
        """Return the empty set of neurons."""
        return cls(np.zeros(0), np.zeros(0), np.zeros((0, n_features + 1)))

    def __len__(self) -> int:
        return len(self.sign)

    def take(self, which: np.ndarray) -> Neurons:
        """Return the neurons selected by a mask or by indices."""
        return Neurons(self.sign[which], self.amplitude[which], self.planes[which])

    def join(self, other: Neurons) -> Neurons:
        """Return these neurons followed by the others."""
        return Neurons(
            np.concatenate([self.sign, other.sign]),
            np.concatenate([self.amplitude, other.amplitude]),
            np.concatenate([self.planes, other.planes]),
        )


@dataclass(frozen=True, eq=False)
class Core:
    """Reduced data with what is precomputed from them; values are in reduced units.

    The affine part is eliminated: for given ridge values it is refitted, so that every dual
    point satisfies [1 X]^T q = 0.
    """

    X: Array
    y: Array
    s: Array
    alpha: float
    loss: Loss
    basis: AffineBasis

    @classmethod
    def of(cls, problem: RadonTVProblem) -> Core:
        """Return the core of a problem."""
        r = problem.reduction
        return cls(r.X, r.y, r.s, r.alpha, problem.loss, AffineBasis.of(r.X, r.s))

    @property
    def n(self) -> int:
        """Number of distinct points."""
        return len(self.X)

    @property
    def d(self) -> int:
        """Rank of the inputs."""
        return int(self.X.shape[1])

    @cached_property
    def lifted(self) -> Array:
        """Rows (x_i, -1), so that lifted @ (w, b) = w.x - b; shape (n, d + 1)."""
        return np.column_stack([self.X, -np.ones(self.n)])

    def features(self, planes: Array) -> Array:
        """Return relu(w_k.x_i - b_k), shape (n, n_neurons)."""
        return np.maximum(self.lifted @ planes.T, 0.0)

    def ridge(self, neurons: Neurons) -> Array:
        """Return sum_k sign_k amplitude_k relu(w_k.x_i - b_k), shape (n,)."""
        return self.features(neurons.planes) @ (neurons.sign * neurons.amplitude)

    def without_affine(self, columns: Array) -> Array:
        """Return columns minus their weighted affine fit, for arrays of shape (n,) or (n, m)."""
        B = self.basis.columns
        weighted = columns * (self.s if columns.ndim == 1 else self.s[:, None])
        return columns - B @ (B.T @ weighted)

    def evaluate(self, ridge: Array, rtv: float) -> tuple[float, Array]:
        """Return the objective and dual point q = s p of ridge values, affine part refitted."""
        residual = self.without_affine(self.y - ridge)
        zero = np.zeros_like(residual)
        value = float(self.s @ self.loss.value(residual, zero)) + self.alpha * rtv
        return value, -self.s * self.loss.gradient(residual, zero)

    def state(self, neurons: Neurons) -> tuple[float, Array]:
        """Return the objective and dual point of neurons."""
        return self.evaluate(self.ridge(neurons), float(neurons.amplitude.sum()))

    def eta(self, q: Array, planes: Array) -> Array:
        """Return eta_q at the planes."""
        return q @ self.features(planes)

    def dual_value(self, q: Array, sup: float) -> float:
        """Return the largest D(t q) with |t| sup <= alpha."""
        t = self.loss.dual_scale(self.y, q, self.s, self.alpha / sup if sup > 0 else np.inf)
        return -float(self.s @ self.loss.conjugate(self.y, -t * q / self.s))

    def to_network(self, neurons: Neurons) -> RidgeSpline:
        """Return the neurons as a reduced network with refitted affine part."""
        rest = self.y - self.ridge(neurons)
        theta = self.basis.columns.T @ (self.s * rest)
        theta += self.basis.columns.T @ (self.s * (rest - self.basis.columns @ theta))
        coef, intercept = self.basis.evaluate(theta)
        weights = neurons.planes[:, :-1]
        return RidgeSpline(
            neurons.sign * neurons.amplitude, weights, neurons.planes[:, -1], coef, intercept
        )

    def from_network(self, network: RidgeSpline) -> Neurons:
        """Return the neurons of a reduced network, merged."""
        merged = network.merged()
        return Neurons(
            np.sign(merged.amplitudes),
            np.abs(merged.amplitudes),
            np.column_stack([merged.weights, merged.biases]),
        )
