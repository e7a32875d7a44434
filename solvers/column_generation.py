"""Column generation: the loop of pricing, bounding, telling, improving and proving."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Generic, TypeVar

import numpy as np

from ..problems import Certificate, Scope
from ..problems.checks import Array
from .bounding import Bounding
from .events import Callback, Event, History
from .method import BestBound, Found, Method
from .proof import proof_threshold
from .proof_state import Progress, ProofState
from .solution import Network, Status

Result = TypeVar("Result")

LOCAL_SHARE, PROOF_SHARE = 0.3, 0.95
"""Shares of the tolerance for the search if a proof follows, and for what the proof must reach;
the rest is for rounding."""
PROOF_TIME = 0.5
"""Share of the time limit after which an unfinished search gives way to the proof."""
MOST_IDLE = 5
"""Rounds without progress after which the loop ends."""
MOST_RUNS = 3
"""Runs of the loop, each with a smaller tolerance, until the certificate has the one asked for."""


class _Stop(Exception):
    """Ends the loop with a status."""

    def __init__(self, status: Status) -> None:
        self.status = status


def _better(one: Certificate, other: Certificate) -> bool:
    """Return whether a certificate says more: proved beats found, then the gap counts."""
    if one.scope is not other.scope:
        return one.scope is Scope.GLOBAL
    return one.relative_gap < other.relative_gap


class ColumnGeneration(Generic[Found, Network]):
    """One run of column generation; methods follow the order of a round.

    Parameters
    ----------
    method : Method
        The kind of neurons, with the network to start from.
    tol : float
        Relative gap at which to stop.
    scope : Scope
        Whether that gap has to be proved.
    time_limit : float or None
        Seconds since `start`.
    max_rounds : int
    callbacks : sequence of callables
    start : float
        When the call began, by `time.perf_counter`.
    """

    def __init__(
        self,
        method: Method[Found, Network],
        *,
        tol: float,
        scope: Scope,
        time_limit: float | None,
        max_rounds: int,
        callbacks: Sequence[Callback],
        start: float,
    ) -> None:
        self.method, self.tol, self.scope = method, tol, scope
        self.time_limit, self.max_rounds, self.start = time_limit, max_rounds, start
        self.history = History()
        self.callbacks: tuple[Callback, ...] = (self.history, *callbacks)
        self.bounding = Bounding(method)
        self.violation, self.round = np.inf, 0

    @property
    def bound(self) -> BestBound:
        """The best lower bound so far."""
        return self.bounding.best

    def seconds(self) -> float:
        """Return the wall-clock time since the start."""
        return time.perf_counter() - self.start

    def original(self, value: float) -> float:
        """Return an objective in the units of the problem."""
        return self.method.unit * value + self.method.constant

    def gap(self, bound: float) -> float:
        """Return the relative gap to a lower bound in reduced units."""
        primal = self.method.primal
        if not np.isfinite(primal):
            return np.inf
        gap = self.method.unit * (primal - bound)
        size = max(abs(self.original(primal)), np.finfo(float).tiny)
        return gap / size if gap > self.method.resolution else 0.0

    def run(
        self,
        answer: Callable[[Network, Certificate, Status, int, tuple[Event, ...], float], Result],
    ) -> Result:
        """Run to the end and return a solution made by `answer`; an interrupt ends early."""
        asked, best = self.tol, None
        for _ in range(MOST_RUNS):
            status, network, certificate = self._run()
            if best is None or _better(certificate, best[1]):
                best = network, certificate
            if best[1].relative_gap <= asked and best[1].scope is self.scope:
                status = Status.SOLVED
            elif status is Status.SOLVED:
                # Back in original units the gap is larger than the loop saw.
                status, self.tol = Status.STALLED, 0.3 * self.tol
                continue
            break
        assert best is not None
        events = tuple(self.history.events)
        return answer(*best, status, self.round, events, self.seconds())

    def _run(self) -> tuple[Status, Network, Certificate]:
        """Return how the loop ended, with the best network and its certificate."""
        try:
            self._loop()
            status = Status.SOLVED
        except _Stop as stop:
            status = stop.status
        except KeyboardInterrupt:
            status = Status.INTERRUPTED
        try:
            return status, *self._finish()
        except KeyboardInterrupt:
            # Only the second Ctrl-C takes the answer away.
            if status is Status.INTERRUPTED:
                raise
            return Status.INTERRUPTED, *self._finish()

    def _loop(self) -> None:
        method, idle = self.method, 0
        goal = self.tol if self.scope is Scope.LOCAL else LOCAL_SHARE * self.tol
        while True:
            found = self._price(method.q)
            self._emit("search", self.bound.value)
            moved = method.move_on(found.sup, self.bound.value, idle)
            if self.gap(self.bound.value) <= goal:
                found = self._price(self.bound.q, thorough=True)
                if self.gap(self.bound.value) > goal:
                    self.bounding.look_harder()
                elif self.scope is Scope.LOCAL or self._prove():
                    return
                else:
                    found = self._violations()
            before = method.value
            improved = method.improve(found, self.bound.value, self.gap(self.bound.value))
            if not improved and method.max_neurons is not None:
                self._stop(Status.MAX_NEURONS)
            stuck = method.value >= before - 1e-15 * abs(before) and not moved
            idle = idle + 1 if stuck else 0
            if idle >= MOST_IDLE:
                self._stop(Status.STALLED)
            self._check_limits()

    def _check_limits(self) -> None:
        self.round += 1
        if self.round >= self.max_rounds:
            self._stop(Status.MAX_ROUNDS)
        share = 1.0 if self.scope is Scope.LOCAL or self.method.exact else PROOF_TIME
        if self.time_limit is not None and self.seconds() >= share * self.time_limit:
            self._stop(Status.TIME_LIMIT)

    def _stop(self, status: Status) -> None:
        """End with `status`, after a proof if one was asked for: its bound is valid at any time."""
        if self.scope is Scope.GLOBAL and (self.method.exact or self.time_limit is not None):
            self._price(self.method.q)
            self._prove()
        raise _Stop(status)

    def _price(self, q: Array, *, thorough: bool = False) -> Found:
        """Search at q for violated planes; the best bound follows."""
        found = self.bounding.price(q, self.gap(self.bound.value), thorough=thorough)
        self.violation = found.sup / self.method.core.alpha - 1.0
        return found

    def _prove(self) -> bool:
        """Prove a bound for the best dual point; return whether it meets the tolerance."""
        method, best = self.method, self.bound
        slack = PROOF_SHARE * self.tol * abs(self.original(method.primal)) / method.unit
        constant = method.constant / method.unit
        threshold = proof_threshold(method.core, best.q, method.primal, slack, constant=constant)
        left = None if self.time_limit is None else max(self.time_limit - self.seconds(), 0.01)
        asked_to_stop = False

        def value(bound: float) -> float:
            return method.core.dual_value(best.q, bound / method.sup_unit)

        def watch(state: Progress) -> None:
            nonlocal asked_to_stop
            try:
                asked_to_stop |= self._send("proving", value(state.bound), state)
            except KeyboardInterrupt:
                # The proof shall end with what it has.
                asked_to_stop = True

        found = method.prove(
            best,
            threshold,
            time_limit=left,
            should_stop=lambda: asked_to_stop,
            watch=watch,
        )
        self.bounding.best = replace(best, proof=found)
        self.violation = found.attained / method.sup_unit / method.core.alpha - 1.0
        proved = value(found.bound)
        self._emit("proof", proved, ProofState(found.bound, found.n_boxes, 0, 0.0))
        if self.gap(proved) <= self.tol:
            return True
        if found.interrupted or asked_to_stop:
            raise _Stop(Status.INTERRUPTED)
        return False

    def _violations(self) -> Found:
        """Return the violated planes of a proof that has failed, for the next round."""
        best, core = self.bound, self.method.core
        assert best.proof is not None
        if self.time_limit is not None and self.seconds() >= self.time_limit:
            raise _Stop(Status.TIME_LIMIT)
        found = self.method.violations(best.q, best.proof)
        if found.sup <= core.alpha * (1.0 + 1e-12):
            raise _Stop(Status.STALLED)
        self.bounding.best = BestBound()
        return found

    def _emit(self, stage: str, bound: float, state: Progress | None = None) -> None:
        """Send an event; stop if a callback asks for it."""
        if self._send(stage, bound, state):
            raise _Stop(Status.INTERRUPTED)

    def _send(self, stage: str, bound: float, state: Progress | None) -> bool:
        """Send an event with a bound in reduced units; return whether a callback says stop."""
        boxes = (0, 0, 0.0) if state is None else (state.n_boxes, state.n_open, state.remaining)
        event = Event(
            self.round,
            self.seconds(),
            len(self.method.neurons),
            self.original(self.method.primal),
            self.original(bound),
            self.gap(bound),
            Scope.LOCAL if stage == "search" else Scope.GLOBAL,
            self.violation,
            stage,
            *boxes,
        )
        return any([callback(event) for callback in self.callbacks])  # a list: all are called

    def _finish(self) -> tuple[Network, Certificate]:
        """Return the best network and its certificate, in the units of the problem."""
        network = self.method.network()
        if self.bound.proof is None and (
            len(self.bound.q) == 0 or self.gap(self.bound.value) > self.tol
        ):
            # Stopped early: the last network's own dual point may be better.
            self._price(self.method.q)
        return network, self.method.certificate(network, self.bound)
