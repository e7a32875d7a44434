"""certify: other people's networks against the optimum, in their own conventions."""

from __future__ import annotations

import dataclasses
import inspect
import json
import warnings
from typing import Any

import numpy as np
import pytest
from helpers import random_network
from sklearn.linear_model import LinearRegression
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import radontv
from radontv import ModelReport, RadonTVRegressor, certification, certify
from radontv.problems import Layers, RadonTVProblem, RidgeSpline, Scope
from radontv.solvers import solve, verify

EXACT = 1e-12
"""One formula in two programs, relative."""

rng = np.random.default_rng(0)
N, D, WIDTH = 40, 2, 12
X = rng.normal(size=(N, D))
Y = np.sin(2 * X[:, 0]) + np.abs(X[:, 1]) + 0.1 * rng.normal(size=N)
S = rng.uniform(0.5, 2.0, size=N)
POINTS = 3 * rng.normal(size=(100, D))


def mlp(X: np.ndarray = X, Y: np.ndarray = Y, **options: Any) -> MLPRegressor:
    """Return a network after a few steps, far from any optimum."""
    settings = {"hidden_layer_sizes": (WIDTH,), "alpha": 0.3, "solver": "lbfgs", "max_iter": 30}
    weights = options.pop("sample_weight", None)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # not converged, on purpose
        model = MLPRegressor(**settings | {"random_state": 0} | options)
        return model.fit(X, Y) if weights is None else model.fit(X, Y, sample_weight=weights)


def arrays(seed: int = 0, width: int = WIDTH, d: int = D) -> tuple[Any, ...]:
    """Return W1, b1, w2, b2, skip of an unbalanced network."""
    draw = np.random.default_rng(seed).normal
    return draw(size=(width, d)), draw(size=width), draw(size=width), draw(), draw(size=d)


def balanced(parts: tuple[Any, ...]) -> tuple[Any, ...]:
    W1, b1, w2, *rest = parts
    c = np.sqrt(np.abs(w2) / np.linalg.norm(W1, axis=1))
    return W1 * c[:, None], b1 * c, w2 / c, *rest


def value(parts: tuple[Any, ...], x: np.ndarray) -> np.ndarray:
    """Return w2.relu(W1 x + b1) + skip.x + b2 as plainly as possible."""
    W1, b1, w2, b2, *skip = parts
    straight = x @ np.ravel(skip[0]) if skip else 0.0
    return np.maximum(x @ W1.T + b1, 0) @ np.ravel(w2) + np.ravel(b2) + straight


def consistent(report: ModelReport) -> ModelReport:
    """Assert what every report promises, and return it."""
    small = 1e-12 * report.objective
    assert report.lower_bound <= report.upper_bound <= report.objective + small
    assert report.objective <= report.trained_objective * (1 + EXACT) + 1e-300
    assert report.suboptimality >= max(report.objective - report.lower_bound - small, 0.0)
    assert 0.0 <= report.least_suboptimality <= report.suboptimality
    assert 0.0 <= report.relative_suboptimality <= 1.0 + EXACT
    assert report.scope is report.solution.certificate.scope
    assert (f"({report.scope.name}: " in str(report)) and (report.scope is Scope.GLOBAL) == (
        "no proof)" not in str(report)
    )
    assert 7 <= len(str(report).splitlines()) <= 8
    assert json.loads(json.dumps(report.to_dict()))["objective"] == report.objective
    return report


# --- torch without torch: the classes and attributes that are read ---------------------------


class FakeTensor:
    def __init__(self, values: Any) -> None:
        self.values = np.asarray(values, dtype=np.float32)

    def detach(self) -> FakeTensor:
        return self

    cpu = detach

    def double(self) -> FakeTensor:
        tensor = FakeTensor(self.values)
        tensor.values = tensor.values.astype(np.float64)
        return tensor

    def numpy(self) -> np.ndarray:
        return self.values

    def __array__(self, *args: Any, **options: Any) -> np.ndarray:
        raise RuntimeError("Can't call numpy() on Tensor that requires grad.")


def in_torch(cls: type) -> type:
    cls.__module__ = "torch.nn.modules"
    return cls


@in_torch
class Module:
    pass


