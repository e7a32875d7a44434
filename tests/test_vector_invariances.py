"""What leaves the optimum of several outputs as it is, and what its networks look like."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from helpers import AGREE, IDENTITY, TIGHT
from vector_helpers import (
    assert_solved,
    gaussian_outputs,
    optimum,
    outputs,
    random_outputs,
)

from radontv.problems.multi_output import MultiOutputProblem
from radontv.problems.vector.multinomial_loss import MultinomialLoss
from radontv.solvers.vector.driver import solve_multi_output
from radontv.solvers.vector.sparsify import layer_ranks, sparsify_outputs

SMOOTH = MultinomialLoss(label_smoothing=0.1)
KINDS = ["squared", "huber", "poisson", SMOOTH]
NORMS = ["l2", "l1"]


# Invariances.


def test_rotations_of_the_outputs_change_nothing_for_l2() -> None:
    problem = gaussian_outputs(2, 60, 4)
    rotation = np.linalg.qr(np.random.default_rng(5).standard_normal((4, 4)))[0]
    rotated = MultiOutputProblem(problem.X, problem.Y @ rotation, problem.alpha)
    assert optimum(rotated) == pytest.approx(optimum(problem), rel=AGREE)
    separate = MultiOutputProblem(problem.X, problem.Y, problem.alpha, output_norm="l1")
    turned = MultiOutputProblem(problem.X, rotated.Y, problem.alpha, output_norm="l1")
    assert optimum(turned) != pytest.approx(optimum(separate), rel=1e-4)


@pytest.mark.parametrize("loss", KINDS, ids=str)
@pytest.mark.parametrize("norm", NORMS)
def test_permutations_motions_and_weights(loss: Any, norm: str) -> None:
    problem = gaussian_outputs(2, 40, 3, 0.1, loss, output_norm=norm)
    expected = optimum(problem)
    rng = np.random.default_rng(6)
    order = rng.permutation(40)
    turn = np.linalg.qr(rng.standard_normal((2, 2)))[0]
    moved = problem.X[order] @ turn + [3.0, -1.0]
    options: dict[str, Any] = {"loss": loss, "output_norm": norm}
    assert optimum(
        MultiOutputProblem(moved, problem.Y[order], problem.alpha, **options)
    ) == pytest.approx(expected, rel=AGREE)
    counts = rng.integers(0, 4, size=40)
    counts[:5] = 1
    repeated = MultiOutputProblem(
        np.repeat(problem.X, counts, axis=0),
        np.repeat(problem.Y, counts, axis=0),
        problem.alpha,
        **options,
    )
    weighted = MultiOutputProblem(
        problem.X, problem.Y, problem.alpha, sample_weight=counts.astype(float), **options
    )
    assert optimum(repeated) == pytest.approx(optimum(weighted), rel=AGREE)
    assert weighted.sparsity_bound == repeated.sparsity_bound


@pytest.mark.parametrize("norm", NORMS)
def test_permuted_and_scaled_targets(norm: str) -> None:
    problem = gaussian_outputs(2, 40, 3, output_norm=norm)
    expected = optimum(problem)
    swapped = MultiOutputProblem(
        problem.X, problem.Y[:, [2, 0, 1]], problem.alpha, output_norm=norm
    )
    assert optimum(swapped) == pytest.approx(expected, rel=AGREE)
    shifted = MultiOutputProblem(
        problem.X,
        -7.0 * problem.Y + problem.X @ np.ones((2, 3)) + [5.0, 0.0, 1.0],
        7.0 * problem.alpha,
        output_norm=norm,
    )
    assert optimum(shifted) == pytest.approx(49.0 * expected, rel=AGREE)


def test_relabelled_classes() -> None:
    problem = gaussian_outputs(2, 60, 3, loss=SMOOTH)
    relabelled = MultiOutputProblem(
        problem.X, np.array([2, 0, 1])[problem.Y.astype(int)], problem.alpha, SMOOTH
    )
    assert optimum(relabelled) == pytest.approx(optimum(problem), rel=AGREE)


@pytest.mark.parametrize("loss", KINDS, ids=str)
@pytest.mark.parametrize("norm", NORMS)
def test_alpha_max(loss: Any, norm: str) -> None:
    problem = gaussian_outputs(2, 40, 3, 1.0 + 1e-9, loss, output_norm=norm)
    solution = solve_multi_output(problem, scope="global")
    assert solution.status.solved and solution.network.n_neurons == 0
    affine = problem.objective(problem.affine_fit())
    assert solution.certificate.primal == pytest.approx(affine, rel=IDENTITY)
    below = solve_multi_output(problem.with_alpha(0.98 * problem.alpha), tol=TIGHT)
    assert below.network.n_neurons > 0 and below.certificate.primal < affine


# Networks, sparsity, classes.


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("loss", ["squared", SMOOTH], ids=str)
def test_sparsify_keeps_the_fit_and_the_penalty(norm: str, loss: Any) -> None:
    problem = gaussian_outputs(1, 8, 2, 0.5, loss, output_norm=norm)
    network = random_outputs(1, problem.n_outputs, 60, 0)
    sparse = sparsify_outputs(problem, network)
    bound = problem.sparsity_bound
    assert sparse.merged().n_neurons <= bound < 60
    assert problem.penalty(sparse) <= problem.penalty(network) * (1 + 1e-9)
    refitted = problem.refit_affine(network)
    found, wanted = problem.refit_affine(sparse)(problem.X), refitted(problem.X)
    if loss is SMOOTH:
        found, wanted = (Z - Z.mean(axis=1, keepdims=True) for Z in (found, wanted))
    np.testing.assert_allclose(found, wanted, atol=1e-9 * np.abs(wanted).max())


def test_scores_of_classes_sum_to_zero_and_shared_neurons_have_few_ranks() -> None:
    problem = gaussian_outputs(2, 80, 3, 0.05, SMOOTH)
    network = solve_multi_output(problem).network
    np.testing.assert_allclose(network(problem.X).sum(axis=1), 0.0, atol=1e-9)
    ranks = layer_ranks(network)
    assert ranks.hidden == 2 and ranks.output == 2
    # Targets in a plane of R^5: so are the amplitudes.
    X = np.random.default_rng(0).standard_normal((50, 3))
    Y = outputs(X, 2) @ np.random.default_rng(1).standard_normal((2, 5))
    flat = MultiOutputProblem(X, Y, 0.02)
    assert flat.reduction.n_outputs == 2
    solution = solve_multi_output(flat)
    assert_solved(flat, solution)
    assert layer_ranks(solution.network).output == 2
    assert flat.sparsity_bound == (50 - 4) * 2
    assert flat.square_bound == 2500


def test_layers_of_a_solution_have_the_penalty_as_weight_decay() -> None:
    problem = gaussian_outputs(3, 60, 3)
    solution = solve_multi_output(problem)
    layers = solution.network.to_layers()
    decay = 0.5 * float(np.sum(layers.hidden_weight**2) + np.sum(layers.output_weight**2))
    fit = problem.live_weights @ problem.loss.value(problem.targets, solution.network(problem.X))
    assert fit + problem.alpha * decay == pytest.approx(solution.certificate.primal, rel=1e-12)
