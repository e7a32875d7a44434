r"""Upper bounds on sup |eta| in any dimension by branch and bound over boxes of directions.

``sup sigma eta = max_j max_w sigma eta_j(w)``, ``eta_j(w) = 1/2 sum_i q_i |w . (x_i - x_j)|``,
over the anchors j with ``sigma q_j < 0`` only: for fixed w, ``b -> sigma eta(w, b)`` changes its
slope at a knot by the sum of sigma q over the points on it, which is negative at the last knot of
a maximum, hence so is one of its terms.

Boxes of directions are joined with intervals of biases, *slabs*, for as long as many anchors share
them. The search is anytime: depth first down to the goal for as long as a budget lasts, else a
round in which everything comes down together to a level in between, and again with twice the
budget. So the bound on everything is never far from what the time allows, and nothing is done
twice.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import replace

import numpy as np

from ._branch_kernels import RAISE
from .box_crew import MEMORY_LIMIT, run_search
from .box_jobs import jobs_of, root_jobs
from .box_search import N_LEADS, Search
from .climb import climb
from .frontier import Frontier, digest_of
from .oracle import Array, SupBound, assemble, rounding_margin
from .proof_state import Reporter, Watch
from .sweep import sup_eta_1d


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
    memory_limit: float = MEMORY_LIMIT,
    resume: Frontier | None = None,
    watch: Watch | None = None,
) -> SupBound:
    """Prove ``|eta(w, b)| <= threshold``, find a violation, or return the best bound in time.

    The bound is ``max(threshold - margin, largest bound of an open box) + margin``. An interrupt
    (Ctrl-C) ends the search and the bound is still returned.

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
    memory_limit : float, default 1024
        MiB of open boxes. Above it the search goes depth first, so that their number falls.
    resume : Frontier, optional
        Where an earlier search for the same X and q ended. Its level replaces a lower threshold.
    watch : callable, optional
        Receives the frontier about once a second (seldom if it is large), and at the end.

    Raises
    ------
    ValueError
        If `resume` belongs to other data.
    """
    start = time.perf_counter()
    X, q = np.ascontiguousarray(X), np.ascontiguousarray(q)
    if X.shape[1] == 1:
        return sup_eta_1d(X, q, threshold=threshold)
    margin, digest = rounding_margin(X, q), digest_of(X, q)
    # Nothing below the margin can be told from rounding.
    goal = max(threshold - margin, margin)
    most = math.inf if max_boxes is None else max_boxes
    room = memory_limit * 2**20 / (8 * (2 * X.shape[1] + 3))
    search = Search(X, q, goal, threshold + margin, stop_at_violation, most, room)
    before = _resume(search, resume, digest)
    # Boxes may have looser bounds than the anchor that they were cut from.
    initial = search.open_bound()
    if not stop_at_violation:
        search.look_around()
    report = Reporter(
        watch,
        lambda: search.snapshot(digest, before + time.perf_counter() - start, margin),
    )

    def ended() -> bool:
        over = time_limit is not None and time.perf_counter() - start > time_limit
        return over or search.lingered(start) or (should_stop is not None and should_stop())

    interrupted = run_search(search, n_jobs, ended, report)
    directions = [w for _, w in [*search.points, *search.leads]] or [np.eye(X.shape[1])[0]]
    bound = max(search.level, search.goal, min(search.open_bound(), initial)) + margin
    result = assemble(
        X,
        q,
        [(w, float(b)) for w, b in zip(*climb(X, q, np.array(directions)), strict=True)],
        threshold=threshold,
        bound=bound,
        complete=False,
        n_boxes=search.n_boxes,
        seconds=time.perf_counter() - start,
    )
    begun = 0.0 if resume is None else resume.level + margin
    level = max(threshold, begun, result.attained) * (1 + 2 * RAISE) + 2 * margin
    return replace(result, complete=bound <= level, interrupted=interrupted)


def _resume(search: Search, frontier: Frontier | None, digest: str) -> float:
    """Fill the search with all boxes, or those of a frontier; return the seconds used before."""
    if frontier is None:
        search.parked = root_jobs(search.X, search.q)
        return 0.0
    if frontier.digest != digest:
        raise ValueError("resume belongs to another problem or network; start without it.")
    # What was dropped is proved below the old goal only.
    search.goal = max(search.goal, frontier.level)
    search.level = frontier.level
    search.parked = jobs_of(frontier.anchors, frontier.signs, frontier.boxes, frontier.bounds)
    search.n_boxes = frontier.n_boxes
    search.leads = [(0.0, w) for w in frontier.leads[:N_LEADS]]
    return frontier.seconds