@in_torch
class Linear(Module):
    def __init__(self, weight: Any, bias: Any = None) -> None:
        self.weight = FakeTensor(weight)
        self.bias = None if bias is None else FakeTensor(bias)


@in_torch
class ReLU(Module):
    pass


@in_torch
class Tanh(Module):
    pass


@in_torch
class Sequential(Module):
    def __init__(self, *parts: Any) -> None:
        self.parts = parts

    def __iter__(self) -> Any:
        return iter(self.parts)


class Home(Sequential):  # somebody's subclass: its forward pass may be anything
    pass


def torch_pair(parts: tuple[Any, ...], shift: float = 0.5) -> tuple[Any, Any]:
    """Return the (Sequential, skip) of arrays; the bias is shared out between the two."""
    W1, b1, w2, b2, skip = parts
    net = Sequential(Linear(W1, b1), ReLU(), Linear(w2[None], [b2 - shift]))
    return net, Linear(skip[None], [shift])


# --- the penalty of each convention ----------------------------------------------------------


def test_mlp_loss_is_the_trained_objective() -> None:
    model = mlp()
    report = consistent(certify(model, X, Y))
    assert report.alpha == 0.3 / N
    assert report.training_scale == 1.0
    assert report.trained_objective == pytest.approx(model.loss_, rel=EXACT)
    assert report.objective < model.loss_  # not balanced after 30 steps
    assert "0.3 / 40 rows" in str(report)


STILL = {"solver": "sgd", "learning_rate_init": 1e-300, "max_iter": 1}
"""An epoch in which no weight moves: `loss_` is scikit-learn's own value of the loss."""


