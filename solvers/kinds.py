"""Which solver belongs to which kind of problem; imported when it is needed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NoReturn

from ..problems.checks import Array, check_problem
from ..problems.higher_order import HigherOrderProblem
from ..problems.multi_output import MultiOutputProblem
from ..problems.problem import RadonTVProblem
from ..problems.sup_oracles import register_sup_oracle

Problem = RadonTVProblem | MultiOutputProblem | HigherOrderProblem
"""All kinds of problems."""


def check_kind(problem: Any) -> None:
    """Raise a TypeError if it is no problem of any kind."""
    if not isinstance(problem, MultiOutputProblem | HigherOrderProblem):
        check_problem(problem)


def special_solver(problem: Any) -> Callable[..., Any]:
    """Return the solver of problems with several outputs or of higher order.

    Raises
    ------
    TypeError
        If it is no such problem.
    """
    if isinstance(problem, MultiOutputProblem):
        from .vector.driver import solve_multi_output

        return solve_multi_output
    if isinstance(problem, HigherOrderProblem):
        from .power.driver import solve_higher_order

        return solve_higher_order
    _refuse(problem)


def special_prover(problem: Any) -> Callable[..., Any]:
    """Return what proves certificates of such problems; see `special_solver`."""
    if isinstance(problem, MultiOutputProblem):
        from .vector.bounds import prove_outputs

        return prove_outputs
    if isinstance(problem, HigherOrderProblem):
        from .power.proof import prove_higher_order

        return prove_higher_order
    _refuse(problem)


def special_sparsifier(problem: Any) -> Callable[..., Any]:
    """Return what thins networks of such problems; see `special_solver`."""
    if isinstance(problem, MultiOutputProblem):
        from .vector.sparsify import sparsify_outputs

        return sparsify_outputs
    if isinstance(problem, HigherOrderProblem):
        from .power.merging import sparsify_power

        return sparsify_power
    _refuse(problem)


def sup_of_outputs(problem: MultiOutputProblem, Q: Array) -> float:
    """Return sup ||eta_Q||, the oracle of `MultiOutputProblem.alpha_max`."""
    from .vector.bounds import search_sup_outputs

    return search_sup_outputs(problem, Q)


def least_sup_of_outputs(problem: MultiOutputProblem) -> float:
    """Return the least sup ||eta_Q0||: `MultiOutputProblem.alpha_max` for losses with kinks."""
    from .vector.alpha_max import kinked_alpha_max_of_outputs

    return kinked_alpha_max_of_outputs(problem)


def sup_of_powers(problem: HigherOrderProblem, q: Array) -> float:
    """Return sup |eta_q|, the oracle of `HigherOrderProblem.alpha_max`."""
    from .power.proof import search_power_sup

    return search_power_sup(problem, q)


def least_sup_of_powers(problem: HigherOrderProblem) -> float:
    """Return the least sup |eta_q0|: `HigherOrderProblem.alpha_max` for losses with kinks."""
    from .power.alpha_max import kinked_alpha_max_of_powers

    return kinked_alpha_max_of_powers(problem)


def _refuse(problem: Any) -> NoReturn:
    check_problem(problem)
    raise TypeError("a RadonTVProblem needs no special treatment.")


register_sup_oracle(HigherOrderProblem, sup_of_powers, least_sup_of_powers)
