"""The parts of the oracle for neurons through the origin: circles, escapes, boxes, lines."""

from __future__ import annotations

import math

import numpy as np
import pytest
from helpers import junk_in
from origin_cases import KINDS, eta, make, sphere

from radontv.solvers import _circle_kernels as circles
from radontv.solvers import _hold_kernels as holding
from radontv.solvers._branch_kernels import explore
from radontv.solvers.origin import _kernels as kernels
from radontv.solvers.origin.boxes import OriginBoxes
from radontv.solvers.origin.lines import affordable_lines, gather_lines
from radontv.solvers.origin.proof import sup_eta_origin
from radontv.solvers.origin.search import OriginSearch


@pytest.mark.parametrize("kind", ["general", "integers", "on the plane"])
def test_circles_reach_the_maximum_of_both_halves(kind: str) -> None:
    rng = np.random.default_rng(0)
    grid = np.linspace(0.0, 2.0 * np.pi, 20_001)
    for n in (1, 2, 5, 30, 400):
        for _ in range(20):
            q, p, r = rng.standard_normal((3, n))
            if kind == "integers":
                p, r = rng.integers(-2, 3, size=(2, n)).astype(float)
            elif kind == "on the plane":
                p[: n // 2] = 0.0
            bins = np.zeros((7, circles.bin_count(n) + 1))
            circles.angle_grid(bins)
            scratch = (np.empty((5, n)), np.empty(n, np.int64), np.empty(n, np.int64), bins)
            value, cot, point, side = circles.circle(
                q, p, r, q @ p, q @ r, circles.BOTH_SIDES, *scratch, 0.0
            )
            points = np.column_stack([p, r])
            dense = np.abs(eta(points, q, np.column_stack([np.cos(grid), np.sin(grid)]))).max()
            ends = np.abs(eta(points, q, np.array([[1.0, 0.0], [-1.0, 0.0]]))).max()
            assert max(value, ends) >= dense * (1 - 1e-12)
            if point > -2:
                t = np.arctan2(1.0, cot)
                w = 2.0 * side * np.array([np.cos(t), np.sin(t)])
                assert value == pytest.approx(abs(eta(points, q, w)[0]), rel=1e-9, abs=1e-12)


def test_escape_returns_the_slope_of_its_direction() -> None:
    rng = np.random.default_rng(0)
    for d in (2, 3, 5):
        XT = np.ascontiguousarray(np.vstack([rng.integers(-1, 2, size=(12, d)), np.zeros(d)]).T)
        q, w = np.append(rng.standard_normal(12), 0.0), np.eye(d)[0]
        floats, on = np.empty((3, 13)), np.empty(13, np.int64)
        g, e = np.empty(d), rng.standard_normal(d)
        value, count = holding.survey(XT, q, 12, w, floats[0], floats[1], g, on)
        sign = 1.0 if value >= 0 else -1.0
        slope = kernels.escape(XT, q, sign, g, w, on, count, e, np.empty(d))
        assert abs(e @ w) < 1e-15 and np.linalg.norm(e) == pytest.approx(1.0)
        h = 1e-7
        step = abs(eta(XT.T, q, w + h * e)[0]) - abs(eta(XT.T, q, w)[0])
        assert step / h == pytest.approx(slope, abs=1e-6)


def test_ascents_do_not_see_what_their_arrays_held_before() -> None:
    rng = np.random.default_rng(0)
    for d, n in ((2, 20), (3, 40), (6, 190)):
        rows = np.vstack([rng.standard_normal((n, d)), np.zeros(d)])
        XT, q = np.ascontiguousarray(rows.T), np.append(rng.standard_normal(n), 0.0)
        for start in sphere(40, d, n):
            ends = []
            for junk in (0.0, 1.0):
                arrays, w = junk_in(holding.scratch(n + 1, d), junk), start.copy()
                ends.append((kernels.ascend(XT, q, w, 400, 1, arrays), *w))
            assert ends[0] == ends[1]


def test_boxes_bound_every_direction_they_hold() -> None:
    rng = np.random.default_rng(0)
    for trial in range(200):
        p = 2 + trial % 4
        X, q = make(KINDS[trial % 7], 12, p, trial)
        X, total = np.ascontiguousarray(X), q @ X
        h = rng.uniform(0.0, 0.4, p)
        u = rng.uniform(-1.0 + h, 1.0 - h)
        face = rng.integers(p)
        u[face], h[face] = 1.0, 0.0
        side = rng.choice([-1.0, 1.0])
        top = np.full(1, 1e9)
        out, bounds, anchors = np.empty((4200, 2 * p)), np.empty(4200), np.empty(4200, np.int64)
        found, tally = np.zeros((5, p + 1)), np.zeros(4, dtype=np.int64)
        explore(
            X, q, 0.5 * side * total, np.append(u, h)[None], top, (1e-6, 1e-6, 1e9, 2000, False),
            (out, bounds, anchors, found, tally),
        )  # fmt: skip
        V = u + h * rng.uniform(-1.0, 1.0, size=(2000, p))
        W = side * V / np.linalg.norm(V, axis=1, keepdims=True)
        bound = max(1e-6, float(bounds[: tally[0]].max(initial=0.0)))
        assert eta(X, q, W).max() <= bound * (1 + 1e-12)


@pytest.mark.parametrize("kind", ["normal", "parallel", "clusters", "near", "bias"])
def test_lines_move_eta_by_no_more_than_they_say(kind: str) -> None:
    X, q = make(kind, 60, 4, 0)
    W = sphere(2000, 4)
    for tolerance in (1e-4, 1e-6, 1e-12):
        lines = gather_lines(X, q, tolerance)
        got = 0.5 * np.abs(W @ lines.units.T) @ lines.weights + 0.5 * W @ lines.total
        assert np.abs(got - eta(X, q, W)).max() <= lines.moved + 1e-13
    if kind == "parallel":
        assert len(gather_lines(X, q, 1e-12).weights) <= 20
    if kind == "clusters":
        assert len(affordable_lines(X, q, 1e-3).weights) <= 20
        assert len(affordable_lines(X, q, 0.0).weights) == 60
    if kind == "near":
        assert len(affordable_lines(X, q, 0.0).weights) <= 20


@pytest.mark.parametrize("kind", ["normal", "positive", "bias", "repeated"])
@pytest.mark.parametrize("p", [2, 4])
def test_open_boxes_cover_every_direction_above_the_goal(kind: str, p: int) -> None:
    # Without ascents: what they find would hide a box that is missing.
    X, q = make(kind, 25, p, 3)
    W = sphere(3000, p)
    true = eta(X, q, W)
    top = sup_eta_origin(X, q, 0.0, stop_at_violation=False).attained
    goal = 0.3 * top
    search = OriginBoxes(
        X, q, goal, math.inf, False, math.inf, math.inf,
        lines=affordable_lines(X, q, 0.0), ascent=OriginSearch(X, n_jobs=1),
    )  # fmt: skip
    for target in (1.3 * top, 1.01 * top):
        search.start_round(target)
        search.work()
        best = np.full((2, len(W)), goal)
        for job in search.open_jobs():
            side = -1.0 if job.anchor else 1.0
            for box, bound in zip(job.boxes, job.bounds, strict=True):
                u, h = box[:p], box[p:]
                along = W[:, np.flatnonzero(h == 0.0)[0]] * side
                V = side * W / np.where(along > 0.0, along, np.inf)[:, None]
                inside = (along > 0.0) & np.all(np.abs(V - u) <= h + 1e-12, axis=1)
                row = best[0 if job.sign > 0 else 1]
                row[inside] = np.maximum(row[inside], bound)
        assert np.all(true <= best[0] * (1 + 1e-12)) and np.all(-true <= best[1] * (1 + 1e-12))
        assert search.open_bound() >= top
