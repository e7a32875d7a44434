"""The solver of order m: column generation, sliding of all atoms, and the final certificate."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ...problems import Certificate, Scope
from ...problems.certificate import as_scope
from ...problems.checks import Array, as_count, as_positive
from ...problems.higher_order import HigherOrderProblem
from ...problems.power.spline import PowerSpline
from ..amplitudes import refit_amplitudes
from ..blas_threads import BlasThreads
from ..core import Neurons
from ..driver import solve
from ..events import Callback, Event, History, as_callbacks
from ..oracle import SupBound
from ..parallel import count_threads
from ..pricing import Candidates
from ..proof import proof_threshold
from ..solution import Status
from .core import PowerCore, lower_spline, raise_neurons
from .merging import merge_clusters, reduce_power
from .proof import (
    bound_power_sup,
    certify_power_bound,
    goal_of_proof,
    raise_bound,
    relu_problem,
)
from .search import PowerSearch
from .slide import slide

STARTS, THOROUGH_STARTS = 48, 400
"""New starts of an ordinary search, and of the one that must confirm convergence."""
MOST_COLUMNS = 40
"""New neurons per round."""
STEPS = 30
"""Newton steps per round."""
LOCAL_SHARE, PROOF_SHARE = 0.3, 0.7
"""Shares of the tolerance for the search if a proof follows, and for both; rounding has a rest."""
MOST_IDLE = 5
"""Rounds without progress after which the solver ends."""


@dataclass(frozen=True)
class PowerSolution:
    """A spline of order m with its certificate; as `Solution`, for `HigherOrderProblem`.

    Attributes
    ----------
    network : PowerSpline
    certificate : Certificate
        Recomputed from the returned spline.
    status : Status
    n_iter : int
        Rounds of column generation.
    history : tuple of Event
    seconds : float
    """

    network: PowerSpline
    certificate: Certificate
    status: Status
    n_iter: int
    history: tuple[Event, ...]
    seconds: float

    def __str__(self) -> str:
        effort = f"after {self.n_iter} rounds, {self.seconds:.2f} s"
        return f"{self.certificate} {effort}. {self.status.value}"


class _Stop(Exception):
    """Ends the loop with a status."""

    def __init__(self, status: Status) -> None:
        self.status = status


@dataclass
class _Bound:
    """The best lower bound so far, its dual point and the sup |eta| that it rests on."""

    value: float = -np.inf
    q: Array = field(default_factory=lambda: np.zeros(0))
    sup: float = np.inf


class PowerGeneration:
    """State of one run of `solve_higher_order` for m >= 3; values are in reduced units."""

    def __init__(
        self,
        problem: HigherOrderProblem,
        *,
        tol: float,
        scope: Scope,
        time_limit: float | None,
        warm_start: PowerSpline | None,
        max_neurons: int | None,
        max_rounds: int,
        n_jobs: int | None,
        random_state: int,
        callbacks: Sequence[Callback],
    ) -> None:
        self.start = time.perf_counter()
        self.problem, self.tol, self.scope = problem, tol, scope
        self.time_limit, self.max_neurons, self.max_rounds = time_limit, max_neurons, max_rounds
        self.callbacks, self.threads = tuple(callbacks), count_threads(n_jobs)
        self.core = PowerCore.of_problem(problem)
        self.search = PowerSearch(self.core, n_jobs=n_jobs, random_state=random_state)
        self.neurons = Neurons.none(self.core.d)
        if warm_start is not None:
            lowered = lower_spline(problem, self.core, warm_start)
            self.neurons = refit_amplitudes(self.core, lowered)
        self.state = self.core.state(self.neurons)
        self.unit = problem.reduction.y_scale**2
        self.resolution = problem.certificate(
            problem.polynomial_fit(), np.inf, Scope.LOCAL
        ).resolution
        self.bound = _Bound()
        self.proof: SupBound | None = None
        self.starts, self.round = STARTS, 0

    def seconds(self) -> float:
        """Return the wall-clock time since the start."""
        return time.perf_counter() - self.start

    def original(self, value: float) -> float:
        """Return an objective in the units of the problem."""
        return self.unit * value + self.problem.reduction.constant

    def gap(self, bound: float) -> float:
        """Return the relative gap to a lower bound."""
        gap = self.unit * (self.state.primal - bound)
        size = max(abs(self.original(self.state.primal)), np.finfo(float).tiny)
        return gap / size if gap > self.resolution else 0.0

    def run(self) -> PowerSolution:
        """Run to the end and return the solution; an interrupt ends it early."""
        history = History()
        self.callbacks = (history, *self.callbacks)
        try:
            self._loop()
            status = Status.SOLVED
        except _Stop as stop:
            status = stop.status
        except KeyboardInterrupt:
            status = Status.INTERRUPTED
        network, certificate = self._finish()
        if certificate.relative_gap <= self.tol and certificate.scope is self.scope:
            status = Status.SOLVED
        elif status is Status.SOLVED:
            status = Status.STALLED
        return PowerSolution(
            network, certificate, status, self.round, tuple(history.events), self.seconds()
        )

    def _loop(self) -> None:
        idle = 0
        goal = self.tol if self.scope is Scope.LOCAL else LOCAL_SHARE * self.tol
        while True:
            found = self._price(self.state.q, self.starts)
            self._emit("search", self.bound.value, Scope.LOCAL, found.sup)
            if self.gap(self.bound.value) <= goal:
                found = self._price(self.bound.q, self._thorough())
                if self.gap(self.bound.value) > goal:
                    # The ordinary search had missed a maximum: it must look harder from now on.
                    self.starts = min(2 * self.starts, THOROUGH_STARTS)
                else:
                    if self.scope is Scope.LOCAL or self._prove():
                        return
                    found = self._witnesses()
            before = self.state.value
            self._improve(found)
            idle = idle + 1 if self.state.value >= before - 1e-15 * abs(before) else 0
            if idle >= MOST_IDLE:
                self._stop(Status.STALLED)
            self.round += 1
            if self.round >= self.max_rounds:
                self._stop(Status.MAX_ROUNDS)
            share = 1.0 if self.scope is Scope.LOCAL or self.core.d <= 1 else 0.5
            if self.time_limit is not None and self.seconds() >= share * self.time_limit:
                self._stop(Status.TIME_LIMIT)

    def _thorough(self) -> int:
        return max(THOROUGH_STARTS, 100 * self.core.d, 20 * len(self.neurons))

    def _stop(self, status: Status) -> None:
        """End with `status`, after a proof if one was asked for: its bound is always valid."""
        if self.scope is Scope.GLOBAL and (self.core.d <= 1 or self.time_limit is not None):
            self._price(self.state.q, self.starts)
            self._prove()
        raise _Stop(status)

    def _price(self, q: Array, starts: int) -> Candidates:
        """Search at q, and keep its lower bound if it is the best so far (or the same point)."""
        core = self.core
        found = self.search.search(core.on_points(q), self.neurons, starts)
        # Where eta = 0 any multiple is feasible, but a large one is no longer in the null space.
        t = core.best_scale(q, found.sup) if found.sup > 0.0 else 1.0
        value = -float(core.s @ core.loss.conjugate(core.y, -t * q / core.s))
        if len(self.bound.q) and q is not self.bound.q:
            # The planes found here may show that the search at the best point missed a maximum.
            old = float(np.abs(core.eta(self.bound.q, found.planes)).max(initial=0.0))
            if old > self.bound.sup:
                self.bound = _Bound(core.dual_value(self.bound.q, old), self.bound.q, old)
        if q is self.bound.q:
            self.bound = _Bound(value, q, found.sup)
        elif value > self.bound.value:
            self.bound = _Bound(value, t * q, abs(t) * found.sup)
        return found

    def _improve(self, found: Candidates) -> None:
        """Add the violated columns, refit, slide, merge clusters; the objective never rises."""
        core = self.core
        slope = core.eta(self.state.q, found.planes)
        useful = np.flatnonzero(np.abs(slope) > core.alpha * (1.0 + 1e-12))[:MOST_COLUMNS]
        new = Neurons(np.sign(slope[useful]), np.zeros(len(useful)), found.planes[useful])
        distance = max(self.state.value - self.bound.value, 0.0)
        accuracy = 1e-3 * distance
        neurons = refit_amplitudes(core, self.neurons.join(new), accuracy)
        if self.max_neurons is not None and len(neurons) > self.max_neurons:
            order = np.argsort(-neurons.amplitude, kind="stable")[: self.max_neurons]
            neurons = refit_amplitudes(core, neurons.take(np.sort(order)))
        neurons = slide(core, neurons, STEPS, accuracy)
        neurons = merge_clusters(core, refit_amplitudes(core, neurons), STEPS, accuracy)
        state = core.state(neurons)
        if state.value < self.state.value:
            self.neurons, self.state = neurons, state
        elif self.max_neurons is not None:
            self._stop(Status.MAX_NEURONS)

    def _prove(self) -> bool:
        """Prove the bound of the best dual point; return whether the tolerance is met."""
        core, r = self.core, self.problem.reduction
        constant = r.constant / self.unit
        slack = PROOF_SHARE * self.tol * abs(self.original(self.state.primal)) / self.unit
        threshold = proof_threshold(core, self.bound.q, self.state.primal, slack, constant=constant)
        left = None if self.time_limit is None else max(self.time_limit - self.seconds(), 0.01)
        q = core.on_points(self.bound.q)
        proof = bound_power_sup(
            core,
            q,
            goal_of_proof(core, q, threshold, self.bound.sup),
            time_limit=left,
            n_threads=self.threads,
        )
        self.proof = proof
        value = core.dual_value(self.bound.q, proof.bound)
        self._emit("proof", value, Scope.GLOBAL, proof.attained)
        return self.gap(value) <= self.tol

    def _witnesses(self) -> Candidates:
        """Return the violated planes of a proof that has failed as columns, or give up."""
        proof, core = self.proof, self.core
        assert proof is not None
        if self.time_limit is not None and self.seconds() >= self.time_limit:
            raise _Stop(Status.TIME_LIMIT)
        if proof.attained <= max(self.bound.sup, core.alpha) * (1.0 + 1e-12):
            raise _Stop(Status.STALLED)
        weights = np.vstack([proof.weight, proof.witnesses_weights])
        biases = np.concatenate([[proof.bias], proof.witnesses_biases])
        planes = np.column_stack([weights, biases])
        eta = core.eta(self.bound.q, planes)
        self.bound, self.proof = _Bound(), None
        return Candidates(np.abs(eta), np.sign(eta), planes, float(np.abs(eta).max()))

    def _emit(self, stage: str, bound: float, scope: Scope, sup: float) -> None:
        """Send an event to all callbacks; stop if one asks for it."""
        event = Event(
            self.round,
            self.seconds(),
            len(self.neurons),
            self.original(self.state.primal),
            self.original(bound),
            self.gap(bound),
            scope,
            sup / self.core.alpha - 1.0,
            stage,
            self.proof.n_boxes if stage == "proof" and self.proof is not None else 0,
        )
        if any([callback(event) for callback in self.callbacks]):  # a list: all are called
            raise _Stop(Status.INTERRUPTED)

    def _finish(self) -> tuple[PowerSpline, Certificate]:
        """Return the sparse spline in original units and its certificate."""
        problem, r = self.problem, self.problem.reduction
        network = raise_neurons(problem, reduce_power(self.core, self.neurons))
        dense = raise_neurons(problem, self.neurons)
        if problem.objective(dense) < problem.objective(network) * (1.0 - 1e-12):
            network = dense
        if len(self.bound.q) == 0:
            self._price(self.state.q, self.starts)
        q = r.raise_dual(self.bound.q, problem.y - r.affine_values(problem.X), problem.s)
        if self.proof is not None:
            return network, certify_power_bound(problem, network, q, self.proof)
        sup = raise_bound(problem, self.bound.sup, q)
        return network, problem.certificate(network, sup, Scope.LOCAL, dual_point=q)


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
    if not isinstance(problem, HigherOrderProblem):
        raise TypeError(
            f"problem must be a HigherOrderProblem, got {type(problem).__name__}; solve() is for "
            "RadonTVProblem."
        )
    options: dict[str, Any] = {
        "tol": as_positive("tol", tol),
        "scope": as_scope(scope),
        "time_limit": None if time_limit is None else as_positive("time_limit", time_limit),
        "max_rounds": as_count("max_rounds", max_rounds, least=1),
        "max_neurons": None
        if max_neurons is None
        else as_count("max_neurons", max_neurons, least=0),
        "random_state": as_count("random_state", random_state, least=0),
        "n_jobs": n_jobs,
    }
    if warm_start is not None:
        problem.check(warm_start, "warm_start")
    problem.check_existence()
    callbacks = as_callbacks(callback)
    if problem.order == 2:
        return _solve_relu(problem, warm_start, options, callbacks)
    with BlasThreads(1):
        return PowerGeneration(problem, warm_start=warm_start, callbacks=callbacks, **options).run()


def _solve_relu(
    problem: HigherOrderProblem,
    warm_start: PowerSpline | None,
    options: dict[str, Any],
    callbacks: Sequence[Callback],
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
    return PowerSolution(
        network, certificate, found.status, found.n_iter, found.history, found.seconds
    )
