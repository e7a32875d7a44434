"""Every loss through `solve` and `prove`: an independent reference, bounds, invariances."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from helpers import random_network
from test_losses import ALL, EVERY, EVERY_FINITE, FINITE

from radontv.problems import Certificate, RadonTVProblem, RidgeSpline, Scope, losses
from radontv.problems.exact_fit_losses import BandLoss
from radontv.problems.existence import check_existence
from radontv.solvers import Status, prove, solve
from radontv.solvers.reference import solve_all_patterns

SMALL, ALPHA = 8, 0.02
TOL, AGREE = 1e-7, 2e-7
"""Gap asked for, and agreement with the reference, whose programs are solved to 1e-9 or so."""


def make_targets(loss: losses.Loss, X: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return targets that are not affine; classes overlap."""
    signal = np.abs(X[:, 0]) + 0.5 * X[:, -1] + 0.3 * rng.standard_normal(len(X))
    if loss.name in ("logistic", "hinge", "squared_hinge"):
        y = np.where(signal > np.median(signal), 1.0, -1.0)
        flip = rng.uniform(size=len(X)) < 0.2
        return np.where(flip, -y, y)
    if loss.name == "poisson":
        return rng.poisson(np.exp(signal)).astype(float)
    return signal


def make_problem(
    loss: losses.Loss, d: int, seed: int, *, n: int = SMALL, alpha: float = ALPHA, ties: bool = True
) -> RadonTVProblem:
    """Return a problem with random weights; with `ties` three rows repeat, with other targets."""
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, d))
    if ties:
        X[-3:] = X[[0, 0, 1]]
    y = make_targets(loss, X, rng)
    if ties:
        own = loss.name in ("logistic", "hinge", "squared_hinge")
        y[-3:] = -y[[0, 0, 1]] if own else y[[0, 0, 1]] + (loss.name == "poisson")
        if loss.name not in ("logistic", "hinge", "squared_hinge", "poisson", "interpolation"):
            y[-3:] += np.array([0.1, 0.3, -0.2])
    problem = RadonTVProblem(X, y, alpha, loss=loss, sample_weight=rng.uniform(0.3, 2.0, n))
    try:
        check_existence(problem)
    except ValueError:
        return make_problem(loss, d, seed + 1000, n=n, alpha=alpha, ties=ties)
    return problem


@cache
def solved(loss: losses.Loss, d: int, seed: int) -> tuple[RadonTVProblem, float]:
    """Return a small problem and the value of the reference."""
    problem = make_problem(loss, d, seed)
    return problem, solve_all_patterns(problem)[0]


def assert_bounds(proof: Certificate, optimum: float) -> None:
    """Assert that a GLOBAL certificate holds the optimum, up to the reference's own accuracy."""
    spare = 1e-8 * abs(optimum) + 1e-10
    assert proof.scope is Scope.GLOBAL
    assert proof.dual <= optimum + spare, str(proof)
    assert proof.primal >= optimum - spare or not np.isfinite(proof.primal)
    assert proof.primal - optimum <= proof.gap + spare
    assert proof.gap >= 0.0 and not np.isnan(proof.relative_gap)
    assert str(proof)


def value_of(problem: RadonTVProblem, tol: float = TOL) -> float:
    """Return the optimal value, solved in the small."""
    solution = solve(problem, scope="global", tol=tol)
    assert solution.certificate.relative_gap <= 1e-6, str(solution)
    return solution.certificate.primal


# ------------------------------------------------------------------------------ the reference
@EVERY
@pytest.mark.parametrize("d", [1, 2])
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_solutions_agree_with_the_reference(loss: losses.Loss, d: int, seed: int) -> None:
    problem, optimum = solved(loss, d, seed)
    solution = solve(problem, scope="global", tol=TOL)
    proof = solution.certificate
    assert_bounds(proof, optimum)
    assert solution.status.solved or proof.relative_gap <= 1e-6, str(solution)
    assert abs(proof.primal - optimum) <= AGREE * abs(optimum) + 1e-10
    assert proof.primal == problem.objective(solution.network)


