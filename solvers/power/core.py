"""The reduced problem of order m >= 3 as its solver sees it."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from ...problems.checks import Array
from ...problems.envelope import Envelope
from ...problems.exact_fit_losses import strict
from ...problems.higher_order import HigherOrderProblem
from ...problems.power.polynomial_basis import PolynomialBasis
from ...problems.power.polynomials import Polynomial
from ...problems.power.spline import PowerSpline, truncated_power
from ..core import Core, Neurons

KINKED_CURVATURE = 1e-4
"""Least part of the largest curvature where the model is an envelope."""
MOST_ANCHORS = 64
"""Biases per axis at which eta is looked at for its size."""


@dataclass(frozen=True, eq=False)
class PowerCore(Core):
    """A `Core` whose neurons are psi_m(w.x - b) and whose free functions are polynomials.

    Parameters
    ----------
    order : int
        m.
    """

    order: int = 3

    @classmethod
    def of_problem(cls, problem: HigherOrderProblem) -> PowerCore:
        """Return the core of a problem."""
        r, loss = problem.reduction, strict(problem.loss, problem.live_targets)
        rows = r.X if r.points is None else r.X[r.points]
        basis = PolynomialBasis.of_order(rows, r.s, problem.order)
        core = cls(r.X, r.y, r.s, r.points, r.alpha, loss, loss, basis, order=problem.order)
        return core.with_model()

    @property
    def degree(self) -> int:
        """Degree m - 1 of the pieces."""
        return self.order - 1

    @property
    def least_curvature(self) -> float:
        """More than for a ReLU at kinks: large steps make polynomials that are slow to fit."""
        return super().least_curvature if self.envelope is None else KINKED_CURVATURE

    @property
    def only_polynomials(self) -> bool:
        """Whether polynomials take any values at the points: then A_m^T q = 0 means eta = 0."""
        return self.d == 0 or self.n <= self.basis.columns.shape[1]

    def best_scale(self, q: Array, sup: float) -> float:
        """Return the t with |t| sup <= alpha that maximises D(t q), in [0, 1] where eta = 0.

        There t is limited by the domain of l* only, but a large one takes t q out of the null space
        by rounding.
        """
        best = super().best_scale(q, sup)
        return best if sup > 0.0 else min(max(best, 0.0), 1.0)

    def distance_to_constraints(self, theta: Array) -> PowerCore:
        """Return the core with the squared distance from constraints as its model.

        Its polynomial part is the one with coefficients `theta` if that meets them.
        """
        return replace(self, model=Envelope(self.loss, np.zeros_like(self.y), 1.0), _start=[theta])

    def largest_on_axes(self, q: Array) -> float:
        """Return the largest |eta_q| at the axes and `MOST_ANCHORS` data, q at the points."""
        some = np.linspace(0, self.n - 1, min(self.n, MOST_ANCHORS)).astype(np.intp)
        largest = 0.0
        for k, column in enumerate(np.argsort(self.X, axis=0).T):
            planes = np.zeros((len(some), self.d + 1))
            planes[:, k], planes[:, -1] = 1.0, self.X[column[some], k]
            largest = max(largest, float(np.abs(q @ self.features(planes)).max(initial=0.0)))
        return largest

    def features(self, planes: Array) -> Array:
        """Return psi_m(w_k.x_i - b_k), shape (n, n_neurons)."""
        return truncated_power(self.lifted @ planes.T, self.order)


def lower_spline(problem: HigherOrderProblem, core: PowerCore, network: PowerSpline) -> Neurons:
    """Return the atoms of a spline in reduced units; those constant on the data are dropped.

    a psi_m(w.x - b) = a (|V^T w| g)^p psi_m(w'.x' - b') with p = m - 1, g the unit of the inputs.
    """
    r, p = problem.reduction, core.degree
    merged = network.merged()
    weights, biases, length = r.lower_hyperplanes(merged.weights, merged.biases)
    live = length > 0.0
    weights = weights[live] / np.linalg.norm(weights[live], axis=1, keepdims=True)
    amplitudes = merged.amplitudes[live] * (length[live] * r.x_scale) ** p / r.y_scale
    planes = np.column_stack([weights, biases[live]])
    return Neurons(np.sign(amplitudes), np.abs(amplitudes), planes)


def raise_neurons(problem: HigherOrderProblem, core: PowerCore, neurons: Neurons) -> PowerSpline:
    """Return neurons of the reduced problem as a spline with refitted polynomial part.

    For losses with kinks it is the one that fits the model of the core, as with one that meets
    constraints only at the amplitudes that go with it.
    """
    r = problem.reduction
    weights, biases = r.raise_hyperplanes(neurons.planes[:, :-1], neurons.planes[:, -1])
    amplitudes = neurons.sign * neurons.amplitude * (r.y_scale / r.x_scale**problem.degree)
    zero = Polynomial.zero(problem.n_features)
    raised = PowerSpline(amplitudes, weights, biases, zero, problem.order)
    if problem.loss.smooth:
        return problem.refit_polynomial(raised)
    own = core.basis.columns @ core.affine_part(core.ridge(neurons))
    groups = r.groups[problem.live]
    values = r.y_scale * own[groups] + r.affine_values(problem.live_inputs)
    return problem.with_polynomial_of(raised, values)


def orient(neurons: Neurons, order: int) -> Neurons:
    """Return the neurons with the largest entry of every w positive, by the parity of psi_m.

    Up to a free polynomial psi_m(t) = (-1)^m psi_m(-t).
    """
    w = neurons.planes[:, :-1]
    if len(neurons) == 0 or w.shape[1] == 0:
        return neurons
    largest = w[np.arange(len(w)), np.argmax(np.abs(w), axis=1)]
    turn = np.where(largest < 0.0, -1.0, 1.0)
    sign = neurons.sign * turn if order % 2 == 1 else neurons.sign
    return Neurons(sign, neurons.amplitude, neurons.planes * turn[:, None])
