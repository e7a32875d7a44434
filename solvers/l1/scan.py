"""A complete scan of the vertices that can be maxima of |eta| over |w|_1 = 1; see `proof`."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from itertools import combinations
from typing import NamedTuple

import numpy as np

from ...problems.checks import Array
from ..oracle import UNIT_ROUNDOFF
from ..parallel import in_threads
from ..proof_state import ProofState, Reporter, Watch, remaining_seconds
from ._kernels import DEPENDENT, scan_pencils


class Scan(NamedTuple):
    """Result of a complete scan: a bound without the uniform margin, planes, pencils visited."""

    bound: float
    planes: Array
    pencils: int
    complete: bool


def scan_cost(q: Array, d: int) -> float:
    """Return the number of pencils of a complete scan times the points sorted in each."""
    total = 0
    for count in (int((q > 0).sum()), int((q < 0).sum())):
        total += sum(math.comb(d, k) * math.comb(count, k - 1) for k in range(2, d + 1))
    return float(total) * (len(q) + d)


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
    If there are any, eta is granted that movement. Nothing is proved before the end: `watch` hears
    an infinite bound.
    """
    d = X.shape[1]
    reach = 2.0 * float(np.linalg.norm(X, axis=1).max(initial=0.0))
    slope = (1.0 + math.sqrt(d)) * float(np.abs(q).sum()) * reach
    tasks = []
    by_sign = [np.flatnonzero(sign * q < 0.0) for sign in (1.0, -1.0)]
    for k in range(2, min(d, 1 + max(len(members) for members in by_sign)) + 1):
        for support in combinations(range(d), k):
            for members in by_sign:
                tasks += [(support, members, j) for j in range(len(members) - k + 2)]
    stopped = False

    def visit(task: tuple[tuple[int, ...], np.ndarray, int]) -> tuple[float, int, int, Array]:
        nonlocal stopped
        support, members, first = task
        k = len(support)
        plane = np.zeros(d + 1)
        stopped |= time.perf_counter() > deadline
        stopped |= should_stop is not None and should_stop()
        if stopped:
            return 0.0, 0, 0, plane
        turn = 32.0 * (k + 4) ** 2 * k ** (0.5 * (k - 3)) * UNIT_ROUNDOFF
        best = np.zeros(k + 1)
        columns = np.ascontiguousarray(X[:, support])
        bound, pencils, dependent = scan_pencils(
            columns, 0.5 * q, members, first, turn * slope, best
        )
        plane[list(support)], plane[d] = best[:k], best[k]
        return bound, pencils, dependent, plane

    bound, pencils, dependent, planes, done = 0.0, 0, 0, list[Array](), 0
    start = time.perf_counter()

    def state() -> ProofState:
        remaining = remaining_seconds(time.perf_counter() - start, 1.0 - done / len(tasks))
        return ProofState(math.inf, pencils, len(tasks) - done, remaining)

    report = Reporter(watch, state)
    for one, count, skipped, plane in in_threads(visit, tasks, n_jobs):
        bound, pencils, dependent = max(bound, one), pencils + count, dependent + skipped
        done += 1
        report()
        if count:
            size = np.abs(plane[:d]).sum()
            planes.append(plane / size)
    if dependent:
        bound += DEPENDENT * slope
    found = np.array(planes).reshape(-1, d + 1)
    return Scan(bound, found, pencils, not stopped)