@EVERY
@pytest.mark.parametrize("d", [1, 2])
def test_certificates_hold_where_nothing_has_converged(loss: losses.Loss, d: int) -> None:
    problem, optimum = solved(loss, d, 3)
    for rounds in (1, 2, 3):
        solution = solve(problem, scope="global", tol=1e-9, max_rounds=rounds)
        assert_bounds(solution.certificate, optimum)
        assert np.isclose(problem.objective(solution.network), solution.certificate.primal)
    for seed in range(6):
        network = random_network(d, 4, seed)
        small = RidgeSpline(
            1e-3 * network.amplitudes, network.weights, network.biases, np.zeros(d), 0.0
        )
        for candidate in (network, small):
            proof = prove(problem, candidate, tol=1e-6)
            assert_bounds(proof, optimum)
            # The same from the certificate alone, with a bound that is too large.
            loose = problem.certificate(candidate, 3.0 * proof.sup_bound, Scope.GLOBAL)
            assert_bounds(loose, optimum)


@EVERY
def test_any_dual_point_gives_a_bound(loss: losses.Loss) -> None:
    problem, optimum = solved(loss, 1, 4)
    rng = np.random.default_rng(0)
    low, high = loss.dual_interval(problem.y)
    low, high = np.maximum(low, -2.0), np.minimum(high, 2.0)
    for part in (0.0, 0.5, 1.0):
        noise = low + rng.uniform(size=SMALL) * (high - low)
        p = part * noise + (1.0 - part) * np.where(rng.uniform(size=SMALL) < 0.5, low, high)
        q = problem.project(problem.s * p)
        biases = problem.X[:, 0]
        sup = float(np.abs(problem.eta(q, np.ones((SMALL, 1)), biases)).max())
        found = problem.certificate(
            problem.affine_fit(), sup * (1 + 1e-9), Scope.GLOBAL, dual_point=q
        )
        assert_bounds(found, optimum)


# --------------------------------------------------------------------------------- invariances
@EVERY
def test_repeated_rows_are_weights_and_zero_weights_are_no_rows(loss: losses.Loss) -> None:
    problem = make_problem(loss, 1, 5)
    counts = np.array([1, 2, 1, 3, 1, 1, 2, 1])
    whole = RadonTVProblem(problem.X, problem.y, ALPHA, loss=loss, sample_weight=counts)
    rows = np.repeat(np.arange(SMALL), counts)
    repeated = RadonTVProblem(problem.X[rows], problem.y[rows], ALPHA, loss=loss)
    assert value_of(whole) == pytest.approx(value_of(repeated), rel=1e-6, abs=1e-9)
    weights = np.array([1.0, 1, 0, 1, 1, 0, 1, 1])
    thin = RadonTVProblem(problem.X, problem.y, ALPHA, loss=loss, sample_weight=weights)
    kept = weights > 0
    removed = RadonTVProblem(problem.X[kept], problem.y[kept], ALPHA, loss=loss)
    assert value_of(thin) == pytest.approx(value_of(removed), rel=1e-6, abs=1e-9)


@EVERY
def test_values_are_invariant_under_motions_scaling_and_permutation(loss: losses.Loss) -> None:
    problem = make_problem(loss, 2, 6)
    X, y, s = problem.X, problem.y, problem.s
    value = value_of(problem)
    order = np.random.default_rng(0).permutation(SMALL)
    turn = np.array([[0.6, -0.8], [0.8, 0.6]])
    for other in (
        RadonTVProblem(X[order], y[order], ALPHA, loss=loss, sample_weight=s[order]),
        RadonTVProblem(X @ turn + np.array([3.0, -100.0]), y, ALPHA, loss=loss, sample_weight=s),
        RadonTVProblem(1e4 * X, y, 1e4 * ALPHA, loss=loss, sample_weight=s),
        RadonTVProblem(1e-3 * X, y, 1e-3 * ALPHA, loss=loss, sample_weight=s),
    ):
        assert value_of(other) == pytest.approx(value, rel=1e-6, abs=1e-9)


@pytest.mark.parametrize("d", (1, 2))
@pytest.mark.parametrize("offset", (0.0, 1e6))
def test_constraints_are_met_whatever_rounding_does(d: int, offset: float) -> None:
    rng = np.random.default_rng(0)
    X = rng.uniform(-1.0, 1.0, size=(40, 2))
    X, y = (X - X.mean(axis=0)) / X.std(axis=0), np.abs(X[:, 0]) + 0.3 * X[:, 1] + offset
    for k in range(12):
        problem = RadonTVProblem(X[:, :d] * (1.0 + k * 1e-15), y, 1.0, loss="interpolation")
        solution = solve(problem, tol=1e-4)
        assert solution.status.solved, str(solution)
        assert solution.certificate.relative_gap <= 1e-4


