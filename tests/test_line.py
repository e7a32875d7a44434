"""The one-dimensional solver against independent solvers, at easy and at degenerate data."""

from __future__ import annotations

import math
from fractions import Fraction

import cvxpy as cp
import numpy as np
import pytest
from scipy.optimize import minimize
from sklearn.linear_model import Lasso

from radontv.problems.losses import get_loss
from radontv.solvers.line._dual_kernels import local_dual
from radontv.solvers.line._kernels import (
    drop,
    exact_step,
    insert,
    scan,
    solve_knots,
    sum_elements,
)
from radontv.solvers.line.certificate import nodes_with_room
from radontv.solvers.line.interpolation import interpolate_line
from radontv.solvers.line.quadratic import KnotMethod
from radontv.solvers.line.spline_fit import alpha_max_line, solve_line

SQUARED = get_loss("squared")


def second_differences(x):
    """D of (D z)_j = slope change at inner point j."""
    D = np.zeros((max(len(x) - 2, 0), len(x)))
    for j in range(len(x) - 2):
        a, b = 1.0 / (x[j + 1] - x[j]), 1.0 / (x[j + 2] - x[j + 1])
        D[j, j : j + 3] = a, -a - b, b
    return D


def clarabel(x, y, s, alpha, loss="squared"):
    """Least objective by a conic solver; rows may repeat."""
    points, row = np.unique(x, return_inverse=True)
    z = cp.Variable(len(points))
    zi = z[row]
    values = {
        "squared": lambda: 0.5 * cp.multiply(s, cp.square(y - zi)),
        "huber": lambda: cp.multiply(s, 0.5 * cp.huber(y - zi, 1.0)),
        "logistic": lambda: cp.multiply(s, cp.logistic(-cp.multiply(y, zi))),
        "squared_hinge": lambda: 0.5 * cp.multiply(s, cp.square(cp.pos(1 - cp.multiply(y, zi)))),
        "poisson": lambda: cp.multiply(s, cp.exp(zi) - cp.multiply(y, zi)),
        "absolute": lambda: cp.multiply(s, cp.abs(y - zi)),
        "quantile": lambda: 0.5 * cp.multiply(s, cp.abs(y - zi)),
        "hinge": lambda: cp.multiply(s, cp.pos(1 - cp.multiply(y, zi))),
        "epsilon_insensitive": lambda: cp.multiply(s, cp.pos(cp.abs(y - zi) - 0.1)),
    }
    scale = points[-1] - points[0] if len(points) > 1 else 1.0
    penalty = alpha / scale * cp.norm1(second_differences((points - points[0]) / scale) @ z)
    problem = cp.Problem(cp.Minimize(cp.sum(values[loss]()) + (penalty if len(points) > 2 else 0)))
    problem.solve(solver=cp.CLARABEL)
    return float(problem.value)


