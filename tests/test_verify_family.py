"""Certificates of the whole family: confirmed if right, refused if anything was changed."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers import random_network, targets, tied_inputs

from radontv.problems import (
    Certificate,
    HigherOrderProblem,
    MultiOutputProblem,
    RadonTVProblem,
    RidgeSpline,
    Scope,
    losses,
)
from radontv.problems.measurements import segment_averages
from radontv.problems.neuron_cost import PenalizedBias, WeightedNorm
from radontv.problems.vector.multinomial_loss import MultinomialLoss
from radontv.solvers import prove, solve, verify

LOSSES: dict[str, Any] = {
    "squared": "squared",
    "huber": losses.HuberLoss(0.3),
    "absolute": "absolute",
    "quantile": losses.QuantileLoss(0.8),
    "epsilon_insensitive": losses.EpsilonInsensitiveLoss(0.1),
    "logistic": "logistic",
    "smoothed": losses.LogisticLoss(0.1),
    "hinge": "hinge",
    "squared_hinge": "squared_hinge",
    "poisson": "poisson",
    "interpolation": "interpolation",
    "tube": losses.TubeLoss(0.1),
}
COSTS: dict[str, Callable[[int], dict[str, Any]]] = {
    "penalized": lambda d: {"cost": PenalizedBias(1.5)},
    "penalized, no skip": lambda d: {"cost": "penalized_bias", "skip": "none"},
    "no bias": lambda d: {"cost": "no_bias"},
    "no bias, no skip": lambda d: {"cost": "no_bias", "skip": "none"},
    "weighted": lambda d: {"cost": WeightedNorm(np.eye(d) + 0.3 * np.ones((d, d)))},
    "l1": lambda d: {"cost": "l1_norm"},
}


def inputs(d: int, n: int, kind: str = "gaussian", seed: int = 0) -> np.ndarray:
    if kind == "gaussian":
        return np.random.default_rng(seed).standard_normal((n, d))
    return tied_inputs(kind, n, d, seed)


def suited(name: str, y: np.ndarray, seed: int = 1) -> np.ndarray:
    """Return targets for a loss: numbers, classes or counts."""
    rng = np.random.default_rng(seed)
    if name in ("logistic", "smoothed", "hinge", "squared_hinge"):
        return np.where(y + 0.8 * rng.standard_normal(len(y)) > np.median(y), 1.0, -1.0)
    return rng.poisson(np.exp(0.3 * y)).astype(float) if name == "poisson" else y


def scalar(name: str, d: int, n: int, alpha: float = 0.01, **options: Any) -> RadonTVProblem:
    X = inputs(d, n)
    y = targets(X, np.random.default_rng(7))
    return RadonTVProblem(X, suited(name, y), alpha, LOSSES[name], **options)


def measured(name: str, d: int) -> RadonTVProblem:
    ends = np.random.default_rng(3).uniform(-1.0, 1.0, size=(2, 20, d))
    points, M = segment_averages(*ends, n_nodes=5)
    y = M @ np.abs(points[:, 0]) + 0.1 * np.random.default_rng(4).standard_normal(20)
    return RadonTVProblem(points, suited(name, y), 0.003, LOSSES[name], measurements=M)


def outputs(name: str, d: int, norm: str, n: int = 20) -> MultiOutputProblem:
    X, rng = inputs(d, n), np.random.default_rng(2)
    y = targets(X, rng)
    Y = np.column_stack([y, np.abs(X[:, 0]), rng.standard_normal(n)])
    if name == "multinomial":
        codes = rng.integers(0, 3, size=n)
        return MultiOutputProblem(X, codes, 0.02, MultinomialLoss(0.05), output_norm=norm)
    Y = np.column_stack([suited(name, column) for column in Y.T])
    return MultiOutputProblem(X, Y, 0.02, LOSSES[name], output_norm=norm)


def powers(name: str, d: int, order: int, alpha: float = 0.003) -> HigherOrderProblem:
    X = inputs(d, 30)
    y = suited(name, targets(X, np.random.default_rng(7)))
    return HigherOrderProblem(X, y, alpha, order=order, loss=LOSSES[name])


def weighted_rows(name: str) -> RadonTVProblem:
    """Return a problem with rows of weight 0 and equal rows."""
    X = inputs(2, 30, "duplicates")
    y = suited(name, targets(X, np.random.default_rng(7)))
    return RadonTVProblem(X, y, 0.01, LOSSES[name], sample_weight=np.arange(30.0) % 4)


PROBLEMS: dict[str, Callable[[], Any]] = {
    **{
        f"{name}, d={d}": lambda name=name, d=d: scalar(name, d, (30, 20, 16)[d - 1])
        for name in LOSSES
        for d in (1, 2, 3)
        if name != "tube" or d < 3
    },
    **{
        f"{cost}, {name}, d={d}": lambda cost=cost, name=name, d=d: scalar(
            name, d, 20, **COSTS[cost](d)
        )
        for cost in COSTS
        for name, d in (("squared", 1), ("absolute", 2), ("smoothed", 2), ("squared", 3))
    },
    **{
        f"measured, {name}, d={d}": lambda name=name, d=d: measured(name, d)
        for name, d in (("squared", 1), ("huber", 2), ("absolute", 2), ("smoothed", 2))
    },
    **{
        f"outputs {norm}, {name}, d={d}": lambda name=name, d=d, norm=norm: outputs(name, d, norm)
        for name, d in (("squared", 1), ("huber", 2), ("poisson", 2), ("multinomial", 2))
        for norm in ("l2", "l1")
    },
    "outputs l1, squared, d=3": lambda: outputs("squared", 3, "l1", 12),
    **{
        f"order {m}, {name}, d=1": lambda m=m, name=name: powers(name, 1, m)
        for m in (2, 3, 4)
        for name in ("squared", "huber", "smoothed")
    },
    "order 2, squared, d=2": lambda: powers("squared", 2, 2),
    **{
        f"weights, {name}": lambda name=name: weighted_rows(name)
        for name in LOSSES
        if name not in ("interpolation", "tube")  # equal rows have other targets
    },
}
UNBOUNDED: dict[str, Callable[[], Any]] = {
    "outputs l2, squared, d=3": lambda: outputs("squared", 3, "l2"),
    "order 3, squared, d=2": lambda: powers("squared", 2, 3),
    "order 4, huber, d=2": lambda: powers("huber", 2, 4, 3e-4),
}
SOLVED: dict[str, tuple[Any, Certificate]] = {}


def solved(name: str) -> tuple[Any, Certificate]:
    """Return problem and certificate of scope GLOBAL, computed once."""
    if name not in SOLVED:
        problem = {**PROBLEMS, **UNBOUNDED}[name]()
        solution = solve(problem, tol=1e-6, scope="global", time_limit=60.0)
        assert math.isfinite(solution.certificate.primal)
        SOLVED[name] = problem, solution.certificate
    return SOLVED[name]


def attained_at(problem: Any, q: Any, w: np.ndarray, b: float) -> float:
    """Return |eta| over the price of one neuron, by the problem's own formulas."""
    if not w.any():
        # A constant, the neuron without w.
        return abs(float(q.sum())) * float(problem.cost.of_constant)
    value = problem.eta(q, w[None], np.array([b]))
    if isinstance(problem, MultiOutputProblem):
        return float(problem.dual_norm(value)[0])
    price = problem.cost.of(w[None], np.array([b])) if hasattr(problem, "cost") else 1.0
    return float((np.abs(value) / price)[0])