@pytest.mark.parametrize("batch_size", [N, 10, 7, "auto"])
def test_mlp_batches(batch_size: Any) -> None:
    model = mlp(batch_size=batch_size, **STILL)
    report = consistent(certify(model, X, Y))
    batches = 1 if batch_size == "auto" else -(-N // batch_size)
    assert report.alpha == pytest.approx(0.3 * batches / N, rel=EXACT)
    assert report.trained_objective == pytest.approx(model.loss_, rel=EXACT)


def test_mlp_batches_of_200_rows_by_default() -> None:
    many = np.random.default_rng(0).normal(size=(500, 1))
    model = mlp(many, many[:, 0], **STILL)
    report = certify(model, many, many[:, 0], scope="local", tol=0.1)
    assert report.alpha == pytest.approx(0.3 * 3 / 500, rel=EXACT)
    assert report.trained_objective == pytest.approx(model.loss_, rel=EXACT)
    assert "0.3 * 3 batches / 500 rows" in str(report)


def test_balanced_mlp_costs_its_objective() -> None:
    model = mlp(**STILL)
    before = consistent(certify(model, X, Y))
    assert before.objective < 0.999 * model.loss_
    layers = before.network.to_layers()
    model.coefs_ = [layers.hidden_weight.T.copy(), layers.output_weight[:, None].copy()]
    model.intercepts_ = [layers.hidden_bias.copy(), np.array([layers.output_bias])]
    model.partial_fit(X, Y)
    after = consistent(certify(model, X, Y))
    assert after.objective == pytest.approx(model.loss_, rel=EXACT)
    assert after.objective == pytest.approx(before.objective, rel=EXACT)


@pytest.mark.skipif(
    "sample_weight" not in inspect.signature(MLPRegressor.fit).parameters,
    reason="this scikit-learn has no weights for networks",
)
def test_mlp_with_weights() -> None:
    model = mlp(sample_weight=S)
    report = consistent(certify(model, X, Y, sample_weight=S))
    assert report.alpha == pytest.approx(0.3 / S.sum(), rel=EXACT)
    assert report.trained_objective == pytest.approx(model.loss_, rel=EXACT)


@pytest.mark.parametrize("weights", [None, S])
@pytest.mark.parametrize(
    ("loss", "formula"),
    [
        ("mse", lambda r, s: s @ r**2 / s.sum()),
        ("half_mse", lambda r, s: s @ r**2 / s.sum() / 2),
        ("sse", lambda r, s: s @ r**2),
        ("half_sse", lambda r, s: s @ r**2 / 2),
    ],
)
def test_weight_decay_of_every_loss(loss: str, formula: Any, weights: np.ndarray | None) -> None:
    for parts, tight in ((arrays(), False), (balanced(arrays()), True)):
        W1, _, w2, *_ = parts
        residual = Y - value(parts, X)
        s = np.ones(N) if weights is None else weights
        training = formula(residual, s) + 0.5 / 2 * (np.sum(W1**2) + np.sum(w2**2))
        report = consistent(
            certify(parts, X, Y, weight_decay=0.5, loss=loss, sample_weight=weights)
        )
        own = report.training_scale * report.trained_objective
        assert own == pytest.approx(training, rel=EXACT)
        ratio = report.training_scale * report.objective / training
        assert ratio == pytest.approx(1.0, rel=EXACT) if tight else ratio < 1 - 1e-5
        problem = RadonTVProblem(X, Y, report.alpha, sample_weight=weights)
        assert report.objective == pytest.approx(problem.objective(report.network), rel=EXACT)


def test_torch_decays_all_parameters() -> None:
    net, skip = torch_pair(arrays())
    linears = [net.parts[0], net.parts[2], skip]
    tensors = [t.double().numpy() for part in linears for t in (part.weight, part.bias)]
    W1, b1, w2, b2, straight, shift = tensors
    residual = Y - value((W1, b1, w2, b2 + shift, straight), X)
    weights = np.sum(W1**2) + np.sum(w2**2)
    every = sum(np.sum(t**2) for t in tensors)
    for decayed, squares in (("weights", weights), ("all", every), (None, every)):
        report = consistent(certify((net, skip), X, Y, weight_decay=0.02, decayed=decayed))
        training = np.mean(residual**2) + 0.01 * squares
        assert report.alpha == 0.01
        assert 2.0 * report.trained_objective == pytest.approx(training, rel=EXACT)
        assert ("pays for its biases" in str(report)) == (decayed != "weights")
    assert report.has_skip


# --- the same function -----------------------------------------------------------------------


def test_the_function_is_the_same() -> None:
    model, parts = mlp(), arrays()
    single = tuple(np.float64(np.float32(part)) for part in parts)
    cases: list[tuple[Any, Any]] = [
        (model, model.predict),
        (parts, lambda x: value(parts, x)),
        (list(parts[:4]), lambda x: value(parts[:4], x)),
        ((*parts[:2], parts[2][:, None], [parts[3]], parts[4][None]), lambda x: value(parts, x)),
        (Layers(*parts[:3], parts[4], parts[3]), lambda x: value(parts, x)),
        (RidgeSpline.from_layers(*parts[:3], parts[4], parts[3]), lambda x: value(parts, x)),
        (torch_pair(parts), lambda x: value(single, x)),
        (torch_pair(parts, 0.0)[0], lambda x: value(single[:4], x)),
        (tuple(map(FakeTensor, parts)), lambda x: value(single, x)),
    ]
    for given, expected in cases:
        report = certify(given, X, Y, alpha=0.01, scope="local")
        single_precision = 1e-6 if "orch" in report.kind else 1e-12
        np.testing.assert_allclose(
            report.network(POINTS), expected(POINTS), atol=single_precision, rtol=1e-9
        )
        consistent(report)


def test_dead_and_equal_neurons() -> None:
    # W = 0 with a positive and a negative bias, v = 0, twins, an antipodal pair, one far away.
    W1 = np.array([[0, 0], [0, 0], [1, 2], [3, 4], [6, 8], [0, 1], [0, -2], [1e-160, 0]], float)
    b1 = np.array([2.0, -1.0, 0.3, 1.0, 2.0, 0.1, -0.2, 0.5])
    w2 = np.array([1.5, 3.0, 0.0, 1.0, -0.25, 1.0, 1.0, 2.0])
    parts = (W1, b1, w2, 0.7)
    report = consistent(certify(parts, X, Y, alpha=0.01))
    np.testing.assert_allclose(report.network(POINTS), value(parts, POINTS), rtol=1e-12)
    assert (report.n_hidden, report.n_neurons, report.n_active) == (8, 2, 2)
    again = certify(RidgeSpline.from_layers(*parts[:3], None, parts[3]), X, Y, alpha=0.01)
    assert again.objective == pytest.approx(report.objective, rel=EXACT)
    fit = 0.5 * np.mean((Y - value(parts, X)) ** 2)
    assert report.objective == pytest.approx(fit + 0.01 * (5 - 2.5 + 1 + 2), rel=1e-9)


def test_weights_that_decayed_to_nothing() -> None:
    # In one dimension all normals are equal, and 1e-14 in place of 0 is a fold at 1e13.
    W1, b1, w2 = (
        np.array([[1.0], [1.0], [-1e-14]]),
        np.array([0.0, -0.5, 0.4]),
        np.array([1, -2, 1]),
    )
    parts, inputs = (W1, b1, w2, 0.0), X[:, :1]
    report = consistent(certify(parts, inputs, Y, alpha=0.01))
    fit = 0.5 * np.mean((Y - value(parts, inputs)) ** 2)
    assert report.objective == pytest.approx(fit + 0.03, rel=1e-9)
    assert (report.n_hidden, report.n_neurons) == (3, 2)


def test_rescaled_neurons_are_the_same_network() -> None:
    W1, b1, w2, *rest = arrays()
    c = np.exp(np.random.default_rng(3).normal(size=WIDTH))
    one = consistent(certify((W1, b1, w2, *rest), X, Y, alpha=0.01))
    two = consistent(certify((W1 * c[:, None], b1 * c, w2 / c, *rest), X, Y, alpha=0.01))
    three = consistent(certify(balanced((W1, b1, w2, *rest)), X, Y, alpha=0.01))
    assert one.objective == pytest.approx(two.objective, rel=EXACT)
    assert one.suboptimality == pytest.approx(two.suboptimality, rel=1e-9)
    assert one.trained_objective != pytest.approx(two.trained_objective, rel=1e-3)
    assert three.trained_objective == pytest.approx(one.objective, rel=EXACT)
    assert min(one.trained_objective, two.trained_objective) > three.trained_objective


# --- how far from the optimum ----------------------------------------------------------------


def test_a_known_optimum_is_enclosed() -> None:
    # XOR: F* = 2 sqrt 2 alpha - 4 alpha^2, see docs/mathematics.md.
    corners = np.array([[1.0, 1.0], [1.0, -1.0], [-1.0, 1.0], [-1.0, -1.0]])
    target, alpha = corners[:, 0] * corners[:, 1], 0.1
    best = 2 * np.sqrt(2) * alpha - 4 * alpha**2
    for seed in range(3):
        report = consistent(certify(arrays(seed), corners, target, alpha=alpha, tol=1e-7))
        assert report.scope is Scope.GLOBAL
        assert report.lower_bound <= best * (1 + EXACT)
        assert report.upper_bound == pytest.approx(best, rel=1e-6)
        assert report.suboptimality == pytest.approx(report.objective - best, rel=1e-4)
        assert report.n_neurons > report.sparsity_bound == 1 == report.best.n_neurons


@pytest.mark.parametrize("d", [1, 2, 3])
def test_trained_networks_are_never_below_the_bound(d: int) -> None:
    inputs = np.random.default_rng(d).normal(size=(N, d))
    for seed in range(3):
        model = mlp(inputs, random_state=seed, max_iter=2000, alpha=0.1)
        report = consistent(certify(model, inputs, Y, tol=1e-4))
        assert report.scope is Scope.GLOBAL
        assert model.loss_ >= report.lower_bound
        # It can also be checked by code that neither made the model nor the report.
        problem = RadonTVProblem(inputs, Y, report.alpha)
        if d < 3:
            assert verify(report.certificate, problem).valid
        assert problem.objective(report.best) == pytest.approx(report.upper_bound, rel=EXACT)


def test_an_optimum_has_no_distance() -> None:
    optimum = solve(RadonTVProblem(X, Y, 0.01), tol=1e-9, scope="global").network
    for given in (optimum, optimum.to_layers()):
        report = consistent(certify(given, X, Y, alpha=0.01, tol=1e-8))
        assert report.relative_suboptimality <= 2e-8
        assert report.trained_objective == pytest.approx(report.objective, rel=EXACT)
        assert report.n_neurons <= report.sparsity_bound
        assert "like this one" in str(report)


def test_own_estimator_is_judged_in_its_own_inputs() -> None:
    inputs = X * [1.0, 100.0] + [0.0, 7.0]
    model = RadonTVRegressor(alpha=0.01, tol=1e-7).fit(inputs, Y, sample_weight=S)
    report = consistent(certify(model, inputs, Y, sample_weight=S, tol=1e-6))
    assert report.alpha == model.alpha_
    assert report.objective == pytest.approx(model.certificate_.primal, rel=1e-9)
    assert report.relative_suboptimality <= 1e-6
    other = consistent(certify(model, inputs, Y, sample_weight=S, alpha=0.1))
    assert other.relative_suboptimality > 0.01


def test_pipelines_are_judged_behind_their_first_steps() -> None:
    inputs = X * [1.0, 100.0] + [0.0, 7.0]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = make_pipeline(StandardScaler(), mlp()).fit(inputs, Y)
    report = consistent(certify(model, inputs, Y))
    alone = certify(model[-1], model[:-1].transform(inputs), Y)
    assert report.objective == alone.objective
    assert "pipeline" in report.kind
    assert certify(make_pipeline(model[-1]), model[0].transform(inputs), Y).objective == (
        alone.objective
    )


def test_without_skip_connection_the_bound_still_holds() -> None:
    slope = X @ [1.0, -2.0]
    with_skip = certify((*(0 * part for part in arrays()[:4]), [1.0, -2.0]), X, slope, alpha=0.01)
    assert with_skip.objective < 1e-25
    W1 = np.array([[1.0, -2.0], [-1.0, 2.0]])
    without = consistent(
        certify((W1, np.zeros(2), np.array([1.0, -1.0]), 0.0), X, slope, alpha=0.01)
    )
    # relu(t) - relu(-t) = t: an affine function that pays for weight decay, but has no RTV.
    assert without.objective < 1e-25
    assert without.trained_objective == pytest.approx(0.01 / 2 * (5 + 5 + 1 + 1), rel=EXACT)
    assert not without.has_skip
    assert "has no affine part" in str(without)
    no_bias = certify((W1, None, np.array([1.0, 1.0]), 0.0), X, Y, alpha=0.01)
    assert "has no hidden biases" in str(no_bias)


def test_local_reports_claim_no_proof() -> None:
    report = consistent(certify(arrays(), X, Y, alpha=0.01, scope="local"))
    assert report.scope is Scope.LOCAL
    assert "seems to lie" in str(report)


def test_a_search_that_missed_a_neuron_is_corrected(monkeypatch: pytest.MonkeyPatch) -> None:
    problem = RadonTVProblem(X, Y, 0.01)
    truth = solve(problem, tol=1e-8)
    affine = problem.affine_fit()
    lie = problem.certificate(affine, 0.01, Scope.LOCAL)
    assert lie.dual > truth.certificate.primal
    liar = dataclasses.replace(truth, network=affine, certificate=lie)
    monkeypatch.setattr(certification, "solve", lambda *args, **options: liar)
    report = certify(truth.network, X, Y, alpha=0.01, scope="local")
    assert report.lower_bound <= truth.certificate.dual
    assert report.suboptimality > 0
    assert report.best is report.network


def test_a_proof_that_ran_out_of_time_is_a_wider_range() -> None:
    inputs = np.random.default_rng(0).normal(size=(150, 7))
    target = np.abs(inputs[:, 0]) + inputs[:, 1] * inputs[:, 2]
    report = consistent(certify(arrays(d=7), inputs, target, alpha=0.01, time_limit=0.6, tol=1e-6))
    assert report.scope is Scope.GLOBAL
    assert not report.solution.status.solved
    assert "time limit" in str(report)
    local = certify(arrays(d=7), inputs, target, alpha=0.01, scope="local", tol=0.05)
    assert report.lower_bound <= local.upper_bound


# --- what is refused -------------------------------------------------------------------------

W1, B1, W2, B2, SKIP = arrays()
LINEAR, LAST = Linear(W1, B1), Linear(W2[None], [0.0])
NAN_W1 = np.where(np.arange(WIDTH)[:, None] == 3, np.nan, W1)
UNFIT = MLPRegressor()


@pytest.mark.parametrize(
    ("model", "message"),
    [
        ("network.pt", "model is a str; pass a RidgeSpline"),
        (None, "model is a NoneType"),
        (LinearRegression(), "model is a LinearRegression; pass"),
        (MLPClassifier(), "model is a MLPClassifier; classifiers have another loss"),
        (UNFIT, "MLPRegressor instance is not fitted"),
        (RadonTVRegressor(), "RadonTVRegressor instance is not fitted"),
        (make_pipeline(StandardScaler(), MLPRegressor()), "not fitted"),
        (
            lambda: mlp(hidden_layer_sizes=(4, 4)),
            r"2 hidden layers \(hidden_layer_sizes=\(4, 4\)\)",
        ),
        (lambda: mlp(activation="tanh"), "activation='tanh'; only 'relu'"),
        (lambda: mlp(Y=np.column_stack([Y, Y])), "2 outputs; only one"),
        (lambda: mlp(X[:, :1]), "X has 2 features, but the model was made for 1"),
        (lambda: mlp().set_params(alpha=0.0), "alpha=0.0, no weight decay.*pass the alpha"),
        ((W1, B1, W2), "tuple of 3 parts.*one hidden layer"),
        ([W1, B1, W1, B1, W2, B2], "list of 6 parts"),
        ((W1.T, B1, W2, B2), r"W1 .* \(2, 12\).*looks transposed, pass W1\.T"),
        ((W1[0], B1, W2, B2), r"W1 of the tuple has shape \(2,\)"),
        ((W1, B1[:-1], W2, B2), r"b1 has shape \(11,\)"),
        ((W1, B1, np.ones((3, WIDTH)), B2), r"w2 .* \(3, 12\).*Several outputs"),
        ((W1, B1, W2, np.ones(2)), r"b2 of the tuple has shape \(2,\); it must be one number"),
        ((W1, B1, W2, B2, np.ones(3)), r"skip of the tuple has shape \(3,\); for 2 features"),
        ((W1, B1, W2, SKIP, B2), "fifth part of model is a number.*pass a Layers"),
        ((NAN_W1, B1, W2, B2), "W1 of the tuple contains NaN: its training diverged"),
        ((W1, B1, W2 * np.inf, B2), "w2 of the tuple contains infinity"),
        ((np.full(W1.shape, "a"), B1, W2, B2), "W1 has dtype .* cannot be converted"),
        (([[1.0, 2.0], [1.0]], B1, W2, B2), "W1 of the tuple is not a rectangular array"),
        (arrays(d=3), "X has 2 features, but the model was made for 3"),
        (random_network(3, 2, 0), "X has 2 features, but the model was made for 3"),
        (Home(LINEAR, ReLU(), LAST), "torch module of class Home"),
        (LINEAR, "torch module of class Linear"),
        (Sequential(LINEAR, Tanh(), LAST), r"Sequential\(Linear, Tanh, Linear\); only"),
        (Sequential(LINEAR, ReLU(), LAST, ReLU()), "only Sequential"),
        (Sequential(LINEAR, ReLU(), Linear(np.ones((2, WIDTH)))), r"w2 .* \(2, 12\).*Several"),
        ((Sequential(LINEAR, ReLU(), LAST), ReLU()), r"\(Sequential, ReLU\).*skip connection"),
        ((LINEAR, ReLU(), LAST), r"must be \(Sequential, Linear\)"),
    ],
)
def test_models_that_cannot_be_judged(model: Any, message: str) -> None:
    given = model() if inspect.isfunction(model) else model
    own = isinstance(given, MLPRegressor) and given is not UNFIT
    with pytest.raises((TypeError, ValueError), match=message):
        certify(given, X, Y, alpha=None if own else 0.01)


@pytest.mark.skipif(
    "loss" not in inspect.signature(MLPRegressor).parameters, reason="needs scikit-learn 1.7"
)
def test_another_loss_is_refused() -> None:
    with pytest.raises(ValueError, match="loss='poisson'; only 'squared_error'"):
        certify(mlp(Y=np.abs(Y), loss="poisson"), X, Y)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "alpha is missing.*pass alpha .* or weight_decay"),
        ({"alpha": 0.1, "weight_decay": 0.1}, "alpha and weight_decay both set the penalty"),
        ({"alpha": -1.0}, "alpha must be finite and > 0, got -1"),
        ({"weight_decay": 0.0}, "weight_decay must be finite and > 0, got 0"),
        ({"weight_decay": "small"}, "weight_decay must be a number, got 'small'"),
        ({"weight_decay": 0.1, "loss": "mae"}, "loss='mae' is unknown; choose one of"),
        ({"alpha": 0.1, "loss": "mse"}, "loss='mse' .* weight_decay is missing; .* leave loss out"),
        ({"alpha": True}, "alpha must be a number, got True"),
        ({"alpha": 0.1, "decayed": "biases"}, "decayed must be 'weights', 'all' or None"),
        ({"alpha": 0.1, "scope": "universal"}, "scope must be 'local' or 'global'"),
        ({"alpha": 0.1, "tol": 0.0}, "tol must be finite and > 0"),
        ({"alpha": 0.1, "time_limit": -1.0}, "time_limit must be finite and > 0"),
        ({"alpha": 0.1, "sample_weight": -S}, "sample_weight must be >= 0"),
        ({"alpha": 0.1, "X": np.where(X > 2, np.nan, X)}, "X contains NaN"),
        ({"alpha": 0.1, "X": X.astype(str).tolist(), "y": ["a"] * N}, "y has dtype"),
        ({"alpha": 0.1, "X": X[:, 0]}, "X must have 2 dimension"),
        ({"alpha": 0.1, "y": Y[:-1]}, "X has 40 rows but y has 39"),
        ({"alpha": 0.1, "y": Y[:, None]}, "y must have 1 dimension.*ravel"),
    ],
)
def test_bad_arguments_are_named(options: dict[str, Any], message: str) -> None:
    data = {"X": X, "y": Y} | options
    with pytest.raises((TypeError, ValueError), match=message):
        certify(arrays(), data.pop("X"), data.pop("y"), **data)


