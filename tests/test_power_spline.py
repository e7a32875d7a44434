"""Splines of order m, their polynomials, dual points and certificates."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from power_cases import ORDERS, data, problem, random_spline

from radontv.problems import RadonTVProblem, Scope
from radontv.problems.higher_order import HigherOrderProblem
from radontv.problems.losses import LogisticLoss
from radontv.problems.power.polynomial_basis import PolynomialBasis
from radontv.problems.power.polynomials import all_exponents, factors_of, monomials
from radontv.problems.power.spline import PowerSpline, truncated_power
from radontv.solvers import Status
from radontv.solvers.power.driver import solve_higher_order
from radontv.solvers.power.proof import prove_higher_order

# Splines and polynomials.


@pytest.mark.parametrize("order", ORDERS)
def test_parity(order: int) -> None:
    t = np.linspace(-2, 2, 41)
    left = truncated_power(t, order) - (-1.0) ** order * truncated_power(-t, order)
    factorial = {2: 1, 3: 2, 4: 6}[order]
    assert np.allclose(left, t ** (order - 1) / factorial, atol=1e-15)


@pytest.mark.parametrize("order", ORDERS)
def test_merging_keeps_the_function_and_never_costs(order: int) -> None:
    f = random_spline(order, 3)
    doubled = PowerSpline(
        np.concatenate([f.amplitudes, 0.5 * f.amplitudes, [0.0]]),
        np.concatenate([f.weights, -f.weights, f.weights[:1]]),
        np.concatenate([f.biases, -f.biases, [9.0]]),
        f.polynomial,
        order,
    )
    X = np.random.default_rng(2).normal(size=(50, 3))
    merged = doubled.merged()
    assert merged.n_neurons == f.n_neurons
    assert np.allclose(merged(X), doubled(X), atol=1e-12)
    # An antipodal atom counts with the sign (-1)^m.
    assert doubled.penalty == pytest.approx(
        np.abs(f.amplitudes).sum() * (1.5 if order % 2 == 0 else 0.5)
    )
    assert merged.merged().penalty == merged.penalty


def test_order_two_is_the_network() -> None:
    f = random_spline(2, 3)
    X = np.random.default_rng(3).normal(size=(20, 3))
    network = f.to_network()
    assert np.allclose(network(X), f(X))
    assert network.rtv == pytest.approx(f.penalty)
    assert np.allclose(PowerSpline.from_network(network)(X), f(X))


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("kind", ("random", "grid", "collinear", "binary", "offset", "constant"))
def test_basis_spans_the_monomials(kind: str, order: int) -> None:
    rng = np.random.default_rng(4)
    X = rng.normal(size=(40, 2))
    expected = {2: 3, 3: 6, 4: 10}[order]
    if kind == "grid":
        X = np.array(np.meshgrid(range(7), range(6))).reshape(2, -1).T * 1.0
    elif kind == "collinear":
        X[:, 1], expected = 3 * X[:, 0], order
    elif kind == "binary":
        X, expected = rng.integers(0, 2, size=(40, 2)) * 1.0, min(4, order + 1)
    elif kind == "offset":
        X = X * [1e-3, 1e5] + [1.0, 1e7]
    elif kind == "constant":
        X[:], expected = 7.0, 1
    s = rng.uniform(0.1, 1.0, size=len(X))
    s /= s.sum()
    basis = PolynomialBasis.of_order(X, s, order)
    B = basis.columns
    assert B.shape[1] == expected
    assert np.allclose(B.T @ (s[:, None] * B), np.eye(expected), atol=1e-12)
    # Every monomial of centred, scaled inputs is in the span; every column is a polynomial.
    U = (X - X.mean(axis=0)) / np.maximum(np.abs(X - X.mean(axis=0)).max(axis=0), 1e-3)
    V = monomials(U, factors_of(all_exponents(2, order - 1)))
    assert np.abs(V - B @ (B.T @ (s[:, None] * V))).max() < 1e-8
    theta = rng.normal(size=expected)
    assert np.allclose(
        basis.polynomial(theta)(X), B @ theta, atol=1e-6 if kind == "offset" else 1e-10
    )


# The problem, its dual and its certificate.


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("loss", ("squared", "huber", "poisson"))
def test_dual_points_are_orthogonal_to_polynomials(order: int, loss: str) -> None:
    X, y = data(d=3)
    y = np.round(np.exp(0.3 * y)) if loss == "poisson" else y
    P = HigherOrderProblem(X, y, 0.1, order=order, loss=loss)
    q = P.dual_point(random_spline(order, 3))
    V = monomials(X, factors_of(all_exponents(3, order - 1)))
    assert np.abs(V.T @ q).max() <= 1e-12 * np.abs(q).sum() * np.abs(V).max()
    w, b = np.array([[0.6, 0.0, 0.8]]), np.array([0.3])
    assert P.eta(q, -w, -b) == pytest.approx((-1.0) ** order * P.eta(q, w, b), abs=1e-12)


def test_order_two_certificates_agree_with_the_radon_problem() -> None:
    X, y = data(d=3)
    f = random_spline(2, 3)
    for loss in ("squared", "huber"):
        new = HigherOrderProblem(X, y, 0.05, order=2, loss=loss)
        old = RadonTVProblem(X, y, 0.05, loss)
        assert new.objective(f) == pytest.approx(old.objective(f.to_network()), rel=1e-12)
        ours = new.certificate(f, 0.3, Scope.GLOBAL)
        theirs = old.certificate(f.to_network(), 0.3, Scope.GLOBAL)
        assert ours.gap == pytest.approx(theirs.gap, rel=1e-9)
        assert ours.sup_bound == pytest.approx(theirs.sup_bound, rel=1e-9)
        assert ours.sparsity_bound == theirs.sparsity_bound
        assert new.alpha_max() == pytest.approx(old.alpha_max(), rel=1e-9)


@pytest.mark.parametrize("order", ORDERS)
def test_both_forms_of_the_gap_agree(order: int) -> None:
    P = problem(order)
    found = P.certificate(random_spline(order, 2), 1.0, Scope.LOCAL)
    dual = P.dual_value(found.scale * found.dual_point)
    assert found.dual == pytest.approx(dual, abs=1e-10 * found.primal)
    assert found.dual <= dual


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("d", (1, 2))
def test_gaps_bound_suboptimality_of_anything(order: int, d: int) -> None:
    P = problem(order, 0.1, n=40, d=d)
    best = solve_higher_order(P, tol=1e-9).certificate
    rng = np.random.default_rng(5)
    candidates = [random_spline(order, d, size=k, seed=k) for k in (1, 3, 8)]
    candidates.append(P.polynomial_fit())
    for rounds in (1, 2):
        candidates.append(solve_higher_order(P, max_rounds=rounds).network)
    near = solve_higher_order(P, tol=1e-9).network
    candidates.append(replace(near, amplitudes=near.amplitudes * 1.01))
    candidates.append(replace(near, biases=near.biases + 1e-3 * rng.normal(size=near.n_neurons)))
    for f in candidates:
        proved = prove_higher_order(P, f, tol=1e-3, time_limit=10)
        assert proved.scope is Scope.GLOBAL
        assert proved.gap >= P.objective(f) - best.primal - 1e-15
        assert proved.dual <= best.primal * (1 + 1e-12)


def test_rows_of_lower_rank_and_unlike_units_are_fitted_to_rounding() -> None:
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((3, 3)) * [1.0, 1e6, 1.0], rng.standard_normal(3)
    for order in (3, 4):
        fit = HigherOrderProblem(X, y, 1.0, order=order).polynomial_fit()
        assert np.abs(fit(X) - y).max() <= 1e-13


def test_gaps_are_never_negative() -> None:
    rng = np.random.default_rng(0)
    for n in (1, 2, 3):
        X, y = rng.standard_normal((n, 4)), rng.choice([-1.0, 1.0], n)
        for _ in range(5):
            noisy = HigherOrderProblem(
                X, y, 0.1, loss=LogisticLoss(0.01), sample_weight=rng.uniform(0.3, 2.0, n)
            )
            proof = noisy.certificate(noisy.polynomial_fit(), 1.0, Scope.LOCAL)
            assert proof.gap >= 0.0 and proof.dual <= proof.primal


@pytest.mark.parametrize("order", ORDERS)
def test_large_alpha_gives_the_polynomial_fit(order: int) -> None:
    P = problem(order, 1.0)
    above = solve_higher_order(P.with_alpha(1.001 * P.alpha), scope="global")
    assert above.network.n_neurons == 0 and above.status is Status.SOLVED
    assert above.certificate.primal == pytest.approx(P.objective(P.polynomial_fit()), rel=1e-12)
    below = solve_higher_order(P.with_alpha(0.98 * P.alpha), scope="global")
    assert below.network.n_neurons > 0 and below.status is Status.SOLVED
