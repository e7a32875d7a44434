"""Sparsification: same function values, no more RTV, at most n - rank [1 X] neurons."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
from helpers import ROUNDING, gaussian, random_network, tied

from radontv.problems import RadonTVProblem, RidgeSpline
from radontv.solvers import solve, sparsify
from radontv.solvers.amplitudes import refit_amplitudes
from radontv.solvers.core import Core, Neurons
from radontv.solvers.merging import merge_cells
from radontv.solvers.sparsify import reduce_neurons

PROBLEMS = {
    "d=1": gaussian(1, 12, 0.1),
    "d=2": gaussian(2, 20, 0.3),
    "d=5": gaussian(5, 30, 0.3),
    "grid": tied("grid", 30, 2, 0.2),
    "duplicates": tied("duplicates", 24, 3, 0.2),
    "collinear": tied("collinear", 12, 3, 0.2),
    "n = d + 1": gaussian(4, 5, 1.0),
}


@pytest.fixture(params=PROBLEMS)
def problem(request: pytest.FixtureRequest) -> RadonTVProblem:
    return PROBLEMS[request.param]


def assert_sparsified(problem: RadonTVProblem, network: RidgeSpline) -> RidgeSpline:
    sparse = sparsify(problem, network)
    assert sparse.n_neurons <= max(problem.sparsity_bound, 0)
    assert sparse.rtv <= network.rtv * (1 + ROUNDING)
    fitted = problem.refit_affine(network)
    scale = np.abs(fitted(problem.X)).max() + network.rtv
    live = problem.s > 0
    np.testing.assert_allclose(
        problem.refit_affine(sparse)(problem.X)[live],
        fitted(problem.X)[live],
        # A null vector of a system of condition 1e4 is accurate to 1e-12 of the values.
        atol=1e-11 * scale,
    )
    return sparse


def inflate(network: RidgeSpline, seed: int) -> RidgeSpline:
    """Return the network with every neuron split into four, two of them turned around."""
    rng = np.random.default_rng(seed)
    shares = rng.dirichlet(np.ones(4), size=network.n_neurons)
    side = np.tile([1.0, 1.0, -1.0, -1.0], network.n_neurons)
    return RidgeSpline(
        np.repeat(network.amplitudes, 4) * shares.ravel(),
        np.repeat(network.weights, 4, axis=0) * side[:, None],
        np.repeat(network.biases, 4) * side,
        network.coef,
        network.intercept,
    )


@pytest.mark.parametrize("neurons", [1, 10, 100, 400])
def test_random_networks(problem: RadonTVProblem, neurons: int) -> None:
    for seed in range(3):
        assert_sparsified(problem, random_network(problem.n_features, neurons, seed))


def test_inflated_optima_keep_their_objective(problem: RadonTVProblem) -> None:
    solution = solve(problem, tol=1e-9)
    network = problem.refit_affine(inflate(solution.network, 0))
    sparse = assert_sparsified(problem, network)
    assert sparse.n_neurons <= solution.network.n_neurons
    assert problem.objective(sparse) == pytest.approx(
        solution.certificate.primal, rel=ROUNDING, abs=1e-25
    )


def test_mixtures_of_optima_of_xor_become_one_neuron() -> None:
    # 1 - |x1 - x2| and |x1 + x2| - 1 are both optimal, and so is their mean.
    X = np.array([[1.0, 1.0], [1.0, -1.0], [-1.0, 1.0], [-1.0, -1.0]])
    problem = RadonTVProblem(X, X[:, 0] * X[:, 1], 1e-6)
    r = np.sqrt(0.5)
    network = RidgeSpline(
        np.array([-1.0, 1.0]) / r, [[r, -r], [r, r]], np.zeros(2), np.zeros(2), 0.0
    )
    network = problem.refit_affine(network)
    np.testing.assert_allclose(network(X), problem.y, atol=ROUNDING)
    sparse = assert_sparsified(problem, network)
    assert sparse.n_neurons == 1
    assert sparse.rtv == pytest.approx(2 * np.sqrt(2), rel=ROUNDING)


def test_neurons_that_do_nothing_are_dropped() -> None:
    problem = PROBLEMS["d=2"]
    network = RidgeSpline([5.0, 3.0], [[1.0, 0.0]] * 2, [-100.0, 100.0], np.zeros(2))
    sparse = assert_sparsified(problem, network)
    assert sparse.n_neurons == 0


def test_a_network_without_neurons_stays_as_it_is() -> None:
    problem = PROBLEMS["d=2"]
    sparse = sparsify(problem, RidgeSpline.affine([1.0, 2.0], 3.0))
    assert sparse.n_neurons == 0


def random_neurons(core: Core, count: int, seed: int) -> Neurons:
    rng = np.random.default_rng(seed)
    w = rng.standard_normal((count, core.d))
    w /= np.linalg.norm(w, axis=1, keepdims=True)
    b = (w * core.X[rng.integers(core.n, size=count)]).sum(axis=1)
    return Neurons(rng.choice([-1.0, 1.0], count), rng.random(count), np.column_stack([w, b]))


@pytest.mark.parametrize("name", ["d=1", "d=2", "grid", "collinear"])
def test_merging_cells_keeps_values_and_never_raises_the_objective(name: str) -> None:
    core = Core.of(PROBLEMS[name])
    for seed in range(5):
        neurons = random_neurons(core, 200, seed)
        merged = merge_cells(core, neurons)
        assert len(merged) < len(neurons)
        assert merged.amplitude.sum() <= neurons.amplitude.sum() * (1 + ROUNDING)
        np.testing.assert_allclose(
            core.without_affine(core.ridge(merged)),
            core.without_affine(core.ridge(neurons)),
            atol=1e-11 * neurons.amplitude.sum(),
        )
        np.testing.assert_allclose(
            np.linalg.norm(merged.planes[:, : core.d], axis=1), 1.0, rtol=ROUNDING
        )
        again = merge_cells(core, merged)
        assert len(again) == len(merged)


@pytest.mark.parametrize("name", ["d=2", "grid"])
def test_reduction_of_refitted_neurons_keeps_the_optimum(name: str) -> None:
    core = Core.of(PROBLEMS[name])
    neurons = refit_amplitudes(core, random_neurons(core, 100, 0))
    value = core.state(neurons)[0]
    reduced = reduce_neurons(core, neurons)
    assert len(reduced) <= core.n - core.d - 1
    assert core.state(reduced)[0] <= value * (1 + ROUNDING)


def test_many_rows_need_no_square_matrix() -> None:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(20_000, 1))
    network = solve(RadonTVProblem(X, np.abs(X[:, 0]), 1e-2)).network
    tracemalloc.start()
    try:
        sparse = sparsify(RadonTVProblem(X, np.abs(X[:, 0]), 1e-2), network)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert sparse.n_neurons == network.n_neurons
    assert peak < 100e6
