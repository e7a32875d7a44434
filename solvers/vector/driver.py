"""The entry to the solver for several outputs: check the options, then run column generation."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from ...problems import RidgeSpline, Scope
from ...problems.certificate import as_scope
from ...problems.checks import as_count, as_positive
from ...problems.multi_output import MultiOutputProblem
from ...problems.vector.existence import check_outputs_exist
from ..blas_threads import BlasThreads
from ..column_generation import ColumnGeneration
from ..driver import LARGE
from ..events import Callback, as_callbacks
from ..parallel import count_threads
from ..solution import Solution
from .method import VectorMethod


def solve_multi_output(
    problem: MultiOutputProblem,
    *,
    tol: float = 1e-6,
    scope: str | Scope = "local",
    time_limit: float | None = None,
    warm_start: RidgeSpline | None = None,
    max_neurons: int | None = None,
    max_rounds: int = 1000,
    n_jobs: int | None = None,
    random_state: int = 0,
    callback: Callback | Sequence[Callback] | None = None,
) -> Solution:
    """Minimise F(f) = sum_i s_i l(y_i, f(x_i)) + alpha sum_k ||a_k|| and certify the result.

    Column generation as for one output, with ||eta|| > alpha as the sign of a useful neuron.

    Parameters
    ----------
    problem : MultiOutputProblem
    tol : float, default=1e-6
        Relative duality gap (primal - dual) / |primal| at which to stop.
    scope : {"local", "global"}, default="local"
        Whether the gap need only hold over what a thorough search finds, or be proved over all
        neurons.
    time_limit : float, default=None
        Seconds, for search and proof together. What has been reached by then is returned.
    warm_start : RidgeSpline, default=None
        A network to start from, in the units of the problem.
    max_neurons : int, default=None
        Upper limit on the number of neurons; with the norm "l1" of neurons times outputs.
    max_rounds : int, default=1000
    n_jobs : int, default=None
        Threads; None uses all. Results do not depend on it.
    random_state : int, default=0
        Seed of the search.
    callback : callable or sequence of callables, default=None
        Receives an `Event` per round; returning True stops the solver.

    Returns
    -------
    Solution
        `network` has amplitudes of shape (n_neurons, n_outputs). Ctrl-C returns the best
        certified network so far with status INTERRUPTED.

    Raises
    ------
    TypeError, ValueError
        For options that are unknown or out of range.
    """
    start = time.perf_counter()
    _check(problem, warm_start)
    check_outputs_exist(problem)
    tol, scope, callbacks = as_positive("tol", tol), as_scope(scope), as_callbacks(callback)
    as_count("max_rounds", max_rounds, least=1)
    as_count("random_state", random_state, least=0)
    if time_limit is not None:
        as_positive("time_limit", time_limit)
    if max_neurons is not None:
        as_count("max_neurons", max_neurons, least=0)
    # Small matrices: threads of the linear algebra would mostly wait for one another.
    threads = 1 if problem.n_samples < LARGE else count_threads(n_jobs)
    with BlasThreads(threads):
        method = VectorMethod(
            problem,
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


def _check(problem: Any, warm_start: Any) -> None:
    if not isinstance(problem, MultiOutputProblem):
        raise TypeError(
            f"problem must be a MultiOutputProblem, got {type(problem).__name__}; make one with "
            "MultiOutputProblem(X, Y, alpha)."
        )
    if warm_start is not None:
        problem.check_network(warm_start, "warm_start")
