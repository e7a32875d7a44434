"""How fits that follow each other, or run at the same time, share a time limit."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field

import numpy as np

LEAST_TIME = 1e-3
"""Seconds for a fit, if nothing is left: one round."""


@dataclass
class FoldClock:
    """Shares the time that is left among the folds that are left, and stops them all."""

    n_folds: int
    n_workers: int
    end: float = np.inf
    stopped: threading.Event = field(default_factory=threading.Event)
    running: list[threading.Event] = field(default_factory=list)

    def deadline(self, index: int) -> float:
        """Return when fold `index`, which starts now, has to end."""
        now = time.perf_counter()
        rounds_left = -(-(self.n_folds - index) // self.n_workers)
        return now + (self.end - now) / rounds_left

    def stop(self) -> None:
        """End all folds, and wait for those in other threads."""
        self.stopped.set()
        for done in list(self.running):
            done.wait()