@pytest.mark.parametrize("name", PROBLEMS)
def test_proved_certificates_are_confirmed(name: str, tmp_path: Path) -> None:
    problem, certificate = solved(name)
    assert certificate.scope is Scope.GLOBAL
    certificate.save(tmp_path / "proof.json")
    result = verify(Certificate.load(tmp_path / "proof.json"), problem, n_jobs=1)
    assert result.valid, str(result)
    assert result.complete
    assert result.primal == pytest.approx(problem.objective(certificate.network), rel=1e-11)
    assert result.relative_gap <= 1.01 * certificate.relative_gap + 1e-9
    assert result.sup_bound <= certificate.sup_bound * (1 + 1e-8)
    assert result.sup_attained <= result.sup_bound * (1 + 1e-12)
    there = attained_at(problem, certificate.dual_point, result.weight, result.bias)
    assert there == pytest.approx(result.sup_attained, rel=1e-9)


@pytest.mark.parametrize("name", UNBOUNDED)
def test_what_cannot_be_bounded_is_not_confirmed(name: str) -> None:
    problem, certificate = solved(name)
    result = verify(certificate, problem)
    assert not result.valid
    assert not result.complete
    (failure,) = result.failures
    assert "was not re-proved" in failure
    assert "verify bounds it" in failure
    assert result.sup_bound == math.inf
    assert result.dual <= certificate.dual  # the bound of q = 0, and nothing better
    assert result.dual == pytest.approx(problem.dual_value(0.0 * certificate.dual_point), abs=1e-9)
    assert result.primal == pytest.approx(certificate.primal, rel=1e-9)
    assert result.sup_attained == pytest.approx(certificate.sup_attained, rel=1e-4)