@pytest.mark.parametrize("level", (0.1, 1e9 / 7.0))
@pytest.mark.parametrize("loss", ("interpolation", "tube"))
def test_constant_targets_are_met_by_a_constant(level: float, loss: str) -> None:
    X = np.random.default_rng(0).standard_normal((30, 2))
    solution = solve(RadonTVProblem(X, np.full(30, level), 1.0, loss=loss), scope="global")
    assert solution.status.solved and solution.certificate.primal == 0.0


@pytest.mark.parametrize("loss", [x for x in ALL if x.translates], ids=lambda loss: loss.key)
def test_affine_functions_added_to_the_targets_change_nothing(loss: losses.Loss) -> None:
    problem = make_problem(loss, 2, 7)
    shifted = RadonTVProblem(
        problem.X,
        problem.y + problem.X @ np.array([20.0, -3.0]) + 50.0,
        ALPHA,
        loss=loss,
        sample_weight=problem.s,
    )
    assert value_of(shifted) == pytest.approx(value_of(problem), rel=1e-6, abs=1e-9)


@EVERY
def test_collinear_inputs_are_the_problem_on_the_line(loss: losses.Loss) -> None:
    problem = make_problem(loss, 1, 8)
    along = np.array([[2.0, -1.0, 2.0]]) / 3.0
    line = RadonTVProblem(
        problem.X @ along + 1.0, problem.y, ALPHA, loss=loss, sample_weight=problem.s
    )
    assert value_of(line) == pytest.approx(value_of(problem), rel=1e-6, abs=1e-9)


# ------------------------------------------------------------------------------ affine optima
@EVERY_FINITE
@pytest.mark.parametrize("d", [1, 2])
def test_alpha_max_parts_affine_optima_from_others(loss: losses.Loss, d: int) -> None:
    problem = make_problem(loss, d, 9)
    largest = problem.alpha_max()
    assert largest > 0.0
    affine = problem.objective(problem.affine_fit())
    above, below = problem.with_alpha(1.0001 * largest), problem.with_alpha(0.99 * largest)
    assert solve_all_patterns(above)[0] == pytest.approx(affine, rel=1e-7)
    assert solve_all_patterns(below)[0] < affine * (1 - 1e-7)
    solution = solve(above, scope="global", tol=1e-6)
    assert solution.status.solved, str(solution)
    assert solution.network.n_neurons == 0 or solution.network.rtv <= 1e-5
    assert solve(below, scope="global", tol=1e-9).certificate.primal < affine * (1 - 1e-7)


@pytest.mark.parametrize("d", [1, 2, 4])
@pytest.mark.parametrize("scale", [1.0, 1e9])
@pytest.mark.parametrize("delta", [1e-3, 1e-6, 1e-9])
def test_huber_far_below_the_residuals_is_the_absolute_loss(
    d: int, scale: float, delta: float
) -> None:
    absolute = make_problem(losses.AbsoluteLoss(), d, 3, n=40, ties=False)
    X, y, s = absolute.X, scale * absolute.y, absolute.s
    width = scale * delta
    huber = RadonTVProblem(X, y, width * ALPHA, loss=losses.HuberLoss(width), sample_weight=s)
    assert huber.alpha_max() == pytest.approx(width * absolute.alpha_max(), rel=10.0 * delta + 1e-6)
    # delta |r| - delta^2 / 2 <= l(y, z) <= delta |r|.
    unit, exact = scale * width, value_of(absolute)
    found = value_of(huber) / unit
    assert exact - delta / 2.0 - AGREE * exact <= found <= exact + AGREE * exact


@pytest.mark.parametrize("name", ["hinge", "squared_hinge"])
def test_separable_classes_cost_nothing_with_hinges(name: str) -> None:
    X = np.random.default_rng(0).standard_normal((20, 2))
    X = X[np.abs(X[:, 0]) > 0.2]
    problem = RadonTVProblem(X, np.sign(X[:, 0]), 0.1, loss=name)
    solution = solve(problem, scope="global")
    assert solution.status.solved, str(solution)
    assert solution.certificate.primal <= 1e-12
    assert solution.network.n_neurons == 0
    assert problem.alpha_max() <= 1e-9


