"""The shared state of branch and bound: boxes waiting, in work and parked, and the workers."""

from __future__ import annotations

import math
import threading
import time
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np
from scipy.spatial.distance import cdist

from ._branch_kernels import RAISE, explore
from .climb import climb
from .frontier import Frontier, measure, root_boxes
from .oracle import MAX_WITNESSES, Array, evaluate

BOXES_PER_JOB = 1024
MAX_RETURNED = 4096
MAX_VIOLATIONS_PER_JOB = 4
N_LEADS = 12


def best_of(points: list[tuple[float, Array]], size: int) -> list[tuple[float, Array]]:
    """Return at most `size` of the points (value, w), best first."""
    return sorted(points, key=lambda point: -point[0])[:size]


@dataclass(frozen=True)
class Job:
    """Boxes of one anchor and sign, with bounds on ``sigma eta_j`` on them."""

    anchor: int
    sign: float
    boxes: Array
    bounds: Array


@dataclass
class Search:
    """State shared by the workers.

    Every job is in `queue`, `parked`, `held` by a worker or in `reserve` at any moment: neither an
    interrupt nor a snapshot may lose a box. `reserve` keeps the jobs while a round is set up.
    """

    X: Array
    q: Array
    goal: float
    violation: float
    stop_at_violation: bool
    max_boxes: float
    max_parked: float
    target: float = math.inf
    level: float = 0.0
    queue: deque[Job] = field(default_factory=deque)
    parked: list[Job] = field(default_factory=list)
    reserve: list[Job] = field(default_factory=list)
    held: dict[int, Job] = field(default_factory=dict)
    n_parked: int = 0
    n_boxes: int = 0
    points: list[tuple[float, Array]] = field(default_factory=list)
    leads: list[tuple[float, Array]] = field(default_factory=list)
    first_violation: float = math.inf
    stop: threading.Event = field(default_factory=threading.Event)
    pause: threading.Event = field(default_factory=threading.Event)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def take(self) -> Job | None:
        """Return the next job, or None if there is none at the moment."""
        with self.lock:
            if not self.queue:
                return None
            job = self.queue.popleft()
            self.held[threading.get_ident()] = job
            return job

    def work(self) -> None:
        """Run jobs until the round is over or the search is stopped."""
        while not (self.stop.is_set() or self.pause.is_set()):
            job = self.take()
            if job is not None:
                try:
                    self.run(job)
                except BaseException:
                    self.stop.set()
                    raise
            elif not self.held:
                break
            else:
                time.sleep(1e-3)

    def run(self, job: Job) -> None:
        """Explore the boxes of a job for at most about 50 ms and file what is left of it."""
        d = self.X.shape[1]
        Z = self.X - self.X[job.anchor]
        boxes, bounds = np.empty((MAX_RETURNED, 2 * d)), np.empty(MAX_RETURNED)
        found, tally = np.zeros((1 + MAX_VIOLATIONS_PER_JOB, d + 1)), np.zeros(3, dtype=np.int64)
        crowded = self.n_parked > self.max_parked
        target = max(self.goal, -math.inf if crowded else self.target)
        max_work = int(3e6 / (d + 2 ** min(d - 1, 8) / 4))
        p = job.sign * self.q
        goal = explore(
            Z, p, job.boxes, job.bounds, target, self.goal, self.violation, max_work,
            self.stop_at_violation, boxes, bounds, found, tally,
        )  # fmt: skip
        with self.lock:
            self.goal = max(self.goal, goal)
            self.level = max(self.level, self.goal)
            self.n_boxes += int(tally[1])
            if found[0, d] > 0.0:
                self.leads = best_of([*self.leads, (float(found[0, d]), found[0, :d])], N_LEADS)
            new = [(float(row[d]), row[:d]) for row in found[1 : 1 + tally[2]]]
            self.points = best_of([*self.points, *new], MAX_WITNESSES)
            if new and self.stop_at_violation:
                self.first_violation = min(self.first_violation, time.perf_counter())
            self.file(job, boxes[: tally[0]], bounds[: tally[0]], violated=bool(new), split=True)
            del self.held[threading.get_ident()]
            full = self.stop_at_violation and len(self.points) == MAX_WITNESSES
            if full or self.n_boxes >= self.max_boxes:
                self.stop.set()

    def follow_leads(self) -> None:
        """Climb from the best directions so far: that finds violations long before the boxes do."""
        if not self.leads:
            return
        weights, biases = climb(self.X, self.q, np.array([w for _, w in self.leads]))
        for weight, bias in zip(weights, biases, strict=True):
            value = abs(evaluate(self.X, self.q, weight, float(bias)))
            if value > max(self.violation, self.goal):
                self.points = best_of([*self.points, (value, weight)], MAX_WITNESSES)
                if self.stop_at_violation:
                    self.stop.set()
                else:
                    self.goal = value * (1.0 + RAISE)

    def file(self, job: Job, boxes: Array, bounds: Array, *, violated: bool, split: bool) -> None:
        """Queue the boxes that are still above the target, park the others."""
        exhausted = boxes[:, boxes.shape[1] // 2 :].max(axis=1, initial=0.0) < 1e-14
        later = (bounds <= self.target) | exhausted | (violated and self.stop_at_violation)
        if np.any(later):
            self.parked.append(Job(job.anchor, job.sign, boxes[later], bounds[later]))
            self.n_parked += int(np.count_nonzero(later))
        # Unfinished boxes are halved among two jobs so that an idle worker can help.
        rows = np.flatnonzero(~later)
        halves = (rows[::2], rows[1::2]) if split else (rows,)
        for part in halves:
            if part.size:
                self.queue.append(Job(job.anchor, job.sign, boxes[part], bounds[part]))

    def start_round(self, target: float) -> None:
        """Queue everything above the target, one job per anchor."""
        self.target = target
        groups: dict[int, list[Job]] = {}
        self.reserve = [*self.queue, *self.parked]
        self.queue, self.parked, self.n_parked = deque(), [], 0
        for job in self.reserve:
            groups.setdefault(job.anchor, []).append(job)
        for jobs in groups.values():
            boxes = np.concatenate([job.boxes for job in jobs])
            bounds = np.concatenate([job.bounds for job in jobs])
            for k in range(0, bounds.size, BOXES_PER_JOB):
                part = slice(k, k + BOXES_PER_JOB)
                self.file(jobs[0], boxes[part], bounds[part], violated=False, split=False)
        self.reserve = []

    def open_jobs(self) -> list[Job]:
        """Return all jobs; those of a round that is being set up may appear twice."""
        return [*self.queue, *self.parked, *self.reserve, *self.held.values()]

    def open_bound(self) -> float:
        """Return the largest bound of a box that is not proved below the goal."""
        return max((float(job.bounds.max()) for job in self.open_jobs()), default=-math.inf)

    def snapshot(self, digest: str, seconds: float, margin: float) -> Frontier:
        """Return what is left to do, consistent at any moment outside of `start_round`."""
        with self.lock:
            jobs, level = self.open_jobs(), max(self.level, self.goal)
            leads = [w for _, w in [*self.leads, *self.points]]
            n_boxes = self.n_boxes
        d = self.X.shape[1]
        boxes = np.concatenate([np.zeros((0, 2 * d)), *(job.boxes for job in jobs)])
        bounds = np.concatenate([np.zeros(0), *(job.bounds for job in jobs)])
        counts = [len(job.bounds) for job in jobs]
        anchors = np.repeat(np.array([job.anchor for job in jobs], dtype=np.int64), counts)
        whole = max(np.count_nonzero(self.q) * d * 2.0 ** (d - 1), 1.0)
        share = min(float(measure(boxes[bounds > level]) / whole), 1.0)
        return Frontier(
            digest, level, anchors, boxes, bounds, np.array(leads).reshape(-1, d), n_boxes,
            seconds, margin, share,
        )  # fmt: skip


def jobs_of(anchors: Iterable[int], boxes: Array, bounds: Array, q: Array) -> list[Job]:
    """Return the boxes grouped into one job per anchor, with the sign opposite to q_j."""
    anchors = np.asarray(anchors, dtype=np.int64)
    order = np.argsort(anchors, kind="stable")
    groups = np.split(order, np.flatnonzero(np.diff(anchors[order])) + 1)
    jobs = []
    for rows in groups:
        if len(rows):
            j = int(anchors[rows[0]])
            jobs.append(Job(j, -math.copysign(1.0, q[j]), boxes[rows], bounds[rows]))
    return jobs


def root_jobs(X: Array, q: Array) -> list[Job]:
    """Return one job per anchor: the faces ``u_f = 1`` of the cube, and a cheap bound.

    ``sigma eta_j(w) <= 1/2 sum_{sigma q_i > 0} |q_i| ||x_i - x_j||`` for the sign with
    ``sigma q_j < 0``; evenness of eta_j covers the faces ``u_f = -1``.
    """
    boxes, jobs = root_boxes(X.shape[1]), []
    for group in np.array_split(np.flatnonzero(q), len(q) // 256 + 1):
        lengths = cdist(X[group], X)
        for row, j in enumerate(group):
            sign = -math.copysign(1.0, q[j])
            bound = 0.5 * float(np.maximum(sign * q, 0.0) @ lengths[row])
            jobs.append(Job(int(j), sign, boxes, np.full(len(boxes), bound)))
    return jobs
