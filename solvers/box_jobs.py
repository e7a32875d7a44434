"""Boxes of branch and bound in jobs of one anchor and sign, and those that a search begins with."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..problems.rounding import UNIT_ROUNDOFF
from .frontier import Ints, root_boxes
from .oracle import Array


@dataclass(frozen=True)
class Job:
    """Boxes of one anchor and sign, or slabs (anchor -1), with bounds on ``sigma eta``."""

    anchor: int
    sign: float
    boxes: Array
    bounds: Array

    def take(self, which: np.ndarray) -> Job:
        """Return a job with the boxes selected by a mask or by indices."""
        return Job(self.anchor, self.sign, self.boxes[which], self.bounds[which])


def jobs_of(anchors: Ints, signs: Array | float, boxes: Array, bounds: Array) -> list[Job]:
    """Return the boxes grouped into one job per anchor and sign."""
    signs = np.broadcast_to(signs, anchors.shape)
    order = np.lexsort((signs, anchors))
    change = (np.diff(anchors[order]) != 0) | (np.diff(signs[order]) != 0)
    groups = np.split(order, np.flatnonzero(change) + 1)
    return [
        Job(int(anchors[rows[0]]), float(signs[rows[0]]), boxes[rows], bounds[rows])
        for rows in groups
        if len(rows)
    ]


def root_jobs(X: Array, q: Array) -> list[Job]:
    """Return the slabs that cover all hyperplanes, for both signs, and a cheap bound.

    ``sigma eta(w, b) = 1/2 sum_i sigma q_i |w . x_i - b|`` is at most
    ``1/2 sum_{sigma q_i > 0} |q_i| (||x_i|| + R)`` for ``|b| <= R = max_i ||x_i||``.
    """
    boxes, norms = root_boxes(X.shape[1]), np.linalg.norm(X, axis=1)
    reach = norms + norms.max(initial=0.0)
    jobs = []
    for sign in (1.0, -1.0):
        bound = 0.5 * float(np.maximum(sign * q, 0.0) @ reach)
        jobs.append(Job(-1, sign, boxes, np.full(len(boxes), bound)))
    return jobs


def lift(X: Array) -> Array:
    """Return the rows ``(x_i, -B)``, B the largest ``|v . x_i|`` of the directions of root boxes.

    ``B = max_i sum_k |x_ik|`` (1 + 8 d u) is at most sqrt(d) R, as `rounding_margin` supposes.
    """
    n, d = X.shape
    widest = np.abs(X).sum(axis=1).max(initial=0.0) * (1.0 + 8 * d * UNIT_ROUNDOFF)
    return np.column_stack([X, np.full(n, -max(float(widest), np.finfo(float).tiny))])
