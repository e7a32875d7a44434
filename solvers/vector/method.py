"""Column generation with several outputs: how a network is priced, improved and certified."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ...problems import Certificate, RidgeSpline, Scope
from ...problems.checks import Array
from ...problems.multi_output import MultiOutputProblem
from ..descent import Descent
from ..method import BestBound, largest_neurons, most_columns, planes_of, sparse_or_dense
from ..oracle import SupBound
from ..proof_state import Watch
from .amplitudes import refit_vectors
from .bounds import bound_sup_outputs, certify_sup, raised_dual
from .core import VectorCore, VectorNeurons
from .master import VectorMaster
from .merging import merge_vector_cells
from .pricing import VectorCandidates, VectorPricing, as_columns
from .restoration import meet_constraints
from .sparsify import reduce_vectors

SLIDE_SIZES, SLIDE_GAPS = (400, 4000), (0.3, 0.02)
"""With fewer than 400 variables the master always moves the neurons; with more only from a gap of
0.3 on, and from 0.02 on with over 4000."""


class VectorMethod(Descent[VectorCore, VectorNeurons]):
    """The network of a `MultiOutputProblem`; see `Method`. Proofs are in its original units."""

    def __init__(
        self,
        problem: MultiOutputProblem,
        *,
        warm_start: RidgeSpline | None,
        max_neurons: int | None,
        n_jobs: int | None,
        random_state: int,
    ) -> None:
        self.problem, self.max_neurons, self.n_jobs = problem, max_neurons, n_jobs
        core = VectorCore.of(problem)
        self.master = VectorMaster(core)
        self.pricing = VectorPricing(core, n_jobs=n_jobs, random_state=random_state)
        neurons = VectorNeurons.none(core.d, core.D)
        if warm_start is not None:
            lowered = core.from_network(problem.reduction.lower_network(warm_start))
            neurons = refit_vectors(core, lowered)
        super().__init__(core, neurons)
        self.unit = problem.reduction.y_scale**2
        self.constant = problem.reduction.constant
        self.sup_unit = problem.reduction.unit
        self.resolution = problem.resolution(problem.affine_fit())
        self.size, self.exact = self.core.n * max(self.core.D, 1), self.core.d <= 2

    def search(self, q: Array, n_starts: int, budget: float | None) -> VectorCandidates:
        """Return local maxima of ||eta_Q||."""
        return self.pricing.search(self.core.on_points(q), self.neurons, n_starts, budget)

    def largest(self, q: Array, planes: Array) -> float:
        """Return the largest ||eta_Q|| at planes."""
        return float(self.core.dual_norm(self.core.eta(q, planes)).max(initial=0.0))

    def move_on(self, sup: float, bound: float, idle: int) -> bool:
        """Move the envelope on; constraints that its minimiser nearly meets are met."""
        neurons, q, moved = self.neurons, self.q, super().move_on(sup, bound, idle)
        self.master.core = self.core
        if moved and self.problem.constrained:
            core, met = meet_constraints(self.core, neurons, q)
            self.keep(core, met, core.state(met))
        return moved

    def improve(self, found: VectorCandidates, bound: float, gap: float) -> bool:
        """Add the violated columns, refit, slide; the objective never rises."""
        core = self.core
        most = most_columns(len(self.neurons), self.max_neurons)
        new = as_columns(core, self.q, found, most)
        distance = self.distance(bound, gap)
        joined = refit_vectors(core, self.neurons.join(new), 0.05 * distance)
        if self.max_neurons is not None and len(joined) > self.max_neurons:
            kept = largest_neurons(joined.amplitude, self.max_neurons)
            joined = refit_vectors(core, joined.take(kept))
        # Merging changes the function a little: if that does not pay, do without.
        for neurons in (merge_vector_cells(core, joined), joined):
            slid = self._slide(neurons, distance)
            state = core.state(slid)
            if state.value < self.value:
                self.accept(slid, state)
                return True
        return False

    def _slide(self, neurons: VectorNeurons, distance: float) -> VectorNeurons:
        """Return the neurons after the master, if the time has come for it, and a refit."""
        core = self.core
        size = len(neurons) * (core.d + (core.D if core.shared else 1))
        near = distance <= SLIDE_GAPS[int(size > SLIDE_SIZES[1])] * abs(self.value)
        if size <= SLIDE_SIZES[0] or near:
            steps = 10 if size <= SLIDE_SIZES[0] else 4
            neurons = self.master.solve(neurons, 0.02 * distance, steps)
            # Optimal amplitudes make the better dual point, and nearly for free.
            neurons = refit_vectors(core, neurons, 0.01 * distance)
        return neurons

    def prove(
        self,
        best: BestBound,
        threshold: float,
        *,
        time_limit: float | None,
        should_stop: Callable[[], bool],
        watch: Watch,
    ) -> SupBound:
        """Return a bound on sup ||eta|| at the best dual point, in the units of the problem."""
        return bound_sup_outputs(
            self.problem,
            raised_dual(self.problem, best.q),
            max(threshold, best.sup) * self.sup_unit,
            time_limit=time_limit,
            n_jobs=self.n_jobs,
            should_stop=should_stop,
            watch=watch,
        )

    def violations(self, q: Array, proof: SupBound) -> VectorCandidates:
        """Return the planes that a proof has met, in reduced units."""
        core = self.core
        lowered = self.problem.reduction.inputs.lower_hyperplanes(*planes_of(proof))
        weights, biases, length = lowered
        planes = np.column_stack([weights, biases])[length > 0]
        eta = core.eta(q, planes)
        values = core.dual_norm(eta)
        outputs = np.full(len(planes), -1) if core.shared else np.abs(eta).argmax(axis=1)
        return VectorCandidates(values, outputs, planes, float(values.max(initial=0.0)))

    def network(self) -> RidgeSpline:
        """Return the best network, sparse, in original units."""
        _, core, neurons = self.best
        sparse = self._raised(core, reduce_vectors(core, neurons))
        return sparse_or_dense(self.problem, sparse, self._raised(core, neurons))

    def _raised(self, core: VectorCore, neurons: VectorNeurons) -> RidgeSpline:
        """Return the neurons in original units, one per plane, smooth losses refitted."""
        raised = self.problem.reduction.raise_network(core.to_network(neurons)).merged()
        return self.problem.refit_affine(raised) if self.problem.loss.smooth else raised

    def certificate(self, network: RidgeSpline, best: BestBound) -> Certificate:
        """Return the certificate of a network for the best dual point."""
        Q = raised_dual(self.problem, best.q)
        if best.proof is not None:
            return certify_sup(self.problem, network, Q, best.proof)
        sup = best.sup * self.sup_unit
        return self.problem.certificate(network, sup, Scope.LOCAL, dual_point=Q)
