"""Which kind of problem a check has before it."""

from __future__ import annotations

from typing import Any

from ...problems import HigherOrderProblem, MultiOutputProblem, RadonTVProblem
from .costs import Origin, Summed, Weighted
from .kinds import Kind
from .measured import Measured
from .outputs import Outputs
from .powers import Powers

COSTS: dict[str, type[Kind]] = {
    "free_bias": Kind,
    "weighted_norm": Weighted,
    "l1_norm": Summed,
    "penalized_bias": Origin,
    "no_bias": Origin,
}


def kind_of(problem: Any) -> Kind:
    """Return the kind of a problem.

    Raises
    ------
    TypeError
        If it is no problem.
    NotImplementedError
        For losses and costs that were made elsewhere.
    """
    if isinstance(problem, MultiOutputProblem):
        return Outputs(problem)
    if isinstance(problem, HigherOrderProblem):
        return Powers(problem)
    if not isinstance(problem, RadonTVProblem):
        raise TypeError(
            "problem must be a RadonTVProblem, MultiOutputProblem or HigherOrderProblem, got "
            f"{type(problem).__name__}."
        )
    if problem.measurements is not None:
        return Measured(problem)
    if problem.cost.name not in COSTS:
        raise NotImplementedError(f"verify knows {', '.join(COSTS)}, not cost={problem.cost!r}.")
    return COSTS[problem.cost.name](problem)
