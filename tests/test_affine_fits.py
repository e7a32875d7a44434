"""Best affine fits against other software, the envelope of losses with kinks, balanced duals."""

from __future__ import annotations

from typing import Any

import cvxpy as cp
import numpy as np
import pytest
from scipy.optimize import minimize
from sklearn.linear_model import HuberRegressor, LogisticRegression, PoissonRegressor
from sklearn.linear_model import QuantileRegressor as LinearQuantiles
from test_losses import ALL, EVERY_FINITE, EVERY_KINKED, FINITE, KINKED, targets

from radontv.problems import RadonTVProblem, losses
from radontv.problems.affine import AffineBasis
from radontv.problems.affine_fit import fit_smooth, fit_with_multipliers
from radontv.problems.balance import Balance
from radontv.problems.dual import duality_gap
from radontv.problems.envelope import Envelope
from radontv.solvers.reference import loss_terms


def data(loss: losses.Loss, n: int = 40, d: int = 3, seed: int = 0) -> tuple[np.ndarray, ...]:
    """Return X, y, s; classes overlap, counts depend on X, rows repeat with other targets."""
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, d))
    X[-5:] = X[:5]
    signal = X @ np.linspace(0.2, 0.8, d) + rng.standard_normal(n)
    if loss.name in ("logistic", "hinge", "squared_hinge"):
        y = np.where(signal > 0.1, 1.0, -1.0)
        y[-5:] = -y[:5]
    elif loss.name == "poisson":
        y = rng.poisson(np.exp(0.5 * signal)).astype(float)
    else:
        y = signal + 5.0
    return X, y, rng.dirichlet(np.full(n, 3.0))


def optimal_value(loss: losses.Loss, y: np.ndarray, s: np.ndarray, B: np.ndarray) -> float:
    """Return min over theta of sum_i s_i l(y_i, (B theta)_i) by a conic solver."""
    theta = cp.Variable(B.shape[1])
    risk, conditions, constant = loss_terms(cp, loss, y, s, B @ theta)
    program = cp.Problem(cp.Minimize(risk), conditions)
    program.solve(solver=cp.CLARABEL, tol_gap_abs=1e-11, tol_gap_rel=1e-11, tol_feas=1e-11)
    return float(program.value) + constant


@EVERY_FINITE
def test_affine_fits_have_the_least_objective(loss: losses.Loss) -> None:
    X, y, s = data(loss)
    problem = RadonTVProblem(X, y, 1.0, loss=loss, sample_weight=s)
    best = optimal_value(loss, y, s, problem.affine.columns)
    assert problem.objective(problem.affine_fit()) == pytest.approx(best, rel=1e-8, abs=1e-10)
    q = problem.dual_point(problem.affine_fit())
    A = np.column_stack([np.ones(len(X)), X])
    assert np.abs(A.T @ q).max() <= 1e-13
    # With t = 1 up to a rounding this q is feasible for large alpha and proves the value.
    low, high = loss.dual_interval(y)
    shrunk = (1.0 - 1e-12) * q
    assert ((low <= shrunk / s) & (shrunk / s <= high)).all()
    assert problem.dual_value(shrunk) == pytest.approx(best, rel=1e-8, abs=1e-9)


@pytest.mark.parametrize("loss", [x for x in FINITE if x.smooth], ids=lambda loss: loss.key)
@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e6])
def test_smooth_fits_end_with_a_gradient_of_rounding(loss: losses.Loss, scale: float) -> None:
    X, y, s = data(loss)
    B = AffineBasis.of(X * scale, s).columns
    for start in (0.0, 3.0, -8.0):
        theta = fit_smooth(loss, y, s, 0.1 * X[:, 0], B, np.full(B.shape[1], start))
        z = 0.1 * X[:, 0] + B @ theta
        assert np.abs(B.T @ (s * loss.gradient(y, z))).max() <= 1e-12 * max(1.0, np.abs(y).max())

    def objective(t: np.ndarray) -> float:
        return float(s @ loss.value(y, 0.1 * X[:, 0] + B @ t))

    found = minimize(objective, np.zeros(B.shape[1]), method="BFGS", options={"gtol": 1e-9})
    assert objective(theta) <= found.fun * (1 + 1e-12)
    np.testing.assert_allclose(theta, found.x, atol=1e-3)


