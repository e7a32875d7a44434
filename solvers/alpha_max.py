"""The least penalty with an affine optimum, with proof."""

from __future__ import annotations

import math
from typing import NamedTuple

from ..problems import RadonTVProblem, RidgeSpline
from ..problems.checks import Array, as_positive, check_problem
from ..problems.exact_fit_losses import BandLoss
from ..problems.existence import check_existence
from .core import Core, Neurons
from .parallel import count_threads
from .pricing_choice import get_pricing
from .proof import SEARCH_STARTS, bound_sup


class PenaltyRange(NamedTuple):
    """alpha_max is proved to be at most `upper`, and with smooth losses at least `lower`."""

    lower: float
    upper: float


def bound_alpha_max(
    problem: RadonTVProblem,
    *,
    tol: float = 1e-6,
    time_limit: float | None = None,
    n_jobs: int | None = None,
    random_state: int = 0,
) -> PenaltyRange:
    """Return bounds of alpha_max = sup |eta_q0| over all neurons, q0 of the best affine fit.

    `RadonTVProblem.alpha_max` is exact for at most 2 dimensions, and otherwise the largest value
    that a search finds, the lower of these bounds; the upper one is proved.

    Parameters
    ----------
    problem : RadonTVProblem
        Its alpha is not used. With a loss with kinks q0 is not unique and the least sup counts:
        then the upper bound holds, and the lower one is that of this q0 only. For constraints
        (interpolation, tube) both are `RadonTVProblem.alpha_max`.
    tol : float, default=1e-6
        Relative width at which the proof may stop.
    time_limit : float, default=None
        Seconds; a proof that runs out of time leaves a wider range.
    n_jobs : int, default=None
    random_state : int, default=0

    Raises
    ------
    TypeError, ValueError
        For arguments that are unknown or out of range.
    """
    check_problem(problem)
    tol = as_positive("tol", tol)
    if isinstance(problem.loss, BandLoss):
        value = problem.alpha_max()
        return PenaltyRange(value, value)
    check_existence(problem)
    core, reduction = Core.of(problem), problem.reduction
    fit = problem.affine_fit()
    q = problem.dual_point(fit)
    if not _best(problem, fit, q):
        return PenaltyRange(0.0, math.inf)
    lowered = core.on_points(reduction.reduce_dual(q))
    search = get_pricing(core, n_jobs=n_jobs, random_state=random_state)
    attained = search.search(lowered, Neurons.none(core.d), SEARCH_STARTS).sup if core.d else 0.0
    found = bound_sup(
        core,
        lowered,
        attained * (1.0 + tol),
        time_limit=time_limit,
        n_threads=count_threads(n_jobs),
        stop_at_violation=False,
    )
    unit = reduction.x_scale * reduction.y_scale
    lower = max(attained, found.attained if math.isfinite(found.attained) else 0.0) * unit
    return PenaltyRange(lower, max(lower, reduction.raise_bound(found.bound, q)))


def _best(problem: RadonTVProblem, fit: RidgeSpline, q: Array) -> bool:
    """Return whether q proves that no affine function is better than `fit`, to rounding.

    On affine functions q is feasible for every alpha, with the gap
    sum_i s_i [l(y_i, z_i) + l*(y_i, -p_i) + p_i z_i], p = q / s.
    """
    y, s, z = problem.live_targets, problem.live_weights, problem.sampling.values(fit)
    gap = float(s @ problem.loss.fenchel_gap(y, z, q[problem.live] / s))
    return gap <= max(problem.resolution(fit), 1e-9 * problem.objective(fit))
