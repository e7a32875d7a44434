"""Which search prices the neurons of a problem."""

from __future__ import annotations

from typing import Protocol

from ..problems.checks import Array
from .core import Core, Neurons
from .pricing import Candidates, Pricing


class Search(Protocol):
    """Finds local maxima of |eta_q|."""

    def search(
        self, q: Array, neurons: Neurons, n_starts: int, *, budget: float | None = None
    ) -> Candidates:
        """Return the maxima reached from the neurons and `n_starts` others."""
        ...


def get_pricing(core: Core, *, n_jobs: int | None = None, random_state: int = 0) -> Search:
    """Return the search over hyperplanes, over l1 vertices, or over planes through the origin."""
    if core.l1:
        from .l1.dictionary import L1Pricing

        return L1Pricing(core, n_jobs=n_jobs, random_state=random_state)
    if core.lift:
        return Pricing(core, n_jobs=n_jobs, random_state=random_state)
    from .origin.pricing import OriginPricing

    return OriginPricing(core, n_jobs=n_jobs, random_state=random_state)
