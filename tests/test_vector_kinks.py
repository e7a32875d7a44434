"""Losses with kinks and constraints of several outputs, against conic programs and one output."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import pytest
from vector_helpers import assert_certifies, outputs

from radontv.problems import RadonTVProblem, RidgeSpline, Scope, losses
from radontv.problems.exact_fit_losses import slacks
from radontv.problems.multi_output import MultiOutputProblem
from radontv.solvers import Solution, Status, solve, verify
from radontv.solvers.vector.core import VectorCore
from radontv.solvers.vector.restoration import meet_constraints

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
CASES = pytest.mark.parametrize(
    ("loss", "norm"),
    [*((loss, "l2") for loss in FINITE + BANDS), (FINITE[0], "l1"), (BANDS[0], "l1")],
    ids=lambda given: getattr(given, "key", given),
)
NORMS = pytest.mark.parametrize("norm", ("l2", "l1"))
TOL, AGREE = 1e-7, 2e-6


def signs(Y: np.ndarray) -> np.ndarray:
    """Return signs that no affine function of X separates: every third is random."""
    S = np.where(Y > np.median(Y, axis=0), 1.0, -1.0)
    S[::3] = np.random.default_rng(9).choice([-1.0, 1.0], size=S[::3].shape)
    return S


def case(
    loss: Any, norm: str, d: int, n: int = 16, D: int = 2, seed: int = 0, share: float = 0.1
) -> MultiOutputProblem:
    """Return a problem with random weights, standard normal X and noisy targets."""
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, d))
    Y = outputs(X, D, seed)
    if loss.name == "hinge":
        Y = signs(Y)
    problem = MultiOutputProblem(X, Y, 0.01, loss, rng.uniform(0.3, 2.0, n), output_norm=norm)
    return problem if loss in BANDS else problem.with_alpha(share * problem.alpha_max())


@cache
def solved(loss: Any, norm: str, d: int) -> tuple[MultiOutputProblem, Solution]:
    problem = case(loss, norm, d)
    return problem, solve(problem, tol=TOL, scope="global")


def misfit(problem: MultiOutputProblem, Z: Any) -> tuple[Any, list[Any]]:
    """Return the loss of fitted values of cvxpy, and constraints."""
    cp = pytest.importorskip("cvxpy")
    one: Any = problem.loss.one  # type: ignore[attr-defined]
    T, S = problem.targets, np.repeat(problem.s[:, None], problem.n_outputs, axis=1)
    R = T - Z
    if one.name == "interpolation":
        return 0.0, [R == 0.0]
    if one.name == "tube":
        return 0.0, [cp.abs(R) <= one.radius]
    terms = {
        "absolute": lambda: cp.abs(R),
        "quantile": lambda: cp.maximum(one.quantile * R, (one.quantile - 1.0) * R),
        "epsilon_insensitive": lambda: cp.pos(cp.abs(R) - one.epsilon),
        "hinge": lambda: cp.pos(1.0 - cp.multiply(T, Z)),
    }
    return cp.sum(cp.multiply(S, terms[one.name]())), []


def dictionary_value(problem: MultiOutputProblem, planes: np.ndarray) -> float:
    """Return the optimum over given planes, by a conic solver."""
    cp = pytest.importorskip("cvxpy")
    Psi = np.maximum(problem.X @ planes[:, :-1].T - planes[:, -1], 0.0)
    unit = np.linalg.norm(Psi, axis=0)
    Psi, unit = Psi[:, unit > 0.0], unit[unit > 0.0]
    if not len(unit):  # a plane that costs something and does nothing
        Psi, unit = np.zeros((len(problem.X), 1)), np.ones(1)
    A = cp.Variable((Psi.shape[1], problem.n_outputs))
    theta = cp.Variable((problem.n_features + 1, problem.n_outputs))
    Z = (Psi / unit) @ A + np.column_stack([np.ones(len(Psi)), problem.X]) @ theta
    order = 2 if problem.output_norm == "l2" else 1
    fit, constraints = misfit(problem, Z)
    penalty = (1.0 / unit) @ cp.norm(A, order, axis=1)
    conic = cp.Problem(cp.Minimize(fit / problem.alpha + penalty), constraints)
    conic.solve(solver="CLARABEL")
    return float(conic.value) * problem.alpha


def planes_of(network: RidgeSpline) -> np.ndarray:
    return np.column_stack([network.weights, network.biases])


def many_planes(problem: MultiOutputProblem, directions: int) -> np.ndarray:
    """Return planes over the circle (or the line), through the data and halfway between them."""
    angles = np.pi * (np.arange(directions) + 0.5) / directions
    W = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    if problem.n_features == 1:
        W = np.ones((1, 1))
    rows = []
    for w in W:
        t = np.sort(problem.X @ w)
        share = np.linspace(0.0, 1.0, 5 if problem.n_features == 1 else 2, endpoint=False)
        knots = (t[:-1, None] + np.diff(t)[:, None] * share).ravel()[1:]
        rows.append(np.column_stack([np.repeat(w[None], len(knots), axis=0), knots]))
    return np.vstack(rows)


@CASES
@pytest.mark.parametrize("d", (1, 2))
def test_conic_programs_over_the_neurons_and_many_more_agree(loss: Any, norm: str, d: int) -> None:
    problem, found = solved(loss, norm, d)
    proof = found.certificate
    assert found.status is Status.SOLVED and proof.scope is Scope.GLOBAL, str(found)
    assert 0 < proof.n_neurons <= problem.sparsity_bound
    assert_certifies(problem, found.network, proof)
    own = planes_of(found.network)
    assert dictionary_value(problem, own) == pytest.approx(proof.primal, rel=AGREE)
    every = dictionary_value(problem, np.vstack([own, many_planes(problem, 6)]))
    assert every == pytest.approx(proof.primal, rel=AGREE)
    # A few other planes are no match for those of the solution.
    assert dictionary_value(problem, many_planes(problem, 6)[::10]) > proof.primal * (1 + 1e-4)


@CASES
def test_verified_by_code_that_shares_nothing(loss: Any, norm: str) -> None:
    problem, found = solved(loss, norm, 2)
    checked = verify(found.certificate, problem)
    assert checked.valid, str(checked)


@EVERY
@pytest.mark.parametrize("d", (1, 3))
def test_l1_is_one_problem_per_output(loss: Any, d: int) -> None:
    problem = case(loss, "l1", d, n=14, D=3)
    found = solve(problem, tol=TOL)
    singles = [
        solve(RadonTVProblem(problem.X, y, problem.alpha, loss, sample_weight=problem.s), tol=TOL)
        for y in problem.targets.T
    ]
    total = sum(single.certificate.primal for single in singles)
    assert all(single.status.solved for single in singles)
    assert found.certificate.primal == pytest.approx(total, rel=AGREE)


@CASES
def test_one_output_equals_the_scalar_solver(loss: Any, norm: str) -> None:
    problem = case(loss, norm, 2, n=30, D=1)
    single = RadonTVProblem(
        problem.X, problem.targets[:, 0], problem.alpha, loss, sample_weight=problem.s
    )
    expected = solve(single, tol=TOL)
    found = solve(problem, tol=TOL)
    assert found.certificate.primal == pytest.approx(expected.certificate.primal, rel=AGREE)
    if loss in FINITE:
        top = problem.with_alpha(1.0).alpha_max()
        assert top == pytest.approx(single.alpha_max(), rel=1e-6)


@EVERY_BAND
@NORMS
@pytest.mark.parametrize("d", (1, 2, 4))
def test_constraints_are_met_by_every_output_whatever_its_size(
    loss: Any, norm: str, d: int
) -> None:
    rng = np.random.default_rng(3)
    X = rng.standard_normal((12, d))
    Y = outputs(X, 3) * np.array([1.0, 0.01, 30.0]) + np.array([0.0, 5.0, -1e3])
    problem = MultiOutputProblem(X, Y, 1.0, loss, output_norm=norm)
    found = solve(problem, tol=1e-5)
    assert found.status is Status.SOLVED, str(found)
    missed = np.abs(found.network(X) - Y) - loss.radius
    assert (missed <= slacks(Y)).all()
    assert found.certificate.primal == pytest.approx(problem.norm(found.network.amplitudes).sum())


def test_interpolation_turns_with_the_targets() -> None:
    problem, found = solved(losses.InterpolationLoss(), "l2", 2)
    c, s = np.cos(0.7), np.sin(0.7)
    turned = MultiOutputProblem(
        problem.X, problem.targets @ np.array([[c, s], [-s, c]]), problem.alpha, "interpolation"
    )
    other = solve(turned, tol=TOL)
    assert other.certificate.primal == pytest.approx(found.certificate.primal, rel=AGREE)


def test_interpolation_of_a_multiple_of_one_function_shares_its_neurons() -> None:
    rng = np.random.default_rng(1)
    X, direction = rng.standard_normal((12, 2)), np.array([3.0, -4.0])
    y = np.sin(2.0 * X[:, 0]) + X[:, 1] ** 2
    one = solve(RadonTVProblem(X, y, 1.0, loss="interpolation"), tol=TOL)
    both = MultiOutputProblem(X, y[:, None] * direction, 1.0, "interpolation")
    found = solve(both, tol=TOL)
    assert found.certificate.primal == pytest.approx(5.0 * one.certificate.primal, rel=AGREE)
    apart = solve(MultiOutputProblem(X, both.Y, 1.0, "interpolation", output_norm="l1"), tol=TOL)
    assert apart.certificate.primal == pytest.approx(7.0 * one.certificate.primal, rel=AGREE)


@NORMS
def test_interpolation_is_the_limit_of_small_penalties(norm: str) -> None:
    X = np.random.default_rng(2).standard_normal((15, 2))
    Y = outputs(X, 2)
    exact = solve(MultiOutputProblem(X, Y, 1.0, "interpolation", output_norm=norm), tol=TOL)
    limit = exact.certificate.primal
    for alpha in (1e-3, 1e-6):
        near = solve(MultiOutputProblem(X, Y, alpha, output_norm=norm), tol=TOL).certificate
        # F_alpha <= alpha RTV of the interpolant, and F_alpha / alpha grows as alpha falls.
        assert near.dual / alpha <= limit * (1 + TOL)
    assert near.primal / alpha >= 0.998 * limit


@CASES
@pytest.mark.parametrize("rounds", (1, 3))
def test_gaps_bound_what_is_missing(loss: Any, norm: str, rounds: int) -> None:
    problem, found = solved(loss, norm, 2)
    best = found.certificate
    early = solve(problem, max_rounds=rounds, scope="global")
    proof = early.certificate
    assert proof.scope is Scope.GLOBAL and early.status is Status.MAX_ROUNDS
    assert proof.dual <= best.primal and proof.primal >= best.dual
    assert proof.primal > best.primal * (1 + 1e-5)
    assert not np.isfinite(proof.primal) or proof.gap >= proof.primal - best.primal
    assert_certifies(problem, early.network, proof)
    # A network of its own: any is certified, and none too well.
    rough = RidgeSpline([[1.0, -1.0]], [[0.6, 0.8]], [0.1], np.zeros((2, 2)), np.zeros(2))
    made = problem.certificate(rough, np.inf, Scope.LOCAL)
    assert made.dual <= best.primal and made.primal > best.primal


@EVERY_FINITE
@NORMS
@pytest.mark.parametrize("d", (1, 2))
def test_alpha_max_parts_affine_functions_from_others(loss: Any, norm: str, d: int) -> None:
    problem = case(loss, norm, d, share=1.0, seed=4)
    top, fit = problem.alpha, problem.affine_fit()
    assert top > 0.0
    value = problem.objective(fit)
    assert value == pytest.approx(dictionary_value(problem, np.zeros((1, d + 1))), rel=1e-6)
    above = solve(problem.with_alpha(1.0001 * top), scope="global")
    assert above.certificate.primal == pytest.approx(value, rel=1e-9)
    assert above.certificate.dual >= value * (1 - 1e-6)
    below = solve(problem.with_alpha(0.97 * top), scope="global")
    assert below.certificate.primal < value * (1 - 1e-6)
    singles = [
        RadonTVProblem(problem.X, y, 1.0, loss, sample_weight=problem.s).alpha_max()
        for y in problem.targets.T
    ]
    if norm == "l1":
        assert top == pytest.approx(max(singles), rel=1e-9)
    else:
        assert max(singles) * (1 - 1e-6) <= top <= np.linalg.norm(singles) * (1 + 1e-6)


@CASES
def test_weights_are_repeated_rows_and_outputs_have_no_order(loss: Any, norm: str) -> None:
    rng = np.random.default_rng(7)
    X = rng.standard_normal((14, 2))
    Y = outputs(X, 2)
    if loss.name == "hinge":
        Y = signs(Y)
    weights = rng.integers(0, 4, size=len(X))
    first = solve(MultiOutputProblem(X, Y, 0.02, loss, weights, output_norm=norm), tol=TOL)
    repeated = np.repeat(np.arange(len(X)), weights)
    again = MultiOutputProblem(X[repeated], Y[repeated][:, ::-1], 0.02, loss, output_norm=norm)
    value = solve(again, tol=TOL).certificate.primal
    assert value == pytest.approx(first.certificate.primal, rel=AGREE)


@CASES
def test_affine_outputs_cost_nothing_and_do_no_harm(loss: Any, norm: str) -> None:
    if loss.name == "hinge":
        return  # its targets are signs
    problem, found = solved(loss, norm, 2)
    affine = 1e3 * problem.X[:, :1] - 7.0
    more = MultiOutputProblem(
        problem.X,
        np.hstack([affine, problem.targets]),
        problem.alpha,
        loss,
        problem.s,
        output_norm=norm,
    )
    value = solve(more, tol=TOL).certificate.primal
    assert value == pytest.approx(found.certificate.primal, rel=1e-5)
    alone = MultiOutputProblem(problem.X, affine * [1.0, -2.0], problem.alpha, loss)
    none = solve(alone, scope="global")
    assert none.status is Status.SOLVED and none.network.n_neurons == 0
    assert alone.alpha_max() == 0.0


@EVERY_BAND
@NORMS
def test_newton_meets_constraints_from_nearby(loss: Any, norm: str) -> None:
    problem, found = solved(loss, norm, 2)
    core = VectorCore.of(problem)
    exact = core.from_network(problem.reduction.lower_network(found.network))
    rng = np.random.default_rng(0)
    near = exact.take(np.arange(len(exact)))
    near.amplitude[:] *= 1.0 + 1e-5 * rng.standard_normal(len(near))
    Q = problem.reduction.reduce_dual(found.certificate.dual_point)
    Q[np.abs(Q) < 1e-6 * np.abs(Q).max()] = 0.0  # rounding of the projection
    missed = core.state(near).primal
    assert missed == np.inf
    moved, met = meet_constraints(core, near, Q)
    assert moved.state(met).primal == pytest.approx(core.state(exact).primal, rel=1e-4)


def test_outputs_that_contradict_each_other_are_named() -> None:
    X, Y = np.array([[0.0], [0.0], [1.0]]), np.array([[1.0, 1.0], [1.0, 2.0], [0.0, 0.0]])
    with pytest.raises(ValueError, match=r"output 1: loss='interpolation' cannot be met: rows"):
        MultiOutputProblem(X, Y, 1.0, "interpolation")
    with pytest.raises(ValueError, match=r"output 1: loss='tube' cannot be met"):
        MultiOutputProblem(X, Y, 1.0, losses.TubeLoss(0.4))
    MultiOutputProblem(X, Y, 1.0, losses.TubeLoss(0.6))
    with pytest.raises(ValueError, match="needs targets -1 and 1"):
        MultiOutputProblem(X, Y, 1.0, "hinge")


@EVERY
def test_warm_starts_are_used(loss: Any) -> None:
    problem, found = solved(loss, "l2", 2)
    again = solve(problem, warm_start=found.network, tol=TOL)
    assert again.status.solved and again.n_iter <= found.n_iter
    assert again.certificate.primal == pytest.approx(found.certificate.primal, rel=AGREE)
