"""Linear measurements of a function: weighted sums of its values at points.

nu_i(f) = sum_j M_ij f(x_j) replaces f(x_i). Averages over segments (tomography) and boxes
(deblurring) are such sums by a quadrature rule: the problem and its certificates are then those of
the rule, exactly.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from scipy import sparse

from .checks import Array, as_count, as_float_array


class Measured(NamedTuple):
    """Points of shape (n_points, d), and M of shape (n_measurements, n_points)."""

    points: Array
    matrix: Any


def as_matrix(value: Any, n_rows: int, n_points: int) -> Any:
    """Return M as a sparse matrix in row format, checked for shape and finite entries.

    Raises
    ------
    ValueError
        If the shape is not (n_rows, n_points), an entry is not finite, or a row is empty.
    """
    raw = value if sparse.issparse(value) else as_float_array("measurements", value, ndim=2)
    matrix = sparse.csr_array(raw, dtype=np.float64, copy=True)
    if matrix.shape != (n_rows, n_points):
        raise ValueError(
            f"measurements has shape {matrix.shape}, but y has {n_rows} entries and X has "
            f"{n_points} points; it must be (n_measurements, n_points)."
        )
    if not np.isfinite(matrix.data).all():
        raise ValueError("measurements contains NaN or infinity; drop those rows.")
    matrix.eliminate_zeros()
    empty = np.flatnonzero(np.diff(matrix.indptr) == 0)
    if len(empty):
        raise ValueError(
            f"row {int(empty[0])} of measurements is zero: it measures nothing; drop it and its y."
        )
    return matrix


def segment_averages(starts: Any, ends: Any, *, n_nodes: int = 32) -> Measured:
    """Return averages over the segments from `starts` to `ends`, as X-ray transforms are made of.

    Gauss-Legendre nodes; for a function with kinks the rule errs by O(1 / n_nodes^2) of the slope
    change times the length.

    Parameters
    ----------
    starts, ends : array-like of shape (n_measurements, d)
    n_nodes : int, default=32
        Points per segment.
    """
    first = as_float_array("starts", starts, ndim=2)
    last = as_float_array("ends", ends, ndim=2)
    if first.shape != last.shape:
        raise ValueError(f"starts has shape {first.shape}, ends {last.shape}; they must agree.")
    nodes, weights = _rule(n_nodes)
    points = first[:, None, :] + nodes[:, None] * (last - first)[:, None, :]
    return _averages(points, np.tile(weights, (len(first), 1)))


def box_averages(low: Any, high: Any, *, n_nodes: int = 8) -> Measured:
    """Return averages over the boxes low <= x <= high: pixels, or cells of an aggregated table.

    Parameters
    ----------
    low, high : array-like of shape (n_measurements, d)
    n_nodes : int, default=8
        Points per dimension: n_nodes^d a box.
    """
    first = as_float_array("low", low, ndim=2)
    last = as_float_array("high", high, ndim=2)
    if first.shape != last.shape:
        raise ValueError(f"low has shape {first.shape}, high {last.shape}; they must agree.")
    if (last < first).any():
        i = int(np.argmax((last < first).any(axis=1)))
        raise ValueError(f"high is below low in row {i}; swap them.")
    nodes, weights = _rule(n_nodes)
    d = first.shape[1]
    grid = np.stack(np.meshgrid(*[nodes] * d, indexing="ij"), axis=-1).reshape(-1, d)
    product = np.prod(
        np.stack(np.meshgrid(*[weights] * d, indexing="ij"), axis=-1).reshape(-1, d), axis=1
    )
    points = first[:, None, :] + grid * (last - first)[:, None, :]
    return _averages(points, np.tile(product, (len(first), 1)))


def _rule(n_nodes: int) -> tuple[Array, Array]:
    """Return Gauss-Legendre nodes in [0, 1] and weights of sum 1."""
    nodes, weights = np.polynomial.legendre.leggauss(as_count("n_nodes", n_nodes, least=1))
    return 0.5 * (nodes + 1.0), weights / weights.sum()


def _averages(points: Array, weights: Array) -> Measured:
    count, nodes, d = points.shape
    indptr = np.arange(0, count * nodes + 1, nodes)
    matrix = sparse.csr_array(
        (weights.ravel(), np.arange(count * nodes), indptr), shape=(count, count * nodes)
    )
    return Measured(points.reshape(-1, d), matrix)
