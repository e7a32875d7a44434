"""The reduced problem as solvers see it, and the neurons they move."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, NamedTuple, Self

import numpy as np
from scipy.sparse import issparse

from ..problems import RadonTVProblem, RidgeSpline
from ..problems.affine import AffineBasis
from ..problems.affine_fit import fit_smooth, fit_with_multipliers, residual_size
from ..problems.checks import Array
from ..problems.envelope import Envelope, natural_width
from ..problems.exact_fit_losses import strict
from ..problems.losses import Loss
from ..problems.measured_reduction import MeasuredAffine
from ..problems.neuron_cost import L1Norm
from ..problems.sampling import Sampling
from .cholesky import factorise, solve


@dataclass(frozen=True, eq=False)
class Neurons:
    """Neurons sign_k amplitude_k relu(w_k.x - b_k), amplitude >= 0, planes (w_k, b_k), |w_k| = 1.

    |w_k| is |w_k|_1 in a `Core` with l1 set: amplitudes are what neurons cost.

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


class State(NamedTuple):
    """Objective of neurons with refitted affine part, and what follows from their values z.

    `value` is the objective of the model that masters minimise, `primal` that of the problem, `q`
    the dual point s p, `weights` the curvatures s_i d^2 l / dz^2 of a quadratic model.
    """

    value: float
    q: Array
    weights: Array
    primal: float


class Terms(NamedTuple):
    """sum_i s_i l(y_i, z_i): the loss, targets and weights, arrays of shape (n_terms,)."""

    loss: Loss
    y: Array
    s: Array


LEAST_CURVATURE = 1e-7
"""Curvatures of a quadratic model are at least this part of the largest: it needs a minimiser."""


