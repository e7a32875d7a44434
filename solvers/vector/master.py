"""The sliding Newton master for several outputs: planes and output directions move together.

The objective G(sum_k u_k relu(v_k.(x, -1)) + affine) + alpha sum_k |v_k| in v_k = amplitude_k
(w_k, b_k) and unit u_k in R^D. Hyperplanes hold data points as with one output (see
`newton_master`, whose faces and walls are used with q_k = Q u_k); besides, u_k turns by
T_k t_k, T_k (D, D - 1) an orthonormal basis of its tangents. With M_k = Q^T D_k (X, -1) the
second-order terms of neuron k are

    1/2 dv^T (alpha (I - w w^T) / |v|) dv  -  (T t)^T M_k dv  +  1/2 (u_k^T M_k v_k) |t|^2

At an optimum alpha |v| - u^T M_k v >= 0 for all v of the face and unit u, with equality at
the neuron, so that this form is positive semidefinite there; elsewhere its negative part is left
out. The curvature of the loss (Gauss-Newton, affine part eliminated) is added.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...problems.checks import Array
from .._circle_kernels import Ints
from .._face_kernels import model_columns
from ..sliding_newton import QuadraticModel, SlidingNewton, settle
from ..walls import Walls
from ._face_kernels import active_moments, tangents, vector_faces, vector_kinks_ahead
from .amplitudes import weighted_columns
from .core import VectorCore, VectorNeurons, VectorState


@dataclass
class _VectorModel(QuadraticModel):
    """The model of one output, followed by the turns of the output directions."""

    turns: Array
    """T_k, shape (K, D, D - 1); (K, D, 0) if directions are fixed."""


class VectorMaster(SlidingNewton[VectorNeurons]):
    """Sliding Newton method; `solve` lowers the objective to a stationary point."""

    core: VectorCore

    def solve(self, neurons: VectorNeurons, accuracy: float, max_steps: int = 50) -> VectorNeurons:
        """Return neurons with a lower objective.

        Parameters
        ----------
        neurons : VectorNeurons
            Of positive amplitude.
        accuracy : float
            Stop once a step lowers the objective by less than this (absolute, reduced units).
        """
        return self.descend(neurons, accuracy, max_steps)

    @property
    def points(self) -> tuple[Array, float]:
        """Points of the core; hyperplanes are free."""
        return self.core.inputs.X, 1.0

    def step(
        self, neurons: VectorNeurons, state: VectorState
    ) -> tuple[VectorNeurons, VectorState] | None:
        """Return neurons of a lower objective and their state, None if the step gave none."""
        Q = self.core.on_points(state.q)
        model = self._model(neurons, Q, state.root)
        delta, turn, length = self._direction(neurons, Q, model)

        def rebuild(t: float, amplitudes: Array, planes: Array) -> VectorNeurons:
            direction = neurons.direction
            if turn.any():
                direction = direction + t * turn
                direction = direction / np.linalg.norm(direction, axis=1, keepdims=True)
            return VectorNeurons(direction, amplitudes, planes)

        return self.search(neurons, model.role, delta, length, state.value, rebuild)

    def _model(self, neurons: VectorNeurons, Q: Array, root: Array | None) -> _VectorModel:
        core, U = self.core, neurons.direction
        K, p = neurons.planes.shape
        role = np.empty((K, core.n), dtype=np.int8)
        basis, sizes = np.zeros((K, p, p)), np.empty(K, dtype=np.int64)
        slopes, residual = np.empty((K, p)), np.empty(K)
        X = core.inputs.X
        vector_faces(X, Q, core.alpha, U, neurons.planes, role, basis, sizes, slopes, residual)
        settle(neurons.scalar, residual, basis, sizes)
        offsets = np.concatenate([[0], np.cumsum(sizes)])
        turns = np.zeros((K, core.D, core.D - 1 if core.shared else 0))
        if turns.size:
            tangents(U, turns)
        columns = np.empty((offsets[-1], core.n))
        model_columns(X, 1.0, np.ones(K), role, basis, sizes, offsets, columns)
        heights = neurons.amplitude * core.inputs.features(neurons.planes)
        hessian = self._curvature(
            neurons, columns, heights, np.repeat(U, sizes, axis=0), turns, root
        )
        gradient = np.zeros(len(hessian))
        moments = np.empty((K, core.D, p))
        active_moments(X, Q, role, moments)
        self._penalty(neurons, moments, slopes, basis, sizes, offsets, turns, hessian, gradient)
        hessian[np.diag_indices_from(hessian)] += 1e-12 * np.trace(hessian) / len(hessian)
        return _VectorModel(role, basis, sizes, offsets, slopes, residual, hessian, gradient, turns)

    def _curvature(
        self,
        neurons: VectorNeurons,
        columns: Array,
        heights: Array,
        outputs: Array,
        turns: Array,
        root: Array | None,
    ) -> Array:
        """Return the Gauss-Newton Hessian in all variables.

        Its columns are c_m u_k (faces) and amplitude_k relu_k T_km (turns).
        """
        core, count = self.core, turns.shape[2]
        raw = np.concatenate([columns.T, np.repeat(heights, count, axis=1)], axis=1)
        wide = np.concatenate([outputs, turns.transpose(0, 2, 1).reshape(-1, core.D)])
        rows = core.inputs.on_rows(raw)
        if root is not None:
            own = weighted_columns(core, rows, wide, root)
            return np.asarray(own.T @ own)
        # Inner products factor, and the turns of a neuron share their column.
        single = core.inputs.on_rows(np.concatenate([columns.T, heights], axis=1))
        free = core.inputs.without_affine(single) * np.sqrt(core.s)[:, None]
        gram = free.T @ free
        faces = len(columns)
        which = np.concatenate(
            [np.arange(faces), faces + np.repeat(np.arange(len(neurons)), count)]
        )
        return np.asarray(gram[np.ix_(which, which)] * (wide @ wide.T))

    def _penalty(
        self,
        neurons: VectorNeurons,
        moments: Array,
        slopes: Array,
        basis: Array,
        sizes: Ints,
        offsets: Ints,
        turns: Array,
        hessian: Array,
        gradient: Array,
    ) -> None:
        """Add the second-order terms of each neuron and damping, and fill the gradient."""
        alpha, d, count = self.core.alpha, self.core.d, turns.shape[2]
        faces = int(offsets[-1])
        for size in np.unique(sizes):
            which = np.flatnonzero(sizes == size)
            amplitude = neurons.amplitude[which]
            V = basis[which][:, :, :size]
            w, T = neurons.planes[which, :d], turns[which]
            along = np.einsum("kd,kdm->km", w, V[:, :d])
            square = np.einsum("kdm,kdl->kml", V[:, :d], V[:, :d])
            bend = (alpha / amplitude)[:, None, None] * (
                square - along[:, :, None] * along[:, None, :]
            )
            v = amplitude[:, None] * neurons.planes[which]
            pulled = np.einsum("kcp,kp->kc", moments[which], v)
            cross = -np.einsum("kcm,kcp,kpl->kml", T, moments[which], V)
            level = np.maximum((neurons.direction[which] * pulled).sum(axis=1), 0.0)
            # Turns are measured in lengths of the neuron, so that both parts have one scale.
            block = np.zeros((len(which), size + count, size + count))
            block[:, :size, :size] = bend
            block[:, size:, :size] = cross / amplitude[:, None, None]
            block[:, :size, size:] = block[:, size:, :size].transpose(0, 2, 1)
            turn = np.arange(size, size + count)
            block[:, turn, turn] = (level / amplitude**2)[:, None]
            if count:
                value, vectors = np.linalg.eigh(block)
                block = (vectors * np.maximum(value, 0.0)[:, None, :]) @ vectors.transpose(0, 2, 1)
            every = np.arange(size + count)
            block[:, every, every] += (self.damping * alpha / amplitude)[:, None]
            scale = np.ones((len(which), size + count))
            scale[:, size:] = amplitude[:, None]
            block *= scale[:, :, None] * scale[:, None, :]
            place = offsets[which][:, None] + np.arange(size)
            place = np.concatenate(
                [place, faces + which[:, None] * count + np.arange(count)], axis=1
            )
            np.add.at(hessian, (place[:, :, None], place[:, None, :]), block)
            gradient[place[:, :size]] = np.einsum("kpm,kp->km", V, slopes[which])
            gradient[place[:, size:]] = -np.einsum("kcm,kc->km", T, pulled)

    def _direction(
        self, neurons: VectorNeurons, Q: Array, model: _VectorModel
    ) -> tuple[Array, Array, Array]:
        """Return delta (K, d + 1), turns (K, D), and how far each neuron may follow (K,)."""
        walls = _VectorWalls(self.core, neurons, Q, model)

        def ahead(delta: Array, slope: Array, length: Array, blocker: Ints) -> None:
            vector_kinks_ahead(
                self.core.inputs.X, Q, neurons.direction, neurons.amplitude, neurons.planes,
                model.role, delta, slope, length, blocker,
            )  # fmt: skip

        delta, length = walls.follow(ahead)
        K, _, count = model.turns.shape
        angles = walls.step_coordinates[model.offsets[-1] :].reshape(K, count)
        return delta, np.einsum("kcm,km->kc", model.turns, angles), length


class _VectorWalls(Walls):
    """Walls whose multipliers lie in [0, |Q_j.u_k|]; turns of directions meet none."""

    def __init__(
        self, core: VectorCore, neurons: VectorNeurons, Q: Array, model: _VectorModel
    ) -> None:
        super().__init__(core.inputs, neurons.scalar, Q[:, 0], model)
        self.pulls = Q @ neurons.direction.T

    def add(self, which: Ints, points: Ints) -> None:
        """Make the points walls of the neurons `which`."""
        super().add(which, points)
        if len(which):
            self.prices[-len(which) :] = np.abs(self.pulls[points, which])
