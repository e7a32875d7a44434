"""Walls: kinks of the objective that a Newton step of sliding neurons would cross.

They become equations (x_j, -1).(v_k + delta_k) = 0 with multipliers in [0, |q_j|], solved by a
Schur complement of the quadratic model; see `newton_master`.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ..problems.checks import Array
from ._circle_kernels import Ints
from ._face_kernels import ABOVE, CROSSED, WALL, WAS_ACTIVE, expand
from .cholesky import factorise, solve
from .core import Core, Neurons
from .sliding_newton import QuadraticModel

INNER = 12
"""Most times that walls are added in a step."""


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

    def follow(self, ahead: Callable[[Array, Array, Array, Ints], None]) -> tuple[Array, Array]:
        """Return delta (K, p) and how far each neuron may follow it (K,).

        `ahead` fills, for a step and its slopes, these lengths and the points that end them, -1 for
        none; such points become walls, until nothing changes.
        """
        length = np.empty(len(self.neurons))
        blocker = np.empty(len(self.neurons), dtype=np.int64)
        for inner in range(INNER + 1):
            delta = self.step()
            ahead(delta, np.einsum("kp,kp->k", self.model.slopes, delta), length, blocker)
            changed = self.update()
            blocked = np.flatnonzero(blocker >= 0)
            if inner == INNER or not (changed or len(blocked)):
                break
            self.add(blocked, blocker[blocked])
        return delta, length

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
