"""Bounds on sup |eta| over all (w, b) with |w|_1 = 1: all vertices, or branch and bound.

Write F(v) = sigma eta(v) - M |w|_1, v = (w, b), sigma = +-1, with M > 0 the sup of sigma eta over
|w|_1 = 1: F <= 0, and F = 0 somewhere. F is a sum of c_i |rows_i.v|, where c_i = sigma q_i / 2 for
data and -M for axes. *Some maximiser has d independent constraints with c_i < 0.* For if those at
a maximiser v leave another direction delta, then F(v + t delta) + F(v - t delta) >= 2 F(v) = 0
near t = 0, as constraints with c_i > 0 are convex and the others linear; so F = 0 along delta. It
stays 0 up to a constraint with c_i < 0, since a convex kink would make it positive; there is one,
or F would be even, convex and <= 0 on the plane of v and delta, hence 0 together with w. Collecting
one constraint after the other ends at a vertex.

So a scan of the vertices whose points all have sigma q_j < 0 is complete: sum_k C(d, k)
C(n / 2, k) of them for each sign, instead of C(n + d, d). They are visited in pencils of k - 1
points. Boxes (`boxes`) bound the sup where even these are too many.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import replace

import numpy as np

from ...problems.checks import Array
from ...problems.rounding import UNIT_ROUNDOFF
from ..oracle import SupBound, assemble, null_space_defect
from ..proof_state import Progress, ProofState, Watch, at_bound
from .boxes import bound_boxes
from .scan import scan_cost, scan_vertices

STEPS_PER_SECOND = 2.5e7
"""Points sorted in pencils per second and thread, roughly."""
CLEAR = 1e-7
"""Relative distance of bound and attained value up to which a scan has decided."""
KEPT = 256
"""Planes that are evaluated once more."""
AT_ONCE, SCAN_SECONDS = 2.0, 60.0
"""Expected times up to which a complete scan comes first, and up to which it is tried after boxes
have had as much."""


def l1_margin(X: Array, q: Array) -> float:
    r"""Return a bound on the floating-point error of eta and of box tests, over |w|_1 = 1.

    ``gamma_N (sum_i |q_i| (||x_i||_1 + B) + (d + 1) sum_i |q_i| ||x_i||_inf) + defect``,
    ``B = max_i ||x_i||_1``, ``N = 16 (n + d) + 96``, ``gamma_N = N u / (1 - N u)``.

    Derivation, along the lines of `oracle.rounding_margin`: a sum with at most N roundings on each
    path errs by at most gamma_N times the sum of the sizes of its terms.

    * At a plane the terms are at most ``|q_i| (|w.x_i| + |b|) <= 2 |q_i| max ||x||_inf``. A pencil
      adds 3 n roundings while signs are flipped.
    * In a box ``|u_k| <= 1 <= |u|_1`` and ``|b| <= B``, so the terms of data are at most
      ``1/2 |q_i| (||x_i||_1 + B)``, those of the price T |u_k|, d of them (and |u|_1 once more
      where U is divided), with ``T <= sum_i |q_i| ||x_i||_inf`` plus the same for b; above that no
      threshold is needed. G is the sum of n + d terms and is moved by 4 sweeps: 5 (n + d) + 64.
    * The half-abs form differs from the relu form by at most the defect (`null_space_defect`, whose
      lengths bound those of |w|_1 = 1 as well).
    """
    n, d = X.shape
    count = 16 * (n + d) + 96
    gamma = count * UNIT_ROUNDOFF / (1 - count * UNIT_ROUNDOFF)
    sums = np.abs(X).sum(axis=1)
    size = float(np.abs(q) @ (sums + sums.max(initial=0.0)))
    size += (d + 1) * cheap_bound(X, q)
    return float((gamma * size + null_space_defect(X, q)) * (1 + 4 * gamma))


def cheap_bound(X: Array, q: Array) -> float:
    """Return sum_i |q_i| (||x_i||_inf + R), R = max ||x_j||_inf, above sup |eta| for |w|_1 = 1."""
    most = np.abs(X).max(axis=1, initial=0.0)
    return float(np.abs(q) @ (most + most.max(initial=0.0)))


def sup_eta_l1(
    X: Array,
    q: Array,
    threshold: float,
    *,
    time_limit: float | None = None,
    n_jobs: int = 1,
    should_stop: Callable[[], bool] | None = None,
    stop_at_violation: bool = True,
    scan_seconds: float = SCAN_SECONDS,
    watch: Watch | None = None,
) -> SupBound:
    """Return a proved bound on sup |eta(w, b)| over |w|_1 = 1, and planes above the threshold.

    Parameters
    ----------
    X : ndarray of shape (n, d)
        Distinct, centred inputs.
    q : ndarray of shape (n,)
        Dual vector, orthogonal to [1 X] up to rounding.
    threshold : float
        What is to be proved; a scan returns the sup itself.
    time_limit : float, optional
        Seconds.
    n_jobs : int, default 1
        Threads.
    should_stop : callable, optional
        Polled between pieces of work.
    watch : callable, optional
        Receives a `Progress` about once a second.
    stop_at_violation : bool, default True
        Whether boxes may stop soon after the first value above the threshold.
    scan_seconds : float
        Expected time up to which all vertices may be visited; boxes otherwise.

    Returns
    -------
    SupBound
        With |weight|_1 = 1. `bound` is max over pencils of (largest value + error of the pencil)
        + margin after a scan; see `boxes.bound_boxes` otherwise. With at most two features it
        is always that of a scan. Ctrl-C ends the search; pencils that a scan has not visited then
        have the bounds of `scan.point_bounds`.
    """
    start = time.perf_counter()
    d = X.shape[1]
    margin = l1_margin(X, q)
    points, attained = best_planes(X, q, axis_planes(X))
    bound, visited, interrupted, ended = cheap_bound(X, q) + margin, 0, False, False
    seconds = scan_cost(q, d) / (STEPS_PER_SECOND * n_jobs)
    end = math.inf if time_limit is None else start + time_limit

    def decided() -> bool:
        """Whether nothing is left to do: proved, or refuted for a caller that wants no more."""
        if threshold == math.inf:
            return visited > 0 and not ended
        refuted = stop_at_violation and attained > threshold
        return refuted or bound <= max(threshold, attained * (1.0 + CLEAR))

    def boxes(budget: float) -> SupBound:
        left = min(budget, end - time.perf_counter())
        return bound_boxes(
            X,
            q,
            threshold,
            margin,
            known=points,
            bound=bound,
            time_limit=None if left == math.inf else max(left, 0.0),
            n_jobs=n_jobs,
            should_stop=should_stop,
            stop_at_violation=stop_at_violation,
            watch=tell,
        )

    def tell(state: Progress) -> None:
        if watch is not None:
            n_boxes = visited + state.n_boxes
            watch(ProofState(min(bound, state.bound), n_boxes, state.n_open, state.remaining))

    def tell_of_scan(state: Progress) -> None:
        tell(at_bound(state, max(state.bound, attained) + margin))

    fits = d <= 2 or seconds <= min(scan_seconds, 0.5 * (end - start))
    if not fits or (d > 2 and seconds > AT_ONCE):
        # Boxes mostly need less time than a long scan; with ties and clusters they may not.
        found = boxes(seconds if fits else math.inf)
        points = [(found.weight, found.bias)]
        points += list(zip(found.witnesses_weights, found.witnesses_biases.tolist(), strict=True))
        attained, bound, visited = found.attained, found.bound, found.n_boxes
        interrupted = found.interrupted
    if fits and not (decided() or interrupted or (should_stop is not None and should_stop())):
        deadline = math.inf if d <= 2 else end
        scan = scan_vertices(X, q, n_jobs, deadline, should_stop, tell_of_scan)
        interrupted, ended = scan.interrupted, not scan.complete
        planes = np.vstack([scan.planes, *[np.append(w, b)[None] for w, b in points]])
        points, attained = best_planes(X, q, planes)
        visited += scan.pencils
        bound = min(bound, max(scan.bound, attained) + margin)
        if not (decided() or interrupted or d <= 2 or threshold == math.inf):
            # Points so nearly dependent that their pencils are not known well, or no time.
            found = boxes(math.inf)
            bound, visited = min(bound, found.bound), visited + found.n_boxes
            interrupted = found.interrupted
    result = assemble(
        X,
        q,
        points,
        threshold=threshold,
        bound=bound,
        complete=decided(),
        n_boxes=visited,
        seconds=time.perf_counter() - start,
    )
    return replace(result, interrupted=interrupted)


def best_planes(X: Array, q: Array, planes: Array) -> tuple[list[tuple[Array, float]], float]:
    """Return the `KEPT` planes (w, b) with the largest |eta|, and that value."""
    values = np.concatenate(
        [
            np.abs(q @ np.maximum(X @ part[:, :-1].T - part[:, -1], 0.0))
            for part in np.array_split(planes, 1 + len(planes) * len(X) // 2**22)
        ]
    )
    order = np.argsort(-values, kind="stable")[:KEPT]
    return [(w[:-1], float(w[-1])) for w in planes[order]], float(values.max(initial=0.0))


def axis_planes(X: Array) -> Array:
    """Return the vertices of support 1, w = e_l and b = x_jl, shape (n d, d + 1)."""
    n, d = X.shape
    axes = np.repeat(np.eye(d), n, axis=0)
    return np.column_stack([axes, X.T.reshape(-1)])
