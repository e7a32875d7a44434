"""Losses of several outputs: derivatives, conjugates, domains, and projected dual points."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from helpers import IDENTITY, ROUNDING
from vector_helpers import targets_of

from radontv.problems.affine import AffineBasis
from radontv.problems.certificate import Scope
from radontv.problems.losses import HuberLoss
from radontv.problems.multi_output import MultiOutputProblem
from radontv.problems.vector.affine import fit_outputs
from radontv.problems.vector.losses import get_vector_loss
from radontv.problems.vector.multinomial_loss import MultinomialLoss
from radontv.problems.vector.projection import nearby_radius, project_outputs
from radontv.solvers.vector.driver import solve_multi_output

LOSSES = [
    "squared",
    "huber",
    "poisson",
    "multinomial",
    MultinomialLoss(label_smoothing=0.2),
    MultinomialLoss(n_classes=3),
]


def sample(loss: Any, n: int = 40, D: int = 3) -> tuple[Any, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(3)
    X = rng.standard_normal((n, 2))
    kind = get_vector_loss(loss)
    Y = kind.as_targets(targets_of(loss, X, D))
    T = kind.encode(Y, np.ones(n, dtype=bool))
    return kind, T, rng.standard_normal(T.shape)


@pytest.mark.parametrize("loss", LOSSES, ids=str)
def test_derivatives_agree_with_differences(loss: Any) -> None:
    kind, T, Z = sample(loss)
    Z += 1e-3  # off the kinks of Huber's second derivative
    h = 1e-6
    for c in range(T.shape[1]):
        step = h * np.eye(T.shape[1])[c]
        slope = (kind.value(T, Z + step) - kind.value(T, Z - step)) / (2 * h)
        np.testing.assert_allclose(kind.gradient(T, Z)[:, c], slope, atol=1e-7)
        bend = (kind.gradient(T, Z + step) - kind.gradient(T, Z - step)) / (2 * h)
        np.testing.assert_allclose(kind.curvature(T, Z)[:, :, c], bend, atol=1e-6)


def test_values_of_confident_rows_do_not_cancel() -> None:
    gaps = np.array([1.0, 20.0, 36.0, 50.0, 800.0])
    T = np.tile([0.0, 1.0, 0.0], (len(gaps), 1))
    Z = 7.3 + np.stack([-gaps, 0.0 * gaps, -gaps], axis=1)
    exact = np.log1p(2.0 * np.exp(-(Z[:, 1] - Z[:, 0])))
    np.testing.assert_allclose(MultinomialLoss().value(T, Z), exact, rtol=1e-14)
    wrong = MultinomialLoss().value(T[:, [1, 0, 2]], Z)
    np.testing.assert_allclose(wrong, gaps + exact, rtol=1e-14)


def test_gaps_are_never_negative() -> None:
    rng = np.random.default_rng(0)
    for n in (2, 3, 4):
        X, y = rng.standard_normal((n, 4)), np.arange(n) % 2
        for _ in range(5):
            problem = MultiOutputProblem(
                X, y, 0.1, loss=MultinomialLoss(0.01), sample_weight=rng.uniform(0.3, 2.0, n)
            )
            proof = problem.certificate(problem.affine_fit(), 1.0, Scope.LOCAL)
            assert proof.gap >= 0.0 and proof.dual <= proof.primal


@pytest.mark.filterwarnings("error::RuntimeWarning")
def test_poisson_fits_from_starts_of_huge_slope() -> None:
    T, s, zero = np.array([[1.0], [3.0]]), np.full(2, 0.5), np.zeros((2, 1))
    given = get_vector_loss("poisson"), T, s, zero, np.ones((2, 1)), np.eye(1)
    np.testing.assert_allclose(fit_outputs(*given, np.array([[60.0]])), np.log(2.0), rtol=1e-12)
    # Squares of the slope overflow; the steps still descend.
    assert fit_outputs(*given, np.array([[400.0]])) < 300.0


@pytest.mark.parametrize("loss", LOSSES, ids=str)
def test_fenchel(loss: Any) -> None:
    kind, T, Z = sample(loss)
    P = -kind.gradient(T, Z)
    own = kind.value(T, Z) + kind.conjugate(T, -P) + (P * Z).sum(axis=1)
    np.testing.assert_allclose(own, 0.0, atol=1e-13)
    other = np.random.default_rng(4).standard_normal(Z.shape)
    gap = kind.value(T, other) + kind.conjugate(T, -P) + (P * other).sum(axis=1)
    assert (gap >= -ROUNDING).all()
    np.testing.assert_allclose(kind.fenchel_gap(T, other, P), gap, atol=1e-12)
    for t in (0.0, 0.3, 1.0):
        assert np.isfinite(kind.conjugate(T, -t * P)).all()


@pytest.mark.parametrize("loss", LOSSES, ids=str)
def test_fenchel_change_bounds_moves_inside_the_domain(loss: Any) -> None:
    kind, T, Z = sample(loss)
    rng = np.random.default_rng(5)
    for size in (1e-12, 1e-6, 1e-2):
        P = -0.9 * kind.gradient(T, Z)
        E = size * rng.uniform(-1, 1, P.shape)
        blocks = kind.metric(T, P)
        E = E if blocks is None else np.einsum("icb,ib->ic", blocks, E)
        radius = np.full(P.shape, size)
        before, after = kind.fenchel_gap(T, Z, P), kind.fenchel_gap(T, Z, P - E)
        assert (np.abs(after - before) <= kind.fenchel_change(T, Z, P, radius) + 1e-13).all()


@pytest.mark.parametrize("size", [1e-14, 1e-9, 1e-3])
def test_fenchel_change_bounds_moves_away_from_probability_zero(size: float) -> None:
    kind, T, Z = sample("multinomial")
    P = np.zeros_like(T)  # pi = T: all but one probability are 0
    E = size * np.where(T == 0.0, 1.0, -2.0)
    change = np.abs(kind.fenchel_gap(T, Z, P - E) - kind.fenchel_gap(T, Z, P))
    assert (change <= kind.fenchel_change(T, Z, P, np.abs(E)) + 1e-15).all()
    assert (change >= size).all()


def test_multinomial_sees_no_common_shift_and_underflow_does_no_harm() -> None:
    loss = MultinomialLoss()
    T = loss.encode(np.array([0.0, 1.0, 2.0]), np.ones(3, dtype=bool))
    Z = np.array([[1.0, 2.0, 3.0], [800.0, 0.0, -800.0], [0.0, 1e3, 1e3]])
    np.testing.assert_allclose(loss.value(T, Z + 7.0), loss.value(T, Z), rtol=1e-14)
    np.testing.assert_allclose(loss.value(T, Z)[1], 800.0)
    P = -loss.gradient(T, Z)
    assert np.isfinite(loss.fenchel_gap(T, Z, P + 0.0)).all()
    V = loss.free_outputs(3)
    np.testing.assert_allclose(V.T @ V, np.eye(2), atol=ROUNDING)
    np.testing.assert_allclose(V.sum(axis=0), 0.0, atol=ROUNDING)


def test_multinomial_with_two_classes_is_the_logistic_loss() -> None:
    from radontv.problems.losses import LogisticLoss

    codes, z = np.array([0.0, 1.0, 1.0]), np.array([0.3, -1.2, 4.0])
    for smoothing in (0.0, 0.1):
        loss = MultinomialLoss(label_smoothing=smoothing)
        T = loss.encode(codes, np.ones(3, dtype=bool))
        Z = np.stack([-z / 2, z / 2], axis=1)
        binary = LogisticLoss(label_smoothing=smoothing).value(2 * codes - 1, z)
        np.testing.assert_allclose(loss.value(T, Z), binary, rtol=1e-14)


@pytest.mark.parametrize("loss", LOSSES, ids=str)
def test_the_scale_stays_in_the_domain_and_is_best(loss: Any) -> None:
    kind, T, Z = sample(loss)
    s = np.random.default_rng(6).uniform(0.5, 1.5, len(T))
    Q = -s[:, None] * kind.gradient(T, Z)
    for limit in (0.5, 1.3, 30.0):
        t = kind.dual_scale(T, Q, s, limit)

        def dual(scale: float) -> float:
            return -float(s @ kind.conjugate(T, -scale * Q / s[:, None]))

        assert abs(t) <= limit and np.isfinite(dual(t))
        assert all(dual(t) >= dual(u) - 1e-9 for u in np.linspace(0.0, min(limit, 3.0), 50))


@pytest.mark.parametrize("loss", LOSSES, ids=str)
def test_projection_and_its_radius(loss: Any) -> None:
    kind, T, Z = sample(loss)
    rng = np.random.default_rng(7)
    s = rng.uniform(0.1, 1.0, len(T))
    s /= s.sum()
    basis = AffineBasis.of(rng.standard_normal((len(T), 2)), s)
    if kind.metric(T, T) is not None:
        Z[0] = 60.0 * T[0]  # on the boundary of a simplex, to rounding
    B, V = basis.columns, kind.free_outputs(T.shape[1])
    theta = fit_outputs(kind, T, s, Z, B, V, np.zeros((B.shape[1], V.shape[1])))
    Q = -0.9 * s[:, None] * kind.gradient(T, Z + B @ theta @ V.T)
    projected = project_outputs(basis, kind, T, Q, s)
    np.testing.assert_allclose(basis.columns.T @ projected, 0.0, atol=1e-15)
    assert np.isfinite(kind.conjugate(T, -projected / s[:, None])).all()
    radius = nearby_radius(basis, kind, T, projected, s)
    assert radius.max() < 1e-12
    # What a projection in higher precision moves is within the radius.
    B = basis.columns.astype(np.longdouble)
    blocks = kind.metric(T, projected / s[:, None])
    if blocks is not None:
        away = s[:, None] * kind.off_domain(T, projected / s[:, None])
        exact = projected.astype(np.longdouble) - away
        inner = s[:, None, None] * (V.T @ blocks @ V)
        system = np.einsum("ir,iab,iq->raqb", basis.columns, inner, basis.columns)
        size = B.shape[1] * V.shape[1]
        right = (B.T @ exact @ V).astype(float).ravel()
        found = np.linalg.solve(system.reshape(size, size), right).reshape(B.shape[1], -1)
        E = s[:, None] * np.einsum("icb,ib->ic", blocks, basis.columns @ found @ V.T)
        assert (np.abs(E) + np.abs(away) <= s[:, None] * radius * (1 + 1e-9)).all()
        assert np.abs(kind.off_domain(T, projected / s[:, None])).max() <= 1e-15


def test_dual_points_of_classes_keep_small_probabilities() -> None:
    # One class is likely almost everywhere: the others sit at the boundary of the simplex.
    rng = np.random.default_rng(8)
    X = rng.standard_normal((60, 1))
    codes = np.where(np.arange(60) < 6, np.arange(60) % 3, 0)
    problem = MultiOutputProblem(30.0 * X, codes, 1e-4, MultinomialLoss())
    Q = problem.dual_point(problem.affine_fit())
    pi = problem.targets - Q / problem.s[:, None]
    assert (pi >= 0.0).all()
    assert problem.loss.room(problem.targets, Q / problem.s[:, None], np.zeros_like(Q)) >= 1 - 1e-12


@pytest.mark.parametrize(
    ("Y", "loss", "message"),
    [
        ([0.0, 1.5], "multinomial", r"Y\[1\] is 1.5, but loss='multinomial' needs class codes"),
        ([0.0, -1.0], "multinomial", "needs class codes"),
        ([0.0, 2.0], "multinomial", "no sample of positive weight has class 1 of 3"),
        ([0.0, 2.0], MultinomialLoss(n_classes=2), "n_classes is 2; raise it"),
        ([[0.0], [1.0]], "multinomial", "Y must have 1 dimension"),
        ([0.0, 1.0], "squared", "Y must have 2 dimension"),
        ([[0.0], [1.0]], "hinge", "needs targets -1 and 1"),
        ([[0.0], [1.0]], "cubic", "is unknown; with several outputs"),
        ([[0.0], [-1.0]], "poisson", "needs counts"),
        (np.zeros((2, 0)), "squared", "0 columns"),
    ],
)
def test_bad_targets_are_named(Y: Any, loss: Any, message: str) -> None:
    with pytest.raises((ValueError, TypeError), match=message):
        MultiOutputProblem(np.array([[0.0], [1.0]]), Y, 1.0, loss)


@pytest.mark.parametrize("options", [{"label_smoothing": 0.5}, {"n_classes": 1}])
def test_bad_parameters_are_named(options: dict) -> None:
    with pytest.raises(ValueError, match=next(iter(options))):
        MultinomialLoss(**options)


def test_separable_classes_are_refused_and_smoothing_is_the_remedy() -> None:
    X = np.arange(9.0)[:, None]
    codes = np.repeat([0, 1, 2], 3)
    separable = MultiOutputProblem(X, codes, 0.1, "multinomial")
    for call in (separable.alpha_max, lambda: solve_multi_output(separable)):
        with pytest.raises(ValueError, match="no minimiser here"):
            call()
    mixed = np.array([0, 1, 2] * 3)
    for kept in (
        MultiOutputProblem(X, codes, 0.1, MultinomialLoss(label_smoothing=0.01)),
        MultiOutputProblem(X, mixed, 0.1, "multinomial"),
    ):
        assert solve_multi_output(kept).status.solved
    counts = np.column_stack([X[:, 0], X[:, 0] == 8])
    with pytest.raises(ValueError, match="output 1: loss='poisson' has no minimiser"):
        solve_multi_output(MultiOutputProblem(X, counts, 0.1, "poisson"))


def test_losses_with_parameters_are_accepted() -> None:
    loss = get_vector_loss(HuberLoss(delta=0.5))
    assert loss.key == "huber(delta=0.5)"
    assert get_vector_loss(loss) is loss
    np.testing.assert_allclose(
        loss.value(np.zeros((1, 2)), np.array([[2.0, 0.1]])), [0.875 + 0.005], rtol=IDENTITY
    )
