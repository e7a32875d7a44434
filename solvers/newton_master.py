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
from scipy.linalg import cho_factor, cho_solve

from ..problems.checks import Array
from ._face_kernels import (
    ABOVE,
    CROSSED,
    HELD,
    WALL,
    WAS_ACTIVE,
    faces,
    kinks_ahead,
    model_columns,
    norm_terms,
    snap,
)
from .amplitudes import refit_amplitudes
from .core import Core, Neurons

INNER = 12
"""Most repetitions of step 3."""


@dataclass
class _Model:
    """Quadratic model around the current neurons, in coordinates of their faces."""

    role: Array
    basis: Array
    sizes: Array
    offsets: Array
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
        value, q = core.state(neurons)
        for _ in range(max_steps):
            if len(neurons) == 0:
                break
            model = self._model(neurons, q)
            delta, length = self._direction(neurons, q, model)
            found = self._search(neurons, model, delta, length, value)
            if found is None:
                if self.damping > 1e3:
                    break
                self.damping = max(10 * self.damping, 1e-2)
                continue
            neurons, new_value, q = found
            fall, value = value - new_value, new_value
            if fall <= accuracy:
                break
        return neurons

    def _model(self, neurons: Neurons, q: Array) -> _Model:
        core = self.core
        K, p = neurons.planes.shape
        role = np.empty((K, core.n), dtype=np.int8)
        basis, sizes = np.zeros((K, p, p)), np.empty(K, dtype=np.int64)
        slopes, residual = np.empty((K, p)), np.empty(K)
        faces(
            core.X, q, core.alpha, neurons.sign, neurons.planes, role, basis, sizes, slopes, residual
        )
        offsets = np.concatenate([[0], np.cumsum(sizes)])
        columns = np.empty((offsets[-1], core.n))
        model_columns(core.X, neurons.sign, role, basis, sizes, offsets, columns)
        root = np.sqrt(core.s)
        free = core.without_affine(columns.T) * root[:, None]
        hessian = free.T @ free
        gradient = np.empty(offsets[-1])
        norm_terms(
            core.alpha, neurons.amplitude, neurons.planes, slopes, basis, sizes, offsets,
            self.damping, hessian, gradient,
        )
        hessian[np.diag_indices_from(hessian)] += 1e-12 * np.trace(hessian) / len(hessian)
        return _Model(role, basis, sizes, offsets, slopes, residual, hessian, gradient)

    def _direction(self, neurons: Neurons, q: Array, model: _Model) -> tuple[Array, Array]:
        """Steps 2 and 3: return delta (K, p) and how far each neuron may follow it (K,)."""
        walls = _Walls(self.core, neurons, q, model)
        length = np.empty(len(neurons))
        blocker = np.empty(len(neurons), dtype=np.int64)
        for inner in range(INNER + 1):
            delta = walls.step()
            slope = np.einsum("kp,kp->k", model.slopes, delta)
            kinks_ahead(
                self.core.X, q, neurons.sign, neurons.amplitude, neurons.planes, model.role,
                delta, slope, length, blocker,
            )
            changed = walls.update(delta)
            blocked = np.flatnonzero(blocker >= 0)
            if inner == INNER or not (changed or len(blocked)):
                break
            walls.add(blocked, blocker[blocked])
        return delta, length

    def _search(
        self, neurons: Neurons, model: _Model, delta: Array, length: Array, value: float
    ) -> tuple[Neurons, float, Array] | None:
        """Step 4: halve until the true objective falls; None if it does not."""
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
                snap(core.X, model.role, planes, alive & (length >= 1.0))
            trial = Neurons(neurons.sign, size, planes).take(alive)
            new_value, q = core.state(trial)
            if new_value < value:
                self.damping = 0.0 if t == 1.0 else max(2 * self.damping, 1e-3)
                return trial, new_value, q
            t *= 0.5
        return None


