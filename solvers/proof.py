"""Proofs: a bound on sup |eta| over all neurons, by the exact oracle that fits the dimension."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable, Sequence

import numpy as np

from ..problems import Certificate, RadonTVProblem, RidgeSpline, Scope
from ..problems.checks import Array, as_count, as_positive, check_features
from ..problems.existence import check_existence
from .branch_and_bound import MEMORY_LIMIT, branch_and_bound
from .core import Core, Neurons
from .events import Callback, all_of, as_callbacks
from .frontier import Frontier, saved_state
from .kinds import Problem, special_prover
from .method import DualCore
from .oracle import SupBound
from .parallel import count_threads
from .pricing_choice import get_pricing
from .proof_state import Watch
from .proof_watcher import ProofWatcher
from .sweep import sup_eta_1d, sup_eta_2d
from .sweep_3d import sup_eta_3d

MOST_SWEPT = 100
"""Points in three dimensions up to which the exact sweep, O(n^3 log n), is preferred. Boxes are
somewhat faster from half as many on, but may never end on clusters and near duplicates."""
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
    if core.d == 1:
        return sup_eta_1d(core.X, q, threshold=threshold)
    if core.d == 2:
        return sup_eta_2d(core.X, q, n_threads, threshold=threshold)
    if core.d == 3 and core.n <= MOST_SWEPT:
        return sup_eta_3d(core.X, q, n_threads, threshold=threshold)
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


def prove(
    problem: Problem,
    network: RidgeSpline,
    *,
    tol: float = 1e-6,
    time_limit: float | None = None,
    n_jobs: int | None = None,
    random_state: int = 0,
    checkpoint: str | os.PathLike[str] | None = None,
    memory_limit: float = MEMORY_LIMIT,
    callback: Callback | Sequence[Callback] | None = None,
) -> Certificate:
    """Return a certificate of scope GLOBAL for any network: its gap holds over all neurons.

    Parameters
    ----------
    problem : RadonTVProblem
    network : RidgeSpline
        In the units of the problem.
    tol : float, default=1e-6
        Relative gap up to which the bound is pushed, if the network is that good. A coarse proof is
        cheaper.
    time_limit : float, default=None
        Seconds; a proof that runs out of time returns the best bound so far, a larger gap, with
        the same scope.
    n_jobs : int, default=None
        Threads; None uses all.
    random_state : int, default=0
        Seed of the search that precedes the proof.
    checkpoint : path, default=None
        File for the state of a proof in three or more dimensions, written every 30 seconds and at
        the end. If it exists the proof goes on from there: after a kill, Ctrl-C or a time limit.
        Its bound stays at the level of the tol it was begun with: a smaller one needs a new file.
    memory_limit : float, default=1024
        MiB of open boxes; above it the proof goes depth first, which lowers its bound more slowly.
    callback : callable or sequence of callables, default=None
        Receives an `Event` about once a second during a proof by boxes; returning True ends it.

    Returns
    -------
    Certificate
        With `scope` GLOBAL. If the network is not optimal, the gap says how far it is. Ctrl-C
        returns the best bound so far.

    Raises
    ------
    TypeError, ValueError
        If an argument is of another type, an option is out of range, or `checkpoint` is another
        proof's or no saved state.
    OSError
        If `checkpoint` cannot be a file: it is a folder, or its folder does not exist.
    """
    if not isinstance(problem, RadonTVProblem):
        prover = special_prover(problem)
        if checkpoint is not None:
            raise ValueError("checkpoint is for RadonTVProblem; leave it out.")
        proved: Certificate = prover(
            problem, network, tol=tol, time_limit=time_limit, n_jobs=n_jobs,
            random_state=random_state, callback=callback,
        )  # fmt: skip
        return proved
    check_features(problem, network, "network")
    tol = as_positive("tol", tol)
    memory_limit = as_positive("memory_limit", memory_limit)
    if time_limit is not None:
        as_positive("time_limit", time_limit)
    as_count("random_state", random_state, least=0)
    callbacks = as_callbacks(callback)
    threads = count_threads(n_jobs)
    check_existence(problem)
    start = time.perf_counter()
    resume = None if checkpoint is None else saved_state(checkpoint)
    core, reduction = Core.of(problem), problem.reduction
    q = problem.dual_point(network)
    lowered = reduction.reduce_dual(q)
    neurons = core.from_network(reduction.lower_network(network))
    primal = core.state(neurons).primal
    attained = 0.0
    if core.d > 2:
        search = get_pricing(core, n_jobs=n_jobs, random_state=random_state)
        attained = search.search(core.on_points(lowered), neurons, SEARCH_STARTS).sup
    constant = reduction.constant / reduction.y_scale**2
    slack = 0.9 * tol * (primal + constant)
    threshold = max(
        proof_threshold(core, lowered, primal, slack, constant=constant),
        attained * (1.0 + 0.1 * tol),
    )
    left = None if time_limit is None else max(time_limit - (time.perf_counter() - start), 0.0)

    def certify(bound: float) -> Certificate:
        raised = reduction.raise_bound(bound, q)
        return problem.certificate(network, raised, Scope.GLOBAL, dual_point=q)

    watcher = ProofWatcher(
        certify,
        alpha=problem.alpha,
        n_neurons=network.n_neurons,
        callback=all_of(callbacks),
        start=start,
        checkpoint=checkpoint,
    )
    found = bound_sup(
        core,
        core.on_points(lowered),
        threshold,
        time_limit=left,
        n_threads=threads,
        should_stop=lambda: watcher.stopped,
        stop_at_violation=False,
        memory_limit=memory_limit,
        resume=resume,
        watch=watcher,
    )
    watcher.save()
    return certify_bound(problem, network, q, found)


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
        sup = bound_sup(core, lowered, math.inf).attained
    else:
        sup = get_pricing(core).search(lowered, Neurons.none(core.d), SEARCH_STARTS).sup
    return sup * reduction.x_scale * reduction.y_scale
