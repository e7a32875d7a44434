"""Proofs with several outputs: bounds on sup ||eta_Q|| and the certificates that they make."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from ...problems import Certificate, RidgeSpline, Scope
from ...problems.checks import Array, as_positive
from ...problems.multi_output import MultiOutputProblem
from ...problems.vector.existence import check_outputs_exist
from ..events import Callback, all_of, as_callbacks
from ..oracle import SupBound, uninterrupted
from ..proof import SEARCH_STARTS, proof_threshold
from ..proof_state import Progress, ProofState, Watch
from ..proof_watcher import ProofWatcher
from .core import VectorCore, VectorNeurons
from .pricing import VectorPricing
from .proof import sup_norm_eta
from .sweep import assemble_norms


def bound_sup_outputs(
    problem: MultiOutputProblem,
    Q: Array,
    threshold: float,
    *,
    time_limit: float | None = None,
    n_jobs: int | None = None,
    should_stop: Callable[[], bool] | None = None,
    stop_at_violation: bool = True,
    watch: Watch | None = None,
) -> SupBound:
    """Return a proved bound on sup ||eta_Q|| in the dual norm, in the units of the problem.

    With the norm "l1" output by output: the largest of D bounds. After Ctrl-C, or when
    `should_stop` says so, outputs whose turn has not come have the bound that needs no search.

    Parameters
    ----------
    problem : MultiOutputProblem
    Q : ndarray of shape (n_samples, n_outputs)
        Dual point, projected.
    threshold : float
        What is to be proved.
    time_limit, n_jobs, should_stop, stop_at_violation, watch
        See `sup_norm_eta`.
    """
    X, own = problem.live_inputs, Q[problem.live]
    parts = [own] if problem.output_norm == "l2" else [own[:, [c]] for c in range(own.shape[1])]
    start = time.perf_counter()
    bounds: list[SupBound] = []
    for k, part in enumerate(parts):
        left = None
        if time_limit is not None:
            left = max(time_limit - (time.perf_counter() - start), 1e-3)
        interrupted = any(found.interrupted for found in bounds)  # it is meant for all outputs
        if interrupted or (should_stop is not None and should_stop()):
            bounds.append(_unsearched(X, part, problem.radius, interrupted=interrupted))
            continue
        try:
            found = sup_norm_eta(
                X,
                part,
                threshold,
                time_limit=left,
                n_jobs=n_jobs,
                should_stop=should_stop,
                stop_at_violation=stop_at_violation,
                watch=watch and _of_all(watch, bounds, parts[k + 1 :], problem.radius),
            )
        except KeyboardInterrupt:
            found = _unsearched(X, part, problem.radius, interrupted=True)
        bounds.append(found)
    best = max(bounds, key=lambda found: found.attained)
    return replace(
        best,
        bound=max(found.bound for found in bounds),
        witnesses_weights=np.vstack(
            [np.vstack([found.weight, found.witnesses_weights]) for found in bounds]
        ),
        witnesses_biases=np.concatenate(
            [np.append(found.bias, found.witnesses_biases) for found in bounds]
        ),
        complete=all(found.complete for found in bounds),
        n_boxes=sum(found.n_boxes for found in bounds),
        seconds=time.perf_counter() - start,
        interrupted=any(found.interrupted for found in bounds),
    )


def _cheap_bound(Q: Array, radius: float) -> float:
    """Return 2 R sum_i ||Q_i||, R the largest distance of a point from the mean."""
    return 2.0 * radius * float(np.linalg.norm(Q, axis=1).sum()) * (1.0 + 1e-12)


def _unsearched(X: Array, Q: Array, radius: float, *, interrupted: bool) -> SupBound:
    """Return the bound that needs no search, with one plane."""
    plane = (np.eye(1, X.shape[1])[0], 0.0)
    found = assemble_norms(
        X, Q, [plane], threshold=math.inf, bound=_cheap_bound(Q, radius), complete=False,
        n_boxes=0, seconds=0.0,
    )  # fmt: skip
    return replace(found, interrupted=interrupted)


def _of_all(
    watch: Watch, done: Sequence[SupBound], pending: Sequence[Array], radius: float
) -> Watch:
    """Return the watcher of one output that tells the state of the proof of all.

    Outputs whose turn has not come have the bound that needs no search.
    """
    boxes = sum(found.n_boxes for found in done)
    bound = max([found.bound for found in done], default=0.0)
    for Q in pending:
        bound = max(bound, _cheap_bound(Q, radius))
    start = time.perf_counter()

    def tell(state: Progress) -> None:
        seconds = time.perf_counter() - start
        later = len(pending) * (seconds + state.remaining)
        remaining = state.remaining + (later if pending else 0.0)
        n_boxes = boxes + state.n_boxes
        watch(ProofState(max(bound, state.bound), n_boxes, state.n_open, remaining))

    return tell


def raised_dual(problem: MultiOutputProblem, Q: Array) -> Array:
    """Return the projected dual point of the original rows for a reduced one."""
    r = problem.reduction
    rest = problem.targets - (problem.X @ r.coef + r.intercept)
    return problem.project(r.raise_dual(Q, rest, problem.s))


def certify_sup(
    problem: MultiOutputProblem, network: RidgeSpline, Q: Array, found: SupBound
) -> Certificate:
    """Return the GLOBAL certificate for a dual point whose sup was bounded by `found`.

    A certificate projects once more, which moves eta by at most 2 R sum_i ||change_i||.
    """
    moved = np.linalg.norm(problem.project(Q) - Q, axis=1).sum()
    return problem.certificate(
        network,
        found.bound + 2.0 * problem.radius * float(moved) * (1.0 + 1e-12),
        Scope.GLOBAL,
        sup_attained=found.attained if math.isfinite(found.attained) else None,
        dual_point=Q,
    )


def prove_outputs(
    problem: MultiOutputProblem,
    network: RidgeSpline,
    *,
    tol: float = 1e-6,
    time_limit: float | None = None,
    n_jobs: int | None = None,
    random_state: int = 0,
    callback: Callback | Sequence[Callback] | None = None,
) -> Certificate:
    """Return a certificate of scope GLOBAL for any network with these outputs.

    Parameters
    ----------
    problem : MultiOutputProblem
    network : RidgeSpline
    tol : float, default=1e-6
        Relative gap up to which the bound is pushed, if the network is that good.
    time_limit : float, default=None
        Seconds; a proof that runs out of time returns a larger gap of the same scope.
    n_jobs, random_state : int
        Threads, and the seed of the search that precedes the proof.
    callback : callable or sequence of callables, default=None
        Receives an `Event` about once a second during a proof by boxes; returning True ends it.

    Returns
    -------
    Certificate
        Ctrl-C returns the best bound so far, without any only what needs no search.
    """
    start = time.perf_counter()
    tol = as_positive("tol", tol)
    if time_limit is not None:
        as_positive("time_limit", time_limit)
    check_outputs_exist(problem)
    core, r = VectorCore.of(problem), problem.reduction
    Q = problem.dual_point(network)
    lowered = r.reduce_dual(Q)
    watcher = ProofWatcher(
        lambda bound: problem.certificate(network, bound, Scope.GLOBAL, dual_point=Q),
        alpha=problem.alpha,
        n_neurons=network.n_neurons,
        callback=all_of(as_callbacks(callback)),
        start=start,
    )
    attained = 0.0
    try:
        pricing = VectorPricing(core, n_jobs=n_jobs, random_state=random_state)
        none = VectorNeurons.none(core.d, core.D)
        attained = pricing.search(core.on_points(lowered), none, SEARCH_STARTS).sup
    except KeyboardInterrupt:
        watcher.stopped = True  # The proof ends with its first bound.
    # At kinks the certificate keeps the affine part.
    smooth = problem.loss.smooth
    primal = problem.objective(problem.refit_affine(network) if smooth else network)
    threshold = threshold_outputs(problem, core, lowered, primal, 0.9 * tol * primal)
    left = None
    if time_limit is not None:
        left = max(time_limit - (time.perf_counter() - start), 0.0)
    found = bound_sup_outputs(
        problem,
        Q,
        max(threshold, attained * (1.0 + 0.1 * tol)) * r.unit,
        time_limit=left,
        n_jobs=n_jobs,
        should_stop=lambda: watcher.stopped,
        stop_at_violation=False,
        watch=watcher,
    )
    return certify_sup(problem, network, Q, found)


def threshold_outputs(
    problem: MultiOutputProblem, core: VectorCore, Q: Array, primal: float, slack: float
) -> float:
    """Return the largest U >= alpha, reduced, whose proof leaves a gap of at most `slack`.

    `primal` and `slack` are in the units of the problem; see `proof_threshold`.
    """
    r = problem.reduction
    unit = r.y_scale**2
    value = (primal - r.constant) / unit
    return proof_threshold(core, Q, value, slack / unit, constant=r.constant / unit)


def search_sup_outputs(problem: MultiOutputProblem, Q: Array) -> float:
    """Return sup ||eta_Q||: exact for at most 2 dimensions, else the largest value of a search."""
    core, r = VectorCore.of(problem), problem.reduction
    if core.d == 0:
        return 0.0
    if core.d <= 2:
        return uninterrupted(bound_sup_outputs(problem, Q, math.inf)).attained
    none = VectorNeurons.none(core.d, core.D)
    lowered = core.on_points(r.reduce_dual(Q))
    return VectorPricing(core).search(lowered, none, SEARCH_STARTS).sup * r.unit
