r"""Branch and bound on sup |eta| for neurons through the origin, over boxes of directions.

Boxes tile the faces ``u_f = 1`` of the cube, which is half of all directions; the others are
``-u``. With signs sigma of eta and tau of the direction,
``sigma eta(tau u) = 1/2 sum_i sigma q_i |u . x_i| + sigma tau / 2 s . u``, ``s = sum_i q_i x_i``:
what `branch_and_bound` proves at a single anchor, the origin, but with a gradient to begin with.
So four copies of half the sphere go through its kernels, whose tests hold for any affine term.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace

import numpy as np

from .._branch_kernels import RAISE, explore
from ..box_search import (
    MAX_RETURNED,
    MAX_VIOLATIONS_PER_JOB,
    N_LEADS,
    Job,
    Search,
    best_of,
    jobs_of,
)
from ..branch_and_bound import MEMORY_LIMIT, Crew
from ..frontier import measure
from ..oracle import MAX_WITNESSES, Array, SupBound
from ..proof_state import ProofState, Reporter, Watch, at_bound
from .lines import Lines, affordable_lines
from .rows import OriginRows, in_units, origin_margin, values_at
from .search import OriginSearch

N_STARTS = 64
"""Ascents before the boxes."""
SHARE = 0.1
"""Part of the distance from what is attained to the threshold that near lines may take."""


@dataclass
class _Sphere(Search):
    """Boxes of directions u on the faces of the cube; `Job.anchor` is 0 for u and 1 for -u."""

    lines: Lines = field(kw_only=True)
    ascent: OriginSearch = field(kw_only=True)

    def __post_init__(self) -> None:
        super().__post_init__()
        d = self.X.shape[1]
        boxes = np.hstack([np.eye(d), 1.0 - np.eye(d)])
        norms = np.linalg.norm(self.X, axis=1)
        for sign in (1.0, -1.0):
            # sigma eta(w) <= sum_{sigma q_i > 0} |q_i| ||x_i||
            bound = np.full(d, float(np.maximum(sign * self.q, 0.0) @ norms))
            self.parked += [Job(side, sign, boxes, bound) for side in (0, 1)]

    @property
    def volume(self) -> float:
        """Volume of the boxes of both signs and both sides."""
        d = self.X.shape[1]
        return 4.0 * measure(np.hstack([np.eye(d), 1.0 - np.eye(d)]))

    def divides_space(self, job: Job) -> bool:
        """Return True: there are no other boxes than those of directions."""
        return True

    def run(self, job: Job) -> None:
        """Explore the boxes of a job for at most about 50 ms and file what is left of it."""
        n, d = self.X.shape
        lines, side = self.lines, -1.0 if job.anchor else 1.0
        room = MAX_RETURNED + 4 * n
        boxes, bounds = np.empty((room, 2 * d)), np.empty(room)
        found, tally = np.zeros((1 + MAX_VIOLATIONS_PER_JOB, d + 1)), np.zeros(4, dtype=np.int64)
        crowded = self.n_parked > self.max_parked
        target = max(self.goal, -math.inf if crowded else self.target)
        max_work = int(3e6 / (d + 1 + 2 ** min(d, 9) / 4))
        goal = explore(
            lines.units, job.sign * lines.weights, 0.5 * job.sign * side * lines.total,
            job.boxes, job.bounds, target, self.goal, self.violation, max_work,
            self.stop_at_violation, boxes, bounds, found, tally,
        )  # fmt: skip
        count = int(tally[0])
        anchors = np.full(count, job.anchor, dtype=np.int64)
        jobs = jobs_of(anchors, job.sign, boxes[:count], bounds[:count])
        with self.lock:
            self.goal = max(self.goal, goal)
            self.level = max(self.level, self.goal)
            self.n_boxes += int(tally[1])
            if found[0, d] > 0.0:
                lead = (float(found[0, d]), side * found[0, :d])
                self.leads = best_of([*self.leads, lead], N_LEADS)
            new = [(float(row[d]), side * row[:d]) for row in found[1 : 1 + tally[2]]]
            self.points = best_of([*self.points, *new], MAX_WITNESSES)
            if new and self.stop_at_violation:
                self.first_violation = min(self.first_violation, time.perf_counter())
            for part in jobs:
                self.file(part, violated=bool(new), split=True)
            del self.held[threading.get_ident()]
            full = self.stop_at_violation and len(self.points) == MAX_WITNESSES
            if full or self.n_boxes >= self.max_boxes:
                self.stop.set()

    def follow_leads(self) -> None:
        """Climb from the best directions so far: that finds violations long before the boxes do."""
        if not self.leads:
            return
        reached = self.ascent.climb(self.q, np.array([w for _, w in self.leads]))
        self.note(reached)

    def note(self, directions: Array) -> None:
        """Take note of directions that violate."""
        values = np.abs(values_at(self.X, self.q, directions))
        for value, w in zip(values, directions, strict=True):
            if value > max(self.violation, self.goal):
                self.points = best_of([*self.points, (float(value), w)], MAX_WITNESSES)
                if self.stop_at_violation:
                    self.stop.set()
                else:
                    self.goal = float(value) * (1.0 + RAISE)


def bound_by_boxes(
    rows: OriginRows,
    threshold: float,
    *,
    start: float,
    n_jobs: int = 1,
    ended: Callable[[], bool] = lambda: False,
    stop_at_violation: bool = True,
    max_boxes: int | None = None,
    watch: Watch | None = None,
) -> SupBound:
    """Prove ``|eta| <= threshold``, find a violation, or return the best bound in time.

    The bound is ``max(goal, largest bound of an open box) + margin``, ``goal`` the threshold in the
    units of `rows` less the margin, or what has been found.

    Parameters
    ----------
    rows : OriginRows
        At least two dimensions.
    threshold : float
        In original units.
    start : float
        Time the search began.
    n_jobs, ended, stop_at_violation, max_boxes, watch
        See `sup_eta_origin`.
    """
    none = np.zeros((0, rows.X.shape[1]))
    ascent = OriginSearch(rows.X, n_jobs=1)
    try:
        reached = ascent.search(rows.q, none, N_STARTS)[2]
    except KeyboardInterrupt:
        return rows.report(
            [], threshold, rows.cheap, complete=False, n_boxes=0,
            seconds=time.perf_counter() - start, interrupted=True,
        )  # fmt: skip
    attained = float(np.abs(values_at(rows.X, rows.q, reached)).max(initial=0.0))
    aim = min(rows.lower(threshold), rows.cheap)
    lines = affordable_lines(rows.X, rows.q, SHARE * (aim - attained))
    margin = origin_margin(rows.X, rows.q) + lines.moved
    goal = max(aim - margin, margin)
    most = math.inf if max_boxes is None else max_boxes
    room = MEMORY_LIMIT * 2**20 / (8 * (2 * rows.X.shape[1] + 3))
    search = _Sphere(
        rows.X, rows.q, goal, aim + margin, stop_at_violation, most, room,
        lines=lines, ascent=ascent,
    )  # fmt: skip
    search.note(reached)

    def over() -> bool:
        now = time.perf_counter()
        # A little longer after a violation: further ones save the caller whole rounds.
        return ended() or now - search.first_violation > 0.2 * (search.first_violation - start)

    def state() -> ProofState:
        inner = search.state(time.perf_counter() - start, margin)
        return at_bound(inner, rows.raised(min(inner.bound, rows.cheap)))

    report = Reporter(watch, state)
    interrupted = False
    with ThreadPoolExecutor(n_jobs) as pool:
        try:
            if not search.stop.is_set():
                Crew(search, pool, n_jobs, over, report).descend()
        except KeyboardInterrupt:
            interrupted = True  # Leaving the block waits for the workers.
        finally:
            search.stop.set()
    if search.held:
        raise RuntimeError("a worker of sup_eta_origin failed; its boxes are lost.")
    report(now=True)
    directions = [w for _, w in [*search.points, *search.leads]]
    ends = list(search.ascent.climb(rows.q, np.array(directions))) if directions else []
    bound = max(search.level, search.goal, min(search.open_bound(), rows.cheap)) + margin
    result = rows.report(
        [*ends, *reached], threshold, bound,
        complete=False, n_boxes=search.n_boxes, seconds=time.perf_counter() - start,
        interrupted=interrupted,
    )  # fmt: skip
    return _completed(result, rows, threshold)


def _completed(result: SupBound, rows: OriginRows, threshold: float) -> SupBound:
    """Return the result marked complete if nothing above the threshold is left but rounding."""
    margin = origin_margin(rows.X, rows.q) + affordable_lines(rows.X, rows.q, 0.0).moved
    slack = float(in_units(2 * (margin + rows.moved), rows.exponent))
    level = max(threshold, result.attained) * (1 + 2 * RAISE) * rows.stretch + slack
    return replace(result, complete=result.bound <= level)
