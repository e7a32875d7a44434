"""Column generation with several outputs: price, bound, record, improve, prove."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from ...problems import Certificate, RidgeSpline, Scope
from ...problems.checks import Array
from ...problems.multi_output import MultiOutputProblem
from ..column_generation import (
    LOCAL_SHARE,
    MOST_COLUMNS,
    PROOF_TIME,
    STARTS,
    STARTS_PER_NEURON,
    THOROUGH_PER_DIMENSION,
    THOROUGH_PER_NEURON,
    THOROUGH_STARTS,
    _Stop,
)
from ..events import Callback, Event, History
from ..oracle import SupBound
from ..pricing import BUDGET
from ..solution import Solution, Status
from .amplitudes import refit_vectors
from .bounds import bound_sup_outputs, certify_sup, raised_dual, threshold_outputs
from .core import VectorCore, VectorNeurons
from .master import VectorMaster
from .merging import merge_vector_cells
from .pricing import VectorCandidates, VectorPricing, as_columns
from .sparsify import reduce_vectors

SLIDE_SIZES, SLIDE_GAPS = (400, 4000), (0.3, 0.02)
"""With fewer than 400 variables the master always moves the neurons; with more only from a gap of
0.3 on, and from 0.02 on with over 4000."""


@dataclass
class _Bound:
    """The dual point of the best lower bound so far, scaled into the feasible set."""

    value: float = -np.inf
    Q: Array = field(default_factory=lambda: np.zeros((0, 0)))
    sup: float = np.inf


class VectorGeneration:
    """State of one run of `solve_multi_output`; methods follow the order of a round."""

    def __init__(
        self,
        problem: MultiOutputProblem,
        *,
        tol: float,
        scope: Scope,
        time_limit: float | None,
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
        self.n_jobs, self.callbacks = n_jobs, callbacks
        self.core = VectorCore.of(problem)
        self.master = VectorMaster(self.core)
        self.pricing = VectorPricing(self.core, n_jobs=n_jobs, random_state=random_state)
        self.neurons = VectorNeurons.none(self.core.d, self.core.D)
        if warm_start is not None:
            lowered = self.core.from_network(problem.reduction.lower_network(warm_start))
            self.neurons = refit_vectors(self.core, lowered)
        self.state = self.core.state(self.neurons)
        self.resolution = problem.resolution(problem.affine_fit())
        self.bound = _Bound()
        self.violation = np.inf
        self.proof: tuple[Array, SupBound] | None = None
        self.starts, self.round = STARTS, 0

    # Units: F = y_scale^2 F' + constant.
    def _original(self, value: float) -> float:
        r = self.problem.reduction
        return r.y_scale**2 * value + r.constant

    @property
    def gap(self) -> float:
        """Relative gap to the best bound so far."""
        return self._relative(self.bound.value)

    def _relative(self, bound: float) -> float:
        gap = self.problem.reduction.y_scale**2 * (self.state.value - bound)
        size = max(abs(self._original(self.state.value)), np.finfo(float).tiny)
        return gap / size if gap > self.resolution else 0.0

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
        network, certificate = self._finish()
        if certificate.relative_gap <= self.tol and certificate.scope is self.scope:
            status = Status.SOLVED
        elif status is Status.SOLVED:
            status = Status.STALLED
        events = tuple(history.events)
        return Solution(network, certificate, status, self.round, events, self.seconds())

    def _loop(self) -> None:
        local_tol = self.tol if self.scope is Scope.LOCAL else LOCAL_SHARE * self.tol
        idle = 0
        while True:
            found = self._price(self.state.Q, self._new_starts())
            self._emit("search", self.bound.value)
            if self.gap <= local_tol:
                found = self._price(self.bound.Q, self._thorough_starts(), thorough=True)
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
            before = self.state.value
            self._improve(found)
            idle = idle + 1 if self.state.value >= before - 1e-15 * abs(before) else 0
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
            self._price(self.state.Q, self._new_starts())
            try:
                self._prove()
            except _Stop as stop:
                # What is left to do does not matter any more.
                status = stop.status if stop.status is Status.INTERRUPTED else status
        raise _Stop(status)

    def _new_starts(self) -> int:
        """Return the number of new starts: with the network's size, as far as the data allow."""
        wanted = int(STARTS_PER_NEURON * len(self.neurons))
        return max(self.starts, min(wanted, int(BUDGET / (self.core.n * self.core.D))))

    def _thorough_starts(self) -> int:
        wanted = max(THOROUGH_PER_DIMENSION * self.core.d, THOROUGH_PER_NEURON * len(self.neurons))
        return min(wanted, THOROUGH_STARTS)

    def _price(self, Q: Array, starts: int, *, thorough: bool = False) -> VectorCandidates:
        """Search at Q, and keep its lower bound if it is the best so far (or the same point)."""
        core = self.core
        budget = None if thorough else float(BUDGET)
        found = self.pricing.search(core.on_points(Q), self.neurons, starts, budget)
        if Q is self.bound.Q:
            self.bound = _Bound(core.dual_value(Q, found.sup), Q, found.sup)
        else:
            self._check_best(found)
            value = core.dual_value(Q, found.sup)
            if value > self.bound.value:
                t = core.best_scale(Q, found.sup)
                self.bound = _Bound(value, t * Q, abs(t) * found.sup)
        self.violation = found.sup / core.alpha - 1.0
        return found

    def _check_best(self, found: VectorCandidates) -> None:
        """Lower the best bound if the planes found show that the search for it missed a maximum."""
        best, core = self.bound, self.core
        if len(best.Q) == 0:
            return
        sup = float(core.dual_norm(core.eta(best.Q, found.planes)).max(initial=0.0))
        if sup > best.sup:
            self.bound = _Bound(core.dual_value(best.Q, sup), best.Q, sup)

    def _improve(self, found: VectorCandidates) -> None:
        """Add the violated columns, refit, slide; the objective never rises."""
        core = self.core
        most = max(MOST_COLUMNS, len(self.neurons) // 2)
        if self.max_neurons is not None:
            most = max(self.max_neurons, 1)
        new = as_columns(core, self.state.Q, found, most)
        distance = self.gap * max(abs(self.state.value), 1e-300)
        joined = refit_vectors(core, self.neurons.join(new), 0.05 * distance)
        if self.max_neurons is not None and len(joined) > self.max_neurons:
            order = np.argsort(-joined.amplitude, kind="stable")[: self.max_neurons]
            joined = refit_vectors(core, joined.take(np.sort(order)))
        # Merging changes the function a little: if that does not pay, do without.
        for neurons in (merge_vector_cells(core, joined), joined):
            slid = self._slide(neurons, distance)
            state = core.state(slid)
            if state.value < self.state.value:
                self.neurons, self.state = slid, state
                return
        if self.max_neurons is not None:
            self._stop(Status.MAX_NEURONS)

    def _slide(self, neurons: VectorNeurons, distance: float) -> VectorNeurons:
        """Return the neurons after the master, if the time has come for it, and a refit."""
        core = self.core
        size = len(neurons) * (core.d + (core.D if core.shared else 1))
        near = distance <= SLIDE_GAPS[int(size > SLIDE_SIZES[1])] * abs(self.state.value)
        if size <= SLIDE_SIZES[0] or near:
            steps = 10 if size <= SLIDE_SIZES[0] else 4
            neurons = self.master.solve(neurons, 0.02 * distance, steps)
            # Optimal amplitudes make the better dual point, and nearly for free.
            neurons = refit_vectors(core, neurons, 0.01 * distance)
        return neurons

    def _prove(self) -> VectorCandidates | None:
        """Prove the bound of the best dual point; return violated planes, None if it holds."""
        core, r = self.core, self.problem.reduction
        primal = self._original(self.state.value)
        slack = 0.95 * self.tol * abs(primal)
        threshold = threshold_outputs(self.problem, core, self.bound.Q, primal, slack)
        left = None if self.time_limit is None else max(self.time_limit - self.seconds(), 0.01)
        Q = raised_dual(self.problem, self.bound.Q)
        found = bound_sup_outputs(
            self.problem,
            Q,
            max(threshold, self.bound.sup) * r.unit,
            time_limit=left,
            n_jobs=self.n_jobs,
        )
        self.proof = Q, found
        proved = core.dual_value(self.bound.Q, found.bound / r.unit)
        self.violation = found.attained / self.problem.alpha - 1.0
        self._emit("proof", proved, n_boxes=found.n_boxes)
        if self._relative(proved) <= self.tol:
            return None
        if found.interrupted:
            raise _Stop(Status.INTERRUPTED)
        if self.time_limit is not None and self.seconds() >= self.time_limit:
            raise _Stop(Status.TIME_LIMIT)
        weights = np.vstack([found.weight, found.witnesses_weights])
        biases = np.append(found.bias, found.witnesses_biases)
        weights, biases, length = r.inputs.lower_hyperplanes(weights, biases)
        planes = np.column_stack([weights, biases])[length > 0]
        eta = core.eta(self.bound.Q, planes)
        values = core.dual_norm(eta)
        if values.max(initial=0.0) <= core.alpha * (1.0 + 1e-12):
            raise _Stop(Status.STALLED)
        outputs = np.full(len(planes), -1) if core.shared else np.abs(eta).argmax(axis=1)
        return VectorCandidates(values, outputs, planes, float(values.max()))

    def _emit(self, stage: str, bound: float, *, n_boxes: int = 0) -> None:
        """Send an event; stop if a callback asks for it."""
        event = Event(
            self.round,
            self.seconds(),
            len(self.neurons),
            self._original(self.state.value),
            self._original(bound),
            self._relative(bound),
            Scope.LOCAL if stage == "search" else Scope.GLOBAL,
            self.violation,
            stage,
            n_boxes,
        )
        if any([callback(event) for callback in self.callbacks]):
            raise _Stop(Status.INTERRUPTED)

    def _finish(self) -> tuple[RidgeSpline, Certificate]:
        """Return the sparse network in original units and its certificate."""
        problem = self.problem
        network = self._network(reduce_vectors(self.core, self.neurons))
        dense = self._network(self.neurons)
        if problem.objective(dense) < problem.objective(network) * (1 - 1e-12):
            network = dense
        if self.proof is not None:
            return network, certify_sup(problem, network, *self.proof)
        if len(self.bound.Q) == 0 or self.gap > self.tol:
            # Stopped early: the last network's own dual point may be better.
            self._price(self.state.Q, self._new_starts())
        Q = raised_dual(problem, self.bound.Q)
        sup = self.bound.sup * problem.reduction.unit
        return network, problem.certificate(network, sup, Scope.LOCAL, dual_point=Q)

    def _network(self, neurons: VectorNeurons) -> RidgeSpline:
        """Return the neurons in original units, one per plane, affine part refitted."""
        raised = self.problem.reduction.raise_network(self.core.to_network(neurons))
        return self.problem.refit_affine(raised.merged())
