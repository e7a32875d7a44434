"""Linear measurements: against samples, cvxpy, and what their certificates promise."""

from __future__ import annotations

import numpy as np
import pytest
from helpers import AGREE, ROUNDING, TIGHT, random_network
from scipy import sparse

from radontv.problems import RadonTVProblem, RidgeSpline, Scope, losses
from radontv.problems.measurements import Measured, box_averages, segment_averages
from radontv.solvers import Status, prove, solve


def signal(X: np.ndarray) -> np.ndarray:
    values: np.ndarray = 2 * np.maximum(X[:, 0] - 0.2, 0.0) - np.abs(X[:, -1] - 0.3)
    return values


def tomography(d: int, n: int, *, seed: int = 0, share: float = 0.05, **options: object):
    """Return segment averages of `signal` with noise, at a share of alpha_max."""
    rng = np.random.default_rng(seed)
    ends = rng.uniform(-1, 1, size=(2, n, d))
    points, matrix = segment_averages(*ends, n_nodes=5)
    y = matrix @ signal(points) + 0.02 * rng.standard_normal(n)
    problem = RadonTVProblem(points, y, 1.0, measurements=matrix, **options)
    return problem.with_alpha(share * problem.alpha_max())


@pytest.mark.parametrize("d", [1, 2, 3])
def test_samples_are_the_measurements_of_the_identity(d: int) -> None:
    rng = np.random.default_rng(d)
    X = rng.standard_normal((25, d))
    y, weights = signal(X) + 0.1 * rng.standard_normal(25), rng.uniform(size=25)
    plain = RadonTVProblem(X, y, 0.01, sample_weight=weights)
    same = RadonTVProblem(X, y, 0.01, sample_weight=weights, measurements=np.eye(25))
    one, two = (solve(p, tol=TIGHT, scope="global") for p in (plain, same))
    assert one.certificate.primal == pytest.approx(two.certificate.primal, rel=AGREE)
    np.testing.assert_allclose(one.network(X), two.network(X), atol=1e-6)
    assert same.alpha_max() == pytest.approx(plain.alpha_max(), rel=1e-10)
    assert same.sparsity_bound == plain.sparsity_bound
    assert same.digest != plain.digest


@pytest.mark.parametrize("loss", ["squared", "absolute", losses.LogisticLoss(0.3)])
def test_a_constant_feature_changes_nothing(loss: object) -> None:
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((20, 1)), rng.choice([-1.0, 1.0], 20)
    M = np.eye(20) + 0.1 * np.eye(20, k=1)
    values = []
    for X in (x, np.column_stack([x, np.full(20, 7.1)])):
        problem = RadonTVProblem(X, y, 0.01, loss=loss, measurements=M)  # type: ignore[arg-type]
        found = solve(problem, scope="global", tol=1e-7)
        assert found.status is Status.SOLVED and np.abs(found.network.coef).max() < 1e3
        values.append(found.certificate.primal)
    assert values[1] == pytest.approx(values[0], rel=1e-6)


def test_points_that_no_row_sees_and_rows_without_weight_do_not_matter() -> None:
    rng = np.random.default_rng(3)
    X = rng.standard_normal((30, 2))
    y = signal(X)
    pick = rng.permutation(30)[:20]
    matrix = np.eye(30)[pick]
    seen = RadonTVProblem(X, y[pick], 0.01, measurements=matrix)
    plain = RadonTVProblem(X[pick], y[pick], 0.01)
    weights = np.append(np.ones(20), 0.0)
    more = RadonTVProblem(
        X, np.append(y[pick], 99.0), 0.01, measurements=np.vstack([matrix, np.ones(30)]),
        sample_weight=weights,
    )  # fmt: skip
    expected = solve(plain, tol=TIGHT, scope="global").certificate.primal
    for problem in (seen, more):
        found = solve(problem, tol=TIGHT, scope="global").certificate
        assert found.primal == pytest.approx(expected, rel=AGREE)
        assert found.sparsity_bound == 17


@pytest.mark.parametrize("loss", ["squared", "absolute", losses.HuberLoss(0.02)])
@pytest.mark.parametrize("d", [1, 2, 3])
def test_tomography_is_solved_to_global_optimality(d: int, loss: object) -> None:
    problem = tomography(d, 40, loss=loss)
    solution = solve(problem, tol=1e-6, scope="global", time_limit=60)
    proof = solution.certificate
    assert proof.scope is Scope.GLOBAL
    assert proof.relative_gap <= 1e-6
    assert proof.n_neurons <= problem.sparsity_bound
    again = prove(problem, solution.network, tol=1e-6)
    if problem.loss.smooth:
        assert again.relative_gap <= 2e-6
    assert again.dual <= proof.primal * (1 + ROUNDING)


