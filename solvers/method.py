"""What column generation asks of a kind of neurons, and what all kinds have in common."""

from __future__ import annotations

from collections.abc import Callable, Sized
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar

import numpy as np

from ..problems import Certificate
from ..problems.checks import Array
from .oracle import SupBound
from .proof_state import Watch
from .solution import Network

MOST_COLUMNS = 1000
"""New neurons per round, or half as many as there are."""


class DualCore(Protocol):
    """What bounds need of a reduced problem: the set |eta_q| <= alpha and the dual objective D."""

    @property
    def alpha(self) -> float:
        """Penalty."""
        ...

    @property
    def d(self) -> int:
        """Rank of the inputs."""
        ...

    def best_scale(self, q: Array, sup: float, /) -> float:
        """Return the t with |t| sup <= alpha that maximises D(t q)."""
        ...

    def dual_value(self, q: Array, sup: float, /) -> float:
        """Return the largest D(t q) with |t| sup <= alpha."""
        ...


class HasSup(Protocol):
    """Result of a search: its largest |eta| and where |eta| is large."""

    @property
    def sup(self) -> float:
        """Largest |eta| found."""
        ...

    @property
    def planes(self) -> Array:
        """Rows (w, b), largest |eta| first."""
        ...


Found = TypeVar("Found", bound=HasSup)
Dense = TypeVar("Dense")


@dataclass(frozen=True, eq=False)
class BestBound:
    """The best lower bound so far, in reduced units, and what it rests on.

    Attributes
    ----------
    value : float
        D(q), valid if sup |eta_q| <= alpha.
    q : ndarray
        Dual point, scaled into the feasible set as it is known; empty at first.
    sup : float
        The largest |eta_q| found.
    proof : SupBound or None
        A proved bound on sup |eta_q|.
    """

    value: float = -np.inf
    q: Array = field(default_factory=lambda: np.zeros(0))
    sup: float = np.inf
    proof: SupBound | None = None


class Method(Protocol[Found, Network]):
    """One kind of neurons with its current network, as `ColumnGeneration` drives it.

    Values are in reduced units; q is a dual point at the rows, with a column per output if there
    are several.
    """

    @property
    def core(self) -> DualCore:
        """The reduced problem."""
        ...

    @property
    def neurons(self) -> Sized:
        """The network so far."""
        ...

    @property
    def unit(self) -> float:
        """Unit of objectives: F = unit F' + constant for the reduced F'."""
        ...

    @property
    def constant(self) -> float:
        """What no network changes."""
        ...

    @property
    def sup_unit(self) -> float:
        """Unit of the bounds on sup |eta| that `prove` returns."""
        ...

    @property
    def resolution(self) -> float:
        """Differences of original objectives below it are rounding."""
        ...

    @property
    def size(self) -> int:
        """Points times outputs, which a search climbs over."""
        ...

    @property
    def exact(self) -> bool:
        """Whether a proof is a scan or a sweep, which needs no time of its own."""
        ...

    @property
    def max_neurons(self) -> int | None:
        """Upper limit on the number of neurons."""
        ...

    @property
    def primal(self) -> float:
        """Least objective so far."""
        ...

    @property
    def value(self) -> float:
        """Objective that `improve` lowers: that of the problem, or of a smooth model of it."""
        ...

    @property
    def q(self) -> Array:
        """Dual point of the neurons."""
        ...

    def search(self, q: Array, n_starts: int, budget: float | None) -> Found:
        """Return local maxima of |eta_q|; without a budget also from close to each neuron."""
        ...

    def largest(self, q: Array, planes: Array) -> float:
        """Return the largest |eta_q| at planes."""
        ...

    def move_on(self, sup: float, bound: float, idle: int) -> bool:
        """Replace the model that is minimised, if it is time; return whether it was."""
        ...

    def improve(self, found: Found, bound: float, gap: float) -> bool:
        """Add violated planes, refit, slide; return whether the objective fell. It never rises."""
        ...

    def prove(
        self,
        best: BestBound,
        threshold: float,
        *,
        time_limit: float | None,
        should_stop: Callable[[], bool],
        watch: Watch,
    ) -> SupBound:
        """Return a bound on sup |eta_q| at the best dual point; `threshold` would do."""
        ...

    def violations(self, q: Array, proof: SupBound) -> Found:
        """Return the planes that a proof has met as if they were found by a search."""
        ...

    def network(self) -> Network:
        """Return the best network in original units, sparse."""
        ...

    def certificate(self, network: Network, best: BestBound) -> Certificate:
        """Return the certificate of a network for the best dual point."""
        ...


def most_columns(n_neurons: int, max_neurons: int | None) -> int:
    """Return how many new neurons a round may add."""
    if max_neurons is not None:
        return max(max_neurons, 1)
    return max(MOST_COLUMNS, n_neurons // 2)


def largest_neurons(amplitude: Array, count: int) -> np.ndarray:
    """Return the indices of the `count` largest amplitudes, in order."""
    return np.sort(np.argsort(-amplitude, kind="stable")[:count])


def planes_of(proof: SupBound) -> tuple[Array, Array]:
    """Return the weights and biases of a proof's best plane and its witnesses."""
    return (
        np.vstack([proof.weight, proof.witnesses_weights]),
        np.append(proof.bias, proof.witnesses_biases),
    )


def sparse_or_dense(problem: Any, sparse: Dense, dense: Dense) -> Dense:
    """Return the sparse network unless rounding has cost it objective."""
    worse = problem.objective(dense) < problem.objective(sparse) * (1 - 1e-12)
    return dense if worse else sparse
