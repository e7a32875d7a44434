"""Branch and bound for sup |eta| over |w|_1 = 1: boxes of planes (w, b), the loosest first."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from ...problems.checks import Array
from ...problems.rounding import UNIT_ROUNDOFF
from ..oracle import SupBound, assemble
from ..parallel import in_threads
from ..proof_state import ProofState, Reporter, Watch, remaining_seconds
from ._ascent_kernels import ascend_all
from ._box_kernels import split_boxes
from .dictionary import MAX_MOVES, constraints

CHUNK, CHUNKS = 256, 8
"""Boxes per task, and tasks per step."""
LEVELS = 40
"""Classes of open boxes: their excess over the threshold, in powers of two."""
MEMORY_LIMIT = 1024.0
"""MiB of open boxes above which the tightest ones, nearest to being dropped, come first."""
RAISE = 1e-9
"""Relative distance above the largest value known that is proved if violations do not end it."""


class OpenBoxes:
    """Boxes by classes of their bound, each class a stack of arrays."""

    def __init__(self, T: float) -> None:
        self.T = T
        self.parts: list[list[tuple[Array, Array]]] = [[] for _ in range(LEVELS)]
        self.count = 0

    def add(self, boxes: Array, bounds: Array) -> None:
        """File boxes by the power of two of bound / T - 1."""
        excess = np.maximum(bounds / self.T - 1.0, 2.0**-38)
        level = np.clip(np.floor(np.log2(excess)).astype(int) + 38, 0, LEVELS - 1)
        for k in np.unique(level):
            self.parts[k].append((boxes[level == k], bounds[level == k]))
        self.count += len(boxes)

    def take(self, size: int, *, loosest: bool) -> tuple[Array, Array]:
        """Remove about `size` boxes of the loosest class, or of the tightest one."""
        order = range(LEVELS - 1, -1, -1) if loosest else range(LEVELS)
        stack = next(self.parts[k] for k in order if self.parts[k])
        boxes, bounds = [], []
        taken = 0
        while stack and taken < size:
            some, limit = stack.pop()
            if taken + len(some) > size:
                cut = size - taken
                stack.append((some[cut:], limit[cut:]))
                some, limit = some[:cut], limit[:cut]
            boxes.append(some)
            bounds.append(limit)
            taken += len(some)
        self.count -= taken
        return np.concatenate(boxes), np.concatenate(bounds)

    @property
    def level(self) -> int:
        """The loosest class with boxes, -1 if there is none."""
        return max((k for k in range(LEVELS) if self.parts[k]), default=-1)

    def volume(self) -> float:
        """Return the volume of all boxes, within the faces of the cube that they are parts of."""
        total = 0.0
        for boxes, _ in (item for part in self.parts for item in part):
            half = boxes[:, boxes.shape[1] // 2 : -1]
            total += float(np.where(half > 0.0, 2.0 * half, 1.0).prod(axis=1).sum())
        return total

    def bound(self) -> float:
        """Return the largest bound of an open box, -inf if there is none."""
        stack = next((p for p in reversed(self.parts) if p), [])
        return max((float(limit.max()) for _, limit in stack), default=-math.inf)


def root_boxes(d: int) -> Array:
    """Return boxes (centre, half, axis) of (w, b / B) that cover all planes: w_f = 1 on face f."""
    roots = np.zeros((d, 2 * d + 3))
    roots[:, d + 1 : -1] = 1.0
    roots[:, -1] = d
    for f in range(d):
        roots[f, f], roots[f, d + 1 + f] = 1.0, 0.0
    return roots


def bound_boxes(
    X: Array,
    q: Array,
    threshold: float,
    margin: float,
    *,
    known: Sequence[tuple[Array, float]] = (),
    bound: float = math.inf,
    time_limit: float | None = None,
    n_jobs: int = 1,
    should_stop: Callable[[], bool] | None = None,
    stop_at_violation: bool = True,
    memory_limit: float = MEMORY_LIMIT,
    visited: int = 0,
    watch: Watch | None = None,
) -> SupBound:
    """Prove |eta| <= threshold for |w|_1 = 1, find a violation, or return the best bound in time.

    The planes are v = (w, b / B) with B = max_i ||x_i||_1; eta and |w|_1 are even and homogeneous
    in v, so the faces w_f = 1 of [-1, 1]^d cover all of them. T = threshold - margin is proved,
    for both signs, by `_box_kernels.bound_box`; the bound is max(T, open boxes) + margin.

    Parameters
    ----------
    X, q, threshold, time_limit, n_jobs, should_stop, stop_at_violation, watch
        See `proof.sup_eta_l1`. T is raised above what is attained.
    margin : float
        `proof.l1_margin`.
    known : sequence of (w, b)
        Planes to be considered as witnesses.
    bound : float
        A bound that holds already.
    memory_limit : float
        MiB of open boxes.
    visited : int
        Number added to the boxes.
    """
    start = time.perf_counter()
    n, d = X.shape
    rows, weights, prices = constraints(X, q)
    width = max(float(np.abs(X).sum(axis=1).max(initial=0.0)), 1e-300) * (1 + 8 * d * UNIT_ROUNDOFF)
    lifted = rows.copy()
    lifted[:n, d] *= width
    planes = np.array([np.append(w, b) for w, b in known]).reshape(-1, d + 1)
    planes = _climb(rows, weights, prices, planes, 64)
    attained = _largest(X, q, planes)
    most = float(np.abs(q) @ np.abs(X).max(axis=1)) + width * float(np.abs(q).sum())
    T = min(max(threshold - margin, margin, attained * (1.0 + RAISE), 1e-300), max(most, 1e-300))
    open_by_sign = {sign: OpenBoxes(T) for sign in (1.0, -1.0)}
    for boxes in open_by_sign.values():
        boxes.add(root_boxes(d), np.full(d, max(2.0 * most, 2.0 * T)))
    room = memory_limit * 2**20 / (8 * (2 * d + 4))
    n_boxes, violated, interrupted = visited, attained > threshold, False
    held: tuple[OpenBoxes, Array, Array] | None = None

    def state() -> ProofState:
        top = max(boxes.bound() for boxes in open_by_sign.values())
        n_open = sum(boxes.count for boxes in open_by_sign.values())
        share = sum(boxes.volume() for boxes in open_by_sign.values()) / (2.0 * d * 2.0**d)
        remaining = remaining_seconds(time.perf_counter() - start, min(share, 1.0))
        return ProofState(min(max(T, top) + margin, bound), n_boxes, n_open, remaining)

    report = Reporter(watch, state)
    try:
        while any(boxes.count for boxes in open_by_sign.values()):
            report()
            late = time_limit is not None and time.perf_counter() - start > time_limit
            if late or (should_stop is not None and should_stop()):
                break
            if violated and stop_at_violation:
                break
            sign = max(open_by_sign, key=lambda one: open_by_sign[one].level)
            boxes = open_by_sign[sign]
            loosest = sum(one.count for one in open_by_sign.values()) < room
            batch, limits = boxes.take(CHUNK * CHUNKS, loosest=loosest)
            held = boxes, batch, limits
            batch, limits = batch[limits > T], limits[limits > T]
            if len(batch) == 0:
                # T has risen above all of them.
                held = None
                continue
            kept, best, plane = _split(lifted, sign * weights, T, batch, limits, n_jobs)
            for some, bounds in kept:
                boxes.add(some, bounds)
            held = None
            n_boxes += 2 * len(batch)
            if best > max(T, attained):
                # Not yet a local maximum: the ascent makes more of it.
                plane[d] *= width
                plane /= np.abs(plane[:d]).sum()
                planes = np.vstack([planes, _climb(rows, weights, prices, plane[None], 1)])
                attained = max(attained, _largest(X, q, planes[-1:]))
                violated = attained > threshold
                # No box that holds this vertex could ever be dropped.
                T = max(T, attained * (1.0 + RAISE))
    except KeyboardInterrupt:
        interrupted = True
        if held is not None:
            held[0].add(held[1], held[2])
    top = max(boxes.bound() for boxes in open_by_sign.values())
    proved = min(max(T, top) + margin, bound)
    result = assemble(
        X,
        q,
        [(plane[:d], float(plane[d])) for plane in planes],
        threshold=threshold,
        bound=proved,
        complete=False,
        n_boxes=n_boxes,
        seconds=time.perf_counter() - start,
    )
    level = max(threshold, result.attained) * (1 + 2 * RAISE) + 2 * margin
    return replace(result, complete=result.bound <= level, interrupted=interrupted)


def _split(
    rows: Array, weights: Array, T: float, batch: Array, limits: Array, n_jobs: int
) -> tuple[list[tuple[Array, Array]], float, Array]:
    """Return the halves that stay open with their bounds, and the best value at a centre."""
    size = rows.shape[1]

    def work(first: int) -> tuple[Array, Array, float, Array]:
        part, given = batch[first : first + CHUNK], limits[first : first + CHUNK]
        out, bounds = np.empty((2 * len(part) + 1, 2 * size + 1)), np.empty(2 * len(part) + 1)
        count, best, centre = split_boxes(rows, weights, T, part, given, out, bounds)
        return out[:count], bounds[:count], best, centre

    found = list(in_threads(work, range(0, len(batch), CHUNK), n_jobs))
    top = max(found, key=lambda item: item[2])
    return [(item[0], item[1]) for item in found if len(item[0])], top[2], top[3].copy()


def _climb(rows: Array, weights: Array, prices: Array, planes: Array, count: int) -> Array:
    """Return the planes, and the vertices reached from the best `count` of them."""
    if len(planes) == 0:
        return planes
    values = np.abs(planes @ rows.T) @ weights
    starts = planes[np.argsort(-np.abs(values), kind="stable")[:count]].copy()
    ascend_all(rows, weights, prices, starts, MAX_MOVES, np.empty(len(starts)))
    return np.vstack([planes, starts])


def _largest(X: Array, q: Array, planes: Array) -> float:
    """Return max |eta| over planes with |w|_1 = 1, 0 without any."""
    values = np.maximum(X @ planes[:, :-1].T - planes[:, -1], 0.0)
    return float(np.abs(q @ values).max(initial=0.0))
