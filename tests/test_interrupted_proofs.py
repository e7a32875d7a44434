"""Ctrl-C in `prove`, in sups that are no proofs and on a line; proofs that cannot be saved."""

from __future__ import annotations

import signal
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import pytest
from helpers import assert_certifies, gaussian, random_network, sampled_sup
from power_cases import ORDERS, random_spline
from power_cases import problem as power_problem
from vector_helpers import assert_certifies as assert_certifies_outputs
from vector_helpers import gaussian_outputs, random_outputs, sampled_norm

from radontv.problems import Certificate, RadonTVProblem, RidgeSpline, Scope
from radontv.solvers import Event, Status, exact, prove, proving, solve
from radontv.solvers.l1 import scan as l1_scan
from radontv.solvers.line import driver as line
from radontv.solvers.origin import proof as origin_proof
from radontv.solvers.power import proof as power_proof
from radontv.solvers.power.search import PowerSearch
from radontv.solvers.pricing_choice import get_pricing
from radontv.solvers.vector import bounds as vector_bounds
from radontv.solvers.vector import proof as vector_proof
from radontv.solvers.vector.pricing import VectorPricing

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


# --- several outputs and order m


def at_call(number: int, function: Callable[..., Any]) -> Callable[..., Any]:
    """Return the function with a Ctrl-C in one call: a signal that comes before its result."""
    calls = 0

    def called(*args: Any, **options: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == number:
            signal.raise_signal(signal.SIGINT)
        return function(*args, **options)

    return called


outputs_problem = cache(gaussian_outputs)
power_problem_of = cache(power_problem)


def proof_of_outputs(d: int, norm: str, **options: Any) -> tuple[Certificate, float]:
    """Return a proof that holds, whatever ends it, and the sup as far as it is attained."""
    problem = outputs_problem(d, 60, 3, output_norm=norm)
    network = random_outputs(d, 3, 4, 0)
    proof = prove(problem, network, n_jobs=1, **options)
    assert proof.scope is Scope.GLOBAL and np.isfinite(proof.sup_bound)
    assert_certifies_outputs(problem, network, proof)
    return proof, sampled_norm(problem, problem.dual_point(network), 300)


def proof_of_powers(order: int, d: int, **options: Any) -> tuple[Certificate, float]:
    problem = power_problem_of(order, d=d)
    spline = random_spline(order, d)
    proof = prove(problem, spline, n_jobs=1, **options)
    assert proof.scope is Scope.GLOBAL and np.isfinite(proof.sup_bound)
    assert proof.primal == pytest.approx(problem.objective(spline)) and proof.dual <= proof.primal
    q, best = problem.dual_point(spline), 0.0
    for w in np.random.default_rng(0).standard_normal((300, d)):
        t = problem.X @ (w / np.linalg.norm(w))
        atoms = np.maximum(t[:, None] - t[None, :], 0.0) ** (order - 1)
        best = max(best, float(np.abs(q @ atoms).max()) / (1.0, 1.0, 1.0, 2.0, 6.0)[order])
    return proof, best


@pytest.mark.parametrize("norm", ["l2", "l1"])
@pytest.mark.parametrize("d", [2, 4])
def test_ctrl_c_in_the_search_before_a_proof_of_outputs(
    d: int, norm: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    full, _ = proof_of_outputs(d, norm, tol=1e-3)
    with monkeypatch.context() as patch:
        patch.setattr(VectorPricing, "search", at_call(1, VectorPricing.search))
        patch.setattr(vector_bounds, "sup_norm_eta", press)  # nothing is searched after that
        proof, sup = proof_of_outputs(d, norm)
    assert max(sup, full.sup_attained) <= proof.sup_bound
    assert full.sup_bound < proof.sup_bound


@pytest.mark.parametrize("d", [2, 4])
@pytest.mark.parametrize("order", [3, 4])
def test_ctrl_c_in_the_search_before_a_proof_of_order_m(
    order: int, d: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[Event] = []
    full, _ = proof_of_powers(order, d, tol=0.5, time_limit=5.0)
    with monkeypatch.context() as patch:
        patch.setattr(PowerSearch, "search", at_call(1, PowerSearch.search))
        proof, sup = proof_of_powers(order, d, callback=seen.append)
    assert max(sup, full.sup_attained) <= proof.sup_bound * (1 + 1e-12)
    assert full.sup_bound < proof.sup_bound
    assert not seen


@pytest.mark.parametrize("norm", ["l2", "l1"])
@pytest.mark.parametrize("d", [1, 2])
def test_ctrl_c_in_scans_and_sweeps_of_outputs(
    d: int, norm: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    full, _ = proof_of_outputs(d, norm)
    parts = 1 if norm == "l2" else 3
    bounds = []
    for call in range(1, parts + 1):
        with monkeypatch.context() as patch:
            patch.setattr(vector_proof, "_exact", at_call(call, vector_proof._exact))
            proof, sup = proof_of_outputs(d, norm)
        assert max(sup, full.sup_attained) <= proof.sup_bound
        bounds.append(proof.sup_bound)
    assert full.sup_bound < min(bounds)
    # Outputs that were done keep their bounds.
    assert bounds == sorted(bounds, reverse=True)


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("d", [1, 2])
def test_ctrl_c_in_scans_and_sweeps_of_order_m(
    order: int, d: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    if order > 2 and d > 1:
        return  # these are boxes
    name = "bound_sup" if order == 2 else "sup_power_1d"
    full, _ = proof_of_powers(order, d)
    with monkeypatch.context() as patch:
        patch.setattr(power_proof, name, at_call(1, getattr(power_proof, name)))
        proof, sup = proof_of_powers(order, d)
    assert max(sup, full.sup_attained) <= proof.sup_bound * (1 + 1e-12)
    assert full.sup_bound < proof.sup_bound


def test_a_time_limit_counts_the_search_before_the_proof(monkeypatch: pytest.MonkeyPatch) -> None:
    given = []

    def look(*args: Any, time_limit: float | None, **options: Any) -> Any:
        given.append(time_limit)
        return bound(*args, time_limit=time_limit, **options)

    bound = vector_bounds.bound_sup_outputs
    monkeypatch.setattr(vector_bounds, "bound_sup_outputs", look)
    proof_of_outputs(4, "l2", time_limit=0.5)
    assert len(given) == 1 and 0.0 <= given[0] < 0.5
    with pytest.raises(ValueError, match="time_limit"):
        proof_of_outputs(2, "l2", time_limit=-1.0)


SUPS: dict[str, tuple[Callable[[], Any], Any, str]] = {
    "outputs": (lambda: gaussian_outputs(2, 30, 3), vector_proof, "_exact"),
    "order 3": (lambda: power_problem(3, d=1), power_proof, "sup_power_1d"),
    "scalar": (lambda: problem_of("free_bias", 2), exact, "sup_eta_2d"),
    "l1_norm": (lambda: problem_of("l1_norm", 2), l1_scan, "in_threads"),
    "no_bias": (lambda: problem_of("no_bias", 2), origin_proof, "sweep_2"),
}


@pytest.mark.parametrize("kind", SUPS)
def test_a_sup_that_is_no_proof_passes_ctrl_c_on(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    make, module, name = SUPS[kind]
    problem = make()
    monkeypatch.setattr(module, name, at_call(1, getattr(module, name)))
    with pytest.raises(KeyboardInterrupt):
        problem.alpha_max()
