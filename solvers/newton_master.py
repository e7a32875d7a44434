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

from dataclasses import dataclass

import numpy as np

from ..problems.checks import Array
from ._circle_kernels import Ints
from ._face_kernels import (
    ABOVE,
    CROSSED,
    WALL,
    WAS_ACTIVE,
    Roles,
    expand,
    faces,
    kinks_ahead,
    model_columns,
    norm_terms,
    snap,
)
from .amplitudes import refit_amplitudes
from .cholesky import factorise, solve
from .core import Core, Neurons, State

INNER = 12
"""Most repetitions of step 3."""
MOST_VARIABLES = 1500
"""Size of the linear system above which most neurons only change their amplitude in a step."""


@dataclass
class QuadraticModel:
    """Quadratic model around the current neurons, in coordinates of their faces."""

    role: Roles
    basis: Array
    sizes: Ints
    offsets: Ints
    slopes: Array
    residual: Array
    hessian: Array
    gradient: Array


class NewtonMaster:
    """Sliding Newton method over neurons; `solve` lowers the objective to a stationary point."""

    name = "newton"

    def __init__(self, core: Core) -> None:
        self.core = core
        self.damping = 0.0

    def solve(self, neurons: Neurons, accuracy: float, max_steps: int = 50) -> Neurons:
        """Return neurons with a lower objective.

        Parameters
        ----------
        neurons : Neurons
            Amplitudes of 0 mark new planes.
        accuracy : float
            Stop once a step lowers the objective by less than this (absolute, reduced units).
        """
        core = self.core
        neurons = refit_amplitudes(core, neurons)
        self.damping = 0.0
        state = core.state(neurons)
        for _ in range(max_steps):
            if len(neurons) == 0:
                break
            q = core.on_points(state.q)
            model = self._model(neurons, q, state.weights)
            delta, length = self._direction(neurons, q, model)
            found = self._search(neurons, model, delta, length, state.value)
            if found is None:
                if self.damping > 1e3:
                    break
                self.damping = max(10 * self.damping, 1e-2)
                continue
            fall = state.value - found[1].value
            neurons, state = found
            if fall <= accuracy:
                break
        return neurons

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
        walls = Walls(self.core, neurons, q, model)
        length = np.empty(len(neurons))
        blocker = np.empty(len(neurons), dtype=np.int64)
        for inner in range(INNER + 1):
            delta = walls.step()
            slope = np.einsum("kp,kp->k", model.slopes, delta)
            kinks_ahead(
                self.core.X,
                self.core.lift,
                q,
                neurons.sign,
                neurons.amplitude,
                neurons.planes,
                model.role,
                delta,
                slope,
                length,
                blocker,
            )
            changed = walls.update()
            blocked = np.flatnonzero(blocker >= 0)
            if inner == INNER or not (changed or len(blocked)):
                break
            walls.add(blocked, blocker[blocked])
        return delta, length

    def _search(
        self, neurons: Neurons, model: QuadraticModel, delta: Array, length: Array, value: float
    ) -> tuple[Neurons, State] | None:
        """Halve the step until the true objective falls; return None if it does not."""
        core, d = self.core, self.core.d
        start = neurons.amplitude[:, None] * neurons.planes
        t = 1.0
        for _ in range(6):
            moved = start + (t * length)[:, None] * delta
            along = np.einsum("kd,kd->k", moved[:, :d], neurons.planes[:, :d])
            size = np.linalg.norm(moved[:, :d], axis=1)
            alive = along > 1e-12 * neurons.amplitude
            planes = np.where(alive[:, None], moved / np.where(alive, size, 1.0)[:, None], 0.0)
            if t == 1.0:
                snap(core.X, core.lift, model.role, planes, alive & (length >= 1.0))
            trial = Neurons(neurons.sign, size, planes).take(alive)
            found = core.state(trial)
            if found.value < value:
                self.damping = 0.0 if t == 1.0 else max(2 * self.damping, 1e-3)
                return trial, found
            t *= 0.5
        return None