def test_one_dimension_agrees_with_a_lasso_over_all_knots() -> None:
    """eta_q is piecewise linear between points of the rule, so their hinges suffice."""
    cp = pytest.importorskip("cvxpy")
    problem = tomography(1, 15)
    x, M = np.unique(problem.X[:, 0]), problem.measurements
    hinges = np.maximum(problem.X - x, 0.0)
    a, c, c0 = cp.Variable(len(x)), cp.Variable(), cp.Variable()
    fitted = (M @ hinges) @ a + (M @ problem.X[:, 0]) * c + np.asarray(M.sum(axis=1)).ravel() * c0
    loss = 0.5 * cp.sum(cp.multiply(problem.s, cp.square(problem.y - fitted)))
    reference = cp.Problem(cp.Minimize(loss + problem.alpha * cp.norm1(a)))
    reference.solve(solver=cp.CLARABEL, tol_gap_abs=1e-13, tol_gap_rel=1e-11, tol_feas=1e-11)
    found = solve(problem, tol=TIGHT, scope="global").certificate
    assert found.primal == pytest.approx(reference.value, rel=1e-6)
    assert found.dual <= reference.value * (1 + 1e-6)


@pytest.mark.parametrize("d", [1, 2])
def test_gaps_bound_the_suboptimality_of_any_network(d: int) -> None:
    problem = tomography(d, 30)
    best = solve(problem, tol=TIGHT, scope="global").certificate
    for seed in range(5):
        network = random_network(d, 4, seed)
        proof = prove(problem, network, tol=1e-6)
        assert proof.dual <= best.primal * (1 + ROUNDING)
        assert proof.primal - proof.gap <= best.primal * (1 + ROUNDING)
        assert proof.primal == pytest.approx(problem.objective(network), rel=ROUNDING)
    early = solve(problem, tol=TIGHT, scope="global", max_rounds=1).certificate
    assert early.dual <= best.primal * (1 + ROUNDING) <= early.primal * (1 + 2 * ROUNDING)


def test_measurements_that_annihilate_constants() -> None:
    """Differences f(x_i) - f(x_0) leave the intercept free; the rest is determined."""
    rng = np.random.default_rng(5)
    X = rng.standard_normal((20, 2))
    matrix = np.column_stack([-np.ones(19), np.eye(19)])
    y = matrix @ signal(X) + 0.05 * rng.standard_normal(19)
    problem = RadonTVProblem(X, y, 0.01, measurements=matrix)
    solution = solve(problem, tol=1e-8, scope="global")
    assert solution.certificate.relative_gap <= 1e-8
    assert problem.sparsity_bound == 17
    shifted = RidgeSpline(
        solution.network.amplitudes, solution.network.weights, solution.network.biases,
        solution.network.coef, solution.network.intercept + 7.0,
    )  # fmt: skip
    assert problem.objective(shifted) == pytest.approx(solution.certificate.primal, rel=1e-9)


def test_the_rules_average_affine_functions_exactly() -> None:
    rng = np.random.default_rng(0)
    low, high = np.sort(rng.standard_normal((2, 6, 3)), axis=0)
    for measured in (segment_averages(low, high, n_nodes=4), box_averages(low, high, n_nodes=3)):
        assert isinstance(measured, Measured)
        np.testing.assert_allclose(measured.matrix.sum(axis=1), 1.0, rtol=ROUNDING)
        centre = measured.matrix @ measured.points
        np.testing.assert_allclose(centre, 0.5 * (low + high), atol=ROUNDING)
    fine = segment_averages(np.array([[-1.0]]), np.array([[2.0]]), n_nodes=200)
    # The mean of relu over [-1, 2] is 2 / 3.
    assert (fine.matrix @ np.maximum(fine.points[:, 0], 0.0))[0] == pytest.approx(2 / 3, abs=1e-4)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"measurements": np.ones((3, 4))}, "measurements has shape"),
        ({"measurements": np.full((4, 5), np.nan)}, "measurements contains NaN"),
        ({"measurements": sparse.csr_array((4, 5))}, "row 0 of measurements is zero"),
        ({"measurements": np.ones((4, 5)), "cost": "no_bias"}, "measurements need cost"),
        ({"measurements": sparse.csr_array(np.full((4, 5), np.inf))}, "NaN or infinity"),
    ],
)
def test_bad_measurements_are_refused(change: dict[str, object], message: str) -> None:
    rng = np.random.default_rng(0)
    with pytest.raises(ValueError, match=message):
        RadonTVProblem(rng.standard_normal((5, 2)), rng.standard_normal(4), 0.1, **change)


def test_bad_segments_and_boxes_are_refused() -> None:
    with pytest.raises(ValueError, match="starts has shape"):
        segment_averages(np.zeros((2, 2)), np.zeros((3, 2)))
    with pytest.raises(ValueError, match="high is below low in row 1"):
        box_averages(np.zeros((2, 2)), np.array([[1.0, 1.0], [1.0, -1.0]]))
    with pytest.raises(ValueError, match="n_nodes"):
        box_averages(np.zeros((2, 2)), np.ones((2, 2)), n_nodes=0)
