"""The master problem: the best network over the cells found so far."""

from __future__ import annotations

from typing import Protocol

from .core import Core, Neurons
from .newton_master import NewtonMaster


class Master(Protocol):
    """Lowers the objective over the cells of given neurons."""

    name: str
    core: Core

    def solve(self, neurons: Neurons, accuracy: float, max_steps: int = 50) -> Neurons:
        """Return neurons with a lower objective, to `accuracy` (absolute, reduced units)."""
        ...


def get_master(name: str, core: Core) -> Master:
    """Return the master of that name for a core problem."""
    if core.l1 and name == NewtonMaster.name:
        from .l1.master import L1Master

        return L1Master(core)
    if name == NewtonMaster.name:
        return NewtonMaster(core)
    if core.l1:
        raise ValueError(
            f"master={name!r} does not go with cost='l1_norm', whose columns are fixed; leave "
            "master out."
        )
    if name == "clarabel":
        # Imported on demand: the conic solver is an optional dependency.
        from .clarabel_master import ClarabelMaster

        return ClarabelMaster(core)
    raise ValueError(f"master={name!r} is unknown; choose 'newton' or 'clarabel'.")
