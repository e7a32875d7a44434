"""Problems in one dimension, from data to a certified solution, by the exact solver."""

from __future__ import annotations

import time
from collections.abc import Sequence

import numpy as np

from ...problems import Certificate, RadonTVProblem, RidgeSpline, Scope
from ...problems.checks import Array
from ...problems.exact_fit_losses import InterpolationLoss, TubeLoss
from ..core import Core, Neurons
from ..events import Callback, Event, History
from ..proof import bound_sup, certify_bound
from ..solution import Solution, Status
from .interpolation import interpolate_line
from .spline_fit import LineFit, solve_line
from .taut_string import fit_tube_line

SHARE = 0.3
"""Part of the tolerance asked of the solver; the rest is for rounding in the certificate."""
FEW = 50_000
"""Rows up to which every round is certified and reported, asked for or not."""


def is_line(problem: RadonTVProblem) -> bool:
    """Return whether the inputs span one dimension, with free biases and values at points."""
    return problem.cost.free_bias and problem.measurements is None and problem.reduction.rank == 1


def solve_on_line(
    problem: RadonTVProblem,
    *,
    tol: float,
    scope: Scope,
    time_limit: float | None,
    max_rounds: int,
    callbacks: Sequence[Callback],
) -> Solution:
    """Return the certified solution of a problem with inputs on a line; see `solve`.

    The proof is a scan of the data, so that the scope is GLOBAL whatever was asked for.
    """
    start = time.perf_counter()
    history = History()
    watcher = _Watcher(problem, (history, *callbacks), time_limit, start)
    reduction, core = problem.reduction, Core.of(problem)
    x = reduction.X[:, 0] if reduction.points is None else reduction.X[reduction.points, 0]
    try:
        if isinstance(problem.loss, InterpolationLoss):
            network, rows, rounds = *_connect_dots(x, reduction.y, reduction.alpha), 1
        elif isinstance(problem.loss, TubeLoss):
            string = fit_tube_line(
                x, reduction.y - problem.loss.epsilon, reduction.y + problem.loss.epsilon
            )
            network, rows, rounds = string.network(), reduction.alpha * string.q_rows, 1
        else:
            watched = bool(callbacks) or time_limit is not None or problem.n_rows <= FEW
            fit = solve_line(
                x, reduction.y, reduction.s, reduction.alpha, problem.loss,
                tol=SHARE * tol, max_iter=max_rounds, callback=watcher if watched else None,
            )  # fmt: skip
            network, rows, rounds = fit.network(), fit.q_rows, fit.iterations
    except KeyboardInterrupt:
        watcher.ended = Status.INTERRUPTED
        network, rows, rounds = watcher.best(core)
    try:
        network, certificate = _finish(problem, core, network, rows)
    except KeyboardInterrupt:
        # Only the second Ctrl-C takes the answer away.
        if watcher.ended is Status.INTERRUPTED:
            raise
        watcher.ended = Status.INTERRUPTED
        network, certificate = _finish(problem, core, network, rows)
    status = watcher.ended
    if certificate.relative_gap <= tol:
        status = Status.SOLVED
    elif status is None:
        status = Status.STALLED if rounds < max_rounds else Status.MAX_ROUNDS
    seconds = time.perf_counter() - start
    return Solution(network, certificate, status, rounds, tuple(history.events), seconds)


def _finish(
    problem: RadonTVProblem, core: Core, network: RidgeSpline, rows: Array
) -> tuple[RidgeSpline, Certificate]:
    """Return the network in the units of the problem, and its certificate: a scan of the data."""
    reduction = problem.reduction
    network = reduction.raise_network(network)
    if problem.loss.smooth:
        network = problem.refit_affine(network)
    q = reduction.raise_dual(rows, problem.y - reduction.affine_values(problem.X), problem.s)
    found = bound_sup(core, core.on_points(reduction.reduce_dual(q)), np.inf)
    return network, certify_bound(problem, network, q, found)


def _connect_dots(x: Array, y: Array, alpha: float) -> tuple[RidgeSpline, Array]:
    """Return the interpolant of least TV(f') and the dual point of the rows, |eta| <= alpha."""
    found = interpolate_line(x, y)
    rows = np.zeros(len(x))
    first = np.unique(x, return_index=True)[1]
    rows[first] = alpha * found.q
    return found.network(), rows


class _Watcher:
    """Turns fits into events, and says when to stop."""

    def __init__(
        self,
        problem: RadonTVProblem,
        callbacks: Sequence[Callback],
        time_limit: float | None,
        start: float,
    ) -> None:
        self.problem, self.callbacks = problem, callbacks
        self.time_limit, self.start = time_limit, start
        self.fit: LineFit | None = None
        self.ended: Status | None = None

    def __call__(self, fit: LineFit) -> bool:
        """Send an event for the fit; return True to stop."""
        self.fit = fit
        r = self.problem.reduction
        primal = r.y_scale**2 * fit.primal + r.constant
        dual = r.y_scale**2 * fit.dual + r.constant
        seconds = time.perf_counter() - self.start
        gap = max(primal - dual, 0.0) / max(abs(primal), np.finfo(float).tiny)
        violation = float(np.abs(fit.v).max(initial=0.0)) / r.alpha - 1.0
        event = Event(
            fit.iterations, seconds, len(fit.knots), primal, dual, gap, Scope.GLOBAL, violation
        )
        if any([callback(event) for callback in self.callbacks]):
            self.ended = Status.INTERRUPTED
        elif self.time_limit is not None and seconds >= self.time_limit:
            self.ended = Status.TIME_LIMIT
        return self.ended is not None

    def best(self, core: Core) -> tuple[RidgeSpline, Array, int]:
        """Return the last fit, its dual point and round, or the best affine function."""
        if self.fit is not None:
            return self.fit.network(), self.fit.q_rows, self.fit.iterations
        nothing = Neurons.none(core.d)
        return core.to_network(nothing), core.state(nothing).q, 0