def lower_bound_with_all_that_follows(c: Certificate, p: Any) -> Certificate:
    """Return what a certificate would say if the bound were lower: only the bound is wrong."""
    bound = 0.98 * c.sup_bound
    made = p.certificate(c.network, 0.0, Scope.GLOBAL, dual_point=c.dual_point)
    dual = max(made.dual, c.dual + 0.02 * c.primal)
    gap = max(c.primal - dual, 0.0)
    return replace(
        c, sup_bound=bound, sup_attained=bound, scale=p.alpha / bound, dual=dual, gap=gap,
        relative_gap=gap / c.primal,
    )  # fmt: skip


def moved(q: Any) -> np.ndarray:
    q = np.array(q)
    q[np.unravel_index(np.argmax(np.abs(q)), q.shape)] *= 0.99
    return q


def shrunk(network: Any) -> Any:
    return replace(network, amplitudes=0.999 * network.amplitudes)


FORGERIES: dict[str, tuple[str, Callable[[Certificate, Any], Certificate]]] = {
    "gap": (
        "less than primal - dual",
        lambda c, p: replace(c, gap=c.primal - c.dual - 1e-6 * c.primal),
    ),
    "relative gap": (
        "the relative gap",
        lambda c, p: replace(c, gap=1e-3 * c.primal, relative_gap=9e-4),
    ),
    "dual": ("does not follow", lambda c, p: replace(c, dual=c.dual + 1e-5 * c.primal)),
    "primal": ("the objective of", lambda c, p: replace(c, primal=c.primal * (1 - 1e-8))),
    "bound": ("is reached at w", lambda c, p: replace(c, sup_bound=0.999 * c.sup_bound)),
    "bound and all": ("is reached at w", lower_bound_with_all_that_follows),
    "higher bound": ("does not follow", lambda c, p: replace(c, sup_bound=1.01 * c.sup_bound)),
    "attained": ("sup_attained", lambda c, p: replace(c, sup_attained=1.1 * c.sup_bound)),
    "scale": ("too large", lambda c, p: replace(c, scale=1.001 * p.alpha / c.sup_bound)),
    "resolution": ("the resolution", lambda c, p: replace(c, resolution=c.primal)),
    "alpha": ("alpha =", lambda c, p: replace(c, alpha=1.001 * c.alpha)),
    "digest": ("another problem", lambda c, p: replace(c, digest="0" * 64)),
    "neurons": ("n_neurons", lambda c, p: replace(c, n_neurons=c.n_neurons - 1)),
    "sparsity": ("sparsity_bound", lambda c, p: replace(c, sparsity_bound=0)),
    "network": ("the objective of", lambda c, p: replace(c, network=shrunk(c.network))),
    "dual point": ("follow", lambda c, p: replace(c, dual_point=moved(c.dual_point))),
    "dual point 0": ("follow", lambda c, p: replace(c, dual_point=0.0 * c.dual_point)),  # type: ignore[operator]
}  # fmt: skip
FORGED = (
    "huber, d=2", "absolute, d=2", "epsilon_insensitive, d=1", "logistic, d=3", "hinge, d=2",
    "squared_hinge, d=1", "poisson, d=2", "interpolation, d=2", "tube, d=1",
    "penalized, smoothed, d=2", "penalized, no skip, absolute, d=2", "no bias, squared, d=3",
    "no bias, no skip, squared, d=3", "weighted, smoothed, d=2", "l1, absolute, d=2",
    "measured, huber, d=2", "outputs l2, huber, d=2",
    "outputs l1, poisson, d=2", "outputs l2, multinomial, d=2", "order 3, huber, d=1",
    "order 4, squared, d=1", *UNBOUNDED,
)  # fmt: skip


