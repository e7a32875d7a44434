"""Proofs: a bound on sup |eta| over all neurons, by the exact oracle that fits the dimension."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from ..problems import Certificate, RadonTVProblem, RidgeSpline, Scope
from ..problems.checks import Array
from ..problems.rounding import UNIT_ROUNDOFF
from .box_crew import MEMORY_LIMIT
from .branch_and_bound import branch_and_bound
from .core import Core, Neurons
from .exact import exact_sup
from .frontier import Frontier
from .method import DualCore
from .oracle import SupBound, uninterrupted
from .pricing_choice import get_pricing
from .proof_state import Watch

SEARCH_STARTS = 256
"""Starts of the search that precedes a proof: a violation found early saves the proof."""


def bound_sup(
    core: Core,
    q: Array,
    threshold: float,
    *,
    time_limit: float | None = None,
    n_threads: int = 1,
    should_stop: Callable[[], bool] | None = None,
    stop_at_violation: bool = True,
    memory_limit: float = MEMORY_LIMIT,
    resume: Frontier | None = None,
    watch: Watch | None = None,
) -> SupBound:
    """Return a proved bound on sup |eta_q|: scan (1-D), sweep (2-D, small 3-D) or boxes.

    Parameters
    ----------
    core : Core
        Reduced data; values are in reduced units.
    q : ndarray of shape (n,)
        Dual point with [1 X]^T q = 0, at the points.
    threshold : float
        What is to be proved; branch and bound stops there, the exact oracles return the sup.
    memory_limit, resume
        See `branch_and_bound`; others have no use for them.
    watch : callable, optional
        Receives a `Progress` about once a second, and at the end; not during scans and sweeps.
    """
    if core.d == 0 or not np.any(q):
        return SupBound(
            0.0, 0.0, np.zeros(core.d), 0.0, np.zeros((0, core.d)), np.zeros(0), True, 0, 0.0
        )
    if not core.lift:
        from .origin.proof import sup_eta_origin

        return sup_eta_origin(
            core.X,
            q,
            threshold,
            time_limit=time_limit,
            n_jobs=n_threads,
            should_stop=should_stop,
            stop_at_violation=stop_at_violation,
            watch=watch,
        )
    if core.l1:
        from .l1.proof import sup_eta_l1

        return sup_eta_l1(
            core.X,
            q,
            threshold,
            time_limit=time_limit,
            n_jobs=n_threads,
            should_stop=should_stop,
            stop_at_violation=stop_at_violation,
            watch=watch,
        )
    exact = exact_sup(core.X, q, threshold, n_threads)
    if exact is not None:
        return exact
    return branch_and_bound(
        core.X,
        q,
        threshold,
        time_limit=time_limit,
        n_jobs=n_threads,
        should_stop=should_stop,
        stop_at_violation=stop_at_violation,
        memory_limit=memory_limit,
        resume=resume,
        watch=watch,
    )


def unsearched(core: Core, q: Array) -> SupBound:
    """Return the bound that needs no search: |eta| <= sum_i |q_i| (||x_i|| + R), R = max ||x_j||.

    It holds for useful b, |b| <= R, and for planes with |w|_1 = 1 or b = 0 as well.
    """
    norms = np.linalg.norm(core.X, axis=1)
    bound = float(np.abs(q) @ (norms + norms.max(initial=0.0)))
    bound *= 1.0 + 8 * (core.n + core.d) * UNIT_ROUNDOFF
    return SupBound(
        -math.inf, bound, np.zeros(core.d), 0.0, np.zeros((0, core.d)), np.zeros(0), False, 0, 0.0,
        interrupted=True,
    )  # fmt: skip


def proof_threshold(
    core: DualCore, q: Array, value: float, slack: float, *, constant: float = 0.0
) -> float:
    """Return the largest U >= alpha for which a proof of sup |eta_q| <= U leaves a gap <= slack.

    The gap value - max_t {D(t q) : |t| U <= alpha} rises with U; it is bisected to a relative
    1e-3 of U / alpha - 1. If even U = alpha leaves more, alpha is returned.

    `constant` is the misfit, in reduced units, that no function can remove because equal rows have
    different targets. Its dual point is scaled by the same t <= alpha / U: (1 - t)^2 of it is lost.
    """

    def excess(eps: float) -> float:
        lost = constant * (eps / (1.0 + eps)) ** 2
        return value + lost - core.dual_value(q, core.alpha * (1.0 + eps)) - slack

    low, high = 0.0, 1e-15
    while excess(high) <= 0.0 and high < 1e3:
        low, high = high, 4.0 * high
    for _ in range(12):
        middle = 0.5 * (low + high)
        low, high = (middle, high) if excess(middle) <= 0.0 else (low, middle)
    return core.alpha * (1.0 + low)


def certify_bound(
    problem: RadonTVProblem, network: RidgeSpline, q: Array, found: SupBound
) -> Certificate:
    """Return the GLOBAL certificate of a network for a dual point of the original rows.

    The bound was proved for the sums of q over equal rows, in reduced units; projecting q once
    more moves eta by less than is added here.
    """
    reduction = problem.reduction
    projected = problem.project(q)
    reach = float(problem.sampling.reach.max(initial=0.0))
    moved = (
        float(np.abs(projected - q).sum())
        * reach
        * (2.0 * float(np.linalg.norm(reduction.X, axis=1).max(initial=0.0)) * reduction.x_scale)
    )
    unit = reduction.x_scale * reduction.y_scale
    return problem.certificate(
        network,
        reduction.raise_bound(found.bound, q) + moved,
        Scope.GLOBAL,
        sup_attained=found.attained * unit if math.isfinite(found.attained) else None,
        dual_point=q,
    )


def search_sup(problem: RadonTVProblem, q: Array) -> float:
    """Return sup |eta_q|: exact for at most 2 dimensions, else the largest value of a search."""
    core, reduction = Core.of(problem), problem.reduction
    lowered = core.on_points(reduction.reduce_dual(q))
    if core.d <= 2:
        sup = uninterrupted(bound_sup(core, lowered, math.inf)).attained
    else:
        sup = get_pricing(core).search(lowered, Neurons.none(core.d), SEARCH_STARTS).sup
    return sup * reduction.x_scale * reduction.y_scale
