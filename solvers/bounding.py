"""Searches at dual points, and the best lower bound that they leave."""

from __future__ import annotations

from typing import Generic

from ..problems.checks import Array
from .method import BestBound, Found, Method
from .pricing import BUDGET
from .solution import Network

STARTS, STARTS_PER_NEURON = 32, 1.5
"""New starts of an ordinary round: at least, and per neuron, since larger networks need more new
columns a round."""
THOROUGH_PER_DIMENSION, THOROUGH_PER_NEURON, THOROUGH_STARTS = 100, 20, 1000
"""New starts of the search that must confirm convergence: per dimension or per neuron, and at
most, unless the search stays within the budget."""
LATE_GAP, LATE_EFFORT = 0.15, 4
"""Gap from which on a search may climb from this many times more planes."""


class Bounding(Generic[Found, Network]):
    """Prices dual points of one method and keeps the best bound.

    Attributes
    ----------
    best : BestBound
    starts : int
        Least number of new starts of an ordinary search.
    """

    def __init__(self, method: Method[Found, Network]) -> None:
        self.method = method
        self.best = BestBound()
        self.starts = STARTS

    def look_harder(self) -> None:
        """Use more starts from now on: a thorough search had to correct an ordinary one."""
        self.starts = min(2 * self.starts, THOROUGH_STARTS)

    def price(self, q: Array, gap: float, *, thorough: bool = False) -> Found:
        """Search at q, and keep its lower bound if it is the best so far (or the same point).

        `gap` is the relative gap so far: late searches may take longer.
        """
        method, core = self.method, self.method.core
        if thorough:
            found = method.search(q, self._thorough_starts(), None)
        else:
            budget = BUDGET * (LATE_EFFORT if gap < LATE_GAP else 1)
            found = method.search(q, self._new_starts(budget), budget)
        if q is self.best.q:
            self.best = BestBound(core.dual_value(q, found.sup), q, found.sup)
            return found
        self._check_best(found)
        value = core.dual_value(q, found.sup)
        if value > self.best.value:
            t = core.best_scale(q, found.sup)
            self.best = BestBound(value, t * q, abs(t) * found.sup)
        return found

    def _new_starts(self, budget: float) -> int:
        """Return the number of new starts: with the network's size, as far as the data allow."""
        wanted = int(STARTS_PER_NEURON * len(self.method.neurons))
        return max(self.starts, min(wanted, int(budget / self.method.size)))

    def _thorough_starts(self) -> int:
        by_dimension = THOROUGH_PER_DIMENSION * self.method.core.d
        by_neurons = THOROUGH_PER_NEURON * len(self.method.neurons)
        most = max(THOROUGH_STARTS, int(BUDGET / self.method.size))
        return min(max(by_dimension, by_neurons), most)

    def _check_best(self, found: Found) -> None:
        """Lower the best bound if the planes found show that the search for it missed a maximum."""
        q = self.best.q
        if len(q) == 0:
            return
        sup = self.method.largest(q, found.planes)
        if sup > self.best.sup:
            self.best = BestBound(self.method.core.dual_value(q, sup), q, sup)
