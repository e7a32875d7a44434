"""How rows of data look at a function: its values at points, or weighted sums of them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from .checks import Array
from .network import RidgeSpline


@dataclass(frozen=True, eq=False)
class Sampling:
    """z_i = f(x_i) or sum_j M_ij f(x_j), for the rows of positive weight.

    Parameters
    ----------
    X : ndarray of shape (n_points, n_features)
    live : ndarray of shape (n_rows,)
        Which rows have a positive weight.
    matrix : sparse array of shape (n_rows, n_points) or None
        M; None if rows are points.
    """

    X: Array
    live: np.ndarray
    matrix: Any = None

    @cached_property
    def _rows(self) -> Any:
        return None if self.matrix is None else self.matrix[self.live]

    @cached_property
    def points(self) -> Array:
        """Points that live rows look at; all of them where M is given."""
        return self.X[self.live] if self.matrix is None else self.X

    def to_rows(self, values: Array) -> Array:
        """Return the measurements of values at `points`, of shape (n_points,) or (n_points, m)."""
        return values if self.matrix is None else self._rows @ values

    def values(self, network: RidgeSpline) -> Array:
        """Return z of a network at the live rows."""
        return self.to_rows(network(self.points))

    def to_points(self, q: Array) -> Array:
        """Return M^T q of q at all rows, shape (n_points,)."""
        return q if self.matrix is None else self.matrix.T @ q

    @cached_property
    def reach(self) -> Array:
        """Return sum_j |M_ij| of the live rows."""
        if self.matrix is None:
            return np.ones(len(self.points))
        total: Array = np.asarray(abs(self._rows).sum(axis=1)).ravel()
        return total

    def sizes(self, terms: Array) -> Array:
        """Return sum_j |M_ij| terms_j >= 0, for bounds."""
        return terms if self.matrix is None else abs(self._rows) @ terms

    @property
    def depth(self) -> int:
        """Largest number of points that a row looks at."""
        if self.matrix is None:
            return 1
        return int(np.diff(self._rows.indptr).max(initial=1))