def test_fits_agree_with_other_software() -> None:
    X, y, s = data(losses.LogisticLoss())
    n = len(y)
    ours = RadonTVProblem(X, y, 1.0, loss="logistic", sample_weight=s).affine_fit()
    theirs = LogisticRegression(C=np.inf, tol=1e-12, max_iter=10000).fit(X, y, sample_weight=s * n)
    np.testing.assert_allclose(ours.coef, theirs.coef_[0], rtol=1e-5)
    X, y, s = data(losses.PoissonLoss())
    ours = RadonTVProblem(X, y, 1.0, loss="poisson", sample_weight=s).affine_fit()
    counts = PoissonRegressor(alpha=0.0, tol=1e-12, max_iter=10000).fit(X, y, sample_weight=s)
    np.testing.assert_allclose(ours.coef, counts.coef_, rtol=1e-5)
    X, y, s = data(losses.QuantileLoss(0.3))
    loss = losses.QuantileLoss(0.3)
    problem = RadonTVProblem(X, y, 1.0, loss=loss, sample_weight=s)
    lines = LinearQuantiles(quantile=0.3, alpha=0.0, solver="highs").fit(X, y, sample_weight=s)
    best = float(s @ loss.value(y, lines.predict(X)))
    assert problem.objective(problem.affine_fit()) == pytest.approx(best, rel=1e-9)
    X, y, s = data(losses.HuberLoss())
    robust = HuberRegressor(epsilon=1.2, alpha=0.0, tol=1e-10, max_iter=10000)
    robust.fit(X, y, sample_weight=s * n)
    # Its delta is epsilon times a scale that is estimated at the same time.
    loss = losses.HuberLoss(1.2 * robust.scale_)
    ours = RadonTVProblem(X, y, 1.0, loss=loss, sample_weight=s).affine_fit()
    np.testing.assert_allclose(ours.coef, robust.coef_, rtol=1e-4, atol=1e-4)


@EVERY_KINKED
def test_multipliers_prove_the_fit(loss: losses.Loss) -> None:
    X, y, s = data(loss)
    if loss.name in ("interpolation", "tube"):
        y = X @ np.array([1.0, -2.0, 0.5]) + 3.0
        if loss.name == "tube":
            y = y + 0.3 * np.sign(X[:, 0] - X[:, 1])
    B = AffineBasis.of(X, s).columns
    theta, p = fit_with_multipliers(loss, y, s, np.zeros_like(y), B, 1.0)
    z = B @ theta
    assert np.abs(B.T @ (s * p)).max() <= 1e-12
    low, high = loss.dual_interval(y)
    assert ((low <= p) & (p <= high)).all()
    assert 0.0 <= float(s @ loss.fenchel_gap(y, z, p)) <= 1e-9 * np.abs(y).max()


class Plain:
    """An envelope that `fit_smooth` does not know: damped Newton is the twin of the kernel."""

    def __init__(self, envelope: Envelope) -> None:
        self.value, self.gradient = envelope.value, envelope.gradient
        self.curvature, self.smoothness = envelope.curvature, envelope.smoothness


@pytest.mark.parametrize("loss", [*KINKED, losses.HuberLoss(0.1)], ids=lambda loss: loss.key)
@pytest.mark.parametrize("mu", [1e-4, 0.1, 10.0])
@pytest.mark.parametrize("start", [0.0, 1.0, 1e6])
def test_clipped_fits_agree_with_damped_newton(loss: Any, mu: float, start: float) -> None:
    X, y, s = data(loss)
    rng = np.random.default_rng(3)
    B, offset = AffineBasis.of(X, s).columns, 0.3 * rng.standard_normal(len(y))
    low, high = (np.clip(end, -3.0, 3.0) for end in loss.dual_interval(y))
    for part in (rng.uniform(size=len(y)), np.zeros(len(y)), np.ones(len(y))):
        envelope = Envelope(loss, low + part * (high - low), mu)
        theta = start * rng.standard_normal(B.shape[1])
        found = fit_smooth(envelope, y, s, offset, B, theta)
        slope = B.T @ (s * envelope.gradient(y, offset + B @ found))
        size = np.abs(B).T @ (s * np.abs(envelope.gradient(y, offset + B @ found)))
        assert (np.abs(slope) <= 1e-9 * size + 1e-11 * (1.0 + 1e-3 / mu)).all()
        twin: Any = Plain(envelope)
        other = fit_smooth(twin, y, s, offset, B, np.zeros(B.shape[1]))
        best, value = (float(s @ envelope.value(y, offset + B @ theta)) for theta in (other, found))
        assert value <= best + 1e-9 * (1.0 + abs(best))


