"""A bound on sup |eta| of order m >= 3 by branch and bound over boxes; for d = 1 see `line`."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from ...problems.checks import Array
from ..oracle import SupBound
from ..parallel import in_threads
from ..proof_state import ProofState, Reporter, Watch, remaining_seconds
from ._box_kernels import bound_boxes
from ._kernels import climb_plane
from .line import assemble_powers
from .margin import cheap_bound, power_margin

BATCH, CHUNK = 512, 64
"""Boxes that are halved together at least, and children per task of a thread."""
SHARE, MOST = 8, 100_000
"""Part of the open boxes, those of the largest bounds, that is halved together, and how many at
most, so that a limit or an interrupt is noticed soon."""


class _Open(NamedTuple):
    """Boxes that are not below the goal."""

    centres: Array
    halves: Array
    bounds: Array
    split: np.ndarray

    def take(self, which: np.ndarray) -> _Open:
        return _Open(*(field[which] for field in self))

    def join(self, other: _Open) -> _Open:
        return _Open(*(np.concatenate(pair) for pair in zip(self, other, strict=True)))

    def above(self, goal: float) -> _Open:
        return self.take(self.bounds > goal)

    def volume(self) -> float:
        widths = np.where(self.halves > 0.0, 2.0 * self.halves, 1.0)
        return float(widths.prod(axis=1).sum())


def sup_power_boxes(
    X: Array,
    q: Array,
    order: int,
    threshold: float,
    *,
    rtol: float = 1e-9,
    time_limit: float | None = None,
    max_boxes: int = 50_000_000,
    n_threads: int = 1,
    stop_at_violation: bool = True,
    should_stop: Callable[[], bool] | None = None,
    watch: Watch | None = None,
) -> SupBound:
    """Return a bound on sup |eta| by branch and bound over boxes of (direction, bias).

    It is valid whenever the search ends: the largest bound of an open box, or the goal T, or what
    needs no search.

    Parameters
    ----------
    X : ndarray of shape (n, d)
        Reduced data of unit size.
    q : ndarray of shape (n,)
        Dual point with A_m^T q = 0.
    order : int
        3 or 4.
    threshold : float
        T: what is to be proved. It is raised to (1 + rtol) times the largest |eta| found.
    time_limit, max_boxes : float, int
        Where the search ends without having reached its goal.
    stop_at_violation : bool, default=True
        End as soon as |eta| > threshold somewhere: that plane is wanted, not the sup.
    should_stop : callable, optional
        Polled after every batch of boxes. Ctrl-C ends the search as well.
    watch : callable, optional
        Receives a `Progress` about once a second.
    """
    start, p, d = time.perf_counter(), order - 1, X.shape[1]
    margin, cheap = power_margin(X, q, order, boxes=True), cheap_bound(X, q, order)
    # Equal points count with the sum of their q; less than rounding is not worth a proof.
    X, place = np.unique(X, axis=0, return_inverse=True)
    q = np.asarray(np.bincount(place.reshape(-1), weights=q), dtype=np.float64)
    best = _Best(X, q, p)
    goal, visited = max(threshold, margin, np.finfo(float).tiny), 0
    boxes = _roots(X)
    complete, interrupted = True, False
    volume = boxes.volume()

    def proved() -> float:
        return min(max(goal, float(boxes.bounds.max(initial=0.0))) + margin, cheap)

    def state() -> ProofState:
        share = boxes.volume() / volume
        left = remaining_seconds(time.perf_counter() - start, share)
        return ProofState(proved(), visited, len(boxes.bounds), left)

    report = Reporter(watch, state)
    try:
        while len(boxes.bounds):
            report()
            late = time_limit is not None and time.perf_counter() - start > time_limit
            asked = should_stop is not None and should_stop()
            violated = stop_at_violation and best.value > threshold
            if late or asked or violated or visited >= max_boxes:
                complete = False
                break
            count = min(len(boxes.bounds), max(BATCH, len(boxes.bounds) // SHARE), MOST)
            order_of = np.argpartition(-boxes.bounds, count - 1)
            halves = _halve(boxes.take(order_of[:count]))
            children, values = _bounded(X, q, p, goal, halves, n_threads)
            visited += len(values)
            if best.improve(children.centres, values):
                goal = max(goal, (1.0 + rtol) * best.value)
            # At any moment `boxes` holds all that is not proved: an interrupt loses none.
            boxes = boxes.take(order_of[count:]).join(children).above(goal)
    except KeyboardInterrupt:
        complete, interrupted = False, True
    points = [(plane[:d], float(plane[d])) for plane in best.planes]
    found = assemble_powers(X, q, order, points, threshold, proved(), complete, visited, start)
    return replace(found, interrupted=interrupted)


class _Best:
    """The largest |eta| seen at centres of boxes, after a climb from there."""

    def __init__(self, X: Array, q: Array, p: int) -> None:
        self.X, self.q, self.p = X, q, p
        self.value, self.planes = 0.0, list[Array]()

    def improve(self, centres: Array, values: Array) -> bool:
        """Climb from the largest centre if it beats what is known; return whether it did."""
        if values.max() <= self.value:
            return False
        d = self.X.shape[1]
        centre = centres[int(np.argmax(values))]
        plane = centre / np.linalg.norm(centre[:d])
        self.value = abs(climb_plane(self.X, self.q, self.p, plane))
        plane[:d] /= np.linalg.norm(plane[:d])
        self.planes.append(plane)
        return True


def _roots(X: Array) -> _Open:
    """Return the faces u_f = 1 of the cube, with all biases up to a power of two >= max |x|_1."""
    d = X.shape[1]
    largest = float(np.abs(X).sum(axis=1).max(initial=0.0))
    centres, halves = np.zeros((d, d + 1)), np.ones((d, d + 1))
    centres[:, :d] = np.eye(d)
    halves[:, :d] -= np.eye(d)
    halves[:, d] = 2.0 ** math.ceil(math.log2(largest)) if largest > 0.0 else 1.0
    return _Open(centres, halves, np.full(d, np.inf), np.full(d, d, dtype=np.int64))


def _halve(boxes: _Open) -> _Open:
    """Return both halves of each box; coordinates are dyadic, so nothing is lost between them."""
    rows = np.arange(len(boxes.bounds))
    half = boxes.halves.copy()
    half[rows, boxes.split] *= 0.5
    move = np.zeros_like(half)
    move[rows, boxes.split] = half[rows, boxes.split]
    return _Open(
        np.concatenate([boxes.centres - move, boxes.centres + move]),
        np.concatenate([half, half]),
        np.concatenate([boxes.bounds, boxes.bounds]),
        np.concatenate([boxes.split, boxes.split]),
    )


def _bounded(
    X: Array, q: Array, p: int, goal: float, boxes: _Open, n_threads: int
) -> tuple[_Open, Array]:
    """Return the boxes with their bounds, never above those of their parents, and centre values."""
    count = len(boxes.bounds)
    bounds, values, split = np.empty(count), np.empty(count), np.zeros(count, dtype=np.int64)

    def work(part: slice) -> None:
        bound_boxes(
            X,
            q,
            p,
            goal,
            boxes.centres[part],
            boxes.halves[part],
            bounds[part],
            values[part],
            split[part],
        )

    parts = [slice(a, a + CHUNK) for a in range(0, count, CHUNK)]
    for _ in in_threads(work, parts, n_threads):
        pass
    bounds = np.minimum(bounds, boxes.bounds)
    return _Open(boxes.centres, boxes.halves, bounds, split), values
