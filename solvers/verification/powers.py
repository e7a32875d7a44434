"""Problems of order m, as a check sees them."""

from __future__ import annotations

import math
from itertools import combinations_with_replacement
from typing import Any

import numpy as np

from ...problems.checks import Array
from ...problems.power.spline import PowerSpline
from .kinds import Kind
from .networks import monomials
from .null_space import NullSpace, U
from .rows import Rows
from .sup import Search, SupProof
from .sup_powers import prove_sup_powers
from .values import DualPoint


class Powers(Kind):
    """Splines of order m with free polynomials."""

    unbounded = "verify bounds it for orders 3 and 4 on a line only"

    def check_network(self, network: Any) -> None:
        """Raise an error unless it is a spline of the problem's order and features."""
        if not isinstance(network, PowerSpline):
            raise TypeError(f"the network is a {type(network).__name__}, not a PowerSpline.")
        given, wanted = (
            (network.order, network.n_features),
            (self.problem.order, self.problem.n_features),
        )
        if given != wanted:
            raise ValueError(
                f"the certificate's network has order {given[0]} and {given[1]} features, the "
                f"problem {wanted[0]} and {wanted[1]}."
            )

    @property
    def degree(self) -> int:
        """Degree m - 1 of the pieces."""
        return int(self.problem.order) - 1

    def free(self, mask: np.ndarray) -> NullSpace:
        """Return the polynomials of degree m - 1 on some of the rows."""
        X, s = self.points[mask], self.s[mask]
        rows = self.plain_rows if mask.all() else Rows.of(X, s)
        own = rows.affine(s)
        u, slip = own.B[:, 1:], own.error[:, 1:]
        exponents = all_exponents(rows.rank, self.degree)
        size = monomials(np.abs(u) + slip, exponents)
        wrong = size - monomials(np.abs(u), exponents) + 2 * self.degree * U * size
        return NullSpace.of_columns(monomials(u, exponents), wrong, s)

    def sizes_of_free(self, theta: Array) -> Array:
        """Return the sizes of the terms in whitened coordinates."""
        u = np.abs(self.plain_rows.affine(self.s).B[:, 1:])
        sizes = monomials(u, all_exponents(self.plain_rows.rank, self.degree))
        return 4.0 * sizes @ np.abs(self.whole.T @ theta)

    def atom(self, t: Array) -> Array:
        """Return max(t, 0)^(m-1) / (m-1)!."""
        return np.maximum(t, 0.0) ** self.degree / math.factorial(self.degree)

    def sup(self, dual: DualPoint, search: Search) -> SupProof | None:
        """Return the bound on a line, and that of RTV for order 2."""
        if self.degree == 1:
            return super().sup(dual, search)
        return prove_sup_powers(self.rows, dual.q, dual.moved, self.degree)


def all_exponents(n: int, degree: int) -> np.ndarray:
    """Return the exponents of all monomials of n variables up to this degree, one a row."""
    rows = [
        [factors.count(k) for k in range(n)]
        for size in range(degree + 1)
        for factors in combinations_with_replacement(range(n), size)
    ]
    return np.array(rows, dtype=np.int64).reshape(len(rows), n)
