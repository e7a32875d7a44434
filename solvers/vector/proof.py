r"""A proved bound on sup ||eta_Q|| for vector outputs, by the oracle that fits the dimension.

The data are first reduced: equal rows are merged, inputs centred and rotated into the span of their
differences, outputs into the span of the rows of Q (the norm does not change), both scaled to unit
size. One dimension is scanned, two are swept, more are covered by boxes; Q of rank one is the
scalar problem.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from ..branch_and_bound import branch_and_bound
from ..oracle import UNIT_ROUNDOFF, Array, SupBound
from ..parallel import count_threads
from ..proof_state import Watch, at_bound
from ..sweep import sup_eta_1d, sup_eta_2d
from ..sweep_3d import sup_eta_3d
from .boxes import bound_norm_by_boxes
from .sweep import assemble_norms, sup_norm_1d, sup_norm_2d

MOST_SWEPT = 100
"""Points in three dimensions up to which one output is swept exactly, as for scalar problems."""


def sup_norm_eta(
    X: Array,
    Q: Array,
    threshold: float,
    *,
    time_limit: float | None = None,
    n_jobs: int | None = 1,
    should_stop: Callable[[], bool] | None = None,
    stop_at_violation: bool = True,
    watch: Watch | None = None,
) -> SupBound:
    r"""Return a proved bound on ``sup ||sum_i relu(w . x_i - b) Q_i||_2`` over unit w and all b.

    Exact up to rounding in one and two dimensions. Beyond, branch and bound proves the threshold or
    finds a violation, and its bound is valid whenever it ends.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_features)
        Inputs; ties, duplicates and lower rank are allowed.
    Q : ndarray of shape (n_samples, n_outputs)
        Dual point, orthogonal to ``[1 X]`` up to rounding.
    threshold : float
        Value to be proved.
    time_limit : float, optional
        Seconds of wall-clock time, for three dimensions and more.
    n_jobs : int, default 1
        Number of threads; a proof does not depend on it.
    should_stop : callable, optional
        Polled about every 50 ms from the calling thread.
    stop_at_violation : bool, default True
        Stop soon after the first plane above the threshold. If False, the threshold is raised to
        what has been found, so that the search ends with the sup to a relative 1e-9.
    watch : callable, optional
        Receives a `Progress` about once a second, and at the end, for three dimensions and more.

    Returns
    -------
    SupBound
        Values are norms; witnesses are further planes above the threshold.

    Raises
    ------
    ValueError
        If shapes do not match or values are not finite.
    """
    start = time.perf_counter()
    X, Q = np.asarray(X, dtype=np.float64), np.asarray(Q, dtype=np.float64)
    _check(X, Q)
    reduced = reduce_norm(X, Q)
    d, D = reduced.X.shape[1], reduced.Q.shape[1]
    if d == 0 or D == 0:
        return assemble_norms(
            X, Q, [], threshold=threshold, bound=reduced.raised(0.0), complete=True, n_boxes=0,
            seconds=time.perf_counter() - start,
        )  # fmt: skip
    level, threads = reduced.lowered(threshold), count_threads(n_jobs)
    exact = _exact(reduced.X, reduced.Q, level, threads)
    if exact is not None:
        found = exact
    else:
        # A single output has its own loop, which is somewhat leaner.
        scalar = np.ascontiguousarray(reduced.Q[:, 0])
        prove = branch_and_bound if D == 1 else bound_norm_by_boxes
        found = prove(
            reduced.X,
            scalar if D == 1 else reduced.Q,
            level,
            time_limit=time_limit,
            n_jobs=threads,
            should_stop=should_stop,
            stop_at_violation=stop_at_violation,
            watch=watch and (lambda state: watch(at_bound(state, reduced.raised(state.bound)))),
        )
    result = assemble_norms(
        X,
        Q,
        reduced.planes(found),
        threshold=threshold,
        bound=reduced.raised(found.bound),
        complete=found.complete,
        n_boxes=found.n_boxes,
        seconds=time.perf_counter() - start,
    )
    return replace(result, interrupted=found.interrupted)


def _exact(X: Array, Q: Array, threshold: float, threads: int) -> SupBound | None:
    """Return the sup by a scan or a sweep, or None if there is none for these dimensions."""
    d, q = X.shape[1], np.ascontiguousarray(Q[:, 0])
    if Q.shape[1] == 1:
        if d == 1:
            return sup_eta_1d(X, q, threshold=threshold)
        if d == 2:
            return sup_eta_2d(X, q, threads, threshold=threshold)
        if d == 3 and len(X) <= MOST_SWEPT:
            return sup_eta_3d(X, q, threads, threshold=threshold)
    elif d == 1:
        return sup_norm_1d(X, Q, threshold=threshold)
    elif d == 2:
        return sup_norm_2d(X, Q, threads, threshold=threshold)
    return None


@dataclass(frozen=True, eq=False)
class ReducedNorm:
    r"""The same sup on fewer numbers: ``sup ||eta_Q|| <= unit sup ||eta_Q'|| + error``.

    ``x_i = centre + x_unit basis x'_i + r_i`` and ``Q_i = q_unit V Q'_i + e_i`` with nearly
    orthonormal columns. For unit w the vector ``basis^T w`` has length at most ||basis||, and
    eta moves by at most ``sum_i ||Q_i|| ||r_i|| + sum_i 2 R ||e_i||`` for useful b.

    Attributes
    ----------
    X : ndarray of shape (n, r)
        Distinct points.
    Q : ndarray of shape (n, k)
        Weights, k the rank of the original.
    centre : ndarray of shape (n_features,)
    basis : ndarray of shape (n_features, r)
    x_unit, unit, error : float
        See above; unit contains the lengths of the bases.
    """

    X: Array
    Q: Array
    centre: Array
    basis: Array
    x_unit: float
    unit: float
    error: float

    def raised(self, bound: float) -> float:
        """Return the bound in original units, rounded up."""
        return (bound * self.unit + self.error) * (1.0 + 8 * UNIT_ROUNDOFF)

    def lowered(self, threshold: float) -> float:
        """Return the reduced bound that proves the threshold."""
        return max((threshold * (1.0 - 8 * UNIT_ROUNDOFF) - self.error) / self.unit, 0.0)

    def planes(self, found: SupBound) -> list[tuple[Array, float]]:
        """Return the planes of a reduced result in original coordinates."""
        weights = np.vstack([found.weight, found.witnesses_weights]) @ self.basis.T
        biases = np.append(found.bias, found.witnesses_biases) * self.x_unit
        weights /= np.linalg.norm(weights, axis=1, keepdims=True)
        return [(w, float(b + w @ self.centre)) for w, b in zip(weights, biases, strict=True)]


def reduce_norm(X: Array, Q: Array) -> ReducedNorm:
    """Merge equal rows, centre and rotate inputs, rotate outputs, scale both to unit size.

    What is left out, and all rounding, is measured and goes into `error`.
    """
    x_unit, scaled = _scaled(X)
    q_unit, Q = _scaled(Q)
    points, group = np.unique(scaled, axis=0, return_inverse=True)
    weights, sizes = np.zeros((len(points), Q.shape[1])), np.zeros(len(points))
    np.add.at(weights, group.reshape(-1), Q)
    np.add.at(sizes, group.reshape(-1), np.linalg.norm(Q, axis=1))
    mean = points.mean(axis=0) if len(points) else np.zeros(X.shape[1])
    basis, x_length = _span(points - mean)
    # In the span of the differences only if the centre is a mean of the points.
    centre = _short(points, mean) if basis.shape[0] == basis.shape[1] else mean
    moved = points - centre
    turned, q_length = _span(weights)
    reach = np.linalg.norm(moved, axis=1)
    widest = float(reach.max(initial=0.0))
    # Subtracting the centre rounds once; sums of equal rows round once a row.
    x_left = _missed(moved, basis) + 2 * UNIT_ROUNDOFF * (reach + np.linalg.norm(centre))
    q_left = _missed(weights, turned)
    if len(points) < len(X):
        q_left = q_left + len(X) * UNIT_ROUNDOFF * sizes
    error = float(sizes @ x_left + 2.0 * widest * q_left.sum()) * (1.0 + len(X) * 1e-15)
    inner_x, Z = _scaled(moved @ basis)
    inner_q, P = _scaled(weights @ turned)
    return ReducedNorm(
        np.ascontiguousarray(Z),
        np.ascontiguousarray(P),
        centre * x_unit,
        basis,
        x_unit * inner_x,
        x_unit * inner_x * q_unit * inner_q * x_length * q_length,
        error * x_unit * q_unit,
    )


def _check(X: Array, Q: Array) -> None:
    if X.ndim != 2 or Q.ndim != 2 or len(X) != len(Q):
        raise ValueError(
            f"X and Q must be matrices with as many rows, got shapes {X.shape} and {Q.shape}; "
            "reshape a single output to (n_samples, 1)."
        )
    if not (np.isfinite(X).all() and np.isfinite(Q).all()):
        raise ValueError("X and Q must be finite; remove rows with nan or inf.")


def _short(points: Array, mean: Array) -> Array:
    """Return the mean rounded to few bits of the spread, so that grids stay grids."""
    spread = float(np.max(np.ptp(points, axis=0), initial=0.0))
    if spread == 0.0:
        return mean
    step = 2.0 ** (math.floor(math.log2(spread)) - 3)
    rounded: Array = np.round(mean / step) * step
    return rounded


def _span(rows: Array) -> tuple[Array, float]:
    """Return a basis of the rows' numerical span and a bound on its spectral norm.

    If all columns are needed, the basis is the identity.
    """
    n, d = rows.shape
    largest = float(np.abs(rows).max(initial=0.0))
    if largest == 0.0:
        return np.zeros((d, 0)), 1.0
    _, values, right = np.linalg.svd(rows / largest, full_matrices=False)
    rank = int(np.count_nonzero(values > 4 * max(n, d) * UNIT_ROUNDOFF * values[0]))
    if rank == d:
        return np.eye(d), 1.0
    basis: Array = np.ascontiguousarray(right[:rank].T)
    slack = float(np.linalg.norm(basis.T @ basis - np.eye(rank))) + 4 * rank * d * UNIT_ROUNDOFF
    return basis, 1.0 + slack


def _missed(rows: Array, basis: Array) -> Array:
    """Return a bound on the distance of each row from what its coordinates map back to."""
    d, rank = basis.shape
    if rank == d:
        return np.zeros(len(rows))
    rounding = 4 * (d + rank + 2) * (rank + 1) * UNIT_ROUNDOFF
    missed: Array = np.linalg.norm(rows - (rows @ basis) @ basis.T, axis=1)
    missed += rounding * np.linalg.norm(rows, axis=1)
    return missed


def _scaled(values: Array) -> tuple[float, Array]:
    """Return a power of two near the largest size, and the values in this unit (exact)."""
    largest = float(np.abs(values).max(initial=0.0))
    unit = 2.0 ** math.floor(math.log2(largest)) if largest > 0.0 else 1.0
    return unit, values / unit
