r"""Upper bounds on sup |eta| in any dimension by branch and bound over boxes of directions.

``sup sigma eta = max_j max_w sigma eta_j(w)``, ``eta_j(w) = 1/2 sum_i q_i |w . (x_i - x_j)|``,
over the anchors j with ``sigma q_j < 0`` only: for fixed w, ``b -> sigma eta(w, b)`` changes its
slope at a knot by the sum of sigma q over the points on it, which is negative at the last knot of
a maximum, hence so is one of its terms.
"""

from __future__ import annotations

import math
import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field, replace

import numpy as np

from ._box_kernels import sweep_slopes
from ._branch_kernels import RAISE, explore
from .oracle import (
    MAX_WITNESSES,
    Array,
    SupBound,
    assemble,
    best_bias,
    evaluate,
    polish,
    rounding_margin,
)
from .sweep import sup_eta_1d

POLL_SECONDS = 0.05
# Targets of the rounds, relative to the goal: an early stop then has a bound on all anchors. Few,
# because a parked box looks at all points again when it is taken up.
LADDER = (4.0, 1.5, 1.0)
BOXES_PER_JOB = 1024
MAX_PARKED = 400_000
MAX_RETURNED = 4096
MAX_VIOLATIONS_PER_JOB = 4
N_LEADS = 12
POLISH_STEPS = 20
CLIMBS = 4
RIDGE_SWEEPS = 50


def best_of(points: list[tuple[float, Array]], size: int) -> list[tuple[float, Array]]:
    """Return at most `size` of the points (value, w), best first."""
    return sorted(points, key=lambda point: -point[0])[:size]


@dataclass(frozen=True)
class _Job:
    """Boxes of one anchor and sign, with bounds on ``sigma eta_j`` on them."""

    anchor: int
    sign: float
    boxes: Array
    bounds: Array


