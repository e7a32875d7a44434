"""The three kinds of problems that estimators have, and one way to solve them."""

from __future__ import annotations

from typing import Any

from .largest_margin import solve_single
from .one_vs_rest import OneVsRest
from .one_vs_rest_solver import solve_one_vs_rest
from .problems import RadonTVProblem
from .problems.multi_output import MultiOutputProblem
from .solvers import Solution
from .solvers.vector.driver import solve_multi_output

FitProblem = RadonTVProblem | MultiOutputProblem | OneVsRest
"""One output, several that share neurons, or one for each class against the others."""


def solve(problem: FitProblem, **options: Any) -> Solution:
    """Solve a problem of any kind; the options are those of `radontv.solvers.solve`."""
    if isinstance(problem, MultiOutputProblem):
        return solve_multi_output(problem, **options)
    if isinstance(problem, OneVsRest):
        return solve_one_vs_rest(problem, **options)
    return solve_single(problem, **options)
