"""Networks: evaluation, layers and their balance, merging, errors."""

from __future__ import annotations

import numpy as np
import pytest
from helpers import ROUNDING, naive_value, random_network
from hypothesis import given, settings
from hypothesis import strategies as st

from radontv.problems import RidgeSpline
from radontv.problems.rounding import term_sizes


@pytest.mark.parametrize(("d", "neurons"), [(1, 0), (1, 3), (4, 1), (3, 20)])
def test_call_equals_the_formula(d: int, neurons: int) -> None:
    network = random_network(d, neurons, 0)
    X = np.random.default_rng(1).standard_normal((11, d))
    expected = [naive_value(network, x) for x in X]
    np.testing.assert_allclose(network(X), expected, rtol=ROUNDING, atol=ROUNDING)
    np.testing.assert_allclose(network(X.tolist()), network(X), rtol=0, atol=0)
    assert network(np.empty((0, d))).shape == (0,)


def test_a_call_in_blocks_equals_a_call_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    network, X = random_network(2, 5, 0), np.random.default_rng(1).standard_normal((17, 2))
    at_once = network(X)
    monkeypatch.setattr("radontv.problems.network._CHUNK", 15)
    np.testing.assert_allclose(network(X), at_once, rtol=ROUNDING, atol=ROUNDING)


def test_layers_round_trip_and_are_balanced() -> None:
    network = random_network(3, 7, 0)
    layers = network.to_layers()
    norms = np.linalg.norm(layers.hidden_weight, axis=1)
    np.testing.assert_allclose(norms, np.abs(layers.output_weight), rtol=ROUNDING)
    decay = 0.5 * (np.sum(layers.output_weight**2) + np.sum(layers.hidden_weight**2))
    assert decay == pytest.approx(network.rtv, rel=ROUNDING)
    back = RidgeSpline.from_layers(*layers)
    for name in ("amplitudes", "weights", "biases", "coef"):
        np.testing.assert_allclose(
            getattr(back, name), getattr(network, name), rtol=ROUNDING, atol=ROUNDING
        )
    assert back.intercept == network.intercept


def test_unbalanced_layers_have_the_same_function_and_more_weight_decay() -> None:
    network = random_network(2, 4, 0)
    layers = network.to_layers()
    scale = np.array([0.1, 1.0, 3.0, 100.0])
    stretched = RidgeSpline.from_layers(
        layers.hidden_weight * scale[:, None],
        layers.hidden_bias * scale,
        layers.output_weight / scale,
        layers.skip_weight,
        layers.output_bias,
    )
    X = np.random.default_rng(1).standard_normal((9, 2))
    np.testing.assert_allclose(stretched(X), network(X), rtol=1e-10, atol=ROUNDING)
    assert stretched.rtv == pytest.approx(network.rtv, rel=ROUNDING)


def test_a_dead_hidden_neuron_is_a_constant() -> None:
    network = RidgeSpline.from_layers(np.zeros((2, 3)), [2.0, -2.0], [1.5, 7.0])
    assert network.n_neurons == 0
    assert network.rtv == 0.0
    np.testing.assert_array_equal(network(np.eye(3)), 3.0)


def test_antipodal_identity() -> None:
    # relu(t) - relu(-t) = t is affine: RTV 0.
    w, b = np.array([0.6, 0.8]), 0.3
    network = RidgeSpline([1.0, -1.0], [w, -w], [b, -b], np.zeros(2))
    merged = network.merged()
    assert merged.n_neurons == 0
    assert network.rtv == 0.0
    np.testing.assert_allclose(merged.coef, w, rtol=ROUNDING)
    assert merged.intercept == pytest.approx(-b, rel=ROUNDING)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(st.integers(0, 10**6), st.integers(1, 3), st.integers(1, 8))
def test_merging_keeps_the_function_and_never_raises_rtv(seed: int, d: int, neurons: int) -> None:
    rng = np.random.default_rng(seed)
    base = random_network(d, neurons, seed)
    pick = rng.integers(neurons, size=3 * neurons)
    side = rng.choice([-1.0, 1.0], size=3 * neurons)
    network = RidgeSpline(
        rng.integers(-2, 3, size=3 * neurons).astype(float),
        side[:, None] * base.weights[pick],
        side * base.biases[pick],
        base.coef,
        base.intercept,
    )
    merged = network.merged()
    X = 3 * rng.standard_normal((20, d))
    np.testing.assert_allclose(merged(X), network(X), rtol=ROUNDING, atol=1e-12 * neurons)
    assert merged.rtv <= np.abs(network.amplitudes).sum() * (1 + ROUNDING)
    assert merged.rtv == network.rtv == np.abs(merged.amplitudes).sum()
    assert merged.n_neurons <= neurons
    assert merged.merged() == merged


def test_merging_keeps_the_order_and_is_idempotent() -> None:
    # The largest bias vanishes with its neurons, which must not reorder the others.
    network = RidgeSpline(
        [1.0, 5.0, 2.0, -5.0, 3.0], np.ones((5, 1)), [0.3, 9.0, -0.2, 9.0, 0.1], [0.0]
    )
    merged = network.merged()
    np.testing.assert_array_equal(merged.amplitudes, [1.0, 2.0, 3.0])
    assert merged.merged() == merged


def test_nearly_equal_hyperplanes_stay_apart() -> None:
    angle = 1e-6
    weights = [[1.0, 0.0], [np.cos(angle), np.sin(angle)]]
    network = RidgeSpline([1.0, -1.0], weights, [0.0, 0.0], np.zeros(2))
    assert network.rtv == 2.0


