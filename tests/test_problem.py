"""The problem's formulas: objective, dual point, certificate and the gap that it proves."""

from __future__ import annotations

import numpy as np
import pytest
from helpers import (
    IDENTITY,
    NULL_SPACE,
    ROUNDING,
    TIGHT,
    assert_certifies,
    gaussian,
    naive_value,
    random_network,
    sampled_sup,
    tied,
)

from radontv.problems import RadonTVProblem, RidgeSpline, Scope
from radontv.solvers import prove, solve


def with_weights(problem: RadonTVProblem, seed: int = 3) -> RadonTVProblem:
    s = np.random.default_rng(seed).integers(0, 4, size=problem.n_samples).astype(float)
    return RadonTVProblem(problem.X, problem.y, problem.alpha, sample_weight=s)


PROBLEMS = {
    "d=1": gaussian(1, 15, 0.2),
    "d=2": gaussian(2, 20, 0.3),
    "weights": with_weights(gaussian(2, 25, 0.3)),
    "grid": tied("grid", 20, 2, 0.2),
    "duplicates": tied("duplicates", 20, 2, 0.2),
    "flat": tied("flat", 16, 3, 0.2),
    "collinear": tied("collinear", 12, 3, 0.5),
    "d=3": gaussian(3, 20, 0.3),
}


@pytest.fixture(params=PROBLEMS)
def problem(request: pytest.FixtureRequest) -> RadonTVProblem:
    return PROBLEMS[request.param]


def test_objective_is_the_formula(problem: RadonTVProblem) -> None:
    network = random_network(problem.n_features, 4, 0)
    loss = sum(
        s * 0.5 * (y - naive_value(network, x)) ** 2
        for x, y, s in zip(problem.X, problem.y, problem.s, strict=True)
    )
    expected = loss + problem.alpha * sum(abs(a) for a in network.amplitudes)
    assert problem.objective(network) == pytest.approx(expected, rel=ROUNDING)


def test_opposite_amplitudes_on_nearly_one_hyperplane_gain_nothing() -> None:
    # Unmerged these neurons are a step of height 1/2; merged they are nothing.
    x = np.linspace(-1.0, 1.0, 10)[:, None]
    problem = RadonTVProblem(x, 0.5 * (x[:, 0] > 0), 1e-3)
    network = RidgeSpline([1e12, -1e12], [[1.0], [1.0]], [0.0, 5e-13], [0.0])
    assert problem.objective(network) >= solve(problem, scope="global").certificate.dual


def test_refit_is_the_best_affine_part(problem: RadonTVProblem) -> None:
    network = random_network(problem.n_features, 4, 0)
    fitted = problem.refit_affine(network)
    base = problem.objective(fitted)
    assert base <= problem.objective(network)
    rng = np.random.default_rng(0)
    for step in (1e-4, 1e-2):
        coef = fitted.coef + step * rng.standard_normal(problem.n_features)
        intercept = fitted.intercept + step * rng.standard_normal()
        assert problem.objective(fitted.with_affine(coef, intercept)) >= base * (1 - ROUNDING)


def test_dual_point_is_orthogonal_to_affine_functions(problem: RadonTVProblem) -> None:
    q = problem.dual_point(random_network(problem.n_features, 4, 0))
    size = np.abs(q).sum() * max(1.0, float(np.abs(problem.X).max()))
    assert abs(q.sum()) <= NULL_SPACE * size
    assert np.abs(problem.X.T @ q).max() <= NULL_SPACE * size
    assert (q[problem.s == 0] == 0).all()


def test_dual_point_is_the_weighted_residual(problem: RadonTVProblem) -> None:
    network = random_network(problem.n_features, 4, 0)
    fitted = problem.refit_affine(network)
    expected = problem.s * (problem.y - fitted(problem.X))
    np.testing.assert_allclose(problem.dual_point(network), expected, atol=IDENTITY)


def test_eta_is_the_formula_and_even(problem: RadonTVProblem) -> None:
    network = random_network(problem.n_features, 5, 1)
    q = problem.dual_point(random_network(problem.n_features, 4, 0))
    values = problem.eta(q, network.weights, network.biases)
    for value, w, b in zip(values, network.weights, network.biases, strict=True):
        assert value == pytest.approx(
            sum(qi * max(x @ w - b, 0.0) for qi, x in zip(q, problem.X, strict=True)), abs=IDENTITY
        )
    opposite = problem.eta(q, -network.weights, -network.biases)
    np.testing.assert_allclose(values, opposite, atol=IDENTITY)


