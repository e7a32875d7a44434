"""Weighted norms of the normals: the problem with inputs L^-T x, in its own units."""

from __future__ import annotations

import numpy as np
import pytest
from helpers import AGREE, ROUNDING, TIGHT, random_network, targets, tied_inputs

from radontv.problems import RadonTVProblem, Scope
from radontv.problems.neuron_cost import WeightedNorm
from radontv.solvers import path, prove, solve


def data(d: int, n: int = 30, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, d)) + 3.0
    return X, targets(X, rng), np.eye(d) + 0.5 * rng.standard_normal((d, d))


@pytest.mark.parametrize("d", [1, 2, 3])
@pytest.mark.parametrize("loss", ["squared", "huber", "absolute"])
def test_it_is_the_problem_in_other_inputs(d: int, loss: str) -> None:
    X, y, L = data(d)
    cost = WeightedNorm(L)
    weighted = RadonTVProblem(X, y, 0.01, loss=loss, cost=cost)
    plain = RadonTVProblem(np.linalg.solve(L.T, X.T).T, y, 0.01, loss=loss)
    assert weighted.alpha_max() == pytest.approx(plain.alpha_max(), rel=1e-9)
    one = solve(weighted, tol=TIGHT, scope="global", time_limit=60)
    two = solve(plain, tol=TIGHT, scope="global", time_limit=60)
    assert one.certificate.scope is Scope.GLOBAL
    assert one.certificate.relative_gap <= TIGHT
    assert one.certificate.primal == pytest.approx(two.certificate.primal, rel=AGREE)
    network = one.network
    price = np.linalg.norm(network.weights @ L.T, axis=1)
    assert weighted.penalty(network) == pytest.approx(float(np.abs(network.amplitudes) @ price))


def test_equal_prices_are_a_factor_of_alpha() -> None:
    X, y, _ = data(3)
    three = RadonTVProblem(X, y, 1e-3, cost=WeightedNorm(np.full(3, 3.0)))
    found = solve(three, tol=TIGHT).certificate.primal
    expected = solve(RadonTVProblem(X, y, 3e-3), tol=TIGHT).certificate.primal
    assert found == pytest.approx(expected, rel=AGREE)


def test_expensive_features_are_left_to_the_affine_part() -> None:
    X, y, _ = data(2, n=60)
    network = solve(RadonTVProblem(X, y, 1e-3, cost=WeightedNorm([1.0, 1e4]))).network
    assert network.n_neurons > 0
    assert np.abs(network.weights[:, 1]).max() < 1e-3


@pytest.mark.parametrize("kind", ["grid", "flat", "collinear", "duplicates"])
def test_ties_and_flat_inputs(kind: str) -> None:
    X = tied_inputs(kind, 20, 3)
    y = targets(X, np.random.default_rng(1))
    L = np.eye(3) + 0.3 * np.random.default_rng(2).standard_normal((3, 3))
    problem = RadonTVProblem(X, y, 0.01, cost=WeightedNorm(L))
    solution = solve(problem, tol=1e-8, scope="global", time_limit=60)
    assert solution.certificate.relative_gap <= 1e-8
    assert solution.certificate.n_neurons <= problem.sparsity_bound


def test_gaps_bound_the_suboptimality_and_warm_starts_are_kept() -> None:
    X, y, L = data(2)
    problem = RadonTVProblem(X, y, 0.01, cost=WeightedNorm(L))
    best = solve(problem, tol=TIGHT, scope="global")
    optimum = best.certificate.primal
    for seed in range(5):
        proof = prove(problem, random_network(2, 4, seed))
        assert proof.dual <= optimum * (1 + ROUNDING) <= proof.primal * (1 + 2 * ROUNDING)
    again = solve(problem, tol=1e-6, warm_start=best.network)
    assert again.n_iter == 0
    # alpha = alpha_max is affine, and its network starts the next one.
    solutions = path(problem, 4, eps=0.1, tol=1e-6)
    assert solutions[0].network.n_neurons == 0
    assert all(s.certificate.relative_gap <= 1e-6 for s in solutions)


@pytest.mark.parametrize(
    ("factor", "message"),
    [
        ([1.0, 0.0], "must be > 0"),
        ([[1.0, 2.0], [2.0, 4.0]], "condition number"),
        (np.ones((2, 3)), "must be square"),
        ([1.0, np.nan], "NaN"),
        ([1.0, 1.0, 1.0], "for 3 features, but X has 2"),
    ],
)
def test_bad_factors_are_refused(factor: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        RadonTVProblem(np.eye(2), np.ones(2), 0.1, cost=WeightedNorm(factor))  # type: ignore[arg-type]


def test_unknown_costs_and_skips_are_refused() -> None:
    with pytest.raises(ValueError, match="cost must be one of"):
        RadonTVProblem(np.eye(2), np.ones(2), 0.1, cost="l7")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="skip must be one of"):
        RadonTVProblem(np.eye(2), np.ones(2), 0.1, skip="linear")
    with pytest.raises(ValueError, match="skip='none' needs cost="):
        RadonTVProblem(np.eye(2), np.ones(2), 0.1, skip="none")
