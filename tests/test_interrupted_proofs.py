"""Ctrl-C in `prove` and in the last step on a line, and proofs that cannot be saved."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import pytest
from helpers import assert_certifies, gaussian, random_network, sampled_sup

from radontv.problems import Certificate, RadonTVProblem, RidgeSpline, Scope
from radontv.solvers import Status, prove, proving, solve
from radontv.solvers.line import driver as line
from radontv.solvers.pricing_choice import get_pricing

COSTS = ("free_bias", "penalized_bias", "no_bias", "l1_norm")


def press(*_: Any, **__: Any) -> NoReturn:
    raise KeyboardInterrupt


def problem_of(cost: str, d: int) -> RadonTVProblem:
    base = gaussian(d, 150, 0.3)
    return RadonTVProblem(base.X, base.y, base.alpha, cost=cost)


def network_of(problem: RadonTVProblem) -> RidgeSpline:
    network = random_network(problem.n_features, 4, 0)
    if problem.cost.name != "no_bias":
        return network
    return RidgeSpline(network.amplitudes, network.weights, np.zeros(4), network.coef, 0.0)


def assert_weak_but_true(proof: Certificate, problem: RadonTVProblem, network: RidgeSpline) -> None:
    assert proof.scope is Scope.GLOBAL
    assert_certifies(problem, network, proof)
    q = problem.dual_point(network)
    if problem.cost.free_bias:
        assert proof.sup_bound >= sampled_sup(problem, q, 200)
    full = prove(problem, network, tol=1e-3, time_limit=60.0)
    assert full.sup_attained is not None
    assert full.sup_attained <= proof.sup_bound * (1 + 1e-12)


@pytest.mark.parametrize("cost", COSTS)
def test_ctrl_c_in_the_search_before_a_proof_returns_a_bound(
    cost: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    problem = problem_of(cost, 4)
    network = network_of(problem)
    with monkeypatch.context() as patch:
        patch.setattr(type(get_pricing(proving.Core.of(problem))), "search", press)
        proof = prove(problem, network, n_jobs=1)
    assert_weak_but_true(proof, problem, network)


@pytest.mark.parametrize("cost", COSTS)
@pytest.mark.parametrize("d", [1, 2, 3])
def test_ctrl_c_in_a_proof_without_anything_yet_returns_what_needs_no_search(
    d: int, cost: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    problem = problem_of(cost, d)
    network = network_of(problem)
    with monkeypatch.context() as patch:
        patch.setattr(proving, "bound_sup", press)
        proof = prove(problem, network, n_jobs=1)
    assert_weak_but_true(proof, problem, network)


@pytest.mark.parametrize("cost", COSTS[1:])
def test_a_checkpoint_is_refused_where_nothing_would_be_saved(cost: str, tmp_path: Path) -> None:
    problem = problem_of(cost, 4)
    with pytest.raises(ValueError, match=f"not '{cost}'.*leave checkpoint out"):
        prove(problem, network_of(problem), checkpoint=tmp_path / "proof.npz")


def test_a_late_ctrl_c_on_a_line_returns_the_solution(monkeypatch: pytest.MonkeyPatch) -> None:
    problem = gaussian(1, 50, 0.1)
    pressed = []

    def once(*args: Any, **options: Any) -> Any:
        if not pressed:
            pressed.append(True)
            raise KeyboardInterrupt
        return bound_sup(*args, **options)

    bound_sup = line.bound_sup
    monkeypatch.setattr(line, "bound_sup", once)
    solution = solve(problem)
    assert pressed and solution.status in (Status.SOLVED, Status.INTERRUPTED)
    assert solution.certificate.scope is Scope.GLOBAL
    assert_certifies(problem, solution.network, solution.certificate)


def test_a_second_ctrl_c_on_a_line_is_passed_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(line, "bound_sup", press)
    with pytest.raises(KeyboardInterrupt):
        solve(gaussian(1, 50, 0.1))
