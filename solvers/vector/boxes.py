r"""Upper bounds on sup ||eta_Q|| by branch and bound over boxes of hyperplanes.

The search of the scalar problem, slabs and anchors, levels and budgets, with another bound of a
box (`_box_kernels`). Outputs are never cut into cells: a box that is small enough for its
maximum to matter has one direction of eta, and the part beside it costs second order only. So the
number of outputs enters linearly.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace

import numpy as np

from .._branch_kernels import RAISE
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
from ..frontier import measure, root_boxes
from ..oracle import MAX_WITNESSES, Array, SupBound
from ..proof_state import Reporter, Watch
from ._branch_kernels import explore_planes
from .search import climb_norm
from .sweep import assemble_norms, evaluate_norm, norm_margin

WORK_PER_JOB = 3e6
"""Points times vertices that a job looks at before others may have a turn."""


@dataclass
class VectorBoxes(Search):
    """The shared state of `Search`, with rows Q_i for weights; all jobs have the sign 1."""

    sizes: Array = field(init=False)

    def __post_init__(self) -> None:
        super().__post_init__()
        self.sizes = np.linalg.norm(self.q, axis=1)

    def run(self, job: Job) -> None:
        """Explore the boxes of a job for a while and file what is left of it."""
        n, d = self.X.shape
        room = MAX_RETURNED + 4 * n
        boxes, bounds = np.empty((room, 2 * d + 2)), np.empty(room)
        anchors = np.empty(room, dtype=np.int64)
        found, tally = np.zeros((1 + MAX_VIOLATIONS_PER_JOB, d + 1)), np.zeros(4, dtype=np.int64)
        crowded = self.n_parked > self.max_parked
        target = max(self.goal, -math.inf if crowded else self.target)
        max_work = int(WORK_PER_JOB / (d + 1 + self.q.shape[1] + 2 ** min(d, 9) / 4))
        goal = explore_planes(
            self.lifted, self.q, self.sizes, job.anchor, job.boxes, job.bounds, target, self.goal,
            self.violation, max_work, self.stop_at_violation, boxes, bounds, anchors, found, tally,
        )  # fmt: skip
        count = int(tally[0])
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
            for part in jobs_of(anchors[:count], 1.0, boxes[:count], bounds[:count]):
                self.file(part, violated=bool(new), split=True)
            del self.held[threading.get_ident()]
            full = self.stop_at_violation and len(self.points) == MAX_WITNESSES
            if full or self.n_boxes >= self.max_boxes:
                self.stop.set()

    @property
    def volume(self) -> float:
        """Volume of the boxes of the one sign."""
        return measure(root_boxes(self.X.shape[1]))

    def follow_leads(self) -> None:
        """Climb from the best directions so far: that finds violations long before the boxes do."""
        if not self.leads:
            return
        weights, biases = climb_norm(self.X, self.q, np.array([w for _, w in self.leads]))
        for weight, bias in zip(weights, biases, strict=True):
            value = evaluate_norm(self.X, self.q, weight, float(bias))
            if value > max(self.violation, self.goal):
                self.points = best_of([*self.points, (value, weight)], MAX_WITNESSES)
                if self.stop_at_violation:
                    self.stop.set()
                else:
                    self.goal = value * (1.0 + RAISE)


def root_job(X: Array, Q: Array) -> Job:
    """Return the slabs that cover all hyperplanes, with a cheap bound.

    ``||eta|| = 1/2 ||sum_i Q_i |w . x_i - b||| <= 1/2 sum_i ||Q_i|| (||x_i|| + R)``.
    """
    boxes, norms = root_boxes(X.shape[1]), np.linalg.norm(X, axis=1)
    bound = 0.5 * float(np.linalg.norm(Q, axis=1) @ (norms + norms.max(initial=0.0)))
    return Job(-1, 1.0, boxes, np.full(len(boxes), bound))


def bound_norm_by_boxes(
    X: Array,
    Q: Array,
    threshold: float,
    *,
    time_limit: float | None = None,
    n_jobs: int = 1,
    should_stop: Callable[[], bool] | None = None,
    stop_at_violation: bool = True,
    memory_limit: float = MEMORY_LIMIT,
    watch: Watch | None = None,
) -> SupBound:
    """Prove ``||eta_Q|| <= threshold``, find a violation, or return the best bound in time.

    Options and result are those of `branch_and_bound`: an interrupt (Ctrl-C) or the time limit end
    the search and the bound is still valid.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_features)
        Distinct, centred inputs of unit scale.
    Q : ndarray of shape (n_samples, n_outputs)
        Dual point of unit scale, orthogonal to ``[1 X]`` up to rounding.
    threshold : float
        Value to be proved.
    """
    start = time.perf_counter()
    X, Q = np.ascontiguousarray(X), np.ascontiguousarray(Q)
    margin = norm_margin(X, Q)
    # Nothing below the margin can be told from rounding.
    goal = max(threshold - margin, margin)
    room = memory_limit * 2**20 / (8 * (2 * X.shape[1] + 3))
    search = VectorBoxes(X, Q, goal, threshold + margin, stop_at_violation, math.inf, room)
    search.parked = [root_job(X, Q)]
    initial = search.open_bound()
    if not stop_at_violation:
        # From far below the sup, depth first would descend into the level set of the threshold.
        rng = np.random.default_rng(0)
        starts = np.vstack([np.eye(X.shape[1]), rng.standard_normal((8, X.shape[1]))])
        search.leads = [(0.0, w / np.linalg.norm(w)) for w in starts]
        search.follow_leads()

    def ended() -> bool:
        now = time.perf_counter()
        late = now - search.first_violation > 0.2 * (search.first_violation - start)
        over = time_limit is not None and now - start > time_limit
        return late or over or (should_stop is not None and should_stop())

    report = Reporter(watch, lambda: search.state(time.perf_counter() - start, margin))
    interrupted = False
    with ThreadPoolExecutor(n_jobs) as pool:
        try:
            Crew(search, pool, n_jobs, ended, report).descend()
        except KeyboardInterrupt:
            interrupted = True  # Leaving the block waits for the workers.
        finally:
            search.stop.set()
    if search.held:
        raise RuntimeError("a worker of branch and bound failed; its boxes are lost.")
    report(now=True)
    directions = [w for _, w in [*search.points, *search.leads]] or [np.eye(X.shape[1])[0]]
    result = assemble_norms(
        X,
        Q,
        [(w, float(b)) for w, b in zip(*climb_norm(X, Q, np.array(directions)), strict=True)],
        threshold=threshold,
        bound=max(search.level, search.goal, min(search.open_bound(), initial)) + margin,
        complete=False,
        n_boxes=search.n_boxes,
        seconds=time.perf_counter() - start,
    )
    level = max(threshold, result.attained) * (1 + 2 * RAISE) + 2 * margin
    return replace(result, complete=result.bound <= level, interrupted=interrupted)
