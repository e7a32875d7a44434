"""Losses with kinks and constraints for splines of order m, against linear programs."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from math import factorial, inf
from typing import Any

import numpy as np
import pytest
from power_cases import random_spline
from scipy.optimize import linprog

from radontv.problems import HigherOrderProblem, RadonTVProblem, Scope, losses
from radontv.problems.affine_fit import fit_smooth
from radontv.problems.power.polynomials import all_exponents
from radontv.problems.power.spline import PowerSpline
from radontv.solvers import Status, prove, solve, verify
from radontv.solvers.core import Neurons
from radontv.solvers.power.core import PowerCore, lower_spline
from radontv.solvers.power.proof import search_power_sup
from radontv.solvers.power.restoration import meet_constraints
from radontv.solvers.power.slide import slide

FINITE: list[Any] = [
    losses.AbsoluteLoss(),
    losses.QuantileLoss(0.3),
    losses.EpsilonInsensitiveLoss(0.1),
    losses.HingeLoss(),
]
BANDS: list[Any] = [losses.InterpolationLoss(), losses.TubeLoss(0.1)]
EVERY = pytest.mark.parametrize("loss", FINITE + BANDS, ids=lambda loss: loss.key)
EVERY_FINITE = pytest.mark.parametrize("loss", FINITE, ids=lambda loss: loss.key)
EVERY_BAND = pytest.mark.parametrize("loss", BANDS, ids=lambda loss: loss.key)
ORDERS = pytest.mark.parametrize("order", (3, 4))
TOL, AGREE = 1e-6, 2e-6


def case(loss: Any, order: int, d: int, seed: int = 0, share: float = 0.1) -> HigherOrderProblem:
    """Return a problem with random weights; two rows repeat where constraints allow it."""
    n, rng = 10 + 6 * d, np.random.default_rng(seed)
    X = rng.uniform(-1.0, 1.0, size=(n, d))
    if d == 1:
        # Knots that nearly meet would only test the conditioning.
        X = np.linspace(-1.0, 1.0, n)[:, None] + 0.3 / n * rng.uniform(-1.0, 1.0, (n, 1))
    y = np.sin(4.0 * X[:, 0]) + np.abs(X[:, -1]) + 0.1 * rng.standard_normal(n)
    if loss.name == "hinge":
        y = np.where(np.sin(6.0 * X[:, 0]) + 0.5 * rng.standard_normal(n) > 0.0, 1.0, -1.0)
    X[-2:] = X[:2]
    if loss.name in ("interpolation", "tube"):
        y[-2:] = y[:2] + (0.05 if loss.name == "tube" else 0.0)
    problem = HigherOrderProblem(X, y, 3e-3, order, loss, rng.uniform(0.3, 2.0, n))
    return problem if loss in BANDS else problem.with_alpha(share * problem.alpha_max())


def pieces(loss: Any, y: np.ndarray) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return slopes and values at 0 of the affine functions of z whose largest is the loss."""
    one = np.ones_like(y)
    if loss.name == "hinge":
        return [(-y, one), (0 * y, 0 * y)]
    if loss.name == "epsilon_insensitive":
        return [(-one, y - loss.epsilon), (one, -y - loss.epsilon), (0 * y, 0 * y)]
    low, high = {"absolute": (-1.0, 1.0)}.get(loss.name) or (loss.quantile - 1.0, loss.quantile)
    return [(-high * one, high * y), (-low * one, low * y)]


def dictionary_value(P: HigherOrderProblem, planes: np.ndarray) -> float:
    """Return the optimum over given atoms: a linear program."""
    order, p = P.order, P.order - 1
    live = P.s > 0
    X, y, s = P.X[live], P.y[live], P.s[live]
    Psi = np.maximum(X @ planes[:, :-1].T - planes[:, -1], 0.0) ** p / factorial(p)
    V = np.stack([np.prod(X**e, axis=1) for e in all_exponents(P.n_features, order - 1)], axis=1)
    V, sigma = np.linalg.svd(V, full_matrices=False)[:2]
    V = V[:, sigma > 1e-9 * sigma[0]]
    Psi = Psi - V @ (V.T @ Psi)
    unit = np.abs(Psi).max(axis=0, initial=0.0)
    # Nearly polynomials on the data: they would spoil the scaling, and help no fit.
    live = unit > 1e-4 * unit.max(initial=0.0)
    Psi, unit = Psi[:, live] / unit[live], unit[live]
    K, r, n = Psi.shape[1], V.shape[1], len(y)
    fit = np.hstack([Psi, -Psi, V])
    price = np.concatenate([P.alpha / unit, P.alpha / unit, np.zeros(r)])
    if hasattr(P.loss, "radius"):
        upper, bound = np.vstack([fit, -fit]), np.concatenate([y, -y]) + P.loss.radius
        cost = price
    else:
        rows = [(k[:, None] * fit, v) for k, v in pieces(P.loss, y)]
        upper = np.vstack([np.hstack([a, -np.eye(n)]) for a, _ in rows])
        bound, cost = -np.concatenate([v for _, v in rows]), np.concatenate([price, s])
    free = [(0.0, None)] * (2 * K) + [(None, None)] * r + [(None, None)] * (len(cost) - 2 * K - r)
    tight = {"primal_feasibility_tolerance": 1e-10, "dual_feasibility_tolerance": 1e-10}
    scale = float(np.median(cost[cost > 0.0])) if K else 1.0
    found = linprog(cost / scale, upper, bound, bounds=free, method="highs", options=tight)
    if found.status == 2:
        return inf
    assert found.x is not None, found.message
    return scale * float(found.fun)


