"""The master of problems with the price |w|_1: a lasso over the vertices found so far."""

from __future__ import annotations

from ..amplitudes import refit_amplitudes
from ..core import Core, Neurons


class L1Master:
    """Refits amplitudes on fixed planes.

    Nothing slides: some optimum consists of vertices (`dictionary`), isolated planes among
    which column generation chooses.
    """

    name = "newton"

    def __init__(self, core: Core) -> None:
        self.core = core

    def solve(self, neurons: Neurons, accuracy: float, max_steps: int = 50) -> Neurons:
        """Return the neurons with the best amplitudes, to `accuracy`; zeros are dropped."""
        return refit_amplitudes(self.core, neurons, accuracy)
