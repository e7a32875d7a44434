"""The network that column generation lowers, the best one so far, and the model that moves on."""

from __future__ import annotations

from typing import Any, Generic, TypeVar

import numpy as np

from ..problems.checks import Array
from .multipliers import INNER_SHARE, ModelCore, Multipliers, next_centre

C = TypeVar("C", bound=ModelCore)
N = TypeVar("N")

PATIENCE, MOST_PUSHES = 2, 30
"""Rounds without progress after which multipliers move on all the same, and how often they may."""


class Descent(Generic[C, N]):
    """What the methods of all kinds of neurons have in common; see `Method`.

    For losses with kinks `state` belongs to the envelope that the master minimises, and the best
    network so far may be an earlier one.

    Parameters
    ----------
    core : Core, PowerCore or VectorCore
    neurons : Neurons or VectorNeurons
        To start from.
    """

    def __init__(self, core: C, neurons: N) -> None:
        self.core, self.neurons = core, neurons
        self.state: Any = core.state(neurons)
        self.best: tuple[float, C, N] = (self.state.primal, core, neurons)
        self.multipliers = None if core.envelope is None else Multipliers(core)
        self.inner, self.pushed = np.inf, 0

    @property
    def value(self) -> float:
        """Objective of the model that the master minimises; for smooth losses the problem's."""
        return float(self.state.value)

    @property
    def q(self) -> Array:
        """Dual point of the current neurons."""
        q: Array = self.state.q
        return q

    @property
    def primal(self) -> float:
        """Least objective so far."""
        return self.best[0]

    def move_on(self, sup: float, bound: float, idle: int) -> bool:
        """For losses with kinks: move the envelope on if its own problem is solved well enough.

        Or as well as rounding allows: after some rounds without progress it moves on, too.
        """
        if self.multipliers is None:
            return False
        core, state = self.core, self.state
        self.inner = self.multipliers.inner_gap(core, state, sup)
        outer = self.multipliers.outer_gap(core, state, bound)
        if self.inner > INNER_SHARE * outer:
            if idle < PATIENCE or self.pushed >= MOST_PUSHES:
                return False
            self.pushed += 1
        mu = self.multipliers.next_width(core, outer)
        self.core = core.around(next_centre(core, state.q), mu)
        self.accept(self.neurons, self.core.state(self.neurons))
        return True

    def distance(self, bound: float, gap: float) -> float:
        """Return how far the model may be from its optimum, absolute.

        `bound` is one of the problem, `gap` its relative gap.
        """
        if self.multipliers is None:
            return gap * max(abs(self.value), 1e-300)
        outer = self.multipliers.outer_gap(self.core, self.state, bound)
        return min(self.inner, outer) if np.isfinite(self.inner) else outer

    def accept(self, neurons: N, state: Any) -> None:
        """Go on from these neurons, the best ones if the problem says so."""
        self.neurons, self.state = neurons, state
        self.keep(self.core, neurons, state)

    def keep(self, core: C, neurons: N, state: Any) -> None:
        """Remember neurons, and the core that tells their free part, if they are the best."""
        if state.primal < self.primal or not np.isfinite(self.primal):
            self.best = (state.primal, core, neurons)
