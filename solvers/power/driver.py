"""The entry to the solver of order m: check the options, then run column generation."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from ...problems import Scope
from ...problems.certificate import as_scope
from ...problems.checks import as_count, as_positive
from ...problems.higher_order import HigherOrderProblem
from ...problems.power.spline import PowerSpline
from ..blas_threads import BlasThreads
from ..column_generation import ColumnGeneration
from ..driver import solve
from ..events import Callback, as_callbacks
from ..solution import PowerSolution, Status
from .method import PowerMethod
from .proof import relu_problem


def solve_higher_order(
    problem: HigherOrderProblem,
    *,
    tol: float = 1e-6,
    scope: str | Scope = "local",
    time_limit: float | None = None,
    warm_start: PowerSpline | None = None,
    max_neurons: int | None = None,
    max_rounds: int = 200,
    n_jobs: int | None = None,
    random_state: int = 0,
    callback: Callback | Sequence[Callback] | None = None,
) -> PowerSolution:
    """Minimise F(f) = sum_i s_i l(y_i, f(x_i)) + alpha sum_k |a_k| over splines of order m.

    Local maxima of |eta| above alpha become new atoms, amplitudes are refitted, and all atoms slide
    together by Newton's method; clusters become one atom. Order 2 is left to `solve`.

    Parameters
    ----------
    problem : HigherOrderProblem
    tol : float, default=1e-6
        Relative duality gap at which to stop.
    scope : {"local", "global"}, default="local"
        Whether the gap need only hold over what a search finds, or be proved over all atoms: by an
        exact scan in one dimension, by branch and bound in more.
    time_limit : float, default=None
        Seconds, for search and proof together.
    warm_start : PowerSpline, default=None
    max_neurons : int, default=None
        Upper limit on the number of atoms; the certificate refers to the unrestricted problem.
    max_rounds : int, default=200
    n_jobs, random_state : int
        Threads (None for all; results do not depend on it), and the seed of the search.
    callback : callable or sequence of callables, default=None
        Receives an `Event` per round; returning True stops the solver.

    Raises
    ------
    TypeError, ValueError
        For options out of range, and for problems without a minimiser.
    """
    start = time.perf_counter()
    if not isinstance(problem, HigherOrderProblem):
        raise TypeError(
            f"problem must be a HigherOrderProblem, got {type(problem).__name__}; solve() is for "
            "RadonTVProblem."
        )
    tol, scope, callbacks = as_positive("tol", tol), as_scope(scope), as_callbacks(callback)
    if time_limit is not None:
        as_positive("time_limit", time_limit)
    as_count("max_rounds", max_rounds, least=1)
    if max_neurons is not None:
        as_count("max_neurons", max_neurons, least=0)
    as_count("random_state", random_state, least=0)
    if warm_start is not None:
        problem.check(warm_start, "warm_start")
    problem.check_existence()
    limits: dict[str, Any] = {
        "tol": tol,
        "scope": scope,
        "time_limit": time_limit,
        "max_rounds": max_rounds,
    }
    options: dict[str, Any] = {
        "max_neurons": max_neurons,
        "n_jobs": n_jobs,
        "random_state": random_state,
    }
    if problem.order == 2:
        return _solve_relu(problem, warm_start, callbacks, **limits, **options)
    with BlasThreads(1):
        method = PowerMethod(problem, warm_start=warm_start, **options)
        loop = ColumnGeneration(method, **limits, callbacks=callbacks, start=start)
        return loop.run(PowerSolution)


def _solve_relu(
    problem: HigherOrderProblem,
    warm_start: PowerSpline | None,
    callbacks: Sequence[Callback],
    **options: Any,
) -> PowerSolution:
    """Solve a problem of order 2 as what it is, and certify it as one of order m."""
    start = None if warm_start is None else warm_start.to_network()
    found = solve(relu_problem(problem), warm_start=start, callback=callbacks, **options)
    network, bound = PowerSpline.from_network(found.network), found.certificate
    certificate = problem.certificate(
        network,
        bound.sup_bound,
        bound.scope,
        sup_attained=bound.sup_attained,
        dual_point=bound.dual_point,
    )
    status = found.status
    if status is Status.SOLVED and certificate.relative_gap > options["tol"]:
        status = Status.STALLED
    return PowerSolution(network, certificate, status, found.n_iter, found.history, found.seconds)
