"""What happens while a proof runs: its state is saved, and events are sent."""

from __future__ import annotations

import os
import time
from collections.abc import Callable

from ..problems import Certificate, Scope
from .events import Callback, Event
from .frontier import Frontier
from .proof_state import Progress

SAVE_SECONDS = 30.0
"""What a killed proof loses at the most, apart from the time between two reports."""


class ProofWatcher:
    """Saves the frontier of a running proof and turns its state into events.

    Parameters
    ----------
    certify : callable
        Returns the certificate for a bound on sup |eta|, in the units of the proof.
    alpha : float
        Of the problem.
    n_neurons : int
        Of the network.
    callback : callable or None
    start : float
        When the proof began.
    checkpoint : path, default=None
        File for the frontier.

    Attributes
    ----------
    stopped : bool
        Whether the callback has asked to stop.
    """

    def __init__(
        self,
        certify: Callable[[float], Certificate],
        *,
        alpha: float,
        n_neurons: int,
        callback: Callback | None,
        start: float,
        checkpoint: str | os.PathLike[str] | None = None,
    ) -> None:
        self.certify, self.alpha, self.n_neurons = certify, alpha, n_neurons
        self.checkpoint, self.callback, self.start = checkpoint, callback, start
        self.saved, self.round, self.stopped = time.perf_counter(), 0, False
        self.frontier: Frontier | None = None

    def __call__(self, state: Progress) -> None:
        """Take note of the state; save it if the last time was long ago."""
        if isinstance(state, Frontier):
            self.frontier = state
        if time.perf_counter() - self.saved >= SAVE_SECONDS:
            self.save()
        if self.callback is None:
            return
        reached = self.certify(state.bound)
        event = Event(
            self.round,
            time.perf_counter() - self.start,
            self.n_neurons,
            reached.primal,
            reached.dual,
            reached.relative_gap,
            Scope.GLOBAL,
            reached.sup_bound / self.alpha - 1.0,
            "proving",
            state.n_boxes,
            state.n_open,
            state.remaining,
        )
        self.round += 1
        try:
            self.stopped = bool(self.callback(event)) or self.stopped
        except KeyboardInterrupt:
            # The proof shall end with what it has.
            self.stopped = True

    def save(self) -> None:
        """Write the last frontier to the checkpoint, if there are both."""
        if self.checkpoint is not None and self.frontier is not None:
            self.frontier.save(self.checkpoint)
            self.saved = time.perf_counter()
