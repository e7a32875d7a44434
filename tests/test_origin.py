"""Neurons through the origin: proofs and searches against enumeration, each other and sampling."""

from __future__ import annotations

import math
import threading
from fractions import Fraction

import numpy as np
import pytest
from origin_cases import KINDS, boxes, brute, eta, exceeds, make, sphere

from radontv.solvers.origin.proof import sup_eta_origin
from radontv.solvers.origin.rows import OriginRows, scaled_rows, scaled_weights
from radontv.solvers.origin.search import OriginSearch

AGREE = 1e-9  # Boxes raise what they found by this part, exact methods agree to rounding.


@pytest.mark.parametrize("p", range(1, 6))
@pytest.mark.parametrize("kind", KINDS)
def test_exact_methods_boxes_and_search_agree_with_enumeration(kind: str, p: int) -> None:
    for seed in range(3):
        X, q = make(kind, 3 + seed * 2, p, seed)
        truth = brute(X, q)
        found = [sup_eta_origin(X, q, 0.0, stop_at_violation=False)]
        if OriginRows.of(X, q).X.shape[1] > 1:
            found.append(boxes(X, q))
        for result in found:
            assert result.complete
            assert result.attained == pytest.approx(truth, rel=AGREE)
            assert truth * (1 - 1e-15) <= result.bound <= truth * (1 + 3 * AGREE)
            assert result.attained <= result.bound
            value = abs(eta(X, q, result.weight)[0])
            assert value == pytest.approx(result.attained, rel=1e-12, abs=1e-300)
            assert np.linalg.norm(result.weight) == pytest.approx(1.0, rel=1e-14)
            assert result.bias == 0.0 and not np.any(result.witnesses_biases)
        values = OriginSearch(X, n_jobs=1).search(q, np.zeros((0, p)), 100)[0]
        assert values.max(initial=0.0) == pytest.approx(truth, rel=AGREE)


@pytest.mark.parametrize("p", [2, 3])
@pytest.mark.parametrize("kind", ["normal", "grid", "bias", "clusters", "parallel", "positive"])
def test_sweeps_agree_with_boxes_and_exceed_dense_samples(kind: str, p: int) -> None:
    X, q = make(kind, 40, p, 7)
    result = sup_eta_origin(X, q, math.inf)
    dense = sphere(20_000, p)
    assert np.abs(eta(X, q, dense)).max() <= result.bound
    # Slopes are at most sum |q| |x|: what a grid of the circle can miss.
    if p == 2:
        angle = np.linspace(0.0, 2.0 * np.pi, 20_001)
        dense = np.column_stack([np.cos(angle), np.sin(angle)])
        slope = np.abs(q) @ np.linalg.norm(X, axis=1)
        assert result.attained <= np.abs(eta(X, q, dense)).max() + slope * angle[1]
    threshold = result.attained * (1.0 + 1e-5)
    proof = boxes(X, q, threshold, stop_at_violation=True)
    assert proof.complete and proof.attained <= result.bound <= proof.bound <= threshold


@pytest.mark.parametrize("p", [4, 5])
@pytest.mark.parametrize("kind", ["normal", "grid", "bias", "repeated", "near"])
def test_search_finds_what_boxes_prove_and_nothing_sampled_is_above(kind: str, p: int) -> None:
    X, q = make(kind, 40, p, 1)
    search = OriginSearch(X, n_jobs=1)
    values, signs, directions = search.search(q, np.zeros((0, p)), 300)
    proof = sup_eta_origin(X, q, values[0] * (1.0 + 1e-6), n_jobs=2)
    assert proof.complete and proof.bound <= values[0] * (1.0 + 1e-6)
    assert np.abs(eta(X, q, sphere(50_000, p))).max() <= proof.bound
    assert np.all(np.diff(values) <= 0.0)
    np.testing.assert_allclose(signs * eta(X, q, directions), values, rtol=1e-11)


def test_bounds_hold_in_exact_arithmetic_at_what_is_attained() -> None:
    for p in (1, 2, 3, 4):
        for seed in range(20):
            X, q = make("normal" if seed % 2 else "grid", 12, p, seed)
            result = sup_eta_origin(X, q, 0.0, stop_at_violation=False)
            assert not exceeds(X, q, result.weight, result.bound)
            # The bound is no better than it says: at the point itself it fails a little lower.
            if result.attained > 0.0:
                assert exceeds(X, q, result.weight, result.attained * (1.0 - 1e-9))


def test_eta_is_not_even_and_both_sides_are_searched() -> None:
    X, q = np.array([[3.0, 0.0, 0.0, 0.0]]), np.array([2.0])
    for rows in (X, -X):
        for result in (sup_eta_origin(rows, q, 0.0), sup_eta_origin(rows[:, :1], q, 0.0)):
            assert result.attained == pytest.approx(6.0, rel=1e-15)
        values, signs, W = OriginSearch(rows).search(q, np.zeros((0, 4)), 10)
        assert values.tolist() == [6.0] and signs.tolist() == [1.0]
        np.testing.assert_allclose(W[0], np.sign(rows[0]), atol=1e-15)


