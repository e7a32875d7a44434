"""The solver of order m: gaps, known values, invariances, degenerate data, bad input."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from power_cases import ORDERS, data, problem, random_spline

from radontv.problems import RadonTVProblem, RidgeSpline, Scope, losses
from radontv.problems.higher_order import HigherOrderProblem
from radontv.problems.power.polynomials import Polynomial, all_exponents
from radontv.problems.power.spline import PowerSpline, truncated_power
from radontv.solvers import Status, solve
from radontv.solvers.core import Neurons
from radontv.solvers.power.core import PowerCore, lower_spline
from radontv.solvers.power.driver import solve_higher_order
from radontv.solvers.power.merging import cluster, sparsify_power
from radontv.solvers.power.proof import bound_power_sup, raise_bound
from radontv.solvers.power.slide import _model, _state, slide

# The solver.


@pytest.mark.parametrize("order", (3, 4))
@pytest.mark.parametrize("d", (1, 2, 3, 5))
@pytest.mark.parametrize("fraction", (0.3, 0.01))
def test_gap_is_reached(order: int, d: int, fraction: float) -> None:
    P = problem(order, fraction, n=100, d=d)
    scope = "global" if d <= 3 else "local"
    found = solve_higher_order(P, tol=1e-6, scope=scope, time_limit=60)
    assert found.status is Status.SOLVED, found
    assert found.certificate.relative_gap <= 1e-6
    assert found.certificate.primal == P.objective(found.network)
    assert 0 < found.network.n_neurons <= P.sparsity_bound
    assert P.sparsity_bound == 100 - len(all_exponents(d, order - 1))


def test_order_two_is_solved_as_relu() -> None:
    P = problem(2, 0.05)
    found = solve_higher_order(P, scope="global")
    plain = solve(RadonTVProblem(P.X, P.y, P.alpha), scope="global")
    assert found.certificate.primal == pytest.approx(plain.certificate.primal, rel=1e-12)
    assert found.certificate.gap == pytest.approx(plain.certificate.gap, rel=1e-3, abs=1e-12)
    assert found.status is Status.SOLVED and found.certificate.scope is Scope.GLOBAL


@pytest.mark.parametrize("order", (3, 4))
def test_a_lasso_on_a_grid_of_knots_is_above_and_close(order: int) -> None:
    cp = pytest.importorskip("cvxpy")
    P = problem(order, 0.05, n=40, d=1)
    found = solve_higher_order(P, tol=1e-9, scope="global").certificate
    knots = np.linspace(P.X.min(), P.X.max(), 302)[1:-1]
    B = P.affine.columns
    columns = truncated_power(P.X - knots, order)
    columns -= B @ (B.T @ (P.s[:, None] * columns))
    rest = P.y - B @ (B.T @ (P.s * P.y))
    scale = np.sqrt(P.s)
    a = cp.Variable(len(knots))
    fit = cp.multiply(scale, rest - columns @ a)
    # Data of the order of one, or the conic solver loses digits.
    unit = 0.5 * float(P.s @ rest**2)
    value = 0.5 * cp.sum_squares(fit) / unit + P.alpha / unit * cp.norm1(a)
    lasso = unit * cp.Problem(cp.Minimize(value)).solve(solver=cp.CLARABEL)
    assert found.dual <= lasso * (1 + 1e-7)
    assert lasso <= found.primal * (1 + 1e-3)


@pytest.mark.parametrize(("order", "top"), ((2, 1.0), (3, 0.75), (4, 2 / 3)))
def test_closed_form_of_m_plus_one_points(order: int, top: float) -> None:
    # All dual points are multiples of the m-th difference, and eta is the cardinal B-spline.
    x = np.arange(order + 1.0)
    q = {2: [1, -2, 1], 3: [-1, 3, -3, 1], 4: [1, -4, 6, -4, 1]}[order] * np.ones(order + 1)
    y = np.random.default_rng(6).normal(size=order + 1)
    kappa, size = float(q @ y), float((order + 1) * (q @ q))
    P = HigherOrderProblem(x[:, None], y, 1.0, order=order)
    assert P.alpha_max() == pytest.approx(top * abs(kappa) / size, rel=1e-12)
    for fraction in (0.5, 0.01, 1.5):
        alpha = fraction * top * abs(kappa) / size
        tau = np.clip(kappa / size, -alpha / top, alpha / top)
        found = solve_higher_order(P.with_alpha(alpha), tol=1e-10, scope="global")
        assert found.certificate.primal == pytest.approx(
            tau * kappa - 0.5 * tau**2 * size, rel=1e-9
        )
        penalty = max(abs(kappa) - size * alpha / top, 0.0) / top
        assert found.network.penalty == pytest.approx(penalty, rel=1e-6, abs=1e-12)
        assert found.network.n_neurons <= P.sparsity_bound == 1


@pytest.mark.parametrize("order", (3, 4))
def test_few_knots_are_found_again(order: int) -> None:
    x = np.linspace(-1, 1, 80)[:, None]
    a, b = np.array([1.0, -2.0, 1.5]), np.array([-0.55, 0.03, 0.52])
    poly = Polynomial.affine(np.array([0.3]), -1.0)
    truth = PowerSpline(a, np.ones((3, 1)), b, poly, order)
    P = HigherOrderProblem(x, truth(x), 1.0, order=order)
    P = P.with_alpha(1e-5 * P.alpha_max())
    found = solve_higher_order(P, tol=1e-6, scope="global")
    assert found.status is Status.SOLVED
    assert found.certificate.primal <= P.objective(truth) * (1 + 1e-9)
    assert found.network.penalty <= truth.penalty
    assert found.network.penalty == pytest.approx(truth.penalty, rel=0.02)
    top = found.network.merged()
    for amplitude, bias in zip(a, b, strict=True):
        near = np.abs(top.biases * top.weights[:, 0] - bias) < 0.1
        assert top.amplitudes[near].sum() == pytest.approx(amplitude, rel=0.1)


@pytest.mark.parametrize("order", (3, 4))
def test_invariances(order: int) -> None:
    P = problem(order, 0.05, n=40)
    tight = {"tol": 1e-9}
    best = solve_higher_order(P, **tight).certificate.primal
    rng = np.random.default_rng(7)
    turn = np.linalg.qr(rng.normal(size=(2, 2)))[0]
    shuffle = rng.permutation(40)
    weights = rng.integers(1, 4, size=40)
    weighted = replace(P, sample_weight=weights)
    repeated = HigherOrderProblem(
        np.repeat(P.X, weights, axis=0), np.repeat(P.y, weights), P.alpha, order=order
    )
    wide, curved = P.X @ np.array([[0.6, 0, 0.8], [0, 1, 0]]), 3 * P.X[:, 0] ** (order - 1)
    far, more = np.vstack([P.X, [[9.0, 9.0]]]), np.append(P.y, 50.0)
    present = np.append(np.ones(40), 0.0)
    changed = {
        "rigid": {"X": P.X @ turn + [3.0, -1.0]},
        "permuted": {"X": P.X[shuffle], "y": P.y[shuffle]},
        "scaled": {"X": 7 * P.X, "alpha": 7.0 ** (order - 1) * P.alpha},
        "shifted": {"y": P.y + curved},
        "zero weight": {"X": far, "y": more, "sample_weight": present},
        "wide": {"X": wide},
    }
    same = {name: replace(P, **fields) for name, fields in changed.items()}
    for name, other in same.items():
        value = solve_higher_order(other, **tight).certificate.primal
        assert value == pytest.approx(best, rel=1e-8), name
    values = [
        solve_higher_order(other, **tight).certificate.primal for other in (weighted, repeated)
    ]
    assert values[0] == pytest.approx(values[1], rel=1e-8)
    scaled = replace(P, y=5 * P.y, alpha=5 * P.alpha)
    assert solve_higher_order(scaled, **tight).certificate.primal == pytest.approx(
        25 * best, rel=1e-8
    )


@pytest.mark.parametrize("order", (3, 4))
@pytest.mark.parametrize("loss", ("logistic", "squared_hinge", "huber", "poisson"))
def test_other_smooth_losses(order: int, loss: str) -> None:
    rng = np.random.default_rng(8)
    X = rng.normal(size=(60, 2))
    y = np.sign(X[:, 0] + rng.normal(size=60))
    if loss == "poisson":
        y = rng.poisson(np.exp(X[:, 0])) * 1.0
    kind = losses.HuberLoss(delta=0.3) if loss == "huber" else loss
    P = HigherOrderProblem(X, y, 1.0, order=order, loss=kind)
    P = P.with_alpha(0.1 * P.alpha_max())
    found = solve_higher_order(P, scope="global", time_limit=30)
    assert found.status is Status.SOLVED, found
    assert found.network.n_neurons > 0


@pytest.mark.parametrize("order", (3, 4))
def test_degenerate_data(order: int) -> None:
    rng = np.random.default_rng(9)
    grid = np.array(np.meshgrid(range(6), range(6))).reshape(2, -1).T * 1.0
    line = np.outer(np.linspace(0, 1, 30), [1.0, 2.0])
    cloud = rng.normal(size=(20, 2))
    for X in (
        grid,
        line,
        np.column_stack([line[:, 0], np.full(30, 3.0)]),
        np.repeat(cloud, 2, axis=0),
        np.concatenate([cloud, cloud + 1e-9]),
        cloud * [1e-4, 1e5],
        cloud * 1e30,
        np.ones((5, 2)),
        cloud[:3],
        cloud[:1],
    ):
        P = HigherOrderProblem(X, rng.normal(size=len(X)), 1.0, order=order)
        top = P.alpha_max()
        P = P.with_alpha(0.1 * top if top > 0 else 0.1)
        found = solve_higher_order(P, scope="global", time_limit=20)
        assert found.status is Status.SOLVED, (X[:3], found)
        assert found.network.n_neurons <= P.sparsity_bound or P.sparsity_bound <= 0
    constant = HigherOrderProblem(cloud, np.full(20, 2.0), 0.1, order=order)
    assert solve_higher_order(constant, scope="global").status is Status.SOLVED


def test_residuals_at_the_ends_of_the_domain_where_polynomials_fit_anything() -> None:
    # eta is 0: nothing but the domain of l* limits the dual point.
    x = np.array([[0.0], [0.0], [1.0], [2.0], [2.0]])
    for seed in range(5):
        y = np.random.default_rng(seed).standard_normal(5)
        hard = HigherOrderProblem(x, y, 0.2, order=3, loss=losses.HuberLoss(0.1))
        solution = solve_higher_order(hard, scope="global")
        assert solution.status.solved and solution.network.n_neurons == 0, str(solution)


@pytest.mark.parametrize("order", (3, 4))
def test_sliding_uses_the_derivatives_of_the_objective(order: int) -> None:
    P = problem(order)
    core = PowerCore.of_problem(P)
    neurons = lower_spline(P, core, random_spline(order, 2, size=3))
    z = neurons.planes * neurons.amplitude[:, None] ** (1 / core.degree)
    state = _state(core, neurons.sign, z)
    gradient, H = _model(core, neurons.sign, z, state)
    for k in range(z.size):
        step = np.zeros(z.size)
        step[k] = 1e-5
        up, down = (_state(core, neurons.sign, z + t * step.reshape(z.shape)) for t in (1, -1))
        assert (up.value - down.value) / 2e-5 == pytest.approx(gradient[k], rel=1e-6, abs=1e-8)
        g_up = _model(core, neurons.sign, z + step.reshape(z.shape), up)[0]
        g_down = _model(core, neurons.sign, z - step.reshape(z.shape), down)[0]
        assert np.allclose((g_up - g_down) / 2e-5, H[k], rtol=1e-4, atol=1e-5 * np.abs(H).max())
    moved = slide(core, neurons, 50)
    assert core.state(moved).value < core.state(neurons).value


@pytest.mark.parametrize("order", (3, 4))
def test_sparsify_keeps_the_fit(order: int) -> None:
    P = problem(order, n=20)
    f = random_spline(order, 2, size=60)
    before = P.refit_polynomial(f)
    after = sparsify_power(P, f)
    assert after.n_neurons <= P.sparsity_bound < f.n_neurons
    assert np.allclose(after(P.X), before(P.X), atol=1e-8 * np.abs(before(P.X)).max())
    assert after.penalty <= f.penalty * (1 + 1e-9)


@pytest.mark.parametrize("order", (3, 4))
def test_clusters_respect_parity(order: int) -> None:
    core = PowerCore.of_problem(problem(order))
    plane = np.array([0.6, 0.8, 0.3])
    for antipode, count in (((-1.0) ** order, 1), (-((-1.0) ** order), 2)):
        pair = Neurons(np.array([1.0, antipode]), np.ones(2), np.array([plane, -plane - 1e-4]))
        assert len(cluster(core, pair, 1e-2)) == count


@pytest.mark.parametrize("order", ORDERS)
def test_bounds_are_raised_to_the_units_of_the_data(order: int) -> None:
    X, y = data(40)
    P = HigherOrderProblem(37.0 * X + 5.0, 11.0 * y, 1.0, order=order)
    q = P.dual_point(random_spline(order, 2))
    core = PowerCore.of_problem(P)
    found = bound_power_sup(core, P.reduction.reduce_dual(q), 0.0, stop_at_violation=False)
    raised = raise_bound(P, found.bound, q)
    rng = np.random.default_rng(13)
    W = rng.normal(size=(20000, 2))
    W /= np.linalg.norm(W, axis=1, keepdims=True)
    b = np.sum(P.X[rng.integers(40, size=20000)] * W, axis=1) + 3.0 * rng.normal(size=20000)
    sampled = np.abs(P.eta(q, W, b)).max()
    assert sampled <= raised <= 1.05 * sampled


def test_limits_and_warm_start() -> None:
    P = problem(3, 0.01)
    full = solve_higher_order(P)
    again = solve_higher_order(P, warm_start=full.network)
    assert again.n_iter <= 1 and again.certificate.relative_gap <= 1e-6
    few = solve_higher_order(P, max_neurons=2)
    assert few.network.n_neurons <= 2 and few.status is Status.MAX_NEURONS
    assert few.certificate.gap >= few.certificate.primal - full.certificate.primal
    assert solve_higher_order(P, max_neurons=0).network.n_neurons == 0
    one = solve_higher_order(P, max_rounds=1)
    assert one.status is Status.MAX_ROUNDS
    late = solve_higher_order(P, scope="global", time_limit=1e-6)
    assert late.status is Status.TIME_LIMIT and late.certificate.scope is Scope.GLOBAL
    assert late.certificate.dual <= full.certificate.primal
    assert solve_higher_order(P, callback=lambda event: True).status is Status.INTERRUPTED
    values = [event.primal for event in full.history]
    assert all(b <= a for a, b in pairwise(values))
    threads = solve_higher_order(P, n_jobs=2)
    assert threads.certificate == solve_higher_order(P, n_jobs=1).certificate


def test_digest_tells_problems_apart() -> None:
    P = problem(3)
    assert P.digest == replace(P).digest
    digests = {P.digest, replace(P, order=4).digest, P.with_alpha(2 * P.alpha).digest}
    assert len(digests | {replace(P, loss="huber").digest}) == 4


def test_bad_input() -> None:
    X, y = data(20)
    for order in (1, 5, 0):
        with pytest.raises(ValueError, match="order must be 2"):
            HigherOrderProblem(X, y, 0.1, order=order)
    with pytest.raises(TypeError, match="order"):
        HigherOrderProblem(X, y, 0.1, order=2.5)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="-1 and 1"):
        HigherOrderProblem(X, y, 0.1, loss="hinge")
    with pytest.raises(ValueError, match="rescale"):
        HigherOrderProblem(X * 1e80, y, 0.1, order=4)
    with pytest.raises(ValueError, match="vanish"):
        HigherOrderProblem(X * 1e-80, y, 0.1, order=4)
    with pytest.raises(ValueError, match="same number of rows"):
        HigherOrderProblem(X, y[:-1], 0.1)
    wide = np.random.default_rng(0).normal(size=(60, 55))
    with pytest.raises(ValueError, match="monomials"):
        HigherOrderProblem(wide, np.ones(60), 0.1, order=4).polynomial_fit()
    P = HigherOrderProblem(X, y, 0.1)
    with pytest.raises(ValueError, match="order 4"):
        P.objective(random_spline(4, 2))
    with pytest.raises(TypeError, match="PowerSpline"):
        P.objective(RidgeSpline.affine(np.zeros(2)))  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="scope"):
        solve_higher_order(P, scope="everywhere")
    with pytest.raises(TypeError, match="HigherOrderProblem"):
        solve_higher_order(RadonTVProblem(X, y, 0.1))  # type: ignore[arg-type]
    # A parabola separates what no affine function does.
    ring = np.where((X**2).sum(axis=1) > 1.0, 1.0, -1.0)
    with pytest.raises(ValueError, match="polynomial of degree 2"):
        solve_higher_order(HigherOrderProblem(X, ring, 0.1, loss="logistic"))
    with pytest.raises(ValueError, match="length"):
        PowerSpline(np.ones(1), np.ones((1, 2)), np.zeros(1), Polynomial.zero(2), 3)
    with pytest.raises(ValueError, match="degree"):
        PowerSpline.of_polynomial(random_spline(4, 2).polynomial, 3)
