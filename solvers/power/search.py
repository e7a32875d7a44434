"""Where does |eta| of order m >= 3 exceed alpha? Newton climbs in (w, b) from many starts."""

from __future__ import annotations

import numpy as np

from ...problems.checks import Array
from ..core import Neurons
from ..parallel import count_threads, in_threads
from ..pricing import Candidates
from ._kernels import climb_all
from .core import PowerCore
from .line import line_maxima

CHUNK = 16
"""Starts per task of a thread."""
POOL = 100
"""Maxima remembered for the next search."""
SPREADS = (0.03, 0.1, 0.3)
"""Lengths of random steps away from known maxima."""
SAME = 1e-6
"""Planes closer than this are one maximum."""


class PowerSearch:
    """Searches for the maxima of |eta_q|; keeps what it found as starts for the next q."""

    def __init__(self, core: PowerCore, *, n_jobs: int | None, random_state: int) -> None:
        self.core = core
        self.n_threads = count_threads(n_jobs)
        self.rng = np.random.default_rng(random_state)
        self.pool = np.zeros((0, core.d + 1))
        self.X = np.ascontiguousarray(core.X)
        # Spread of the data in each direction: starts are drawn so that all features count.
        self.shape = 1.0 / np.maximum(core.X.std(axis=0), 1e-12)

    def search(self, q: Array, neurons: Neurons, n_starts: int) -> Candidates:
        """Return the maxima reached from the neurons, known maxima and `n_starts` directions.

        In one dimension all of them, by the exact scan.
        """
        core = self.core
        if core.only_polynomials:
            none = np.zeros(0)
            return Candidates(none, none, np.zeros((0, core.d + 1)), 0.0)
        if core.d == 1:
            biases = line_maxima(self.X, q, core.order)[1]
            planes = np.column_stack([np.ones_like(biases), biases])
        else:
            planes = self._climb(q, *self._starts(neurons, n_starts))
        eta = q @ core.features(planes)
        order = np.argsort(-np.abs(eta), kind="stable")
        keep = _distinct(planes[order])
        planes, eta = planes[order][keep], eta[order][keep]
        self.pool = planes[:POOL]
        own = np.abs(q @ core.features(neurons.planes)).max(initial=0.0)
        sup = float(max(np.abs(eta).max(initial=0.0), own))
        return Candidates(np.abs(eta), np.sign(eta), planes, sup)

    def _climb(self, q: Array, planes: Array, own: Array) -> Array:
        values = np.empty(len(planes))

        def work(part: slice) -> None:
            climb_all(self.X, q, self.core.degree, planes[part], own[part], values[part])

        parts = [slice(a, a + CHUNK) for a in range(0, len(planes), CHUNK)]
        for _ in in_threads(work, parts, self.n_threads):
            pass
        d = self.core.d
        w = planes[:, :d]
        flip = w[np.arange(len(w)), np.argmax(np.abs(w), axis=1)] < 0.0
        oriented: Array = np.where(flip[:, None], -planes, planes)
        return oriented

    def _starts(self, neurons: Neurons, count: int) -> tuple[Array, np.ndarray]:
        """Return planes to start from, and whether their own bias is the start."""
        d = self.core.d
        known = np.concatenate([neurons.planes, self.pool])
        fresh = count
        parts, own = [known], [np.ones(len(known), dtype=bool)]
        if len(known):
            fresh = count // 2
            base = known[self.rng.integers(len(known), size=count - fresh)]
            spread = self.rng.choice(SPREADS, size=(count - fresh, 1))
            near = base + spread / np.sqrt(d) * self.rng.normal(size=base.shape)
            parts.append(near)
            own.append(np.arange(len(near)) % 2 == 0)
        random = np.zeros((fresh, d + 1))
        random[:, :d] = self.rng.normal(size=(fresh, d))
        # Isotropic in the data's own units for every other start.
        random[::2, :d] *= self.shape
        parts.append(random)
        own.append(np.zeros(fresh, dtype=bool))
        planes = np.concatenate(parts)
        planes /= np.linalg.norm(planes[:, :d], axis=1, keepdims=True)
        return planes, np.concatenate(own)


def _distinct(planes: Array) -> np.ndarray:
    """Return the indices of planes that differ from all earlier ones by more than `SAME`."""
    kept: list[int] = []
    for i, plane in enumerate(planes):
        if not kept or np.abs(planes[kept] - plane).max(axis=1).min() > SAME:
            kept.append(i)
    return np.array(kept, dtype=np.intp)