def data_of(kind, n, rng):
    x = {
        "random": lambda: rng.random(n),
        "grid": lambda: np.arange(n) * 1.0,
        "repeats": lambda: np.round(rng.random(n), 1),
        "clusters": lambda: np.repeat(rng.random(-(-n // 5)), 5)[:n] + 1e-8 * rng.random(n),
        "logarithmic": lambda: 10.0 ** (-8.0 * rng.random(n)),
        "far": lambda: 1e6 + rng.random(n),
    }[kind]()
    s = 10.0 ** (-3.0 * rng.random(n))
    return x, np.sin(9.0 * (x - x.min())) + 0.3 * rng.standard_normal(n), s / s.sum()


def eta(x, q, points):
    """sum_i q_i relu(x_i - x_j) in exact arithmetic."""
    exact = [(Fraction(float(a)), Fraction(float(b))) for a, b in zip(x, q, strict=True)]
    return np.array(
        [float(sum(b * max(a - Fraction(float(t)), 0) for a, b in exact)) for t in points]
    )


KINDS = ["random", "grid", "repeats", "clusters", "logarithmic", "far"]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("fraction", [0.7, 0.1, 1e-3, 1e-6])
def test_gap_is_reached_and_objective_agrees(kind, fraction):
    rng = np.random.default_rng(1)
    x, y, s = data_of(kind, 60, rng)
    alpha = fraction * alpha_max_line(x, y, s)
    fit = solve_line(x, y, s, alpha, SQUARED)
    assert fit.converged
    assert -1e-18 <= fit.relative_gap <= 1e-10
    f = fit.network()(x[:, None])
    direct = 0.5 * s @ (y - f) ** 2 + alpha * fit.rtv
    assert direct == pytest.approx(fit.primal, rel=1e-8)
    assert np.abs(fit.v).max() <= alpha
    if kind in ("random", "grid", "repeats"):
        assert fit.primal == pytest.approx(clarabel(x, y, s, alpha), rel=1e-6)


@pytest.mark.parametrize("kind", KINDS)
def test_dual_point_is_feasible_in_exact_arithmetic(kind):
    rng = np.random.default_rng(2)
    x, y, s = data_of(kind, 40, rng)
    alpha = 0.05 * alpha_max_line(x, y, s)
    fit = solve_line(x, y, s, alpha, SQUARED)
    near = eta(fit.x, fit.q, fit.x)
    size = float(np.abs(fit.q).sum() * (fit.x[-1] - fit.x[0]))
    assert np.abs(near - fit.v).max() <= 1e-14 * size + 1e-10 * alpha
    rows = np.zeros(len(fit.x))
    np.add.at(rows, np.searchsorted(fit.x, x), fit.q_rows)
    assert np.allclose(rows, fit.q, rtol=0, atol=1e-15 * np.abs(fit.q_rows).sum())
    # D by its definition, sum q y - 1/2 sum q^2 / s over the rows.
    dual = fit.q_rows @ (y - y.mean()) - 0.5 * np.sum(fit.q_rows**2 / s)
    assert dual == pytest.approx(fit.dual, rel=1e-9)


def test_gap_bounds_suboptimality_of_every_iterate():
    rng = np.random.default_rng(3)
    for kind in KINDS:
        x, y, s = data_of(kind, 50, rng)
        alpha = 0.01 * alpha_max_line(x, y, s)
        best = solve_line(x, y, s, alpha, SQUARED).primal
        seen = []
        solve_line(x, y, s, alpha, SQUARED, callback=seen.append)
        assert len(seen) >= 2
        for fit in seen:
            assert fit.gap >= fit.primal - best - 1e-13 * best
            assert fit.dual <= best * (1 + 1e-13)
        assert seen[0].gap > 1e-6 * best


def test_callback_and_max_iter_stop_with_a_valid_gap():
    rng = np.random.default_rng(4)
    x, y, s = data_of("random", 300, rng)
    alpha = 1e-4 * alpha_max_line(x, y, s)
    fit = solve_line(x, y, s, alpha, SQUARED, callback=lambda _: True)
    assert fit.iterations == 1 and not fit.converged
    short = solve_line(x, y, s, alpha, SQUARED, max_iter=3)
    full = solve_line(x, y, s, alpha, SQUARED)
    assert short.iterations == 3 and short.gap >= short.primal - full.primal > 0.0


def test_lasso_on_hinges_agrees():
    rng = np.random.default_rng(5)
    x = np.sort(rng.random(60))
    y = np.sin(9 * x) + 0.2 * rng.standard_normal(60)
    s = np.full(60, 1 / 60)
    alpha = 0.05 * alpha_max_line(x, y, s)
    hinges = np.maximum(x[:, None] - x[None, 1:-1], 0.0)
    affine = np.linalg.qr(np.stack([np.ones(60), x], axis=1))[0]
    project = np.eye(60) - affine @ affine.T
    lasso = Lasso(alpha, fit_intercept=False, tol=1e-14, max_iter=1000000)
    lasso.fit(project @ hinges, project @ y)
    residual = project @ (y - hinges @ lasso.coef_)
    value = 0.5 * np.mean(residual**2) + alpha * np.abs(lasso.coef_).sum()
    fit = solve_line(x, y, s, alpha, SQUARED)
    assert fit.dual <= value * (1 + 1e-12)
    assert value == pytest.approx(fit.primal, rel=1e-5)


@pytest.mark.parametrize("n", [1, 2, 3])
@pytest.mark.parametrize(
    "loss", ["squared", "huber", "logistic", "squared_hinge", "poisson", "absolute", "hinge"]
)
def test_tiny_problems(n, loss):
    rng = np.random.default_rng(n)
    x = np.array([0.3, 0.1, 0.7])[:n]
    x, y = np.tile(x, 4), rng.choice([-1.0, 1.0], 4 * n)
    y[:2] = 1.0, -1.0
    if loss == "poisson":
        y = y + 1.0
    s = rng.random(4 * n) + 0.5
    s /= s.sum()
    fit = solve_line(x, y, s, 0.01, get_loss(loss), tol=1e-9)
    constant = float(s @ np.where(y > 0, y * np.log(np.maximum(y, 1)) - y, 0.0))
    constant = constant if loss == "poisson" else 0.0
    reference = clarabel(x, y, s, 0.01, loss) + constant
    assert fit.primal == pytest.approx(reference, rel=1e-5, abs=1e-7)
    assert fit.gap <= 1e-7 * abs(fit.primal) + 1e-12
    assert len(fit.x) == n and fit.v.shape == (n,)
    if n < 3:
        assert fit.rtv == 0.0


def test_closed_form_of_three_points():
    x, y, s = np.array([0.0, 1.0, 2.0]), np.array([0.0, 1.0, 0.0]), np.full(3, 1 / 3)
    assert alpha_max_line(x, y, s) == pytest.approx(1 / 9, rel=1e-14)
    for alpha in (1e-9, 0.01, 0.1):
        fit = solve_line(x, y, s, alpha, SQUARED)
        assert fit.primal == pytest.approx(2 * alpha - 9 * alpha**2, rel=1e-12)
        assert fit.rtv == pytest.approx(2 - 18 * alpha, rel=1e-10)
        assert fit.knots.tolist() == [1]
    assert solve_line(x, y, s, 0.12, SQUARED).rtv == 0.0
    assert solve_line(x, y, s, 0.12, SQUARED).primal == pytest.approx(1 / 9, rel=1e-14)


def test_degenerate_data():
    n = 30
    s = np.full(n, 1 / n)
    rng = np.random.default_rng(6)
    y = rng.standard_normal(n)
    same = solve_line(np.full(n, 2.0), y, s, 0.1, SQUARED)
    assert same.z == pytest.approx([y.mean()]) and same.gap <= 1e-25
    assert same.primal == pytest.approx(0.5 * np.var(y), rel=1e-13)
    x = rng.random(n)
    for level in (0.0, 3.0, 1e8):
        flat = solve_line(x, np.full(n, level), s, 0.1, SQUARED)
        assert flat.rtv == 0.0 and flat.converged
        assert np.allclose(flat.z, level, rtol=1e-15)
    line = solve_line(x, 5.0 - 2.0 * x, s, 1e-3, SQUARED)
    assert line.converged and line.primal <= 1e-16
    alpha = alpha_max_line(x, y, s)
    assert solve_line(x, y, s, alpha * 1.0001, SQUARED).rtv == 0.0
    assert solve_line(x, y, s, alpha * 0.9999, SQUARED).rtv > 0.0


def test_invariances():
    rng = np.random.default_rng(7)
    x, y, s = data_of("random", 80, rng)
    alpha = 0.02 * alpha_max_line(x, y, s)
    fit = solve_line(x, y, s, alpha, SQUARED)
    order = rng.permutation(80)
    shuffled = solve_line(x[order], y[order], s[order], alpha, SQUARED)
    assert np.array_equal(shuffled.z, fit.z)
    assert np.array_equal(shuffled.q_rows, fit.q_rows[order])
    twice = solve_line(np.tile(x, 2), np.tile(y, 2), np.tile(s, 2) / 2, alpha, SQUARED)
    assert twice.primal == pytest.approx(fit.primal, rel=1e-12)
    assert np.allclose(twice.z, fit.z, atol=1e-9)
    moved = solve_line(x, y + 3.0 - 7.0 * x, s, alpha, SQUARED)
    assert moved.primal == pytest.approx(fit.primal, rel=1e-10)
    assert np.allclose(moved.z, fit.z + 3.0 - 7.0 * fit.x, atol=1e-8)
    for gamma in (1e-9, 1e7):
        scaled = solve_line(gamma * x, y, s, gamma * alpha, SQUARED)
        assert scaled.primal == pytest.approx(fit.primal, rel=1e-10)
        assert scaled.rtv == pytest.approx(fit.rtv / gamma, rel=1e-7)
    for c in (1e-30, -5.0, 1e40):
        times = solve_line(x, c * y, s, abs(c) * alpha, SQUARED)
        assert times.primal == pytest.approx(c * c * fit.primal, rel=1e-10)


@pytest.mark.parametrize("n", [2000, 20000])
def test_large_and_hard(n):
    """Contact regions, cycling of block pivots, tiny alpha, sparse and dense solutions."""
    rng = np.random.default_rng(8)
    t = np.arange(n) / n
    s = np.full(n, 1 / n)
    smooth = np.exp(np.sin(12 * t)) * np.sign(np.sin(30 * t))
    signals = (smooth, t**2, rng.standard_normal(n), np.cumsum(np.cumsum(rng.standard_normal(n))),
               (-1.0) ** np.arange(n), rng.standard_cauchy(n))  # fmt: skip
    for y in signals:
        top = alpha_max_line(t, y, s)
        for fraction in (0.5, 1e-2, 1e-4, 1e-6):
            fit = solve_line(t, y, s, fraction * top, SQUARED)
            assert fit.converged and fit.relative_gap <= 1e-10
            assert fit.iterations < 100


def test_wild_weights():
    rng = np.random.default_rng(9)
    x = rng.random(400)
    y = np.sin(9 * x) + 0.1 * rng.standard_normal(400)
    s = 10.0 ** (-12.0 * rng.random(400))
    s /= s.sum()
    for fraction in (0.5, 1e-2, 1e-5):
        alpha = fraction * alpha_max_line(x, y, s)
        fit = solve_line(x, y, s, alpha, SQUARED)
        assert fit.relative_gap <= 1e-10
        assert 0.5 * s @ (y - fit.network()(x[:, None])) ** 2 + alpha * fit.rtv == pytest.approx(
            fit.primal, rel=1e-10
        )


def test_warm_start_saves_rounds_and_changes_nothing():
    rng = np.random.default_rng(10)
    x, y, s = data_of("random", 2000, rng)
    alpha = 1e-4 * alpha_max_line(x, y, s)
    fit = solve_line(x, y, s, alpha, SQUARED)
    again = solve_line(x, y, s, alpha, SQUARED, start=fit)
    assert again.iterations <= 2
    near = solve_line(x, y, s, 0.9 * alpha, SQUARED, start=fit)
    cold = solve_line(x, y, s, 0.9 * alpha, SQUARED)
    assert near.primal == pytest.approx(cold.primal, rel=1e-11)
    assert near.iterations < cold.iterations
    other = solve_line(x[::2], y[::2], s[::2] / s[::2].sum(), alpha, SQUARED, start=fit)
    assert other.converged


CASES = [
    ("huber", 1e-9),
    ("logistic", 1e-9),
    ("squared_hinge", 1e-9),
    ("poisson", 1e-9),
    ("absolute", 1e-7),
    ("quantile", 1e-7),
    ("hinge", 1e-7),
    ("epsilon_insensitive", 1e-7),
]


@pytest.mark.parametrize("loss, accuracy", CASES)
@pytest.mark.parametrize("repeats", [False, True])
def test_other_losses(loss, accuracy, repeats):
    rng = np.random.default_rng(11)
    n = 80
    x = np.round(rng.random(n), 1 if repeats else 6)
    f = np.sin(9 * x)
    y = f + 0.5 * rng.standard_normal(n)
    if loss in ("logistic", "squared_hinge", "hinge"):
        y = np.where(rng.random(n) < 1 / (1 + np.exp(-2 * f)), 1.0, -1.0)
    if loss == "huber":
        y = f + rng.standard_cauchy(n)
    if loss == "poisson":
        y = rng.poisson(np.exp(f)).astype(float)
    s = rng.random(n) + 0.1
    s /= s.sum()
    kind = get_loss(loss)
    for alpha in (0.03, 1e-3):
        fit = solve_line(x, y, s, alpha, kind)
        assert 0.0 <= fit.relative_gap <= accuracy
        shift = float(s @ np.where(y > 0, y * np.log(np.maximum(y, 1)) - y, 0.0))
        reference = clarabel(x, y, s, alpha, loss) + (shift if loss == "poisson" else 0.0)
        assert fit.dual <= reference + 1e-6 * abs(reference)
        assert fit.primal >= reference - 1e-6 * abs(reference)
        # The dual value by its definition, from conjugates.
        by_conjugate = -float(s @ kind.conjugate(y, -fit.q_rows / s))
        assert by_conjugate == pytest.approx(fit.dual, rel=1e-6)
        assert np.abs(eta(x, fit.q_rows, fit.x)).max() <= alpha * (1 + 1e-9)


def test_one_class_is_fitted_whatever_the_weights_add_up_to():
    for seed in range(8):
        rng = np.random.default_rng(seed)
        x, s = rng.standard_normal(12), rng.uniform(0.3, 2.0, 12)
        fit = solve_line(x, np.ones(12), s / s.sum(), 0.3, get_loss("hinge"))
        assert fit.primal <= 1e-12 and fit.rtv <= 1e-12


def test_smooth_gap_bounds_every_newton_iterate():
    rng = np.random.default_rng(12)
    x = rng.random(60)
    y = np.where(rng.random(60) < 0.5 + 0.4 * np.sin(9 * x), 1.0, -1.0)
    s = np.full(60, 1 / 60)
    for name in ("logistic", "squared_hinge", "huber"):
        loss = get_loss(name)
        best = solve_line(x, y, s, 1e-3, loss).primal
        seen = []
        solve_line(x, y, s, 1e-3, loss, callback=seen.append)
        assert len(seen) > 1
        for fit in seen:
            assert fit.gap >= fit.primal - best - 1e-12 * best


def test_alpha_max_of_other_losses():
    rng = np.random.default_rng(13)
    x = rng.random(40)
    y = np.where(rng.random(40) < 0.5 + 0.4 * np.sin(9 * x), 1.0, -1.0)
    s = np.full(40, 1 / 40)
    loss = get_loss("logistic")
    affine = minimize(
        lambda c: s @ loss.value(y, c[0] + c[1] * x), np.zeros(2), method="BFGS", tol=1e-12
    ).x
    q = -s * loss.gradient(y, affine[0] + affine[1] * x)
    order = np.argsort(x)
    direct = max(abs(q[order] @ np.maximum(x[order] - t, 0)) for t in x)
    assert alpha_max_line(x, y, s, loss) == pytest.approx(direct, rel=1e-4)
    top = alpha_max_line(x, y, s, loss)
    assert solve_line(x, y, s, 1.001 * top, loss).rtv == 0.0
    assert solve_line(x, y, s, 0.99 * top, loss).rtv > 0.0
    with pytest.raises(ValueError, match="alpha_max of loss='hinge'"):
        alpha_max_line(x, y, s, get_loss("hinge"))


def test_interpolation():
    rng = np.random.default_rng(14)
    for x in (np.sort(rng.random(30)), np.arange(30.0)):
        y = np.round(3 * rng.standard_normal(30))
        fit = interpolate_line(x, y)
        slopes = np.diff(y) / np.diff(x)
        assert fit.rtv == pytest.approx(np.abs(np.diff(slopes)).sum(), rel=1e-13)
        assert 0.0 <= fit.gap <= 1e-10 * fit.rtv
        assert np.abs(fit.v).max() <= 1.0
        assert fit.q @ y == pytest.approx(fit.dual, rel=1e-9)
        assert np.abs(eta(x, fit.q, x)).max() <= 1 + 1e-9
        assert np.allclose(fit.network()(x[:, None]), y, atol=1e-8)
        assert fit.sparsest().rtv == pytest.approx(fit.rtv, rel=1e-12)
    line = interpolate_line([0.1, 0.2, 0.3, 0.1], [1.1, 1.2, 1.3, 1.1])
    assert line.network().n_neurons == 0 and len(line.x) == 3
    with pytest.raises(ValueError, match="no function meets both"):
        interpolate_line([0.0, 1.0, 1.0], [0.0, 1.0, 2.0])
    assert interpolate_line([1.0], [2.0]).rtv == 0.0


def test_errors_name_argument_and_remedy():
    x, y, s = np.arange(3.0), np.zeros(3), np.full(3, 1 / 3)
    with pytest.raises(ValueError, match="alpha must be finite and > 0, got 0"):
        solve_line(x, y, s, 0.0, SQUARED)
    with pytest.raises(ValueError, match="pass arrays of one length"):
        solve_line(x, y[:2], s, 1.0, SQUARED)
    with pytest.raises(ValueError, match=r"s\[1\] is 0; drop rows"):
        solve_line(x, y, np.array([0.5, 0.0, 0.5]), 1.0, SQUARED)
    with pytest.raises(ValueError, match="y contains NaN"):
        solve_line(x, np.array([0.0, np.nan, 0.0]), s, 1.0, SQUARED)
    with pytest.raises(ValueError, match="targets -1 and 1"):
        solve_line(x, y, s, 1.0, get_loss("logistic"))


def hats(x, knots):
    """Hat functions of the knots at all points, shape (n, n_knots)."""
    return np.stack([np.interp(x, x[knots], row) for row in np.eye(len(knots))], axis=1)


def test_knot_system_and_elements_agree_with_dense_algebra():
    rng = np.random.default_rng(15)
    x, w = np.sort(rng.random(40)), rng.random(40) + 0.1
    b, alpha = rng.standard_normal(40), 0.3
    knots = np.array([0, 5, 6, 20, 33, 39])
    signs = np.array([0.0, 1.0, -1.0, -1.0, 1.0, 0.0])
    elements = sum_elements(x, w, b, knots)
    H, D = hats(x, knots), second_differences(x[knots])
    dense = np.linalg.solve(H.T @ (w[:, None] * H), H.T @ b - alpha * D.T @ signs[1:-1])
    u, kinks = solve_knots(x, knots, signs, elements, alpha)
    assert np.allclose(u, dense, rtol=1e-10)
    assert np.allclose(kinks[1:-1], D @ dense, rtol=1e-8)
    # Knots come and go, the elements follow.
    more = insert(x, w, b, knots, signs, elements, np.array([2, 10, 34]), np.ones(3))
    assert np.allclose(more[2], sum_elements(x, w, b, more[0]), rtol=1e-12)
    marked = np.isin(more[0], [2, 6, 10, 34])
    left = drop(x, *more, marked, np.empty((0, len(marked))))
    kept = np.array([0, 5, 20, 33, 39])
    assert np.array_equal(more[0][:left], kept)
    assert np.allclose(more[2][:left], sum_elements(x, w, b, kept), rtol=1e-12)


def test_scan_agrees_with_sums():
    rng = np.random.default_rng(16)
    x, w = np.sort(rng.random(50)), rng.random(50) + 0.1
    b, alpha = rng.standard_normal(50), 0.02
    knots, signs = np.array([0, 17, 30, 49]), np.array([0.0, 1.0, -1.0, 0.0])
    u, _ = solve_knots(x, knots, signs, sum_elements(x, w, b, knots), alpha)
    q = b - w * np.interp(x, x[knots], u)
    v = np.array([q @ np.maximum(x - t, 0) for t in x])
    assert np.allclose(v[knots], alpha * signs, atol=1e-13)
    new, sides = np.empty(50, np.int64), np.empty(50)
    count, top, value = scan(
        x, w, b, knots, signs, u, alpha, alpha * 1.0001, np.empty(0), new, sides
    )
    above = np.abs(v) > alpha * 1.0001
    assert top == pytest.approx(np.abs(v).max(), rel=1e-10)
    assert value == pytest.approx(0.5 * np.sum(q**2 / w), rel=1e-12)
    assert count > 0 and above[new[:count]].all()
    assert np.array_equal(np.sign(v[new[:count]]), sides[:count])
    # Every point above the threshold has a larger or equal added one in its own run.
    for i in np.flatnonzero(above):
        runs = [j for j in new[:count] if above[min(i, j) : max(i, j) + 1].all()]
        assert any(abs(v[j]) >= abs(v[i]) * (1 - 1e-12) for j in runs)


def test_exact_step_minimises_along_the_line():
    rng = np.random.default_rng(17)
    for _ in range(200):
        start, end = rng.standard_normal(6), rng.standard_normal(6)
        start[rng.random(6) < 0.2] = 0.0
        end = np.where(start == 0.0, np.abs(end), end)
        curvature = rng.random() * 5 + 0.01
        signs = np.where(start == 0.0, 1.0, np.sign(start))

        def along(t, start=start, end=end, curvature=curvature, signs=signs):
            # Derivative at 0 such that t = 1 minimises with these signs.
            kinks = start + t * (end - start)
            slope = -curvature - signs @ (end - start)
            return slope * t + 0.5 * curvature * t * t + np.abs(kinks).sum()

        t, hit = exact_step(start, end, curvature)
        grid = np.linspace(0, 1, 2001)
        assert 0 < t <= 1 + 1e-12
        assert along(t) <= min(along(g) for g in grid) + 1e-9
        if hit >= 0:
            assert abs(start[hit] + t * (end[hit] - start[hit])) <= 1e-12


def test_descent_from_a_vertex_never_rises():
    """The safe half of the method alone also reaches the optimum."""
    rng = np.random.default_rng(18)
    n = 300
    x, w = np.arange(n) / n, np.full(n, 1 / n)
    y = np.exp(np.sin(12 * x)) * np.sign(np.sin(30 * x)) + 0.01 * rng.standard_normal(n)
    alpha = 1e-3 * alpha_max_line(x, y, w)
    method = KnotMethod(x, w, w * y, alpha)
    method.advance(1e-12)
    values = [method.value]
    for _ in range(200):
        last = method.vertex
        if method._found == 0:
            break
        method._add()
        method._descend(last)
        values.append(method._look(1e-12))
    assert np.all(np.diff(values) <= 1e-14)
    fit = solve_line(x, y, w, alpha, SQUARED)
    slope_taken = values[-1]
    assert slope_taken == pytest.approx(fit.primal, rel=1e-9)


def test_local_dual_error_bound_holds_in_exact_arithmetic():
    rng = np.random.default_rng(19)
    for kind in ("random", "clusters", "logarithmic"):
        for nodes in (np.array([0, 9, 25, 39]), np.array([3, 20, 36]), np.array([0, 39])):
            x = np.unique(data_of(kind, 60, rng)[0])[:40]
            r = rng.standard_normal(len(x)) * 10.0 ** rng.integers(-6, 1, len(x))
            nodes = np.minimum(nodes, len(x) - 1)
            targets = rng.standard_normal(len(nodes))
            targets[[0, -1]] = 0.0
            q, v, slack = np.empty_like(x), np.empty_like(x), np.empty(len(nodes))
            top = local_dual(x, r, nodes, targets, q, v, slack)
            exact_q, exact_v = exact_dual(x, r, nodes, targets)
            assert top >= max(abs(e) for e in exact_v)
            assert top <= float(max(abs(e) for e in exact_v)) * (1 + 1e-9) + 1e-12
            for k, node in enumerate(nodes):
                assert abs(Fraction(float(q[node])) - exact_q[node]) <= Fraction(float(slack[k]))
            assert sum(exact_q) == 0
            assert sum(a * Fraction(float(b)) for a, b in zip(exact_q, x, strict=True)) == 0


def exact_dual(x, r, nodes, targets):
    """q and v of `local_dual` in rational arithmetic."""
    X, R = [Fraction(float(t)) for t in x], [Fraction(float(t)) for t in r]
    v, q = [Fraction(0)] * len(X), list(R)
    first, last = int(nodes[0]), int(nodes[-1])

    def left(j):
        return sum((R[i] * (X[j] - X[i]) for i in range(min(j, first))), Fraction(0))

    def right(j):
        return sum((R[i] * (X[i] - X[j]) for i in range(max(j, last) + 1, len(X))), Fraction(0))

    goals = [left(first), *(Fraction(float(t)) for t in targets[1:-1]), right(last)]
    for j in range(first + 1):
        v[j] = left(j)
    for j in range(last, len(X)):
        v[j] = right(j)
    before = sum(R[:first], Fraction(0))
    for k in range(len(nodes) - 1):
        a, c = int(nodes[k]), int(nodes[k + 1])
        moment = sum((R[i] * (X[c] - X[i]) for i in range(a + 1, c)), Fraction(0))
        g = (goals[k + 1] - goals[k] - moment) / (X[c] - X[a])
        q[a] = g - before
        v[a], v[c] = goals[k], goals[k + 1]
        for j in range(a + 1, c):
            inner = sum((R[i] * (X[j] - X[i]) for i in range(a + 1, j)), Fraction(0))
            v[j] = goals[k] + g * (X[j] - X[a]) + inner
        before = g + sum(R[a + 1 : c], Fraction(0))
    q[last] = -sum(R[last + 1 :], Fraction(0)) - before
    return q, v


def test_nodes_move_to_room():
    room = np.ones(10)
    room[[0, 4, 5]] = 0.0
    change = np.array([1e-9, 1e-9, 0.0])
    assert nodes_with_room(np.array([0, 4, 9]), change, room).tolist() == [1, 3, 6, 9]
    assert nodes_with_room(np.array([1, 3, 9]), change, room).tolist() == [1, 3, 9]
    assert math.isfinite(room.sum())
