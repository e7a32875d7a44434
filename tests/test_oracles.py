"""The oracles for sup |eta| against brute force, each other and exact arithmetic."""

from __future__ import annotations

import itertools
import math
from fractions import Fraction

import numpy as np
import pytest

from radontv.solvers import _box_kernels as kernels
from radontv.solvers._slab_kernels import explore_slabs
from radontv.solvers.box_jobs import lift, root_jobs
from radontv.solvers.branch_and_bound import branch_and_bound
from radontv.solvers.climb import climb
from radontv.solvers.oracle import distinct, evaluate, rounding_margin
from radontv.solvers.sweep import sup_eta_1d, sup_eta_2d

# Relative agreement of two evaluations of one value; sums of 1e2 terms of size 1 leave 1e-13.
AGREE = 1e-11
KINDS = ("normal", "grid", "collinear", "scaled", "sparse")


def make(kind: str, n: int, d: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return distinct centred X of rank d and a q orthogonal to [1 X]."""
    rng = np.random.default_rng(seed)
    if kind == "grid":
        side = math.ceil(n ** (1 / d)) + 1
        grid = np.array(list(itertools.product(range(side), repeat=d)), dtype=float)
        X = grid[rng.permutation(len(grid))[:n]]
    elif kind == "collinear":
        X = np.zeros((n, d))
        X[: n - d, 0] = np.arange(n - d)
        X[n - d :] = 1.0 + np.eye(d)
    else:
        X = rng.standard_normal((n, d))
        X[:, 0] *= 1e6 if kind == "scaled" else 1.0
    X = X - X.mean(axis=0)
    y = rng.standard_normal(n) * (rng.random(n) < 0.5 if kind == "sparse" else 1.0)
    basis = np.linalg.qr(np.column_stack([np.ones(n), X]))[0]
    for _ in range(3):
        y = y - basis @ (basis.T @ y)
    return X, y / n


def sampled(X: np.ndarray, q: np.ndarray, directions: np.ndarray) -> float:
    """Return max_{w in directions, j} |sum_i q_i relu(w . x_i - w . x_j)| in plain numpy."""
    t = directions @ X.T
    pairs = np.maximum(t[:, None, :] - t[:, :, None], 0.0)
    return float(np.abs(pairs @ q).max())


def brute_2d(X: np.ndarray, q: np.ndarray) -> float:
    """Return the sup over dense angles, critical directions, and the maxima of all arcs."""
    z = (X[:, None] - X[None]).reshape(-1, 2)
    z = z[np.any(z != 0.0, axis=1)]
    angles = np.unique((np.arctan2(z[:, 1], z[:, 0]) + np.pi / 2) % np.pi)
    middles = (angles + np.append(angles[1:], angles[0] + np.pi)) / 2
    angles = np.concatenate([np.linspace(0, np.pi, 721), angles, middles])
    w = np.column_stack([np.cos(angles), np.sin(angles)])
    best = sampled(X, q, w)
    for anchor in X:
        active = (X - anchor) @ w.T > 0
        g = (q * active.T) @ (X - anchor)
        size = np.linalg.norm(g, axis=1)
        good = size > best
        if np.any(good):
            best = max(best, sampled(X, q, g[good] / size[good, None]))
    return best


@pytest.mark.parametrize("kind", ["normal", "grid", "sparse"])
@pytest.mark.parametrize("seed", range(3))
def test_sup_1d_is_the_maximum_over_the_data(kind: str, seed: int) -> None:
    X, q = make(kind, 25, 1, seed)
    result = sup_eta_1d(X, q)
    assert result.attained == pytest.approx(sampled(X, q, np.ones((1, 1))), rel=AGREE)
    assert result.attained <= result.bound <= result.attained * (1 + 1e-9)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("seed", range(4))
def test_sup_2d_is_the_maximum_over_all_candidates(kind: str, seed: int) -> None:
    X, q = make(kind, 18 + seed, 2, seed)
    result = sup_eta_2d(X, q)
    assert result.attained == pytest.approx(brute_2d(X, q), rel=1e-9)
    assert result.attained == pytest.approx(abs(evaluate(X, q, result.weight, result.bias)))
    assert result.attained <= result.bound <= result.attained * (1 + 1e-9)


def test_sup_2d_of_xor_is_known() -> None:
    X = np.array([[1.0, 1.0], [1.0, -1.0], [-1.0, 1.0], [-1.0, -1.0]])
    q = X[:, 0] * X[:, 1] / 4
    assert sup_eta_2d(X, q).attained == pytest.approx(1 / (2 * math.sqrt(2)), rel=1e-14)


def test_sup_2d_does_not_depend_on_the_number_of_threads() -> None:
    X, q = make("normal", 100, 2, 0)
    one, two = sup_eta_2d(X, q, 1, threshold=0.0), sup_eta_2d(X, q, 2, threshold=0.0)
    assert (one.attained, one.bound, one.bias) == (two.attained, two.bound, two.bias)
    np.testing.assert_array_equal(one.witnesses_weights, two.witnesses_weights)


def test_witnesses_are_distinct_above_the_threshold_and_best_first() -> None:
    X, q = make("normal", 60, 2, 1)
    threshold = 0.8 * sup_eta_2d(X, q).attained
    result = sup_eta_2d(X, q, threshold=threshold)
    pairs = zip(result.witnesses_weights, result.witnesses_biases, strict=True)
    points = [(abs(evaluate(X, q, w, b)), w, b) for w, b in pairs]
    values = [value for value, _, _ in points]
    assert values and min(values) > threshold and values == sorted(values, reverse=True)
    best = (result.attained, -result.weight, -result.bias)
    assert len(distinct([*points, best])) == len(points) + 1


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("seed", range(2))
def test_branch_and_bound_agrees_with_the_sweep(kind: str, seed: int) -> None:
    X, q = make(kind, 20, 2, seed)
    sup = sup_eta_2d(X, q).attained
    proof = branch_and_bound(X, q, sup * (1 + 1e-6))
    assert proof.complete and proof.bound == pytest.approx(sup * (1 + 1e-6), rel=1e-9)
    refuted = branch_and_bound(X, q, 0.99 * sup)
    assert 0.99 * sup < refuted.attained <= sup * (1 + AGREE)
    assert refuted.complete == (refuted.bound <= sup * (1 + 1e-8))
    assert refuted.bound >= sup * (1 - AGREE)
    exact = branch_and_bound(X, q, 0.5 * sup, stop_at_violation=False)
    assert exact.complete and exact.attained == pytest.approx(sup, rel=1e-8)
    assert sup * (1 - AGREE) <= exact.bound <= exact.attained * (1 + 1e-7)


@pytest.mark.parametrize(
    ("kind", "d"),
    [
        ("normal", 3),
        ("grid", 3),
        ("scaled", 3),
        ("collinear", 4),
        ("normal", 4),
        ("grid", 4),
        ("sparse", 5),
    ],
)
def test_bounds_hold_against_heavy_sampling(kind: str, d: int) -> None:
    X, q = make(kind, 14, d, 7)
    rng = np.random.default_rng(0)
    w = rng.standard_normal((4000, d)) / X.std(axis=0)
    w /= np.linalg.norm(w, axis=1, keepdims=True)
    local = max(abs(evaluate(X, q, *plane)) for plane in zip(*climb(X, q, w[:100]), strict=True))
    exact = branch_and_bound(X, q, 0.5 * local, stop_at_violation=False)
    assert exact.complete and exact.bound <= exact.attained * (1 + 1e-7)
    assert max(sampled(X, q, w), local) <= exact.attained * (1 + 1e-8)


@pytest.mark.parametrize("d", [2, 3, 5])
@pytest.mark.parametrize("max_boxes", [1, 30, 400])
def test_early_stop_gives_a_valid_bound(d: int, max_boxes: int) -> None:
    X, q = make("normal", 16, d, d)
    sup = branch_and_bound(X, q, 0.0, stop_at_violation=False).attained
    early = branch_and_bound(X, q, sup * (1 + 1e-6), max_boxes=max_boxes)
    assert early.bound >= sup
    assert early.complete == (early.bound <= sup * (1 + 1.1e-6))


def test_stops_on_request_on_time_and_on_interrupt() -> None:
    X, q = make("normal", 150, 6, 0)

    def interrupt() -> bool:
        raise KeyboardInterrupt

    for options in ({"should_stop": lambda: True}, {"should_stop": interrupt}, {"time_limit": 0.1}):
        result = branch_and_bound(X, q, 1e-2, stop_at_violation=False, **options)
        assert not result.complete and result.seconds < 5.0
        weights, biases = climb(X, q, np.eye(6))
        assert result.bound >= max(map(abs, map(evaluate, [X] * 6, [q] * 6, weights, biases)))


def test_proof_does_not_depend_on_the_number_of_threads() -> None:
    X, q = make("normal", 30, 4, 3)
    sup = branch_and_bound(X, q, 0.0, stop_at_violation=False).attained
    one, two = (branch_and_bound(X, q, sup * (1 + 1e-6), n_jobs=k) for k in (1, 2))
    assert (one.complete, one.bound, one.n_boxes) == (two.complete, two.bound, two.n_boxes)
    assert one.complete


def test_proof_close_to_a_degenerate_maximum_takes_few_boxes() -> None:
    # With a fixed number of slope sweeps this one took millions of boxes.
    X, q = make("grid", 11, 5, 570756939)
    sup = branch_and_bound(X, q, 0.0, stop_at_violation=False).attained
    proof = branch_and_bound(X, q, sup * (1 + 1e-8), max_boxes=50_000)
    assert proof.complete


def test_zero_dual_vector_and_few_points() -> None:
    X = np.eye(3) - np.eye(3).mean(axis=0)
    for oracle in (lambda X, q: branch_and_bound(X, q, 0.0), sup_eta_2d):
        result = oracle(X[:, :2], np.zeros(3))
        assert result.attained == 0.0 and 0.0 <= result.bound < 1e-300 and result.complete
    noisy = branch_and_bound(X[:, :2], 1e-18 * np.array([1.0, -2.0, 1.0]), 1e-3)
    assert noisy.complete and noisy.bound == pytest.approx(1e-3)


def test_only_anchors_with_opposite_sign_are_needed() -> None:
    X, q = make("normal", 12, 3, 5)
    w = np.random.default_rng(1).standard_normal((200, 3))
    for v in w / np.linalg.norm(w, axis=1, keepdims=True):
        values = {j: evaluate(X, q, v, float(v @ X[j])) for j in range(12)}
        assert max(values.values()) == pytest.approx(max(values[j] for j in values if q[j] < 0))


@pytest.mark.parametrize("slab", [False, True])
@pytest.mark.parametrize("d", [2, 3, 5, 10])
def test_box_bound_dominates_samples_and_classification_matches_numpy(d: int, slab: bool) -> None:
    rng = np.random.default_rng(d)
    n = 40
    for _ in range(60):
        X, q = make("normal", n, d, int(rng.integers(1 << 30)))
        Z, width = lift(X) if slab else X - X[0], 10.0 ** rng.uniform(-2, 0)
        D = Z.shape[1]
        u, h = rng.uniform(-1, 1, D) * (1 - width), np.full(D, width)
        u[0], h[0] = 1.0, 0.0
        own, fixed = np.empty(n, dtype=np.int32), np.zeros(D)
        slope, radius = np.empty(n), np.empty(n)
        everyone = np.arange(1, n, dtype=np.int32)
        m = kernels.classify(Z, q, np.zeros(n), u, h, everyone, n - 1, own, fixed, slope, radius)
        t, r = Z[1:] @ u, np.abs(Z[1:]) @ h
        np.testing.assert_array_equal(own[:m], everyone[np.abs(t) < r])
        exact = np.abs(t) >= r
        np.testing.assert_allclose(fixed, (0.5 * q[1:] * np.sign(t) * exact) @ Z[1:], atol=1e-14)
        v = u + h * rng.choice([-1.0, 0.0, 1.0, 0.5], size=(300, D))
        values = (0.5 * np.abs(v @ Z[1:].T) @ q[1:]) / np.linalg.norm(v[:, :d], axis=1)
        at = kernels.value_at(Z, q, own, m, fixed, v[0], d)
        assert at == pytest.approx(values[0], rel=1e-9, abs=1e-14)
        for target in (0.0, 0.5 * abs(values).max(), values.max(), 2 * abs(values).max()):
            work, lines, g = np.empty((6, 1024)), np.empty((D + 1, n)), np.empty(D)
            steps = 2 / np.maximum(np.abs(q) * np.sum(Z**2, axis=1), 1e-300)
            rest = (own, m, fixed, slope.copy(), radius, target, work, lines, g)
            assert values.max() <= kernels.bound_box(Z, q, steps, u, h, d, *rest) + 1e-13


@pytest.mark.parametrize(("kind", "d"), [("normal", 3), ("grid", 3), ("normal", 5), ("grid", 4)])
@pytest.mark.parametrize("width", [0.5, 0.1, 0.02])
def test_no_hyperplane_above_the_goal_is_lost(kind: str, d: int, width: float) -> None:
    """Wherever the work or the room ends, each one is in a slab or a box of an anchor on it."""
    n = 30
    X, q = make(kind, n, d, 7)
    L, rng = lift(X), np.random.default_rng(0)
    weights, biases = climb(X, q, rng.standard_normal((30, d)))
    top = np.argmax([abs(evaluate(X, q, w, b)) for w, b in zip(weights, biases, strict=True)])
    face = np.argmax(np.abs(weights[top]))
    centre = np.append(weights[top], biases[top] / -L[0, d]) / weights[top, face]
    sign = np.sign(evaluate(X, q, weights[top], float(biases[top])))
    half = np.where(np.arange(d + 1) == face, 0.0, width)
    w = centre[:d] + half[:d] * rng.uniform(-1, 1, size=(1000, d))
    t = w @ X.T
    eta = sign * np.maximum(t[:, None, :] - t[:, :, None], 0.0) @ q
    values = eta.max(axis=1) / np.linalg.norm(w, axis=1)
    bias = t[np.arange(1000), eta.argmax(axis=1)]
    planes = np.column_stack([w, bias / -L[0, d]])
    goal = max(0.6 * values.max(), np.quantile(values, 0.2))
    high = (values > goal) & (np.abs(planes[:, d] - centre[d]) <= width)
    assert high.sum() > 10
    on = np.abs(t - bias[:, None])[high] < 1e-9
    works = np.geomspace(100, 1e5, 30).astype(int)
    for work, spare, level in itertools.product(works, (1, 40, 4000), (1.0, 1.1)):
        room = 1 + 2 * n + 204 + spare
        boxes, bounds, anchors = np.empty((room, 2 * d + 2)), np.empty(room), np.empty(room, int)
        best, tally = np.zeros((5, d + 1)), np.zeros(4, dtype=np.int64)
        limits = (level * goal, goal, math.inf, work, False)
        start = np.append(centre, half)[None]
        result = explore_slabs(
            L, sign * q, start, np.full(1, 9.0), limits, (boxes, bounds, anchors, best, tally)
        )
        assert result == goal
        boxes, bounds, anchors = boxes[: tally[0]], bounds[: tally[0]], anchors[: tally[0]]
        inside = np.abs(boxes[:, None, : d + 1] - planes[high]) - boxes[:, None, d + 1 :] <= 1e-9
        there = np.where(anchors[:, None] < 0, inside[:, :, d], on[:, np.maximum(anchors, 0)].T)
        within = inside[:, :, :d].all(axis=2) & there
        reached = np.where(within, bounds[:, None], 0.0).max(axis=0, initial=0.0)
        assert np.all(reached >= values[high] * (1 - 1e-9))


def test_vertices_and_slopes_match_numpy() -> None:
    rng = np.random.default_rng(0)
    coef, u, h = rng.standard_normal(4), rng.standard_normal(4), np.array([0.5, 0.0, 0.25, 1.0])
    out = np.empty(8)
    assert kernels.vertex_values(coef, u, h, out) == 8
    corners = itertools.product((-1.0, 1.0), (0.0,), (-1.0, 1.0), (-1.0, 1.0))
    vertices = np.array([u + h * np.array(corner) for corner in corners])
    np.testing.assert_allclose(np.sort(out), np.sort(vertices @ coef))
    Z, p, g0 = rng.standard_normal((6, 4)), -rng.random(6), rng.standard_normal(4)
    own, lines, sums = np.arange(6, dtype=np.int32), np.empty((5, 6)), np.empty(8)
    for weights in (-p, p, -p * np.array([1, -1, 1, -1, 1, 1])):
        assert kernels.vertex_sums(Z, weights, own, 6, u, h, lines, sums) == 8
        order = [np.argmin(np.abs(vertices @ coef - value)) for value in out]
        expected = np.abs(vertices[order] @ Z.T) @ (0.5 * np.maximum(weights, 0.0))
        np.testing.assert_allclose(sums, expected, atol=1e-14)
    slope, g = np.zeros(6), g0.copy()
    steps = 2 / (np.abs(p) * np.sum(Z**2, axis=1))
    kernels.sweep_slopes(Z, p, steps, own, 6, slope, g, 500)
    np.testing.assert_allclose(g, g0 + (0.5 * p * slope) @ Z, atol=1e-12)
    gradient = 0.5 * p * (Z @ g)
    np.testing.assert_allclose(slope, np.clip(slope - gradient, -1, 1), atol=1e-9)


@pytest.mark.parametrize("kind", KINDS)
def test_rounding_margin_covers_the_errors_of_both_forms(kind: str) -> None:
    X, q = make(kind, 20, 3, 11)
    w = np.random.default_rng(2).standard_normal(3)
    w /= np.linalg.norm(w)
    rows = [[Fraction(v) for v in row] for row in X]
    direction, dual = [Fraction(v) for v in w], [Fraction(v) for v in q]
    t = [sum(a * b for a, b in zip(direction, row, strict=True)) for row in rows]
    margin = rounding_margin(X, q)
    for j in range(20):
        exact = sum(a * max(s - t[j], Fraction(0)) for a, s in zip(dual, t, strict=True))
        relu = float(np.sum(q * np.maximum(X @ w - X[j] @ w, 0.0)))
        half = 0.5 * float(q @ np.abs((X - X[j]) @ w))
        assert max(abs(Fraction(relu) - exact), abs(Fraction(half) - exact)) <= margin
    assert margin <= 1e-9 * np.abs(q).sum() * np.linalg.norm(X, axis=1).max()


def test_margin_of_a_dual_vector_off_the_null_space_covers_the_two_forms() -> None:
    X, q = make("normal", 20, 2, 3)
    q = q + 1e-6
    w = np.array([0.6, 0.8])
    relu = [evaluate(X, q, w, float(w @ x)) for x in X]
    half = [0.5 * float(q @ np.abs((X - x) @ w)) for x in X]
    assert 1e-9 < np.abs(np.subtract(relu, half)).max() <= rounding_margin(X, q)


def test_root_bounds_hold() -> None:
    X, q = make("normal", 15, 3, 0)
    w = np.random.default_rng(3).standard_normal((500, 3))
    w /= np.linalg.norm(w, axis=1, keepdims=True)
    jobs = root_jobs(X, q)
    assert sorted(job.sign for job in jobs) == [-1.0, 1.0]
    for job in jobs:
        for x in X:
            values = 0.5 * job.sign * np.abs(w @ (X - x).T) @ q
            assert values.max() <= job.bounds.min()