# ---------------------------------------------------------------------------- larger instances
@EVERY
@pytest.mark.parametrize("d", [3, 5])
def test_larger_instances_are_solved(loss: losses.Loss, d: int) -> None:
    problem = make_problem(loss, d, 10, n=100, ties=False)
    if not isinstance(loss, BandLoss):
        problem = problem.with_alpha(0.1 * problem.alpha_max())
    solution = solve(problem, tol=1e-6)
    assert solution.status is Status.SOLVED, str(solution)
    assert solution.certificate.relative_gap <= 1e-6
    assert solution.certificate.n_neurons <= problem.sparsity_bound


# ---------------------------------------------------------------------------- ending too early
@pytest.mark.parametrize("loss", [x for x in ALL if isinstance(x, BandLoss)], ids=lambda x: x.key)
@pytest.mark.parametrize("scope", ["local", "global"])
def test_constraints_not_met_yet_leave_no_false_gap(loss: losses.Loss, scope: str) -> None:
    problem = make_problem(loss, 2, 11, n=40, ties=False)
    optimum = solve(problem, tol=1e-6).certificate.primal
    for options in ({"max_rounds": 1}, {"time_limit": 1e-6}, {"max_rounds": 3}):
        solution = solve(problem, tol=1e-9, scope=scope, **options)  # type: ignore[arg-type]
        proof = solution.certificate
        assert not solution.status.solved
        assert proof.dual <= optimum * (1 + 1e-9)
        assert proof.primal == problem.objective(solution.network)
        if np.isinf(proof.primal):
            assert proof.relative_gap == np.inf and proof.gap == np.inf
        for text in (str(solution), str(proof), repr(solution)):
            assert "nan" not in text
        assert Certificate.from_dict(proof.to_dict()) == proof


@pytest.mark.parametrize("loss", [losses.HuberLoss(), losses.AbsoluteLoss(), losses.SquaredLoss()])
@pytest.mark.parametrize("d", [1, 2])
def test_constant_targets_are_fitted_and_certified(loss: losses.Loss, d: int) -> None:
    for seed in range(15):
        X = np.random.default_rng(seed).standard_normal((12, d))
        found = solve(RadonTVProblem(X, np.full(12, 3.3), 0.1, loss=loss), scope="global")
        assert found.status is Status.SOLVED, (seed, str(found))
        assert 0.0 <= found.certificate.gap and found.certificate.primal < 1e-12


@pytest.mark.parametrize("cost", ["no_bias", "penalized_bias"])
@pytest.mark.parametrize("loss", [x for x in FINITE if x.translates], ids=lambda loss: loss.key)
def test_constant_targets_without_free_functions(loss: losses.Loss, cost: str) -> None:
    rng = np.random.default_rng(1)
    X, s = rng.standard_normal((12, 2)), rng.uniform(0.3, 2.0, 12)
    problem = RadonTVProblem(
        X, np.ones(12), 0.01, loss=loss, sample_weight=s, cost=cost, skip="none"
    )  # type: ignore[arg-type]
    found = solve(problem, scope="global", tol=1e-5)
    assert found.status is Status.SOLVED, str(found)


@pytest.mark.parametrize("loss", [x for x in FINITE if x.translates], ids=lambda loss: loss.key)
@pytest.mark.parametrize("offset", [1e4, 1e8])
def test_a_large_offset_of_the_targets_leaves_the_gap(loss: losses.Loss, offset: float) -> None:
    plain = make_problem(loss, 2, 5, n=40, alpha=1e-3, ties=False)
    moved = RadonTVProblem(plain.X, plain.y + offset, 1e-3, loss=loss, sample_weight=plain.s)
    gaps = [solve(p, tol=1e-6, scope="global").certificate.relative_gap for p in (plain, moved)]
    assert gaps[0] <= 1e-6 and gaps[1] <= 1e-6
    value = plain.objective(plain.affine_fit())
    # The intercept is rounded, and slopes are at most 1.
    rounding = 4.0 * np.finfo(float).eps * offset
    assert moved.objective(moved.affine_fit()) == pytest.approx(value, rel=1e-9, abs=rounding)