@pytest.mark.parametrize("name", FORGED)
@pytest.mark.parametrize("forgery", FORGERIES)
def test_forgeries_are_refused(forgery: str, name: str) -> None:
    problem, certificate = solved(name)
    message, forge = FORGERIES[forgery]
    forged = forge(certificate, problem)
    result = verify(forged, problem, n_jobs=1, time_limit=20.0)
    assert not result.valid
    assert message in str(result)
    # Whatever it is told, what it proves is true.
    if not problem.loss.key.startswith(("interpolation", "tube")):
        assert result.dual <= certificate.primal * (1 + 1e-12)


@pytest.mark.parametrize(
    "name",
    [
        "penalized, no skip, absolute, d=2", "no bias, squared, d=3", "weighted, smoothed, d=2",
        "l1, absolute, d=2", "l1, squared, d=3", "measured, huber, d=2", "outputs l2, huber, d=2",
        "outputs l1, poisson, d=2", "order 3, huber, d=1", "order 4, squared, d=1", "hinge, d=2",
    ],
)  # fmt: skip
def test_a_bound_that_only_a_search_can_refute(name: str) -> None:
    # Without neurons nothing in the file shows where |eta| is large.
    problem, certificate = solved(name)
    q = certificate.dual_point
    if isinstance(problem, HigherOrderProblem):
        network: Any = problem.polynomial_fit()
    elif problem.__class__ is RadonTVProblem and problem.skip == "none":
        network = RidgeSpline.affine(np.zeros(problem.n_features))
    else:
        network = problem.affine_fit()
    low = problem.certificate(network, 0.995 * certificate.sup_attained, Scope.GLOBAL, dual_point=q)
    forged = replace(low, network=network)
    result = verify(forged, problem, n_jobs=1)
    assert "is reached at w" in str(result)
    assert result.sup_bound == pytest.approx(certificate.sup_bound, rel=1e-5)
    there = attained_at(problem, forged.dual_point, result.weight, result.bias)
    assert there == pytest.approx(result.sup_attained, rel=1e-9)


@pytest.mark.parametrize("name", ["huber, d=2", "hinge, d=2", "poisson, d=2", "smoothed, d=2"])
def test_a_dual_point_outside_of_the_domain_proves_little(name: str) -> None:
    # Ten times q has ten times its sup; t = 1/10 is inside, t = 1 is not.
    problem, certificate = solved(name)
    q = 10.0 * certificate.dual_point  # type: ignore[operator]
    bound = 10.0 * certificate.sup_bound
    same = replace(
        certificate, dual_point=q, sup_bound=bound, sup_attained=bound, scale=certificate.scale / 10
    )
    assert verify(same, problem).valid
    wrong = replace(certificate, dual_point=q)
    assert not verify(wrong, problem).valid
    beyond = problem.with_alpha(10.0 * problem.alpha)
    claim = replace(same, alpha=beyond.alpha, digest=beyond.digest, scale=1.0)
    result = verify(claim, beyond)
    assert not result.valid
    assert result.dual <= beyond.objective(certificate.network)


