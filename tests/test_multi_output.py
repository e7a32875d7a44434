"""Problems with several outputs, solved and certified, against independent answers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers import AGREE, ROUNDING, TIGHT, tied_inputs
from vector_helpers import (
    assert_certifies,
    assert_solved,
    gaussian_outputs,
    optimum,
    outputs,
    random_outputs,
    sampled_norm,
    targets_of,
)

from radontv.problems import Certificate, RadonTVProblem, RidgeSpline, Scope
from radontv.problems.losses import LogisticLoss
from radontv.problems.multi_output import MultiOutputProblem
from radontv.problems.vector.multinomial_loss import MultinomialLoss
from radontv.solvers import Status, solve
from radontv.solvers.vector.bounds import bound_sup_outputs, prove_outputs
from radontv.solvers.vector.driver import solve_multi_output

SMOOTH = MultinomialLoss(label_smoothing=0.1)
KINDS = ["squared", "huber", "poisson", SMOOTH]
NORMS = ["l2", "l1"]


# Sizes and losses.


@pytest.mark.parametrize(("d", "n", "D"), [(1, 100, 3), (2, 100, 2), (3, 100, 3), (5, 100, 10)])
@pytest.mark.parametrize("norm", NORMS)
def test_squared_loss(d: int, n: int, D: int, norm: str) -> None:
    problem = gaussian_outputs(d, n, D, output_norm=norm)
    assert_solved(problem, solve_multi_output(problem))


@pytest.mark.parametrize("d", [1, 2, 3, 5])
@pytest.mark.parametrize("norm", NORMS)
def test_three_classes(d: int, norm: str) -> None:
    problem = gaussian_outputs(d, 100, 3, loss=SMOOTH, output_norm=norm)
    assert_solved(problem, solve_multi_output(problem))


@pytest.mark.parametrize("loss", ["huber", "poisson", "multinomial"])
@pytest.mark.parametrize("norm", NORMS)
def test_other_losses(loss: str, norm: str) -> None:
    problem = gaussian_outputs(2, 80, 3, loss=loss, output_norm=norm)
    assert_solved(problem, solve_multi_output(problem))


@pytest.mark.parametrize(
    ("d", "loss"), [(1, "squared"), (2, "squared"), (3, "squared"), (2, SMOOTH)]
)
@pytest.mark.parametrize("norm", NORMS)
def test_proofs(d: int, loss: Any, norm: str) -> None:
    problem = gaussian_outputs(d, 40, 3, 0.2, loss, output_norm=norm)
    solution = solve_multi_output(problem, scope="global")
    assert solution.certificate.scope is Scope.GLOBAL
    assert_solved(problem, solution)
    again = prove_outputs(problem, solution.network, tol=1e-5)
    assert again.scope is Scope.GLOBAL and again.relative_gap <= 1e-5
    assert again.dual <= solution.certificate.primal


@pytest.mark.parametrize("kind", ["grid", "duplicates", "binary", "collinear", "flat"])
@pytest.mark.parametrize("loss", KINDS, ids=str)
@pytest.mark.parametrize("norm", NORMS)
def test_tied_inputs(kind: str, loss: Any, norm: str) -> None:
    X = tied_inputs(kind, 30, 2)
    problem = MultiOutputProblem(X, targets_of(loss, X, 3), 0.01, loss, output_norm=norm)
    solution = solve_multi_output(problem, scope="global")
    assert solution.certificate.scope is Scope.GLOBAL
    assert_solved(problem, solution)


@pytest.mark.parametrize("norm", NORMS)
def test_extreme_shapes_and_scales(norm: str) -> None:
    rng = np.random.default_rng(0)
    X, Y = rng.standard_normal((30, 2)), rng.standard_normal((30, 3))
    cases = {
        "large": (X * 1e60, Y * 1e50),
        "small": (X * 1e-60, Y * 1e-50),
        "constant feature": (np.column_stack([X, np.full(30, 7.0)]), Y),
        "constant inputs": (np.ones((30, 2)), Y),
        "zero targets": (X, 0.0 * Y),
        "zero output": (X, Y * [1.0, 0.0, 1.0]),
        "equal outputs": (X, Y[:, [0, 0, 0]]),
        "unequal outputs": (X, Y * [1.0, 1e-6, 1e6]),
        "few rows": (rng.standard_normal((3, 5)), Y[:3]),
        "d + 2 rows": (X[:4], Y[:4]),
        "one row": (X[:1], Y[:1]),
        "many outputs": (X[:12], rng.standard_normal((12, 20))),
    }
    for name, (inputs, targets) in cases.items():
        problem = MultiOutputProblem(inputs, targets, 1.0, output_norm=norm)
        largest = problem.alpha_max()
        problem = problem.with_alpha(0.1 * largest if largest > 0.0 else 1.0)
        solution = solve_multi_output(problem, scope="global")
        assert solution.status.solved, (name, str(solution))
        assert solution.certificate.n_neurons <= max(problem.sparsity_bound, 0), name


# Independent answers.


@pytest.mark.parametrize("loss", ["squared", "huber", "poisson"])
@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("d", [1, 2, 3])
def test_one_output_equals_the_scalar_solver(loss: str, norm: str, d: int) -> None:
    X = np.random.default_rng(0).standard_normal((50, d))
    Y = targets_of(loss, X, 1)
    scalar = RadonTVProblem(X, Y[:, 0], 0.01, loss)
    problem = MultiOutputProblem(X, Y, 0.01, loss, output_norm=norm)
    expected = solve(scalar, tol=1e-10).certificate
    found = solve_multi_output(problem, tol=1e-10).certificate
    assert found.primal == pytest.approx(expected.primal, rel=1e-9)
    assert problem.alpha_max() == pytest.approx(scalar.alpha_max(), rel=1e-9)
    assert problem.sparsity_bound == scalar.sparsity_bound
    network = random_outputs(d, 1, 4, 1)
    single = RidgeSpline(
        network.amplitudes[:, 0],
        network.weights,
        network.biases,
        network.coef[:, 0],
        network.intercept[0],
    )
    assert problem.objective(network) == pytest.approx(scalar.objective(single), rel=ROUNDING)
    one, other = (
        problem.certificate(network, 1.0, Scope.LOCAL),
        scalar.certificate(single, 1.0, Scope.LOCAL),
    )
    assert one.gap == pytest.approx(other.gap, rel=1e-9)
    np.testing.assert_allclose(one.dual_point[:, 0], other.dual_point, atol=1e-12)


@pytest.mark.parametrize(("d", "D"), [(1, 3), (2, 2), (4, 3)])
def test_l1_with_the_squared_loss_is_one_problem_per_output(d: int, D: int) -> None:
    problem = gaussian_outputs(d, 60, D, output_norm="l1")
    singles = [
        solve(RadonTVProblem(problem.X, y, problem.alpha), tol=1e-10) for y in problem.targets.T
    ]
    found = solve_multi_output(problem, tol=1e-10)
    total = sum(single.certificate.primal for single in singles)
    assert found.certificate.primal == pytest.approx(total, rel=AGREE)
    fitted = np.stack([single.network(problem.X) for single in singles], axis=1)
    # Strong convexity: the fits differ by at most the root of the gaps.
    np.testing.assert_allclose(found.network(problem.X), fitted, atol=1e-3)


@pytest.mark.parametrize("loss", KINDS, ids=str)
def test_the_norms_bound_each_other(loss: Any) -> None:
    shared = gaussian_outputs(2, 40, 3, loss=loss)
    D = shared.n_outputs
    separate = MultiOutputProblem(shared.X, shared.Y, shared.alpha, loss, output_norm="l1")
    low, middle = optimum(shared), optimum(separate)
    high = optimum(shared.with_alpha(np.sqrt(D) * shared.alpha))
    assert low * (1 - 1e-8) <= middle <= high * (1 + 1e-8)
    assert low < middle


@pytest.mark.parametrize("norm", NORMS)
def test_two_classes_are_logistic_regression(norm: str) -> None:
    # Scores (-f/2, f/2): ||a||_2 = |a_f| / sqrt 2; for l1 (0, f) costs |a_f|.
    rng = np.random.default_rng(1)
    X = rng.standard_normal((60, 2))
    codes = (np.abs(X[:, 0]) + 0.5 * rng.standard_normal(60) > 0.7).astype(int)
    binary = RadonTVProblem(X, 2.0 * codes - 1.0, 0.005, LogisticLoss())
    factor = np.sqrt(2.0) if norm == "l2" else 1.0
    problem = MultiOutputProblem(X, codes, 0.005 * factor, "multinomial", output_norm=norm)
    expected = solve(binary, tol=TIGHT).certificate.primal
    assert optimum(problem) == pytest.approx(expected, rel=AGREE)


def dictionary_value(problem: MultiOutputProblem, weights: Any, biases: Any) -> float:
    """Return the optimum over given planes, by a conic solver."""
    cp = pytest.importorskip("cvxpy")
    Psi = np.maximum(problem.X @ np.transpose(weights) - biases, 0.0)
    # Columns of one scale: a conic solver is no more accurate than its scaling.
    unit = np.maximum(np.linalg.norm(Psi, axis=0), 1e-12)
    D = problem.n_outputs
    A = cp.Variable((Psi.shape[1], D))
    theta = cp.Variable((problem.n_features + 1, D))
    Z = (Psi / unit) @ A + np.column_stack([np.ones(len(Psi)), problem.X]) @ theta
    order = 2 if problem.output_norm == "l2" else 1
    penalty = (1.0 / unit) @ cp.norm(A, order, axis=1)
    T, s = problem.targets, problem.s
    if problem.loss.quadratic:
        fit = 0.5 * cp.sum(cp.multiply(np.repeat(s[:, None], D, axis=1), cp.square(T - Z)))
    else:
        fit = sum(s[i] * (cp.log_sum_exp(Z[i]) - T[i] @ Z[i]) for i in range(len(T)))
    conic = cp.Problem(cp.Minimize(fit / problem.alpha + penalty))
    conic.solve(solver="CLARABEL")
    return float(conic.value) * problem.alpha


@pytest.mark.parametrize("loss", ["squared", SMOOTH, "multinomial"], ids=str)
@pytest.mark.parametrize("norm", NORMS)
def test_one_dimension_equals_the_group_lasso_over_all_knots(loss: Any, norm: str) -> None:
    problem = gaussian_outputs(1, 25, 3, 0.05, loss, output_norm=norm)
    knots = np.sort(problem.X[:, 0])[1:-1]
    expected = dictionary_value(problem, np.ones((len(knots), 1)), knots)
    solution = solve_multi_output(problem, tol=TIGHT, scope="global")
    assert solution.certificate.relative_gap <= TIGHT
    # The conic solver is the less accurate of the two.
    assert solution.certificate.primal == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("loss", ["squared", SMOOTH], ids=str)
@pytest.mark.parametrize("norm", NORMS)
def test_two_dimensions_are_approached_by_sampled_dictionaries(loss: Any, norm: str) -> None:
    problem = gaussian_outputs(2, 16, 2, 0.05, loss, output_norm=norm)
    solution = solve_multi_output(problem, tol=1e-8, scope="global")
    proof = solution.certificate
    gaps = []
    for count in (8, 32):
        angles = np.pi * (np.arange(count) + 0.5) / count
        w = np.stack([np.cos(angles), np.sin(angles)], axis=1)
        # The first and the last knot make affine columns.
        knots = np.sort(w @ problem.X.T, axis=1)[:, 1:-1]
        value = dictionary_value(problem, np.repeat(w, knots.shape[1], axis=0), knots.ravel())
        assert proof.dual <= value * (1 + 1e-6)
        gaps.append(value - proof.primal)
    assert gaps[1] < gaps[0]
    assert gaps[1] <= 0.02 * proof.primal
    own = dictionary_value(problem, solution.network.weights, solution.network.biases)
    assert own == pytest.approx(proof.primal, rel=1e-5)


@pytest.mark.parametrize("loss", KINDS, ids=str)
@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("rounds", [1, 2, 4])
def test_gaps_bound_what_is_missing(loss: Any, norm: str, rounds: int) -> None:
    problem = gaussian_outputs(2, 50, 3, 0.05, loss, output_norm=norm)
    best = optimum(problem)
    early = solve_multi_output(problem, max_rounds=rounds, scope="global")
    proof = early.certificate
    assert proof.scope is Scope.GLOBAL
    if rounds < 4:
        assert early.status is Status.MAX_ROUNDS and proof.primal > best * (1 + 1e-6)
    assert proof.dual <= best * (1 + TIGHT)
    assert proof.dual > 0.0
    assert_certifies(problem, early.network, proof)


@pytest.mark.parametrize("loss", [*KINDS, "multinomial"], ids=str)
@pytest.mark.parametrize("norm", NORMS)
def test_any_network_has_a_valid_certificate(loss: Any, norm: str) -> None:
    problem = gaussian_outputs(2, 40, 3, 0.1, loss, output_norm=norm)
    best = optimum(problem)
    for seed, size in ((0, 0.01), (1, 0.3), (2, 1.0)):
        network = random_outputs(2, problem.n_outputs, 6, seed)
        network = RidgeSpline(
            size * network.amplitudes, network.weights, network.biases, network.coef, 0.0
        )
        proof = prove_outputs(problem, network, tol=1e-3)
        assert proof.dual <= best * (1 + TIGHT)
        assert proof.gap >= proof.primal - best - 1e-12
        assert_certifies(problem, network, proof)


@pytest.mark.parametrize("norm", NORMS)
def test_bounds_of_the_sup_hold_on_dense_samples(norm: str) -> None:
    for kind in ("grid", "collinear", "duplicates", "flat"):
        X = tied_inputs(kind, 20, 2, seed=3)
        problem = MultiOutputProblem(X, outputs(X, 3), 0.01, output_norm=norm)
        Q = problem.dual_point(problem.affine_fit())
        bound = bound_sup_outputs(problem, Q, np.inf)
        sampled = sampled_norm(problem, Q, 4000)
        assert sampled <= bound.bound
        assert sampled >= 0.999 * bound.attained
        assert bound.attained <= bound.bound <= bound.attained * (1 + 1e-9) + 1e-14


# Options and errors.


def test_constant_targets_are_solved_whatever_the_weights() -> None:
    for seed in range(8):
        rng = np.random.default_rng(seed)
        X, s = rng.standard_normal((12, 2)), rng.uniform(0.3, 2.0, 12)
        Y = np.tile([3.3, -6.6], (12, 1))
        solution = solve(MultiOutputProblem(X, Y, 0.1, loss="huber", sample_weight=s))
        assert solution.status.solved, str(solution)


def test_outputs_that_affine_functions_separate_leave_the_bound_to_the_others() -> None:
    # Their residuals are 0: nothing that rounding leaves there may be outside of the domain.
    for seed in range(6):
        rng = np.random.default_rng(seed)
        X = rng.standard_normal((12, 2))
        Y = np.stack([rng.choice([-1.0, 1.0], 12), np.sign(X[:, 0]), np.ones(12)], axis=1)
        problem = MultiOutputProblem(X, Y, 0.1, loss="squared_hinge")
        solution = solve(problem.with_alpha(0.5 * problem.alpha_max()), scope="global")
        assert solution.status.solved, str(solution)


def test_warm_starts_and_limits() -> None:
    problem = gaussian_outputs(3, 80, 3)
    solution = solve_multi_output(problem, tol=1e-8)
    warm = solve_multi_output(problem, tol=1e-6, warm_start=solution.network)
    assert warm.n_iter <= 1 and warm.status.solved
    few = solve_multi_output(problem, max_neurons=3)
    assert few.certificate.n_neurons <= 3 and few.status is Status.MAX_NEURONS
    assert few.certificate.dual <= solution.certificate.primal * (1 + TIGHT)
    short = solve_multi_output(problem, tol=1e-12, time_limit=1e-3)
    assert short.status is Status.TIME_LIMIT and np.isfinite(short.certificate.gap)


def test_results_depend_on_the_seed_only() -> None:
    problem = gaussian_outputs(3, 60, 3)
    first = solve_multi_output(problem, n_jobs=1, random_state=3)
    second = solve_multi_output(problem, n_jobs=2, random_state=3)
    assert first.network == second.network
    other = solve_multi_output(problem, random_state=4)
    assert other.certificate.primal == pytest.approx(first.certificate.primal, rel=2e-6)


def test_interrupts_return_the_best_so_far() -> None:
    problem = gaussian_outputs(3, 60, 3)

    def press(event: Any) -> None:
        if event.round == 2:
            raise KeyboardInterrupt

    for callback in (press, lambda event: event.round == 2):
        solution = solve_multi_output(problem, callback=callback)
        assert solution.status is Status.INTERRUPTED
        assert 0.0 < solution.certificate.dual < solution.certificate.primal
        assert_certifies(problem, solution.network, solution.certificate)


def test_digests_tell_problems_apart() -> None:
    X, Y = np.arange(6.0)[:, None], np.arange(12.0).reshape(6, 2)
    problems = [
        MultiOutputProblem(X, Y, 0.1),
        MultiOutputProblem(X, Y, 0.2),
        MultiOutputProblem(X, Y, 0.1, "huber"),
        MultiOutputProblem(X, Y, 0.1, output_norm="l1"),
        MultiOutputProblem(X, Y[:, ::-1], 0.1),
        MultiOutputProblem(X, Y, 0.1, sample_weight=np.arange(6.0)),
    ]
    assert len({problem.digest for problem in problems}) == len(problems)
    assert problems[0].digest == MultiOutputProblem(X, Y, 0.1, sample_weight=np.ones(6)).digest


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"X": np.zeros((0, 1)), "Y": np.zeros((0, 1))}, "X has 0 samples"),
        ({"X": np.zeros((3, 0))}, "X has 0 features"),
        ({"Y": np.zeros((2, 1))}, "X has 3 rows but Y has 2"),
        ({"Y": np.zeros(3)}, "Y must have 2 dimension"),
        ({"Y": np.full((3, 1), np.nan)}, "Y contains NaN"),
        ({"alpha": 0.0}, "alpha must be finite and > 0"),
        ({"output_norm": "linf"}, "output_norm must be 'l2' or 'l1', got 'linf'"),
        ({"sample_weight": [1.0]}, "sample_weight has 1 entries"),
    ],
)
def test_bad_problems_are_named(changes: dict, message: str) -> None:
    arguments = {"X": np.eye(3)[:, :1], "Y": np.eye(3)[:, :2], "alpha": 1.0, **changes}
    with pytest.raises((ValueError, TypeError), match=message):
        MultiOutputProblem(**arguments)


def test_bad_options_and_networks_are_named() -> None:
    problem = MultiOutputProblem(np.eye(3)[:, :1], np.eye(3)[:, :2], 1.0)
    scalar = RidgeSpline.affine(np.zeros(1))
    with pytest.raises(ValueError, match=r"warm_start has coef of shape \(1,\), the problem 2"):
        solve_multi_output(problem, warm_start=scalar)
    with pytest.raises(ValueError, match="network has 2 features, the problem 1"):
        problem.objective(RidgeSpline.affine(np.zeros((2, 2))))
    with pytest.raises(TypeError, match="network must be a RidgeSpline"):
        problem.objective("network")  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="problem must be a MultiOutputProblem"):
        solve_multi_output(RadonTVProblem(np.eye(2), np.zeros(2), 1.0))  # type: ignore[arg-type]
    for options in ({"tol": 0.0}, {"scope": "all"}, {"max_rounds": 0}, {"time_limit": -1.0}):
        with pytest.raises(ValueError, match=next(iter(options))):
            solve_multi_output(problem, **options)  # type: ignore[arg-type]


def test_certificates_are_saved_and_loaded_with_all_outputs(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    X = rng.standard_normal((30, 2))
    Y = np.abs(X) + 0.1 * rng.standard_normal((30, 2))
    for alpha in (0.01, 100.0):
        proof = solve_multi_output(MultiOutputProblem(X, Y, alpha), tol=1e-6).certificate
        proof.save(tmp_path / "proof.json")
        again = Certificate.load(tmp_path / "proof.json")
        assert again == proof
        assert again.network == proof.network
        assert np.array_equal(again.dual_point, proof.dual_point)
