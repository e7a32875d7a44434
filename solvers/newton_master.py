"""The dedicated master: all neurons slide together, by Newton's method along the faces of cells.

Over the cells of its neurons the problem is the convex program

    min  G(z) + alpha sum_k |u_k|,   z = sum_k sign_k D_k (X u_k - beta_k) + A (c0, c)

in v_k = (u_k, beta_k) = amplitude_k (w_k, b_k). At a solution most hyperplanes meet data points:
there the objective has a kink, and the neuron is *held* (Pilanci and Ergen, "Neural networks are
convex regularizers", 2020, for the program). One step

1. decides for every neuron which of the points on its hyperplane it holds (least-norm slope);
2. takes the Newton step in the remaining directions of all neurons together;
3. finds the kinks that the step would cross against the slope, makes them equations
   (x_j, -1).(v_k + delta_k) = 0 with multipliers in [0, |q_j|], and repeats 2 by a Schur
   complement until nothing changes;
4. searches along the step on the true objective, which can only fall.

A neuron may cross into the next cell on the way: the set of cells is not fixed, and the result is
never worse than the program's over the cells of the start.
"""

from __future__ import annotations

import numpy as np

from ..problems.checks import Array
from ._circle_kernels import Ints
from ._face_kernels import faces, kinks_ahead, model_columns, norm_terms
from .amplitudes import refit_amplitudes
from .core import Core, Neurons, State
from .sliding_newton import QuadraticModel, SlidingNewton, settle
from .walls import Walls


class NewtonMaster(SlidingNewton[Neurons]):
    """Sliding Newton method over neurons; `solve` lowers the objective to a stationary point."""

    name = "newton"

    core: Core

    def solve(self, neurons: Neurons, accuracy: float, max_steps: int = 50) -> Neurons:
        """Return neurons with a lower objective.

        Parameters
        ----------
        neurons : Neurons
            Amplitudes of 0 mark new planes.
        accuracy : float
            Stop once a step lowers the objective by less than this (absolute, reduced units).
        """
        return self.descend(refit_amplitudes(self.core, neurons), accuracy, max_steps)

    @property
    def points(self) -> tuple[Array, float]:
        """Points of the core and its lift."""
        return self.core.X, self.core.lift

    def step(self, neurons: Neurons, state: State) -> tuple[Neurons, State] | None:
        """Return neurons of a lower objective and their state, None if the step gave none."""
        q = self.core.on_points(state.q)
        model = self._model(neurons, q, state.weights)
        delta, length = self._direction(neurons, q, model)

        def rebuild(_: float, amplitudes: Array, planes: Array) -> Neurons:
            return Neurons(neurons.sign, amplitudes, planes)

        return self.search(neurons, model.role, delta, length, state.value, rebuild)

    def _model(self, neurons: Neurons, q: Array, weights: Array) -> QuadraticModel:
        core = self.core
        K, p = neurons.planes.shape
        role = np.empty((K, core.n), dtype=np.int8)
        basis, sizes = np.zeros((K, p, p)), np.empty(K, dtype=np.int64)
        slopes, residual = np.empty((K, p)), np.empty(K)
        faces(
            core.X,
            core.lift,
            q,
            core.alpha,
            neurons.sign,
            neurons.planes,
            role,
            basis,
            sizes,
            slopes,
            residual,
        )
        settle(neurons, residual, basis, sizes)
        offsets = np.concatenate([[0], np.cumsum(sizes)])
        columns = np.empty((offsets[-1], core.n))
        model_columns(core.X, core.lift, neurons.sign, role, basis, sizes, offsets, columns)
        rows = core.on_rows(columns.T)
        own = core.without_affine(rows, None if core.model.quadratic else weights)
        free = own * np.sqrt(weights)[:, None]
        hessian = free.T @ free
        gradient = np.empty(offsets[-1])
        norm_terms(
            core.alpha,
            neurons.amplitude,
            neurons.planes,
            slopes,
            basis,
            sizes,
            offsets,
            self.damping,
            hessian,
            gradient,
        )
        hessian[np.diag_indices_from(hessian)] += 1e-12 * np.trace(hessian) / len(hessian)
        return QuadraticModel(role, basis, sizes, offsets, slopes, residual, hessian, gradient)

    def _direction(self, neurons: Neurons, q: Array, model: QuadraticModel) -> tuple[Array, Array]:
        """Return delta (K, p) and how far each neuron may follow it (K,): steps 2 and 3."""
        core = self.core

        def ahead(delta: Array, slope: Array, length: Array, blocker: Ints) -> None:
            kinks_ahead(
                core.X, core.lift, q, neurons.sign, neurons.amplitude, neurons.planes, model.role,
                delta, slope, length, blocker,
            )  # fmt: skip

        return Walls(core, neurons, q, model).follow(ahead)
