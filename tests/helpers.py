"""Problems, certificate assertions and tolerances that the tests share."""

from __future__ import annotations

from typing import Any

import numpy as np

from radontv.problems import Certificate, RadonTVProblem, RidgeSpline, Scope
from radontv.solvers import Solution

ROUNDING = 1e-12
"""Two ways to evaluate one formula: a few hundred roundings of 1e-16, relative."""
IDENTITY = 1e-10
"""Identities behind a division or a least-squares fit, relative: condition numbers up to 1e4."""
AGREE = 1e-7
"""Two solvers of one problem, relative: both are asked for gaps of 1e-9 or less."""
TIGHT = 1e-9
"""Tolerance asked of a solver whose result is compared with another."""
NULL_SPACE = 1e-10
"""|A^T q| relative to sum |q_i| max |x_i|, as in the checklist of docs/mathematics.md."""


def junk_in(scratch: tuple[np.ndarray, ...], value: float) -> tuple[np.ndarray, ...]:
    """Fill the arrays of an ascent, but its bins, with a value; return them."""
    for k, part in enumerate(scratch):
        if k != 6:
            part[:] = value
    return scratch


def targets(X: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return sin(2 x_1) + |x_1 + x_2| + noise of standard deviation 0.1."""
    last = X[:, min(1, X.shape[1] - 1)]
    return np.sin(2 * X[:, 0]) + np.abs(X[:, 0] + last) + 0.1 * rng.standard_normal(len(X))


def gaussian(d: int, n: int, lam: float, seed: int = 0) -> RadonTVProblem:
    """Return G(d, n, lam): standard normal X, alpha = lam / n."""
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, d))
    return RadonTVProblem(X, targets(X, rng), lam / n)


def tied_inputs(kind: str, n: int, d: int, seed: int = 0) -> np.ndarray:
    """Return X with ties: 'grid', 'duplicates', 'binary', 'collinear' or 'flat' (rank d - 1)."""
    rng = np.random.default_rng(seed)
    if kind == "grid":
        return rng.integers(-2, 3, size=(n, d)).astype(float)
    if kind == "duplicates":
        return rng.standard_normal((max(n // 2, 1), d))[np.arange(n) % max(n // 2, 1)]
    if kind == "binary":
        X = rng.standard_normal((n, d))
        X[:, -1] = rng.integers(0, 2, size=n)
        return X
    if kind == "collinear":
        return rng.permutation(n)[:, None] * rng.standard_normal(d) + rng.standard_normal(d)
    if kind == "flat":
        return rng.standard_normal((n, d - 1)) @ rng.standard_normal((d - 1, d)) + 3.0
    raise ValueError(kind)


def tied(kind: str, n: int, d: int, lam: float, seed: int = 0, **options: Any) -> RadonTVProblem:
    """Return a problem on `tied_inputs`."""
    X = tied_inputs(kind, n, d, seed)
    return RadonTVProblem(X, targets(X, np.random.default_rng(seed + 1)), lam / n, **options)


def random_network(d: int, neurons: int, seed: int) -> RidgeSpline:
    """Return a network with standard normal amplitudes, biases and affine part."""
    rng = np.random.default_rng(seed)
    weights = rng.standard_normal((neurons, d))
    weights /= np.linalg.norm(weights, axis=1, keepdims=True)
    return RidgeSpline(
        rng.standard_normal(neurons),
        weights,
        rng.standard_normal(neurons),
        rng.standard_normal(d),
        rng.standard_normal(),
    )


def naive_value(network: RidgeSpline, x: np.ndarray) -> float:
    """Return sum_k a_k max(w_k.x - b_k, 0) + c.x + c0, one scalar at a time."""
    value = float(network.intercept) + sum(c * v for c, v in zip(network.coef, x, strict=True))
    for a, w, b in zip(network.amplitudes, network.weights, network.biases, strict=True):
        value += a * max(sum(u * v for u, v in zip(w, x, strict=True)) - b, 0.0)
    return float(value)


def sampled_sup(problem: RadonTVProblem, q: np.ndarray, count: int = 2000, seed: int = 0) -> float:
    """Return the largest |eta_q| over random normals and all biases w.x_j, in plain numpy.

    With the projections t sorted, eta(w, t_j) = sum_{t_i > t_j} q_i (t_i - t_j).
    """
    rng = np.random.default_rng(seed)
    directions = rng.standard_normal((count, problem.n_features))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    t = directions @ problem.X.T
    order = np.argsort(-t, axis=1)
    t, mass = np.take_along_axis(t, order, axis=1), q[order]
    return float(np.abs(np.cumsum(mass * t, axis=1) - t * np.cumsum(mass, axis=1)).max())


def assert_certifies(problem: RadonTVProblem, network: RidgeSpline, proof: Certificate) -> None:
    """Assert what every certificate promises about its network."""
    assert np.isclose(proof.primal, problem.objective(network), rtol=ROUNDING, atol=0.0)
    assert proof.gap >= 0.0
    assert proof.dual <= proof.primal
    # dual is stored as primal - gap, rounded once.
    assert np.isclose(proof.primal - proof.dual, proof.gap, rtol=1e-6, atol=4e-16 * proof.primal)
    assert proof.sup_attained <= proof.sup_bound
    assert 0.0 <= proof.relative_gap
    assert proof.n_neurons == network.merged().n_neurons
    assert Certificate.from_dict(proof.to_dict()) == proof
    assert proof.scope is Scope.GLOBAL or "proof" in str(proof) or "dictionary" in str(proof)


def assert_solved(problem: RadonTVProblem, solution: Solution, tol: float) -> None:
    """Assert that a solution meets the tolerance, is sparse, and that the sup matches alpha."""
    proof = solution.certificate
    assert solution.status.solved, str(solution)
    assert proof.relative_gap <= tol
    assert proof.n_neurons <= max(problem.sparsity_bound, 0)
    assert_certifies(problem, solution.network, proof)
    monotone_history(solution)


def monotone_history(solution: Solution) -> None:
    """Assert that primal values never rise and that search bounds never fall."""
    primal = np.array([event.primal for event in solution.history])
    assert (np.diff(primal) <= 1e-15 * np.abs(primal[:-1])).all()
    assert all(event.gap >= 0.0 for event in solution.history)
    assert [event.round for event in solution.history] == sorted(
        event.round for event in solution.history
    )
