"""Penalised biases, no biases, no skip connection: against a cell program, and their promises."""

from __future__ import annotations

import numpy as np
import pytest
from helpers import AGREE, ROUNDING, TIGHT, random_network, targets, tied_inputs

from radontv.problems import RadonTVProblem, RidgeSpline, Scope, losses
from radontv.problems.neuron_cost import NoBias, PenalizedBias
from radontv.solvers import path, prove, solve, sparsify

KINDS = [(cost, skip) for cost in ("penalized_bias", "no_bias") for skip in ("none", "affine")]


def make(
    d: int, n: int, cost: object, skip: str, *, share: float = 0.1, seed: int = 0, **options: object
) -> RadonTVProblem:
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, d))
    problem = RadonTVProblem(X, targets(X, rng) + 1.0, 1.0, cost=cost, skip=skip, **options)
    return problem.with_alpha(share * problem.alpha_max())


def planar_cells(xi: np.ndarray) -> np.ndarray:
    """Return the activation patterns of relu(v.xi_i), v in the plane, one row each."""
    angles = np.arctan2(xi[:, 1], xi[:, 0])
    borders = np.sort(np.concatenate([angles + np.pi / 2, angles - np.pi / 2]) % (2 * np.pi))
    middle = 0.5 * (borders + np.roll(borders, -1))
    middle[-1] += np.pi
    v = np.column_stack([np.cos(middle), np.sin(middle)])
    return np.unique(v @ xi.T > 0, axis=0)


def reference(problem: RadonTVProblem) -> float:
    """Return the optimal value by the convex program over all cells of the plane."""
    cp = pytest.importorskip("cvxpy")
    xi = problem.cost.coordinates(problem.X)
    assert xi.shape[1] == 2
    fitted, penalty, constraints = 0.0, 0.0, []
    for cell in planar_cells(xi):
        for sign in (1.0, -1.0):
            u = cp.Variable(2)
            constraints.append(cp.multiply(2.0 * cell - 1.0, xi @ u) >= 0)
            fitted = fitted + sign * cp.multiply(cell.astype(float), xi @ u)
            penalty = penalty + cp.norm(u, 2)
    if problem.skip == "affine":
        fitted = fitted + problem.X @ cp.Variable(problem.n_features) + cp.Variable()
    r = problem.y - fitted
    value = {
        "squared": lambda: 0.5 * cp.sum(cp.multiply(problem.s, cp.square(r))),
        "absolute": lambda: cp.sum(cp.multiply(problem.s, cp.abs(r))),
        "squared_hinge": lambda: (
            0.5
            * cp.sum(cp.multiply(problem.s, cp.square(cp.pos(1 - cp.multiply(problem.y, fitted)))))
        ),
    }[problem.loss.name]()
    program = cp.Problem(cp.Minimize(value + problem.alpha * penalty), constraints)
    program.solve(solver=cp.CLARABEL, tol_gap_abs=1e-9, tol_gap_rel=1e-9, tol_feas=1e-9)
    return float(program.value)


