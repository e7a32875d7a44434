"""The threads that work on a search, and the levels that they bring its boxes to."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass

from .box_search import Search
from .proof_state import Reporter

POLL_SECONDS = 0.05
FIRST_BUDGET = 1.0
"""Seconds of the first attempt at the goal."""
CLOSE = 1.001
"""Ratio of bound and goal below which no level in between is tried."""
MEMORY_LIMIT = 1024.0
"""MiB of open boxes above which a search goes depth first."""


@dataclass(frozen=True)
class Crew:
    """Threads that work on a search, and who is asked while they do.

    They go depth first down to the goal for as long as a budget lasts, else everything comes down
    together to a level in between, and again with twice the budget.
    """

    search: Search
    pool: ThreadPoolExecutor
    n_jobs: int
    ended: Callable[[], bool]
    watch: Callable[[], None]

    def reach(self, target: float, budget: float) -> bool:
        """Bring all boxes below the target; return False if the budget or the search ended."""
        search, start = self.search, time.perf_counter()
        search.pause.clear()
        search.start_round(target)
        futures: list[Future[None]] = [self.pool.submit(search.work) for _ in range(self.n_jobs)]
        while wait(futures, timeout=POLL_SECONDS).not_done:
            if self.ended():
                search.stop.set()
            if time.perf_counter() - start > budget:
                search.pause.set()
            self.watch()
        for future in futures:
            future.result()
        if not search.stop.is_set():
            search.follow_leads()
        return not (search.queue or search.stop.is_set())

    def descend(self) -> None:
        """Reach the goal, or levels in between for as long as budgets are too short for that."""
        search, budget = self.search, FIRST_BUDGET
        while not search.stop.is_set():
            top = search.open_bound()
            if top <= CLOSE * search.goal:
                budget = math.inf
            if self.reach(search.goal, budget):
                return
            level = search.goal
            while not search.stop.is_set():
                top = search.open_bound()
                level = max(math.sqrt(level * top), 0.25 * top)
                if self.reach(level, budget if top > CLOSE * level else math.inf):
                    break
            budget *= 2.0


def run_search(search: Search, n_jobs: int, ended: Callable[[], bool], report: Reporter) -> bool:
    """Work on a search to its end, its goal or `ended`; return whether Ctrl-C ended it.

    Raises
    ------
    RuntimeError
        If a worker has failed: its boxes are lost, so that nothing would be proved.
    """
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
    return interrupted
