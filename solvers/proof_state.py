"""How far a proof is: what its callers hear about it once a second, and whether they stop it."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

REPORT_SECONDS = 1.0
"""Time between two reports, if they take less than a tenth of that."""


class Progress(Protocol):
    """What is known while a proof runs: a `ProofState`, or the `Frontier` of a search."""

    @property
    def bound(self) -> float:
        """Upper bound on sup |eta| over all neurons, valid at this moment."""
        ...

    @property
    def n_boxes(self) -> int:
        """Boxes or candidates examined."""
        ...

    @property
    def n_open(self) -> int:
        """Boxes or groups of candidates still to be examined."""
        ...

    @property
    def remaining(self) -> float:
        """Estimate of the seconds still needed, usually too low; infinite if unknown."""
        ...


Watch = Callable[[Progress], None]
"""Receives the state of a proof from the thread that called the prover."""


@dataclass(frozen=True)
class ProofState:
    """The state of a proof as numbers; see `Progress`."""

    bound: float
    n_boxes: int
    n_open: int
    remaining: float


def at_bound(state: Progress, bound: float) -> ProofState:
    """Return the state with another bound, as when units change."""
    return ProofState(bound, state.n_boxes, state.n_open, state.remaining)


def remaining_seconds(seconds: float, share: float) -> float:
    """Return what is left if `share` of the work is, and the rest took `seconds`."""
    done = 1.0 - share
    return seconds * share / done if done > 0.0 else math.inf


class Reporter:
    """Tells a watcher about once a second, and never for more than a tenth of the time.

    Parameters
    ----------
    watch : callable or None
        None hears nothing.
    state : callable
        Returns the state to be told; asked only when a report is due.
    """

    def __init__(self, watch: Watch | None, state: Callable[[], Progress]) -> None:
        self.watch, self.state = watch, state
        self.last, self.pause = time.perf_counter(), REPORT_SECONDS

    def __call__(self, *, now: bool = False) -> None:
        """Report if it is time, or at once."""
        began = time.perf_counter()
        if self.watch is None or not (now or began - self.last > self.pause):
            return
        self.watch(self.state())
        self.last = time.perf_counter()
        self.pause = max(self.pause, 10.0 * (self.last - began))