@pytest.mark.parametrize("seed", range(8))
def test_where_all_margins_are_met_fits_end_nearby(seed: int) -> None:
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((21, 2))
    y = np.where(X[:, 0] + 0.3 * X[:, 1] > 0.2, 1.0, -1.0)
    fit = RadonTVProblem(X, y, 0.1, loss="hinge").affine_fit()
    assert np.maximum(1.0 - y * fit(X), 0.0).max() <= 1e-14
    # Steepness 1 over the least distance would do; all beyond is as good, but rounded.
    gap = np.abs(X[:, 0] + 0.3 * X[:, 1] - 0.2).min()
    assert np.linalg.norm(fit.coef) <= 1e4 / gap


def test_clipped_fits_without_curvature_or_rows_that_pull() -> None:
    # All p are clipped at the start, and a row of huge weight on the other side.
    X, y = np.arange(6.0)[:, None], np.array([0.0, 0.0, 0.0, 0.0, 0.0, 1e3])
    for s in (np.full(6, 1 / 6), np.array([1e-9, 1e-9, 1e-9, 1e-9, 1e-9, 1.0 - 5e-9])):
        B = AffineBasis.of(X, s).columns
        envelope = Envelope(losses.AbsoluteLoss(), np.zeros(6), 1e-2)
        theta = fit_smooth(envelope, y, s, np.zeros(6), B, np.full(2, 1e9))
        p = envelope.multipliers(y, B @ theta)
        assert np.abs(B.T @ (s * p)).max() <= 1e-9 * (np.abs(B).T @ s).max()
    line = np.arange(3.0)
    exact = Envelope(losses.InterpolationLoss(), np.zeros(3), 0.5)
    B = AffineBasis.of(line[:, None], np.full(3, 1 / 3)).columns
    theta = fit_smooth(exact, 2.0 * line + 1.0, np.full(3, 1 / 3), np.zeros(3), B, np.zeros(2))
    np.testing.assert_allclose(B @ theta, 2.0 * line + 1.0, rtol=1e-14)


@pytest.mark.parametrize("loss", [losses.AbsoluteLoss(), losses.HingeLoss()], ids=["abs", "hinge"])
def test_ties_and_single_rows_are_no_obstacle_to_fits(loss: losses.Loss) -> None:
    y = np.array([1.0, 1.0, -1.0, -1.0, 1.0, -1.0])
    for X in (np.zeros((6, 1)), np.array([0.0, 0, 1, 1, 2, 2])[:, None], np.eye(6)):
        problem = RadonTVProblem(X, y, 1.0, loss=loss)
        best = optimal_value(loss, y, problem.s, problem.affine.columns)
        found = problem.objective(problem.affine_fit())
        assert found == pytest.approx(best, abs=1e-9)
    one = RadonTVProblem(np.zeros((1, 1)), np.ones(1), 1.0, loss=loss)
    assert one.objective(one.affine_fit()) <= 1e-12


# ------------------------------------------------------------------------------ the envelope
@EVERY_KINKED
@pytest.mark.parametrize("mu", [0.1, 2.0])
def test_the_envelope_is_its_own_definition(loss: losses.Loss, mu: float) -> None:
    rng = np.random.default_rng(0)
    y = np.repeat(targets(loss), 8)
    low, high = loss.dual_interval(y)
    low, high = np.maximum(low, -1.0), np.minimum(high, 1.0)
    p = low + rng.uniform(size=len(y)) * (high - low)
    z = rng.uniform(-2.0, 2.0, size=len(y))
    envelope = Envelope(loss, p, mu)
    plus = envelope.multipliers(y, z)
    u = z + mu * (plus - p)

    def lagrangian(u: np.ndarray) -> np.ndarray:
        own = loss.value(y, u) + p * (u - z) + (u - z) ** 2 / (2 * mu)
        return np.asarray(own)

    value = envelope.value(y, z)
    met = np.isfinite(loss.value(y, u))
    np.testing.assert_allclose(value[met], lagrangian(u)[met], atol=1e-11)
    for other in np.linspace(-3.0, 3.0, 301):
        assert (value <= lagrangian(np.full_like(u, other)) + 1e-11).all()
    h = 1e-6
    slope = (envelope.value(y, z + h) - envelope.value(y, z - h)) / (2 * h)
    np.testing.assert_allclose(envelope.gradient(y, z), slope, atol=1e-6)
    bend = (envelope.gradient(y, z + h) - envelope.gradient(y, z - h)) / (2 * h)
    same = envelope.curvature(y, z + h) == envelope.curvature(y, z - h)
    np.testing.assert_allclose(envelope.curvature(y, z)[same], bend[same], rtol=1e-6, atol=1e-6)
    # -p+ is a subgradient of the loss at u, and the conjugate is l* + mu / 2 (p+ - p)^2.
    np.testing.assert_allclose(loss.fenchel_gap(y, np.where(met, u, y), plus)[met], 0.0, atol=1e-11)
    dual = loss.conjugate(y, -plus) + 0.5 * mu * (plus - p) ** 2
    np.testing.assert_allclose(value + dual + plus * z, 0.0, atol=1e-10)


