"""What a solver says while it works: one record per round, for callbacks and history."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from ..problems import Scope


@dataclass(frozen=True)
class Event:
    """One round of a solver, or the state of a proof, in the units of the problem.

    Attributes
    ----------
    round : int
        Rounds finished, from 0.
    seconds : float
        Since the start of the solver.
    n_neurons : int
    primal, dual : float
        Objective of the current network, and the best lower bound so far, valid within `scope`.
    gap : float
        (primal - dual) / |primal|.
    scope : Scope
        What the lower bound is worth.
    violation : float
        sup |eta| / alpha - 1 as far as known; 0 or less at an optimum.
    stage : str
        "search" after a search, "proving" about once a second during a long proof, "proof"
        after a proof.
    n_boxes : int
        Boxes examined by the proof of this round.
    n_open : int
        While proving: boxes still to be examined or halved.
    remaining : float
        While proving: estimate of the seconds still needed, usually too low; infinite if unknown.
    """

    round: int
    seconds: float
    n_neurons: int
    primal: float
    dual: float
    gap: float
    scope: Scope
    violation: float
    stage: str = "search"
    n_boxes: int = 0
    n_open: int = 0
    remaining: float = 0.0

    def to_dict(self) -> dict[str, Any]:
        """Return plain numbers and strings."""
        return {**asdict(self), "scope": self.scope.value}


Callback = Callable[[Event], bool | None]
"""Receives every event; returning True asks the solver to stop."""


def as_callbacks(callback: Any) -> tuple[Callback, ...]:
    """Return the callbacks of an option `callback`: none, one or a sequence."""
    if callback is None:
        return ()
    several = isinstance(callback, Sequence) and not isinstance(callback, str)
    callbacks = tuple(callback) if several else (callback,)
    if not all(callable(item) for item in callbacks):
        raise TypeError(
            f"callback must be a callable or a sequence of callables, got {callback!r}."
        )
    return callbacks


def all_of(callbacks: Sequence[Callback]) -> Callback | None:
    """Return one callback that calls all, and stops if any asks for it; None for none."""
    if not callbacks:
        return None

    def tell(event: Event) -> bool:
        return any([callback(event) for callback in callbacks])  # a list: all are called

    return tell


@dataclass
class History:
    """The callback that keeps every event."""

    events: list[Event] = field(default_factory=list)

    def __call__(self, event: Event) -> None:
        """Append the event."""
        self.events.append(event)

    def column(self, name: str) -> list[Any]:
        """Return one attribute of all events, in order."""
        return [getattr(event, name) for event in self.events]
