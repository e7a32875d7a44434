r"""Branch and bound on sup |eta| for neurons through the origin, over boxes of directions.

Boxes tile the faces ``u_f = 1`` of the cube, which is half of all directions; the others are
``-u``. With signs sigma of eta and tau of the direction,
``sigma eta(tau u) = 1/2 sum_i sigma q_i |u . x_i| + sigma tau / 2 s . u``, ``s = sum_i q_i x_i``:
what `branch_and_bound` proves at a single anchor, the origin, but with a gradient to begin with.
So four copies of half the sphere go through its kernels, whose tests hold for any affine term.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace

import numpy as np

from .._branch_kernels import RAISE, Outcome, explore
from ..box_crew import MEMORY_LIMIT, run_search
from ..box_jobs import Job
from ..box_search import Search
from ..frontier import measure
from ..oracle import Array, SupBound
from ..proof_state import ProofState, Reporter, Watch, at_bound
from .lines import Lines, affordable_lines
from .rows import OriginRows, in_units, origin_margin, values_at
from .search import OriginSearch

N_STARTS = 64
"""Ascents before the boxes."""
SHARE = 0.1
"""Part of the distance from what is attained to the threshold that near lines may take."""


@dataclass
class OriginBoxes(Search):
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

    def explore(self, job: Job, out: Outcome) -> float:
        """Fill what is left of a job; return the goal that its kernel ends with."""
        lines, side = self.lines, -1.0 if job.anchor else 1.0
        weights, start = job.sign * lines.weights, 0.5 * job.sign * side * lines.total
        goal = explore(lines.units, weights, start, job.boxes, job.bounds, self.limits(), out)
        found = out[3]
        found[:, :-1] *= side
        return float(goal)

    def climbed(self, directions: Array) -> Iterable[tuple[float, Array]]:
        """Return |eta| and the directions of the maxima that ascents from some directions reach."""
        return self.valued(self.ascent.climb(self.q, directions))

    def valued(self, directions: Array) -> Iterable[tuple[float, Array]]:
        """Return |eta| at each of the directions."""
        values = np.abs(values_at(self.X, self.q, directions))
        return zip(values.tolist(), directions, strict=True)


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
    search = OriginBoxes(
        rows.X, rows.q, goal, aim + margin, stop_at_violation, most, room,
        lines=lines, ascent=ascent,
    )  # fmt: skip
    for value, w in search.valued(reached):
        search.note(value, w)

    def state() -> ProofState:
        inner = search.state(time.perf_counter() - start, margin)
        return at_bound(inner, rows.raised(min(inner.bound, rows.cheap)))

    report = Reporter(watch, state)
    interrupted = run_search(search, n_jobs, lambda: ended() or search.lingered(start), report)
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
