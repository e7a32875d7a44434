"""The entry to the solvers: check the options, then run column generation."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from ..problems import RadonTVProblem, RidgeSpline, Scope
from ..problems.certificate import as_scope
from ..problems.checks import as_count, as_positive, check_features
from ..problems.existence import check_existence
from .blas_threads import BlasThreads
from .column_generation import ColumnGeneration
from .events import Callback, as_callbacks
from .kinds import Problem, special_solver
from .line.driver import is_line, solve_on_line
from .parallel import count_threads
from .scalar_method import ScalarMethod
from .solution import Solution

LARGE = 4000
"""Samples from which on linear algebra uses the threads too."""


def solve(
    problem: Problem,
    *,
    tol: float = 1e-6,
    scope: str | Scope = "local",
    time_limit: float | None = None,
    master: str = "newton",
    warm_start: RidgeSpline | None = None,
    max_neurons: int | None = None,
    max_rounds: int = 1000,
    n_jobs: int | None = None,
    random_state: int = 0,
    callback: Callback | Sequence[Callback] | None = None,
) -> Solution:
    """Minimise F(f) = sum_i s_i l(y_i, f(x_i)) + alpha RTV(f) and certify the result.

    Column generation over activation patterns: a master problem over the neurons found so far,
    a search for neurons with |eta| > alpha, and, for scope "global", a proof that there are none.

    Parameters
    ----------
    problem : RadonTVProblem, MultiOutputProblem or HigherOrderProblem
    tol : float, default=1e-6
        Relative duality gap (primal - dual) / |primal| at which to stop.
    scope : {"local", "global"}, default="local"
        Whether the gap need only hold over what a thorough search finds, or be proved over all
        neurons. A proof is exact and fast in 1 and 2 dimensions; its worst case grows
        exponentially with the dimension (the problem is NP-hard). In 1 dimension the scope is
        GLOBAL whatever was asked for: the proof is a scan of the data.
    time_limit : float, default=None
        Seconds, for search and proof together. What has been reached by then is returned.
    master : {"newton", "clarabel"}, default="newton"
        The dedicated method, or the conic solver Clarabel (slow, for checks).
    warm_start : RidgeSpline, default=None
        A network to start from, in the units of the problem. The solver for 1 dimension needs none.
    max_neurons : int, default=None
        Upper limit on the number of neurons. The certificate still refers to the unrestricted
        problem.
    max_rounds : int, default=1000
        Rounds of column generation, in 1 dimension of the method for splines: what `n_iter` of the
        solution counts.
    n_jobs : int, default=None
        Threads; None uses all. Results do not depend on it.
    random_state : int, default=0
        Seed of the search.
    callback : callable or sequence of callables, default=None
        Receives an `Event` per round; returning True stops the solver.

    Returns
    -------
    Solution
        Network, certificate (recomputed from that network), status, history. Ctrl-C returns the
        best certified network so far with status INTERRUPTED.

    Raises
    ------
    TypeError, ValueError
        For options that are unknown or out of range, and for problems without a minimiser, as
        logistic regression of separable classes; the message names the remedy.
    """
    start = time.perf_counter()
    if not isinstance(problem, RadonTVProblem):
        special = special_solver(problem)
        if master != "newton":
            raise ValueError(f"master={master!r} is for RadonTVProblem; leave it out.")
        found: Solution = special(
            problem,
            tol=tol,
            scope=scope,
            time_limit=time_limit,
            warm_start=warm_start,
            max_neurons=max_neurons,
            max_rounds=max_rounds,
            n_jobs=n_jobs,
            random_state=random_state,
            callback=callback,
        )
        return found
    _check(problem, max_rounds, random_state, warm_start)
    tol, scope, callbacks = as_positive("tol", tol), as_scope(scope), as_callbacks(callback)
    if time_limit is not None:
        as_positive("time_limit", time_limit)
    if max_neurons is not None:
        as_count("max_neurons", max_neurons, least=0)
    # Small matrices: threads of the linear algebra would mostly wait for one another.
    threads = 1 if problem.n_samples < LARGE else count_threads(n_jobs)
    with BlasThreads(threads):
        if master == "newton" and max_neurons is None and is_line(problem):
            return solve_on_line(
                problem,
                tol=tol,
                scope=scope,
                time_limit=time_limit,
                max_rounds=max_rounds,
                callbacks=callbacks,
            )
        method = ScalarMethod(
            problem,
            master=master,
            warm_start=warm_start,
            max_neurons=max_neurons,
            n_jobs=n_jobs,
            random_state=random_state,
        )
        return ColumnGeneration(
            method,
            tol=tol,
            scope=scope,
            time_limit=time_limit,
            max_rounds=max_rounds,
            callbacks=callbacks,
            start=start,
        ).run(Solution)


def _check(problem: Any, max_rounds: Any, random_state: Any, warm_start: Any) -> None:
    as_count("max_rounds", max_rounds, least=1)
    as_count("random_state", random_state, least=0)
    if warm_start is not None:
        check_features(problem, warm_start, "warm_start")
    check_existence(problem)
