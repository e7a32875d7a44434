"""The driving loop: price, bound, record, stop or go on; then prove."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from threadpoolctl import ThreadpoolController

from ..problems import Certificate, RadonTVProblem, RidgeSpline, Scope
from ..problems.checks import Array, as_positive
from .amplitudes import refit_amplitudes
from .core import Core, Neurons
from .events import Callback, Event, History
from .master import Master, get_master
from .merging import merge_cells
from .parallel import count_threads
from .pricing import Candidates, Pricing
from .proof import bound_sup, certify_bound, proof_threshold
from .solution import Solution, Status
from .sparsify import reduce_neurons

STARTS, THOROUGH_STARTS = 64, 512
"""New starts of an ordinary round, and of the search that must confirm convergence."""
MOST_COLUMNS = 300
"""New neurons per round."""
SLIDE_SIZE = 400
"""With fewer variables the master always moves the neurons; with more only near the optimum, since
far from it columns are cheaper than positions."""
SLIDE_GAP = 0.1
LOCAL_SHARE = 0.3
"""Share of the tolerance for the search; the rest pays for the bound that a proof can reach."""
LARGE = 4000
"""Samples from which on linear algebra uses the threads too."""
PROOF_TIME = 0.5
"""Share of the time limit after which an unfinished search gives way to the proof."""


@dataclass
class _Bound:
    """The dual point of the best lower bound so far, scaled into the feasible set."""

    value: float = -np.inf
    q: Array = field(default_factory=lambda: np.zeros(0))
    sup: float = np.inf
    scope: Scope = Scope.LOCAL


class _Stop(Exception):
    """Ends the loop with a status."""

    def __init__(self, status: Status) -> None:
        self.status = status


class ColumnGeneration:
    """State of one run of `solve`; methods follow the order of a round."""

    def __init__(
        self,
        problem: RadonTVProblem,
        *,
        tol: float,
        scope: Scope,
        time_limit: float | None,
        master: str,
        warm_start: RidgeSpline | None,
        max_neurons: int | None,
        max_rounds: int,
        n_jobs: int | None,
        random_state: int,
        callbacks: Sequence[Callback],
    ) -> None:
        self.start = time.perf_counter()
        self.problem, self.tol, self.scope = problem, tol, scope
        self.time_limit, self.max_neurons, self.max_rounds = time_limit, max_neurons, max_rounds
        self.callbacks = callbacks
        self.threads = count_threads(n_jobs)
        self.core = Core.of(problem)
        self.master: Master = get_master(master, self.core)
        self.pricing = Pricing(self.core, n_jobs=n_jobs, random_state=random_state)
        self.neurons = Neurons.none(self.core.d)
        if warm_start is not None:
            self.neurons = self._lower(warm_start)
        self.value, self.q = self.core.state(self.neurons)
        self.resolution = problem.resolution(problem.affine_fit())
        self.bound = _Bound()
        self.starts = STARTS
        self.round = 0

    # Units: F = y_scale^2 F' + constant.
    def _original(self, value: float) -> float:
        r = self.problem.reduction
        return r.y_scale**2 * value + r.constant

    @property
    def gap(self) -> float:
        """Relative gap to the best bound so far."""
        return self._relative(self.bound.value)

    def _relative(self, bound: float) -> float:
        unit = self.problem.reduction.y_scale**2
        gap = unit * (self.value - bound)
        return gap / abs(self._original(self.value)) if gap > self.resolution else 0.0

    def _lower(self, network: RidgeSpline) -> Neurons:
        if network.n_features != self.problem.n_features:
            raise ValueError(
                f"warm_start has {network.n_features} features, the problem "
                f"{self.problem.n_features}."
            )
        neurons = self.core.from_network(self.problem.reduction.lower_network(network))
        return merge_cells(self.core, refit_amplitudes(self.core, neurons))

    def seconds(self) -> float:
        """Return the wall-clock time since the start."""
        return time.perf_counter() - self.start

    def run(self) -> Solution:
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
        network, certificate = self._finish(status)
        if certificate.relative_gap <= self.tol and certificate.scope is self.scope:
            status = Status.SOLVED
        elif status is Status.SOLVED:
            status = Status.STALLED
        return Solution(
            network, certificate, status, self.round, tuple(history.events), self.seconds()
        )

    def _loop(self) -> None:
        local_tol = self.tol if self.scope is Scope.LOCAL else LOCAL_SHARE * self.tol
        idle = 0
        while True:
            found = self._price(self.q, self.starts)
            self._emit()
            if self.gap <= local_tol:
                found = self._price(self.bound.q, THOROUGH_STARTS, thorough=True)
                if self.gap > local_tol:
                    # The ordinary search had missed a maximum: it must look harder from now on.
                    self.starts = min(2 * self.starts, THOROUGH_STARTS)
                else:
                    if self.scope is Scope.LOCAL:
                        return
                    columns = self._prove()
                    if columns is None:
                        return
                    found = columns
            before = self.value
            self._improve(found)
            idle = idle + 1 if self.value >= before * (1 - 1e-15) else 0
            if idle >= 5:
                raise _Stop(Status.STALLED)
            self._check_limits()

    def _check_limits(self) -> None:
        self.round += 1
        if self.round >= self.max_rounds:
            raise _Stop(Status.MAX_ROUNDS)
        if self.time_limit is not None:
            share = 1.0 if self.scope is Scope.LOCAL or self.core.d <= 2 else PROOF_TIME
            if self.seconds() >= share * self.time_limit:
                if share < 1.0:
                    self._price(self.q, self.starts)
                    self._prove()
                raise _Stop(Status.TIME_LIMIT)

    def _price(self, q: Array, starts: int, *, thorough: bool = False) -> Candidates:
        """Search at q, and keep its lower bound if it is the best so far (or the same point)."""
        found = self.pricing.search(q, self.neurons, starts, all_known=thorough)
        sup = found.sup
        value = self.core.dual_value(q, sup)
        if q is self.bound.q:
            self.bound = _Bound(value, q, sup)
        elif value > self.bound.value:
            limit = self.core.alpha / sup if sup > 0 else np.inf
            t = self.core.loss.dual_scale(self.core.y, q, self.core.s, limit)
            self.bound = _Bound(value, t * q, abs(t) * sup)
        self.violation = sup / self.core.alpha - 1.0
        return found

    def _improve(self, found: Candidates) -> None:
        """Add the violated columns, refit, slide; the objective never rises."""
        core = self.core
        # Candidates may come from another dual point: their slope at this one decides.
        slope = core.eta(self.q, found.planes)
        useful = np.abs(slope) > core.alpha * (1.0 + 1e-12)
        count = MOST_COLUMNS if self.max_neurons is None else max(self.max_neurons, 1)
        planes = found.planes[useful][:count]
        new = Neurons(np.sign(slope[useful][:count]), np.zeros(len(planes)), planes)
        distance = self.gap * max(abs(self.value), 1e-300)
        joined = refit_amplitudes(core, self.neurons.join(new), 0.05 * distance)
        neurons = merge_cells(core, joined)
        size = len(neurons) * (core.d + 1)
        if self.max_neurons is not None and len(neurons) > self.max_neurons:
            order = np.argsort(-neurons.amplitude, kind="stable")[: self.max_neurons]
            neurons = refit_amplitudes(core, neurons.take(np.sort(order)))
            size = 0
        if size <= SLIDE_SIZE or self.gap <= SLIDE_GAP:
            steps = 10 if size <= SLIDE_SIZE else 4
            neurons = merge_cells(core, self.master.solve(neurons, 0.02 * distance, steps))
        value, q = core.state(neurons)
        if value < self.value:
            self.neurons, self.value, self.q = neurons, value, q
        elif self.max_neurons is not None:
            raise _Stop(Status.MAX_NEURONS)

    def _prove(self) -> Candidates | None:
        """Prove the bound of the best dual point; return violated planes, None if it holds."""
        core, unit = self.core, self.problem.reduction.y_scale**2
        slack = 0.95 * self.tol * abs(self._original(self.value)) / unit
        threshold = proof_threshold(core, self.bound.q, self.value, slack)
        left = None if self.time_limit is None else max(self.time_limit - self.seconds(), 0.01)
        found = bound_sup(
            core,
            self.bound.q,
            max(threshold, self.bound.sup),
            time_limit=left,
            n_threads=self.threads,
        )
        self.proof = found
        self.bound.scope = Scope.GLOBAL
        self.proved_value = core.dual_value(self.bound.q, found.bound)
        self.violation = found.attained / core.alpha - 1.0
        self._emit(stage="proof", n_boxes=found.n_boxes, bound=self.proved_value)
        if self._relative(self.proved_value) <= self.tol:
            return None
        planes = np.column_stack(
            [
                np.vstack([found.weight, found.witnesses_weights]),
                np.concatenate([[found.bias], found.witnesses_biases]),
            ]
        )
        values = np.abs(core.eta(self.bound.q, planes))
        if found.interrupted:
            raise _Stop(Status.INTERRUPTED)
        if self.time_limit is not None and self.seconds() >= self.time_limit:
            raise _Stop(Status.TIME_LIMIT)
        if values.max() <= core.alpha * (1.0 + 1e-12):
            raise _Stop(Status.STALLED)
        self.bound = _Bound()
        return Candidates(values, np.sign(core.eta(self.q, planes)), planes)

    def _emit(self, stage: str = "search", n_boxes: int = 0, bound: float | None = None) -> None:
        value = self.bound.value if bound is None else bound
        event = Event(
            self.round,
            self.seconds(),
            len(self.neurons),
            self._original(self.value),
            self._original(value),
            self._relative(value),
            Scope.GLOBAL if stage == "proof" else Scope.LOCAL,
            self.violation,
            stage,
            n_boxes,
        )
        if any([callback(event) for callback in self.callbacks]):
            raise _Stop(Status.INTERRUPTED)

    def _finish(self, status: Status) -> tuple[RidgeSpline, Certificate]:
        """Return the sparse network in original units and its certificate."""
        problem, reduction = self.problem, self.problem.reduction
        network = self._network(reduce_neurons(self.core, self.neurons))
        dense = self._network(self.neurons)
        if problem.objective(dense) < problem.objective(network) * (1 - 1e-12):
            network = dense
        if len(self.bound.q) == 0 or (
            self.bound.scope is Scope.LOCAL and status is not Status.SOLVED and self.gap > self.tol
        ):
            # Stopped early: the last network's own dual point may be better.
            self._price(self.q, self.starts)
        rest = problem.y - (problem.X @ reduction.coef + reduction.intercept)
        q = reduction.raise_dual(self.bound.q, rest, problem.s)
        if self.scope is Scope.GLOBAL and self.bound.scope is Scope.GLOBAL:
            return network, certify_bound(problem, network, q, self.proof)
        sup = reduction.raise_bound(self.bound.sup, q)
        return network, problem.certificate(network, sup, Scope.LOCAL, dual_point=q)

    def _network(self, neurons: Neurons) -> RidgeSpline:
        raised = self.problem.reduction.raise_network(self.core.to_network(neurons))
        return self.problem.refit_affine(raised)


def solve(
    problem: RadonTVProblem,
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
    problem : RadonTVProblem
    tol : float, default=1e-6
        Relative duality gap (primal - dual) / |primal| at which to stop.
    scope : {"local", "global"}, default="local"
        Whether the gap need only hold over what a thorough search finds, or be proved over all
        neurons. A proof is exact and fast in 1 and 2 dimensions; its worst case grows
        exponentially with the dimension (the problem is NP-hard).
    time_limit : float, default=None
        Seconds, for search and proof together. What has been reached by then is returned.
    master : {"newton", "clarabel"}, default="newton"
        The dedicated method, or the conic solver Clarabel (slow, for checks).
    warm_start : RidgeSpline, default=None
        A network to start from, in the units of the problem.
    max_neurons : int, default=None
        Upper limit on the number of neurons. The certificate still refers to the unrestricted
        problem.
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
        Network, certificate (recomputed from that network), status, history. Ctrl-C returns the
        best certified network so far with status INTERRUPTED.

    Raises
    ------
    TypeError, ValueError
        For options that are unknown or out of range.
    """
    if not isinstance(problem, RadonTVProblem):
        raise TypeError(f"problem must be a RadonTVProblem, got {type(problem).__name__}.")
    try:
        wanted = scope if isinstance(scope, Scope) else Scope(scope)
    except ValueError:
        wanted = Scope.DICTIONARY
    if wanted is Scope.DICTIONARY:
        raise ValueError(f"scope must be 'local' or 'global', got {scope!r}.")
    if time_limit is not None:
        as_positive("time_limit", time_limit)
    if max_neurons is not None and (max_neurons != int(max_neurons) or max_neurons < 0):
        raise ValueError(f"max_neurons must be None or an integer >= 0, got {max_neurons!r}.")
    callbacks: tuple[Callback, ...] = ()
    if callback is not None:
        callbacks = (callback,) if callable(callback) else tuple(callback)
    # Small matrices: threads of the linear algebra would mostly wait for one another.
    threads = 1 if problem.n_samples < LARGE else count_threads(n_jobs)
    with ThreadpoolController().limit(limits=threads, user_api="blas"):
        return ColumnGeneration(
            problem,
            tol=as_positive("tol", tol),
            scope=wanted,
            time_limit=time_limit,
            master=master,
            warm_start=warm_start,
            max_neurons=max_neurons,
            max_rounds=max_rounds,
            n_jobs=n_jobs,
            random_state=random_state,
            callbacks=callbacks,
        ).run()
