"""The oracles for sup ||eta_Q|| of vector outputs against enumeration, samples, and one output."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
import pytest

from radontv.solvers.box_jobs import lift
from radontv.solvers.branch_and_bound import branch_and_bound
from radontv.solvers.sweep import sup_eta_1d, sup_eta_2d
from radontv.solvers.sweep_3d import sup_eta_3d
from radontv.solvers.vector import _box_kernels as boxes
from radontv.solvers.vector import _kernels as kernels
from radontv.solvers.vector._branch_kernels import explore_planes
from radontv.solvers.vector.boxes import bound_norm_by_boxes, root_job
from radontv.solvers.vector.proof import sup_norm_eta
from radontv.solvers.vector.reduced_norm import reduce_norm
from radontv.solvers.vector.search import VectorSearch, climb_norm
from radontv.solvers.vector.sweep import (
    evaluate_norm,
    norm_margin,
    sup_norm_1d,
    sup_norm_2d,
    width_bounds,
)

Array = np.ndarray

KINDS = ("normal", "grid", "duplicates", "clusters", "collinear", "flat", "constant", "scaled")
# Relative agreement of two evaluations of one value; sums of 1e2 terms of size 1 leave 1e-13.
AGREE = 1e-11


def inputs(kind: str, n: int, d: int, rng: np.random.Generator) -> Array:
    """Return X (n, d), with ties of the kind that is named."""
    X = rng.standard_normal((n, d))
    if kind == "grid":
        return rng.integers(-2, 3, size=(n, d)).astype(float)
    if kind == "duplicates":
        return X[np.arange(n) % max(n // 2, 1)]
    if kind == "clusters":
        return X[np.arange(n) % max(n // 3, 1)] + 1e-9 * rng.standard_normal((n, d))
    if kind == "collinear":
        return np.arange(n)[:, None] * X[0] + X[1]
    if kind == "flat":
        return X[:, : max(d - 1, 1)] @ rng.standard_normal((max(d - 1, 1), d)) + 3.0
    if kind == "constant":
        X[:, 0] = 0.1
    if kind == "scaled":
        X[:, 0] *= 1e6
    return X


def make(kind: str, n: int, d: int, D: int, seed: int) -> tuple[Array, Array]:
    """Return X of a kind and Q (n, D) orthogonal to [1 X]."""
    rng = np.random.default_rng(seed)
    X = inputs(kind, n, d, rng)
    return X, orthogonal(X, rng.standard_normal((n, D)))


def orthogonal(X: Array, Y: Array) -> Array:
    """Return Y / n without its part in the range of [1 X]."""
    centred = X - X.mean(axis=0)
    left, values, _ = np.linalg.svd(centred, full_matrices=False)
    keep = values > 1e-12 * max(values.max(initial=0.0), 1e-300)
    basis = np.column_stack([np.full(len(X), 1 / math.sqrt(len(X))), left[:, keep]])
    for _ in range(3):
        Y = Y - basis @ (basis.T @ Y)
    return Y / len(X)


def best_norms(X: Array, Q: Array, directions: Array) -> Array:
    """Return max_j ||eta(w, w . x_j)|| for each row w, as plain sums over pairs."""
    t = directions @ X.T
    eta = np.maximum(t[:, None, :] - t[:, :, None], 0.0) @ Q
    return np.linalg.norm(eta, axis=2).max(axis=1)


def sampled(X: Array, Q: Array, count: int, seed: int = 0) -> float:
    """Return the largest ||eta|| over random directions and all useful biases."""
    w = np.random.default_rng(seed).standard_normal((count, X.shape[1]))
    w /= np.linalg.norm(w, axis=1, keepdims=True)
    return float(max(best_norms(X, Q, part).max() for part in np.array_split(w, count // 100 + 1)))


def enumerated(X: Array, Q: Array) -> float:
    """Return sup ||eta_Q|| of a few points from the leading singular vectors of all patterns.

    Planes that meet exactly the data O have normals w in V = span{x_i - x_j : i, j in O}^perp. On a
    pattern A eta is linear, G^T w, and a maximum inside is the leading left singular vector of the
    part of G in V (any other critical point is no maximum).
    """
    n, d = X.shape
    found = [np.eye(d)]
    for size in range(1, d + 1):
        for on in itertools.combinations(range(n), size):
            others = [i for i in range(n) if i not in on]
            Z = X[others] - X[on[0]]
            across = np.linalg.svd(X[list(on[1:])] - X[on[0]], full_matrices=True)[2][size - 1 :].T
            if size == d:
                found.append(across.T)
                continue
            masks = np.arange(1 << max(len(others) - 1, 0))
            subsets = (masks[:, None] >> np.arange(len(others)) & 1).astype(float)
            G = np.einsum("si,ik,ic->skc", subsets, Z @ across, Q[others])
            left = np.linalg.svd(G, full_matrices=False)[0][:, :, 0]
            found.append(left @ across.T)
    return max(float(best_norms(X, Q, part).max()) for part in found)


def dense_2d(X: Array, Q: Array, count: int = 20001) -> float:
    """Return the largest norm over equidistant angles."""
    angles = np.linspace(0.0, np.pi, count)
    w = np.column_stack([np.cos(angles), np.sin(angles)])
    return max(float(best_norms(X, Q, part).max()) for part in np.array_split(w, 50))


# --- one and two dimensions ---------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["normal", "grid", "duplicates"])
@pytest.mark.parametrize("D", [1, 2, 7])
def test_sup_1d_is_the_maximum_over_the_data(kind: str, D: int) -> None:
    X, Q = make(kind, 25, 1, D, D)
    result = sup_norm_1d(X, Q)
    assert result.attained == pytest.approx(best_norms(X, Q, np.ones((1, 1)))[0], rel=AGREE)
    assert result.attained <= result.bound <= result.attained * (1 + 1e-9)
    assert result.attained == evaluate_norm(X, Q, result.weight, result.bias)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("n", "D"), [(7, 2), (7, 3), (7, 10)])
def test_sup_2d_is_the_maximum_over_all_patterns(kind: str, n: int, D: int) -> None:
    X, Q = make(kind, n, 2, D, n + D)
    result = sup_norm_eta(X, Q, math.inf)
    assert result.attained == pytest.approx(enumerated(X, Q), rel=1e-8, abs=1e-14)
    assert result.attained == evaluate_norm(X, Q, result.weight, result.bias)
    assert result.attained <= result.bound <= result.attained * (1 + 1e-8) + 1e-12


@pytest.mark.parametrize("kind", ["normal", "grid", "scaled"])
def test_sup_2d_exceeds_dense_angles_by_little(kind: str) -> None:
    X, Q = make(kind, 40, 2, 3, 0)
    result, dense = sup_norm_2d(X, Q), dense_2d(X, Q)
    assert dense <= result.attained * (1 + AGREE) <= result.bound * (1 + AGREE)
    if kind != "scaled":
        assert result.attained <= dense * (1 + 1e-4)


def test_sup_2d_does_not_depend_on_threads_and_gives_witnesses_above_the_threshold() -> None:
    X, Q = make("normal", 100, 2, 3, 0)
    threshold = 0.8 * sup_norm_2d(X, Q).attained
    one, two = (sup_norm_2d(X, Q, jobs, threshold=threshold) for jobs in (1, 2))
    assert (one.attained, one.bound, one.bias) == (two.attained, two.bound, two.bias)
    np.testing.assert_array_equal(one.witnesses_weights, two.witnesses_weights)
    pairs = zip(one.witnesses_weights, one.witnesses_biases, strict=True)
    values = [evaluate_norm(X, Q, w, b) for w, b in pairs]
    assert values and min(values) > threshold and values == sorted(values, reverse=True)


def test_top_direction_solves_the_eigenproblem() -> None:
    rng = np.random.default_rng(0)
    for a, b, c in [*rng.standard_normal((50, 3)), (1, 0, 1), (0, 0, 2), (3, 0, 0), (0, 0, 0)]:
        value, x, y = kernels.top_direction(float(a), float(b), float(c))
        assert value == pytest.approx(np.linalg.eigvalsh([[a, b], [b, c]])[1], abs=1e-14)
        assert math.hypot(x, y) == pytest.approx(1.0)
        np.testing.assert_allclose(
            [a * x + b * y, b * x + c * y], [value * x, value * y], atol=1e-14
        )


# --- boxes --------------------------------------------------------------------------------------


def box_arrays(n: int, D: int, K: int) -> tuple[Any, ...]:
    """Return the scratch arrays of `bound_norm`, from M on."""
    return (
        np.empty((D, K)),
        np.empty(D),
        np.empty(D),
        np.empty((4, n)),
        np.empty(K),
        np.empty((6, 2048)),
        np.empty((K + 2, max(n, K))),
        np.empty(K),
    )


@pytest.mark.parametrize("slab", [False, True])
@pytest.mark.parametrize(("d", "D"), [(2, 2), (3, 2), (3, 5), (5, 3), (10, 2)])
def test_bound_of_a_box_dominates_samples_and_rows_are_classified(
    d: int, D: int, slab: bool
) -> None:
    rng = np.random.default_rng(d)
    n = 40
    for trial in range(60):
        X, Q = make("normal", n, d, D, int(rng.integers(1 << 30)))
        if trial % 3 == 0:
            Q = Q[:, :1] @ rng.standard_normal((1, D)) + 0.05 * Q
        Z, width = lift(X) if slab else X - X[0], 10.0 ** rng.uniform(-2.5, 0)
        K = Z.shape[1]
        u, h = rng.uniform(-1, 1, K) * (1 - width), np.full(K, width)
        u[0], h[0] = 1.0, 0.0
        own, G = np.empty(n, dtype=np.int32), np.zeros((D, K))
        slope, radius, square = np.empty(n), np.empty(n), np.sum(Z**2, axis=1)
        everyone = np.arange(1, n, dtype=np.int32)
        m = boxes.classify_rows(Z, Q, np.zeros(n), u, h, everyone, n - 1, own, G, slope, radius)
        t, r = Z[1:] @ u, np.abs(Z[1:]) @ h
        exact = np.abs(t) >= r
        np.testing.assert_array_equal(own[:m], everyone[~exact])
        fixed = 0.5 * (Q[1:] * (np.sign(t) * exact)[:, None]).T @ Z[1:]
        np.testing.assert_allclose(G, fixed, atol=1e-14)
        v = u + h * rng.choice([-1.0, 0.0, 1.0, 0.5], size=(300, K))
        eta = 0.5 * np.abs(v @ Z[1:].T) @ Q[1:] / np.linalg.norm(v[:, :d], axis=1)[:, None]
        values = np.linalg.norm(eta, axis=1)
        at = boxes.norm_at(Z, Q, own, m, G, v[0], d, np.empty(D))
        assert at == pytest.approx(values[0], rel=1e-9, abs=1e-14)
        for target in (1e-6 * values.max(), 0.5 * values.max(), values.max(), 1.2 * values.max()):
            arrays = box_arrays(n, D, K)
            bound, side, back = boxes.bound_norm(
                Z, Q, square, u, h, d, own, m, G, slope, radius, target, *arrays
            )
            a = arrays[1]
            assert values.max() <= bound + 1e-13
            assert np.linalg.norm(eta - np.outer(eta @ a, a), axis=1).max() <= side + 1e-13
            assert (-(eta @ a)).max() <= back + 1e-13


def test_bound_of_a_small_box_is_off_by_second_order_only() -> None:
    X, Q = make("normal", 30, 4, 3, 1)
    Z, square = X - X[0], np.sum((X - X[0]) ** 2, axis=1)
    u = np.array([1.0, 0.3, -0.2, 0.1])
    excess = []
    for width in (1e-4, 1e-5):
        h = np.array([0.0, width, width, width])
        own, G, slope, radius = np.empty(30, np.int32), np.zeros((3, 4)), np.empty(30), np.empty(30)
        everyone = np.arange(1, 30, dtype=np.int32)
        m = boxes.classify_rows(Z, Q, np.zeros(30), u, h, everyone, 29, own, G, slope, radius)
        assert m == 0
        corners = u + h * np.array(list(itertools.product((-1.0, 1.0), repeat=4)))
        eta = (corners @ G.T) / np.linalg.norm(corners, axis=1)[:, None]
        most = np.linalg.norm(eta, axis=1).max()
        rest = (own, m, G, slope, radius, most, *box_arrays(30, 3, 4))
        excess.append(boxes.bound_norm(Z, Q, square, u, h, 4, *rest)[0] / most - 1)
    assert 0.0 <= excess[1] < 0.02 * excess[0] + 1e-15 < 1e-6


@pytest.mark.parametrize("n_axes", [1, 2, 3, 5, 9])
@pytest.mark.parametrize("D", [1, 2, 4])
def test_image_of_a_box_matches_its_vertices(n_axes: int, D: int) -> None:
    rng = np.random.default_rng(n_axes)
    N, h = rng.standard_normal((D, n_axes + 2)), np.zeros(n_axes + 2)
    h[rng.permutation(n_axes + 2)[:n_axes]] = rng.random(n_axes)
    corners = h * np.array(list(itertools.product((-1.0, 1.0), repeat=n_axes + 2)))
    exact = np.linalg.norm(corners @ N.T, axis=1).max()
    value = boxes.largest_image(N, h, np.empty(D))
    if n_axes <= boxes.MAX_IMAGE_AXES and D > 2:
        assert value == pytest.approx(exact)
    assert exact * (1 - 1e-12) <= value <= h @ np.linalg.norm(N, axis=0) * (1 + 1e-12)


@pytest.mark.parametrize(("kind", "d"), [("normal", 3), ("grid", 3), ("normal", 5), ("grid", 4)])
@pytest.mark.parametrize("width", [0.5, 0.1, 0.02])
def test_no_plane_above_the_goal_is_lost(kind: str, d: int, width: float) -> None:
    """Wherever the work or the room ends, each one is in a slab or a box of an anchor on it."""
    n, D = 30, 3
    rng = np.random.default_rng(0)
    X = inputs(kind, n, d, np.random.default_rng(7))
    X = X - np.round(X.mean(axis=0))
    Q = orthogonal(X, rng.standard_normal((n, D)))
    L, sizes = lift(X), np.linalg.norm(Q, axis=1)
    weights, biases = climb_norm(X, Q, rng.standard_normal((30, d)))
    norms = [evaluate_norm(X, Q, w, b) for w, b in zip(weights, biases, strict=True)]
    top = int(np.argmax(norms))
    face = np.argmax(np.abs(weights[top]))
    centre = np.append(weights[top], biases[top] / -L[0, d]) / weights[top, face]
    half = np.where(np.arange(d + 1) == face, 0.0, width)
    w = centre[:d] + half[:d] * rng.uniform(-1, 1, size=(600, d))
    t = w @ X.T
    eta = np.linalg.norm(np.maximum(t[:, None, :] - t[:, :, None], 0.0) @ Q, axis=2)
    values = eta.max(axis=1) / np.linalg.norm(w, axis=1)
    bias = t[np.arange(600), eta.argmax(axis=1)]
    planes = np.column_stack([w, bias / -L[0, d]])
    goal = max(0.6 * values.max(), np.quantile(values, 0.2))
    high = (values > goal) & (np.abs(planes[:, d] - centre[d]) <= width)
    assert high.sum() > 10
    on = np.abs(t - bias[:, None])[high] < 1e-9
    works = np.geomspace(100, 1e5, 12).astype(int)
    for work, spare, level in itertools.product(works, (1, 40, 4000), (1.0, 1.1)):
        room = 1 + 2 * n + 204 + spare
        left, bounds, anchors = np.empty((room, 2 * d + 2)), np.empty(room), np.empty(room, int)
        best, tally = np.zeros((5, d + 1)), np.zeros(4, dtype=np.int64)
        start, limits = np.append(centre, half)[None], (level * goal, goal, math.inf, work, False)
        result = explore_planes(
            L, Q, sizes, -1, start, np.full(1, 9.0), limits, (left, bounds, anchors, best, tally)
        )
        assert result == goal
        left, bounds, anchors = left[: tally[0]], bounds[: tally[0]], anchors[: tally[0]]
        inside = np.abs(left[:, None, : d + 1] - planes[high]) - left[:, None, d + 1 :] <= 1e-9
        there = np.where(anchors[:, None] < 0, inside[:, :, d], on[:, np.maximum(anchors, 0)].T)
        within = inside[:, :, :d].all(axis=2) & there
        reached = np.where(within, bounds[:, None], 0.0).max(axis=0, initial=0.0)
        assert np.all(reached >= values[high] * (1 - 1e-9))


@pytest.mark.parametrize("kind", ["normal", "grid", "scaled"])
@pytest.mark.parametrize("D", [2, 4])
def test_boxes_agree_with_the_sweep_in_two_dimensions(kind: str, D: int) -> None:
    X, Q = make(kind, 25, 2, D, D)
    reduced = reduce_norm(X, Q)
    X, Q = reduced.X, reduced.Q
    sup = sup_norm_2d(X, Q).attained
    proof = bound_norm_by_boxes(X, Q, sup * (1 + 1e-6))
    assert proof.complete and proof.bound == pytest.approx(sup * (1 + 1e-6), rel=1e-9)
    refuted = bound_norm_by_boxes(X, Q, 0.99 * sup)
    assert 0.99 * sup < refuted.attained <= sup * (1 + AGREE) <= refuted.bound * (1 + 2 * AGREE)
    exact = bound_norm_by_boxes(X, Q, 0.5 * sup, stop_at_violation=False, n_jobs=2)
    assert exact.complete and exact.attained == pytest.approx(sup, rel=1e-8)
    assert sup * (1 - AGREE) <= exact.bound <= exact.attained * (1 + 1e-7)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("n", "d", "D"), [(8, 3, 2), (8, 3, 4), (7, 4, 2)])
def test_sup_is_the_maximum_over_all_patterns(kind: str, n: int, d: int, D: int) -> None:
    X, Q = make(kind, n, d, D, n + d + D)
    result = sup_norm_eta(X, Q, 0.0, stop_at_violation=False, time_limit=1.0)
    truth = enumerated(X, Q)
    assert truth <= result.bound * (1 + AGREE)
    if kind == "clusters":
        return  # All weights of a cluster cancel, so boxes would have to resolve 1e-9.
    assert result.complete
    assert result.attained == pytest.approx(truth, rel=1e-7, abs=1e-12)
    assert result.bound <= result.attained * (1 + 1e-6) + 1e-10


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("n", "d", "D"), [(60, 3, 2), (60, 4, 3), (40, 3, 10)])
def test_bound_exceeds_samples_at_every_stop(kind: str, n: int, d: int, D: int) -> None:
    X, Q = make(kind, n, d, D, 5)
    dense = sampled(X, Q, 1500)
    for calls in (0, 2, 40):
        asked = iter(range(calls + 1))
        result = sup_norm_eta(
            X, Q, 0.9 * dense, stop_at_violation=False,
            should_stop=lambda asked=asked: next(asked, None) is None,
        )  # fmt: skip
        assert dense <= result.bound * (1 + AGREE)
        assert result.attained <= result.bound
    assert dense <= result.attained * (1 + AGREE)
    assert result.complete or kind == "clusters"


def test_a_time_limit_leaves_a_valid_bound() -> None:
    X, Q = make("normal", 200, 8, 4, 0)
    search = VectorSearch(X).search(Q, np.zeros((0, 9)), 64)[0][0]
    result = sup_norm_eta(X, Q, 1.001 * search, time_limit=0.3, n_jobs=2)
    assert not result.complete and search <= result.bound < math.inf
    assert result.seconds < 5.0


# --- special cases and invariances --------------------------------------------------------------


@pytest.mark.parametrize(("n", "d"), [(30, 1), (30, 2), (30, 3), (120, 3), (25, 4)])
def test_rank_one_is_the_scalar_problem(n: int, d: int) -> None:
    X, q = make("normal", n, d, 1, d)
    a = np.array([[2.0, -1.0, 2.0]]) / 3.0
    vector = sup_norm_eta(X, q @ a, 0.0, stop_at_violation=False)
    p = q[:, 0]
    if d == 1:
        scalar = sup_eta_1d(X, p)
    elif d == 2:
        scalar = sup_eta_2d(X, p)
    elif n <= 100 and d == 3:
        scalar = sup_eta_3d(X, p)
    else:
        scalar = branch_and_bound(X, p, 0.0, stop_at_violation=False)
    assert vector.attained == pytest.approx(scalar.attained, rel=1e-12)
    if d > 2:
        own = bound_norm_by_boxes(X, q @ a, 0.0, stop_at_violation=False)
        assert own.attained == pytest.approx(scalar.attained, rel=1e-9)
        assert own.bound == pytest.approx(scalar.attained, rel=1e-8)
    else:
        own = (sup_norm_1d if d == 1 else sup_norm_2d)(X, q @ a)
        assert own.attained == pytest.approx(scalar.attained, rel=1e-12)


@pytest.mark.parametrize(("d", "D"), [(1, 3), (2, 3), (3, 2), (3, 12)])
def test_the_sup_is_invariant_to_rotations_translations_and_repeated_rows(d: int, D: int) -> None:
    rng = np.random.default_rng(d)
    X, Q = make("normal", 11, d, D, D)
    options: dict[str, Any] = {"stop_at_violation": False}
    sup = sup_norm_eta(X, Q, 0.0, **options).attained
    turn = np.linalg.qr(rng.standard_normal((d, d)))[0]
    turn_outputs = np.linalg.qr(rng.standard_normal((D, D)))[0]
    moved = sup_norm_eta(X @ turn + 7.0, Q @ turn_outputs, 0.0, **options)
    assert moved.attained == pytest.approx(sup, rel=1e-8)
    padded = sup_norm_eta(
        np.column_stack([X, np.ones(11)]), np.pad(Q, ((0, 0), (0, 2))), 0.0, **options
    )
    assert padded.attained == pytest.approx(sup, rel=1e-8)
    twice = sup_norm_eta(np.vstack([X, X]), np.vstack([0.3 * Q, 0.7 * Q]), 0.0, **options)
    assert twice.attained == pytest.approx(sup, rel=1e-8)
    assert sup <= min(result.bound for result in (moved, padded, twice)) * (1 + AGREE)


@pytest.mark.parametrize("scale", [1e-150, 1e-12, 1e12, 1e200])
@pytest.mark.parametrize("d", [1, 2, 3])
def test_scales_of_inputs_and_outputs_do_not_matter(scale: float, d: int) -> None:
    X, Q = make("normal", 20, d, 3, 0)
    sup = sup_norm_eta(X, Q, 0.0, stop_at_violation=False).attained
    for points, weights in ((X * scale, Q), (X, Q * scale)):
        result = sup_norm_eta(points, weights, 0.0, stop_at_violation=False)
        assert result.attained == pytest.approx(sup * scale, rel=1e-8)
        assert result.attained <= result.bound <= result.attained * (1 + 1e-7)


def test_nothing_to_find() -> None:
    X, _ = make("normal", 6, 3, 2, 0)
    zero = sup_norm_eta(X, np.zeros((6, 2)), 1.0)
    assert (zero.attained, zero.bound, zero.complete) == (0.0, 0.0, True)
    opposite = np.array([[1.0, 2.0], [-1.0, -2.0]])
    assert sup_norm_eta(np.ones((2, 3)), opposite, 1.0).bound < 1e-14
    # No Q but rounding is orthogonal to [1 X] for n <= d + 1 points in general position.
    few = sup_norm_eta(X[:4], orthogonal(X[:4], np.ones((4, 2))), 1.0)
    assert few.bound < 1e-14 or few.bound == 1.0
    values, planes = VectorSearch(X).search(np.zeros((6, 2)), np.zeros((0, 4)), 8)
    assert values.shape == (0,) and planes.shape == (0, 4)


def test_more_outputs_than_points() -> None:
    X, Q = make("normal", 7, 2, 20, 0)
    reduced = reduce_norm(X, Q)
    assert reduced.Q.shape == (7, 4)
    assert sup_norm_eta(X, Q, 0.0).attained == pytest.approx(enumerated(X, Q), rel=1e-9)


@pytest.mark.parametrize("kind", KINDS)
def test_reduction_moves_eta_by_no_more_than_its_error(kind: str) -> None:
    X, Q = make(kind, 12, 3, 5, 2)
    Q = Q[:, :2] @ np.random.default_rng(0).standard_normal((2, 5))
    reduced = reduce_norm(X, Q)
    assert reduced.Q.shape[1] <= 2
    assert reduced.error <= 1e-12 * np.linalg.norm(Q, axis=1).sum() * np.abs(X).max()
    for w in np.random.default_rng(1).standard_normal((50, 3)):
        w /= np.linalg.norm(w)
        below = reduced.basis.T @ w
        for b in X @ w:
            inner = (b - w @ reduced.centre) / reduced.x_unit
            active = np.maximum(reduced.X @ below - inner, 0.0)
            lowered = float(np.linalg.norm(active @ reduced.Q)) * reduced.unit
            value = evaluate_norm(X, Q, w, float(b))
            assert abs(value - lowered) <= reduced.error + norm_margin(X, Q)


def test_bad_arguments_are_refused() -> None:
    X, Q = make("normal", 6, 2, 2, 0)
    with pytest.raises(ValueError, match="reshape"):
        sup_norm_eta(X, Q[:, 0], 1.0)
    with pytest.raises(ValueError, match="as many rows"):
        sup_norm_eta(X, Q[:5], 1.0)
    with pytest.raises(ValueError, match="finite"):
        sup_norm_eta(X * np.nan, Q, 1.0)
    with pytest.raises(ValueError, match="rows"):
        VectorSearch(X).search(Q[:5], np.zeros((0, 3)), 8)
    with pytest.raises(ValueError, match="distinct"):
        width_bounds(3, 4, 1)


def test_root_bound_holds_and_width_bounds_are_those_of_the_theory() -> None:
    X, Q = make("normal", 15, 3, 2, 0)
    assert sampled(X, Q, 1000) <= root_job(X, Q).bounds.min()
    assert width_bounds(10, 3, 1) == (7, 100)
    assert width_bounds(10, 0, 50) == (500, 100)


def test_margin_of_a_dual_point_off_the_null_space_covers_the_two_forms() -> None:
    X, Q = make("normal", 20, 2, 3, 3)
    Q = Q + 1e-6 * np.array([1.0, 2.0, -1.0])
    w = np.array([0.6, 0.8])
    for x in X:
        relu = np.maximum((X - x) @ w, 0.0) @ Q
        half = 0.5 * np.abs((X - x) @ w) @ Q
        assert np.linalg.norm(relu - half) <= norm_margin(X, Q)
    assert norm_margin(X, Q) < 1e-2


# --- search -------------------------------------------------------------------------------------


def test_best_knot_matches_numpy() -> None:
    X, Q = make("grid", 30, 3, 4, 1)
    w, a = np.array([2.0, -1.0, 2.0]) / 3.0, np.empty(4)
    XT = np.ascontiguousarray(X.T)
    value, anchor = kernels.best_knot(XT, Q, w, np.empty(30), np.empty((2, 4)), a)
    assert value == pytest.approx(best_norms(X, Q, w[None])[0])
    t = X @ w
    eta = np.maximum(t - t[anchor], 0.0) @ Q
    np.testing.assert_allclose(eta / np.linalg.norm(eta), a, atol=1e-12)


def test_extrapolation_finds_the_limit_of_a_geometric_sequence() -> None:
    limit, step = np.array([0.6, 0.8]), 1e-3 * np.array([0.8, -0.6])
    earlier, before, a = (limit + 0.9**k * step for k in range(3))
    out = np.empty(2)
    assert kernels.ahead_of(a, before, earlier, out)
    np.testing.assert_allclose(out, limit, atol=1e-12)
    assert not kernels.ahead_of(limit, limit, limit, out)
    assert not kernels.ahead_of(limit + step, limit, limit + 1e-2 * step, out)


@pytest.mark.parametrize("kind", ["normal", "grid", "clusters", "scaled"])
@pytest.mark.parametrize("d", [1, 2])
def test_search_finds_the_exact_sup_of_low_dimensions(kind: str, d: int) -> None:
    missed = 0
    for seed in range(50):
        X, Q = make(kind, 10 + seed, d, 1 + seed % 4, seed)
        reduced = reduce_norm(X, Q)
        if reduced.X.shape[1] == 0:
            continue
        none = np.zeros((0, reduced.X.shape[1] + 1))
        values, _ = VectorSearch(reduced.X, n_jobs=1).search(reduced.Q, none, 64)
        sup = sup_norm_eta(reduced.X, reduced.Q, math.inf).attained
        error = norm_margin(reduced.X, reduced.Q)
        assert values[0] <= sup * (1 + 1e-9) + error
        missed += values[0] < sup * (1 - 1e-9) - error
    assert missed == 0


@pytest.mark.parametrize(("d", "D"), [(3, 2), (3, 5), (4, 3)])
def test_search_finds_what_boxes_prove(d: int, D: int) -> None:
    missed = 0
    for seed in range(10):
        X, Q = make("normal", 50, d, D, seed)
        values, _ = VectorSearch(X).search(Q, np.zeros((0, d + 1)), 128)
        proof = sup_norm_eta(X, Q, values[0] * (1 + 1e-7), n_jobs=2)
        missed += not proof.complete
    assert missed == 0


def test_search_returns_distinct_maxima_that_do_not_depend_on_threads() -> None:
    X, Q = make("normal", 80, 3, 3, 4)
    none = np.zeros((0, 4))
    searches = [VectorSearch(X, n_jobs=jobs, random_state=3) for jobs in (1, 2)]
    one, two = (search.search(Q, none, 100) for search in searches)
    np.testing.assert_array_equal(one[0], two[0])
    np.testing.assert_array_equal(one[1], two[1])
    values, planes = one
    assert np.all(np.diff(values) <= 0.0) and len(values) > 3
    np.testing.assert_allclose(np.linalg.norm(planes[:, :3], axis=1), 1.0)
    direct = [evaluate_norm(X, Q, plane[:3], plane[3]) for plane in planes]
    np.testing.assert_allclose(values, direct, rtol=1e-10)
    sides = [tuple(np.sort(np.abs(X @ plane[:3] - plane[3]) < 1e-9)) for plane in planes]
    assert len({(value, side) for value, side in zip(values.round(12), sides, strict=True)}) == len(
        values
    )
    again = searches[0].search(Q, planes[:2], 10)[0]
    assert again[0] >= values[0] * (1 - 1e-12)


def test_maxima_are_stationary() -> None:
    X, Q = make("normal", 40, 4, 3, 2)
    rng = np.random.default_rng(0)
    values, planes = VectorSearch(X).search(Q, np.zeros((0, 5)), 40)
    for value, plane in zip(values[:10], planes[:10], strict=True):
        near = plane[:4] + 1e-4 * rng.standard_normal((200, 4))
        near /= np.linalg.norm(near, axis=1, keepdims=True)
        assert best_norms(X, Q, near).max() <= value * (1 + 1e-12)