def dictionary(P: HigherOrderProblem, spline: PowerSpline, count: int = 400) -> np.ndarray:
    """Return the planes of a spline and many others that meet the data."""
    rng = np.random.default_rng(5)
    W = rng.standard_normal((count, P.n_features))
    W /= np.linalg.norm(W, axis=1, keepdims=True)
    t = W @ P.X.T
    part = rng.uniform(size=count)
    b = t.min(axis=1) + part * (t.max(axis=1) - t.min(axis=1))
    return np.vstack([np.column_stack([W, b]), np.column_stack([spline.weights, spline.biases])])


@cache
def solved(loss: Any, order: int, d: int, seed: int = 0) -> Any:
    problem = case(loss, order, d, seed)
    return problem, solve(problem, tol=TOL, scope="global", time_limit=30)


@EVERY
@ORDERS
@pytest.mark.parametrize("d", (1, 2))
def test_linear_programs_over_the_atoms_and_many_more_agree(loss: Any, order: int, d: int) -> None:
    problem, found = solved(loss, order, d)
    proof = found.certificate
    assert found.status is Status.SOLVED and proof.scope is Scope.GLOBAL, found
    assert proof.primal == problem.objective(found.network)
    assert 0 < found.network.n_neurons <= problem.sparsity_bound
    value = dictionary_value(problem, dictionary(problem, found.network))
    assert value == pytest.approx(proof.primal, rel=AGREE)
    assert proof.dual <= value * (1 + AGREE)
    # A few other atoms are no match for those of the solution.
    others = dictionary_value(problem, dictionary(problem, found.network)[:10])
    assert others > proof.primal * (1 + 1e-4)


@EVERY
@ORDERS
@pytest.mark.parametrize("d", (1, 2))
def test_gaps_bound_what_is_missing_before_convergence(loss: Any, order: int, d: int) -> None:
    problem, found = solved(loss, order, d)
    best = found.certificate
    for rounds in (1, 2, 4):
        proof = solve(
            problem, scope="global", max_rounds=rounds, tol=1e-9, time_limit=5
        ).certificate
        assert proof.scope is Scope.GLOBAL
        assert proof.dual <= best.primal and proof.primal >= best.dual
        # The optimum is at least best.dual.
        assert proof.primal - best.primal <= proof.gap
    for seed in range(3):
        own = replace(random_spline(order, d, seed=seed), amplitudes=1e-2 * np.ones(6))
        proof = prove(problem, own, tol=1e-3)
        assert proof.dual <= best.primal * (1 + 1e-9)
        assert proof.primal == problem.objective(own)
        assert proof.primal - best.primal <= proof.gap


@pytest.mark.parametrize("loss", [FINITE[0], FINITE[3], BANDS[1]], ids=lambda loss: loss.key)
@ORDERS
def test_weights_units_and_motions(loss: Any, order: int) -> None:
    P, found = solved(loss, order, 5 - order)
    best, rng = found.certificate.primal, np.random.default_rng(1)
    d, shuffle = P.n_features, rng.permutation(len(P.y))
    turn = np.linalg.qr(rng.standard_normal((d, d)))[0]
    bent = 0.0 * P.y if loss.name == "hinge" else 3.0 * P.X[:, 0] ** (order - 1) - 20.0
    same = {
        "moved": replace(P, X=P.X @ turn + np.arange(3.0, 3.0 + d)),
        "permuted": replace(P, X=P.X[shuffle], y=P.y[shuffle], sample_weight=P.s[shuffle]),
        "scaled": replace(P, X=7.0 * P.X, alpha=7.0 ** (order - 1) * P.alpha),
        "polynomial": replace(P, y=P.y + bent),
        "no weight": replace(
            P,
            X=np.vstack([P.X, P.X[:1]]),
            y=np.append(P.y, -P.y[0]),
            sample_weight=np.append(P.s, 0.0),
        ),
    }
    counts = rng.integers(1, 3, len(P.y))
    weighted = replace(P, sample_weight=counts)
    repeated = replace(
        P, X=np.repeat(P.X, counts, axis=0), y=np.repeat(P.y, counts), sample_weight=None
    )
    for name, other in same.items():
        assert solve(other, tol=TOL).certificate.primal == pytest.approx(best, rel=AGREE), name
    values = [solve(other, tol=TOL).certificate.primal for other in (weighted, repeated)]
    assert values[0] == pytest.approx(values[1], rel=AGREE)


