"""The reduced problem with several outputs as its solver sees it, and the neurons it moves."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import NamedTuple, Self

import numpy as np

from ...problems import RidgeSpline
from ...problems.affine import AffineBasis
from ...problems.affine_fit import residual_size
from ...problems.checks import Array
from ...problems.envelope import Envelope, natural_width
from ...problems.exact_fit_losses import strict
from ...problems.multi_output import MultiOutputProblem
from ...problems.regression_losses import SquaredLoss
from ...problems.vector.affine import fit_free_outputs, fit_outputs
from ...problems.vector.losses import SumOfOutputs, VectorLoss
from ...problems.vector.reduction import affine_of
from ..core import LEAST_CURVATURE, Core, Neurons, Terms


@dataclass(frozen=True, eq=False)
class VectorNeurons:
    """Neurons u_k amplitude_k relu(w_k.x - b_k), u_k in R^D of unit norm, |w_k| = 1.

    The direction u_k takes the place of the sign of a neuron with one output. With the norm "l1"
    it is a signed unit vector: one output per neuron.

    Parameters
    ----------
    direction : ndarray of shape (n_neurons, n_outputs)
    amplitude : ndarray of shape (n_neurons,)
        ||a_k|| >= 0.
    planes : ndarray of shape (n_neurons, n_features + 1)
        Rows (w_k, b_k).
    """

    direction: Array
    amplitude: Array
    planes: Array

    @classmethod
    def none(cls, n_features: int, n_outputs: int) -> VectorNeurons:
        """Return the empty set of neurons."""
        return cls(np.zeros((0, n_outputs)), np.zeros(0), np.zeros((0, n_features + 1)))

    def __len__(self) -> int:
        return len(self.amplitude)

    def take(self, which: np.ndarray) -> VectorNeurons:
        """Return the neurons selected by a mask or by indices."""
        return VectorNeurons(self.direction[which], self.amplitude[which], self.planes[which])

    def join(self, other: VectorNeurons) -> VectorNeurons:
        """Return these neurons followed by the others."""
        return VectorNeurons(
            np.concatenate([self.direction, other.direction]),
            np.concatenate([self.amplitude, other.amplitude]),
            np.concatenate([self.planes, other.planes]),
        )

    @property
    def scalar(self) -> Neurons:
        """The same planes and amplitudes with sign 1, for what does not look at outputs."""
        return Neurons(np.ones(len(self)), self.amplitude, self.planes)

    @property
    def vectors(self) -> Array:
        """Amplitudes a_k = amplitude_k u_k, shape (n_neurons, n_outputs)."""
        return self.amplitude[:, None] * self.direction


class VectorState(NamedTuple):
    """Objective with refitted affine part, dual point q (n_rows, D), and a root of the curvature.

    `value` is the objective of the model that masters minimise, `primal` that of the problem.
    `root` (n_rows, D, D) has root_i root_i^T = s_i d^2 l / dz^2, not less than a small part of
    the largest; None for the squared loss, where it is sqrt(s_i) I.
    """

    value: float
    q: Array
    root: Array | None
    primal: float


@dataclass(frozen=True, eq=False)
class RotatedLoss:
    """The loss of scores z' with z = V z': what solvers need of it.

    Parameters
    ----------
    loss : VectorLoss
    targets : ndarray of shape (n, D)
        In the original outputs.
    outputs : ndarray of shape (D, D') or None
        V; None stands for the identity.
    """

    loss: VectorLoss
    targets: Array
    outputs: Array | None

    def up(self, Z: Array) -> Array:
        """Return Z V^T."""
        return Z if self.outputs is None else Z @ self.outputs.T

    def down(self, G: Array) -> Array:
        """Return G V."""
        return G if self.outputs is None else G @ self.outputs

    def value(self, Z: Array) -> Array:
        """Return the loss of each row."""
        return self.loss.value(self.targets, self.up(Z))

    def gradient(self, Z: Array) -> Array:
        """Return its gradient."""
        return self.down(self.loss.gradient(self.targets, self.up(Z)))

    def curvature(self, Z: Array) -> Array:
        """Return its Hessian of each row."""
        blocks = self.loss.curvature(self.targets, self.up(Z))
        if self.outputs is None:
            return blocks
        rotated: Array = self.outputs.T @ blocks @ self.outputs
        return rotated


@dataclass(frozen=True, eq=False)
class VectorCore:
    """Reduced data with what is precomputed from them; values are in reduced units.

    Parameters
    ----------
    inputs : Core
        Points, weights and affine functions of one output; its targets are zero.
    Y : ndarray of shape (n_rows, D)
        Reduced targets (squared loss).
    alpha : float
    loss : RotatedLoss
        The loss of the problem, for bounds.
    model : RotatedLoss
        The smooth loss that masters minimise: the same, or the envelope of a sum over outputs.
    quadratic : bool
    free : ndarray of shape (D, D')
        Directions of the outputs of the affine part.
    norm : {"l2", "l1"}
    """

    inputs: Core
    Y: Array
    alpha: float
    loss: RotatedLoss
    model: RotatedLoss
    quadratic: bool
    free: Array
    norm: str
    _start: list[Array] = field(default_factory=list)

    @classmethod
    def of(cls, problem: MultiOutputProblem) -> VectorCore:
        """Return the core of a problem."""
        r, squared = problem.reduction, SquaredLoss()
        basis = AffineBasis.of(r.X if r.points is None else r.X[r.points], r.s)
        zero = np.zeros(len(r.s))
        inputs = Core(r.X, zero, r.s, r.points, r.alpha, squared, squared, basis)
        quadratic = problem.loss.quadratic
        summed = isinstance(problem.loss, SumOfOutputs)
        loss = RotatedLoss(_strict(problem), r.Y, None if summed else r.outputs)
        whole = summed or r.outputs is not None
        free = np.eye(r.n_outputs) if whole else problem.free_outputs
        norm = problem.output_norm
        core = cls(inputs, r.Y, r.alpha, loss, loss, quadratic, free, norm)
        return core.around(*first_envelope(core)) if problem.loss.sharp(r.Y, r.s) else core

    @property
    def envelope(self) -> Envelope | None:
        """The model of one output if it is an envelope of the loss."""
        one = getattr(self.model.loss, "one", None)
        return one if isinstance(one, Envelope) else None

    @property
    def terms(self) -> Terms:
        """The loss as a sum of terms of one output, entries of arrays (n_rows, D) row by row."""
        loss = self.loss.loss
        assert isinstance(loss, SumOfOutputs)
        return Terms(loss.one, self.loss.targets.ravel(), np.repeat(self.s, self.D))

    def around(self, centre: Array, mu: float) -> Self:
        """Return the core with the envelope of the loss around pseudo-residuals as its model."""
        model = SumOfOutputs(Envelope(self.terms.loss, centre, mu))
        return replace(self, model=replace(self.loss, loss=model))

    @property
    def n(self) -> int:
        """Number of distinct points."""
        return self.inputs.n

    @property
    def d(self) -> int:
        """Rank of the inputs."""
        return self.inputs.d

    @property
    def D(self) -> int:
        """Number of reduced outputs."""
        return len(self.free)

    @property
    def s(self) -> Array:
        """Weights of the rows."""
        return self.inputs.s

    @property
    def shared(self) -> bool:
        """Whether a neuron serves several outputs (norm "l2")."""
        return self.norm == "l2"

    def on_points(self, Q: Array) -> Array:
        """Return the sums of Q over the rows of each point, shape (n, D)."""
        points = self.inputs.points
        if points is None:
            return Q
        sums = np.zeros((self.n, Q.shape[1]))
        np.add.at(sums, points, Q)
        return sums

    def columns(self, planes: Array) -> Array:
        """Return relu(w_k.x - b_k) at the rows, shape (n_rows, n_neurons)."""
        return self.inputs.on_rows(self.inputs.features(planes))

    def ridge(self, neurons: VectorNeurons) -> Array:
        """Return sum_k u_k amplitude_k relu(w_k.x - b_k) at the rows, shape (n_rows, D)."""
        return self.inputs.on_rows(self.inputs.features(neurons.planes) @ neurons.vectors)

    def evaluate(self, ridge: Array, penalty: float) -> VectorState:
        """Return the state of ridge values at the rows, affine part refitted."""
        s, cost = self.s, self.alpha * penalty
        if self.quadratic:
            residual = self.inputs.without_affine(self.Y - ridge)
            value = 0.5 * float(s @ (residual * residual).sum(axis=1)) + cost
            return VectorState(value, s[:, None] * residual, None, value)
        z = ridge + self.inputs.basis.columns @ self.affine_part(ridge) @ self.free.T
        model = self.model
        value = float(s @ model.value(z)) + cost
        primal = value if model is self.loss else float(s @ self.loss.value(z)) + cost
        blocks = model.curvature(z)
        top = float(np.einsum("icc->ic", blocks).max(initial=0.0))
        top = top or min(model.loss.smoothness, 1.0)
        blocks = s[:, None, None] * (blocks + LEAST_CURVATURE * top * np.eye(self.D))
        root = np.asarray(np.linalg.cholesky(blocks), dtype=np.float64)
        return VectorState(value, -s[:, None] * model.gradient(z), root, primal)

    def affine_part(self, ridge: Array) -> Array:
        """Return the coefficients theta (r, D') of the best affine part for ridge values."""
        B = self.inputs.basis.columns
        if self.quadratic:
            theta: Array = B.T @ (self.s[:, None] * (self.Y - ridge))
            return theta + B.T @ (self.s[:, None] * (self.Y - ridge - B @ theta))
        loss, start = self.model, np.zeros((B.shape[1], self.free.shape[1]))
        if self._start:
            # The last answer is a good start; it influences the result by rounding only.
            start = self._start[0]
        wide = self.free if loss.outputs is None else loss.outputs @ self.free
        theta = fit_outputs(loss.loss, loss.targets, self.s, loss.up(ridge), B, wide, start)
        self._start[:] = [theta]
        return theta

    def state(self, neurons: VectorNeurons) -> VectorState:
        """Return the state of neurons."""
        return self.evaluate(self.ridge(neurons), float(neurons.amplitude.sum()))

    def eta(self, Q: Array, planes: Array) -> Array:
        """Return eta_Q at the planes, Q on rows; shape (n_planes, D)."""
        value: Array = self.inputs.features(planes).T @ self.on_points(Q)
        return value

    def dual_norm(self, eta: Array) -> Array:
        """Return ||eta_k|| in the dual norm, for rows."""
        if self.shared:
            return np.asarray(np.linalg.norm(eta, axis=1))
        size: Array = np.abs(eta).max(axis=1, initial=0.0)
        return size

    def best_scale(self, Q: Array, sup: float) -> float:
        """Return the t with |t| sup <= alpha that maximises D(t Q)."""
        limit = self.alpha / sup if sup > 0 else np.inf
        targets = self.Y if self.quadratic else self.loss.targets
        wide = Q if self.quadratic else self.loss.up(Q)
        return self.loss.loss.dual_scale(targets, wide, self.s, limit)

    def dual_value(self, Q: Array, sup: float) -> float:
        """Return the largest D(t Q) with |t| sup <= alpha."""
        t = self.best_scale(Q, sup)
        targets = self.Y if self.quadratic else self.loss.targets
        wide = Q if self.quadratic else self.loss.up(Q)
        return -float(self.s @ self.loss.loss.conjugate(targets, -t * wide / self.s[:, None]))

    def to_network(self, neurons: VectorNeurons) -> RidgeSpline:
        """Return the neurons as a reduced network with refitted affine part."""
        theta = self.affine_part(self.ridge(neurons)) @ self.free.T
        coef, intercept = affine_of(self.inputs.basis, theta)
        weights, biases = neurons.planes[:, :-1], neurons.planes[:, -1]
        return RidgeSpline(neurons.vectors, weights, biases, coef, intercept)

    def from_network(self, network: RidgeSpline) -> VectorNeurons:
        """Return the neurons of a reduced network, merged; with "l1" one per output."""
        merged = network.merged()
        A, planes = merged.amplitudes, np.column_stack([merged.weights, merged.biases])
        if self.shared:
            size = np.linalg.norm(A, axis=1)
            return VectorNeurons(A / np.where(size > 0, size, 1.0)[:, None], size, planes)
        k, c = np.nonzero(A)
        direction = np.zeros((len(k), self.D))
        direction[np.arange(len(k)), c] = np.sign(A[k, c])
        return VectorNeurons(direction, np.abs(A[k, c]), planes[k])


def _strict(problem: MultiOutputProblem) -> VectorLoss:
    """Return the loss, constraints of the outputs that the reduction keeps with less slack."""
    if not isinstance(problem.loss, SumOfOutputs):
        return problem.loss
    kept, T = problem.reduction.outputs, problem.live_targets
    return SumOfOutputs(strict(problem.loss.one, T if kept is None else T @ kept))


def first_envelope(core: VectorCore) -> tuple[Array, float]:
    """Return the P and mu of the first envelope, as `core.first_envelope` with one output."""
    s, B = core.s, core.inputs.basis.columns
    loss, T = core.loss.loss, core.loss.targets
    one, zero = core.terms.loss, np.zeros_like(T)
    if np.isfinite(np.subtract(*loss.dual_interval(T))).all():
        size = max(residual_size(one, t, s) for t in T.T)
        start = np.zeros((B.shape[1], core.D))
        P = fit_free_outputs(loss, T, s, zero, B, core.free, start)[1]
        assert P is not None
        return P, natural_width(one, T, size)
    Q = core.on_points(s[:, None] * core.inputs.without_affine(T))
    largest = [core.inputs.largest_on_axes(np.ascontiguousarray(q)) for q in Q.T]
    mu = 0.01 * float(core.dual_norm(np.array([largest]))[0]) / core.alpha
    return zero, mu if mu > 0.0 else 1.0
