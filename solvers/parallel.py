"""Threads for compiled kernels that release the interpreter lock."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import numba
import numpy as np

Task = TypeVar("Task")
Result = TypeVar("Result")


def count_threads(n_jobs: Any) -> int:
    """Return the number of threads: None is all that numba may use, -1 all, -2 all but one, ...

    Results never depend on it.
    """
    available: int = numba.get_num_threads()
    if n_jobs is None:
        return available
    if isinstance(n_jobs, bool) or not isinstance(n_jobs, (int, np.integer)) or n_jobs == 0:
        raise ValueError(f"n_jobs must be None or an integer other than 0, got {n_jobs!r}.")
    return max(1, available + 1 + int(n_jobs)) if n_jobs < 0 else int(n_jobs)


def in_threads(
    work: Callable[[Task], Result], tasks: Iterable[Task], n_threads: int
) -> Iterator[Result]:
    """Yield work(task) for every task, in order.

    An interrupt cancels what has not started and is raised as soon as the running pieces end.
    """
    if n_threads == 1:
        yield from map(work, tasks)
        return
    pool = ThreadPoolExecutor(n_threads)
    try:
        yield from pool.map(work, tasks)
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
