"""Problems with the price |w|_1, solved and proved."""

from __future__ import annotations

import numpy as np
import pytest
from helpers import (
    AGREE,
    ROUNDING,
    TIGHT,
    assert_certifies,
    assert_solved,
    random_network,
    targets,
    tied_inputs,
)

from radontv.problems import RadonTVProblem, RidgeSpline, Scope
from radontv.problems.losses import LOSSES
from radontv.problems.neuron_cost import L1Norm
from radontv.solvers import Status, path, prove, solve, sparsify
from radontv.solvers.core import Core, Neurons
from radontv.solvers.l1.dictionary import L1Pricing, vertices


def problem(X: np.ndarray, alpha: float, seed: int = 0, **options: object) -> RadonTVProblem:
    """Return a problem with the targets of the other tests and the price |w|_1."""
    y = targets(X, np.random.default_rng(seed))
    return RadonTVProblem(X, y, alpha, cost="l1_norm", **options)  # type: ignore[arg-type]


def lasso(made: RadonTVProblem) -> float:
    """Return the optimal value over all vertices, by a conic solver."""
    cp = pytest.importorskip("cvxpy")
    X = made.X - made.X.mean(axis=0)
    planes = np.concatenate(list(vertices(np.unique(X, axis=0))))
    columns = np.maximum(X @ planes[:, :-1].T - planes[:, -1], 0.0)
    a, c, c0 = cp.Variable(len(planes)), cp.Variable(X.shape[1]), cp.Variable()
    rest = made.y - columns @ a - X @ c - c0
    value = 0.5 * cp.sum(cp.multiply(made.s, cp.square(rest))) + made.alpha * cp.norm1(a)
    program = cp.Problem(cp.Minimize(value))
    options = {f"tol_{name}": 1e-12 for name in ("gap_abs", "gap_rel", "feas")}
    program.solve(solver="CLARABEL", **options)
    return float(program.value)


@pytest.mark.parametrize(("n", "d"), [(8, 1), (8, 2), (8, 3), (6, 3), (5, 4)])
@pytest.mark.parametrize("share", [0.02, 0.3])
def test_solver_agrees_with_the_lasso_over_all_vertices(n: int, d: int, share: float) -> None:
    X = np.random.default_rng(10 * n + d).standard_normal((n, d))
    made = problem(X, 1.0)
    if (largest := made.alpha_max()) < 1e-12:
        pytest.skip("affine targets")
    made = made.with_alpha(share * largest)
    solution = solve(made, tol=1e-9, scope="global")
    assert_solved(made, solution, 1e-9)
    assert solution.certificate.scope is Scope.GLOBAL
    assert solution.certificate.primal == pytest.approx(lasso(made), rel=1e-8)


@pytest.mark.parametrize("kind", ["grid", "duplicates", "collinear", "flat", "binary"])
def test_ties_and_flat_inputs(kind: str) -> None:
    X = tied_inputs(kind, 14, 3)
    made = problem(X, 0.01, 1)
    solution = solve(made, tol=1e-8, scope="global")
    assert_solved(made, solution, 1e-8)
    if kind != "duplicates":
        assert solution.certificate.primal == pytest.approx(lasso(made), rel=1e-7)


def test_one_feature_is_the_rtv_problem() -> None:
    X = np.random.default_rng(0).standard_normal((30, 1))
    made = problem(X, 0.003)
    plain = RadonTVProblem(X, made.y, 0.003)
    assert made.alpha_max() == pytest.approx(plain.alpha_max(), rel=1e-12)
    one, two = (solve(p, tol=TIGHT, scope="global") for p in (made, plain))
    assert one.certificate.primal == pytest.approx(two.certificate.primal, rel=AGREE)


@pytest.mark.parametrize("d", [2, 3])
def test_l2_norms_sandwich_the_value(d: int) -> None:
    X = np.random.default_rng(d).standard_normal((25, d))
    made = problem(X, 0.004)
    value = solve(made, tol=TIGHT, scope="global").certificate.primal
    low, high = (
        solve(RadonTVProblem(X, made.y, 0.004 * k), tol=TIGHT, scope="global").certificate.primal
        for k in (1.0, np.sqrt(d))
    )
    assert low < value * (1 - 1e-3)
    assert value < high * (1 - 1e-3)