@pytest.mark.parametrize(("cost", "skip"), KINDS)
@pytest.mark.parametrize("loss", ["squared", "absolute", "squared_hinge"])
def test_it_agrees_with_the_program_over_all_cells(cost: str, skip: str, loss: str) -> None:
    d = 1 if cost == "penalized_bias" else 2
    rng = np.random.default_rng(7)
    X = rng.standard_normal((9, d))
    X[-1] = X[0]
    y = targets(X, rng) + 1.0
    y = np.sign(y - np.median(y) + 0.1) if loss == "squared_hinge" else y
    weights = rng.uniform(0.2, 1.0, size=9)
    problem = RadonTVProblem(X, y, 1.0, cost=cost, skip=skip, loss=loss, sample_weight=weights)
    problem = problem.with_alpha(0.1 * problem.alpha_max())
    expected = reference(problem)
    found = solve(problem, tol=TIGHT, scope="global").certificate
    assert found.scope is Scope.GLOBAL
    assert found.primal == pytest.approx(expected, rel=1e-6)
    assert found.dual <= expected * (1 + 1e-6)
    # What any network is told must hold: the dual value is below the optimum.
    for rounds in (1, 2):
        early = solve(problem, tol=TIGHT, scope="global", max_rounds=rounds).certificate
        assert early.dual <= expected * (1 + 1e-6)
        assert early.primal - early.gap <= expected * (1 + 1e-6)
    if skip == "affine" or cost == "penalized_bias":
        network = random_network(d, 3, 0)
        if cost == "no_bias":
            network = RidgeSpline(
                network.amplitudes, network.weights, np.zeros(3), network.coef, network.intercept
            )
        proof = prove(problem, network)
        assert proof.dual <= expected * (1 + 1e-6)
        assert proof.primal >= expected * (1 - 1e-6)


@pytest.mark.parametrize(("cost", "skip"), KINDS)
@pytest.mark.parametrize("d", [1, 2, 3, 5])
def test_larger_problems_are_solved_and_sparse(d: int, cost: str, skip: str) -> None:
    problem = make(d, 80, cost, skip)
    scope = "global" if d < 4 else "local"
    solution = solve(problem, tol=1e-6, scope=scope, time_limit=60)
    proof = solution.certificate
    assert proof.relative_gap <= 1e-6
    assert proof.n_neurons <= problem.sparsity_bound
    network = solution.network
    if cost == "no_bias":
        assert not network.biases.any()
    if skip == "none":
        assert not network.coef.any()
    assert problem.objective(network) == pytest.approx(proof.primal, rel=ROUNDING)
    thinned = sparsify(problem, network)
    assert problem.objective(thinned) <= proof.primal * (1 + 1e-9)


@pytest.mark.parametrize(("cost", "skip"), KINDS)
def test_alpha_max_is_where_the_free_functions_suffice(cost: str, skip: str) -> None:
    problem = make(2, 40, cost, skip, share=1.0)
    assert solve(problem.with_alpha(1.001 * problem.alpha), scope="global").network.n_neurons == 0
    below = solve(problem.with_alpha(0.97 * problem.alpha), tol=1e-8, scope="global")
    pays = problem.penalty(below.network)
    assert pays > 0.0
    if skip == "none":
        flat = RidgeSpline.affine(np.zeros(2))
        assert problem.penalty(flat) == 0.0


