"""Column generation: the loop of pricing, bounding, recording, improving and proving."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from ..problems import Certificate, RadonTVProblem, RidgeSpline, Scope
from ..problems.checks import Array
from .amplitudes import refit_amplitudes
from .core import Core, Neurons, State
from .events import Callback, Event, History
from .frontier import Frontier
from .master import Master, get_master
from .merging import merge_cells
from .multipliers import INNER_SHARE, Multipliers
from .oracle import SupBound
from .parallel import count_threads
from .pricing import BUDGET, Candidates
from .pricing_choice import get_pricing
from .proof import bound_sup, certify_bound, proof_threshold
from .solution import Solution, Status
from .sparsify import reduce_neurons

STARTS, STARTS_PER_NEURON = 32, 1.5
"""New starts of an ordinary round: at least, and per neuron, since larger networks need more new
columns a round."""
THOROUGH_PER_DIMENSION, THOROUGH_PER_NEURON, THOROUGH_STARTS = 100, 20, 1000
"""New starts of the search that must confirm convergence: per dimension or per neuron, and at
most, unless the search stays within the budget."""
MOST_COLUMNS = 1000
"""New neurons per round, or half as many as there are."""
LATE_GAP, LATE_EFFORT = 0.15, 4
"""Gap from which on a search may climb from this many times more planes."""
SLIDE_SIZES, SLIDE_GAPS = (400, 4000), (0.1, 0.005)
"""With fewer than 400 variables the master always moves the neurons; with more only from a gap of
0.1 on, and from 0.005 on with over 4000: far from the optimum columns cost less than moves."""
LOCAL_SHARE = 0.3
"""Share of the tolerance for the search; the rest pays for the bound that a proof can reach."""
PATIENCE, MOST_PUSHES = 2, 30
"""Rounds without progress after which multipliers move on all the same, and how often they may."""
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
        self.pricing = get_pricing(self.core, n_jobs=n_jobs, random_state=random_state)
        self.neurons = Neurons.none(self.core.d)
        if warm_start is not None:
            self.neurons = self._lower(warm_start)
        self.state = self.core.state(self.neurons)
        smooth = self.core.model is self.core.loss
        self.multipliers = None if smooth else Multipliers(self.core)
        self.best = (self.state.primal, self.core, self.neurons)
        self.inner, self.pushed = np.inf, 0
        self.resolution = problem.resolution(problem.affine_fit())
        self.bound = _Bound()
        self.violation = np.inf
        self.proof: SupBound | None = None
        self.starts = STARTS
        self.round = 0

    # Units: F = y_scale^2 F' + constant.
    def _original(self, value: float) -> float:
        r = self.problem.reduction
        return r.y_scale**2 * value + r.constant

    @property
    def value(self) -> float:
        """Objective of the model that the master minimises; for smooth losses the problem's."""
        return self.state.value

    @property
    def q(self) -> Array:
        """Dual point of the current neurons."""
        return self.state.q

    @property
    def primal(self) -> float:
        """Least objective so far."""
        return self.best[0]

    @property
    def gap(self) -> float:
        """Relative gap to the best bound so far."""
        return self._relative(self.bound.value)

    def _relative(self, bound: float) -> float:
        if not np.isfinite(self.primal):
            return np.inf
        unit = self.problem.reduction.y_scale**2
        gap = unit * (self.primal - bound)
        size = max(abs(self._original(self.primal)), np.finfo(float).tiny)
        return gap / size if gap > self.resolution else 0.0

    def _distance(self) -> float:
        """Return how far the master may be from its optimum, absolute."""
        if self.multipliers is None:
            return self.gap * max(abs(self.value), 1e-300)
        outer = self.multipliers.outer_gap(self.core, self.state, self.bound.value)
        return min(self.inner, outer) if np.isfinite(self.inner) else outer

    def _lower(self, network: RidgeSpline) -> Neurons:
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
        idle, last = 0, self.core
        while True:
            found = self._price(self.q, self._new_starts())
            self._emit("search", self.bound.value)
            self._move_multipliers(found.sup, idle)
            if self.gap <= local_tol:
                found = self._price(self.bound.q, self._thorough_starts(), thorough=True)
                if self.gap > local_tol:
                    # The ordinary search had missed a maximum: it must look harder from now on.
                    self.starts = min(2 * self.starts, THOROUGH_STARTS)
                else:
                    if self.scope is Scope.LOCAL:
                        return
                    columns = self._prove()
                    if columns is None:
                        return
                    found, self.bound = columns, _Bound()
            before, core = self.value, self.core
            self._improve(found)
            stuck = self.value >= before - 1e-15 * abs(before) and core is last
            idle, last = idle + 1 if stuck else 0, core
            if idle >= 5:
                self._stop(Status.STALLED)
            self._check_limits()

    def _check_limits(self) -> None:
        self.round += 1
        if self.round >= self.max_rounds:
            self._stop(Status.MAX_ROUNDS)
        if self.time_limit is not None:
            share = 1.0 if self.scope is Scope.LOCAL or self.core.d <= 2 else PROOF_TIME
            if self.seconds() >= share * self.time_limit:
                self._stop(Status.TIME_LIMIT)

    def _stop(self, status: Status) -> None:
        """End with `status`, after a proof if one was asked for: its bound is valid at any time."""
        if self.scope is Scope.GLOBAL and (self.core.d <= 2 or self.time_limit is not None):
            self._price(self.q, self._new_starts())
            try:
                self._prove()
            except _Stop as stop:
                # That the proof leaves a gap is no news; only an interrupt is.
                if stop.status is Status.INTERRUPTED:
                    raise
        raise _Stop(status)

    def _new_starts(self) -> int:
        """Return the number of new starts: with the network's size, as far as the data allow."""
        wanted = int(STARTS_PER_NEURON * len(self.neurons))
        return max(self.starts, min(wanted, int(self._budget() / self.core.n)))

    def _thorough_starts(self) -> int:
        wanted = max(THOROUGH_PER_DIMENSION * self.core.d, THOROUGH_PER_NEURON * len(self.neurons))
        return min(wanted, max(THOROUGH_STARTS, int(BUDGET / self.core.n)))

    def _budget(self) -> float:
        return BUDGET * (LATE_EFFORT if self.gap < LATE_GAP else 1)

    def _price(self, q: Array, starts: int, *, thorough: bool = False) -> Candidates:
        """Search at q, and keep its lower bound if it is the best so far (or the same point)."""
        budget = None if thorough else self._budget()
        found = self.pricing.search(self.core.on_points(q), self.neurons, starts, budget=budget)
        sup = found.sup
        value = self.core.dual_value(q, sup)
        if len(self.bound.q) and q is not self.bound.q:
            # The planes found here may show that the search at the best point missed a maximum.
            old = np.abs(self.core.eta(self.bound.q, found.planes)).max(initial=0.0)
            if old > self.bound.sup:
                self.bound = _Bound(self.core.dual_value(self.bound.q, old), self.bound.q, old)
        if q is self.bound.q:
            self.bound = _Bound(value, q, sup)
        elif value > self.bound.value:
            t = self.core.best_scale(q, sup)
            self.bound = _Bound(value, t * q, abs(t) * sup)
        self.violation = sup / self.core.alpha - 1.0
        return found

    def _improve(self, found: Candidates) -> None:
        """Add the violated columns, refit, slide; the objective never rises."""
        core = self.core
        # Candidates may come from another dual point: their slope at this one decides.
        slope = core.eta(self.q, found.planes)
        useful = np.abs(slope) > core.alpha * (1.0 + 1e-12)
        count = max(MOST_COLUMNS, len(self.neurons) // 2)
        if self.max_neurons is not None:
            count = max(self.max_neurons, 1)
        planes = found.planes[useful][:count]
        new = Neurons(np.sign(slope[useful][:count]), np.zeros(len(planes)), planes)
        distance = self._distance()
        joined = refit_amplitudes(core, self.neurons.join(new), 0.05 * distance)
        neurons = merge_cells(core, joined)
        size = len(neurons) * (core.d + 1)
        if self.max_neurons is not None and len(neurons) > self.max_neurons:
            order = np.argsort(-neurons.amplitude, kind="stable")[: self.max_neurons]
            neurons = refit_amplitudes(core, neurons.take(np.sort(order)))
            size = 0
        near = distance <= SLIDE_GAPS[int(size > SLIDE_SIZES[1])] * abs(self.value)
        if size <= SLIDE_SIZES[0] or near:
            steps = 10 if size <= SLIDE_SIZES[0] else 4
            neurons = merge_cells(core, self.master.solve(neurons, 0.02 * distance, steps))
            # Optimal amplitudes make the better dual point, and nearly for free.
            neurons = refit_amplitudes(core, neurons, 0.01 * distance)
        state = core.state(neurons)
        if state.value < self.value:
            self._accept(neurons, state)
        elif self.max_neurons is not None:
            self._stop(Status.MAX_NEURONS)

    def _accept(self, neurons: Neurons, state: State) -> None:
        self.neurons, self.state = neurons, state
        if state.primal < self.primal or not np.isfinite(self.primal):
            self.best = (state.primal, self.core, neurons)

    def _move_multipliers(self, sup: float, idle: int) -> None:
        """For losses with kinks: move the envelope on if its own problem is solved well enough.

        Or as well as rounding allows: after some rounds without progress it moves on, too.
        """
        if self.multipliers is None:
            return
        self.inner = self.multipliers.inner_gap(self.core, self.state, sup)
        outer = self.multipliers.outer_gap(self.core, self.state, self.bound.value)
        if self.inner > INNER_SHARE * outer:
            if idle < PATIENCE or self.pushed >= MOST_PUSHES:
                return
            self.pushed += 1
        self.core = self.master.core = self.multipliers.moved(self.core, self.state, outer)
        self._accept(self.neurons, self.core.state(self.neurons))

    def _prove(self) -> Candidates | None:
        """Prove the bound of the best dual point; return violated planes, None if it holds."""
        core, unit = self.core, self.problem.reduction.y_scale**2
        slack = 0.95 * self.tol * abs(self._original(self.primal)) / unit
        constant = self.problem.reduction.constant / unit
        threshold = proof_threshold(core, self.bound.q, self.primal, slack, constant=constant)
        left = None if self.time_limit is None else max(self.time_limit - self.seconds(), 0.01)
        asked_to_stop = False

        def watch(frontier: Frontier) -> None:
            nonlocal asked_to_stop
            asked_to_stop |= self._send(
                "proving",
                core.dual_value(self.bound.q, frontier.bound),
                n_boxes=frontier.n_boxes,
                n_open=frontier.n_open,
                remaining=frontier.remaining,
            )

        found = bound_sup(
            core,
            core.on_points(self.bound.q),
            max(threshold, self.bound.sup),
            time_limit=left,
            n_threads=self.threads,
            should_stop=lambda: asked_to_stop,
            watch=watch,
        )
        self.proof = found
        self.bound.scope = Scope.GLOBAL
        proved = core.dual_value(self.bound.q, found.bound)
        self.violation = found.attained / core.alpha - 1.0
        self._emit("proof", proved, n_boxes=found.n_boxes)
        if self._relative(proved) <= self.tol:
            return None
        planes = np.column_stack(
            [
                np.vstack([found.weight, found.witnesses_weights]),
                np.concatenate([[found.bias], found.witnesses_biases]),
            ]
        )
        values = np.abs(core.eta(self.bound.q, planes))
        if found.interrupted or asked_to_stop:
            raise _Stop(Status.INTERRUPTED)
        if self.time_limit is not None and self.seconds() >= self.time_limit:
            raise _Stop(Status.TIME_LIMIT)
        if values.max() <= core.alpha * (1.0 + 1e-12):
            raise _Stop(Status.STALLED)
        signs = np.sign(core.eta(self.q, planes))
        return Candidates(values, signs, planes, float(values.max()))

    def _emit(self, stage: str, bound: float, *, n_boxes: int = 0) -> None:
        """Send an event; stop if a callback asks for it."""
        if self._send(stage, bound, n_boxes=n_boxes):
            raise _Stop(Status.INTERRUPTED)

    def _send(
        self, stage: str, bound: float, *, n_boxes: int, n_open: int = 0, remaining: float = 0.0
    ) -> bool:
        """Send an event with a bound in reduced units; return whether a callback says stop."""
        event = Event(
            self.round,
            self.seconds(),
            len(self.neurons),
            self._original(self.primal),
            self._original(bound),
            self._relative(bound),
            Scope.LOCAL if stage == "search" else Scope.GLOBAL,
            self.violation,
            stage,
            n_boxes,
            n_open,
            remaining,
        )
        return any([callback(event) for callback in self.callbacks])

    def _finish(self, status: Status) -> tuple[RidgeSpline, Certificate]:
        """Return the sparse network in original units and its certificate."""
        problem, reduction = self.problem, self.problem.reduction
        _, core, neurons = self.best
        network = self._network(core, reduce_neurons(core, neurons))
        dense = self._network(core, neurons)
        if problem.objective(dense) < problem.objective(network) * (1 - 1e-12):
            network = dense
        if len(self.bound.q) == 0 or (
            self.bound.scope is Scope.LOCAL and status is not Status.SOLVED and self.gap > self.tol
        ):
            # Stopped early: the last network's own dual point may be better.
            self._price(self.q, self._new_starts())
        rest = problem.y
        if problem.measurements is None:
            rest = rest - reduction.affine_values(problem.X)
        q = reduction.raise_dual(self.bound.q, rest, problem.s)
        if self.proof is not None and self.bound.scope is Scope.GLOBAL:
            return network, certify_bound(problem, network, q, self.proof)
        sup = reduction.raise_bound(self.bound.sup, q)
        return network, problem.certificate(network, sup, Scope.LOCAL, dual_point=q)

    def _network(self, core: Core, neurons: Neurons) -> RidgeSpline:
        raised = self.problem.reduction.raise_network(core.to_network(neurons))
        return self.problem.refit_affine(raised) if self.problem.loss.smooth else raised