# ------------------------------------------------------------- dual points inside the domain
def test_rows_at_an_end_of_zero_do_not_spoil_the_bound() -> None:
    # Two rows at one point and little else within the margin: few rows may move.
    X = np.array([[0.0, 0.0], [0.0, 0.0], [3.0, 1.0], [3.0, 2.0], [-3.0, -1.0], [-3.0, 4.0]])
    y = np.array([1.0, -1.0, 1.0, 1.0, -1.0, -1.0])
    for name in ("squared_hinge", "hinge"):
        problem = RadonTVProblem(X, y, 10.0, loss=name)
        affine = problem.affine_fit()
        q = problem.dual_point(affine)
        from radontv.problems import Scope

        proof = problem.certificate(affine, 1.01 * problem.alpha_max() + 1e-12, Scope.LOCAL)
        assert proof.gap <= 1e-9 * proof.primal, str(proof)
        assert np.abs(np.column_stack([np.ones(6), X]).T @ q).max() <= 1e-15
        assert q[0] == pytest.approx(-q[1], abs=1e-16) and (np.abs(q[2:]) <= 1e-9).all()


def test_the_scale_leaves_room_for_what_is_unknown() -> None:
    """t (q - e) must be in the domain for every |e_i| <= s_i radius_i, and t = 0 is always left."""
    y, s = np.array([1.0, -1.0]), np.full(2, 0.5)
    none = np.zeros(0)
    rest = (none, none, none, 1.0, 0.0, np.zeros(2))
    loss, z = losses.HingeLoss(), np.zeros(2)
    exact = duality_gap(loss, y, s, z, s * y, *rest, np.zeros(2), 0.0)
    assert exact.scale == pytest.approx(1.0, rel=1e-12) and exact.gap <= 1e-12
    radius = np.array([1e-3, 0.0])
    rough = duality_gap(loss, y, s, z, s * y, *rest, radius, 0.0)
    assert rough.scale <= 1.0 / (1.0 + 1e-3)
    assert rough.gap >= exact.gap + 0.5e-3
    unknown = duality_gap(loss, y, s, z, s * y, *rest, np.full(2, np.inf), np.inf)
    assert unknown.scale == 0.0 and unknown.gap == pytest.approx(1.0)


@pytest.mark.parametrize("loss", ALL, ids=lambda loss: loss.key)
def test_balanced_dual_points_stay_in_the_domain_but_for_a_rounding(loss: losses.Loss) -> None:
    X, y, s = data(loss)
    problem = RadonTVProblem(
        X,
        y,
        1.0,
        loss=losses.TubeLoss(9.0) if loss.name in ("tube", "interpolation") else loss,
        sample_weight=s,
    )
    rng = np.random.default_rng(1)
    low, high = problem.loss.dual_interval(y)
    p = problem.dual_point(problem.affine_fit()) / s
    for noise in (0.0, 1e-16, 1e-15):
        moved = np.clip(p + noise * rng.standard_normal(len(p)), low, high)
        q = problem.project(s * moved)
        radius = Balance.of(problem, q / s).radius(q, s)
        assert radius.max() <= 1e-9
        assert np.abs(q / s - moved).max() <= 1e-9
        ends = np.where(low == 0.0, q / s, 1.0).min(), np.where(high == 0.0, q / s, -1.0).max()
        assert ends[0] >= 0.0 and ends[1] <= 0.0


@pytest.mark.parametrize("light", [1e-3, 1e-7, 1e-12])
def test_hinge_with_classes_of_very_different_weight(light: float) -> None:
    rng = np.random.default_rng(0)
    X = rng.standard_normal((100, 2))
    y = np.where(rng.uniform(size=100) < 0.5, 1.0, -1.0)
    problem = RadonTVProblem(X, y, 0.1, loss="hinge", sample_weight=np.where(y > 0.0, light, 1.0))
    # The light class is given up: all of it is 2 off, the other is met by f = -1.
    value = problem.objective(problem.affine_fit())
    assert value == pytest.approx(2.0 * problem.s[y > 0.0].sum(), rel=1e-6)
