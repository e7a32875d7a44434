r"""Bounds on sup |eta| over all unit w for neurons without a free bias, in any dimension.

``eta(w) = sum_i q_i relu(w . x_i)``: exact in up to three dimensions, see `sweep`, and else
by branch and bound, see `boxes`. A penalised bias is the same on rows (x_i, 1).
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable

import numpy as np

from ..oracle import Array, SupBound
from ..proof_state import Watch
from .boxes import bound_by_boxes
from .rows import OriginRows
from .sweep import Swept, sweep_1, sweep_2, sweep_3

MOST_SWEPT = 300
"""Rows in three dimensions up to which the sweep, O(n^2 log n), is used: 60 ms. Boxes are faster,
but their bound is not that of the sup."""


def sup_eta_origin(
    X: Array,
    q: Array,
    threshold: float,
    *,
    time_limit: float | None = None,
    n_jobs: int = 1,
    should_stop: Callable[[], bool] | None = None,
    stop_at_violation: bool = True,
    max_boxes: int | None = None,
    watch: Watch | None = None,
) -> SupBound:
    """Return a proved bound on ``sup |eta(w)|`` over all unit w, and where |eta| is largest.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_features)
        Rows, neither centred nor distinct, of any rank and scale.
    q : ndarray of shape (n_samples,)
        Weights; no condition.
    threshold : float
        Value to be proved, >= 0. Sweeps return the sup whatever it is.
    time_limit : float, optional
        Seconds of wall-clock time.
    n_jobs : int, default 1
        Number of threads; a proof does not depend on it.
    should_stop : callable, optional
        Polled about every 50 ms from the calling thread, or between the circles of a sweep.
    stop_at_violation, max_boxes
        See `branch_and_bound`.
    watch : callable, optional
        Receives a `Progress` about once a second, and at the end, where boxes are used.

    Returns
    -------
    SupBound
        With ``bias`` 0 and ``witnesses_biases`` 0. What ends the search early, Ctrl-C included,
        leaves a bound that is valid and larger.
    """
    start = time.perf_counter()
    rows = OriginRows.of(X, q)

    def ended() -> bool:
        over = time_limit is not None and time.perf_counter() - start > time_limit
        return over or (should_stop is not None and should_stop())

    r = rows.X.shape[1]
    if r > 3 or (r == 3 and len(rows.q) > MOST_SWEPT):
        return bound_by_boxes(
            rows, threshold, start=start, n_jobs=n_jobs, ended=ended,
            stop_at_violation=stop_at_violation, max_boxes=max_boxes, watch=watch,
        )  # fmt: skip
    interrupted = False
    swept = Swept(np.zeros((0, r)), math.inf if r else 0.0, 0, complete=r == 0)
    try:
        if r == 1:
            swept = sweep_1(rows.X, rows.q)
        elif r == 2:
            swept = sweep_2(rows.X, rows.q)
        elif r == 3:
            floor = rows.lower(threshold)
            swept = sweep_3(rows.X, rows.q, floor=floor, n_jobs=n_jobs, ended=ended)
    except KeyboardInterrupt:
        interrupted = True
    return rows.report(
        list(swept.directions),
        threshold,
        min(swept.bound, rows.cheap),
        complete=swept.complete,
        n_boxes=swept.visited,
        seconds=time.perf_counter() - start,
        interrupted=interrupted,
    )
