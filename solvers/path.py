"""Solutions along a sequence of penalties, each started from the one before."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from ..problems.checks import Array, as_count, as_positive
from .driver import solve
from .interrupts import InterruptNote
from .kinds import Problem, check_kind
from .solution import Solution, Status


def path(
    problem: Problem,
    alphas: int | Iterable[float] = 20,
    *,
    eps: float = 1e-3,
    **options: Any,
) -> list[Solution]:
    """Return certified solutions for decreasing alphas, warm-started.

    Ctrl-C, or a callback that returns True before the tolerance is met, ends the path: smaller
    alphas are then missing from the list, and its last solution mostly has the status INTERRUPTED.

    Parameters
    ----------
    problem : RadonTVProblem
        Its own alpha is not used.
    alphas : int or iterable of float, default=20
        Penalties, sorted in decreasing order first; an int asks for that many on a logarithmic
        grid from alpha_max to eps alpha_max.
    eps : float, default=1e-3
        Smallest penalty of that grid over the largest, at most 1.
    **options
        As for `solve`, except `warm_start`.

    Raises
    ------
    TypeError, ValueError
        For penalties or options that are unknown or out of range.
    """
    check_kind(problem)
    solutions: list[Solution] = []
    with InterruptNote() as note:
        for alpha in _grid(problem, alphas, eps):
            start = solutions[-1].network if solutions else None
            try:
                solution = solve(problem.with_alpha(float(alpha)), warm_start=start, **options)
            except KeyboardInterrupt:  # between two solutions
                if not solutions:
                    raise
                break
            solutions.append(solution)
            if note.pressed or solution.status is Status.INTERRUPTED:
                break
    return solutions


def _grid(problem: Problem, alphas: Any, eps: float) -> Array:
    """Return the penalties, the largest first."""
    if isinstance(alphas, int | np.integer):
        count = as_count("alphas", alphas, least=1)
        if as_positive("eps", eps) > 1.0:
            raise ValueError(f"eps must be at most 1, got {eps!r}: penalties fall from alpha_max.")
        largest = problem.alpha_max()
        if not np.isfinite(largest):
            raise ValueError(
                f"the solution for loss={problem.loss.key!r} does not depend on alpha: no affine "
                "function meets the constraints. Use solve, or pass the alphas that you want."
            )
        if largest <= 0.0:
            raise ValueError(
                "alpha_max of the problem is 0, since its targets are affine: every alpha has the "
                "same solution, so pass the alphas that you want instead of their number."
            )
        return np.asarray(largest * np.logspace(0.0, np.log10(eps), count))
    try:
        if isinstance(alphas, str):
            raise TypeError  # a sequence too, but of letters
        given = list(alphas)
    except TypeError:
        raise TypeError(
            f"alphas must be an integer or a sequence of numbers > 0, got {alphas!r}; one penalty "
            "is a list of one."
        ) from None
    values = [as_positive(f"alphas[{i}]", alpha) for i, alpha in enumerate(given)]
    if not values:
        raise ValueError("alphas is empty; pass at least one penalty, or how many are wanted.")
    return np.sort(values)[::-1]
