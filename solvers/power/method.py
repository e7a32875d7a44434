"""Column generation of order m >= 3: how a spline is priced, improved, proved and certified."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ...problems import Certificate, Scope
from ...problems.checks import Array
from ...problems.exact_fit_losses import BandLoss
from ...problems.higher_order import HigherOrderProblem
from ...problems.power.spline import PowerSpline
from ..amplitudes import refit_amplitudes
from ..core import Neurons
from ..descent import Descent
from ..method import BestBound, largest_neurons, planes_of, sparse_or_dense
from ..oracle import SupBound
from ..parallel import count_threads
from ..pricing import Candidates
from ..proof_state import Watch
from .core import PowerCore, lower_spline, raise_neurons
from .merging import merge_clusters, reduce_power
from .proof import bound_power_sup, certify_power_bound, goal_of_proof, raise_bound
from .restoration import meet_constraints
from .search import PowerSearch
from .slide import slide

CLIMBS = 2
"""Climbs per start that is asked for: Newton's method misses more maxima than searches along
circles, and needs less time."""
MOST_COLUMNS = 40
"""New neurons per round: all of them slide."""
STEPS = 30
"""Newton steps per round."""


class PowerMethod(Descent[PowerCore, Neurons]):
    """The spline of a `HigherOrderProblem` with m >= 3; see `Method`."""

    sup_unit = 1.0

    def __init__(
        self,
        problem: HigherOrderProblem,
        *,
        warm_start: PowerSpline | None,
        max_neurons: int | None,
        n_jobs: int | None,
        random_state: int,
    ) -> None:
        self.problem, self.max_neurons = problem, max_neurons
        self.threads = count_threads(n_jobs)
        core = PowerCore.of_problem(problem)
        self.pricing = PowerSearch(core, n_jobs=n_jobs, random_state=random_state)
        neurons = Neurons.none(core.d)
        if warm_start is not None:
            neurons = refit_amplitudes(core, lower_spline(problem, core, warm_start))
        super().__init__(core, neurons)
        self.unit = problem.reduction.y_scale**2
        self.constant = problem.reduction.constant
        affine = problem.certificate(problem.polynomial_fit(), np.inf, Scope.LOCAL)
        self.resolution = affine.resolution
        self.size, self.exact = self.core.n, self.core.d <= 1

    def search(self, q: Array, n_starts: int, budget: float | None) -> Candidates:
        """Return local maxima of |eta_q|."""
        return self.pricing.search(self.core.on_points(q), self.neurons, CLIMBS * n_starts)

    def largest(self, q: Array, planes: Array) -> float:
        """Return the largest |eta_q| at planes."""
        return float(np.abs(self.core.eta(q, planes)).max(initial=0.0))

    def move_on(self, sup: float, bound: float, idle: int) -> bool:
        """Move the envelope on; constraints that its minimiser nearly meets are met."""
        neurons, q, moved = self.neurons, self.q, super().move_on(sup, bound, idle)
        if moved and isinstance(self.core.loss, BandLoss):
            core, met = meet_constraints(self.core, neurons, q)
            self.keep(core, met, core.state(met))
        return moved

    def improve(self, found: Candidates, bound: float, gap: float) -> bool:
        """Add the violated columns, refit, slide, merge clusters; the objective never rises."""
        core = self.core
        slope = core.eta(self.q, found.planes)
        useful = np.flatnonzero(np.abs(slope) > core.alpha * (1.0 + 1e-12))[:MOST_COLUMNS]
        new = Neurons(np.sign(slope[useful]), np.zeros(len(useful)), found.planes[useful])
        accuracy = 1e-3 * max(self.value - bound, 0.0)
        if self.multipliers is not None:
            accuracy = 1e-3 * self.distance(bound, gap)
        neurons = refit_amplitudes(core, self.neurons.join(new), accuracy)
        if self.max_neurons is not None and len(neurons) > self.max_neurons:
            kept = largest_neurons(neurons.amplitude, self.max_neurons)
            neurons = refit_amplitudes(core, neurons.take(kept))
        neurons = slide(core, neurons, STEPS, accuracy)
        neurons = merge_clusters(core, refit_amplitudes(core, neurons), STEPS, accuracy)
        state = core.state(neurons)
        if state.value < self.value:
            self.accept(neurons, state)
            return True
        return False

    def prove(
        self,
        best: BestBound,
        threshold: float,
        *,
        time_limit: float | None,
        should_stop: Callable[[], bool],
        watch: Watch,
    ) -> SupBound:
        """Return a bound on sup |eta| at the best dual point, in reduced units."""
        q = self.core.on_points(best.q)
        return bound_power_sup(
            self.core,
            q,
            goal_of_proof(self.core, q, threshold, best.sup),
            time_limit=time_limit,
            n_threads=self.threads,
            should_stop=should_stop,
            watch=watch,
        )

    def violations(self, q: Array, proof: SupBound) -> Candidates:
        """Return the planes that a proof has met."""
        planes = np.column_stack(planes_of(proof))
        eta = self.core.eta(q, planes)
        return Candidates(np.abs(eta), np.sign(eta), planes, float(np.abs(eta).max()))

    def network(self) -> PowerSpline:
        """Return the best spline, sparse, in original units."""
        _, core, neurons = self.best
        sparse = raise_neurons(self.problem, core, reduce_power(core, neurons))
        return sparse_or_dense(self.problem, sparse, raise_neurons(self.problem, core, neurons))

    def certificate(self, network: PowerSpline, best: BestBound) -> Certificate:
        """Return the certificate of a spline for the best dual point."""
        problem, r = self.problem, self.problem.reduction
        q = r.raise_dual(best.q, problem.y - r.affine_values(problem.X), problem.s)
        if best.proof is not None:
            return certify_power_bound(problem, network, q, best.proof)
        sup = raise_bound(problem, best.sup, q)
        return problem.certificate(network, sup, Scope.LOCAL, dual_point=q)
