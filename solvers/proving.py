"""A certificate of scope GLOBAL for any network: the options, the search, the proof."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence

from ..problems import Certificate, RadonTVProblem, RidgeSpline, Scope
from ..problems.checks import Array, as_count, as_positive, check_features
from ..problems.existence import check_existence
from ..problems.neuron_cost import L1Norm
from .box_crew import MEMORY_LIMIT
from .core import Core
from .events import Callback, all_of, as_callbacks
from .frontier import saved_state
from .kinds import Problem, special_prover
from .parallel import count_threads
from .pricing_choice import get_pricing
from .proof import SEARCH_STARTS, bound_sup, certify_bound, proof_threshold, unsearched
from .proof_watcher import ProofWatcher


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
        For neurons of cost "free_bias" only.
    memory_limit : float, default=1024
        MiB of open boxes; above it the proof goes depth first, which lowers its bound more slowly.
    callback : callable or sequence of callables, default=None
        Receives an `Event` about once a second during a proof by boxes; returning True ends it.

    Returns
    -------
    Certificate
        With `scope` GLOBAL. If the network is not optimal, the gap says how far it is. Ctrl-C
        returns the best bound so far, without any only what needs no search.

    Raises
    ------
    TypeError, ValueError
        If an argument is of another type, an option is out of range, or `checkpoint` is another
        proof's or no saved state, or given for neurons of another cost.
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
    if checkpoint is not None:
        _check_resumable(problem)
    resume = None if checkpoint is None else saved_state(checkpoint)
    core, reduction = Core.of(problem), problem.reduction
    q = problem.dual_point(network)
    lowered = reduction.reduce_dual(q)

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
    neurons = core.from_network(reduction.lower_network(network))
    threshold = _level(core, lowered, core.state(neurons).primal, tol, problem)
    points = core.on_points(lowered)
    try:
        if core.d > 2:
            search = get_pricing(core, n_jobs=n_jobs, random_state=random_state)
            attained = search.search(points, neurons, SEARCH_STARTS).sup
            threshold = max(threshold, attained * (1.0 + 0.1 * tol))
    except KeyboardInterrupt:
        watcher.stopped = True  # The proof ends with its first bound.
    try:
        found = bound_sup(
            core,
            points,
            threshold,
            time_limit=_left(time_limit, start),
            n_threads=threads,
            should_stop=lambda: watcher.stopped,
            stop_at_violation=False,
            memory_limit=memory_limit,
            resume=resume,
            watch=watcher,
        )
    except KeyboardInterrupt:
        found = unsearched(core, points)
    watcher.save()
    return certify_bound(problem, network, q, found)


def _left(time_limit: float | None, start: float) -> float | None:
    """Return the seconds that are left of a time limit."""
    if time_limit is None:
        return None
    return max(time_limit - (time.perf_counter() - start), 0.0)


def _level(core: Core, lowered: Array, primal: float, tol: float, problem: RadonTVProblem) -> float:
    """Return the bound, in reduced units, whose proof leaves a relative gap of 0.9 tol."""
    constant = problem.reduction.constant / problem.reduction.y_scale**2
    return proof_threshold(
        core, lowered, primal, 0.9 * tol * (primal + constant), constant=constant
    )


def _check_resumable(problem: RadonTVProblem) -> None:
    """Raise a ValueError if the proofs of such neurons cannot be saved."""
    if problem.cost.free_bias and not isinstance(problem.cost, L1Norm):
        return
    raise ValueError(
        f"checkpoint is for neurons with cost 'free_bias', not {problem.cost.name!r}: their proofs "
        "cannot be saved; leave checkpoint out, and stop a long proof with time_limit."
    )
