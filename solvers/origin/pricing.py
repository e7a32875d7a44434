"""Pricing of neurons through the origin, in the words of `pricing`."""

from __future__ import annotations

import numpy as np

from ...problems.checks import Array
from ..core import Core, Neurons
from ..pricing import Candidates
from .search import OriginSearch


class OriginPricing:
    """Searches the whole sphere for the maxima of |eta_q|, eta_q(w) = sum_i q_i relu(w.x_i)."""

    def __init__(self, core: Core, *, n_jobs: int | None = None, random_state: int = 0) -> None:
        self.core = core
        self.oracle = OriginSearch(core.X, n_jobs=n_jobs, random_state=random_state)

    def search(
        self, q: Array, neurons: Neurons, n_starts: int, *, budget: float | None = None
    ) -> Candidates:
        """Return the maxima reached from the neurons and `n_starts` other directions."""
        known = neurons.planes[:, :-1]
        values, signs, directions = self.oracle.search(q, known, n_starts)
        planes = np.column_stack([directions, np.zeros(len(directions))])
        own = np.abs(q @ self.core.features(neurons.planes))
        sup = max(float(values.max(initial=0.0)), float(own.max(initial=0.0)))
        return Candidates(values, signs, planes, sup)