def test_biases_are_cheaper_with_a_larger_scale() -> None:
    """Prices fall with the scale, so optimal values do; at the end biases are nearly free."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((50, 2))
    y = targets(X, rng)
    values = [
        solve(
            RadonTVProblem(X, y, 0.01, cost=PenalizedBias(scale), skip="affine"),
            tol=1e-8,
            scope="global",
        ).certificate.primal
        for scale in (0.3, 1.0, 10.0, 1e4)
    ]
    assert values == sorted(values, reverse=True)
    free = solve(RadonTVProblem(X, y, 0.01), tol=1e-8, scope="global").certificate.primal
    assert free <= values[-1] * (1 + AGREE)
    assert values[-1] == pytest.approx(free, rel=1e-4)


def test_constants_are_neurons_without_weights() -> None:
    """With y = 1 the constant is the cheapest: relu(v.(x, -1)) with w = 0 and price 1."""
    X = np.random.default_rng(0).standard_normal((30, 2))
    problem = RadonTVProblem(X, np.ones(30), 0.1, cost="penalized_bias", skip="none")
    solution = solve(problem, tol=1e-10, scope="global")
    # min 1/2 (1 - c)^2 + 0.1 c = 0.095 at c = 0.9.
    assert solution.certificate.primal <= 0.095 * (1 + ROUNDING)
    constant = RidgeSpline.affine(np.zeros(2), 0.9)
    assert problem.objective(constant) == pytest.approx(0.095)
    assert prove(problem, constant).dual <= solution.certificate.primal * (1 + ROUNDING)
    again = solve(problem, tol=1e-6, warm_start=constant, scope="global")
    assert again.certificate.relative_gap <= 1e-6


@pytest.mark.parametrize(("cost", "skip"), KINDS)
def test_repeated_rows_are_weights_and_rotations_do_not_matter(cost: str, skip: str) -> None:
    rng = np.random.default_rng(2)
    X, repeats = rng.standard_normal((20, 3)), rng.integers(1, 4, size=20)
    y = targets(X, rng)
    turn = np.linalg.qr(rng.standard_normal((3, 3)))[0]
    rows = np.repeat(np.arange(20), repeats)
    problems = [
        RadonTVProblem(X, y, 0.02, cost=cost, skip=skip, sample_weight=repeats),
        RadonTVProblem(X[rows], y[rows], 0.02, cost=cost, skip=skip),
        RadonTVProblem(X @ turn, y, 0.02, cost=cost, skip=skip, sample_weight=repeats),
    ]
    values = [solve(p, tol=TIGHT, scope="local").certificate.primal for p in problems]
    np.testing.assert_allclose(values, values[0], rtol=AGREE)
    if skip == "none":
        # Not invariant under translations: biases have a price.
        moved = RadonTVProblem(X + 3.0, y, 0.02, cost=cost, skip=skip, sample_weight=repeats)
        assert abs(solve(moved, tol=1e-6).certificate.primal / values[0] - 1) > 1e-3


@pytest.mark.parametrize(("cost", "skip"), KINDS)
@pytest.mark.parametrize("kind", ["grid", "duplicates", "collinear", "flat"])
def test_ties(kind: str, cost: str, skip: str) -> None:
    X = tied_inputs(kind, 24, 2 if kind != "flat" else 3)
    y = targets(X, np.random.default_rng(1))
    problem = RadonTVProblem(X, y, 0.01, cost=cost, skip=skip)
    solution = solve(problem, tol=1e-7, scope="global", time_limit=60)
    assert solution.certificate.relative_gap <= 1e-7
    assert prove(problem, solution.network, tol=1e-6, time_limit=60).relative_gap <= 2e-6


def test_paths_and_warm_starts() -> None:
    problem = make(3, 60, "penalized_bias", "none")
    solutions = path(problem, 5, eps=0.05, tol=1e-6)
    assert all(s.certificate.relative_gap <= 1e-6 for s in solutions)
    penalties = [problem.penalty(s.network) for s in solutions]
    assert penalties == sorted(penalties)
    last = problem.with_alpha(solutions[-1].certificate.alpha)
    assert solve(last, tol=1e-5, warm_start=solutions[-1].network).n_iter == 0


def test_networks_that_cannot_be_are_priced_at_infinity() -> None:
    problem = make(2, 20, "no_bias", "none")
    shifted = random_network(2, 2, 0)
    with pytest.raises(ValueError, match="objective"):
        problem.certificate(shifted, 1.0, Scope.LOCAL)
    assert NoBias().of(shifted.weights, np.zeros(2)).tolist() == [1.0, 1.0]
    assert PenalizedBias(2.0).of(shifted.weights, np.full(2, 2.0)) == pytest.approx(np.sqrt(2))


def test_digests_tell_the_members_apart() -> None:
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((5, 2)), rng.standard_normal(5)
    digests = {RadonTVProblem(X, y, 0.1, cost=cost, skip=skip).digest for cost, skip in KINDS}
    digests |= {RadonTVProblem(X, y, 0.1).digest, RadonTVProblem(X, y, 0.1, loss="huber").digest}
    digests.add(RadonTVProblem(X, y, 0.1, loss=losses.HuberLoss(2.0)).digest)
    digests.add(RadonTVProblem(X, y, 0.1, cost=PenalizedBias(2.0)).digest)
    assert len(digests) == 8
