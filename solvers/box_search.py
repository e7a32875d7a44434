"""The shared state of branch and bound: boxes waiting, in work and parked, and the workers."""

from __future__ import annotations

import math
import threading
import time
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np

from ._branch_kernels import RAISE, Limits, Outcome, explore
from ._slab_kernels import explore_slabs
from .box_jobs import Job, jobs_of, lift
from .climb import climb
from .frontier import Frontier, measure, root_boxes
from .oracle import MAX_WITNESSES, Array, evaluate
from .proof_state import ProofState, remaining_seconds

BOXES_PER_JOB = 1024
MAX_RETURNED = 4096
MAX_VIOLATIONS_PER_JOB = 4
N_LEADS = 12
WORK_PER_JOB = 3e6
"""Points times coordinates and vertices that a job looks at before others may have a turn."""


def best_of(points: list[tuple[float, Array]], size: int) -> list[tuple[float, Array]]:
    """Return at most `size` of the points (value, w), best first."""
    return sorted(points, key=lambda point: -point[0])[:size]


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
    lifted: Array = field(init=False)

    def __post_init__(self) -> None:
        self.lifted = lift(self.X)

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
        n, d = self.X.shape
        room = MAX_RETURNED + 4 * n
        out = (
            np.empty((room, job.boxes.shape[1])),
            np.empty(room),
            np.full(room, job.anchor, dtype=np.int64),
            np.zeros((1 + MAX_VIOLATIONS_PER_JOB, d + 1)),
            np.zeros(4, dtype=np.int64),
        )
        goal = self.explore(job, out)
        self.settle(job, goal, out)

    def explore(self, job: Job, out: Outcome) -> float:
        """Fill what is left of a job; return the goal that its kernel ends with."""
        p, limits = job.sign * self.q, self.limits()
        if job.anchor < 0:
            return float(explore_slabs(self.lifted, p, job.boxes, job.bounds, limits, out))
        Z, level = self.X - self.X[job.anchor], np.zeros(self.X.shape[1])
        return float(explore(Z, p, level, job.boxes, job.bounds, limits, out))

    def limits(self, *, n_outputs: int = 0) -> Limits:
        """Return what a job is to reach, and after how much work others have their turn."""
        d, crowded = self.X.shape[1], self.n_parked > self.max_parked
        target = max(self.goal, -math.inf if crowded else self.target)
        work = int(WORK_PER_JOB / (d + 1 + n_outputs + 2 ** min(d, 9) / 4))
        return target, self.goal, self.violation, work, self.stop_at_violation

    def settle(self, job: Job, goal: float, out: Outcome) -> None:
        """Take note of what a job has reached and found, and file the boxes left."""
        boxes, bounds, anchors, found, (count, n_boxes, n_found, _) = out
        d = self.X.shape[1]
        jobs = jobs_of(anchors[:count], job.sign, boxes[:count], bounds[:count])
        lead, new = found[0], found[1 : 1 + n_found]
        with self.lock:
            self.goal = max(self.goal, goal)
            self.level = max(self.level, self.goal)
            self.n_boxes += int(n_boxes)
            if lead[d] > 0.0:
                self.leads = best_of([*self.leads, (float(lead[d]), lead[:d])], N_LEADS)
            violations = [(float(row[d]), row[:d]) for row in new]
            self.points = best_of([*self.points, *violations], MAX_WITNESSES)
            if violations and self.stop_at_violation:
                self.first_violation = min(self.first_violation, time.perf_counter())
            for part in jobs:
                self.file(part, violated=bool(violations), split=True)
            del self.held[threading.get_ident()]
            full = self.stop_at_violation and len(self.points) == MAX_WITNESSES
            if full or self.n_boxes >= self.max_boxes:
                self.stop.set()

    def follow_leads(self) -> None:
        """Climb from the best directions so far: that finds violations long before the boxes do."""
        if self.leads:
            for value, w in self.climbed(np.array([w for _, w in self.leads])):
                self.note(value, w)

    def climbed(self, directions: Array) -> Iterable[tuple[float, Array]]:
        """Return |eta| and the directions of the maxima that ascents from some directions reach."""
        weights, biases = climb(self.X, self.q, directions)
        for w, b in zip(weights, biases, strict=True):
            yield abs(evaluate(self.X, self.q, w, float(b))), w

    def look_around(self) -> None:
        """Climb from a few directions, for a goal far below the sup.

        Depth first would descend into the level set of that goal.
        """
        d = self.X.shape[1]
        starts = np.vstack([np.eye(d), np.random.default_rng(0).standard_normal((8, d))])
        self.leads += [(0.0, w / np.linalg.norm(w)) for w in starts]
        self.follow_leads()

    def lingered(self, start: float) -> bool:
        """Return whether the first violation was a while ago: more of them save whole rounds."""
        late = time.perf_counter() - self.first_violation
        return late > 0.2 * (self.first_violation - start)

    def note(self, value: float, w: Array) -> None:
        """Take note of a direction if it violates, outside of a round."""
        if value > max(self.violation, self.goal):
            self.points = best_of([*self.points, (value, w)], MAX_WITNESSES)
            if self.stop_at_violation:
                self.stop.set()
            else:
                self.goal = value * (1.0 + RAISE)

    def file(self, job: Job, *, violated: bool, split: bool) -> None:
        """Queue the boxes that are still above the target, park the others."""
        boxes, bounds = job.boxes, job.bounds
        exhausted = boxes[:, boxes.shape[1] // 2 :].max(axis=1, initial=0.0) < 1e-14
        later = (bounds <= self.target) | exhausted | (violated and self.stop_at_violation)
        if np.any(later):
            self.parked.append(job.take(later))
            self.n_parked += int(np.count_nonzero(later))
        # Unfinished boxes are halved among two jobs so that an idle worker can help.
        rows = np.flatnonzero(~later)
        halves = (rows[::2], rows[1::2]) if split else (rows,)
        for part in halves:
            if part.size:
                self.queue.append(job.take(part))

    def start_round(self, target: float) -> None:
        """Queue everything above the target, grouped by anchor and sign."""
        self.target = target
        groups: dict[tuple[int, float], list[Job]] = {}
        self.reserve = [*self.queue, *self.parked]
        self.queue, self.parked, self.n_parked = deque(), [], 0
        for job in self.reserve:
            groups.setdefault((job.anchor, job.sign), []).append(job)
        for (anchor, sign), jobs in groups.items():
            boxes = np.concatenate([job.boxes for job in jobs])
            bounds = np.concatenate([job.bounds for job in jobs])
            for k in range(0, bounds.size, BOXES_PER_JOB):
                part = slice(k, k + BOXES_PER_JOB)
                job = Job(anchor, sign, boxes[part], bounds[part])
                self.file(job, violated=False, split=False)
        self.reserve = []

    def open_jobs(self) -> list[Job]:
        """Return all jobs; those of a round that is being set up may appear twice."""
        return [*self.queue, *self.parked, *self.reserve, *self.held.values()]

    def open_bound(self) -> float:
        """Return the largest bound of a box that is not proved below the goal."""
        return max((float(job.bounds.max()) for job in self.open_jobs()), default=-math.inf)

    def state(self, seconds: float, margin: float) -> ProofState:
        """Return how far the search is after so many seconds, outside of `start_round`."""
        with self.lock:
            jobs, level, n_boxes = self.open_jobs(), max(self.level, self.goal), self.n_boxes
        n_open, top, share = 0, level, 0.0
        for job in jobs:
            above = job.bounds > level
            n_open += int(np.count_nonzero(above))
            top = max(top, float(job.bounds.max(initial=0.0)))
            share += measure(job.boxes[above]) if self.divides_space(job) else 0.0
        share = min(share / self.volume, 1.0)
        return ProofState(top + margin, n_boxes, n_open, remaining_seconds(seconds, share))

    @property
    def volume(self) -> float:
        """Volume of the boxes that a search begins with, see `measure`."""
        return 2.0 * measure(root_boxes(self.X.shape[1]))

    def divides_space(self, job: Job) -> bool:
        """Return whether its boxes are parts of those that a search begins with."""
        return job.anchor < 0

    def snapshot(self, digest: str, seconds: float, margin: float) -> Frontier:
        """Return what is left to do, consistent at any moment outside of `start_round`."""
        with self.lock:
            jobs, level = self.open_jobs(), max(self.level, self.goal)
            leads = [w for _, w in [*self.leads, *self.points]]
            n_boxes = self.n_boxes
        d = self.X.shape[1]
        boxes = np.concatenate([np.zeros((0, 2 * d + 2)), *(job.boxes for job in jobs)])
        bounds = np.concatenate([np.zeros(0), *(job.bounds for job in jobs)])
        counts = [len(job.bounds) for job in jobs]
        anchors = np.repeat(np.array([job.anchor for job in jobs], dtype=np.int64), counts)
        signs = np.repeat(np.array([job.sign for job in jobs]), counts)
        slabs = (bounds > level) & (anchors < 0)
        share = min(measure(boxes[slabs]) / self.volume, 1.0)
        return Frontier(
            digest, level, anchors, signs, boxes, bounds, np.array(leads).reshape(-1, d), n_boxes,
            seconds, margin, share,
        )  # fmt: skip
