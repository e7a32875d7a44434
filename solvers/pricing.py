"""Pricing: where does |eta| exceed alpha? Multistart exact-circle search over hyperplanes."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from ..problems.checks import Array
from ._search_kernels import ascend_all
from .core import Core, Neurons
from .parallel import count_threads, in_threads

MAX_MOVES = 400
"""Circles searched from one start at the most."""
CHUNK, SMALL_WORK = 8, 20_000
"""Starts per task of a thread; starts times points below which threads cost more than they save."""
POOL = 100
"""Local maxima remembered from the last round."""
BUDGET = 3_000_000
"""Known planes times data points that an early search climbs from: of more planes a random part
must do, so that rounds stay short on large data."""
SPREADS = (0.1, 0.2, 0.5)
"""Lengths of the random steps away from known maxima; new maxima mostly appear near old ones."""
CLOSE, CLOSE_LOGS = 8, (math.log(3e-4), math.log(0.03))
"""Starts close to each neuron in a thorough search, and their range of log distances: a small
maximum beside a large one is reached from next to it only."""


@dataclass(frozen=True, eq=False)
class Candidates:
    """Distinct local maxima of |eta|, largest first.

    Attributes
    ----------
    values : ndarray of shape (m,)
        |eta|.
    signs : ndarray of shape (m,)
        Signs of eta.
    planes : ndarray of shape (m, n_features + 1)
        (w, b).
    sup : float
        Largest |eta| found, there or at a neuron of the network.
    """

    values: Array
    signs: Array
    planes: Array
    sup: float


class Pricing:
    """Searches for the maxima of |eta_q|; keeps what it found as starts for the next q."""

    def __init__(self, core: Core, *, n_jobs: int | None = None, random_state: int = 0) -> None:
        self.core = core
        self.n_threads = count_threads(n_jobs)
        self.rng = np.random.default_rng(random_state)
        self.keys = self.rng.integers(1, 2**63, size=core.n).astype(np.uint64)
        self.pool = np.zeros((0, core.d))
        self.XT = np.ascontiguousarray(core.X.T)
        # Spread of the data in each direction: starts are drawn so that all features count.
        self.shape = 1.0 / np.maximum(core.X.std(axis=0), 1e-12) if core.d else np.ones(0)

    def search(
        self, q: Array, neurons: Neurons, n_starts: int, *, budget: float | None = None
    ) -> Candidates:
        """Return the maxima reached from the neurons, the last maxima and `n_starts` others.

        With a budget, a random part of the known planes must do if they are more than budget / n;
        without one the search is thorough, and starts close to every neuron as well.
        """
        starts = self._starts(neurons, n_starts, budget)
        values, biases = np.empty(len(starts)), np.empty(len(starts))
        signatures = np.empty(len(starts), dtype=np.uint64)

        def climb(part: slice) -> None:
            ascend_all(
                self.XT,
                q,
                starts[part],
                MAX_MOVES,
                self.keys,
                values[part],
                biases[part],
                signatures[part],
            )

        parts = [slice(a, a + CHUNK) for a in range(0, len(starts), CHUNK)]
        threads = self.n_threads if len(starts) * self.core.n > SMALL_WORK else 1
        for _ in in_threads(climb, parts, threads):
            pass
        planes = np.column_stack([starts, biases])
        order = np.argsort(-values, kind="stable")
        first = np.unique(signatures[order], return_index=True)[1]
        keep = order[np.sort(first)]
        keep = keep[values[keep] > 0]
        eta = q @ self.core.features(planes[keep])
        self.pool = starts[keep[:POOL]]
        own = np.abs(q @ self.core.features(neurons.planes))
        sup = max(np.abs(eta).max(initial=0.0), own.max(initial=0.0))
        return Candidates(np.abs(eta), np.sign(eta), planes[keep], float(sup))

    def _starts(self, neurons: Neurons, count: int, budget: float | None) -> Array:
        d = self.core.d
        if d == 1:
            return np.ones((1, 1))
        known = np.concatenate([neurons.planes[:, :d], self.pool])
        parts = [known]
        if budget is None:
            base = np.repeat(neurons.planes[:, :d], CLOSE, axis=0)
            most = max(count, int(BUDGET / self.core.n))
            if len(base) > most:
                base = base[np.sort(self.rng.choice(len(base), size=most, replace=False))]
            spread = np.exp(self.rng.uniform(*CLOSE_LOGS, size=(len(base), 1)))
            parts.append(base + spread / np.sqrt(d) * self.rng.normal(size=base.shape))
        elif len(known) > max(budget / self.core.n, 2 * CHUNK):
            most = int(max(budget / self.core.n, 2 * CHUNK))
            known = known[np.sort(self.rng.choice(len(known), size=most, replace=False))]
            parts = [known]
        fresh = count
        if len(known):
            fresh = count // 4
            base = known[self.rng.integers(len(known), size=count - fresh)]
            spread = self.rng.choice(SPREADS, size=(count - fresh, 1)) / np.sqrt(d)
            parts.append(base + spread * self.rng.normal(size=base.shape))
        random = self.rng.normal(size=(fresh, d))
        # Isotropic in the data's own units for every other start.
        random[::2] *= self.shape
        parts.append(random)
        starts = np.concatenate(parts)
        unit: Array = starts / np.linalg.norm(starts, axis=1, keepdims=True)
        return unit