@pytest.mark.parametrize("cost", COSTS)
def test_all_that_a_network_pays_for_is_counted(cost: str) -> None:
    problem = scalar("huber", 2, 20, 0.1, **COSTS[cost](2))
    network = random_network(2, 3, 0)
    biases = np.zeros(3) if cost.startswith("no bias") else network.biases
    intercept = 0.0 if cost == "no bias, no skip" else network.intercept
    network = replace(network, biases=biases, intercept=intercept)
    certificate = prove(problem, network, tol=1e-4)
    result = verify(certificate, problem)
    assert result.valid, str(result)
    assert result.primal == pytest.approx(problem.objective(network), rel=1e-12)


def test_maxima_that_fill_edges_take_few_boxes() -> None:
    # At a kink of the loss many neurons share cells: without exact slopes no end is in sight.
    problem = scalar("absolute", 3, 25, cost="l1_norm")
    certificate = solve(problem, tol=1e-6, scope="global", time_limit=60.0).certificate
    assert verify(certificate, problem, time_limit=30.0).valid


def test_infinite_objectives_are_confirmed_as_such() -> None:
    problem = scalar("interpolation", 2, 20)
    good = solve(problem, tol=1e-6, scope="global").certificate
    missed = problem.affine_fit()
    c = problem.certificate(missed, good.sup_bound, Scope.GLOBAL, dual_point=good.dual_point)
    assert c.primal == math.inf
    result = verify(c, problem)
    assert result.valid, str(result)
    assert result.relative_gap == math.inf
    assert result.dual == pytest.approx(good.dual, rel=1e-6)
    for lie in ({"primal": good.primal}, {"gap": 1.0}, {"relative_gap": 0.0}, {"dual": math.inf}):
        assert not verify(replace(c, **lie), problem).valid
    raised = replace(c, dual=c.dual * (1 + 1e-6))
    assert "does not follow" in str(verify(raised, problem))


def test_a_constraint_that_is_missed_is_said() -> None:
    problem, certificate = solved("interpolation, d=2")
    network: Any = certificate.network
    away = network.with_affine(network.coef, network.intercept + 1e-6)
    found = str(verify(replace(certificate, network=away), problem))
    assert "the objective of its network is inf" in found
    assert "a constraint counts as met" in found


def test_time_limits_hold_for_boxes_of_all_kinds() -> None:
    X = inputs(6, 80)
    y = targets(X, np.random.default_rng(7))
    for options in ({"cost": "penalized_bias"}, {"cost": "l1_norm"}):
        problem = RadonTVProblem(X, y, 0.01, **options)
        network = problem.affine_fit()
        rough = problem.certificate(network, 0.0, Scope.LOCAL)
        q = rough.dual_point
        tight = problem.certificate(network, 0.02, Scope.GLOBAL, dual_point=q)
        result = verify(tight, problem, time_limit=0.3, n_jobs=1)
        assert result.seconds < 5.0
        assert not result.complete
        assert not result.valid


def test_what_is_not_of_this_family_is_an_error() -> None:
    problem, certificate = solved("huber, d=2")
    fewer = RadonTVProblem(problem.X[1:], problem.y[1:], problem.alpha, problem.loss)
    with pytest.raises(ValueError, match=r"dual_point has shape \(20,\)"):
        verify(certificate, fewer)
    with pytest.raises(TypeError, match="not a PowerSpline"):
        verify(certificate, powers("huber", 2, 3))
    with pytest.raises(ValueError, match="coef of shape"):
        verify(certificate, outputs("huber", 2, "l2"))
    with pytest.raises(TypeError, match="not a RidgeSpline"):
        verify(solved("order 3, huber, d=1")[1], scalar("huber", 1, 30))
    with pytest.raises(ValueError, match="order 3 and 1 features, the problem 4 and 1"):
        verify(solved("order 3, huber, d=1")[1], powers("huber", 1, 4))
    with pytest.raises(TypeError, match="must be a RadonTVProblem, MultiOutputProblem or"):
        verify(certificate, problem.X)

    class Other(losses.SquaredLoss):
        name = "other"

    with pytest.raises(NotImplementedError, match=r"verify knows absolute, .* not"):
        verify(certificate, RadonTVProblem(problem.X, problem.y, 0.01, Other()))
