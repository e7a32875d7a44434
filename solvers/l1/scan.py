"""A scan of the vertices that can be maxima of |eta| over |w|_1 = 1; see `proof`."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from itertools import combinations
from typing import NamedTuple

import numpy as np
from scipy.spatial.distance import cdist

from ...problems.checks import Array
from ...problems.rounding import UNIT_ROUNDOFF
from ..parallel import in_threads
from ..proof_state import ProofState, Reporter, Watch, remaining_seconds
from ._kernels import DEPENDENT, scan_pencils


class Scan(NamedTuple):
    """Result of a scan: a bound without the uniform margin, planes, pencils visited."""

    bound: float
    planes: Array
    pencils: int
    complete: bool
    interrupted: bool


def scan_cost(q: Array, d: int) -> float:
    """Return the number of pencils of a complete scan times the points sorted in each."""
    total = 0
    for count in (int((q > 0).sum()), int((q < 0).sum())):
        total += sum(math.comb(d, k) * math.comb(count, k - 1) for k in range(2, d + 1))
    return float(total) * (len(q) + d)


def point_bounds(X: Array, q: Array) -> Array:
    """Return what sigma eta is at most at planes through x_j with |w|_1 = 1, sigma q_j < 0, (n,).

    1/2 sum_i sigma q_i |w.(x_i - x_j)| <= 1/2 sum_{sigma q_i > 0} |q_i| ||x_i - x_j||_inf.
    """
    found = np.zeros(len(q))
    above, below = np.flatnonzero(q > 0.0), np.flatnonzero(q < 0.0)
    for own, other in ((above, below), (below, above)):
        for part in np.array_split(own, 1 + len(own) * len(other) // 2**22):
            apart = cdist(X[part], X[other], "chebyshev")
            found[part] = 0.5 * (apart @ np.abs(q[other]))
    return found


Task = tuple[tuple[int, ...], np.ndarray, int]
"""A support, the points with sigma q_j < 0 for one sigma, and the place of the first one."""


def scan_tasks(q: Array, d: int) -> list[Task]:
    """Return all supports of k >= 2 features, signs and first points."""
    tasks: list[Task] = []
    by_sign = [np.flatnonzero(sign * q < 0.0) for sign in (1.0, -1.0)]
    for k in range(2, min(d, 1 + max(len(members) for members in by_sign)) + 1):
        for support in combinations(range(d), k):
            for members in by_sign:
                tasks += [(support, members, j) for j in range(len(members) - k + 2)]
    return tasks


def scan_vertices(
    X: Array,
    q: Array,
    n_jobs: int,
    deadline: float = math.inf,
    should_stop: Callable[[], bool] | None = None,
    watch: Watch | None = None,
) -> Scan:
    """Visit the pencils of k - 1 points with sigma q_j < 0 and support size k = 2 .. d.

    For every support, sign and first point the best plane is returned. A pencil is the null space
    of k - 2 differences z_j = x_j - x_first (each rounded relative to its own size). In floating
    point it is turned by at most 32 (k + 4)^2 k^{(k - 3) / 2} u / V, V the product of the pivots of
    their orthogonalisation: sigma_min >= V k^{-(k - 3) / 2} for rows of length 1. Turning w by
    this angle, |w|_2 = 1 <= |w|_1, changes eta by at most sum_i |q_i| 2 max ||x||_2 times it, and
    |w|_1 by k^1/2 times it.

    Points with V <= 1e-13 are taken as dependent: moving them by a relative 1e-13 makes them so.
    If there are any, eta is granted that movement.

    What is not visited before `deadline`, `should_stop` or Ctrl-C has the bounds of its first
    points, `point_bounds`.
    """
    d = X.shape[1]
    reach = 2.0 * float(np.linalg.norm(X, axis=1).max(initial=0.0))
    slope = (1.0 + math.sqrt(d)) * float(np.abs(q).sum()) * reach
    tasks = scan_tasks(q, d)
    first_points = np.array([members[first] for _, members, first in tasks], dtype=np.intp)
    # rest[t] bounds tasks t, t + 1, ...; nothing is left after the last.
    rest = np.append(point_bounds(X, q)[first_points], 0.0)
    rest = np.maximum.accumulate(rest[::-1])[::-1]
    stopped = False

    def visit(task: Task) -> tuple[float, int, int, Array] | None:
        nonlocal stopped
        support, members, first = task
        k = len(support)
        plane = np.zeros(d + 1)
        stopped |= time.perf_counter() > deadline
        stopped |= should_stop is not None and should_stop()
        if stopped:
            return None
        turn = 32.0 * (k + 4) ** 2 * k ** (0.5 * (k - 3)) * UNIT_ROUNDOFF
        best = np.zeros(k + 1)
        columns = np.ascontiguousarray(X[:, support])
        bound, pencils, dependent = scan_pencils(
            columns, 0.5 * q, members, first, turn * slope, best
        )
        plane[list(support)], plane[d] = best[:k], best[k]
        return bound, pencils, dependent, plane

    bound, pencils, dependent, planes, done = 0.0, 0, 0, list[Array](), 0
    interrupted, start = False, time.perf_counter()

    def proved() -> float:
        return max(bound + (DEPENDENT * slope if dependent else 0.0), float(rest[done]))

    def state() -> ProofState:
        remaining = remaining_seconds(time.perf_counter() - start, 1.0 - done / len(tasks))
        return ProofState(proved(), pencils, len(tasks) - done, remaining)

    report = Reporter(watch, state)
    try:
        for seen in in_threads(visit, tasks, n_jobs):
            if seen is None:
                break
            one, count, skipped, plane = seen
            bound, pencils, dependent = max(bound, one), pencils + count, dependent + skipped
            if count:
                planes.append(plane / np.abs(plane[:d]).sum())
            # Last: an interrupt before this line leaves the task to `rest`.
            done += 1
            report()
    except KeyboardInterrupt:
        interrupted = True
    found = np.array(planes).reshape(-1, d + 1)
    return Scan(proved(), found, pencils, done == len(tasks), interrupted)
