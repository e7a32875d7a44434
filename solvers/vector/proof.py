r"""A proved bound on sup ||eta_Q|| for vector outputs, by the oracle that fits the dimension.

The data are first reduced, see `reduced_norm`. One dimension is scanned, two are swept, more are
covered by boxes; Q of rank one is the scalar problem.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace

import numpy as np

from ..branch_and_bound import branch_and_bound
from ..exact import exact_sup
from ..oracle import Array, SupBound
from ..parallel import count_threads
from ..proof_state import Watch, at_bound
from .boxes import bound_norm_by_boxes
from .reduced_norm import reduce_norm
from .sweep import assemble_norms, sup_norm_1d, sup_norm_2d


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
    if Q.shape[1] == 1:
        return exact_sup(X, np.ascontiguousarray(Q[:, 0]), threshold, threads)
    if X.shape[1] == 1:
        return sup_norm_1d(X, Q, threshold=threshold)
    if X.shape[1] == 2:
        return sup_norm_2d(X, Q, threads, threshold=threshold)
    return None


def _check(X: Array, Q: Array) -> None:
    if X.ndim != 2 or Q.ndim != 2 or len(X) != len(Q):
        raise ValueError(
            f"X and Q must be matrices with as many rows, got shapes {X.shape} and {Q.shape}; "
            "reshape a single output to (n_samples, 1)."
        )
    if not (np.isfinite(X).all() and np.isfinite(Q).all()):
        raise ValueError("X and Q must be finite; remove rows with nan or inf.")
