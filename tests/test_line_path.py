"""Networks for given values, all solutions, and the regularisation path in one dimension."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from scipy.optimize import linprog

from radontv.problems.losses import get_loss
from radontv.solvers.line._kernels import solve_knots, sum_elements
from radontv.solvers.line._path_kernels import alpha_range
from radontv.solvers.line.knots import knots_of, significant, solution_set, sparsest
from radontv.solvers.line.path import line_path
from radontv.solvers.line.spline_fit import alpha_max_line, solve_line

SQUARED = get_loss("squared")


def random_slopes(rng, n):
    """Data with small integer slopes, hence many runs and many collinear points."""
    x = np.cumsum(rng.integers(1, 4, n)).astype(float)
    slopes = np.cumsum(rng.integers(-1, 2, n - 1))
    return x, np.concatenate([[0.0], np.cumsum(slopes * np.diff(x))])


def fewest_kinks(x, z):
    """K_min by brute force: the least number of kinks of any function of least TV(f').

    Feasibility of k kinks at unknown places: a kink per chosen interval [x_i, x_{i+1}], with its
    moments (amplitude, amplitude times place) as the unknowns of a linear program.
    """
    n = len(x)
    kinks = np.diff(np.diff(z) / np.diff(x))
    least = np.abs(kinks).sum()
    for k in range(n - 1):
        for places in itertools.combinations(range(n - 1), k):
            for signs in itertools.product([1.0, -1.0], repeat=k):
                # Unknowns c0, c, then a_j >= 0 and m_j = a_j (t_j - x_p), 0 <= m_j <= a_j h.
                rows = np.zeros((n, 2 + 2 * k))
                rows[:, 0], rows[:, 1] = 1.0, x - x[0]
                bound = np.zeros((k, 2 + 2 * k))
                for j, (p, g) in enumerate(zip(places, signs, strict=True)):
                    right = np.arange(n) > p
                    rows[right, 2 + j] = g * (x[right] - x[p])
                    rows[right, 2 + k + j] = -g
                    bound[j, 2 + j], bound[j, 2 + k + j] = -(x[p + 1] - x[p]), 1.0
                cost = np.concatenate([[0, 0], np.ones(k), np.zeros(k)])
                limits = [(None, None)] * 2 + [(0, None)] * (2 * k)
                found = linprog(
                    cost, bound if k else None, np.zeros(k) if k else None, rows, z, limits
                )
                if found.status == 0 and found.fun <= least + 1e-7:
                    return k
    raise AssertionError("connecting the dots was not found")


def test_collinear_point_splits_a_run():
    x = np.arange(7.0)
    z = np.concatenate([[0.0], np.cumsum([0.0, 1, 2, 2, 3, 4])])
    f = sparsest(x, z)
    assert f.biases.tolist() == [1.5, 4.5] and f.amplitudes.tolist() == [2.0, 2.0]
    assert f.rtv == 4.0
    assert knots_of(x, z).n_neurons == 4
    assert solution_set(x, z).fewest_kinks == 2


def test_sparsest_against_brute_force():
    rng = np.random.default_rng(0)
    for _ in range(12):
        x, z = random_slopes(rng, 6)
        assert sparsest(x, z).n_neurons == fewest_kinks(x, z)


def test_networks_meet_the_points_with_least_variation():
    rng = np.random.default_rng(1)
    for n in (1, 2, 3, 10, 60):
        for _ in range(20):
            x, z = random_slopes(rng, n)
            kinks = np.diff(np.diff(z) / np.diff(x))
            for f in (knots_of(x, z), sparsest(x, z)):
                assert np.allclose(f(x[:, None]), z, atol=1e-10)
                assert f.rtv == pytest.approx(np.abs(kinks).sum(), abs=1e-10)
                assert (np.abs(f.weights) == 1.0).all()
            assert knots_of(x, z).n_neurons == np.count_nonzero(np.abs(kinks) > 1e-12)
            every = solution_set(x, z)
            assert sparsest(x, z).n_neurons == every.fewest_kinks
            assert every.unique == (not ((kinks[1:] * kinks[:-1]) > 0).any())


@pytest.mark.parametrize("unit, offset", [(1.0, 0.0), (1e-12, 0.0), (1e9, 0.0), (1.0, 1e5)])
def test_rounding_level_kinks_count_as_zero_in_all_units(unit, offset):
    t = np.arange(50) / 10
    z = 0.1 * t + 0.3 * np.maximum(t - 2.0, 0.0) + 0.7
    x = unit * t + offset
    if offset:
        z = 0.1 * x + 0.3 * np.maximum(x - x[20], 0.0)
    for scale in (1.0, 1e-20, 1e30):
        assert significant(x, scale * z, 8.0).tolist() == [0, 20, 49]
        assert sparsest(x, scale * z).n_neurons == 1


def test_bends_that_chords_do_not_have_are_no_neurons():
    # The point 0 bends against its near neighbours, not against the chords over the far ones.
    x = np.array([-1000.0, -1.0, 0.0, 1.0, 1000.0])
    z = x + np.array([0.0, 1.0, 0.0, 1.0, 0.0]) * 100 * np.finfo(float).eps
    assert significant(x, z, 8.0).tolist() == [0, 2, 4]
    assert sparsest(x, z).n_neurons == knots_of(x, z).n_neurons == 0
    assert solution_set(x, z).fewest_kinks == 0


def test_many_tiny_kinks_are_a_curve():
    """Each kink alone is near rounding; together they are not."""
    x = np.arange(20001) / 20000
    z = 1.0 + 1e-9 * x**2
    f = knots_of(x, z)
    assert np.abs(f(x[:, None]) - z).max() <= 1e-14
    assert 1 < f.n_neurons < 2000


def test_solution_set_bounds_are_attained_and_hold():
    rng = np.random.default_rng(2)
    for _ in range(30):
        x, z = random_slopes(rng, 9)
        every = solution_set(x, z)
        low, high = every.bounds(x)
        assert np.allclose(low, z, atol=1e-12) and np.allclose(high, z, atol=1e-12)
        t = np.sort(rng.uniform(x[0] - 1, x[-1] + 1, 200))
        low, high = every.bounds(t)
        for f in (knots_of(x, z), sparsest(x, z)):
            value = f(t[:, None])
            assert (value >= low - 1e-9).all() and (value <= high + 1e-9).all()
        # A point put on either bound keeps TV(f') least; beyond it does not.
        least = every.rtv
        for i in rng.choice(200, 20):
            if not x[0] < t[i] < x[-1] or np.abs(x - t[i]).min() < 1e-3:
                continue
            for value, inside in (
                (low[i], True), (high[i], True), (low[i] - 0.01, False), (high[i] + 0.01, False)
            ):  # fmt: skip
                order = np.argsort(np.append(x, t[i]))
                xs, zs = np.append(x, t[i])[order], np.append(z, value)[order]
                rtv = np.abs(np.diff(np.diff(zs) / np.diff(xs))).sum()
                assert (rtv <= least + 1e-8) == inside


def test_linear_intervals():
    x = np.arange(8.0)
    z = np.concatenate([[0.0], np.cumsum([0.0, 1, 2, 2, 1, 1, 1])])
    every = solution_set(x, z)
    assert every.free.tolist() == [False, True, False, False, False, False, False]
    assert every.linear_intervals.tolist() == [[-np.inf, 1], [2, 4], [4, np.inf]] or (
        every.linear_intervals.tolist() == [[-np.inf, 1], [2, 4], [4, 5], [5, np.inf]]
    )
    assert [(run.first, run.last, run.sign) for run in every.runs][:1] == [(1, 2, 1)]
    t = np.array([1.5])
    assert [float(b[0]) for b in every.bounds(t)] == [0.0, 0.5]
    assert solution_set(np.array([1.0]), np.array([2.0])).bounds(t)[0] == [2.0]


def test_unordered_points_are_refused():
    with pytest.raises(ValueError, match="not ascending and distinct"):
        knots_of(np.array([0.0, 0.0]), np.zeros(2))
    with pytest.raises(ValueError, match="one value per point"):
        sparsest(np.arange(3.0), np.zeros(2))


PATHS = ["random", "grid", "alternating", "symmetric", "repeats", "weights", "logarithmic"]


def path_data(kind, n, rng):
    x = np.arange(n) * 1.0
    s = np.full(n, 1 / n)
    y = rng.standard_normal(n)
    if kind == "random":
        x = rng.random(n)
    if kind == "alternating":
        y = (-1.0) ** np.arange(n)
    if kind == "symmetric":
        y = np.abs(x - (n - 1) / 2) % 3
    if kind == "repeats":
        x = np.round(rng.random(n), 1)
    if kind == "weights":
        s = 10.0 ** (-5 * rng.random(n))
    if kind == "logarithmic":
        x = 10.0 ** (-6 * rng.random(n))
    return x, y, s / s.sum()


@pytest.mark.parametrize("kind", PATHS)
@pytest.mark.parametrize("n", [4, 60])
def test_path_agrees_with_solver(kind, n):
    rng = np.random.default_rng(3)
    x, y, s = path_data(kind, n, rng)
    path = line_path(x, y, s)
    top = alpha_max_line(x, y, s)
    assert path.complete and path.alphas[-1] == 0.0
    assert path.alpha_max == pytest.approx(top, rel=1e-12, abs=1e-18)
    assert (np.diff(path.alphas) < 0.0).all()
    assert len(path.pieces) == len(path.entered) == len(path.left) == len(path.alphas) - 1
    for alpha in top * 10.0 ** np.append(0.1, -5 * rng.random(15)):
        if alpha == 0.0:
            continue
        fit = path.at(alpha)
        other = solve_line(x, y, s, alpha, SQUARED)
        assert fit.relative_gap <= 1e-9
        assert fit.primal == pytest.approx(other.primal, rel=1e-10)
    # Pieces join: both sides of a breakpoint give one fit.
    for alpha in path.alphas[1:-1]:
        above, below = path.at(alpha * (1 + 1e-9)), path.at(alpha * (1 - 1e-9))
        assert np.abs(above.z - below.z).max() <= 1e-6 * np.abs(y).max()


def test_path_of_near_duplicates_with_tiny_weights():
    # Rounding moves ranges of pieces: their ends must descend all the same.
    x = np.array([0.065138093882, 0.065138093887, 0.6217260712857, 0.6217260713139])
    x = np.append(x, [0.9967788784549, 0.9967788784605, 1.2789683472430, 1.2789683472458])
    y = np.array([1.0, 0.0, 0.0, 0.0, 1.0, 1.0, 2.0, 2.0])
    s = np.array([1.0, 1.0, 1e-8, 2.0, 2.0, 1e-8, 1e-8, 1.0])
    path = line_path(x, y, s / s.sum())
    assert path.complete and (np.diff(path.alphas) < 0.0).all()
    for alpha in path.alpha_max * np.array([1e-6, 1e-3, 0.1, 0.5]):
        assert path.at(alpha).gap <= 1e-12


def test_path_of_three_points():
    path = line_path(np.array([0.0, 1.0, 2.0]), np.array([0.0, 1.0, 0.0]), np.full(3, 1 / 3))
    assert path.alphas == pytest.approx([1 / 9, 0.0])
    assert [e.tolist() for e in path.entered] == [[1]]
    assert path.at(0.05).rtv == pytest.approx(2 - 18 * 0.05)
    assert path.at(1.0).rtv == 0.0
    with pytest.raises(ValueError, match="not on this path"):
        path.at(0.0)


def test_path_ends_where_asked():
    rng = np.random.default_rng(4)
    x, y, s = path_data("random", 40, rng)
    whole = line_path(x, y, s)
    part = line_path(x, y, s, alpha_min=0.01 * whole.alpha_max)
    assert part.complete and part.alphas[-1] == 0.01 * whole.alpha_max
    m = len(part.alphas) - 1
    assert np.allclose(part.alphas[:m], whole.alphas[:m], rtol=1e-12)
    short = line_path(x, y, s, max_breaks=3)
    assert not short.complete and len(short.pieces) >= 3
    with pytest.raises(ValueError, match="not on this path"):
        short.at(short.alphas[-1] / 2)
    with pytest.raises(ValueError, match="alpha_min must be finite"):
        line_path(x, y, s, alpha_min=-1.0)
    for same in (np.full(40, 1.0), np.where(x > 0.5, 1.0, 0.0)):
        flat = line_path(same, y, s)
        assert flat.alphas.tolist() == [0.0] or flat.alpha_max <= 1e-15
    near = line_path(x, 2.0 + 3.0 * x, s)
    assert near.alpha_max <= 1e-15 and len(near.pieces) == 0


def test_range_of_a_piece_by_scanning_alpha():
    rng = np.random.default_rng(5)
    x, y, s = path_data("random", 30, rng)
    x, y = np.sort(x), y[np.argsort(x)]
    path = line_path(x, y, s)
    for piece in path.pieces[1:12]:
        elements = sum_elements(x, s, s * y, piece.at)
        fixed = solve_knots(x, piece.at, 0 * piece.signs, elements, 0.0)
        full = solve_knots(x, piece.at, piece.signs, elements, 1.0)
        rate = (fixed[0] - full[0], fixed[1] - full[1])
        low, high = alpha_range(x, s, s * y, piece.at, piece.signs, fixed, rate)
        width = high - low
        assert width > 0

        def optimal(alpha, piece=piece, elements=elements):
            u, kinks = solve_knots(x, piece.at, piece.signs, elements, alpha)
            q = s * (y - np.interp(x, x[piece.at], u))
            v = np.array([q @ np.maximum(x - t, 0) for t in x])
            return np.abs(v).max() <= alpha * (1 + 1e-11) and (kinks * piece.signs >= -1e-11).all()

        assert optimal(low + 0.01 * width) and optimal(high - 0.01 * width)
        assert not optimal(low - 0.05 * width) and not optimal(high + 0.05 * width)
