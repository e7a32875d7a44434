"""Reductions: what solvers see has the same optimum, and everything maps down and up."""

from __future__ import annotations

import numpy as np
import pytest
from helpers import IDENTITY, ROUNDING, gaussian, random_network, sampled_sup, targets, tied

from radontv.problems import RadonTVProblem, RidgeSpline
from radontv.problems.affine import project_out_affine
from radontv.solvers.core import Core

KINDS = ("grid", "duplicates", "binary", "collinear", "flat")


def shifted(problem: RadonTVProblem, shift: float) -> RadonTVProblem:
    return RadonTVProblem(problem.X + shift, problem.y, problem.alpha)


CASES = {kind: tied(kind, 24, 3, 0.3) for kind in KINDS} | {
    "general": gaussian(3, 20, 0.3),
    "far": shifted(gaussian(2, 20, 0.3), 1e6),
    "constant column": RadonTVProblem(
        np.column_stack([gaussian(2, 20, 1.0).X, np.full(20, 7.0)]), gaussian(2, 20, 1.0).y, 0.01
    ),
    "tiny": RadonTVProblem(1e-30 * gaussian(2, 20, 1.0).X, gaussian(2, 20, 1.0).y, 1e-32),
    "weights": RadonTVProblem(
        tied("duplicates", 20, 2, 1.0).X,
        tied("duplicates", 20, 2, 1.0).y,
        0.01,
        sample_weight=np.arange(20.0) % 4,
    ),
}


@pytest.fixture(params=CASES)
def problem(request: pytest.FixtureRequest) -> RadonTVProblem:
    return CASES[request.param]


def test_reduced_rows_are_distinct_centred_and_of_full_rank(problem: RadonTVProblem) -> None:
    r = problem.reduction
    live = problem.X[problem.s > 0]
    assert r.n_distinct == len(np.unique(live, axis=0))
    assert len(np.unique(r.X, axis=0)) == r.n_distinct
    # Rank by exact-zero columns and singular values of the differences, in units of the spread.
    spread = np.ptp(live, axis=0)
    scaled = (live - live.mean(axis=0)) / np.where(spread > 0, spread, 1.0)
    assert r.rank == np.linalg.matrix_rank(scaled, tol=1e-9)
    assert np.linalg.matrix_rank(r.X - r.X.mean(axis=0)) == r.rank
    assert np.abs(r.X.mean(axis=0)).max(initial=0.0) <= np.abs(r.X).max(initial=0.0)
    assert r.s.sum() == pytest.approx(1.0, rel=ROUNDING)
    assert 0.5 <= np.sqrt(r.s @ r.y**2) < 2.0 + ROUNDING
    assert problem.sparsity_bound == r.n_distinct - r.rank - 1


def test_objective_of_the_reduced_problem(problem: RadonTVProblem) -> None:
    """F = g^2 F' + constant for every network, raised from the reduced problem."""
    r = problem.reduction
    reduced = RadonTVProblem(r.X, r.y, r.alpha, sample_weight=r.s) if r.rank else None
    assert reduced is not None
    network = random_network(r.rank, 5, 0)
    raised = r.raise_network(network)
    expected = r.y_scale**2 * reduced.objective(network) + r.constant
    # Shifted data lose digits: 1e6 times the rounding of the values.
    assert problem.objective(raised) == pytest.approx(expected, rel=1e-8)
    assert raised.rtv * r.x_scale == pytest.approx(r.y_scale * network.rtv, rel=IDENTITY)


def test_networks_map_down_and_up(problem: RadonTVProblem) -> None:
    r = problem.reduction
    network = r.raise_network(random_network(r.rank, 5, 0))
    back = r.raise_network(r.lower_network(network))
    np.testing.assert_allclose(back.amplitudes, network.amplitudes, rtol=IDENTITY)
    np.testing.assert_allclose(back.weights, network.weights, atol=1e-9)
    size = np.abs(problem.X).max()
    np.testing.assert_allclose(back.biases, network.biases, atol=1e-9 * size)
    live = problem.s > 0
    ridge = network(problem.X) - back(problem.X)
    # Only the constant may differ: lowering leaves it to the refit.
    assert np.ptp(ridge[live]) <= 1e-8 * np.ptp(network(problem.X)[live])


