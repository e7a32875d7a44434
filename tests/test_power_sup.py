"""Oracles of order m: kernels against numpy, bounds against dense sampling, degenerate data."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from radontv.problems.higher_order import HigherOrderProblem
from radontv.problems.power.polynomials import all_exponents, factors_of, monomials
from radontv.problems.power.spline import truncated_power
from radontv.solvers.power import _box_kernels as box_kernels
from radontv.solvers.power import _kernels as kernels
from radontv.solvers.power.line import evaluate_power, line_maxima, sup_power_1d
from radontv.solvers.power.margin import cheap_bound, moment_defect, power_margin
from radontv.solvers.power.sup import sup_power_boxes

ORDERS = (3, 4)


def inputs(kind: str, d: int, n: int, seed: int) -> np.ndarray:
    """Return points of unit size, random or as degenerate as data come."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, d))
    if kind == "grid":
        X = rng.integers(-2, 3, size=(n, d)) / 2.0
    elif kind == "repeated":
        X = np.repeat(X[: n // 4], 4, axis=0)[:n]
    elif kind == "clusters":
        X = X[rng.integers(5, size=n)] + 1e-7 * X
    elif kind == "collinear":
        X[:, 1:] = X[:, :1] * np.arange(1, d)
    return X


def dual_point(X: np.ndarray, order: int, seed: int) -> np.ndarray:
    """Return a random q with A_m^T q = 0."""
    q = np.random.default_rng(seed).normal(size=len(X))
    problem = HigherOrderProblem(X, q, 1.0, order=order)
    return problem.project(q / len(X))


def eta(X: np.ndarray, q: np.ndarray, order: int, planes: np.ndarray) -> np.ndarray:
    return q @ truncated_power(X @ planes[:, :-1].T - planes[:, -1], order)


KINDS = ("random", "grid", "repeated", "clusters", "collinear")


@pytest.mark.parametrize("order", (2, 3, 4))
@pytest.mark.parametrize("kind", ("random", "grid", "repeated", "clusters"))
def test_scan_of_a_line_is_exact(kind: str, order: int) -> None:
    X = inputs(kind, 1, 40, 3)
    q = dual_point(X, order, 4)
    found = sup_power_1d(X, q, order)
    b = np.linspace(X.min(), X.max(), 20001)
    values = eta(X, q, order, np.column_stack([np.ones_like(b), b]))
    top = np.abs(values).max()
    assert top <= found.bound
    # A grid of mesh h misses a smooth maximum by O(h^2).
    assert found.attained <= top + 1e-4 * np.abs(q).sum()
    assert found.attained <= found.bound <= found.attained + 2 * power_margin(X, q, order)
    turned = sup_power_1d(-X, q, order)
    assert abs(turned.attained - found.attained) <= 2 * power_margin(X, q, order)


@pytest.mark.parametrize("order", ORDERS)
def test_line_maxima_are_stationary_and_complete(order: int) -> None:
    X = inputs("random", 1, 30, 0)
    q = dual_point(X, order, 1)
    values, biases = line_maxima(X, q, order)
    b = np.linspace(X.min(), X.max(), 200001)
    dense = np.abs(eta(X, q, order, np.column_stack([np.ones_like(b), b])))
    inner = (dense[1:-1] > dense[:-2]) & (dense[1:-1] > dense[2:]) & (dense[1:-1] > 1e-10)
    for peak in b[1:-1][inner]:
        assert np.abs(biases - peak).min() < 1e-4
    slope = q @ truncated_power(X - biases, order - 1)
    assert np.abs(slope).max() < 1e-12
    assert np.allclose(
        np.abs(values), np.abs(eta(X, q, order, np.column_stack([biases * 0 + 1, biases])))
    )


@pytest.mark.parametrize("order", ORDERS)
def test_derivatives_equal_numpy(order: int) -> None:
    X = inputs("random", 3, 50, 5)
    q = dual_point(X, order, 6)
    plane = np.array([0.6, 0.0, 0.8, 0.2])
    lifted = np.column_stack([X, -np.ones(50)])
    t = lifted @ plane
    g, H = np.zeros(4), np.zeros((4, 4))
    value = kernels.derivatives(X, q, order - 1, plane, g, H)
    bend = (t > 0) * 1.0 if order == 3 else np.maximum(t, 0)
    assert value == pytest.approx(q @ truncated_power(t, order))
    assert kernels.power_value(X, q, order - 1, plane) == pytest.approx(value)
    assert np.allclose(g, lifted.T @ (q * truncated_power(t, order - 1)), atol=1e-14)
    assert np.allclose(H, lifted.T @ ((q * bend)[:, None] * lifted), atol=1e-14)


@pytest.mark.parametrize("order", ORDERS)
def test_climbs_end_where_the_gradient_vanishes(order: int) -> None:
    X = inputs("random", 3, 60, 7)
    q = dual_point(X, order, 8)
    planes = np.random.default_rng(9).normal(size=(20, 4))
    planes /= np.linalg.norm(planes[:, :3], axis=1, keepdims=True)
    before = np.abs(eta(X, q, order, planes))
    values = np.empty(20)
    kernels.climb_all(X, q, order - 1, planes, np.ones(20, dtype=bool), values)
    assert (np.abs(values) >= before).all()
    lifted = np.column_stack([X, -np.ones(60)])
    for plane in planes:
        g = lifted.T @ (q * truncated_power(lifted @ plane, order - 1))
        g[:3] -= (g[:3] @ plane[:3]) * plane[:3]
        assert np.linalg.norm(g) < 3e-9 * np.abs(q).sum()


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("kind", KINDS)
def test_boxes_bound_everything_inside(kind: str, order: int) -> None:
    rng = np.random.default_rng(11)
    for d, size in product((2, 3), (1.0, 0.3, 0.05, 0.005)):
        X = inputs(kind, d, 30, d)
        q = dual_point(X, order, d + 1)
        count = 40
        centres = rng.uniform(-1, 1, size=(count, d + 1))
        centres[:, d] *= 2.0
        halves = size * rng.uniform(0.1, 1.0, size=(count, d + 1))
        centres[:, 0], halves[:, 0] = 1.0, 0.0
        # As the search does it: u.w0 > 0, and no coordinate changes its sign unless it is centred.
        loose = np.abs(centres[:, 1:d]) < halves[:, 1:d]
        centres[:, 1:d][loose] = 0.0
        bounds, values = np.empty(count), np.empty(count)
        split = np.zeros(count, dtype=np.int64)
        # Goals at, below and above the values inside: T is part of the bound.
        for goal in (1e-12, 0.02 * np.abs(q).sum(), 0.5 * np.abs(q).sum()):
            box_kernels.bound_boxes(X, q, order - 1, goal, centres, halves, bounds, values, split)
            margin = power_margin(X, q, order, boxes=True)
            for r in range(count):
                e = rng.uniform(-1, 1, size=(300, d + 1))
                e[:200] = np.sign(e[:200]) * np.abs(e[:200]) ** 0.2  # mostly near the vertices
                z = centres[r] + e * halves[r]
                planes = z / np.linalg.norm(z[:, :d], axis=1, keepdims=True)
                assert np.abs(eta(X, q, order, planes)).max() <= bounds[r] + margin
                c = centres[r] / np.linalg.norm(centres[r, :d])
                assert abs(eta(X, q, order, c[None])[0]) == pytest.approx(values[r], abs=margin)


@pytest.mark.parametrize("order", ORDERS)
def test_majorants_hold_for_every_single_point(order: int) -> None:
    # One point at a time: nothing cancels, so that the interval of the curvature must be right.
    # A heavy point far below the plane makes the kernel use the side above, where it is 0.
    rng = np.random.default_rng(12)
    c, h = np.array([1.0, 0.0]), np.array([0.0, 1.0])
    z = np.column_stack([np.zeros(300), np.append(rng.uniform(-1, 1, 298), [-1.0, 1.0])])
    for position in np.linspace(-2.0, 3.0, 41):
        X = np.array([[position], [-9.0]])
        for amount in (1.0, -1.0):
            q, g, H, work = (
                np.array([amount, 100.0]),
                np.zeros(2),
                np.zeros((3, 2, 2)),
                np.ones((2, 2)),
            )
            value = box_kernels.expand(X, q, order - 1, c, h, work[0], work[1], g, H)
            exact = amount * truncated_power(position - c[1] - z[:, 1], order)
            for sigma, which in ((1.0, 0), (-1.0, 1)):
                model = sigma * (value + z @ g) + 0.5 * np.einsum("ij,jk,ik->i", z, H[which], z)
                assert (sigma * exact <= model + 1e-14).all()


@pytest.mark.parametrize("order", ORDERS)
def test_small_boxes_are_bounded_to_second_order(order: int) -> None:
    X = inputs("random", 2, 40, 1)
    q = dual_point(X, order, 2)
    centre = np.array([[1.0, 0.3, 0.1]])
    excess = []
    for h in (0.02, 0.01):
        grid = np.array(list(product([1.0], *(np.linspace(-h, h, 41),) * 2))) + centre * [0, 1, 1]
        planes = grid / np.linalg.norm(grid[:, :2], axis=1, keepdims=True)
        top = np.abs(eta(X, q, order, planes)).max()
        bounds, values = np.empty(1), np.empty(1)
        split = np.zeros(1, dtype=np.int64)
        half = np.array([[0.0, h, h]])
        # The expansion is about T |u|^p: it is of second order where |eta| is near T.
        box_kernels.bound_boxes(X, q, order - 1, 0.9999 * top, centre, half, bounds, values, split)
        excess.append(bounds[0] - top)
    assert 0.0 <= excess[1] <= 0.35 * excess[0]


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("d", (2, 3))
def test_branch_and_bound_lies_between_sampling_and_its_goal(d: int, kind: str, order: int) -> None:
    X = inputs(kind, d, 30, 20 + d)
    q = dual_point(X, order, 21)
    rng = np.random.default_rng(22)
    # Amplitudes that cancel within clusters, not across: eta is tiny, and boxes cannot see why.
    slow = kind == "clusters"
    limit = 1.0 if slow else 20.0
    found = sup_power_boxes(X, q, order, 0.0, rtol=1e-4, time_limit=limit, stop_at_violation=False)
    planes = rng.normal(size=(20000, d + 1))
    planes[:, d] = X[rng.integers(len(X), size=20000)][:, 0] * rng.normal(size=20000)
    planes[:, :d] /= np.linalg.norm(planes[:, :d], axis=1, keepdims=True)
    sampled = np.abs(eta(X, q, order, planes)).max()
    # Climbs from many starts are independent of the boxes.
    starts, values = planes[:200].copy(), np.empty(200)
    kernels.climb_all(X, q, order - 1, starts, np.zeros(200, dtype=bool), values)
    sampled = max(sampled, np.abs(values).max())
    margin = power_margin(X, q, order, boxes=True)
    assert sampled <= found.bound
    assert found.attained <= found.bound
    if not slow:
        assert found.complete
        assert found.bound <= found.attained * (1 + 1.0001e-4) + 2 * margin


def test_order_three_with_hand_made_maximum() -> None:
    # Third differences of four equidistant points: eta is the quadratic cardinal B-spline.
    X = np.arange(4.0)[:, None] - 1.5
    q = np.array([-1.0, 3.0, -3.0, 1.0])
    found = sup_power_1d(X, q, 3)
    assert found.attained == pytest.approx(0.75, rel=1e-14)
    assert found.bias == pytest.approx(0.0, abs=1e-14)
    X = np.arange(5.0)[:, None] - 2.0
    assert sup_power_1d(X, np.array([1.0, -4.0, 6.0, -4.0, 1.0]), 4).attained == pytest.approx(
        2 / 3
    )


@pytest.mark.parametrize("order", ORDERS)
def test_an_unfinished_search_is_valid_and_says_so(order: int) -> None:
    X = inputs("random", 3, 40, 30)
    q = dual_point(X, order, 31)
    full = sup_power_boxes(X, q, order, 0.0, rtol=1e-6, stop_at_violation=False)
    last = np.inf
    for most in (3, 50, 500, 2000):
        part = sup_power_boxes(X, q, order, 0.0, max_boxes=most, stop_at_violation=False)
        assert not part.complete or part.n_boxes <= 2000 + 2 * 512
        assert full.attained <= part.bound <= last
        last = part.bound
    late = sup_power_boxes(X, q, order, 0.0, time_limit=0.0, stop_at_violation=False)
    assert last <= late.bound == cheap_bound(X, q, order) and not late.complete


@pytest.mark.parametrize("order", ORDERS)
def test_the_bound_without_a_search_holds_and_is_met_by_one_point(order: int) -> None:
    rng = np.random.default_rng(32)
    X, q = rng.standard_normal((20, 3)), rng.standard_normal(20)
    radius, bound = np.linalg.norm(X, axis=1).max(), cheap_bound(X, q, order)
    for w in rng.standard_normal((50, 3)):
        w /= np.linalg.norm(w)
        for b in (-radius, radius * rng.uniform(-1.0, 1.0)):
            assert abs(evaluate_power(X, q, order, w, b)) <= bound
    x = np.array([[3.0, 0.0, 4.0]])
    top = evaluate_power(x, np.ones(1), order, x[0] / 5.0, -5.0)
    assert top <= cheap_bound(x, np.ones(1), order) * (1 + 1e-15)
    assert cheap_bound(x, np.ones(1), order) == pytest.approx(top, rel=1e-12)


def test_results_do_not_depend_on_threads() -> None:
    X = inputs("random", 3, 40, 33)
    q = dual_point(X, 4, 34)
    one, two = (
        sup_power_boxes(X, q, 4, 0.0, rtol=1e-4, stop_at_violation=False, n_threads=k)
        for k in (1, 2)
    )
    assert (one.bound, one.n_boxes) == (two.bound, two.n_boxes)


def test_a_violation_ends_the_search() -> None:
    X = inputs("random", 2, 40, 35)
    q = dual_point(X, 3, 36)
    top = sup_power_boxes(X, q, 3, 0.0, rtol=1e-6, stop_at_violation=False)
    found = sup_power_boxes(X, q, 3, 0.5 * top.attained)
    assert found.attained > 0.5 * top.attained and not found.complete
    assert found.bound >= top.attained


@pytest.mark.parametrize("order", (2, 3, 4))
def test_defect_bounds_what_parity_misses(order: int) -> None:
    rng = np.random.default_rng(40)
    X = rng.normal(size=(20, 3))
    q = rng.normal(size=20)  # not in the null space at all
    planes = rng.normal(size=(2000, 4))
    planes[:, :3] /= np.linalg.norm(planes[:, :3], axis=1, keepdims=True)
    planes[:, 3] = rng.uniform(-1, 1, size=2000) * np.linalg.norm(X, axis=1).max()
    missed = eta(X, q, order, planes) - (-1.0) ** order * eta(X, q, order, -planes)
    bound = moment_defect(X, q, order)
    assert np.abs(missed).max() <= bound <= 200 * np.abs(missed).max()
    V = monomials(X, factors_of(all_exponents(3, order - 1)))
    q -= V @ np.linalg.lstsq(V, q, rcond=None)[0]
    assert moment_defect(X, q, order) < 1e-12


@pytest.mark.parametrize("order", ORDERS)
def test_margin_covers_the_error_of_values(order: int) -> None:
    from fractions import Fraction

    X = inputs("random", 1, 25, 50) * 100.0
    q = dual_point(X, order, 51)
    values, biases = line_maxima(X, q, order)
    margin = power_margin(X, q, order)
    p, divisor = order - 1, 2 if order == 3 else 6
    for value, bias in zip(values, biases, strict=True):
        exact = sum(
            Fraction(c) * max(Fraction(x) - Fraction(bias), Fraction(0)) ** p
            for c, x in zip(q, X[:, 0], strict=True)
        )
        assert abs(float(exact / divisor - Fraction(value))) <= margin
