"""What happens while a proof runs: its state is saved, and events are sent."""

from __future__ import annotations

import os
import time

from ..problems import RadonTVProblem, RidgeSpline, Scope
from ..problems.checks import Array
from .events import Callback, Event
from .frontier import Frontier

SAVE_SECONDS = 30.0
"""What a killed proof loses at the most, apart from the time between two reports."""


class ProofWatcher:
    """Saves the frontier of a running proof and turns it into events."""

    def __init__(
        self,
        problem: RadonTVProblem,
        network: RidgeSpline,
        q: Array,
        checkpoint: str | os.PathLike[str] | None,
        callback: Callback | None,
        start: float,
    ) -> None:
        self.problem, self.network, self.q = problem, network, q
        self.checkpoint, self.callback, self.start = checkpoint, callback, start
        self.saved, self.round, self.stopped = time.perf_counter(), 0, False
        self.frontier: Frontier | None = None

    def __call__(self, frontier: Frontier) -> None:
        """Take note of the frontier; save it if the last time was long ago."""
        self.frontier = frontier
        if time.perf_counter() - self.saved >= SAVE_SECONDS:
            self.save()
        if self.callback is None:
            return
        reduction = self.problem.reduction
        bound = reduction.raise_bound(frontier.bound, self.q)
        state = self.problem.certificate(self.network, bound, Scope.GLOBAL, dual_point=self.q)
        event = Event(
            self.round,
            time.perf_counter() - self.start,
            self.network.n_neurons,
            state.primal,
            state.dual,
            state.relative_gap,
            Scope.GLOBAL,
            bound / self.problem.alpha - 1.0,
            "proving",
            frontier.n_boxes,
            frontier.n_open,
            frontier.remaining,
        )
        self.round += 1
        self.stopped = bool(self.callback(event)) or self.stopped

    def save(self) -> None:
        """Write the last frontier to the checkpoint, if there are both."""
        if self.checkpoint is not None and self.frontier is not None:
            self.frontier.save(self.checkpoint)
            self.saved = time.perf_counter()
