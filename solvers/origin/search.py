"""Local maxima of |eta| over all unit w, for neurons without a free bias: multistart ascent.

``eta(w) = sum_i q_i relu(w . x_i)``. The ascent moves along great circles, see `_kernels`.
"""

from __future__ import annotations

import math

import numpy as np

from ...problems.checks import Array
from ..parallel import count_threads, in_threads
from ._kernels import ascend_all
from .rows import in_units, scaled_rows, scaled_weights, values_at

MAX_MOVES = 400
"""Circles searched from one start at the most."""
CHUNK, SMALL_WORK = 8, 20_000
"""Starts per task of a thread; starts times rows below which one thread is faster."""
POOL = 100
"""Local maxima remembered from the last search."""
NOTHING = 1e-10
"""|eta| relative to the sum of |q_i| ||x_i|| that counts as 0."""
SPREAD_LOGS = (math.log(3e-4), 0.0)
"""Range of the log length of random steps away from known maxima."""


class OriginSearch:
    """Searches the whole sphere for the maxima of |eta|; keeps what it found as starts.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_features)
        Rows of any scale; rows of zeros are ignored.
    n_jobs : int, optional
        Threads; None uses all. Results do not depend on it.
    random_state : int, default 0
        Seed of the starts.
    """

    def __init__(self, X: Array, *, n_jobs: int | None = None, random_state: int = 0) -> None:
        n, self.p = X.shape
        self.n_threads = count_threads(n_jobs)
        self.rng = np.random.default_rng(random_state)
        self.live = np.flatnonzero(np.any(X != 0.0, axis=1))
        rows, self.exponents = scaled_rows(X[self.live])
        self.norms = np.linalg.norm(rows, axis=1)
        self.unit = rows / self.norms[:, None]
        # The last point is the origin, the anchor of all hyperplanes.
        self.XT = np.ascontiguousarray(np.vstack([self.unit, np.zeros((1, self.p))]).T)
        self.keys = self.rng.integers(1, 2**63, size=n + 1).astype(np.uint64)
        self.pool = np.zeros((0, self.p))
        # Spread of the rows in each direction: half of the starts are isotropic in these units.
        spread = np.sqrt((self.unit**2).mean(axis=0)) if len(rows) else np.ones(self.p)
        self.shape = 1.0 / np.maximum(spread, 1e-12)

    def search(
        self, q: Array, known_directions: Array, n_starts: int
    ) -> tuple[Array, Array, Array]:
        """Return (values, signs, directions) of distinct local maxima of |eta|, largest first.

        Parameters
        ----------
        q : ndarray of shape (n_samples,)
            Weights, of any sign.
        known_directions : ndarray of shape (m, n_features)
            Nonzero directions to start from, and near.
        n_starts : int
            Number of other starts: three quarters near known maxima, if there are any.

        Returns
        -------
        values : ndarray of shape (k,)
            |eta| > 0.
        signs : ndarray of shape (k,)
            Signs of eta.
        directions : ndarray of shape (k, n_features)
            Unit vectors, orthogonal up to rounding to the rows that they meet.
        """
        p, unit = scaled_weights(q[self.live], self.exponents)
        p = p * self.norms
        if self.p == 0 or not np.any(p):
            return np.zeros(0), np.zeros(0), np.zeros((0, self.p))
        W, signatures = self._climb(p, self._starts(p, known_directions, n_starts))
        eta = values_at(self.unit, p, W)
        order = np.argsort(-np.abs(eta), kind="stable")
        keep = order[np.sort(np.unique(signatures[order], return_index=True)[1])]
        # Where eta is 0 on a cone, ascents end within ON_PLANE of it.
        keep = keep[np.abs(eta[keep]) > NOTHING * float(np.abs(p).sum())]
        self.pool = W[keep[:POOL]]
        return in_units(np.abs(eta[keep]), unit), np.sign(eta[keep]), W[keep]

    def climb(self, q: Array, starts: Array) -> Array:
        """Return the unit directions of the maxima that the ascents from nonzero `starts` reach."""
        p = scaled_weights(q[self.live], self.exponents)[0] * self.norms
        return self._climb(p, starts / np.linalg.norm(starts, axis=1, keepdims=True))[0]

    def _climb(self, p: Array, starts: Array) -> tuple[Array, np.ndarray]:
        W, weights = np.ascontiguousarray(starts), np.append(p, 0.0)
        if self.p == 1:
            return np.sign(W), (W[:, 0] > 0.0).astype(np.uint64)
        before = W.copy()
        values, signatures = np.empty(len(W)), np.empty(len(W), dtype=np.uint64)

        def ascend(part: slice) -> None:
            ascend_all(
                self.XT, weights, W[part], MAX_MOVES, self.keys, values[part], signatures[part]
            )

        parts = [slice(a, a + CHUNK) for a in range(0, len(W), CHUNK)]
        threads = self.n_threads if W.shape[0] * p.size > SMALL_WORK else 1
        for _ in in_threads(ascend, parts, threads):
            pass
        # Rows within 1e-11 of a hyperplane count as on it: an ascent may end a little lower.
        first = np.abs(np.maximum(before @ self.unit.T, 0.0) @ p)
        lower = np.abs(np.maximum(W @ self.unit.T, 0.0) @ p) < first * (1.0 - 1e-15)
        W[lower] = before[lower]
        return W, signatures

    def _starts(self, p: Array, known: Array, count: int) -> Array:
        if self.p == 1:
            return np.array([[1.0], [-1.0]])
        known = np.concatenate([np.asarray(known, dtype=np.float64).reshape(-1, self.p), self.pool])
        parts = [known]
        # The gradients where every row, or every row of one sign, is active.
        for mask in (p, np.maximum(p, 0.0), np.minimum(p, 0.0)):
            g = mask @ self.unit
            if np.any(g):
                parts += [g[None], -g[None]]
        fresh = count if len(known) == 0 else count // 4
        if len(known):
            base = known[self.rng.integers(len(known), size=count - fresh)]
            base = base / np.linalg.norm(base, axis=1, keepdims=True)
            length = np.exp(self.rng.uniform(*SPREAD_LOGS, size=(len(base), 1)))
            parts.append(base + length / np.sqrt(self.p) * self.rng.normal(size=base.shape))
        random = self.rng.normal(size=(fresh, self.p))
        random[::2] *= self.shape
        parts.append(random)
        starts = np.concatenate(parts)
        unit: Array = starts / np.linalg.norm(starts, axis=1, keepdims=True)
        return unit
