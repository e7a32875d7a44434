"""What a solver returns: network, certificate, and how it ended."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Generic, TypeVar

from ..problems import Certificate, RidgeSpline
from ..problems.power.spline import PowerSpline
from .events import Event

Network = TypeVar("Network")


class Status(Enum):
    """How a solver ended; the value is a sentence."""

    SOLVED = "The relative gap is at most the tolerance."
    TIME_LIMIT = "The time limit was reached; the best certified network so far is returned."
    INTERRUPTED = (
        "The solver was interrupted by Ctrl-C or a callback; the best certified network so far is "
        "returned."
    )
    MAX_ROUNDS = "The limit on rounds was reached; the best certified network so far is returned."
    MAX_NEURONS = (
        "The limit on neurons was reached; the network is the best one found with that many, and "
        "its gap says how far it is from the unrestricted optimum."
    )
    STALLED = (
        "No further progress is possible in floating-point arithmetic; the gap is above the "
        "tolerance."
    )

    @property
    def solved(self) -> bool:
        """True if the tolerance was met."""
        return self is Status.SOLVED


@dataclass(frozen=True)
class Answer(Generic[Network]):
    """A network with its certificate, and how it was reached; see `Solution`."""

    network: Network
    certificate: Certificate
    status: Status
    n_iter: int
    history: tuple[Event, ...]
    seconds: float

    def __str__(self) -> str:
        effort = f"after {self.n_iter} rounds, {self.seconds:.2f} s"
        return f"{self.certificate} {effort}. {self.status.value}"


@dataclass(frozen=True)
class Solution(Answer[RidgeSpline]):
    """A network with its certificate.

    Attributes
    ----------
    network : RidgeSpline
        In the units of the problem.
    certificate : Certificate
        Recomputed from the returned network.
    status : Status
    n_iter : int
        Rounds of column generation.
    history : tuple of Event
        One event per round.
    seconds : float
        Wall-clock time of the call.
    """

    network: RidgeSpline


@dataclass(frozen=True)
class PowerSolution(Answer[PowerSpline]):
    """A spline of order m with its certificate; its attributes are those of a `Solution`."""

    network: PowerSpline