def test_a_loss_without_weight_decay_is_refused() -> None:
    with pytest.raises(ValueError, match="weight_decay is missing"):
        certify(mlp(), X, Y, loss="mse")


@pytest.mark.parametrize("scope", ["local", "global"])
def test_networks_whose_objective_overflows_are_refused(scope: str) -> None:
    W1, b1, w2, b2 = arrays()[:4]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(ValueError, match=r"objective .* overflows: .*e\+20.*; rescale the net"):
            certify((W1 * 1e100, b1, w2 * 1e100, b2), X, Y, alpha=0.1, scope=scope)
    report = certify((W1 * 1e60, b1 * 1e60, w2 * 1e-60, b2), X, Y, alpha=0.1, scope=scope)
    assert report.objective == pytest.approx(
        certify((W1, b1, w2, b2), X, Y, alpha=0.1, scope=scope).objective, rel=1e-9
    )


def test_the_name_stays_a_function() -> None:
    from radontv import certify as again

    assert radontv.certify is again is certify
    assert radontv.ModelReport is ModelReport


def test_with_torch_itself() -> None:
    torch = pytest.importorskip("torch")
    torch.manual_seed(0)
    net = torch.nn.Sequential(torch.nn.Linear(D, 8), torch.nn.ReLU(), torch.nn.Linear(8, 1))
    skip = torch.nn.Linear(D, 1, bias=False)
    inputs, target = torch.tensor(X, dtype=torch.float32), torch.tensor(Y, dtype=torch.float32)
    parameters = [*net.parameters(), *skip.parameters()]
    with torch.no_grad():
        fitted = (net(inputs) + skip(inputs)).squeeze(1)
        squares = sum((p**2).sum() for p in parameters)
        training = torch.nn.MSELoss()(fitted, target) + 0.02 / 2 * squares
    report = consistent(certify((net, skip), inputs, target, weight_decay=0.02))
    np.testing.assert_allclose(report.network(X), fitted.numpy(), atol=1e-5)
    assert 2.0 * report.trained_objective == pytest.approx(float(training), rel=1e-5)
