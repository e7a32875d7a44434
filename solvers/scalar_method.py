"""Column generation with one output: how a network is priced, improved, proved and certified."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ..problems import Certificate, RadonTVProblem, RidgeSpline, Scope
from ..problems.checks import Array
from .amplitudes import refit_amplitudes
from .core import Core, Neurons
from .descent import Descent
from .master import Master, get_master
from .merging import merge_cells
from .method import BestBound, largest_neurons, most_columns, planes_of, sparse_or_dense
from .oracle import SupBound
from .parallel import count_threads
from .pricing import Candidates
from .pricing_choice import get_pricing
from .proof import bound_sup, certify_bound
from .proof_state import Watch
from .sparsify import reduce_neurons

SLIDE_SIZES, SLIDE_GAPS = (400, 4000), (0.1, 0.005)
"""With fewer than 400 variables the master always moves the neurons; with more only from a gap of
0.1 on, and from 0.005 on with over 4000: far from the optimum columns cost less than moves."""


class ScalarMethod(Descent[Core, Neurons]):
    """The network of a `RadonTVProblem`; see `Method`."""

    sup_unit = 1.0

    def __init__(
        self,
        problem: RadonTVProblem,
        *,
        master: str,
        warm_start: RidgeSpline | None,
        max_neurons: int | None,
        n_jobs: int | None,
        random_state: int,
    ) -> None:
        self.problem, self.max_neurons = problem, max_neurons
        self.threads = count_threads(n_jobs)
        core = Core.of(problem)
        self.master: Master = get_master(master, core)
        self.pricing = get_pricing(core, n_jobs=n_jobs, random_state=random_state)
        neurons = Neurons.none(core.d)
        if warm_start is not None:
            lowered = core.from_network(problem.reduction.lower_network(warm_start))
            neurons = merge_cells(core, refit_amplitudes(core, lowered))
        super().__init__(core, neurons)
        self.unit = problem.reduction.y_scale**2
        self.constant = problem.reduction.constant
        self.resolution = problem.resolution(problem.affine_fit())
        self.size, self.exact = self.core.n, self.core.d <= 2

    def search(self, q: Array, n_starts: int, budget: float | None) -> Candidates:
        """Return local maxima of |eta_q|."""
        return self.pricing.search(self.core.on_points(q), self.neurons, n_starts, budget=budget)

    def largest(self, q: Array, planes: Array) -> float:
        """Return the largest |eta_q| at planes."""
        return float(np.abs(self.core.eta(q, planes)).max(initial=0.0))

    def move_on(self, sup: float, bound: float, idle: int) -> bool:
        """Move the envelope on, for the master as well."""
        moved = super().move_on(sup, bound, idle)
        self.master.core = self.core
        return moved

    def improve(self, found: Candidates, bound: float, gap: float) -> bool:
        """Add the violated columns, refit, slide; the objective never rises."""
        core = self.core
        # Candidates may come from another dual point: their slope at this one decides.
        slope = core.eta(self.q, found.planes)
        useful = np.abs(slope) > core.alpha * (1.0 + 1e-12)
        count = most_columns(len(self.neurons), self.max_neurons)
        planes = found.planes[useful][:count]
        new = Neurons(np.sign(slope[useful][:count]), np.zeros(len(planes)), planes)
        distance = self.distance(bound, gap)
        joined = refit_amplitudes(core, self.neurons.join(new), 0.05 * distance)
        neurons = merge_cells(core, joined)
        size = len(neurons) * (core.d + 1)
        if self.max_neurons is not None and len(neurons) > self.max_neurons:
            kept = largest_neurons(neurons.amplitude, self.max_neurons)
            neurons = refit_amplitudes(core, neurons.take(kept))
            size = 0
        near = distance <= SLIDE_GAPS[int(size > SLIDE_SIZES[1])] * abs(self.value)
        if size <= SLIDE_SIZES[0] or near:
            steps = 10 if size <= SLIDE_SIZES[0] else 4
            neurons = merge_cells(core, self.master.solve(neurons, 0.02 * distance, steps))
            # Optimal amplitudes make the better dual point, and nearly for free.
            neurons = refit_amplitudes(core, neurons, 0.01 * distance)
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
        return bound_sup(
            self.core,
            self.core.on_points(best.q),
            max(threshold, best.sup),
            time_limit=time_limit,
            n_threads=self.threads,
            should_stop=should_stop,
            watch=watch,
        )

    def violations(self, q: Array, proof: SupBound) -> Candidates:
        """Return the planes that a proof has met."""
        planes = np.column_stack(planes_of(proof))
        values = np.abs(self.core.eta(q, planes))
        return Candidates(
            values, np.sign(self.core.eta(self.q, planes)), planes, float(values.max())
        )

    def network(self) -> RidgeSpline:
        """Return the best network, sparse, in original units."""
        _, core, neurons = self.best
        sparse = self._raised(core, reduce_neurons(core, neurons))
        return sparse_or_dense(self.problem, sparse, self._raised(core, neurons))

    def _raised(self, core: Core, neurons: Neurons) -> RidgeSpline:
        raised = self.problem.reduction.raise_network(core.to_network(neurons))
        return self.problem.refit_affine(raised) if self.problem.loss.smooth else raised

    def certificate(self, network: RidgeSpline, best: BestBound) -> Certificate:
        """Return the certificate of a network for the best dual point."""
        problem, reduction = self.problem, self.problem.reduction
        rest = problem.y
        if problem.measurements is None:
            rest = rest - reduction.affine_values(problem.X)
        q = reduction.raise_dual(best.q, rest, problem.s)
        if best.proof is not None:
            return certify_bound(problem, network, q, best.proof)
        sup = reduction.raise_bound(best.sup, q)
        return problem.certificate(network, sup, Scope.LOCAL, dual_point=q)
