"""Local search for vector outputs: where is ||eta_Q|| large? Planes and output directions in turn.

For a fixed unit output direction a the plane climbs on the scalar ``eta_{Q a}`` with exact searches
along circles; for a fixed plane the best a is ``eta / ||eta||``. Both raise ``a . eta``.
"""

from __future__ import annotations

import math

import numpy as np

from ...problems.checks import Array
from ..parallel import count_threads, in_threads
from ._kernels import alternate_all

MAX_MOVES = 400
"""Circles searched for one output direction at the most."""
MAX_TURNS = 200
"""Output directions tried from one start at the most."""
CHUNK, SMALL_WORK = 8, 20_000
"""Starts per task of a thread; starts times points times outputs below which threads cost more
than they save."""
POOL = 100
"""Local maxima remembered from the last search."""
CLOSE, CLOSE_LOGS = 4, (math.log(3e-4), math.log(0.03))
"""Starts close to each known plane, and their range of log distances: a small maximum beside a
large one is reached from next to it only."""
SPREADS = (0.1, 0.2, 0.5)
"""Lengths of the random steps away from known maxima; new maxima mostly appear near old ones."""


def climb_norm(X: Array, Q: Array, starts: Array) -> tuple[Array, Array]:
    """Return (weights, biases) of the local maxima of ||eta_Q|| reached from the given directions.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_features)
        Inputs of unit scale.
    Q : ndarray of shape (n_samples, n_outputs)
        Dual point.
    starts : ndarray of shape (m, n_features)
        Nonzero directions.
    """
    weights = np.array(starts, dtype=np.float64, ndmin=2)
    count = len(weights)
    values, biases = np.empty(count), np.empty(count)
    keys, signatures = np.zeros(len(X), dtype=np.uint64), np.empty(count, dtype=np.uint64)
    XT, Q = np.ascontiguousarray(X.T), np.ascontiguousarray(Q)
    alternate_all(XT, Q, weights, MAX_MOVES, MAX_TURNS, keys, values, biases, signatures)
    return weights, biases


class VectorSearch:
    """Searches for the maxima of ||eta_Q||; keeps what it found as starts for the next Q.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_features)
        Distinct inputs of unit scale.
    n_jobs : int, default=None
        Threads; None uses all. Results do not depend on it.
    random_state : int, default=0
        Seed of the starts.
    """

    def __init__(self, X: Array, *, n_jobs: int | None = None, random_state: int = 0) -> None:
        self.n, self.d = X.shape
        self.XT = np.ascontiguousarray(X.T, dtype=np.float64)
        self.n_threads = count_threads(n_jobs)
        self.rng = np.random.default_rng(random_state)
        self.keys = self.rng.integers(1, 2**63, size=self.n).astype(np.uint64)
        self.pool = np.zeros((0, self.d))
        # Spread of the data in each direction: starts are drawn so that all features count.
        self.shape = 1.0 / np.maximum(X.std(axis=0), 1e-12) if X.size else np.ones(self.d)

    def search(self, Q: Array, known_planes: Array, n_starts: int) -> tuple[Array, Array]:
        """Return distinct local maxima (values, planes) of ||eta_Q||, best first.

        Parameters
        ----------
        Q : ndarray of shape (n_samples, n_outputs)
            Dual point.
        known_planes : ndarray of shape (m, n_features + 1)
            Rows (w, b) to climb from, and from near them.
        n_starts : int
            Number of further starts: near known maxima, and random.

        Returns
        -------
        values : ndarray of shape (k,)
            ||eta_Q|| > 0.
        planes : ndarray of shape (k, n_features + 1)
            Rows (w, b), w of unit length.
        """
        if Q.shape[0] != self.n:
            raise ValueError(f"Q must have {self.n} rows like X, got {Q.shape[0]}; pass one each.")
        if self.d == 0 or not np.any(Q):
            return np.zeros(0), np.zeros((0, self.d + 1))
        Q = np.ascontiguousarray(Q, dtype=np.float64)
        starts = self._starts(known_planes[:, : self.d], n_starts)
        count = len(starts)
        values, biases = np.empty(count), np.empty(count)
        signatures = np.empty(count, dtype=np.uint64)

        def climb(part: slice) -> None:
            alternate_all(
                self.XT, Q, starts[part], MAX_MOVES, MAX_TURNS, self.keys,
                values[part], biases[part], signatures[part],
            )  # fmt: skip

        parts = [slice(first, first + CHUNK) for first in range(0, count, CHUNK)]
        threads = self.n_threads if count * Q.size > SMALL_WORK else 1
        for _ in in_threads(climb, parts, threads):
            pass
        order = np.argsort(-values, kind="stable")
        first = np.unique(signatures[order], return_index=True)[1]
        keep = order[np.sort(first)]
        keep = keep[values[keep] > 0.0]
        self.pool = starts[keep[:POOL]]
        return values[keep], np.column_stack([starts, biases])[keep]

    def _starts(self, known: Array, count: int) -> Array:
        """Return unit rows: known directions, the last maxima, near both, and random ones."""
        d = self.d
        if d == 1:
            return np.ones((1, 1))
        base = np.concatenate([known, self.pool])
        near = np.repeat(known, CLOSE, axis=0)
        reach = np.exp(self.rng.uniform(*CLOSE_LOGS, size=(len(near), 1)))
        parts = [base, near + reach / np.sqrt(d) * self.rng.standard_normal(near.shape)]
        fresh = count
        if len(base):
            fresh = count // 4
            chosen = base[self.rng.integers(len(base), size=count - fresh)]
            spread = self.rng.choice(SPREADS, size=(count - fresh, 1)) / np.sqrt(d)
            parts.append(chosen + spread * self.rng.standard_normal(chosen.shape))
        random = self.rng.standard_normal((fresh, d))
        # Isotropic in the data's own units for every other start.
        random[::2] *= self.shape
        parts.append(random)
        starts = np.concatenate(parts)
        unit: Array = starts / np.linalg.norm(starts, axis=1, keepdims=True)
        return unit
