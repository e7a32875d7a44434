"""How a dual point is brought into the null space of [1 X]^T without leaving the domain of l*.

Rounding leaves some A^T q != 0, A = [1 X]. Moving all rows to mend it can push p_i = q_i / s_i out
of the domain where it sits on an end. Two ways out:

1. If the rows strictly inside the domain determine the correction well, only they move.
2. Otherwise rows at an end that is 0 become exactly 0 and drop out, and all others move, with a
   basis of their own: A^T q then lies in the span of what may move, whatever its rank. An end that
   is not 0 may be passed by a rounding, because t q with t slightly below 1 is back inside.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from .affine import AffineBasis, project_out_affine
from .checks import Array
from .measured_reduction import MeasuredAffine
from .sampling import Sampling

if TYPE_CHECKING:
    from .problem import RadonTVProblem

CLEAR, ZERO = 1e-9, 1e-12
"""Distance from an end of the domain that counts as inside, and that from 0 that counts as 0."""
LEAST_EIGENVALUE = 1e-3
"""Of B^T S M B for the rows M inside the domain; 1 for all rows. Below it the second way is taken:
what rounding leaves grows with the inverse."""


@dataclass(frozen=True, eq=False)
class Balance:
    """Which rows of a dual point may move, and the basis that tells how.

    Parameters
    ----------
    basis : AffineBasis
        Of the rows in `used`.
    used : ndarray of bool, shape (n_live,)
        Rows of q that are not 0.
    movable : ndarray of bool, shape (n_used,)
        Those of them that move.
    """

    basis: AffineBasis
    used: np.ndarray
    movable: np.ndarray

    @classmethod
    def of(cls, problem: RadonTVProblem, p: Array) -> Balance:
        """Return the balance for pseudo-residuals p of the live rows."""
        return cls.choose(
            problem.affine,
            problem.live_weights,
            problem.loss.dual_interval(problem.live_targets),
            p,
            lambda rows: basis_of(problem, rows),
        )

    @classmethod
    def choose(
        cls,
        basis: AffineBasis,
        s: Array,
        interval: tuple[Array, Array],
        p: Array,
        basis_of_rows: Callable[[np.ndarray], AffineBasis],
        least_eigenvalue: float = LEAST_EIGENVALUE,
    ) -> Balance:
        """Return the balance for pseudo-residuals p of the live rows.

        Parameters
        ----------
        basis : AffineBasis
            Of all live rows.
        s : ndarray of shape (n_live,)
            Their weights.
        interval : tuple of ndarray
            Ends of the domain of p -> l*(y_i, -p).
        p : ndarray of shape (n_live,)
        basis_of_rows : callable
            Returns the basis of the rows of a mask, not all of them and maybe none.
        least_eigenvalue : float
        """
        low, high = interval
        width = np.minimum(high - low, 1.0)
        inner = (p >= low + CLEAR * width) & (p <= high - CLEAR * width)
        everything = np.ones(len(p), dtype=bool)
        if inner.all() or _least_eigenvalue(basis, s, inner) > least_eigenvalue:
            return cls(basis, everything, inner)
        zero = ZERO * width
        used = ~(((low == 0.0) & (p <= zero)) | ((high == 0.0) & (p >= -zero)))
        if not used.all():
            basis = basis_of_rows(used)
        return cls(basis, used, np.ones(int(used.sum()), dtype=bool))

    def project(self, q: Array, s: Array) -> Array:
        """Return the q' nearest to q in sum q_i^2 / s_i that moves and vanishes as said above."""
        balanced = np.zeros(len(q))
        if self.used.any():
            own, weight = q[self.used], s[self.used]
            balanced[self.used] = project_out_affine(
                self.basis, own, weight / weight.sum(), self.movable
            )
        return balanced

    def radius(self, q: Array, s: Array) -> Array:
        """Return r (n_live,): some e with |e_i| <= s_i r_i has A^T (q - e) = 0 exactly."""
        length = np.zeros(len(q))
        if self.used.any():
            total = float(s[self.used].sum())
            own = self.basis.radius(q[self.used], s[self.used] / total, self.movable)
            length[self.used] = own / total
        return length


def basis_of(problem: RadonTVProblem, rows: np.ndarray) -> AffineBasis:
    """Return the basis of the free functions on some of the live rows, by a mask."""
    weights = problem.live_weights[rows]
    if problem.skip == "none" or not len(weights):
        return AffineBasis.none(len(weights), problem.n_features)
    weights = weights / weights.sum()
    if problem.measurements is not None:
        some = np.zeros(problem.n_rows, dtype=bool)
        some[np.flatnonzero(problem.live)[rows]] = True
        seen = Sampling(problem.X, some, problem.measurements)
        return MeasuredAffine.of_samples(seen, weights)
    return AffineBasis.of(problem.X[problem.live][rows], weights)


def _least_eigenvalue(basis: AffineBasis, s: Array, rows: np.ndarray) -> float:
    B = basis.columns
    if B.shape[1] == 0:
        return 1.0
    return float(np.linalg.eigvalsh((B * np.where(rows, s, 0.0)[:, None]).T @ B)[0])
