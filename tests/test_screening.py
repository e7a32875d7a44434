"""Safe screening, and proved bounds of alpha_max."""

from __future__ import annotations

import numpy as np
import pytest
from helpers import TIGHT, gaussian

from radontv.problems import RadonTVProblem, losses
from radontv.solvers import prove, solve
from radontv.solvers.alpha_max import bound_alpha_max
from radontv.solvers.screening import inactive


def grid_of_neurons(problem: RadonTVProblem) -> tuple[np.ndarray, np.ndarray]:
    """Return many normals, each with all biases through data."""
    rng = np.random.default_rng(0)
    weights = rng.standard_normal((60, problem.n_features))
    weights /= np.linalg.norm(weights, axis=1, keepdims=True)
    biases = weights @ problem.X.T
    return np.repeat(weights, problem.n_samples, axis=0), biases.ravel()


@pytest.mark.parametrize("loss", ["squared", losses.HuberLoss(0.3), "logistic"])
def test_screened_neurons_are_inactive_at_the_optimum(loss: str | losses.Loss) -> None:
    base = gaussian(2, 60, 1.0, seed=1)
    y = np.sign(base.y - np.median(base.y)) if loss == "logistic" else base.y
    y = np.where(np.random.default_rng(0).uniform(size=60) < 0.15, -y, y)
    problem = RadonTVProblem(base.X, y, 1.0, loss=loss)
    problem = problem.with_alpha(0.2 * problem.alpha_max())
    best = solve(problem, tol=1e-9, scope="global")
    weights, biases = grid_of_neurons(problem)
    counts = []
    for rounds in (1, 2, 1000):
        rough = solve(problem, tol=1e-9, scope="global", max_rounds=rounds)
        out = inactive(problem, rough.certificate, weights, biases)
        # eta of the best dual point is within its own small radius of the optimal one.
        q = best.certificate.scale * best.certificate.dual_point
        assert (np.abs(problem.eta(q, weights[out], biases[out])) < problem.alpha).all()
        counts.append(int(out.sum()))
        own = inactive(problem, rough.certificate, best.network.weights, best.network.biases)
        assert not own.any()
    assert counts == sorted(counts)
    assert counts[-1] > 0.9 * len(biases)


def test_screening_refuses_what_is_not_safe() -> None:
    problem = gaussian(2, 30, 0.5)
    local = solve(problem, tol=1e-6).certificate
    weights, biases = grid_of_neurons(problem)
    with pytest.raises(ValueError, match="scope LOCAL"):
        inactive(problem, local, weights, biases)
    proof = solve(problem, tol=1e-6, scope="global").certificate
    with pytest.raises(ValueError, match="another problem"):
        inactive(problem.with_alpha(1.0), proof, weights, biases)
    kinked = RadonTVProblem(problem.X, problem.y, 0.1, loss="absolute")
    with pytest.raises(ValueError, match="Lipschitz"):
        inactive(kinked, proof, weights, biases)


def test_the_length_of_a_normal_does_not_matter_and_zero_is_none() -> None:
    problem = gaussian(2, 40, 0.3)
    proof = solve(problem, tol=1e-9, scope="global").certificate
    weights, biases = grid_of_neurons(problem)
    plain = inactive(problem, proof, weights, biases)
    assert plain.any() and not plain.all()
    for scale in (1e-3, 0.5, 1e3):
        scaled = inactive(problem, proof, scale * weights, scale * biases)
        assert (scaled == plain).mean() > 0.999
        assert not (scaled & ~plain).sum() > 1
    with pytest.raises(ValueError, match=r"weights\[1\] is 0"):
        inactive(problem, proof, np.array([[1.0, 0.0], [0.0, 0.0]]), np.zeros(2))
    with pytest.raises(ValueError, match="weights has shape"):
        inactive(problem, proof, weights[:, :1], biases)


@pytest.mark.parametrize("d", [1, 2, 3, 4])
def test_alpha_max_lies_in_its_proved_range(d: int) -> None:
    problem = gaussian(d, 50, 1.0, seed=d)
    low, high = bound_alpha_max(problem, tol=1e-6)
    assert low <= high <= low * (1 + 1e-5)
    assert problem.alpha_max() == pytest.approx(low, rel=1e-6)
    above = problem.with_alpha(high * (1 + 1e-9))
    affine = above.affine_fit()
    assert prove(above, affine, tol=1e-12).relative_gap <= 1e-9
    below = solve(problem.with_alpha(0.98 * low), tol=TIGHT)
    assert below.network.n_neurons > 0