@dataclass(frozen=True, eq=False)
class Core:
    """Reduced data with what is precomputed from them; values are in reduced units.

    The affine part is eliminated: for given ridge values it is refitted, so that every dual
    point satisfies [1 X]^T q = 0. Neurons live on points, targets on rows; several rows may share
    a point.

    Parameters
    ----------
    X : ndarray of shape (n, d)
        Distinct points.
    y, s : ndarray of shape (n_rows,)
    points : ndarray of shape (n_rows,), sparse array of shape (n_rows, n) or None
        Point of each row, or the matrix M of measurements; None if rows are points.
    alpha : float
    loss : Loss
        The loss of the problem, for bounds; constraints with less slack.
    model : Loss
        The smooth loss that masters minimise: the same, or an `Envelope` of it.
    basis : AffineBasis
        Of the rows.
    lift : float
        1 if hyperplanes are free, 0 if they all pass through the origin of X.
    l1 : bool
        Whether planes have |w|_1 = 1, the price of a neuron then, instead of |w|_2 = 1.
    """

    X: Array
    y: Array
    s: Array
    points: Any
    alpha: float
    loss: Loss
    model: Loss
    basis: AffineBasis
    lift: float = 1.0
    l1: bool = False
    _start: list[Array] = field(default_factory=list)

    @classmethod
    def of(cls, problem: RadonTVProblem) -> Core:
        """Return the core of a problem."""
        r = problem.reduction
        basis = AffineBasis.none(len(r.y), r.rank)
        if problem.measurements is not None:
            everything = np.ones(len(r.y), dtype=bool)
            basis = MeasuredAffine.of_samples(Sampling(r.X, everything, r.points), r.s)
        elif problem.skip == "affine":
            basis = AffineBasis.of(r.X if r.points is None else r.X[r.points], r.s)
        lift, l1 = float(problem.cost.free_bias), isinstance(problem.cost, L1Norm)
        loss = strict(problem.loss, problem.live_targets)
        return cls(r.X, r.y, r.s, r.points, r.alpha, loss, loss, basis, lift, l1).with_model()

    def with_model(self) -> Self:
        """Return the core with the model that masters begin with."""
        if not self.loss.sharp(self.residuals):
            return self
        return self.around(*first_envelope(self))

    @property
    def n(self) -> int:
        """Number of distinct points."""
        return len(self.X)

    @property
    def d(self) -> int:
        """Rank of the inputs."""
        return int(self.X.shape[1])

    @property
    def envelope(self) -> Envelope | None:
        """The model if it is an envelope of the loss."""
        return self.model if isinstance(self.model, Envelope) else None

    @property
    def terms(self) -> Terms:
        """The loss as a sum of terms of one output."""
        return Terms(self.loss, self.y, self.s)

    def around(self, centre: Array, mu: float) -> Self:
        """Return the core with the envelope of the loss around pseudo-residuals as its model."""
        return replace(self, model=Envelope(self.loss, centre, mu))

    @property
    def residuals(self) -> float:
        """Size of the residuals of the best constant, or of 0; see `residual_size`."""
        return residual_size(self.loss, self.y, self.s, level=self.even)

    @cached_property
    def lifted(self) -> Array:
        """Rows (x_i, -lift), so that lifted @ (w, b) = w.x - b; shape (n, d + 1)."""
        return np.column_stack([self.X, np.full(self.n, -self.lift)])

    @property
    def least_curvature(self) -> float:
        """Part of the largest curvature that those of a quadratic model are at least."""
        return LEAST_CURVATURE

    @property
    def even(self) -> bool:
        """Whether (w, b) and (-w, -b) are one neuron: they differ by a free affine function."""
        return bool(self.basis.columns.shape[1] > 0)

    def on_rows(self, values: Array) -> Array:
        """Return values at points, of shape (n,) or (n, m), at the rows."""
        if self.points is None:
            return values
        at_rows: Array = self.points @ values if issparse(self.points) else values[self.points]
        return at_rows

    def on_points(self, q: Array) -> Array:
        """Return the sums of q over the rows of each point, shape (n,)."""
        if self.points is None:
            return q
        if issparse(self.points):
            return np.asarray(self.points.T @ q)
        sums: Array = np.bincount(self.points, weights=q, minlength=self.n).astype(np.float64)
        return sums

    def features(self, planes: Array) -> Array:
        """Return relu(w_k.x_i - b_k), shape (n, n_neurons)."""
        return np.maximum(self.lifted @ planes.T, 0.0)

    def ridge(self, neurons: Neurons) -> Array:
        """Return sum_k sign_k amplitude_k relu(w_k.x - b_k) at the rows, shape (n_rows,)."""
        return self.on_rows(self.features(neurons.planes) @ (neurons.sign * neurons.amplitude))

    def without_affine(self, columns: Array, weights: Array | None = None) -> Array:
        """Return columns minus their weighted affine fit, for arrays (n_rows,) or (n_rows, m).

        The weights are those of the rows, s by default.
        """
        B = self.basis.columns
        if B.shape[1] == 0:
            return columns
        weight = self.s if weights is None else weights
        weighted = B.T @ (columns * (weight if columns.ndim == 1 else weight[:, None]))
        if weights is not None:
            gram = (B * weights[:, None]).T @ B
            weighted = solve(factorise(gram, 1e-15 * float(np.trace(gram))), weighted)
        return columns - B @ weighted

    def evaluate(self, ridge: Array, rtv: float) -> State:
        """Return the state of ridge values at the rows, affine part refitted."""
        y, s, model = self.y, self.s, self.model
        if model.quadratic:
            residual = self.without_affine(y - ridge)
            zero = np.zeros_like(residual)
            value = float(s @ model.value(residual, zero)) + self.alpha * rtv
            return State(value, -s * model.gradient(residual, zero), s, value)
        z = ridge + self.basis.columns @ self.affine_part(ridge)
        value = float(s @ model.value(y, z)) + self.alpha * rtv
        primal = value
        if model is not self.loss:
            primal = float(s @ self.loss.value(y, z)) + self.alpha * rtv
        curvature = model.curvature(y, z)
        top = float(curvature.max(initial=0.0)) or min(model.smoothness, 1.0)
        weights = s * np.maximum(curvature, self.least_curvature * top)
        return State(value, -s * model.gradient(y, z), weights, primal)

    def affine_part(self, ridge: Array) -> Array:
        """Return the coefficients theta of the best affine part for ridge values at the rows."""
        B = self.basis.columns
        if B.shape[1] == 0:
            return np.zeros(0)
        if self.model.quadratic:
            theta: Array = B.T @ (self.s * (self.y - ridge))
            return theta + B.T @ (self.s * (self.y - ridge - B @ theta))
        # The last answer is a good start; it does not influence the result beyond rounding.
        start = self._start[0] if self._start else np.zeros(B.shape[1])
        theta = fit_smooth(self.model, self.y, self.s, ridge, B, start)
        self._start[:] = [theta]
        return theta

    def state(self, neurons: Neurons) -> State:
        """Return the state of neurons."""
        return self.evaluate(self.ridge(neurons), float(neurons.amplitude.sum()))

    def eta(self, q: Array, planes: Array) -> Array:
        """Return eta_q at the planes, q on rows."""
        return self.on_points(q) @ self.features(planes)

    def largest_on_axes(self, q: Array) -> float:
        """Return the largest |eta_q| at the axes and all anchors, q at the points."""
        largest = 0.0
        for k, column in enumerate(np.argsort(self.X, axis=0).T):
            # From the last knot down.
            x, tail = self.X[column, k], np.cumsum(q[column][::-1])[::-1]
            steps = np.diff(x) * tail[1:]
            largest = max(largest, float(np.abs(np.cumsum(steps[::-1])).max(initial=0.0)))
        return largest

    def best_scale(self, q: Array, sup: float) -> float:
        """Return the t with |t| sup <= alpha that maximises D(t q)."""
        return self.loss.dual_scale(self.y, q, self.s, self.alpha / sup if sup > 0 else np.inf)

    def dual_value(self, q: Array, sup: float) -> float:
        """Return the largest D(t q) with |t| sup <= alpha."""
        t = self.best_scale(q, sup)
        return -float(self.s @ self.loss.conjugate(self.y, -t * q / self.s))

    def to_network(self, neurons: Neurons) -> RidgeSpline:
        """Return the neurons as a reduced network with refitted affine part."""
        coef, intercept = self.basis.evaluate(self.affine_part(self.ridge(neurons)))
        weights, biases = neurons.planes[:, :-1], neurons.planes[:, -1]
        amplitudes = neurons.sign * neurons.amplitude
        if self.l1:
            length = np.linalg.norm(weights, axis=1)
            amplitudes, biases = amplitudes * length, biases / length
            weights = weights / length[:, None]
        return RidgeSpline(amplitudes, weights, biases, coef, intercept)

    def from_network(self, network: RidgeSpline) -> Neurons:
        """Return the neurons of a reduced network, merged if antipodal neurons are one."""
        merged = network.merged() if self.even else network
        size = np.ones(merged.n_neurons)
        if self.l1:
            size = np.abs(merged.weights).sum(axis=1)
        return Neurons(
            np.sign(merged.amplitudes),
            np.abs(merged.amplitudes) * size,
            np.column_stack([merged.weights, merged.biases]) / size[:, None],
        )


def first_envelope(core: Core) -> tuple[Array, float]:
    """Return the p and mu of the envelope that the method of multipliers starts with.

    For a loss with bounded slopes: the pseudo-residuals of the best free function, with mu the
    size of the residuals, so that many rows are near their kink at first. For constraints: 0,
    where the envelope is a squared loss with penalty mu alpha, a hundredth of the largest whose
    optimum is not free.
    """
    loss, y, s, B = core.loss, core.y, core.s, core.basis.columns
    low, high = loss.dual_interval(y)
    if np.isfinite(high - low).all():
        mu = natural_width(loss, y, core.residuals)
        return fit_with_multipliers(loss, y, s, np.zeros_like(y), B, mu)[1], mu
    mu = 0.01 * core.largest_on_axes(core.on_points(s * core.without_affine(y))) / core.alpha
    return np.zeros_like(y), mu if mu > 0.0 else 1.0