def test_merging_does_not_chain_distinct_hyperplanes_together() -> None:
    # Each is within the merging tolerance of the next, the ends are far apart.
    biases = 5e-13 * np.arange(2000)
    network = RidgeSpline(np.ones(2000), np.ones((2000, 1)), biases, [0.0])
    X = np.array([[1.0]])
    assert network.merged()(X)[0] == pytest.approx(network(X)[0], rel=ROUNDING)


def test_networks_compare_by_value_and_are_not_hashable() -> None:
    assert random_network(2, 3, 0) == random_network(2, 3, 0)
    assert random_network(2, 3, 0) != random_network(2, 3, 1)
    assert random_network(2, 3, 0) != "network"
    with pytest.raises(TypeError):
        hash(random_network(2, 3, 0))


def test_arguments_are_copied_and_frozen() -> None:
    amplitudes = np.ones(1)
    network = RidgeSpline(amplitudes, [[1.0]], [0.0], [0.0])
    amplitudes[0] = 5.0
    assert network.amplitudes[0] == 1.0
    with pytest.raises(ValueError, match="read-only"):
        network.amplitudes[0] = 2.0
    with pytest.raises(AttributeError):
        network.intercept = 1.0  # type: ignore[misc]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([1.0], [[2.0]], [0.0], [0.0]), "row 0 of weights has length 2, not 1; use RidgeSpline.f"),
        (([1.0, 2.0], [[1.0]], [0.0], [0.0]), "describe 2, 1 and 1 neurons"),
        (([1.0], [[1.0]], [0.0, 1.0], [0.0]), "describe 1, 1 and 2 neurons"),
        (([np.nan], [[1.0]], [0.0], [0.0]), "amplitudes contains NaN"),
        (([1.0], [[1.0]], [np.inf], [0.0]), "biases contains infinity"),
        (([1.0], [[1.0]], [0.0], [[0.0]]), "coef must have 1 dimension"),
        (([1.0], [[1.0]], [0.0], [0.0], np.nan), "intercept"),
        (([1.0], [[1.0]], [0.0], [0.0], "c"), "intercept"),
        (([1.0], [[1.0, 0.0, 0.0]], [0.0], [0.0, 0.0]), "weights"),
    ],
)
def test_bad_arguments_are_named(arguments: tuple, message: str) -> None:
    with pytest.raises((ValueError, TypeError), match=message):
        RidgeSpline(*arguments)


def test_bad_layers_are_named() -> None:
    with pytest.raises(ValueError, match="hidden_weight, hidden_bias and output_weight describe"):
        RidgeSpline.from_layers(np.ones((2, 1)), [0.0], [1.0])
    with pytest.raises(ValueError, match="skip_weight"):
        RidgeSpline.from_layers(np.ones((2, 3)), [0.0, 0.0], [1.0, 1.0], [1.0])


def test_a_wrong_number_of_features_is_named() -> None:
    with pytest.raises(ValueError, match="X has 3 features, but the network was made for 2"):
        random_network(2, 1, 0)(np.ones((4, 3)))


@pytest.mark.parametrize("far", [1.0, 1e13, 1e200])
@pytest.mark.parametrize("unit", [1.0, 1e-13, 1e-80, 1e80])
def test_neither_a_far_neuron_nor_units_merge_different_knots(far: float, unit: float) -> None:
    x = np.linspace(-2.0, 2.0, 81)[:, None] * unit
    biases = np.append(np.linspace(-1.0, 1.0, 8), far) * unit
    network = RidgeSpline(np.arange(1.0, 10.0), np.ones((9, 1)), biases, np.zeros(1), 0.0)
    merged = network.merged()
    assert merged.n_neurons == len(np.unique(biases))
    np.testing.assert_allclose(merged(x), network(x), rtol=ROUNDING, atol=1e-12 * unit)


def test_equal_hyperplanes_merge_whatever_lies_between_them() -> None:
    # Sorted by the first entry of the normal, the second row lies between the other two.
    first = 0.6 + np.array([0.0, 2.0**-53, 2.0**-52])
    weights = np.column_stack([first, [0.8, -0.8, 0.8]])
    network = RidgeSpline([1.0, 5.0, -1.0], weights, np.zeros(3), np.zeros(2))
    assert network.rtv == 5.0


def test_sizes_of_terms_are_the_values_where_nothing_cancels() -> None:
    f = random_network(3, 5, 0)
    X = np.random.default_rng(1).standard_normal((20, 3))
    a, w, b = np.abs(f.amplitudes), np.abs(f.weights), np.abs(f.biases)
    positive = RidgeSpline(a, w, -b, np.abs(f.coef), abs(f.intercept))
    assert np.allclose(term_sizes(f, X), positive(np.abs(X)), rtol=1e-14, atol=0.0)
    two = RidgeSpline(
        np.column_stack([f.amplitudes, 3.0 * a]), f.weights, f.biases,
        np.column_stack([f.coef, np.zeros(3)]), np.array([f.intercept, 2.0]),
    )  # fmt: skip
    other = RidgeSpline(3.0 * a, f.weights, f.biases, np.zeros(3), 2.0)
    assert np.allclose(term_sizes(two, X)[:, 0], term_sizes(f, X), rtol=1e-14)
    assert np.allclose(term_sizes(two, X)[:, 1], term_sizes(other, X), rtol=1e-14)