def test_neurons_that_are_constant_on_the_data_are_dropped() -> None:
    problem = CASES["constant column"]
    network = RidgeSpline([2.0, 3.0], [[0.0, 0.0, 1.0], [1.0, 0.0, 0.0]], [0.0, 0.1], np.zeros(3))
    lowered = problem.reduction.lower_network(network)
    assert lowered.n_neurons == 1


def test_a_neuron_oblique_to_the_span_keeps_its_values_at_no_more_cost() -> None:
    problem = CASES["flat"]
    network = problem.refit_affine(random_network(3, 6, 2))
    moved = problem.refit_affine(
        problem.reduction.raise_network(problem.reduction.lower_network(network))
    )
    np.testing.assert_allclose(moved(problem.X), network(problem.X), atol=1e-9)
    assert moved.rtv < network.rtv


def test_dual_points_map_down_and_up(problem: RadonTVProblem) -> None:
    r = problem.reduction
    q = problem.dual_point(random_network(problem.n_features, 3, 0))
    reduced = r.reduce_dual(q)
    size = np.abs(reduced).sum()
    assert abs(reduced.sum()) <= IDENTITY * size
    assert np.abs(r.X.T @ reduced).max() <= 1e-8 * size
    rest = problem.y - (problem.X @ r.coef + r.intercept)
    raised = r.raise_dual(reduced, rest, problem.s)
    np.testing.assert_allclose(r.reduce_dual(raised), reduced, atol=1e-9 * size)


def test_eta_is_the_same_below_and_above(problem: RadonTVProblem) -> None:
    r = problem.reduction
    network = random_network(r.rank, 6, 0)
    weights, biases = r.raise_hyperplanes(network.weights, network.biases)
    q = problem.dual_point(random_network(problem.n_features, 3, 0))
    below = r.reduce_dual(q) @ network.features(r.X) * r.x_scale * r.y_scale
    above = problem.eta(q, weights, biases)
    np.testing.assert_allclose(above, below, atol=1e-8 * np.abs(below).max())
    lowered, offsets, length = r.lower_hyperplanes(weights, biases)
    np.testing.assert_allclose(length, 1.0, rtol=IDENTITY)
    np.testing.assert_allclose(lowered, network.weights, atol=IDENTITY)
    np.testing.assert_allclose(offsets, network.biases, atol=1e-8)


def test_raised_bounds_really_bound(problem: RadonTVProblem) -> None:
    """A reduced bound, taken as the value itself, bounds |eta| of the original rows."""
    r = problem.reduction
    rng = np.random.default_rng(0)
    for seed in range(20):
        q = problem.dual_point(random_network(problem.n_features, 3, seed))
        w = rng.standard_normal((50, problem.n_features))
        w /= np.linalg.norm(w, axis=1, keepdims=True)
        b = (w * problem.X[rng.integers(problem.n_samples, size=50)]).sum(axis=1)
        lowered, offsets, length = r.lower_hyperplanes(w, b)
        below = np.abs(
            r.reduce_dual(q) @ (np.maximum(r.X @ lowered.T - offsets, 0.0) * np.maximum(length, 0))
        )
        for value, bound in zip(np.abs(problem.eta(q, w, b)), below, strict=True):
            assert value <= r.raise_bound(bound, q)
    q = problem.dual_point(problem.affine_fit())
    assert sampled_sup(problem, q, 500) <= r.raise_bound(
        problem.alpha_max() / (r.x_scale * r.y_scale), q
    )


def test_integer_grids_stay_exact() -> None:
    X = np.random.default_rng(0).integers(-5, 6, size=(40, 2)).astype(float)
    r = RadonTVProblem(X, targets(X, np.random.default_rng(1)), 0.01).reduction
    steps = (r.X - r.X[0]) * r.x_scale
    np.testing.assert_array_equal(steps, np.round(steps))


