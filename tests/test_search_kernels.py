"""The compiled search: sorting, circles, ascents, and how reliably maxima are found."""

from __future__ import annotations

import numpy as np
import pytest
from helpers import IDENTITY, ROUNDING, gaussian, junk_in, tied
from hypothesis import given, settings
from hypothesis import strategies as st

from radontv.problems import RadonTVProblem
from radontv.solvers import _circle_kernels as circles
from radontv.solvers import _hold_kernels as holding
from radontv.solvers import _search_kernels as kernels
from radontv.solvers.core import Core, Neurons
from radontv.solvers.pricing import Pricing
from radontv.solvers.proof import bound_sup


def assert_sorts(key: np.ndarray) -> None:
    order, values = np.arange(len(key)), key.copy()
    circles.shell_sort(values, order, len(key))
    assert sorted(order) == list(range(len(key)))
    np.testing.assert_array_equal(values, np.sort(key))
    np.testing.assert_array_equal(key[order], values)


@settings(max_examples=200, deadline=None, derandomize=True)
@given(st.lists(st.floats(0.0, 2.0), min_size=1, max_size=60))
def test_shell_sort_sorts(values: list[float]) -> None:
    assert_sorts(np.array(values))


def test_shell_sort_sorts_clusters_and_ties() -> None:
    rng = np.random.default_rng(0)
    for n in (1, 2, 50, 6000):
        for spread in (1.0, 1e-6, 1e-15, 0.0):
            assert_sorts(1.0 + spread * rng.uniform(-1.0, 1.0, n))
        assert_sorts(rng.integers(0, 3, size=n).astype(float))


def scratch(n: int) -> tuple[np.ndarray, ...]:
    """Return (work, order, slots, bins) as `ascend_all` makes them."""
    bins = np.zeros((7, circles.bin_count(n) + 1))
    circles.angle_grid(bins)
    return np.empty((5, n)), np.empty(n, np.int64), np.empty(n, np.int64), bins


def run_circle(q: np.ndarray, p: np.ndarray, r: np.ndarray, floor: float = 0.0) -> tuple:
    return circles.circle(q, p, r, 0.0, 0.0, circles.ONE_SIDE, *scratch(len(q)), floor)[:3]


def circle_values(q: np.ndarray, p: np.ndarray, r: np.ndarray, t: np.ndarray) -> np.ndarray:
    """Return |1/2 sum_i q_i |p_i cos t + r_i sin t||."""
    return np.abs(0.5 * np.abs(np.outer(np.cos(t), p) + np.outer(np.sin(t), r)) @ q)


