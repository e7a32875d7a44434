"""Which reduction belongs to which kind of problem."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .l1_reduction import reduce_l1
from .measured_reduction import reduce_measured
from .neuron_cost import L1Norm, WeightedNorm
from .origin_reduction import reduce_origin
from .reductions import Reduction, reduce
from .weighted_reduction import WeightedReduction

if TYPE_CHECKING:
    from .problem import RadonTVProblem


def reduction_of(problem: RadonTVProblem) -> Reduction:
    """Return the problem on distinct, scaled points, in the coordinates of its cost."""
    cost = problem.cost
    given = problem.X, problem.y, problem.s, problem.alpha, problem.loss
    if problem.measurements is not None:
        return reduce_measured(problem.sampling, problem.affine, *given[1:])
    if isinstance(cost, WeightedNorm):
        inner = reduce(cost.coordinates(problem.X), *given[1:])
        return WeightedReduction.of(inner, cost, problem.X)
    if isinstance(cost, L1Norm):
        return reduce_l1(*given)
    return reduce(*given) if cost.free_bias else reduce_origin(*given, cost, problem.skip)
