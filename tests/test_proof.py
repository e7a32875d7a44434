"""Proofs of scope GLOBAL: end to end, for any network, and against heavy search."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest
from helpers import (
    ROUNDING,
    assert_certifies,
    assert_solved,
    gaussian,
    random_network,
    sampled_sup,
    tied,
)

from radontv.problems import RadonTVProblem, RidgeSpline, Scope
from radontv.solvers import prove, solve
from radontv.solvers.branch_and_bound import branch_and_bound
from radontv.solvers.core import Core, Neurons
from radontv.solvers.events import Event
from radontv.solvers.pricing import Pricing
from radontv.solvers.proof import bound_sup

PROBLEMS = {
    "d=1": gaussian(1, 60, 0.3),
    "d=2": gaussian(2, 60, 0.3),
    "d=3": gaussian(3, 40, 0.5),
    "d=4": gaussian(4, 25, 0.5),
    "grid": tied("grid", 60, 2, 0.2),
    "grid d=3": tied("grid", 30, 3, 0.5),
    "binary": tied("binary", 30, 3, 0.5),
    "duplicates": tied("duplicates", 40, 3, 0.3),
    "flat": tied("flat", 40, 3, 0.3),
    "weights": RadonTVProblem(
        gaussian(3, 30, 1.0).X,
        gaussian(3, 30, 1.0).y,
        0.01,
        sample_weight=np.arange(30.0) % 4,
    ),
}


@pytest.fixture(params=PROBLEMS)
def problem(request: pytest.FixtureRequest) -> RadonTVProblem:
    return PROBLEMS[request.param]


def heavy_search(problem: RadonTVProblem, q: np.ndarray) -> float:
    """Return the largest |eta_q| of random sampling and of 500 local searches."""
    core, r = Core.of(problem), problem.reduction
    search = Pricing(core, n_jobs=1, random_state=7)
    found = search.search(r.reduce_dual(q), Neurons.none(core.d), 500)
    weights, biases = r.raise_hyperplanes(found.planes[:, :-1], found.planes[:, -1])
    reached = float(np.abs(problem.eta(q, weights, biases)).max(initial=0.0))
    return max(reached, sampled_sup(problem, q, 2000))


def test_global_scope_end_to_end(problem: RadonTVProblem) -> None:
    solution = solve(problem, scope="global", tol=1e-6, time_limit=300.0)
    assert solution.certificate.scope is Scope.GLOBAL
    assert_solved(problem, solution, 1e-6)
    again = prove(problem, solution.network, tol=1e-6, time_limit=300.0)
    assert again.relative_gap <= 3e-6
    local = solve(problem, tol=1e-9)
    assert solution.certificate.dual <= local.certificate.primal * (1 + ROUNDING)


def test_bounds_exceed_everything_a_search_finds(problem: RadonTVProblem) -> None:
    optimum = solve(problem, tol=1e-6).network
    networks = [
        RidgeSpline.affine(np.zeros(problem.n_features)),
        random_network(problem.n_features, 5, 0),
        optimum,
        RidgeSpline(0.9 * optimum.amplitudes, optimum.weights, optimum.biases, optimum.coef, 0.0),
    ]
    for network in networks:
        proof = prove(problem, network, tol=1e-3, time_limit=300.0)
        assert proof.scope is Scope.GLOBAL
        assert_certifies(problem, network, proof)
        assert heavy_search(problem, problem.dual_point(network)) <= proof.sup_bound


@pytest.mark.parametrize("name", ["d=1", "d=2", "grid", "d=3"])
def test_bounds_of_unconverged_networks_are_tight(name: str) -> None:
    problem = PROBLEMS[name]
    for seed in range(3):
        network = random_network(problem.n_features, 5, seed)
        proof = prove(problem, network, tol=1e-6, time_limit=300.0)
        reached = heavy_search(problem, problem.dual_point(network))
        assert proof.sup_bound <= reached * (1 + 1e-6)
        assert proof.sup_attained == pytest.approx(reached, rel=1e-9)


@pytest.mark.parametrize("limit", [1e-6, 0.02])
@pytest.mark.parametrize("d", [5, 9])
def test_a_proof_out_of_time_is_still_a_bound(d: int, limit: float) -> None:
    problem = gaussian(d, 60, 0.3)
    network = solve(problem, tol=1e-4).network
    best = solve(problem, tol=1e-8).certificate.primal
    proof = prove(problem, network, tol=1e-6, time_limit=limit)
    assert proof.scope is Scope.GLOBAL
    assert np.isfinite(proof.sup_bound)
    assert proof.relative_gap > 1e-4  # or the test no longer runs out of time
    assert proof.dual <= best
    assert_certifies(problem, network, proof)
    assert heavy_search(problem, problem.dual_point(network)) <= proof.sup_bound


def test_more_boxes_give_no_worse_a_bound() -> None:
    problem = gaussian(6, 60, 0.3)
    core = Core.of(problem)
    q = problem.reduction.reduce_dual(problem.dual_point(solve(problem, tol=1e-4).network))
    bounds = [
        branch_and_bound(core.X, q, core.alpha, max_boxes=most, n_jobs=1).bound
        for most in (1, 1_000, 10_000, 30_000)
    ]
    assert all(b <= a * (1 + ROUNDING) for a, b in itertools.pairwise(bounds))


def test_a_dual_point_of_rounding_size_is_bounded_at_once() -> None:
    core = Core.of(gaussian(4, 30, 0.3))
    noise = 1e-20 * np.random.default_rng(0).standard_normal(core.n)
    found = bound_sup(core, core.s * core.without_affine(noise), 0.0, stop_at_violation=False)
    assert found.complete and found.attained <= found.bound <= 1e-15


def test_rounding_is_no_excuse_for_a_gap() -> None:
    # Four rows within 1e-16 of a line: affine functions with huge slopes, which rounding ruins.
    for seed in range(20):
        problem = tied("flat", 4, 2, 0.5, seed)
        certificate = solve(problem).certificate
        assert certificate.resolution <= 1e-9 * problem.objective(RidgeSpline.affine(np.zeros(2)))
        if certificate.relative_gap == 0.0:
            assert certificate.gap <= 1e-9 * problem.objective(RidgeSpline.affine(np.zeros(2)))


def test_a_saved_proof_goes_on_where_it_stopped(tmp_path: Path) -> None:
    problem = gaussian(5, 60, 0.5)
    network = solve(problem, tol=1e-8).network
    whole = prove(problem, network, tol=1e-5, time_limit=300.0)
    file, bounds = tmp_path / "proof.npz", []
    for _ in range(500):
        early = prove(problem, network, tol=1e-5, time_limit=0.15, checkpoint=file)
        assert_certifies(problem, network, early)
        bounds.append(early.sup_bound)
        if early.relative_gap <= 1e-5:
            break
    assert early.relative_gap <= 1e-5 and len(bounds) > 1  # or the test interrupts nothing
    assert early.sup_bound == pytest.approx(whole.sup_bound, rel=1e-9)
    # A lower level than the boxes were dropped at needs a proof of its own.
    assert prove(problem, network, tol=1e-7, checkpoint=file).sup_bound >= whole.sup_bound
    other = solve(problem, tol=1e-3).network
    with pytest.raises(ValueError, match="another problem or network"):
        prove(problem, other, checkpoint=file)
    file.write_bytes(file.read_bytes()[:100])
    with pytest.raises(ValueError, match="not the saved state"):
        prove(problem, network, checkpoint=file)


def test_a_proof_reports_what_it_has_proved_and_stops_on_request() -> None:
    problem = gaussian(8, 100, 1.0)
    network = solve(problem, tol=1e-4).network
    events: list[Event] = []

    def watch(event: Event) -> bool:
        events.append(event)
        return len(events) == 2

    proof = prove(problem, network, tol=1e-6, callback=watch, memory_limit=0.1)
    assert len(events) >= 2 and proof.scope is Scope.GLOBAL
    best = solve(problem, tol=1e-8).certificate
    for event in events:
        assert event.stage == "proving"
        assert event.dual <= best.primal and best.dual <= event.primal
        assert event.n_open > 0 and event.n_boxes > 0 and event.remaining > 0.0
    assert proof.sup_bound <= (1.0 + events[0].violation) * problem.alpha * (1 + 1e-9)


def test_a_proof_calls_all_callbacks() -> None:
    problem = gaussian(8, 100, 1.0)
    network = solve(problem, tol=1e-4).network
    first: list[Event] = []
    second: list[Event] = []

    def one(event: Event) -> bool:
        first.append(event)
        return True

    prove(problem, network, tol=1e-6, callback=[one, second.append], memory_limit=0.1)
    assert len(first) == len(second) > 0


def test_a_perfect_fit_needs_no_proof() -> None:
    # Targets are affine: q = 0 up to rounding.
    X = np.random.default_rng(0).standard_normal((30, 6))
    problem = RadonTVProblem(X, X @ np.arange(6.0) + 1.0, 1e-3)
    solution = solve(problem, scope="global", time_limit=300.0)
    assert solution.status.solved
    assert solution.network.n_neurons == 0
    assert solution.certificate.primal <= 1e-25


@pytest.mark.parametrize("d", [1, 2, 3, 4])
@pytest.mark.parametrize("alpha", [5e-4, 1e-6])
def test_the_misfit_of_equal_rows_is_part_of_the_proof(d: int, alpha: float) -> None:
    # n = d + 1 distinct rows: affine functions fit their means, only rounding is left to prove.
    X = np.vstack([np.zeros((3, d)), np.eye(d)])
    y = np.zeros(len(X))
    y[0] = 1.0
    problem = RadonTVProblem(X, y, alpha)
    solution = solve(problem, scope="global", time_limit=300.0)
    assert solution.status.solved
    assert_certifies(problem, solution.network, solution.certificate)
    assert solution.certificate.primal == pytest.approx((2 / 3) / (2 * len(X)), rel=ROUNDING)
    assert prove(problem, solution.network, tol=1e-6).relative_gap <= 1e-6


def test_planted_violations_are_found_by_the_exact_oracles() -> None:
    # A bound below a planted neuron's |eta| would be no bound.
    for d in (1, 2, 3):
        problem = gaussian(d, 30, 0.3)
        core = Core.of(problem)
        for seed in range(5):
            w = random_network(d, 1, seed).weights
            plane = np.column_stack([w, np.median(core.X @ w[0])])
            q = core.s * core.without_affine(core.features(plane)[:, 0])
            eta = abs(float(core.eta(q, plane)[0]))
            found = bound_sup(core, q, 0.5 * eta, stop_at_violation=False, time_limit=300.0)
            assert found.bound >= eta


def test_global_bounds_hold_for_far_and_badly_scaled_data() -> None:
    base = gaussian(2, 30, 0.3)
    for X in (base.X + 1e7, base.X * [1.0, 1e-6], base.X * 1e-80, base.X * 1e80):
        problem = RadonTVProblem(X, base.y, 0.01 * float(np.ptp(X, axis=0).max()))
        network = solve(problem, tol=1e-6).network
        proof = prove(problem, network)
        q = problem.dual_point(network)
        assert sampled_sup(problem, q, 500) <= proof.sup_bound
        assert_certifies(problem, network, proof)
        assert proof.relative_gap <= 1e-5