class _Walls:
    """The kinks that a step reaches, as equations with multipliers in [0, |q_j|]."""

    def __init__(self, core: Core, neurons: Neurons, q: Array, model: _Model) -> None:
        self.core, self.neurons, self.q, self.model = core, neurons, q, model
        self.factor = cho_factor(model.hessian, lower=True)
        self.free = cho_solve(self.factor, -model.gradient)
        self.items: list[tuple[int, int]] = []
        self.rows: list[Array] = []
        self.solved: list[Array] = []
        self.margins: list[float] = []
        self.crossed: list[bool] = []
        self.multipliers = np.zeros(0)

    def add(self, which: Array, points: Array) -> None:
        """Make the points walls of the neurons `which`."""
        model = self.model
        for k, i in zip(which, points, strict=True):
            row = np.zeros(len(model.gradient))
            span = slice(model.offsets[k], model.offsets[k + 1])
            lifted = self.core.lifted[i]
            side = 1.0 if model.role[k, i] == ABOVE else -1.0
            row[span] = side * (lifted @ model.basis[k][:, : model.sizes[k]])
            margin = max(side * float(lifted @ self.neurons.planes[k]), 0.0)
            model.role[k, i] = WALL | (WAS_ACTIVE if side > 0 else 0)
            self.items.append((int(k), int(i)))
            self.rows.append(row)
            self.solved.append(cho_solve(self.factor, row))
            self.margins.append(margin * self.neurons.amplitude[k])
            self.crossed.append(False)

    def step(self) -> Array:
        """Return delta (K, p) of least model value with every wall met, crossed ones paid for."""
        s = self.free
        if self.items:
            rows, solved = np.array(self.rows), np.array(self.solved)
            crossed = np.array(self.crossed)
            price = np.abs(self.q[[i for _, i in self.items]])
            s = s + price[crossed] @ solved[crossed]
            self.multipliers = np.where(crossed, price, 0.0)
            met = ~crossed
            if met.any():
                schur = rows[met] @ solved[met].T
                schur[np.diag_indices_from(schur)] *= 1.0 + 1e-11
                schur[np.diag_indices_from(schur)] += 1e-300
                gap = -np.array(self.margins)[met] - rows[met] @ s
                found = np.linalg.lstsq(schur, gap, rcond=1e-13)[0]
                s = s + found @ solved[met]
                self.multipliers[met] = found
        model = self.model
        return np.array(
            [
                model.basis[k][:, : model.sizes[k]] @ s[model.offsets[k] : model.offsets[k + 1]]
                for k in range(len(self.neurons))
            ]
        )

    def update(self, delta: Array) -> bool:
        """Release walls whose multiplier left [0, |q_j|]; return True if any did."""
        changed = False
        for m in range(len(self.items) - 1, -1, -1):
            k, i = self.items[m]
            role = self.model.role
            price = abs(float(self.q[i]))
            if self.crossed[m]:
                beyond = self.margins[m] + float(self.rows[m] @ self._face(delta, k))
                if beyond > 0.0:
                    self.crossed[m] = False
                    role[k, i] = WALL | (role[k, i] & WAS_ACTIVE)
                    changed = True
            elif self.multipliers[m] < -1e-12 * price:
                role[k, i] = ABOVE if role[k, i] & WAS_ACTIVE else 0
                for items in (self.items, self.rows, self.solved, self.margins, self.crossed):
                    del items[m]
                changed = True
            elif self.multipliers[m] > price * (1 + 1e-9):
                self.crossed[m] = True
                role[k, i] = CROSSED | (role[k, i] & WAS_ACTIVE)
                changed = True
        return changed

    def _face(self, delta: Array, k: int) -> Array:
        """Return delta_k in face coordinates, as a vector of the whole model."""
        model = self.model
        s = np.zeros(len(model.gradient))
        s[model.offsets[k] : model.offsets[k + 1]] = (
            delta[k] @ model.basis[k][:, : model.sizes[k]]
        )
        return s
