"""alpha_max of order m for losses with kinks; see `kinked_alpha_max`."""

from __future__ import annotations

from math import factorial

import numpy as np

from ...problems.checks import Array
from ...problems.exact_fit_losses import BandLoss
from ...problems.higher_order import HigherOrderProblem
from ..core import Neurons
from ..kinked_alpha_max import (
    MOST_PLANES,
    Planes,
    kinked_alpha_max,
    least_alpha_of_constraints,
    least_sup,
)
from .core import PowerCore
from .proof import SEARCH_STARTS, relu_problem
from .search import PowerSearch


def kinked_alpha_max_of_powers(problem: HigherOrderProblem) -> float:
    """Return alpha_max of a problem of order m whose loss has kinks.

    As accurate as for order 2 in one dimension, where the search scans all maxima; in more, sups
    are the largest values of a search.
    """
    if problem.order == 2:
        return kinked_alpha_max(relu_problem(problem))
    core, r = PowerCore.of_problem(problem), problem.reduction
    if isinstance(problem.loss, BandLoss):
        return least_alpha_of_constraints(core, problem.live_targets)
    pricing = PowerSearch(core, n_jobs=None, random_state=0)

    def search(q: Array) -> tuple[float, Array]:
        some = pricing.search(q, Neurons.none(core.d), SEARCH_STARTS)
        return some.sup, some.planes[:MOST_PLANES]

    reach = 2.0 * float(np.linalg.norm(core.X, axis=1).max(initial=0.0))
    planes = Planes(core, search, reach**core.degree / factorial(core.degree))
    return least_sup(planes, problem.live_targets) * r.x_scale**problem.degree * r.y_scale
