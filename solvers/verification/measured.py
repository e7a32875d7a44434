"""Problems whose rows are weighted sums of values at points, as a check sees them."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np

from ...problems.checks import Array
from .kinds import Kind
from .null_space import NullSpace, U
from .rows import Rows
from .sup import Search, SupProof, prove_sup
from .values import DualPoint


class Measured(Kind):
    """Rows are weighted sums of values at points."""

    @cached_property
    def matrix(self) -> Any:
        """M, of the live rows."""
        return self.problem.measurements[self.live]

    @cached_property
    def points(self) -> Array:
        """All points."""
        return np.asarray(self.problem.X)

    @cached_property
    def plain_rows(self) -> Rows:
        """The points, all of one weight."""
        return Rows.of(self.points, np.full(len(self.points), 1.0 / len(self.points)))

    def to_rows(self, values: Array) -> Array:
        """Return M values."""
        return np.asarray(self.matrix @ values)

    def sizes(self, terms: Array) -> Array:
        """Return |M| terms."""
        return np.asarray(abs(self.matrix) @ terms)

    def depth(self) -> int:
        """Return the largest number of entries of a row."""
        return int(np.diff(self.matrix.indptr).max(initial=1))

    def free(self, mask: np.ndarray) -> NullSpace:
        """Return the measurements of affine functions."""
        matrix, rows = self.matrix[mask], self.plain_rows
        sizes = abs(matrix) @ (rows.slip + (self.depth() + 2) * U * np.abs(rows.columns))
        return NullSpace.of_columns(np.asarray(matrix @ rows.columns), sizes, self.s[mask])

    @property
    def sparsity(self) -> tuple[int, int]:
        """Measurements less free functions."""
        count = len(self.s) - self.whole.size
        return count, count

    def at_points(self, q: Array) -> Array:
        """Return M^T q."""
        return np.asarray(self.matrix.T @ q)

    def sup(self, dual: DualPoint, search: Search) -> SupProof | None:
        """Return the bound for M^T q."""
        size, rows = abs(self.matrix), self.rows
        moved = float((size.T @ (dual.s * dual.reach)).sum()) * (1.0 + 1e-12)
        radius = 2.0 * float(np.linalg.norm(rows.X, axis=1).max())
        blur = (len(dual.q) + 2) * U * radius * float((size.T @ np.abs(dual.q)).sum())
        return prove_sup(rows, self.at_points(dual.q), moved, blur, search)
