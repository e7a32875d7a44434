"""Solutions along a sequence of penalties, each started from the one before."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from ..problems import RadonTVProblem
from ..problems.checks import Array, as_count
from .driver import solve
from .solution import Solution


def path(
    problem: RadonTVProblem,
    alphas: int | Iterable[float] = 20,
    *,
    eps: float = 1e-3,
    **options: Any,
) -> list[Solution]:
    """Return certified solutions for decreasing alphas, warm-started.

    Parameters
    ----------
    problem : RadonTVProblem
        Its own alpha is not used.
    alphas : int or iterable of float, default=20
        Penalties, sorted in decreasing order first; an int asks for that many on a logarithmic
        grid from alpha_max to eps alpha_max.
    eps : float, default=1e-3
    **options
        As for `solve`, except `warm_start`.
    """
    if isinstance(alphas, int | np.integer):
        as_count("alphas", alphas, least=1)
        grid: Array = problem.alpha_max() * np.logspace(0.0, np.log10(eps), int(alphas))
    else:
        grid = np.sort(np.array([float(a) for a in alphas]))[::-1]
    solutions: list[Solution] = []
    for alpha in grid:
        start = solutions[-1].network if solutions else None
        solutions.append(solve(problem.with_alpha(float(alpha)), warm_start=start, **options))
    return solutions