def test_duplicates_are_weights() -> None:
    base = gaussian(2, 12, 0.3)
    times = np.array([1, 3, 2] * 4)
    repeated = RadonTVProblem(
        np.repeat(base.X, times, axis=0), np.repeat(base.y, times), base.alpha
    )
    weighted = RadonTVProblem(base.X, base.y, base.alpha, sample_weight=times)
    network = random_network(2, 3, 0)
    assert repeated.objective(network) == pytest.approx(weighted.objective(network), rel=ROUNDING)
    assert repeated.sparsity_bound == weighted.sparsity_bound == 9
    a, b = (solve(p, tol=TIGHT).certificate for p in (repeated, weighted))
    assert a.primal == pytest.approx(b.primal, rel=1e-8)


def test_zero_weights_are_removed_rows() -> None:
    base = gaussian(2, 14, 0.3)
    keep = np.arange(14) % 3 > 0
    removed = RadonTVProblem(base.X[keep], base.y[keep], base.alpha)
    y = np.where(keep, base.y, 1e6)
    zeros = RadonTVProblem(base.X, y, base.alpha, sample_weight=keep.astype(float))
    a, b = solve(removed, tol=TIGHT), solve(zeros, tol=TIGHT)
    assert a.certificate.primal == pytest.approx(b.certificate.primal, rel=1e-8)
    assert removed.sparsity_bound == zeros.sparsity_bound
    assert removed.affine_fit()(base.X) == pytest.approx(zeros.affine_fit()(base.X), rel=IDENTITY)


def test_scale_of_the_weights_does_not_matter() -> None:
    base = with_weights(gaussian(2, 12, 0.3))
    scaled = RadonTVProblem(base.X, base.y, base.alpha, sample_weight=1e-250 * base.sample_weight)
    network = random_network(2, 3, 0)
    assert scaled.objective(network) == pytest.approx(base.objective(network), rel=ROUNDING)


def naive_gap(problem: RadonTVProblem, network: RidgeSpline, bound: float) -> float:
    """Return max over t of F(f) - D(t q), t U <= alpha, by the plain formulas."""
    q = problem.dual_point(network)
    gaps = []
    for t in np.linspace(0.0, 2.0, 4001):
        if t * bound <= problem.alpha:
            gaps.append(problem.objective(network) - problem.dual_value(t * q))
    limit = problem.alpha / bound
    gaps.append(problem.objective(network) - problem.dual_value(min(1.0, limit) * q))
    return min(gaps)


def test_the_two_gap_formulas_agree(problem: RadonTVProblem) -> None:
    for seed in range(3):
        network = random_network(problem.n_features, 4, seed)
        proof = prove(problem, network)
        naive = naive_gap(problem, network, proof.sup_bound)
        # The grid of scales t can only miss the best one.
        assert proof.gap <= naive + IDENTITY * proof.primal
        q = problem.dual_point(network)
        exact = proof.primal - problem.dual_value(proof.scale * q)
        assert proof.gap == pytest.approx(exact, abs=IDENTITY * proof.primal)
        assert proof.scale * proof.sup_bound <= problem.alpha * (1 + ROUNDING)


def test_the_gap_bounds_the_distance_from_the_optimum(problem: RadonTVProblem) -> None:
    solution = solve(problem, tol=1e-10, scope="global", time_limit=300.0)
    optimum, best = solution.network, solution.certificate
    assert best.relative_gap <= 1e-8
    networks = [random_network(problem.n_features, k, k) for k in range(6)]
    rng = np.random.default_rng(0)
    for size in (1e-8, 1e-4, 1e-2, 0.3):
        networks.append(
            RidgeSpline(
                optimum.amplitudes * (1 + size * rng.standard_normal(optimum.n_neurons)),
                optimum.weights,
                optimum.biases + size * rng.standard_normal(optimum.n_neurons),
                optimum.coef,
                optimum.intercept,
            )
        )
    for network in networks:
        proof = prove(problem, network, time_limit=300.0)
        assert proof.scope is Scope.GLOBAL
        assert_certifies(problem, network, proof)
        assert proof.dual <= best.primal * (1 + ROUNDING)
        assert proof.gap >= problem.objective(network) - best.primal - ROUNDING * proof.primal
        q = problem.dual_point(network)
        assert sampled_sup(problem, q, 300) <= proof.sup_bound


