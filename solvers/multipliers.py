"""The method of multipliers around column generation, for losses with kinks.

Masters minimise the smooth envelope of the loss around pseudo-residuals p (see
`problems.envelope`). Once they have done so to a part of the gap that is left, the slope of the
envelope becomes the next p: a proximal point step on the dual, which converges from any p and for
any mu, the faster the smaller mu is.
"""

from __future__ import annotations

from typing import Any, Protocol, Self

import numpy as np

from ..problems.checks import Array
from ..problems.envelope import Envelope
from .core import Terms

INNER_SHARE = 0.2
"""Part of the remaining gap up to which the envelope is minimised before p moves on."""
SLOW, SHRINK = 0.5, 0.3
"""If a step of p leaves more than this part of the gap, mu shrinks by that factor."""
LEAST_MU = 1e-7
"""Smallest mu, in units of the first one: the curvature 1 / mu must stay harmless."""


class ModelState(Protocol):
    """What a network's fit means to the model and to the problem; see `core.State`."""

    @property
    def value(self) -> float:
        """Objective of the model."""
        ...

    @property
    def primal(self) -> float:
        """Objective of the problem."""
        ...

    @property
    def q(self) -> Array:
        """Dual point."""
        ...


class ModelCore(Protocol):
    """A reduced problem whose loss may be replaced by an envelope of it."""

    @property
    def alpha(self) -> float:
        """Penalty."""
        ...

    @property
    def envelope(self) -> Envelope | None:
        """The model if it is an envelope of the loss."""
        ...

    @property
    def terms(self) -> Terms:
        """The loss as a sum of terms of one output, entries of arrays (n, D) row by row."""
        ...

    def around(self, centre: Array, mu: float) -> Self:
        """Return the core with the envelope of the loss around pseudo-residuals as its model."""
        ...

    def state(self, neurons: Any) -> Any:
        """Return the `ModelState` of neurons."""
        ...


class Multipliers:
    """Decides when the envelope moves on, and how narrow it is."""

    def __init__(self, core: ModelCore) -> None:
        self.first = _envelope(core).mu
        self.last = np.inf

    def inner_gap(self, core: ModelCore, state: ModelState, sup: float) -> float:
        """Return what is left of the envelope's own problem: its objective less its dual.

        The dual of the envelope is D(t q) - mu / 2 sum_i s_i (t p_i - centre_i)^2.
        """
        model, (loss, y, s) = _envelope(core), core.terms
        t = min(1.0, core.alpha / sup) if sup > 0 else 1.0
        p = _inside(core, t * state.q)
        away = p - model.centre.ravel()
        value = loss.conjugate(y, -p) + 0.5 * model.mu * away * away
        return max(state.value + float(s @ value), 0.0)

    def outer_gap(self, core: ModelCore, state: ModelState, bound: float) -> float:
        """Return the gap that is left, or its size while constraints are not met."""
        if np.isfinite(state.primal) and np.isfinite(bound):
            return max(state.primal - bound, 0.0)
        model, s = _envelope(core), core.terms.s
        p = state.q.ravel() / s
        # u - z = mu (p - centre) is by how much constraints are missed.
        return float(s @ np.abs(p * model.mu * (p - model.centre.ravel())))

    def next_width(self, core: ModelCore, outer: float) -> float:
        """Return the mu of the next envelope, from the gap that is left."""
        mu = _envelope(core).mu
        if outer > SLOW * self.last:
            mu = max(SHRINK * mu, LEAST_MU * self.first)
        self.last = outer
        return mu


def next_centre(core: ModelCore, q: Array) -> Array:
    """Return the pseudo-residuals of q, in its shape, which the next envelope is around."""
    return _inside(core, q).reshape(q.shape)


def _inside(core: ModelCore, q: Array) -> Array:
    """Return the pseudo-residuals of q, one per term."""
    loss, y, s = core.terms
    # s p / s may leave the domain by a rounding.
    p: Array = np.clip(q.ravel() / s, *loss.dual_interval(y))
    return p


def _envelope(core: ModelCore) -> Envelope:
    assert core.envelope is not None
    return core.envelope
