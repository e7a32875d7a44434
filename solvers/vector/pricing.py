"""Pricing with several outputs: planes where ||eta|| exceeds alpha."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...problems.checks import Array
from ..pricing import Pricing
from .core import VectorCore, VectorNeurons
from .search import VectorSearch


@dataclass(frozen=True, eq=False)
class VectorCandidates:
    """Planes with large ||eta||, largest first.

    Attributes
    ----------
    values : ndarray of shape (m,)
        ||eta|| in the dual norm; with the norm "l1" |eta_c| of the output that was searched.
    outputs : ndarray of shape (m,)
        With the norm "l1" that output; -1 otherwise.
    planes : ndarray of shape (m, n_features + 1)
        (w, b).
    sup : float
        Largest value found, there or at a neuron of the network.
    """

    values: Array
    outputs: np.ndarray
    planes: Array
    sup: float


class VectorPricing:
    """Searches for the maxima of ||eta_Q||: together for "l2", output by output for "l1"."""

    def __init__(
        self, core: VectorCore, *, n_jobs: int | None = None, random_state: int = 0
    ) -> None:
        self.core = core
        self.joint: VectorSearch | None = None
        self.single: list[Pricing] = []
        if core.shared:
            self.joint = VectorSearch(core.inputs.X, n_jobs=n_jobs, random_state=random_state)
        else:
            self.single = [
                Pricing(core.inputs, n_jobs=n_jobs, random_state=random_state)
                for _ in range(core.D)
            ]

    def search(
        self, Q: Array, neurons: VectorNeurons, n_starts: int, budget: float | None = None
    ) -> VectorCandidates:
        """Return the maxima reached from the neurons, the last maxima and `n_starts` others.

        Parameters
        ----------
        Q : ndarray of shape (n, D)
            Dual point at the points.
        budget : float, default=None
            With the norm "l1": see `Pricing.search`.
        """
        if self.core.d == 0:
            return VectorCandidates(np.zeros(0), np.zeros(0, dtype=np.intp), np.zeros((0, 1)), 0.0)
        if self.joint is not None:
            values, planes = self.joint.search(Q, neurons.planes, n_starts)
            eta = self.core.inputs.features(planes).T @ Q
            values = self.core.dual_norm(eta)
            outputs = np.full(len(planes), -1)
        else:
            parts = []
            for c, pricing in enumerate(self.single):
                own = neurons.take(neurons.direction[:, c] != 0.0).scalar
                q = np.ascontiguousarray(Q[:, c])
                parts.append(pricing.search(q, own, n_starts, budget=budget))
            values = np.concatenate([part.values for part in parts])
            planes = np.concatenate([part.planes for part in parts])
            outputs = np.repeat(np.arange(len(parts)), [len(part.values) for part in parts])
        own_eta = self.core.inputs.features(neurons.planes).T @ Q
        known = self.core.dual_norm(own_eta).max(initial=0.0)
        order = np.argsort(-values, kind="stable")
        sup = max(float(values.max(initial=0.0)), float(known))
        return VectorCandidates(values[order], outputs[order], planes[order], sup)


def as_columns(core: VectorCore, Q: Array, found: VectorCandidates, most: int) -> VectorNeurons:
    """Return the candidates with ||eta_Q|| > alpha as neurons of amplitude 0 along eta.

    Q may be another dual point than the one that was searched: it decides.
    """
    eta = core.eta(Q, found.planes)
    single = found.outputs >= 0
    rows = np.arange(len(eta))
    value = np.abs(eta[rows, found.outputs]) if single.any() else core.dual_norm(eta)
    useful = np.flatnonzero(value > core.alpha * (1.0 + 1e-12))[:most]
    direction = eta[useful] / value[useful, None]
    if single.any():
        direction = np.zeros_like(direction)
        c = found.outputs[useful]
        direction[np.arange(len(useful)), c] = np.sign(eta[useful, c])
    return VectorNeurons(direction, np.zeros(len(useful)), found.planes[useful])
