"""Solving one class after the other, told as one run of one solver."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from .largest_margin import solve_single
from .one_vs_rest import OneVsRest, joined, split, stacked
from .problems import RidgeSpline, Scope
from .solvers import Event, Solution, Status
from .solvers.interrupts import InterruptNote
from .time_shares import LEAST_TIME


@dataclass
class JointRun:
    """The state of all classes: those that are solved, the one at work, and those to come.

    Its events are about sum_c F_c. A class to come counts with its first network, which is 0
    without a warm start, and with the lower bound 0, since no loss is negative.

    Parameters
    ----------
    problem : OneVsRest
    starts : list of RidgeSpline
        First network of each class.
    """

    problem: OneVsRest
    starts: list[RidgeSpline]
    begun: float = field(default_factory=time.perf_counter)
    solutions: list[Solution] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)

    def __post_init__(self) -> None:
        parts = zip(self.problem.problems, self.starts, strict=True)
        self._first = [part.objective(start) for part, start in parts]

    def joint(self, event: Event) -> Event:
        """Return what an event of the class at work means for the sum, and keep it."""
        done, to_come = self.solutions, slice(len(self.solutions) + 1, None)
        certificates = [solution.certificate for solution in done]
        primal = math.fsum(
            [event.primal, *(own.primal for own in certificates), *self._first[to_come]]
        )
        dual = math.fsum([event.dual, *(own.dual for own in certificates)])
        proved = event.scope is Scope.GLOBAL and all(
            own.scope is Scope.GLOBAL for own in certificates
        )
        told = replace(
            event,
            round=event.round + sum(solution.n_iter for solution in done),
            seconds=time.perf_counter() - self.begun,
            n_neurons=event.n_neurons
            + sum(solution.network.n_neurons for solution in done)
            + sum(start.n_neurons for start in self.starts[to_come]),
            primal=primal,
            dual=dual,
            gap=(primal - dual) / primal if primal > 0.0 else 0.0,
            scope=Scope.GLOBAL if proved else Scope.LOCAL,
        )
        self.events.append(told)
        return told


def solve_one_vs_rest(
    problem: OneVsRest,
    *,
    time_limit: float | None = None,
    warm_start: RidgeSpline | None = None,
    callback: Callable[[Event], bool | None] | None = None,
    **options: Any,
) -> Solution:
    """Solve class after class; return the joint solution.

    The classes share the time that is left evenly, and `max_neurons` is for each of them. After
    Ctrl-C those that are left have one round.
    """
    before = [None] * problem.n_outputs if warm_start is None else split(warm_start)
    nothing = RidgeSpline.affine([0.0] * problem.X.shape[1], 0.0)
    run = JointRun(problem, [nothing if own is None else own for own in before])
    with InterruptNote() as note:

        def watch(event: Event) -> bool:
            told = run.joint(event)
            asked = bool(callback(told)) if callback is not None else False
            return asked or note.pressed

        for c, (part, own) in enumerate(zip(problem.problems, before, strict=True)):
            share = None
            if time_limit is not None:
                left = time_limit - (time.perf_counter() - run.begun)
                share = max(left / (problem.n_outputs - c), LEAST_TIME)
            run.solutions.append(
                solve_single(part, time_limit=share, warm_start=own, callback=watch, **options)
            )
    solutions = run.solutions
    network = stacked([solution.network for solution in solutions])
    unsolved = [s.status for s in solutions if not s.status.solved]
    stopped = [status for status in unsolved if status is Status.INTERRUPTED]
    return Solution(
        network,
        joined([solution.certificate for solution in solutions], network),
        (stopped or unsolved or [Status.SOLVED])[0],
        sum(solution.n_iter for solution in solutions),
        tuple(run.events),
        time.perf_counter() - run.begun,
    )