def test_opposite_directions_are_different_witnesses() -> None:
    rng = np.random.default_rng(0)
    Z = rng.standard_normal((5, 4))
    X, q = np.vstack([Z, -Z]), np.tile(rng.standard_normal(5), 2)
    result = sup_eta_origin(X, q, 1e-3)
    assert result.attained > 1e-3 and not result.complete
    W = np.vstack([result.weight, result.witnesses_weights])
    assert np.any(np.linalg.norm(W[0] + W[1:], axis=1) < 1e-9)


@pytest.mark.parametrize("p", range(1, 6))
def test_nothing_to_bound(p: int) -> None:
    X = np.random.default_rng(0).standard_normal((4, p))
    for rows, q in ((X, np.zeros(4)), (0.0 * X, np.ones(4)), (X[:0], np.zeros(0))):
        result = sup_eta_origin(rows, q, 1.0)
        assert (result.attained, result.bound, result.complete) == (0.0, 0.0, True)
        assert result.weight.shape == (p,)
        values, _, W = OriginSearch(rows).search(q, np.zeros((0, p)), 20)
        assert values.size == 0 and W.shape == (0, p)


@pytest.mark.parametrize("p", [2, 3, 4])
def test_scales_change_nothing_but_the_scale(p: int) -> None:
    X, q = make("normal", 20, p, 0)
    plain = sup_eta_origin(X, q, 0.0, stop_at_violation=False)
    for k in (-600, -300, 300, 600):
        scaled = sup_eta_origin(np.ldexp(X, k), np.ldexp(q, -k // 2), 0.0, stop_at_violation=False)
        assert scaled.attained == math.ldexp(plain.attained, k - k // 2 if k % 2 else k // 2)
    # Beyond the range of numbers the bound is infinite, never too small.
    assert sup_eta_origin(np.ldexp(X, 1000), np.ldexp(q, 1000), 1.0).bound == math.inf


def test_scaling_is_exact() -> None:
    X = np.array([[3e200, -1.0], [0.0, 5e-310], [0.1, 0.2]])
    rows, exponents = scaled_rows(X)
    assert np.abs(rows).max(axis=1).min() >= 0.5 and np.abs(rows).max() <= 1.0
    np.testing.assert_array_equal(np.ldexp(rows[:, 1], exponents)[1:], X[1:, 1])
    q = np.array([1e-200, 1e300, 7.0])
    weights, unit = scaled_weights(q, exponents)
    for k in range(3):
        assert Fraction(weights[k]) * Fraction(2) ** unit == Fraction(q[k]) * (
            Fraction(2) ** int(exponents[k])
        )


@pytest.mark.parametrize("options", [{"time_limit": 0.0}, {"max_boxes": 1}, {"ask": True}])
def test_what_ends_early_leaves_a_valid_larger_bound(options: dict) -> None:
    given = {"should_stop": lambda: True} if options.pop("ask", False) else options
    X, q = make("normal", 300, 6, 3)
    result = sup_eta_origin(X, q, 0.0, stop_at_violation=False, **given)
    assert not result.complete and result.attained <= result.bound
    assert np.abs(eta(X, q, sphere(20_000, 6))).max() <= result.bound
    cheap = max(np.maximum(s * q, 0.0) @ np.linalg.norm(X, axis=1) for s in (1.0, -1.0))
    assert result.bound <= cheap * (1.0 + 1e-10)
    X, q = make("normal", 300, 3, 3)
    if "max_boxes" not in given:
        swept = sup_eta_origin(X, q, 0.0, **given)
        assert not swept.complete and np.abs(eta(X, q, sphere(20_000, 3))).max() <= swept.bound


def test_an_interrupt_returns_the_bound_so_far() -> None:
    import _thread

    X, q = make("normal", 400, 10, 0)
    timer = threading.Timer(0.5, _thread.interrupt_main)
    timer.start()
    try:
        result = sup_eta_origin(X, q, 0.0, stop_at_violation=False, n_jobs=2, time_limit=30.0)
    finally:
        timer.cancel()
    assert result.interrupted and not result.complete and result.seconds < 20.0
    assert np.abs(eta(X, q, sphere(20_000, 10))).max() <= result.bound


def test_violations_end_the_search_and_are_above_the_threshold() -> None:
    X, q = make("normal", 60, 5, 0)
    sup = sup_eta_origin(X, q, 0.0, stop_at_violation=False).attained
    result = sup_eta_origin(X, q, 0.9 * sup)
    assert result.attained > 0.9 * sup and not result.complete and result.bound >= sup
    others = np.abs(eta(X, q, result.witnesses_weights))
    assert np.all(others > 0.9 * sup) and np.all(np.diff(others) <= 1e-12)


@pytest.mark.parametrize("p", [3, 5])
def test_results_do_not_depend_on_the_number_of_threads(p: int) -> None:
    X, q = make("normal", 120 if p == 3 else 60, p, 0)
    one, two = (sup_eta_origin(X, q, 0.0, stop_at_violation=False, n_jobs=k) for k in (1, 2))
    assert one.attained == two.attained
    np.testing.assert_array_equal(one.weight, two.weight)
    for left, right in zip(
        *(OriginSearch(X, n_jobs=k).search(q, X[:5], 400) for k in (1, 2)), strict=True
    ):
        np.testing.assert_array_equal(left, right)


@pytest.mark.parametrize("kind", ["normal", "grid", "bias", "repeated", "parallel", "huge"])
@pytest.mark.parametrize("p", [2, 3, 5])
def test_directions_hold_their_kinks_and_are_local_maxima(kind: str, p: int) -> None:
    X, q = make(kind, 50, p, 2)
    values, _, W = OriginSearch(X, n_jobs=1).search(q, np.zeros((0, p)), 200)
    live = np.any(X != 0.0, axis=1)
    unit = np.abs(X).max()
    rows = X[live] / unit
    rows = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    distance = np.abs(W @ rows.T)
    assert np.all((distance < 1e-14) | (distance > 1e-10))
    np.testing.assert_allclose(np.linalg.norm(W, axis=1), 1.0, rtol=1e-14)
    rng = np.random.default_rng(0)
    for value, w in zip(values[:20], W[:20], strict=False):
        # Steps of length h along gradients of faces would gain more than h^2.
        near = w + 1e-5 * rng.standard_normal((200, p))
        near /= np.linalg.norm(near, axis=1, keepdims=True)
        assert np.abs(eta(X, q, near)).max() <= value * (1.0 + 1e-9)


def test_known_directions_are_never_lost() -> None:
    X, q = make("normal", 80, 6, 0)
    search = OriginSearch(X, n_jobs=1)
    values, _, W = search.search(q, np.zeros((0, 6)), 200)
    again, _, _ = OriginSearch(X, n_jobs=1).search(q, 3.0 * W, 0)
    assert again[0] >= values[0] * (1.0 - 1e-14) and len(again) >= len(values)
    # The maxima of the last search are starts of the next.
    assert search.search(q, np.zeros((0, 6)), 0)[0][0] >= values[0] * (1.0 - 1e-14)


def test_sweep_sees_a_cell_that_lies_below_all_its_circles() -> None:
    # eta = relu(w_3) less what the other rows add below their circles: 1, at e_3 only.
    angle = 2.0 * np.pi * np.arange(3) / 3.0
    below = np.column_stack([np.cos(angle), np.sin(angle), np.full(3, -0.3)])
    X, q = np.vstack([below, [[0.0, 0.0, 1.0]]]), np.array([-0.1, -0.1, -0.1, 1.0])
    for turn in (1.0, -1.0):
        result = sup_eta_origin(turn * X, q, math.inf)
        assert result.attained == pytest.approx(1.0, rel=1e-14)
        np.testing.assert_allclose(result.weight, [0.0, 0.0, turn], atol=1e-14)


def test_starts_that_nearly_meet_rows_end_on_them() -> None:
    X, q = make("normal", 50, 4, 2)
    search = OriginSearch(X, n_jobs=1)
    W = search.search(q, np.zeros((0, 4)), 200)[2]
    rows = X / np.linalg.norm(X, axis=1, keepdims=True)
    on = np.abs(rows @ W.T) < 1e-14
    near = W + 3e-12 * sphere(len(W), 4)
    for start, held in zip(near, on.T, strict=True):
        end = search.climb(q, start[None])[0]
        assert np.all(np.abs(rows[held] @ end) < 1e-14)


def test_coordinates_of_the_span_say_what_they_leave_out() -> None:
    rng = np.random.default_rng(0)
    for size in (0.0, 1e-16, 3e-14):
        X, q = rng.standard_normal((60, 4)), rng.standard_normal(60)
        X[:, 3] = X[:, 0] - X[:, 1] + size * X[:, 3]
        rows = OriginRows.of(X, q)
        assert rows.basis is not None and rows.X.shape == (60, 3)
        left = rows.full - (rows.full @ rows.basis) @ rows.basis.T
        assert rows.moved >= np.abs(rows.q) @ np.linalg.norm(left, axis=1)
        result = sup_eta_origin(X, q, 0.0)
        unit = math.ldexp(1.0, rows.exponent)
        alone = sup_eta_origin(rows.X, rows.q, 0.0).bound
        assert result.bound >= unit * (alone * rows.stretch + rows.moved) * (1.0 - 1e-15)
