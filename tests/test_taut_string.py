"""The taut string: least TV(f') through intervals on a line, against programs and enumeration."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import linprog

from radontv.problems import RadonTVProblem, Scope, losses
from radontv.problems.checks import Array
from radontv.solvers import solve, verify
from radontv.solvers.line import taut_string
from radontv.solvers.line.interpolation import interpolate_line
from radontv.solvers.line.taut_string import TautString, fit_tube_line


def intervals(seed: int, most: int = 25) -> tuple[Array, Array, Array]:
    """Return points and intervals of many kinds: even or not, wide, tight, empty inside, tied."""
    rng = np.random.default_rng(seed)
    n = int(rng.integers(1, most))
    x = np.arange(n) * 0.5 if seed % 3 == 0 else rng.normal(size=n)
    y = rng.choice([0.1, 1.0]) * rng.normal(size=n) + rng.choice([0.0, 3.0]) * np.sin(x)
    y = y + rng.choice([-1.0, 0.0, 1.0]) * x**2
    if seed % 5 == 0:
        y = np.round(2.0 * y) / 2.0
    radius = rng.choice([0.01, 0.25, 1.0]) * (rng.uniform(size=n) if seed % 2 else np.ones(n))
    return x, y - radius, y + radius


def least_variation(x: Array, low: Array, high: Array) -> float:
    """Return the least TV(f') by a linear program for the values at the points."""
    n = len(x)
    if n < 3:
        return 0.0
    order = np.argsort(x)
    h = np.diff(x[order])
    second = np.zeros((n - 2, n))
    for i in range(n - 2):
        second[i, i : i + 3] = 1.0 / h[i], -1.0 / h[i] - 1.0 / h[i + 1], 1.0 / h[i + 1]
    unit = np.eye(n - 2)
    bounds = [*zip(low[order], high[order], strict=True), *[(0.0, None)] * (n - 2)]
    found = linprog(
        np.append(np.zeros(n), np.ones(n - 2)),
        A_ub=np.block([[second, -unit], [-second, -unit]]),
        b_ub=np.zeros(2 * n - 4),
        bounds=bounds,
    )
    return float(found.fun)


def steepest_turns(x: Array, low: Array, high: Array) -> float:
    """Return the largest alternating sum of slopes that f' must exceed and stay below.

    Over chains of disjoint intervals [x_i, x_j] in order, in each a mean slope of at least
    (low_j - high_i) / (x_j - x_i), or at most (high_j - low_i) / (x_j - x_i), in turn; the first
    and the last count once, the others twice.
    """
    order = np.argsort(x)
    x, low, high = x[order], low[order], high[order]
    n = len(x)
    none = -np.inf
    # Best chain that ends at or before a point, its last slope counted twice, or once if first.
    after = {sign: np.full(n, none) for sign in (1, -1)}
    best = 0.0
    for j in range(n):
        for sign in (1, -1):
            if j:
                after[sign][j] = after[sign][j - 1]
            for i in range(j):
                rise = low[j] - high[i] if sign == 1 else high[j] - low[i]
                slope = sign * rise / (x[j] - x[i])
                before = after[-sign][i]
                best = max(best, before + slope)
                after[sign][j] = max(after[sign][j], slope, before + 2.0 * slope)
    return best


def check(string: TautString, x: Array, low: Array, high: Array) -> None:
    """Assert what makes a string optimal: feasible, and a dual point of the same value."""
    z = string.network()(x[:, None])
    size = 1.0 + np.abs(low).max() + string.rtv
    assert max((low - z).max(), (z - high).max()) <= 1e-11 * size
    assert string.network().rtv == pytest.approx(string.rtv)
    q = string.q_rows
    dual = np.maximum(q, 0.0) @ low - np.maximum(-q, 0.0) @ high
    assert dual == pytest.approx(string.rtv, rel=1e-9, abs=1e-11 * size)
    eta = np.maximum(x[:, None] - string.x, 0.0).T @ q
    assert np.allclose(eta, string.v, atol=1e-9 * (1.0 + np.abs(q).sum()))
    assert np.abs(string.v).max() <= 1.0
    assert 0.0 <= string.gap <= 1e-12 * size


@pytest.mark.parametrize("block", range(4))
def test_against_a_linear_program(block: int) -> None:
    for seed in range(50 * block, 50 * (block + 1)):
        x, low, high = intervals(seed)
        string = fit_tube_line(x, low, high)
        check(string, x, low, high)
        expected = least_variation(x, low, high)
        assert string.rtv == pytest.approx(expected, rel=1e-7, abs=1e-7), seed


def test_against_the_steepest_alternating_slopes() -> None:
    for seed in range(200):
        x, low, high = intervals(seed, most=15)
        string = fit_tube_line(x, low, high)
        expected = steepest_turns(x, low, high)
        assert string.rtv == pytest.approx(expected, rel=1e-9, abs=1e-12), seed


@pytest.mark.parametrize("seed", range(6))
def test_order_units_reflections_and_affine_functions(seed: int) -> None:
    x, low, high = intervals(seed + 5, most=40)
    expected = fit_tube_line(x, low, high).rtv
    order = np.random.default_rng(seed).permutation(len(x))
    assert fit_tube_line(x[order], low[order], high[order]).rtv == expected
    for other, factor in (
        ((-x, low, high), 1.0),
        ((x, -high, -low), 1.0),
        ((4.0 * x - 2.0, 8.0 * low, 8.0 * high), 2.0),
        ((x, low + 3.0 * x - 1.0, high + 3.0 * x - 1.0), 1.0),
    ):
        assert fit_tube_line(*other).rtv == pytest.approx(factor * expected, rel=1e-9, abs=1e-12)


def test_repeated_inputs_share_what_their_intervals_have_in_common() -> None:
    x, low, high = intervals(7, most=40)
    rng = np.random.default_rng(0)
    less = rng.uniform(0.0, 0.4, size=(2, len(x))) * (high - low)
    twice = fit_tube_line(
        np.tile(x, 2), np.append(low + less[0], low), np.append(high, high - less[1])
    )
    once = fit_tube_line(x, low + less[0], high - less[1])
    assert twice.rtv == once.rtv
    q = twice.q_rows.reshape(2, -1)
    assert np.array_equal(q.sum(axis=0), once.q_rows)
    # Lower ends bind in the first copy, upper ones in the second.
    assert (q[0] >= 0.0).all() and (q[1] <= 0.0).all()


def test_intervals_of_no_width_are_interpolated() -> None:
    x, y = np.random.default_rng(1).normal(size=(2, 40))
    assert fit_tube_line(x, y, y).rtv == pytest.approx(interpolate_line(x, y).rtv, rel=1e-12)


def test_a_line_through_all_intervals_has_no_kink() -> None:
    x = np.linspace(-1.0, 1.0, 50)
    string = fit_tube_line(x, 2.0 * x - 0.1, 2.0 * x + 0.1 + x**2)
    assert string.rtv == 0.0 and len(string.contacts) == 0
    check(string, x, 2.0 * x - 0.1, 2.0 * x + 0.1 + x**2)


def test_overlapping_lines_are_rounding_and_do_no_harm(monkeypatch: pytest.MonkeyPatch) -> None:
    pinned = []
    original = taut_string.tight_string

    def watched(x: Array, low: Array, high: Array, first: int, last: int, *out: Array) -> int:
        pinned.append(first == 0 and last == len(x) - 1)
        return int(original(x, low, high, first, last, *out))

    monkeypatch.setattr(taut_string, "tight_string", watched)
    for seed in range(4000):
        rng = np.random.default_rng(seed)
        x = np.arange(rng.integers(3, 12)) / 7.0
        unit = 2.0**-52 * rng.choice([1, 4, 8, 16, 32, 64])
        y = 1.0 + rng.integers(-1, 2) * x + unit * rng.integers(-3, 4, size=len(x))
        radius = unit * rng.choice([0.0, 0.5, 1.0])
        string = fit_tube_line(x, y - radius, y + radius)
        z = string.network()(x[:, None])
        assert np.abs(z - y).max() <= radius + 1e-14
        assert np.abs(string.v).max() <= 1.0 and string.gap >= 0.0
    assert any(pinned)


def test_intervals_without_a_common_point_are_refused() -> None:
    with pytest.raises(ValueError, match=r"at x = 1 have no common point: low = 3 is above high"):
        fit_tube_line(np.array([0.0, 1.0, 1.0]), np.array([0.0, 1.0, 3.0]), np.array([1.0, 2, 4]))


@pytest.mark.parametrize("radius", [1e-3, 0.1, 0.6])
def test_solve_uses_it_in_any_line_of_space(radius: float) -> None:
    rng = np.random.default_rng(3)
    t = np.append(rng.normal(size=80), [0.5, 0.5])
    y = np.append(np.sin(2.0 * t[:-2]) + 0.3 * rng.normal(size=80), [0.3, 0.3 + radius])
    X = t[:, None] * np.array([3.0, -4.0]) + 1.0
    problem = RadonTVProblem(X, y, 0.7, loss=losses.TubeLoss(radius))
    solution = solve(problem, tol=1e-8)
    assert solution.status.solved and solution.certificate.scope is Scope.GLOBAL
    low, high = y - radius, y + radius
    expected = 0.7 * fit_tube_line(5.0 * t, low, high).rtv
    assert solution.certificate.primal == pytest.approx(expected, rel=1e-8)
    assert np.abs(solution.network(X) - y).max() <= radius + 1e-9
    assert verify(solution.certificate, problem).valid


def test_ten_thousand_rows_to_the_last_digits() -> None:
    x = np.linspace(-3.0, 3.0, 10_000)[:, None]
    y = np.sin(2.0 * x[:, 0]) + 0.2 * np.random.default_rng(0).uniform(-1.0, 1.0, 10_000)
    solution = solve(RadonTVProblem(x, y, 1.0, loss=losses.TubeLoss(0.25)), tol=1e-10)
    assert solution.status.solved
    assert solution.certificate.relative_gap <= 1e-10
