"""The finite dictionary of |w|_1, the search in it, and bounds of sup |eta| over it."""

from __future__ import annotations

import signal
from fractions import Fraction
from itertools import combinations, product
from math import comb
from typing import Any

import numpy as np
import pytest
from helpers import ROUNDING, tied_inputs
from scipy.optimize import linprog

from radontv.problems import RadonTVProblem
from radontv.solvers import proof_state
from radontv.solvers.core import Core, Neurons
from radontv.solvers.l1 import boxes as l1_boxes
from radontv.solvers.l1._ascent_kernels import ascend_all
from radontv.solvers.l1._box_kernels import best_slope, bound_box
from radontv.solvers.l1._kernels import sweep
from radontv.solvers.l1.boxes import bound_boxes
from radontv.solvers.l1.dictionary import constraints, count_vertices, distinct_planes, vertices
from radontv.solvers.l1.proof import (
    axis_planes,
    cheap_bound,
    l1_margin,
    sup_eta_l1,
)
from radontv.solvers.l1.scan import point_bounds, scan_tasks, scan_vertices
from radontv.solvers.merging import merge_cells, merge_planes

KINDS = ("random", "grid", "collinear", "flat", "cluster", "tiny feature", "huge feature")


def inputs(kind: str, n: int, d: int, seed: int = 0) -> np.ndarray:
    """Return X with ties, near ties or features of very different size."""
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, d))
    if kind in ("grid", "collinear", "flat"):
        return np.unique(tied_inputs(kind, n, d, seed), axis=0)
    if kind == "cluster":
        return X[np.arange(n) % max(n // 3, 1)] + 10.0 ** -rng.integers(3, 13, size=(n, 1)) * X
    if kind == "tiny feature":
        X[:, -1] *= 1e-9
    if kind == "huge feature":
        X[:, 0] = 1e7 * X[:, 0] + 3e8
    return X


def dual(X: np.ndarray, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Return reduced inputs and a random dual point of them."""
    y = np.random.default_rng(seed).standard_normal(len(X))
    made = RadonTVProblem(X, y, 1.0, cost="l1_norm")
    q = made.reduction.reduce_dual(made.dual_point(made.affine_fit()))
    return made.reduction.X, q


def cell_sup(X: np.ndarray, q: np.ndarray) -> float:
    """Return sup |eta| over |w|_1 <= 1 by one linear program per pattern of signs and orthant."""
    n, d = X.shape
    rows = np.column_stack([X, -np.ones(n)])
    best = 0.0
    for pattern in product((0.0, 1.0), repeat=n - 1):
        above = np.append(pattern, 1.0)  # (w, b) and (-w, -b) are one neuron
        faces = -(2.0 * above - 1.0)[:, None] * rows
        gradient = (above * q) @ rows
        for orthant in product((-1.0, 1.0), repeat=d):
            price = np.append(orthant, 0.0)[None]
            signs = np.column_stack([-np.diag(orthant), np.zeros(d)])
            for sigma in (-1.0, 1.0):
                found = linprog(
                    sigma * gradient,
                    A_ub=np.vstack([faces, signs, price]),
                    b_ub=np.append(np.zeros(n + d), 1.0),
                    bounds=[(None, None)] * (d + 1),
                )
                # Unbounded in b only where the sum of q above does not vanish, which it does.
                best = max(best, -found.fun if found.status == 0 else 0.0)
    return best


def exact_sup(X: np.ndarray, q: np.ndarray) -> Fraction:
    """Return max |eta| over all vertices, in rational arithmetic."""
    n, d = X.shape
    rows = [[Fraction(float(v)) for v in row] for row in X]
    mass = [Fraction(float(v)) for v in q]
    best = Fraction(0)
    for k in range(1, min(n, d) + 1):
        for support in combinations(range(d), k):
            for points in combinations(range(n), k):
                first = rows[points[0]]
                w = null_vector([[rows[i][c] - first[c] for c in support] for i in points[1:]], k)
                if w is None:
                    continue
                values = [sum(u * row[c] for u, c in zip(w, support, strict=True)) for row in rows]
                bias = values[points[0]]
                eta = sum(m * max(v - bias, Fraction(0)) for m, v in zip(mass, values, strict=True))
                best = max(best, abs(eta) / sum(abs(u) for u in w))
    return best


def null_vector(rows: list[list[Fraction]], size: int) -> list[Fraction] | None:
    """Return the vector that spans the null space of size - 1 rows, None if they are dependent."""
    rows, pivots = [row[:] for row in rows], []
    for c in range(size):
        here = len(pivots)
        top = next((r for r in range(here, len(rows)) if rows[r][c] != 0), None)
        if top is None:
            continue
        rows[here], rows[top] = rows[top], rows[here]
        rows[here] = [v / rows[here][c] for v in rows[here]]
        for r in range(len(rows)):
            if r != here and rows[r][c] != 0:
                rows[r] = [a - rows[r][c] * b for a, b in zip(rows[r], rows[here], strict=True)]
        pivots.append(c)
    if len(pivots) < size - 1:
        return None
    free = next(c for c in range(size) if c not in pivots)
    w = [Fraction(0)] * size
    w[free] = Fraction(1)
    for r, c in enumerate(pivots):
        w[c] = -rows[r][free]
    return w


def eta(X: np.ndarray, q: np.ndarray, planes: np.ndarray) -> np.ndarray:
    """Return |eta| at planes (w, b)."""
    d = X.shape[1]
    return np.abs(q @ np.maximum(X @ planes[:, :d].T - planes[:, d], 0.0))


def all_vertices(X: np.ndarray) -> np.ndarray:
    return np.concatenate(list(vertices(X)))


# The dictionary.


@pytest.mark.parametrize(("n", "d"), [(10, 2), (8, 3), (6, 4), (3, 5)])
def test_number_of_vertices_in_general_position(n: int, d: int) -> None:
    X = np.random.default_rng(n).standard_normal((n, d))
    assert len(all_vertices(X)) == count_vertices(n, d) == comb(n + d, d) - 1


@pytest.mark.parametrize(("kind", "n", "d"), [("random", 5, 2), ("grid", 6, 2), ("random", 5, 3)])
def test_vertices_are_all_that_is_needed(kind: str, n: int, d: int) -> None:
    X, q = dual(inputs(kind, n, d, 1))
    sup = cell_sup(X, q)
    planes = all_vertices(X)
    assert np.allclose(np.abs(planes[:, :d]).sum(axis=1), 1.0)
    assert eta(X, q, planes).max() == pytest.approx(sup, rel=1e-7)
    W = np.random.default_rng(0).dirichlet(np.full(d, 0.5), size=20_000)
    W *= np.random.default_rng(1).choice([-1.0, 1.0], size=W.shape)
    assert max(eta(X, q, np.column_stack([W, W @ x])).max() for x in X) <= sup * (1 + 1e-7)


def test_sweep_agrees_with_all_crossings() -> None:
    rng = np.random.default_rng(0)
    for m in 20 * (5, 8, 40):
        weights, prices = rng.standard_normal(m), np.zeros(m)
        weights[-2:], prices[-2:] = 0.0, 1.0
        p, r = rng.standard_normal((2, m))
        p[0] = r[1] = 0.0  # crossings at both axes
        p[2], r[2] = 0.0, 0.0  # does not count
        value, c, s, point = sweep(weights, prices, p, r, np.empty(m), np.empty(m, dtype=np.int64))
        t = np.arctan2(p, -r)
        u = np.abs(np.outer(p, np.cos(t)) + np.outer(r, np.sin(t)))[:, np.hypot(p, r) > 0]
        expected = np.abs(weights @ u) / (prices @ u)
        assert value == pytest.approx(expected.max(), rel=1e-12)
        assert abs(p[point] * c + r[point] * s) < 1e-12


@pytest.mark.parametrize("kind", KINDS)
def test_ascent_ends_at_vertices_and_finds_the_sup(kind: str) -> None:
    X, q = dual(inputs(kind, 9, 3, 2))
    d = X.shape[1]
    rows, weights, prices = constraints(X, q)
    planes = np.random.default_rng(3).standard_normal((200, d + 1))
    values = np.empty(len(planes))
    ascend_all(rows, weights, prices, planes, 100, values)
    margin = l1_margin(X, q)
    assert np.abs(values - eta(X, q, planes)).max() <= margin
    vanish = np.abs(planes @ rows.T) <= 1e-9
    assert all(np.linalg.matrix_rank(rows[v], tol=1e-11) >= d for v in vanish)
    assert values.max() >= eta(X, q, all_vertices(X)).max() * (1 - 1e-7)


def test_no_neighbour_of_the_end_of_an_ascent_is_better() -> None:
    X, q = dual(np.random.default_rng(7).standard_normal((12, 3)))
    rows, weights, prices = constraints(X, q)
    dictionary = all_vertices(X)
    on = np.abs(dictionary @ rows.T) <= 1e-9
    everywhere = eta(X, q, dictionary)
    planes, values = dictionary.copy(), np.empty(len(dictionary))
    ascend_all(rows, weights, prices, planes, 100, values)
    assert (values >= everywhere * (1 - 1e-9)).all()
    assert len(np.unique(np.round(values, 9))) < 20
    for plane, value in zip(planes, values, strict=True):
        here = np.abs(rows @ plane) <= 1e-9
        near = (on & here).sum(axis=1) >= 2
        assert near.sum() > 3
        assert everywhere[near].max() <= value * (1 + 1e-9)


def test_neurons_of_one_cell_are_not_mixed() -> None:
    X = np.array([[1.0, 1.0], [-1.0, -1.0], [2.0, 1.5], [-1.5, -2.0], [0.5, 3.0], [-3.0, -0.5]])
    core = Core.of(RadonTVProblem(X, np.arange(6.0) ** 2, 0.1, cost="l1_norm"))
    two = Neurons(np.ones(2), np.ones(2), np.array([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]]))
    assert len(merge_cells(core, two)) == 2
    plain = Core.of(RadonTVProblem(X, np.arange(6.0) ** 2, 0.1))
    assert len(merge_cells(plain, two)) == 1


def test_equal_planes_are_found_whatever_their_sign() -> None:
    rng = np.random.default_rng(0)
    planes = rng.standard_normal((5, 4))
    planes[:, :3] /= np.abs(planes[:, :3]).sum(axis=1, keepdims=True)
    double = np.concatenate([planes, -planes * (1 + 1e-13), planes])
    values = np.tile(np.arange(5.0, 0.0, -1.0), 3)
    assert sorted(distinct_planes(values, double) % 5) == [0, 1, 2, 3, 4]
    merged = merge_planes(Neurons(np.tile([1.0, -1.0, 1.0, 1.0, 1.0], 3), values, double))
    assert len(merged) == 5
    assert sorted(merged.amplitude) == [3.0, 6.0, 9.0, 12.0, 15.0]
    assert (merged.sign < 0).sum() == 1


# Bounds.


@pytest.mark.parametrize("d", [1, 2, 3, 4])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_bounds_hold_against_exact_vertices(kind: str, d: int, seed: int) -> None:
    if kind == "flat" and d == 1:
        return
    X, q = dual(inputs(kind, 7, d, seed), seed + 5)
    if not np.any(q):
        return
    sup, margin = float(exact_sup(X, q)), l1_margin(X, q)
    limit = 0.5 if kind == "cluster" else 10.0
    scan = scan_vertices(X, q, 1)
    assert max(scan.bound, eta(X, q, axis_planes(X)).max()) + margin >= sup
    loose = sup_eta_l1(X, q, 1.5 * sup, time_limit=limit)
    tight = sup_eta_l1(X, q, 0.0, stop_at_violation=False, time_limit=limit)
    boxes = bound_boxes(X, q, sup * 1.001, margin, known=[], time_limit=limit)
    for found in (loose, tight, boxes):
        assert found.bound >= sup
        assert found.attained <= sup * (1 + ROUNDING) + margin
        assert np.abs(found.weight).sum() == pytest.approx(1.0)
    # In clusters sup |eta| may be 1e-9 of what cancels; boxes and four points then are not enough.
    if kind != "cluster" or d < 4:
        assert tight.bound <= sup * (1 + 2e-7) + 6.0 * margin + 1e-11 * cheap_bound(X, q)
    if kind != "cluster":
        assert boxes.complete
        assert boxes.bound <= max(sup * 1.001, margin) + 3.0 * margin


@pytest.mark.parametrize("kind", ["random", "grid", "cluster", "flat"])
def test_scan_of_one_sign_meets_the_maximum(kind: str) -> None:
    for seed in range(6):
        X, q = dual(inputs(kind, 12, 3, seed), seed)
        scan = scan_vertices(X, q, 1)
        found = max(eta(X, q, scan.planes).max(), eta(X, q, axis_planes(X)).max())
        assert found == pytest.approx(eta(X, q, all_vertices(X)).max(), rel=1e-9)
        assert scan.complete and scan.pencils > 0


class EndedAt:
    """Asked before every group of pencils: ends a scan at one of them, by True or by Ctrl-C."""

    def __init__(self, last: int, how: str) -> None:
        self.last, self.how, self.calls = last, how, 0

    def __call__(self) -> bool:
        self.calls += 1
        if self.calls == self.last and self.how == "signal":
            signal.raise_signal(signal.SIGINT)
        return self.how == "true" and self.calls >= self.last


@pytest.mark.parametrize("how", ["true", "signal"])
@pytest.mark.parametrize("kind", ["random", "grid", "cluster", "tiny feature", "huge feature"])
def test_a_scan_that_is_ended_bounds_what_it_has_not_visited(kind: str, how: str) -> None:
    X, q = dual(inputs(kind, 9, 3, 1), 2)
    sup, margin = float(exact_sup(X, q)), l1_margin(X, q)
    axes = float(eta(X, q, axis_planes(X)).max())
    tasks, bounds = scan_tasks(q, 3), []
    known = point_bounds(X, q)[[members[first] for _, members, first in tasks]]
    for last in range(1, len(tasks) + 1):
        scan = scan_vertices(X, q, 1, should_stop=EndedAt(last, how))
        assert scan.bound >= known[last - 1 :].max()
        assert not scan.complete and scan.interrupted == (how == "signal")
        assert max(scan.bound, axes) + margin >= sup
        bounds.append(scan.bound)
    assert bounds[0] <= 0.5 * cheap_bound(X, q) * (1 + ROUNDING)
    assert bounds == sorted(bounds, reverse=True)
    whole = scan_vertices(X, q, 1)
    assert whole.complete and not whole.interrupted and whole.bound <= bounds[-1]


@pytest.mark.parametrize("kind", ["random", "grid", "huge feature"])
def test_bounds_of_points_hold_at_all_planes_through_them(kind: str) -> None:
    X, q = dual(inputs(kind, 8, 3, 3), 4)
    bounds, planes = point_bounds(X, q), all_vertices(X)
    values = q @ np.maximum(X @ planes[:, :-1].T - planes[:, -1], 0.0)
    for x, own, bound in zip(X, q, bounds, strict=True):
        through = np.abs(planes[:, :-1] @ x - planes[:, -1]) <= 1e-9 * np.abs(planes).max(axis=1)
        assert through.any()
        assert (-np.sign(own) * values[through]).max() <= bound + l1_margin(X, q)
    hat = np.array([[-1.0], [0.0], [1.0]])
    assert (point_bounds(hat, np.array([1.0, -2.0, 1.0])) == 1.0).all()  # |eta| = 1 at 0


def test_an_ended_scan_is_no_proof_and_tells_its_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(proof_state, "REPORT_SECONDS", 0.0)
    X, q = dual(np.random.default_rng(0).standard_normal((30, 2)))
    sup = eta(X, q, all_vertices(X)).max()
    told: list[float] = []
    done = sup_eta_l1(X, q, np.inf, watch=lambda state: told.append(state.bound))
    assert done.complete and min(told) >= sup and np.isfinite(told).all()
    for how in ("true", "signal"):
        # The first question comes before the scan.
        found = sup_eta_l1(X, q, np.inf, should_stop=EndedAt(9, how))
        assert not found.complete and found.interrupted == (how == "signal")
        assert sup <= found.bound < 0.5 * cheap_bound(X, q)


def test_violations_are_handed_back_and_unfinished_proofs_hold() -> None:
    X, q = dual(np.random.default_rng(0).standard_normal((40, 4)))
    sup = eta(X, q, all_vertices(X)).max()
    for options in ({}, {"scan_seconds": 0.0}):
        found = sup_eta_l1(X, q, 0.9 * sup, **options)  # type: ignore[arg-type]
        assert found.attained > 0.9 * sup
        planes = np.column_stack([found.witnesses_weights, found.witnesses_biases])
        assert (eta(X, q, planes) > 0.9 * sup).all()
        assert np.allclose(np.abs(planes[:, :4]).sum(axis=1), 1.0)
        assert found.attained <= sup * (1 + 1e-12)
    early = sup_eta_l1(X, q, 1.001 * sup, time_limit=1e-9, scan_seconds=0.0)
    assert early.bound >= sup and not early.complete
    stopped = sup_eta_l1(X, q, 1.001 * sup, should_stop=lambda: True)
    assert stopped.bound >= sup and not stopped.complete
    for threads in (1, 2):
        done = sup_eta_l1(X, q, 1.001 * sup, n_jobs=threads, scan_seconds=0.0)
        assert done.complete and done.bound <= 1.001 * sup * (1 + 1e-9)


def test_an_interrupt_keeps_every_box(monkeypatch: pytest.MonkeyPatch) -> None:
    X, q = dual(np.random.default_rng(0).standard_normal((12, 3)))
    sup = eta(X, q, all_vertices(X)).max()
    split, calls, last = l1_boxes._split, 0, 0

    def press(*arguments: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == last:
            raise KeyboardInterrupt
        return split(*arguments)

    monkeypatch.setattr(l1_boxes, "_split", press)
    # Nothing is attained: only open boxes know of the maximum, and near it they never end.
    monkeypatch.setattr(l1_boxes, "_climb", lambda rows, weights, prices, planes, count: planes)
    monkeypatch.setattr(l1_boxes, "_largest", lambda X, q, planes: 0.0)
    for last in range(2, 200, 9):  # noqa: B007
        calls = 0
        found = bound_boxes(X, q, 0.9 * sup, l1_margin(X, q))
        assert found.interrupted
        assert found.attained <= sup * (1 + 1e-12)
        assert found.bound >= sup


def test_little_memory_is_enough() -> None:
    X, q = dual(np.random.default_rng(2).standard_normal((30, 4)))
    sup = eta(X, q, all_vertices(X)).max()
    margin = l1_margin(X, q)
    found = bound_boxes(X, q, 1.001 * sup, margin, known=[], memory_limit=1e-3)
    assert found.complete and found.bound >= sup


def test_box_bounds_hold_at_sampled_planes() -> None:
    rng = np.random.default_rng(0)
    for trial in range(300):
        n, d = int(rng.integers(3, 12)), int(rng.integers(1, 5))
        X, q = dual(rng.standard_normal((n + d, d)), trial)
        rows, weights, _ = constraints(X, q)
        size = d + 1
        half = rng.uniform(0.0, 0.7, size) ** 2
        centre = rng.uniform(-1.0, 1.0, size) * (1.0 - half)
        face = int(rng.integers(d))
        centre[face], half[face] = 1.0, 0.0
        T = float(rng.uniform(0.0, 0.1))
        U, value = bound_box(
            rows, weights, T, centre, half, np.empty(size),
            np.empty(len(rows)), np.empty(len(rows), dtype=np.int64), np.empty(size),
        )  # fmt: skip
        planes = centre + half * rng.choice([-1.0, -0.5, 0.0, 0.3, 1.0], size=(200, size))
        values = (weights @ np.abs(rows @ planes.T)) / np.abs(planes[:, :d]).sum(axis=1)
        t, rho = np.abs(rows @ centre)[: n + d], (np.abs(rows) @ half)[: n + d]
        if ((weights[: n + d] < 0.0) & (t < rho)).any():
            assert values.max() <= max(T, U) + 1e-13
        else:
            assert U == 0.0
        at = weights @ np.abs(rows @ centre) / np.abs(centre[:d]).sum()
        assert value == pytest.approx(at, abs=1e-13)


def test_free_slopes_minimise_the_bound() -> None:
    rng = np.random.default_rng(0)
    grid = np.linspace(-1.0, 1.0, 20_001)
    for _ in range(200):
        size = int(rng.integers(1, 6))
        G, z = rng.standard_normal((2, size))
        half, c, e = rng.uniform(0.0, 1.0, size), -rng.uniform(0.1, 2.0), rng.uniform(-1.0, 1.0)
        t = 3.0 * rng.standard_normal()

        def value(slopes: np.ndarray) -> np.ndarray:
            moved = G[:, None] + c * (slopes - e) * z[:, None]  # noqa: B023
            return c * slopes * t + half @ np.abs(moved)  # noqa: B023

        found = best_slope(G, c, z, t, half, e)
        assert -1.0 <= found <= 1.0
        assert value(np.array([found]))[0] <= value(grid).min() + 1e-12
