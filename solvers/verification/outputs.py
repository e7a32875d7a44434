"""Problems with several outputs, as a check sees them."""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property

import numpy as np

from ...problems.checks import Array
from .kinds import Kind
from .null_space import nearby, nearby_tied
from .sup import Search, SupProof, prove_sup
from .sup_outputs import prove_sup_outputs
from .values import DualPoint

ROUGH = 1e-9
"""Relative size of singular values of the targets that may count as zero."""


class Outputs(Kind):
    """Targets in R^D; amplitudes cost their Euclidean length, or the sum of their sizes.

    Parameters
    ----------
    problem : MultiOutputProblem
    """

    unbounded = "for several outputs that share neurons verify bounds it in the plane only"

    @cached_property
    def y(self) -> Array:
        """Target rows."""
        return np.asarray(self.problem.targets[self.live])

    @property
    def dual_shape(self) -> tuple[int, ...]:
        """Shape of a dual point."""
        return np.shape(self.problem.targets)

    @property
    def by_sum(self) -> bool:
        """Whether |a| is the sum of the sizes; then each output has an eta of its own."""
        return bool(self.problem.output_norm == "l1")

    @property
    def sparsity(self) -> tuple[int, int]:
        """Range: with the squared loss, outputs of one function of the others need not count."""
        count, D = super().sparsity[0], self.y.shape[1]
        high = D - 1 if self.loss.tied else D
        low = high
        if self.loss.bend == 1.0 and self.loss.translates and not self.by_sum:
            group = np.unique(self.plain_rows.X + 0.0, axis=0, return_inverse=True)[1].reshape(-1)
            rest = np.zeros((int(group.max()) + 1, D))
            np.add.at(rest, group, (self.s * (self.y - self.whole.fit(self.y)[1]).T).T)
            low = int(np.linalg.matrix_rank(rest, tol=ROUGH * float(np.linalg.norm(rest))))
        return count * min(low, high), count * high

    def norm(self, a: Array) -> Array:
        """Return |a_k|."""
        order = 1 if self.by_sum else 2
        return np.asarray(np.linalg.norm(a, ord=order, axis=1)) if len(a) else np.zeros(0)

    def dual_point(self, q: Array) -> DualPoint:
        """Return the entries of a dual point (n, D) one after the other."""
        y, s, shape = self.y, self.s, self.y.shape
        if self.loss.tied:
            reach = nearby_tied(self.whole, q, s, np.maximum(y - q / s[:, None], 0.0))
        else:
            low, high = self.loss.ends(y)
            columns = zip(q.T, low.T, high.T, strict=True)
            reach = np.stack([nearby(self.free, one, s, *ends) for one, *ends in columns], axis=1)
        weights = np.repeat(s, shape[1])
        flat = (part.ravel() for part in (q, reach, *self.free_fit()))
        return DualPoint(self.loss, y.ravel(), weights, *flat)

    def size_of(self, q: Array, activations: Array) -> float:
        """Return the dual norm of sum_i Q_i activation_i."""
        order = np.inf if self.by_sum else 2
        return float(np.linalg.norm(activations @ q, ord=order))

    def sup(self, dual: DualPoint, search: Search) -> SupProof | None:
        """Return a scan or a sweep of the vectors; for sums of sizes the bound of each output."""
        Q = dual.q.reshape(self.y.shape)
        if not self.by_sum:
            return prove_sup_outputs(self.rows, Q, dual.moved)
        found = [prove_sup(self.rows, q, dual.moved, 0.0, search) for q in Q.T]
        largest = max(found, key=lambda one: one.attained)
        return replace(
            largest,
            bound=max(one.bound for one in found),
            margin=max(one.margin for one in found),
            complete=all(one.complete for one in found),
        )
