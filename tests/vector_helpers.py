"""Problems with several outputs that the tests share."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from helpers import ROUNDING, TIGHT

from radontv.problems import Certificate, RidgeSpline
from radontv.problems.multi_output import MultiOutputProblem
from radontv.solvers import Solution, Status
from radontv.solvers.vector.driver import solve_multi_output


def outputs(X: np.ndarray, D: int, seed: int = 0) -> np.ndarray:
    """Return six random neurons in R^D at X, with noise of standard deviation 0.1."""
    rng = np.random.default_rng(seed)
    W, b = rng.standard_normal((6, X.shape[1])), 0.5 * rng.standard_normal(6)
    A = rng.standard_normal((6, D))
    return np.maximum(X @ W.T - b, 0.0) @ A + 0.1 * rng.standard_normal((len(X), D))


def targets_of(loss: Any, X: np.ndarray, D: int, seed: int = 0) -> np.ndarray:
    """Return targets that suit a loss: class codes, counts, signs or numbers."""
    name = loss if isinstance(loss, str) else loss.name
    rng = np.random.default_rng(seed + 1)
    Y = outputs(X, D, seed)
    Y = Y - Y.mean(axis=0)
    if name == "multinomial":
        codes = np.argmax(Y + 0.5 * rng.standard_normal(Y.shape), axis=1)
        codes[:D] = np.arange(D)
        return codes
    if name == "poisson":
        return rng.poisson(np.exp(0.3 * Y)).astype(float)
    return Y


def gaussian_outputs(
    d: int, n: int, D: int, share: float = 0.1, loss: Any = "squared", seed: int = 0, **options: Any
) -> MultiOutputProblem:
    """Return a problem with standard normal X and alpha = share alpha_max."""
    X = np.random.default_rng(seed).standard_normal((n, d))
    problem = MultiOutputProblem(X, targets_of(loss, X, D, seed), 1.0, loss, **options)
    return problem.with_alpha(share * problem.alpha_max())


def random_outputs(d: int, D: int, neurons: int, seed: int) -> RidgeSpline:
    """Return a network with standard normal parameters."""
    rng = np.random.default_rng(seed)
    weights = rng.standard_normal((neurons, d))
    weights /= np.linalg.norm(weights, axis=1, keepdims=True)
    return RidgeSpline(
        rng.standard_normal((neurons, D)),
        weights,
        rng.standard_normal(neurons),
        rng.standard_normal((d, D)),
        rng.standard_normal(D),
    )


def sampled_norm(
    problem: MultiOutputProblem, Q: np.ndarray, count: int = 500, seed: int = 0
) -> float:
    """Return the largest dual norm of eta over random normals and all biases w.x_j, plainly."""
    rng = np.random.default_rng(seed)
    best = 0.0
    for w in rng.standard_normal((count, problem.n_features)):
        t = problem.X @ (w / np.linalg.norm(w))
        eta = np.maximum(t[:, None] - t[None, :], 0.0).T @ Q
        order = 2 if problem.output_norm == "l2" else np.inf
        best = max(best, float(np.linalg.norm(eta, ord=order, axis=1).max()))
    return best


def assert_certifies(problem: MultiOutputProblem, network: RidgeSpline, proof: Certificate) -> None:
    assert proof.primal == pytest.approx(problem.objective(network), rel=ROUNDING)
    assert isinstance(proof.dual, float) and type(proof.gap) is float
    assert 0.0 <= proof.gap and proof.dual <= proof.primal
    assert proof.sup_attained <= proof.sup_bound
    assert proof.n_neurons == network.merged().n_neurons
    assert proof.dual_point is not None and proof.dual_point.shape == problem.targets.shape
    assert sampled_norm(problem, proof.dual_point, 100) <= proof.sup_bound * (1 + 1e-12)


def assert_solved(problem: MultiOutputProblem, solution: Solution, tol: float = 1e-6) -> None:
    assert solution.status is Status.SOLVED, str(solution)
    proof = solution.certificate
    assert proof.relative_gap <= tol
    assert proof.n_neurons <= max(problem.sparsity_bound, 0)
    assert_certifies(problem, solution.network, proof)
    primal = np.array([event.primal for event in solution.history])
    assert (np.diff(primal) <= 1e-15 * np.abs(primal[:-1])).all()


def optimum(problem: MultiOutputProblem, tol: float = TIGHT) -> float:
    solution = solve_multi_output(problem, tol=tol)
    assert solution.status.solved, str(solution)
    return solution.certificate.primal