def settle(neurons: Neurons, residual: Array, basis: Array, sizes: Ints) -> None:
    """Let the neurons with least to gain keep their direction if the system would be too large.

    The gain of moving a neuron is about its least-norm slope times its amplitude.
    """
    if sizes.sum() <= MOST_VARIABLES:
        return
    order = np.argsort(-residual * neurons.amplitude, kind="stable")
    room = max(MOST_VARIABLES - len(neurons), MOST_VARIABLES // 3)
    settled = order[np.cumsum(sizes[order] - 1) > room]
    planes = neurons.planes[settled]
    basis[settled] = 0.0
    basis[settled, :, 0] = planes / np.linalg.norm(planes, axis=1, keepdims=True)
    sizes[settled] = 1


class Walls:
    """The kinks that a step reaches, as equations with multipliers in [0, |q_j|]."""

    def __init__(self, core: Core, neurons: Neurons, q: Array, model: QuadraticModel) -> None:
        self.core, self.neurons, self.q, self.model = core, neurons, q, model
        self.factor = factorise(model.hessian, 0.0)
        self.free = solve(self.factor, -model.gradient)
        size = len(model.gradient)
        self.which = np.zeros(0, dtype=np.intp)
        self.points = np.zeros(0, dtype=np.intp)
        self.rows, self.solved = np.zeros((0, size)), np.zeros((0, size))
        self.margins, self.prices = np.zeros(0), np.zeros(0)
        self.crossed = np.zeros(0, dtype=bool)
        self.multipliers = np.zeros(0)

    def add(self, which: Ints, points: Ints) -> None:
        """Make the points walls of the neurons `which`."""
        model, neurons = self.model, self.neurons
        above = model.role[which, points] == ABOVE
        side = np.where(above, 1.0, -1.0)
        lifted = side[:, None] * self.core.lifted[points]
        rows = np.zeros((len(which), len(model.gradient)))
        for m, k in enumerate(which):
            span = slice(model.offsets[k], model.offsets[k + 1])
            rows[m, span] = lifted[m] @ model.basis[k][:, : model.sizes[k]]
        margins = np.einsum("mp,mp->m", lifted, neurons.planes[which]) * neurons.amplitude[which]
        model.role[which, points] = np.where(above, WALL | WAS_ACTIVE, WALL)
        self.which = np.concatenate([self.which, which])
        self.points = np.concatenate([self.points, points])
        self.rows = np.concatenate([self.rows, rows])
        self.solved = np.concatenate([self.solved, solve(self.factor, rows.T).T])
        self.margins = np.concatenate([self.margins, np.maximum(margins, 0.0)])
        self.prices = np.concatenate([self.prices, np.abs(self.q[points])])
        self.crossed = np.concatenate([self.crossed, np.zeros(len(which), dtype=bool)])

    def step(self) -> Array:
        """Return delta (K, p) of least model value with every wall met, crossed ones paid for."""
        s = self.free
        if len(self.which):
            crossed, met = self.crossed, ~self.crossed
            s = s + self.prices[crossed] @ self.solved[crossed]
            self.multipliers = np.where(crossed, self.prices, 0.0)
            if met.any():
                schur = self.rows[met] @ self.solved[met].T
                diagonal = np.diag(schur).copy()
                schur[np.diag_indices_from(schur)] += 1e-10 * diagonal + 1e-14 * diagonal.max()
                gap = -self.margins[met] - self.rows[met] @ s
                found = np.linalg.solve(schur, gap)
                s = s + found @ self.solved[met]
                self.multipliers[met] = found
        self.step_coordinates = s
        delta = np.empty(self.neurons.planes.shape)
        expand(self.model.basis, self.model.sizes, self.model.offsets, s, delta)
        return delta

    def update(self) -> bool:
        """Release walls whose multiplier left [0, |q_j|]; return True if any did."""
        if len(self.which) == 0:
            return False
        role = self.model.role
        beyond = self.margins + self.rows @ self.step_coordinates
        back = self.crossed & (beyond > 0.0)
        free = ~self.crossed & (self.multipliers < -1e-12 * self.prices)
        over = ~self.crossed & (self.multipliers > self.prices * (1 + 1e-9))
        self.crossed = (self.crossed & ~back) | over
        for mask, code in ((back, WALL), (over, CROSSED)):
            k, i = self.which[mask], self.points[mask]
            role[k, i] = code | (role[k, i] & WAS_ACTIVE)
        k, i = self.which[free], self.points[free]
        role[k, i] = np.where(role[k, i] & WAS_ACTIVE, ABOVE, 0)
        keep = ~free
        for name in ("which", "points", "rows", "solved", "margins", "prices", "crossed"):
            setattr(self, name, getattr(self, name)[keep])
        return bool(back.any() or free.any() or over.any())