@EVERY_FINITE
@ORDERS
@pytest.mark.parametrize("d", (1, 2))
def test_alpha_max_parts_polynomials_from_others(loss: Any, order: int, d: int) -> None:
    problem = case(loss, order, d, seed=4, share=1.0)
    top = problem.alpha
    assert top > 0.0
    fit = problem.polynomial_fit()
    value = problem.objective(fit)
    atoms = dictionary(problem, fit, 300 if d == 1 else 3000)
    assert value == pytest.approx(dictionary_value(problem, atoms[:0]), rel=1e-9)
    above = solve(problem.with_alpha(1.0001 * top), scope="global")
    assert above.certificate.primal == pytest.approx(value, rel=1e-9)
    assert above.certificate.dual >= value * (1 - 1e-6)
    below = problem.with_alpha(0.98 * top)
    assert solve(below, scope="global").certificate.primal < value * (1 - 1e-6)
    assert dictionary_value(below, atoms) < value * (1 - 1e-6)


@ORDERS
def test_one_multiplier_is_not_enough_for_alpha_max(order: int) -> None:
    x, y = np.arange(8.0)[:, None], np.array([1.0, 1, 2, 1, 2, 0, 1, 1])
    P = HigherOrderProblem(x, y, 1.0, order, "absolute")
    top, value = P.alpha_max(), P.objective(P.polynomial_fit())
    assert top < 0.5 * P.alpha_max(search_power_sup)
    knots = np.column_stack([np.ones(700), np.linspace(0.0, 7.0, 702)[1:-1]])
    assert dictionary_value(P.with_alpha(1.0001 * top), knots) >= value * (1 - 1e-9)
    assert dictionary_value(P.with_alpha(0.999 * top), knots) < value * (1 - 1e-6)
    # Order 2 is the problem of a ReLU, with its own search.
    relu = HigherOrderProblem(x, y, 1.0, 2, "absolute").alpha_max()
    assert relu == pytest.approx(RadonTVProblem(x, y, 1.0, loss="absolute").alpha_max(), rel=1e-9)


# ---------------------------------------------------------------------------------- constraints
@pytest.mark.parametrize(("order", "top"), ((2, 1.0), (3, 0.75), (4, 2 / 3)))
def test_interpolation_of_m_plus_one_points_in_closed_form(order: int, top: float) -> None:
    # All dual points are multiples of the m-th difference, and eta is the cardinal B-spline.
    x = np.arange(order + 1.0)[:, None]
    q = {2: [1, -2, 1], 3: [-1, 3, -3, 1], 4: [1, -4, 6, -4, 1]}[order] * np.ones(order + 1)
    y = np.random.default_rng(6).standard_normal(order + 1)
    P = HigherOrderProblem(x, y, 2.0, order, "interpolation")
    assert P.alpha_max() == inf
    found = solve(P, scope="global", tol=1e-9)
    assert found.certificate.primal == pytest.approx(2.0 * abs(float(q @ y)) / top, rel=1e-9)
    assert found.network.n_neurons == 1
    # In a tube of radius epsilon q.z may be epsilon sum |q_i| less.
    epsilon = 0.2 * abs(float(q @ y)) / float(np.abs(q).sum())
    tube = solve(replace(P, loss=losses.TubeLoss(epsilon)), scope="global", tol=1e-9)
    assert tube.certificate.primal == pytest.approx(0.8 * found.certificate.primal, rel=1e-8)


@ORDERS
def test_interpolation_is_the_limit_of_small_penalties(order: int) -> None:
    x = np.linspace(0.0, 1.0, 12)[:, None]
    y = np.sin(6.0 * x[:, 0])
    P = HigherOrderProblem(x, y, 1.0, order, "interpolation")
    found = solve(P, scope="global")
    assert found.status is Status.SOLVED, found
    assert np.abs(found.network(x) - y).max() <= 1e-9
    squared = HigherOrderProblem(x, y, 1.0, order)
    before = 0.0
    for alpha in (1e-4, 1e-6):
        small = squared.with_alpha(alpha * squared.alpha_max())
        penalty = solve(small, scope="global").network.penalty
        assert before < penalty <= found.certificate.primal * (1 + 1e-6)
        before = penalty
    assert before >= 0.99 * found.certificate.primal


