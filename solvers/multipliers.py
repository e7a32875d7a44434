"""The method of multipliers around column generation, for losses with kinks.

Masters minimise the smooth envelope of the loss around pseudo-residuals p (see
`problems.envelope`). Once they have done so to a part of the gap that is left, the slope of the
envelope becomes the next p: a proximal point step on the dual, which converges from any p and for
any mu, the faster the smaller mu is.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ..problems.checks import Array
from ..problems.envelope import Envelope
from .core import Core, State

INNER_SHARE = 0.2
"""Part of the remaining gap up to which the envelope is minimised before p moves on."""
SLOW, SHRINK = 0.5, 0.3
"""If a step of p leaves more than this part of the gap, mu shrinks by that factor."""
LEAST_MU = 1e-7
"""Smallest mu, in units of the first one: the curvature 1 / mu must stay harmless."""


class Multipliers:
    """Decides when the envelope moves on, and how narrow it is."""

    def __init__(self, core: Core) -> None:
        assert isinstance(core.model, Envelope)
        self.first = core.model.mu
        self.last = np.inf

    def inner_gap(self, core: Core, state: State, sup: float) -> float:
        """Return what is left of the envelope's own problem: its objective less its dual.

        The dual of the envelope is D(t q) - mu / 2 sum_i s_i (t p_i - centre_i)^2.
        """
        model = core.model
        assert isinstance(model, Envelope)
        t = min(1.0, core.alpha / sup) if sup > 0 else 1.0
        # s p / s may leave the domain by a rounding.
        p = np.clip(t * state.q / core.s, *core.loss.dual_interval(core.y))
        away = p - model.centre
        loss = core.loss.conjugate(core.y, -p) + 0.5 * model.mu * away * away
        return max(state.value + float(core.s @ loss), 0.0)

    def outer_gap(self, core: Core, state: State, bound: float) -> float:
        """Return the gap that is left, or its size while constraints are not met."""
        if np.isfinite(state.primal) and np.isfinite(bound):
            return max(state.primal - bound, 0.0)
        model = core.model
        assert isinstance(model, Envelope)
        p = state.q / core.s
        # u - z = mu (p - centre) is by how much constraints are missed.
        return float(core.s @ np.abs(p * model.mu * (p - model.centre)))

    def moved(self, core: Core, state: State, outer: float) -> Core:
        """Return the core with the envelope around the pseudo-residuals of `state`."""
        model = core.model
        assert isinstance(model, Envelope)
        mu = model.mu
        if outer > SLOW * self.last:
            mu = max(SHRINK * mu, LEAST_MU * self.first)
        self.last = outer
        centre: Array = np.clip(state.q / core.s, *core.loss.dual_interval(core.y))
        return replace(core, model=Envelope(core.loss, centre, mu))