def test_invariances() -> None:
    rng = np.random.default_rng(0)
    X = rng.standard_normal((24, 3))
    made = problem(X, 0.004)

    def value(X: np.ndarray, y: np.ndarray, alpha: float, s: np.ndarray | None = None) -> float:
        other = RadonTVProblem(X, y, alpha, sample_weight=s, cost="l1_norm")
        return solve(other, tol=TIGHT, scope="global").certificate.primal

    base = value(X, made.y, 0.004)
    assert value(X[:, [2, 0, 1]], made.y, 0.004) == pytest.approx(base, rel=AGREE)
    assert value(X * [1.0, -1.0, -1.0] + 5.0, made.y, 0.004) == pytest.approx(base, rel=AGREE)
    assert value(1e3 * X, made.y, 4.0) == pytest.approx(base, rel=AGREE)
    assert value(1e-5 * X, made.y, 4e-8) == pytest.approx(base, rel=AGREE)
    assert value(X, 100.0 * made.y, 0.4) == pytest.approx(1e4 * base, rel=AGREE)
    assert value(X, made.y + X @ [1.0, 2.0, 3.0] - 7.0, 0.004) == pytest.approx(base, rel=AGREE)
    weights = rng.integers(0, 3, size=24)
    rows = np.repeat(np.arange(24), weights)
    weighted = value(X, made.y, 0.004, weights.astype(float))
    assert value(X[rows], made.y[rows], 0.004) == pytest.approx(weighted, rel=AGREE)
    # A constant feature is free of charge and of use.
    constant = np.column_stack([X, np.full(24, 1 / 3)])
    assert value(constant, made.y, 0.004) == pytest.approx(base, rel=AGREE)
    turn = np.linalg.qr(rng.standard_normal((3, 3)))[0]
    assert abs(value(X @ turn, made.y, 0.004) / base - 1.0) > 1e-3


def test_constant_features_have_weight_zero_and_networks_come_back() -> None:
    X = np.random.default_rng(1).standard_normal((20, 2))
    X = np.column_stack([X[:, 0], np.full(20, 0.1), X[:, 1]])
    X[::2, 1] += 1e-17
    made = problem(X, 0.002)
    assert made.reduction.rank == 2
    solution = solve(made, tol=TIGHT, scope="global")
    network = solution.network
    assert network.n_neurons > 0
    assert not network.weights[:, 1].any()
    core = Core.of(made)
    neurons = core.from_network(made.reduction.lower_network(network))
    assert np.allclose(np.abs(neurons.planes[:, :-1]).sum(axis=1), 1.0)
    assert neurons.amplitude.sum() * core.alpha * made.reduction.y_scale**2 == pytest.approx(
        made.alpha * made.penalty(network), rel=ROUNDING
    )
    back = made.reduction.raise_network(core.to_network(neurons))
    assert np.abs(back(X) - network(X)).max() <= 1e-10


def test_gaps_bound_the_suboptimality() -> None:
    X = np.random.default_rng(0).standard_normal((25, 3))
    made = problem(X, 0.004)
    best = solve(made, tol=TIGHT, scope="global").certificate
    for seed in range(4):
        network = random_network(3, 4, seed)
        proof = prove(made, network)
        assert proof.scope is Scope.GLOBAL
        assert proof.dual <= best.primal * (1 + ROUNDING)
        assert best.dual <= proof.primal
        assert_certifies(made, network, proof)
    for rounds in (1, 2, 4):
        early = solve(made, scope="global", max_rounds=rounds, time_limit=60)
        assert early.certificate.dual <= best.primal * (1 + ROUNDING)
        assert early.certificate.primal >= best.dual
    # A network of price 0 that only looks optimal: relu(t) - relu(-t) = t.
    pair = RidgeSpline(
        [1.0, -1.0], np.array([[0.6, 0.8, 0], [-0.6, -0.8, 0]]), [0.1, -0.1], [0, 0, 0]
    )
    assert made.penalty(pair) == 0.0


def test_above_alpha_max_the_optimum_is_affine() -> None:
    X = np.random.default_rng(0).standard_normal((25, 3))
    largest = problem(X, 1.0).alpha_max()
    above = solve(problem(X, 1.0001 * largest), scope="global", tol=1e-8)
    assert above.network.n_neurons == 0
    assert above.certificate.relative_gap <= 1e-8
    below = solve(problem(X, 0.99 * largest), scope="global", tol=1e-8)
    assert below.network.n_neurons > 0
    few = problem(np.random.default_rng(0).standard_normal((3, 4)), 0.1)
    assert solve(few, scope="global").network.n_neurons == 0