def test_rows_without_weight_have_no_group() -> None:
    problem = CASES["weights"]
    r = problem.reduction
    assert ((r.groups < 0) == (problem.s == 0)).all()
    live = problem.s > 0
    distinct, where = np.unique(problem.X[live], axis=0, return_inverse=True)
    assert len(distinct) == r.n_distinct
    np.testing.assert_allclose(
        r.s, np.bincount(where.ravel(), weights=problem.s[live]), rtol=ROUNDING
    )


def test_scales_are_powers_of_two_and_alpha_follows() -> None:
    problem = CASES["tiny"]
    r = problem.reduction
    for scale in (r.x_scale, r.y_scale):
        assert np.frexp(scale)[0] == 0.5
    assert r.alpha == pytest.approx(problem.alpha / (r.x_scale * r.y_scale), rel=ROUNDING)


def test_the_core_evaluates_the_original_objective(problem: RadonTVProblem) -> None:
    core, r = Core.of(problem), problem.reduction
    network = r.raise_network(random_network(r.rank, 4, 0))
    neurons = core.from_network(r.lower_network(network))
    value, q, *_ = core.state(neurons)
    fitted = problem.refit_affine(network)
    assert r.y_scale**2 * value + r.constant == pytest.approx(problem.objective(fitted), rel=1e-8)
    assert np.abs(core.basis.columns.T @ q).max() <= IDENTITY * np.abs(q).sum()


@pytest.mark.parametrize(("n", "d"), [(3, 2), (4, 2), (6, 2), (5, 3), (8, 4)])
def test_rounding_of_flat_rows_is_no_dimension(n: int, d: int) -> None:
    """Rows in a hyperplane away from the origin spread across it by their own rounding only."""
    for seed in range(40):
        problem = tied("flat", n, d, 0.5, seed)
        assert problem.reduction.rank == problem.affine.rank == d - 1


@pytest.mark.parametrize("d", [1, 3])
def test_affine_columns_are_affine_in_rows_of_tiny_weight(d: int) -> None:
    rng = np.random.default_rng(0)
    X, weights = rng.standard_normal((20, d)), 10.0 ** rng.uniform(-20, 0, size=20)
    basis = RadonTVProblem(X, X[:, 0], 0.1, sample_weight=weights).affine
    values = np.column_stack([np.ones(20), (X - basis.mean) @ basis.maps])
    assert np.all(np.abs(basis.columns - values) <= 2 * basis.error + ROUNDING * np.abs(values))
    s = weights / weights.sum()
    q = rng.standard_normal(20) * s
    along = float(np.linalg.norm(basis.columns.T @ q))
    live = np.ones(20, dtype=bool)
    length = np.linalg.norm(basis.columns, axis=1)
    radius = basis.radius(q, s, live)
    assert np.all((along * length <= radius) & (radius <= 1.001 * along * length))
    # What the radius is for: a vector that near is in the null space.
    gram = (basis.columns * s[:, None]).T @ basis.columns
    e = s * (basis.columns @ np.linalg.solve(gram, basis.columns.T @ q))
    assert np.all(np.abs(e) <= s * radius)
    projected = project_out_affine(basis, q, s)
    least = 1e-14 * np.sqrt(np.sum(q * q / s))
    assert np.all(basis.radius(projected, s, live) <= least * length)


def test_only_movable_rows_are_moved() -> None:
    rng = np.random.default_rng(1)
    X, s = rng.standard_normal((20, 2)), np.full(20, 1 / 20)
    basis = RadonTVProblem(X, X[:, 0], 0.1).affine
    movable = np.arange(20) < 8
    q = rng.standard_normal(20)
    moved = project_out_affine(basis, q, s, movable)
    assert np.array_equal(moved[~movable], q[~movable])
    np.testing.assert_allclose(basis.columns.T @ moved, 0.0, atol=1e-13)
    assert np.array_equal(basis.radius(moved, s, movable) > 0, movable)
    # Two rows cannot restore three equations: then all of them move.
    few = np.arange(20) < 2
    assert not np.array_equal(project_out_affine(basis, q, s, few)[~few], q[~few])
    assert np.isinf(basis.radius(q, s, few)[few]).all()
