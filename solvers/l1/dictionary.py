"""The finite dictionary of problems with the price |w|_1, and the search in it.

eta_q(w, b) is linear on every cell (fixed signs of w.x_i - b) of every orthant of w, and so is
|w|_1. Their ratio on such a cone is largest at an extreme ray, where d independent constraints
among w.x_i = b, i = 1..n, and w_l = 0, l = 1..d, vanish: a neuron with k nonzero weights whose
hyperplane meets k data points, a *vertex*. In general position there are
sum_k C(d, k) C(n, k) = C(n + d, d) - 1 of them. (The ray (0, +-1) is constant on the data.)
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import combinations

import numpy as np

from ...problems.checks import Array
from ..core import Core, Neurons
from ..parallel import count_threads, in_threads
from ..pricing import Candidates
from ._ascent_kernels import ascend_all

MAX_MOVES = 400
"""Pencils that may improve one start."""
CHUNK, SMALL_WORK = 8, 20_000
"""Starts per task of a thread; starts times points below which threads cost more than they save."""
POOL = 200
"""Vertices remembered from the last round."""
SPREADS = (0.1, 0.3, 1.0)
"""Lengths of the random steps away from known vertices."""
SAME = 1e-9
"""Planes that agree to this are one."""
DEPENDENT = 1e-12
"""Relative singular value below which points have no vertex of their own."""


def count_vertices(n: int, d: int) -> int:
    """Return C(n + d, d) - 1, the number of vertices in general position."""
    return math.comb(n + d, d) - 1


def vertices(X: Array) -> Iterator[Array]:
    """Yield all vertices (w, b), |w|_1 = 1, in blocks of shape (m, d + 1); each twice at the most.

    For a support of size k and k points w solves (x_i - x_j).w = 0: a null vector of k - 1 rows
    in R^k. Those with a larger null space, or a zero in w, are vertices of smaller supports.

    Parameters
    ----------
    X : ndarray of shape (n, d)
        Distinct rows.
    """
    n, d = X.shape
    for k in range(1, min(n, d) + 1):
        for support in combinations(range(d), k):
            columns = X[:, support]
            points = combinations(range(n), k)
            while block := np.array(
                [p for _, p in zip(range(4096), points, strict=False)], int
            ).tolist():
                index = np.array(block)
                anchor = columns[index[:, 0]]
                w = np.ones((len(index), 1))
                if k > 1:
                    rows = columns[index[:, 1:]] - anchor[:, None, :]
                    length = np.linalg.norm(rows, axis=2, keepdims=True)
                    sigma, vt = np.linalg.svd(rows / np.where(length > 0, length, 1.0))[1:]
                    w = vt[:, -1][sigma[:, -1] > DEPENDENT]
                    anchor = anchor[sigma[:, -1] > DEPENDENT]
                planes = np.zeros((len(w), d + 1))
                planes[:, support] = w / np.abs(w).sum(axis=1, keepdims=True)
                planes[:, d] = np.sum(planes[:, support] * anchor, axis=1)
                yield planes


def constraints(X: Array, q: Array) -> tuple[Array, Array, Array]:
    """Return rows (n + d, d + 1), weights and prices of `_kernels` for data X and q."""
    n, d = X.shape
    rows = np.vstack([np.column_stack([X, -np.ones(n)]), np.eye(d, d + 1)])
    weights = np.concatenate([0.5 * q, np.zeros(d)])
    prices = np.concatenate([np.zeros(n), np.ones(d)])
    return rows, weights, prices


def distinct_planes(values: Array, planes: Array) -> np.ndarray:
    """Return the indices of the planes that differ (by more than a sign), best value first."""
    order = np.argsort(-values, kind="stable")
    order = order[values[order] > 0.0]
    if len(order) == 0:
        return order
    rows = planes[order]
    first = np.argmax(np.abs(rows[:, :-1]) > SAME, axis=1)
    turned = rows * np.sign(rows[np.arange(len(rows)), first])[:, None]
    scale = max(float(np.abs(turned[:, -1]).max()), 1.0)
    cells = np.round(turned / (SAME * np.append(np.ones(rows.shape[1] - 1), scale)))
    kept: np.ndarray = order[np.sort(np.unique(cells + 0.0, axis=0, return_index=True)[1])]
    return kept


class L1Pricing:
    """Searches for vertices of large |eta_q|; keeps what it found as starts for the next q."""

    def __init__(self, core: Core, *, n_jobs: int | None = None, random_state: int = 0) -> None:
        self.core = core
        self.n_threads = count_threads(n_jobs)
        self.rng = np.random.default_rng(random_state)
        self.pool = np.zeros((0, core.d + 1))
        self.shape = 1.0 / np.maximum(core.X.std(axis=0), 1e-12) if core.d else np.ones(0)

    def search(
        self, q: Array, neurons: Neurons, n_starts: int, *, budget: float | None = None
    ) -> Candidates:
        """Return the vertices reached from the neurons, the last vertices and `n_starts` others.

        With a budget, a random part of the known planes must do if they are more than budget / n.
        """
        core = self.core
        if core.d == 0:
            return Candidates(np.zeros(0), np.zeros(0), np.zeros((0, 1)), 0.0)
        planes = self._starts(neurons, n_starts, budget)
        values = np.empty(len(planes))
        rows, weights, prices = constraints(core.X, q)

        def climb(part: slice) -> None:
            ascend_all(rows, weights, prices, planes[part], MAX_MOVES, values[part])

        parts = [slice(a, a + CHUNK) for a in range(0, len(planes), CHUNK)]
        threads = self.n_threads if len(planes) * core.n > SMALL_WORK else 1
        for _ in in_threads(climb, parts, threads):
            pass
        keep = distinct_planes(values, planes)
        self.pool = planes[keep[:POOL]]
        eta = q @ core.features(planes[keep])
        own = np.abs(q @ core.features(neurons.planes))
        sup = max(np.abs(eta).max(initial=0.0), own.max(initial=0.0))
        return Candidates(np.abs(eta), np.sign(eta), planes[keep], float(sup))

    def _starts(self, neurons: Neurons, count: int, budget: float | None) -> Array:
        """Return planes to start from: known ones, points near them, and random sparse ones."""
        d = self.core.d
        known = np.concatenate([neurons.planes, self.pool])
        if budget is not None and len(known) > max(budget / self.core.n, 2 * CHUNK):
            most = int(max(budget / self.core.n, 2 * CHUNK))
            known = known[np.sort(self.rng.choice(len(known), size=most, replace=False))]
        axes = np.eye(d, d + 1)
        near = np.zeros((0, d + 1))
        if len(known):
            near = known[self.rng.integers(len(known), size=count // 2)].copy()
            spread = self.rng.choice(SPREADS, size=(len(near), 1)) / np.sqrt(d)
            near[:, :d] += spread * self.rng.normal(size=(len(near), d))
            near *= self._masks(len(near))
        random = np.zeros((count - len(near), d + 1))
        random[:, :d] = self.rng.normal(size=(len(random), d))
        random[::2, :d] *= self.shape
        random *= self._masks(len(random))
        return np.ascontiguousarray(np.concatenate([known, axes, near, random]))

    def _masks(self, count: int) -> Array:
        """Return rows of 0 and 1 with 1 .. d ones, and a last 0: the search finds the bias."""
        d = self.core.d
        order = np.argsort(self.rng.random((count, d)), axis=1)
        size = self.rng.integers(1, d + 1, size=(count, 1))
        return np.column_stack([(order < size).astype(np.float64), np.zeros(count)])