def test_a_too_small_bound_is_raised_to_the_neurons() -> None:
    problem = PROBLEMS["d=2"]
    network = random_network(2, 4, 0)
    proof = problem.certificate(network, 0.0, Scope.LOCAL)
    q = problem.dual_point(network)
    values = np.abs(problem.eta(q, network.weights, network.biases))
    assert proof.sup_bound == pytest.approx(values.max(), rel=IDENTITY)


def test_other_dual_points_are_projected_and_give_valid_bounds() -> None:
    problem = PROBLEMS["d=2"]
    network = solve(problem, tol=TIGHT).network
    best = prove(problem, network)
    # The shift is undone by the projection.
    q = problem.dual_point(network) + 0.3 * problem.s
    zero = RidgeSpline.affine(np.zeros(2))
    proof = problem.certificate(zero, best.sup_bound, Scope.GLOBAL, dual_point=q)
    assert proof.dual <= best.primal
    assert proof.dual == pytest.approx(best.primal, rel=1e-8)


def test_alpha_max_is_the_sup_at_the_affine_fit(problem: RadonTVProblem) -> None:
    top = problem.alpha_max()
    q = problem.dual_point(problem.affine_fit())
    assert sampled_sup(problem, q) <= top * (1 + IDENTITY)
    above = solve(problem.with_alpha(top * (1 + 1e-6)))
    below = solve(problem.with_alpha(top * (1 - 1e-3)), tol=1e-10)
    assert above.network.n_neurons == 0
    assert below.network.n_neurons > 0


def test_alpha_max_in_one_dimension_by_cumulative_sums() -> None:
    problem = PROBLEMS["d=1"]
    q = problem.dual_point(problem.affine_fit())
    order = np.argsort(problem.X[:, 0])
    x, q = problem.X[order, 0], q[order]
    expected = max(abs(x[j] * q[:j].sum() - q[:j] @ x[:j]) for j in range(len(x)))
    assert problem.alpha_max() == pytest.approx(expected, rel=IDENTITY)


def test_scaling_dictionary() -> None:
    # sum_i (y_i - f_i)^2 / 2 + lam RTV has lam = n alpha and n times the value.
    problem = gaussian(2, 20, 0.3)
    n, lam = problem.n_samples, 0.3
    solution = solve(problem, tol=TIGHT)
    residual = problem.y - solution.network(problem.X)
    unscaled = 0.5 * float(residual @ residual) + lam * solution.network.rtv
    assert unscaled == pytest.approx(n * solution.certificate.primal, rel=ROUNDING)
    # Weight decay alpha on balanced layers is the penalty.
    layers = solution.network.to_layers()
    decay = 0.5 * (np.sum(layers.hidden_weight**2) + np.sum(layers.output_weight**2))
    value = 0.5 * float(np.mean(residual**2)) + problem.alpha * float(decay)
    assert value == pytest.approx(solution.certificate.primal, rel=ROUNDING)


def test_with_alpha_changes_nothing_else() -> None:
    problem = with_weights(gaussian(2, 12, 0.3))
    other = problem.with_alpha(0.7)
    assert other.alpha == 0.7
    np.testing.assert_allclose(other.s, problem.s, rtol=ROUNDING)
    assert other.X is not problem.X or not other.X.flags.writeable
    assert "alpha=0.7" in repr(other)


def test_rtv_is_the_slope_of_the_optimal_value() -> None:
    # F*(alpha) is concave with slope RTV: a difference quotient lies between the two RTVs.
    problem = gaussian(2, 20, 0.3)
    low, high = problem.alpha, 1.2 * problem.alpha
    a, b = (solve(problem.with_alpha(v), tol=TIGHT) for v in (low, high))
    slope = (b.certificate.primal - a.certificate.primal) / (high - low)
    assert b.network.rtv - 1e-6 <= slope <= a.network.rtv + 1e-6


@pytest.mark.parametrize("network", [None, np.zeros(3), RidgeSpline.affine(np.zeros(4))])
def test_what_is_no_network_of_the_problem_is_named(network: object) -> None:
    problem = gaussian(2, 10, 0.1)
    for method in (problem.objective, problem.dual_point):
        with pytest.raises((TypeError, ValueError), match="network"):
            method(network)