@pytest.mark.parametrize("kind", ["general", "integers", "on the plane"])
def test_circles_reach_the_maximum_of_a_dense_grid(kind: str) -> None:
    rng = np.random.default_rng(0)
    grid = np.linspace(0.0, np.pi, 20001)
    for n in (1, 2, 5, 30, 400):
        for _ in range(20):
            q, p, r = rng.standard_normal((3, n))
            if kind == "integers":
                p, r = rng.integers(-2, 3, size=(2, n)).astype(float)
            elif kind == "on the plane":
                p[: n // 2] = 0.0
            value, cot, point = run_circle(q, p, r)
            dense = circle_values(q, p, r, grid).max()
            start = circle_values(q, p, r, np.zeros(1))[0]
            # Rotation by t = 0 itself is where the search stands: it need not be returned.
            assert max(value, start) >= dense * (1 - IDENTITY)
            if point > -2:
                t = np.arctan2(1.0, cot)
                exact = circle_values(q, p, r, np.array([t]))[0]
                assert value == pytest.approx(exact, rel=IDENTITY)
                # Slopes are at most sum |q| |(p, r)|: what the grid can miss.
                lipschitz = 0.5 * np.abs(q) @ np.hypot(p, r)
                assert value <= dense + lipschitz * grid[1]
                if point >= 0:
                    assert p[point] * cot + r[point] == pytest.approx(0.0, abs=1e-9)


def test_circles_return_nothing_below_the_floor() -> None:
    q, p, r = np.random.default_rng(0).standard_normal((3, 10))
    value = run_circle(q, p, r)[0]
    assert run_circle(q, p, r, value * (1 + 1e-9))[2] == -2
    assert run_circle(q, p, r, value * (1 - 1e-9))[0] == pytest.approx(value, rel=ROUNDING)


def test_best_bias_is_the_best_of_all_anchors() -> None:
    rng = np.random.default_rng(0)
    for d, n in ((1, 1), (1, 5), (2, 30), (4, 50), (3, 500)):
        X = rng.integers(-3, 4, size=(n, d)).astype(float)
        q = rng.standard_normal(n)
        q -= q.mean()
        w = rng.standard_normal(d)
        XT = np.ascontiguousarray(X.T)
        value, anchor = circles.best_bias(XT, q, w, np.empty(n), *scratch(n))
        t = X @ w
        values = np.abs([q @ np.maximum(t - b, 0.0) for b in t])
        assert value == pytest.approx(values.max(), rel=IDENTITY)
        assert values[anchor] == pytest.approx(values.max(), rel=IDENTITY)


def test_ascents_do_not_see_what_their_arrays_held_before() -> None:
    rng = np.random.default_rng(0)
    for d, n in ((2, 30), (3, 50), (6, 190)):
        X = rng.standard_normal((n, d))
        q, XT = rng.standard_normal(n), np.ascontiguousarray(X.T)
        for start in rng.standard_normal((40, d)):
            ends = []
            for junk in (0.0, 1.0):
                arrays, w = junk_in(holding.scratch(n, d), junk), start / np.linalg.norm(start)
                ends.append((*kernels.ascend(XT, q - q.mean(), w, 400, arrays), *w))
            assert ends[0] == ends[1]


def climb(core: Core, q: np.ndarray, starts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return (values, planes) of `ascend_all`."""
    starts = np.array(starts)
    keys = np.random.default_rng(0).integers(1, 2**63, size=core.n).astype(np.uint64)
    values, biases = np.empty(len(starts)), np.empty(len(starts))
    kernels.ascend_all(
        np.ascontiguousarray(core.X.T), q, starts, 400, keys, values, biases,
        np.empty(len(starts), dtype=np.uint64),
    )  # fmt: skip
    return values, np.column_stack([starts, biases])


PROBLEMS = {
    "d=1": gaussian(1, 30, 0.3),
    "d=2": gaussian(2, 40, 0.3),
    "d=4": gaussian(4, 60, 0.3),
    "d=8": gaussian(8, 60, 0.3),
    "grid": tied("grid", 60, 3, 0.3),
    "binary": tied("binary", 50, 3, 0.3),
}


@pytest.mark.parametrize("name", PROBLEMS)
def test_ascents_report_what_direct_summation_gives_and_never_descend(name: str) -> None:
    core = Core.of(PROBLEMS[name])
    q = core.evaluate(np.zeros(core.n), 0.0)[1]
    starts = np.random.default_rng(1).standard_normal((60, core.d))
    values, planes = climb(core, q, starts)
    np.testing.assert_allclose(np.linalg.norm(planes[:, :-1], axis=1), 1.0, rtol=ROUNDING)
    direct = np.abs(core.eta(q, planes))
    np.testing.assert_allclose(values, direct, rtol=1e-9)
    for start, value in zip(starts, values, strict=True):
        w = start / np.linalg.norm(start)
        t = core.X @ w
        before = max(abs(float(q @ np.maximum(t - b, 0.0))) for b in t)
        assert value >= before * (1 - IDENTITY)


@pytest.mark.parametrize("name", ["d=2", "d=4", "binary"])
def test_ends_of_ascents_are_local_maxima(name: str) -> None:
    core = Core.of(PROBLEMS[name])
    q = core.evaluate(np.zeros(core.n), 0.0)[1]
    rng = np.random.default_rng(2)
    values, planes = climb(core, q, rng.standard_normal((20, core.d)))
    for value, plane in zip(values, planes, strict=True):
        for size in (1e-7, 1e-5, 1e-3):
            near = plane + size * rng.standard_normal((200, core.d + 1))
            near /= np.linalg.norm(near[:, :-1], axis=1, keepdims=True)
            assert np.abs(core.eta(q, near)).max() <= value * (1 + IDENTITY)


def test_equal_signatures_are_equal_planes() -> None:
    core = Core.of(PROBLEMS["d=4"])
    q = core.evaluate(np.zeros(core.n), 0.0)[1]
    found = Pricing(core, n_jobs=1).search(q, Neurons.none(4), 200)
    assert (np.diff(found.values) <= IDENTITY * found.values[0]).all()
    side = np.where(found.planes[:, :1] < 0, -1.0, 1.0)
    rounded = np.round(side * found.planes, 8)
    assert len(np.unique(rounded, axis=0)) == len(rounded)
    np.testing.assert_allclose(np.abs(core.eta(q, found.planes)), found.values, rtol=ROUNDING)
    np.testing.assert_array_equal(np.sign(core.eta(q, found.planes)), found.signs)


def test_32_starts_find_the_maximum_on_integer_grids() -> None:
    missed = 0
    for seed in range(100):
        rng = np.random.default_rng(seed)
        grid = np.stack(np.meshgrid(np.arange(6.0), np.arange(6.0)), axis=-1).reshape(-1, 2)
        X = grid[rng.permutation(36)[:20]]
        core = Core.of(RadonTVProblem(X, rng.standard_normal(20), 1.0))
        q = core.evaluate(np.zeros(20), 0.0)[1]
        exact = bound_sup(core, q, np.inf).attained
        found = Pricing(core, n_jobs=1, random_state=seed).search(q, Neurons.none(2), 32).sup
        assert found <= exact * (1 + IDENTITY)
        missed += found < exact * (1 - 1e-9)
    assert missed <= 1


def test_search_does_not_depend_on_threads() -> None:
    core = Core.of(PROBLEMS["d=4"])
    q = core.evaluate(np.zeros(core.n), 0.0)[1]
    one, two = (Pricing(core, n_jobs=n).search(q, Neurons.none(4), 100) for n in (1, 2))
    np.testing.assert_array_equal(one.planes, two.planes)
    np.testing.assert_array_equal(one.values, two.values)
