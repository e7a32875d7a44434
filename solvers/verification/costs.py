r"""Problems in which neurons cost something else than ``|w|_2``, as a check sees them.

With the price ``|L w|`` points become ``L^-T x``. What is computed for them is x' with a residual
``x - L^T x'``, so that ``|x' - L^-T x|`` is at most its length over the least singular value of L,
and eta is wrong by at most twice that times ``sum |q_i|``.
"""

from __future__ import annotations

import math
from dataclasses import replace
from functools import cached_property
from typing import Any

import numpy as np

from ...problems.checks import Array
from .kinds import Kind
from .networks import Network
from .null_space import NullSpace, U, exact_sum
from .rows import Rows
from .sup import Search, SupProof, prove_sup
from .sup_origin import prove_sup_origin
from .values import DualPoint


class Weighted(Kind):
    """The price |L w|: points become L^-T x, up to rounding."""

    def price(self, w: Array, b: Array) -> Array:
        """Return |L w|."""
        return np.asarray(np.linalg.norm(w @ self.problem.cost.factor.T, axis=1))

    @cached_property
    def moved(self) -> Array:
        """The points L^-T (x - x_ref), up to rounding."""
        return np.asarray(np.linalg.solve(self.problem.cost.factor.T, self.plain_rows.X.T).T)

    @cached_property
    def rows(self) -> Rows:
        """Differences of them."""
        return Rows.of(self.moved, self.s)

    def sup(self, dual: DualPoint, search: Search) -> SupProof | None:
        """Return the bound in the other coordinates, and where in the given ones."""
        L, X, moved = self.problem.cost.factor, self.plain_rows.X, self.moved
        sigma = np.linalg.svd(L, compute_uv=False)
        least = float(sigma[-1]) - 32 * len(L) * U * float(sigma[0])
        left = np.abs(X - moved @ L)
        left += (len(L) + 4) * U * (np.abs(X) + np.abs(moved) @ np.abs(L))
        away = float(np.linalg.norm(left, axis=1).max(initial=0.0)) / least
        blur = 2.0 * away * exact_sum(np.abs(dual.q))
        found = prove_sup(self.rows, dual.q, dual.moved, blur, search)
        w = np.linalg.solve(L, found.weight)
        length = float(np.linalg.norm(w)) or 1.0
        bias = (found.bias + float(w @ self.plain_rows.reference)) / length
        return replace(found, weight=w / length, bias=bias)


class Summed(Kind):
    """The price |w|_1."""

    def price(self, w: Array, b: Array) -> Array:
        """Return |w|_1."""
        return np.asarray(np.abs(w).sum(axis=1))

    def sup(self, dual: DualPoint, search: Search) -> SupProof | None:
        """Return the bound by boxes for this norm."""
        return prove_sup(self.rows, dual.q, dual.moved, 0.0, search, by_sum=True)


class Origin(Kind):
    """Neurons without bias, or with one that costs: they pass the origin of xi = (x, -scale)."""

    def __init__(self, problem: Any) -> None:
        super().__init__(problem)
        self.shared = problem.skip == "affine"
        self.scale: float | None = getattr(problem.cost, "scale", None)

    def free(self, mask: np.ndarray) -> NullSpace:
        """Return affine functions, or none."""
        if self.shared:
            return super().free(mask)
        empty = np.zeros((int(mask.sum()), 0))
        return NullSpace(self.s[mask], empty, empty, np.zeros((self.points.shape[1] + 1, 0)))

    def price(self, w: Array, b: Array) -> Array:
        """Return |(w, b / scale)|, or infinity for biases that must be 0."""
        if self.scale is None:
            return np.where(b == 0.0, 1.0, math.inf)
        return np.hypot(1.0, b / self.scale)

    def penalty(self, network: Network) -> float:
        """Return the sum of the prices; an affine part that is not free consists of neurons."""
        total = super().penalty(network)
        if self.shared:
            return total
        constant = math.inf if self.scale is None else 1.0 / self.scale
        if network.intercept != 0.0:
            total += abs(network.intercept) * constant
        return total + 2.0 * float(np.linalg.norm(network.coef))

    def sup(self, dual: DualPoint, search: Search) -> SupProof | None:
        """Return the bound over the sphere of (w, b / scale)."""
        xi = self.points
        if self.scale is not None:
            xi = np.column_stack([xi, np.full(len(xi), -self.scale)])
        found, v = prove_sup_origin(xi, dual.q, dual.moved, search, even=self.shared)
        w = v[: self.points.shape[1]]
        b = 0.0 if self.scale is None else self.scale * float(v[-1])
        length = float(np.linalg.norm(w))
        # A v without w is a constant.
        return replace(found, weight=w / (length or 1.0), bias=b / (length or 1.0))
