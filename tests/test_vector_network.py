"""Networks with several outputs: evaluation, layers and their balance, merging, errors."""

from __future__ import annotations

import numpy as np
import pytest
from helpers import ROUNDING, random_network
from hypothesis import given, settings
from hypothesis import strategies as st
from vector_helpers import random_outputs

from radontv.problems import RidgeSpline


@pytest.mark.parametrize(("d", "D", "neurons"), [(1, 2, 0), (1, 1, 3), (4, 3, 1), (3, 5, 20)])
def test_call_equals_one_network_per_output(d: int, D: int, neurons: int) -> None:
    network = random_outputs(d, D, neurons, 0)
    X = np.random.default_rng(1).standard_normal((11, d))
    for c in range(D):
        single = RidgeSpline(
            network.amplitudes[:, c],
            network.weights,
            network.biases,
            network.coef[:, c],
            network.intercept[c],
        )
        np.testing.assert_allclose(network(X)[:, c], single(X), rtol=ROUNDING, atol=ROUNDING)
    assert network(X).shape == (11, D)
    assert network(np.empty((0, d))).shape == (0, D)
    assert network.n_outputs == D and network.vector


def test_one_output_is_still_a_number() -> None:
    network = random_network(2, 3, 0)
    assert not network.vector and network.n_outputs == 1
    assert isinstance(network.intercept, float)
    assert network(np.zeros((4, 2))).shape == (4,)
    assert "n_outputs" not in repr(network)


def test_layers_round_trip_are_balanced_and_have_the_least_weight_decay() -> None:
    network = random_outputs(3, 4, 7, 0)
    layers = network.to_layers()
    assert layers.output_weight.shape == (4, 7) and layers.skip_weight.shape == (4, 3)
    norms = np.linalg.norm(layers.hidden_weight, axis=1)
    np.testing.assert_allclose(norms, np.linalg.norm(layers.output_weight, axis=0), rtol=ROUNDING)
    decay = 0.5 * (np.sum(layers.output_weight**2) + np.sum(layers.hidden_weight**2))
    assert decay == pytest.approx(network.rtv, rel=ROUNDING)
    back = RidgeSpline.from_layers(*layers)
    for name in ("amplitudes", "weights", "biases", "coef", "intercept"):
        np.testing.assert_allclose(
            getattr(back, name), getattr(network, name), rtol=ROUNDING, atol=ROUNDING
        )


def test_dead_hidden_neurons_join_the_intercept() -> None:
    W = np.array([[0.0, 0.0], [3.0, 4.0], [0.0, 0.0]])
    V = np.array([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])
    network = RidgeSpline.from_layers(W, [2.0, 1.0, -1.0], V, output_bias=[1.0, -1.0])
    np.testing.assert_allclose(network.intercept, [3.0, 7.0], rtol=ROUNDING)
    np.testing.assert_allclose(network.amplitudes, [[10.0, 25.0]], rtol=ROUNDING)
    np.testing.assert_array_equal(network.coef, np.zeros((2, 2)))


def test_zero_and_huge_amplitudes_survive_the_layers() -> None:
    network = RidgeSpline(
        [[0.0, 0.0], [1e200, -1e200]], np.eye(2), np.zeros(2), np.zeros((2, 2)), [0.0, 1.0]
    )
    assert network.rtv == pytest.approx(np.sqrt(2) * 1e200, rel=ROUNDING)
    back = RidgeSpline.from_layers(*network.to_layers())
    np.testing.assert_allclose(back.amplitudes[-1], [1e200, -1e200], rtol=ROUNDING)


@settings(max_examples=40, deadline=None, derandomize=True)
@given(st.integers(0, 10**6), st.integers(1, 3), st.integers(1, 6))
def test_merging_keeps_the_function_and_never_raises_rtv(seed: int, d: int, neurons: int) -> None:
    rng = np.random.default_rng(seed)
    base = random_outputs(d, 2, neurons, seed)
    pick, side = rng.integers(neurons, size=3 * neurons), rng.choice([-1.0, 1.0], size=3 * neurons)
    network = RidgeSpline(
        rng.integers(-2, 3, size=(3 * neurons, 2)).astype(float),
        side[:, None] * base.weights[pick],
        side * base.biases[pick],
        base.coef,
        base.intercept,
    )
    merged = network.merged()
    X = 3 * rng.standard_normal((20, d))
    np.testing.assert_allclose(merged(X), network(X), rtol=ROUNDING, atol=1e-12 * neurons)
    assert merged.rtv <= np.linalg.norm(network.amplitudes, axis=1).sum() * (1 + ROUNDING)
    assert merged.n_neurons <= neurons
    assert merged.merged() == merged


def test_networks_without_neurons_take_their_outputs_from_coef() -> None:
    network = RidgeSpline.affine(np.ones((2, 3)), 1.5)
    assert network.amplitudes.shape == (0, 3)
    np.testing.assert_array_equal(network(np.ones((1, 2))), [[3.5, 3.5, 3.5]])
    assert network.rtv == 0.0 and network.merged() == network
    assert network != RidgeSpline.affine(np.ones((2, 3)), 1.0)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([[1.0, 2.0]], [[1.0]], [0.0], [[0.0]]), "amplitudes has 2 columns but coef has 1"),
        (([[1.0], [2.0]], [[1.0]], [0.0], [[0.0]]), "describe 2, 1 and 1 neurons"),
        (([[1.0]], [[1.0]], [0.0], [0.0]), "amplitudes must have 1 dimension"),
        (([1.0], [[1.0]], [0.0], [[0.0]]), "coef must have 1 dimension"),
        (([[1.0]], [[1.0]], [0.0], [[0.0]], [1.0, 2.0]), "intercept has 2 entries but coef has 1"),
        (([[1.0]], [[1.0, 0.0]], [0.0], [[0.0]]), "weights has 2 columns but coef has 1 rows"),
        (([[np.nan]], [[1.0]], [0.0], [[0.0]]), "amplitudes contains NaN"),
    ],
)
def test_bad_arguments_are_named(arguments: tuple, message: str) -> None:
    with pytest.raises((ValueError, TypeError), match=message):
        RidgeSpline(*arguments)


def test_bad_layers_are_named() -> None:
    W, t, V = np.ones((3, 2)), np.ones(3), np.ones((2, 3))
    with pytest.raises(ValueError, match="skip_weight has shape"):
        RidgeSpline.from_layers(W, t, V, np.ones((3, 2)))
    with pytest.raises(ValueError, match="intercept has 3 entries"):
        RidgeSpline.from_layers(W, t, V, output_bias=np.ones(3))
    with pytest.raises(ValueError, match="describe 3, 3 and 6 neurons"):
        RidgeSpline.from_layers(W, t, V.T)