@dataclass
class _Search:
    """State shared by the workers.

    Every job is in `queue`, `parked` or `reserve`, or held by a worker, at any moment: an interrupt
    must not lose a box. `reserve` keeps the jobs while a new round is set up.
    """

    X: Array
    q: Array
    goal: float
    violation: float
    target: float
    stop_at_violation: bool
    max_boxes: float
    queue: deque[_Job] = field(default_factory=deque)
    parked: list[_Job] = field(default_factory=list)
    reserve: list[_Job] = field(default_factory=list)
    n_parked: int = 0
    n_boxes: int = 0
    n_active: int = 0
    points: list[tuple[float, Array]] = field(default_factory=list)
    leads: list[tuple[float, Array]] = field(default_factory=list)
    first_violation: float = math.inf
    stop: threading.Event = field(default_factory=threading.Event)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def take(self) -> _Job | None:
        """Return the next job, or None if there is none at the moment."""
        with self.lock:
            if not self.queue:
                return None
            self.n_active += 1
            return self.queue.popleft()

    def work(self) -> None:
        """Run jobs until the round is over or the search is stopped."""
        while not self.stop.is_set():
            job = self.take()
            if job is not None:
                try:
                    self.run(job)
                except BaseException:
                    self.stop.set()
                    raise
            elif self.n_active == 0:
                break
            else:
                time.sleep(1e-3)

    def run(self, job: _Job) -> None:
        """Explore the boxes of a job for at most about 50 ms and file what is left of it."""
        d = self.X.shape[1]
        Z = self.X - self.X[job.anchor]
        boxes, bounds = np.empty((MAX_RETURNED, 2 * d)), np.empty(MAX_RETURNED)
        found, tally = np.zeros((1 + MAX_VIOLATIONS_PER_JOB, d + 1)), np.zeros(3, dtype=np.int64)
        crowded = self.n_parked > MAX_PARKED
        target = max(self.goal, -math.inf if crowded else self.target)
        max_work = int(3e6 / (d + 2 ** min(d - 1, 8) / 4))
        p = job.sign * self.q
        goal = explore(
            Z, p, job.boxes, job.bounds, target, self.goal, self.violation, max_work,
            self.stop_at_violation, boxes, bounds, found, tally,
        )  # fmt: skip
        with self.lock:
            self.goal = max(self.goal, goal)
            self.n_boxes += int(tally[1])
            if found[0, d] > 0.0:
                self.leads = best_of([*self.leads, (float(found[0, d]), found[0, :d])], N_LEADS)
            new = [(float(row[d]), row[:d]) for row in found[1 : 1 + tally[2]]]
            self.points = best_of([*self.points, *new], MAX_WITNESSES)
            if new and self.stop_at_violation:
                self.first_violation = min(self.first_violation, time.perf_counter())
            self.file(job, boxes[: tally[0]], bounds[: tally[0]], violated=bool(new), split=True)
            self.n_active -= 1
            full = self.stop_at_violation and len(self.points) == MAX_WITNESSES
            if full or self.n_boxes >= self.max_boxes:
                self.stop.set()

    def follow_leads(self) -> None:
        """Polish the best directions so far, which finds violations rounds before the boxes do."""
        for _, weight in self.leads:
            weight, bias = climb(self.X, self.q, weight)
            value = abs(evaluate(self.X, self.q, weight, bias))
            if value > max(self.violation, self.goal):
                self.points = best_of([*self.points, (value, weight)], MAX_WITNESSES)
                if self.stop_at_violation:
                    self.stop.set()
                else:
                    self.goal = value * (1.0 + RAISE)

    def file(self, job: _Job, boxes: Array, bounds: Array, *, violated: bool, split: bool) -> None:
        """Queue the boxes that are still above the target, park the others."""
        exhausted = boxes[:, boxes.shape[1] // 2 :].max(axis=1, initial=0.0) < 1e-14
        later = (bounds <= self.target) | exhausted | (violated and self.stop_at_violation)
        if np.any(later):
            self.parked.append(_Job(job.anchor, job.sign, boxes[later], bounds[later]))
            self.n_parked += int(np.count_nonzero(later))
        # Unfinished boxes are halved among two jobs so that an idle worker can help.
        rows = np.flatnonzero(~later)
        halves = (rows[::2], rows[1::2]) if split else (rows,)
        for part in halves:
            if part.size:
                self.queue.append(_Job(job.anchor, job.sign, boxes[part], bounds[part]))

    def start_round(self) -> None:
        """Queue what is parked above the target, one job per anchor."""
        groups: dict[int, list[_Job]] = {}
        self.reserve = self.parked
        self.parked, self.n_parked = [], 0
        for job in self.reserve:
            groups.setdefault(job.anchor, []).append(job)
        for jobs in groups.values():
            boxes = np.concatenate([job.boxes for job in jobs])
            bounds = np.concatenate([job.bounds for job in jobs])
            for k in range(0, bounds.size, BOXES_PER_JOB):
                part = slice(k, k + BOXES_PER_JOB)
                self.file(jobs[0], boxes[part], bounds[part], violated=False, split=False)
        self.reserve = []

    def open_bound(self) -> float:
        """Return the largest bound of a box that is not proved below the goal."""
        jobs = [*self.queue, *self.parked, *self.reserve]
        return max((float(job.bounds.max()) for job in jobs), default=-math.inf)


def root_jobs(X: Array, q: Array) -> list[_Job]:
    """Return one job per anchor: the faces ``u_f = 1`` of the cube, and a cheap bound.

    ``sigma eta_j(w) <= 1/2 sum_{sigma q_i > 0} |q_i| ||x_i - x_j||`` for the sign with
    ``sigma q_j < 0``; evenness of eta_j covers the faces ``u_f = -1``.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_features)
        Inputs.
    q : ndarray of shape (n_samples,)
        Dual vector.
    """
    d = X.shape[1]
    boxes = np.hstack([np.eye(d), 1.0 - np.eye(d)])
    jobs = []
    for j in np.flatnonzero(q):
        sign = -math.copysign(1.0, q[j])
        lengths = np.sqrt(np.sum((X - X[j]) ** 2, axis=1))
        bound = 0.5 * float(np.maximum(sign * q, 0.0) @ lengths)
        jobs.append(_Job(int(j), sign, boxes, np.full(d, bound)))
    return jobs


def climb(X: Array, q: Array, weight: Array) -> tuple[Array, float]:
    """Return ``(w, b)`` after local ascent that also moves along ridges.

    `polish` stops where several data lie on the hyperplane. There
    ``w <- normalise(min-norm point of {sum_i c_i e_i z_i})``, e_i = sign(w . z_i) for c_i > 0 and
    ``-1 <= e_i <= 1`` free for c_i < 0 with ``c = sigma q / 2``, which never decreases
    ``sigma eta_j`` (concave-convex procedure); the minimum by coordinate descent.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_features)
        Inputs.
    q : ndarray of shape (n_samples,)
        Dual vector.
    weight : ndarray of shape (n_features,)
        Start.
    """
    everyone = np.arange(q.size, dtype=np.int32)
    for _ in range(CLIMBS):
        weight, bias = polish(X, q, weight, max_iter=POLISH_STEPS)
        value = evaluate(X, q, weight, bias)
        Z = X - X[np.argmin(np.abs(X @ weight - bias))]
        p = math.copysign(1.0, value) * q
        slope = np.sign(Z @ weight)
        g = (0.5 * p * slope) @ Z
        curvature = 0.5 * np.abs(p) * np.sum(Z * Z, axis=1)
        steps = np.divide(1.0, curvature, out=np.zeros(q.size), where=curvature > 0.0)
        sweep_slopes(Z, p, steps, everyone, q.size, slope, g, RIDGE_SWEEPS)
        trial = g / (np.linalg.norm(g) or 1.0)
        if abs(best_bias(X, q, trial)[1]) <= abs(value) * (1 + 1e-12):
            break
        weight = trial
    return polish(X, q, weight, max_iter=POLISH_STEPS)


def run_round(
    search: _Search, pool: ThreadPoolExecutor, n_jobs: int, ended: Callable[[], bool]
) -> None:
    """Queue the parked boxes above the target and let the workers finish them, or be stopped."""
    search.start_round()
    futures: list[Future[None]] = [pool.submit(search.work) for _ in range(n_jobs)]
    while wait(futures, timeout=POLL_SECONDS).not_done:
        if ended():
            search.stop.set()
    for future in futures:
        future.result()


def branch_and_bound(
    X: Array,
    q: Array,
    threshold: float,
    *,
    time_limit: float | None = None,
    n_jobs: int = 1,
    max_boxes: int | None = None,
    should_stop: Callable[[], bool] | None = None,
    stop_at_violation: bool = True,
) -> SupBound:
    """Prove ``|eta(w, b)| <= threshold``, find a violation, or return the best bound in time.

    The bound is ``max(threshold - margin, largest bound of an open box) + margin``. The search
    runs in rounds with decreasing targets, each over all anchors; boxes below the round's target
    wait for the next one. An interrupt (Ctrl-C) ends the search and the bound is still returned.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_features)
        Distinct, centred inputs.
    q : ndarray of shape (n_samples,)
        Dual vector, orthogonal to ``[1 X]`` up to rounding.
    threshold : float
        Value to be proved.
    time_limit : float, optional
        Seconds of wall-clock time.
    n_jobs : int, default 1
        Number of threads; a proof does not depend on it.
    max_boxes : int, optional
        Number of boxes after which to stop.
    should_stop : callable, optional
        Polled about every 50 ms from the calling thread.
    stop_at_violation : bool, default True
        Stop soon after the first point above the threshold. If False, the threshold is raised to
        what has been found, so that the search ends with sup |eta| to a relative 1e-9.
    """
    start = time.perf_counter()
    X, q = np.ascontiguousarray(X), np.ascontiguousarray(q)
    if X.shape[1] == 1:
        return sup_eta_1d(X, q, threshold=threshold)
    margin = rounding_margin(X, q)
    goal = max(threshold - margin, 0.0)
    most = math.inf if max_boxes is None else max_boxes
    search = _Search(X, q, goal, threshold + margin, goal, stop_at_violation, most)
    search.parked = root_jobs(X, q)
    # Boxes may have looser bounds than the anchor that they were cut from.
    initial = search.open_bound()
    if not stop_at_violation:
        # From far below the sup, depth first would descend into the level set of the threshold.
        starts = np.vstack(
            [np.eye(X.shape[1]), np.random.default_rng(0).standard_normal(X.shape)[:8]]
        )
        search.leads = [(0.0, w / np.linalg.norm(w)) for w in starts]
        search.follow_leads()

    def ended() -> bool:
        now = time.perf_counter()
        # A little longer after a violation: further ones save the caller whole rounds.
        late = now - search.first_violation > 0.2 * (search.first_violation - start)
        over = time_limit is not None and now - start > time_limit
        return late or over or (should_stop is not None and should_stop())

    interrupted = False
    with ThreadPoolExecutor(n_jobs) as pool:
        try:
            for ratio in LADDER:
                search.target = ratio * search.goal
                run_round(search, pool, n_jobs, ended)
                if search.stop.is_set():
                    break
                search.follow_leads()
        except KeyboardInterrupt:
            interrupted = True  # Leaving the block waits for the workers.
        finally:
            search.stop.set()
    if search.n_active:
        raise RuntimeError("a worker of branch_and_bound failed; its boxes are lost.")
    points = [*search.points, *search.leads] or [(0.0, np.eye(X.shape[1])[0])]
    bound = max(search.goal, min(search.open_bound(), initial)) + margin
    result = assemble(
        X,
        q,
        [climb(X, q, w) for _, w in points],
        threshold=threshold,
        bound=bound,
        complete=False,
        n_boxes=search.n_boxes,
        seconds=time.perf_counter() - start,
    )
    level = max(threshold, result.attained) * (1 + 2 * RAISE) + 2 * margin
    return replace(result, complete=bound <= level, interrupted=interrupted)
