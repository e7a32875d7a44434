r"""Upper bounds on sup ||eta_Q|| by branch and bound over boxes of hyperplanes.

The search of the scalar problem, slabs and anchors, levels and budgets, with another bound of a
box (`_box_kernels`). Outputs are never cut into cells: a box that is small enough for its
maximum to matter has one direction of eta, and the part beside it costs second order only. So the
number of outputs enters linearly.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace

import numpy as np

from .._branch_kernels import RAISE, Outcome
from ..box_crew import MEMORY_LIMIT, run_search
from ..box_jobs import Job
from ..box_search import Search
from ..frontier import measure, root_boxes
from ..oracle import Array, SupBound
from ..proof_state import Reporter, Watch
from ._branch_kernels import explore_planes
from .search import climb_norm
from .sweep import assemble_norms, evaluate_norm, norm_margin


@dataclass
class VectorBoxes(Search):
    """The shared state of `Search`, with rows Q_i for weights; all jobs have the sign 1."""

    sizes: Array = field(init=False)

    def __post_init__(self) -> None:
        super().__post_init__()
        self.sizes = np.linalg.norm(self.q, axis=1)

    def explore(self, job: Job, out: Outcome) -> float:
        """Fill what is left of a job; return the goal that its kernel ends with."""
        limits = self.limits(n_outputs=self.q.shape[1])
        return float(
            explore_planes(
                self.lifted, self.q, self.sizes, job.anchor, job.boxes, job.bounds, limits, out
            )
        )

    @property
    def volume(self) -> float:
        """Volume of the boxes of the one sign."""
        return measure(root_boxes(self.X.shape[1]))

    def climbed(self, directions: Array) -> Iterable[tuple[float, Array]]:
        """Return ||eta|| and the directions of the maxima that ascents from some of them reach."""
        weights, biases = climb_norm(self.X, self.q, directions)
        for w, b in zip(weights, biases, strict=True):
            yield evaluate_norm(self.X, self.q, w, float(b)), w


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
        search.look_around()

    def ended() -> bool:
        over = time_limit is not None and time.perf_counter() - start > time_limit
        return over or search.lingered(start) or (should_stop is not None and should_stop())

    report = Reporter(watch, lambda: search.state(time.perf_counter() - start, margin))
    interrupted = run_search(search, n_jobs, ended, report)
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