@EVERY_BAND
@ORDERS
def test_polynomials_that_meet_the_constraints_are_optimal(loss: Any, order: int) -> None:
    X = np.random.default_rng(2).standard_normal((20, 2))
    P = HigherOrderProblem(X, 5.0 + X[:, 0] - 2.0 * X[:, 1] ** (order - 1), 1.0, order, loss)
    assert P.alpha_max() == 0.0
    found = solve(P, scope="global")
    assert found.status is Status.SOLVED and found.certificate.primal <= 1e-6, found
    with pytest.raises(ValueError, match="cannot be met"):
        HigherOrderProblem(np.zeros((2, 1)), np.array([0.0, 1.0]), 1.0, order, loss)


@EVERY_BAND
@ORDERS
def test_newton_meets_constraints_from_nearby(loss: Any, order: int) -> None:
    problem, found = solved(loss, order, 1)
    core, r = PowerCore.of_problem(problem), problem.reduction
    exact = lower_spline(problem, core, found.network)
    q = r.reduce_dual(found.certificate.dual_point)
    q[np.abs(q) < 1e-9 * np.abs(q).max()] = 0.0
    rng = np.random.default_rng(0)
    shaken = replace(exact, amplitude=exact.amplitude * (1 + 1e-3 * rng.uniform(-1, 1, len(exact))))
    assert core.state(shaken).primal == inf
    met_core, met = meet_constraints(core, shaken, q)
    primal = met_core.state(met).primal
    assert primal == pytest.approx(found.certificate.primal, rel=1e-3)


# -------------------------------------------------------------------------------------- limits
@ORDERS
@pytest.mark.parametrize("scale", (1.0, 1e6))
def test_huber_far_below_the_residuals_is_the_absolute_loss(order: int, scale: float) -> None:
    problem = case(losses.AbsoluteLoss(), order, 2)
    absolute = solve(problem, tol=TOL).certificate.primal
    delta = 1e-6 * scale
    huber = replace(
        problem, y=scale * problem.y, alpha=delta * problem.alpha, loss=losses.HuberLoss(delta)
    )
    found = solve(huber, scope="global")
    assert found.status is Status.SOLVED, found
    assert found.certificate.primal == pytest.approx(delta * scale * absolute, rel=1e-4)


@EVERY
@ORDERS
def test_independent_checks_and_warm_starts(loss: Any, order: int) -> None:
    problem, found = solved(loss, order, 1)
    assert verify(replace(found.certificate, network=found.network), problem).valid
    warm = solve(problem, warm_start=found.network, tol=1e-6)
    assert warm.status is Status.SOLVED
    assert warm.certificate.primal == pytest.approx(found.certificate.primal, rel=2e-6)
    few = solve(problem, max_neurons=1, max_rounds=20)
    assert few.network.n_neurons <= 1
    assert few.certificate.dual <= found.certificate.primal * (1 + 1e-9)


def test_atoms_that_leave_the_data_are_dropped() -> None:
    # Beyond the data an atom is a polynomial: it costs, and with its bias grows its rounding.
    problem = case(FINITE[0], 3, 2)
    core = PowerCore.of_problem(problem)
    planes = np.array([[1.0, 0.0, -1e8], [0.6, 0.8, 0.1], [0.0, 1.0, 1e3]])
    moved = slide(core, Neurons(np.ones(3), np.array([1e-20, 1.0, 1e-9]), planes), 1)
    t = core.lifted @ moved.planes.T
    assert len(moved) == 1 and (t.min(axis=0) < 0.0).all() and (t.max(axis=0) > 0.0).all()


def test_fits_forget_starts_that_are_worse_than_none() -> None:
    # As after a trial step into nowhere: steps are bounded, and would not come back from there.
    problem = case(FINITE[3], 3, 2)
    core = PowerCore.of_problem(problem)
    y, s, B = core.y, core.s, core.basis.columns
    best = fit_smooth(core.model, y, s, np.zeros_like(y), B, np.zeros(B.shape[1]))
    far = fit_smooth(core.model, y, s, np.zeros_like(y), B, np.full(B.shape[1], 1e9))
    values = [float(s @ core.model.value(y, B @ theta)) for theta in (best, far)]
    assert values[1] == pytest.approx(values[0], rel=1e-9)