def test_path_warm_starts_and_sparsify() -> None:
    X = np.random.default_rng(4).standard_normal((30, 3))
    made = problem(X, 1.0)
    solutions = path(made, 5, eps=0.01, tol=1e-7, scope="global")
    assert solutions[0].network.n_neurons == 0
    assert all(s.certificate.relative_gap <= 1e-7 for s in solutions)
    last = solutions[-1]
    here = made.with_alpha(last.certificate.alpha)
    again = solve(here, tol=1e-6, warm_start=last.network)
    assert again.n_iter == 0
    network = RidgeSpline(
        np.concatenate([last.network.amplitudes, 1e-3 * np.ones(40)]),
        np.concatenate([last.network.weights, random_network(3, 40, 0).weights]),
        np.concatenate([last.network.biases, np.zeros(40)]),
        last.network.coef,
        last.network.intercept,
    )
    sparse = sparsify(here, network)
    assert sparse.n_neurons <= here.sparsity_bound
    assert here.penalty(sparse) <= here.penalty(network) * (1 + ROUNDING)
    assert here.objective(here.refit_affine(sparse)) <= here.objective(network) * (1 + 1e-10)


@pytest.mark.parametrize("loss", sorted(LOSSES))
def test_all_losses(loss: str) -> None:
    rng = np.random.default_rng(0)
    X = rng.standard_normal((25, 2))
    f = targets(X, rng)
    y = f
    if loss in ("logistic", "hinge", "squared_hinge"):
        y = np.where(f + 0.5 * rng.standard_normal(25) > f.mean(), 1.0, -1.0)
    if loss == "poisson":
        y = rng.poisson(np.exp(f)).astype(float)
    made = RadonTVProblem(X, y, 1.0, loss=loss, cost="l1_norm")
    if np.isfinite(largest := made.alpha_max()):
        made = made.with_alpha(0.1 * largest)
    solution = solve(made, tol=1e-6, scope="global", time_limit=60)
    assert solution.status is Status.SOLVED
    assert solution.certificate.scope is Scope.GLOBAL
    assert_certifies(made, solution.network, solution.certificate)
    plain = solve(RadonTVProblem(X, y, made.alpha, loss=loss), tol=1e-6, scope="global").certificate
    assert plain.dual <= solution.certificate.primal * (1 + 1e-12)


def test_features_that_do_not_matter_are_left_out() -> None:
    rng = np.random.default_rng(0)
    X = rng.standard_normal((80, 6))
    y = np.abs(X[:, 0]) + np.maximum(X[:, 1] - 0.3, 0.0) + 0.02 * rng.standard_normal(80)
    made = RadonTVProblem(X, y, 1.0, cost=L1Norm())
    made = made.with_alpha(0.1 * made.alpha_max())
    network = solve(made, tol=1e-6).network
    used = np.abs(network.weights) > 0.0
    share = np.abs(network.amplitudes) @ np.abs(network.weights) / np.abs(network.amplitudes).sum()
    assert share[2:].sum() < 0.1
    assert np.median(used.sum(axis=1)) <= 2
    assert np.median(used[:, 2:].sum(axis=1)) == 0
    plain = RadonTVProblem(X, y, 1.0)
    plain = plain.with_alpha(0.1 * plain.alpha_max())
    assert (solve(plain, tol=1e-4).network.weights != 0.0).all()


def test_neurons_are_vertices() -> None:
    X = np.random.default_rng(0).standard_normal((40, 4))
    made = problem(X, 0.002)
    network = solve(made, tol=1e-7).network
    on = np.abs(X @ network.weights.T - network.biases) <= 1e-9
    assert (on.sum(axis=0) == (network.weights != 0.0).sum(axis=1)).all()
    assert ((network.weights != 0.0).sum(axis=1) < 4).any()


def test_sixty_points_in_five_dimensions_to_one_in_a_million() -> None:
    X = np.random.default_rng(65).standard_normal((60, 5))
    solution = solve(problem(X, 0.5 / 60), tol=1e-6)
    assert solution.certificate.relative_gap <= 1e-6


def test_results_do_not_depend_on_threads() -> None:
    X = np.random.default_rng(5).standard_normal((50, 4))
    made = problem(X, 0.005)
    one, two = (solve(made, tol=1e-7, n_jobs=jobs).network for jobs in (1, 2))
    assert one == two
    core = Core.of(made)
    found = L1Pricing(core).search(core.state(Neurons.none(4)).q, Neurons.none(4), 32)
    assert (np.diff(found.values) <= 1e-15).all()


def test_options_that_do_not_go_with_it_are_refused() -> None:
    X = np.random.default_rng(0).standard_normal((10, 2))
    with pytest.raises(ValueError, match="clarabel"):
        solve(problem(X, 0.1), master="clarabel")
    with pytest.raises(ValueError, match="measurements need cost='free_bias'"):
        problem(X, 0.1, measurements=np.eye(10))
    with pytest.raises(ValueError, match="skip='none' needs"):
        problem(X, 0.1, skip="none")
    assert problem(X, 0.1).digest != RadonTVProblem(X, problem(X, 0.1).y, 0.1).digest
