"""Proofs for problems of order m: bounds on sup |eta| over all atoms, and their certificates."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from math import factorial

import numpy as np

from ...problems import Certificate, RadonTVProblem, Scope
from ...problems.checks import Array, as_positive
from ...problems.higher_order import HigherOrderProblem
from ...problems.power.spline import PowerSpline
from ...problems.rounding import UNIT_ROUNDOFF
from ..core import Core, Neurons
from ..events import Callback, all_of, as_callbacks
from ..oracle import SupBound, uninterrupted
from ..parallel import count_threads
from ..proof import bound_sup, proof_threshold, search_sup
from ..proof_state import Watch
from ..proof_watcher import ProofWatcher
from .core import PowerCore, lower_spline
from .line import sup_power_1d, unsearched
from .margin import power_margin
from .search import PowerSearch
from .sup import sup_power_boxes

SEARCH_STARTS = 256
"""Starts of the search that precedes a proof."""


def bound_power_sup(
    core: PowerCore,
    q: Array,
    threshold: float,
    *,
    time_limit: float | None = None,
    n_threads: int = 1,
    stop_at_violation: bool = True,
    should_stop: Callable[[], bool] | None = None,
    watch: Watch | None = None,
) -> SupBound:
    """Return a proved bound on sup |eta_q|: scan (1-D) or boxes; order 2 has its own oracles.

    Parameters
    ----------
    core : PowerCore
        Reduced data; values are in reduced units.
    q : ndarray of shape (n,)
        Dual point with A_m^T q = 0, at the points.
    threshold : float
        What is to be proved.
    time_limit, n_threads, stop_at_violation, should_stop, watch
        See `sup_power_boxes`; a scan has no use for them. Ctrl-C during a scan or sweep leaves
        what needs no search.
    """
    d = core.d
    if core.only_polynomials or not np.any(q):
        return SupBound(0.0, 0.0, np.zeros(d), 0.0, np.zeros((0, d)), np.zeros(0), True, 0, 0.0)
    if d > 1 and core.order > 2:
        return sup_power_boxes(
            core.X,
            q,
            core.order,
            threshold,
            time_limit=time_limit,
            n_threads=n_threads,
            stop_at_violation=stop_at_violation,
            should_stop=should_stop,
            watch=watch,
        )
    try:
        if core.order > 2:
            return sup_power_1d(core.X, q, core.order, threshold=threshold)
        plain = Core(
            core.X, core.y, core.s, core.points, core.alpha, core.loss, core.loss, core.basis
        )
        return bound_sup(
            plain,
            q,
            threshold,
            time_limit=time_limit,
            n_threads=n_threads,
            stop_at_violation=stop_at_violation,
            should_stop=should_stop,
            watch=watch,
        )
    except KeyboardInterrupt:
        return unsearched(core.X, q, core.order)


def goal_of_proof(core: PowerCore, q: Array, threshold: float, attained: float) -> float:
    """Return what is to be proved so that bound and rounding margin stay below `threshold`."""
    if core.order == 2 or core.d <= 1:
        return max(threshold, attained)
    return max(threshold - 2.0 * power_margin(core.X, q, core.order, boxes=True), attained)


def raise_bound(problem: HigherOrderProblem, bound: float, q: Array) -> float:
    """Return an upper bound of sup |eta_q| over the original rows, from one in reduced units.

    Reduced and original projections w.x - b differ by at most delta per row, with
    delta = residual + 2 (d + 4) u (max |x_i| + |centre|), hence atoms of size at most T^p / p!,
    T = 2 max |x_i|, by delta (T + delta)^(p - 1) / (p - 1)!; a unit w has |V^T w| <= 1 + 4 d u.
    Projecting q once more moves eta by at most sum |moved q_i| T^p / p!.
    """
    r, p, d = problem.reduction, problem.degree, problem.n_features
    largest = float(np.linalg.norm(r.X, axis=1).max(initial=0.0)) * r.x_scale
    delta = r.residual + 2.0 * (d + 4) * UNIT_ROUNDOFF * (
        largest + 2.0 * float(np.linalg.norm(r.centre))
    )
    scaled = bound * r.x_scale**p * r.y_scale * (1.0 + 8.0 * p * d * UNIT_ROUNDOFF)
    slip = delta * (2.0 * largest + delta) ** (p - 1) / factorial(p - 1)
    moved = float(np.abs(problem.project(q) - q).sum()) * problem.largest_atom
    return scaled + slip * float(np.abs(q).sum()) + moved


def certify_power_bound(
    problem: HigherOrderProblem, network: PowerSpline, q: Array, found: SupBound
) -> Certificate:
    """Return the GLOBAL certificate of a spline for a dual point of the original rows."""
    r = problem.reduction
    unit = r.x_scale**problem.degree * r.y_scale
    return problem.certificate(
        network,
        raise_bound(problem, found.bound, q),
        Scope.GLOBAL,
        sup_attained=found.attained * unit if math.isfinite(found.attained) else None,
        dual_point=q,
    )


def prove_higher_order(
    problem: HigherOrderProblem,
    network: PowerSpline,
    *,
    tol: float = 1e-6,
    time_limit: float | None = None,
    n_jobs: int | None = None,
    random_state: int = 0,
    callback: Callback | Sequence[Callback] | None = None,
) -> Certificate:
    """Return a certificate of scope GLOBAL for any spline: its gap holds over all atoms.

    Parameters
    ----------
    problem : HigherOrderProblem
    network : PowerSpline
        In the units of the problem.
    tol : float, default=1e-6
        Relative gap up to which the bound is pushed, if the spline is that good.
    time_limit : float, default=None
        Seconds; a proof that runs out of time has a larger gap, which is as valid.
    n_jobs, random_state : int
        Threads, None for all, and the seed of the search that precedes the proof.
    callback : callable or sequence of callables, default=None
        Receives an `Event` about once a second during a proof by boxes; returning True ends it.

    Returns
    -------
    Certificate
        Ctrl-C returns the best bound so far, without any only what needs no search.
    """
    problem.check(network)
    tol, start = as_positive("tol", tol), time.perf_counter()
    if time_limit is not None:
        as_positive("time_limit", time_limit)
    problem.check_existence()
    core, r = PowerCore.of_problem(problem), problem.reduction
    q = problem.dual_point(network)
    lowered = r.reduce_dual(q)
    neurons = lower_spline(problem, core, network)
    constant = r.constant / r.y_scale**2
    primal = core.state(neurons).primal
    if not problem.loss.smooth:
        # The polynomial of the model is not the one of this spline.
        primal = problem.objective(network) / r.y_scale**2 - constant
    slack = 0.9 * tol * (primal + constant)
    threshold = proof_threshold(core, lowered, primal, slack, constant=constant)

    def certify(bound: float) -> Certificate:
        raised = raise_bound(problem, bound, q)
        return problem.certificate(network, raised, Scope.GLOBAL, dual_point=q)

    watcher = ProofWatcher(
        certify,
        alpha=problem.alpha,
        n_neurons=network.n_neurons,
        callback=all_of(as_callbacks(callback)),
        start=start,
    )
    attained = 0.0
    try:
        if core.d > 1 and core.order > 2:
            search = PowerSearch(core, n_jobs=n_jobs, random_state=random_state)
            attained = search.search(core.on_points(lowered), neurons, SEARCH_STARTS).sup
            attained *= 1.0 + 0.1 * tol
    except KeyboardInterrupt:
        watcher.stopped = True  # The proof ends with its first bound.
    threshold = goal_of_proof(core, core.on_points(lowered), threshold, attained)
    left = None
    if time_limit is not None:
        left = max(time_limit - (time.perf_counter() - start), 0.0)
    found = bound_power_sup(
        core,
        core.on_points(lowered),
        threshold,
        time_limit=left,
        n_threads=count_threads(n_jobs),
        stop_at_violation=False,
        should_stop=lambda: watcher.stopped,
        watch=watcher,
    )
    return certify_power_bound(problem, network, q, found)


def search_power_sup(problem: HigherOrderProblem, q: Array) -> float:
    """Return sup |eta_q|: exact in one dimension, else the largest value of a search."""
    if problem.order == 2:
        return search_sup(relu_problem(problem), q)
    core, r = PowerCore.of_problem(problem), problem.reduction
    lowered = core.on_points(r.reduce_dual(q))
    if core.d <= 1 or core.only_polynomials:
        sup = uninterrupted(bound_power_sup(core, lowered, math.inf)).attained
    else:
        search = PowerSearch(core, n_jobs=None, random_state=0)
        sup = search.search(lowered, Neurons.none(core.d), SEARCH_STARTS).sup
    return sup * r.x_scale**problem.degree * r.y_scale


def relu_problem(problem: HigherOrderProblem) -> RadonTVProblem:
    """Return a problem of order 2 as a `RadonTVProblem`."""
    if problem.order != 2:
        raise ValueError(f"order is {problem.order}; only order 2 is a RadonTVProblem.")
    return RadonTVProblem(
        problem.X, problem.y, problem.alpha, problem.loss, sample_weight=problem.sample_weight
    )
