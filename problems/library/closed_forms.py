"""Instances whose optimal value is a formula.

*d + 2 points.* The dual point is a multiple t q of one vector with [1 X]^T q = 0. For k = q.y,
U = sup |eta_q| and Q = n sum_i q_i^2, t = clip(k / Q, -alpha / U, alpha / U), F* = t k - t^2 Q / 2.

*Regular simplex and its centre.* q is 1 at the d + 1 vertices on the unit sphere, -(d + 1) at the
centre. eta is even, so let b >= 0, where eta = sum_i relu(w.v_i - b) is largest at b = 0; there it
is 1/2 sum_i |w.v_i|, whose maximum over w is the largest length of a sum of k vertices,
U = max_k sqrt(k (d + 1 - k) / d).

*Zigzag.* Targets +1, -1, +1, ... at m consecutive integers. For alpha < 1 / (4 m) the linear spline
through the optimal values has a knot at every inner point, the values of eta there are +-alpha, and
F* = 4 (m - 2) alpha - (8 m^2 - 22 m) alpha^2.

*Products.* Let X be a product of sets and y depend on x1 only. On each line parallel to the x1-axis
f is a function of one variable, and its RTV there is no larger. So F(f) is at least the mean over
these lines of its objective there, and F* is that of the problem in x1.
"""

from __future__ import annotations

import itertools
import math

import numpy as np

from ..checks import Array
from ..problem import RadonTVProblem
from .recipe import Recipe

_SPIKE = np.array([0.0, 1.0, 0.0])


def _three_points() -> RadonTVProblem:
    return RadonTVProblem(np.array([[0.0], [1.0], [2.0]]), _SPIKE, alpha=0.05)


def _three_points_on_a_line() -> RadonTVProblem:
    direction = np.array([1.0, 2.0, 2.0]) / 3.0
    X = np.array([1.0, -1.0, 0.5]) + np.arange(3.0)[:, None] * direction
    return RadonTVProblem(X, _SPIKE, alpha=0.05)


def _three_points_value() -> float:
    return simplex_value(1, 0.05)


def _xor() -> RadonTVProblem:
    X = np.array(list(itertools.product([-1.0, 1.0], repeat=2)))
    return RadonTVProblem(X, X[:, 0] * X[:, 1], alpha=0.1)


def _xor_value() -> float:
    return 2.0 * math.sqrt(2.0) * 0.1 - 4.0 * 0.1**2


def simplex(d: int) -> Array:
    """Return the vertices of a regular simplex on the unit sphere of R^d, centred at 0.

    Vertex i and the mean of the vertices after it lie opposite each other in coordinate i.
    """
    vertices = np.zeros((d + 1, d))
    for i in range(d):
        vertices[i, i] = math.sqrt((d + 1) * (d - i) / (d * (d - i + 1)))
        vertices[i + 1 :, i] = -vertices[i, i] / (d - i)
    return vertices


def _simplex(d: int, alpha: float) -> RadonTVProblem:
    X = np.vstack([simplex(d), np.zeros(d)])
    return RadonTVProblem(X, np.r_[np.zeros(d + 1), 1.0], alpha=alpha)


def simplex_value(d: int, alpha: float) -> float:
    """Return F* of the regular simplex with its centre; d = 1 is that of three points."""
    sup = max(math.sqrt(k * (d + 1 - k) / d) for k in range(1, d + 1))
    size, norm = d + 1.0, (d + 1.0) * (d + 2.0) ** 2
    t = min(size / norm, alpha / sup)
    return size * t - 0.5 * norm * t**2


def _zigzag(points: int, others: int, alpha: float) -> RadonTVProblem:
    sides = [np.arange(float(points)), *[np.array([0.0, 1.0])] * others]
    X = np.array(list(itertools.product(*sides)))
    return RadonTVProblem(X, np.where(X[:, 0] % 2 == 0, 1.0, -1.0), alpha=alpha)


def zigzag_value(points: int, alpha: float) -> float:
    """Return F* of the zigzag, for at least 4 points and alpha < 1 / (4 points)."""
    return 4.0 * (points - 2) * alpha - (8.0 * points**2 - 22.0 * points) * alpha**2


def _affine() -> RadonTVProblem:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(60, 6))
    return RadonTVProblem(X, X.sum(axis=1) + rng.normal(size=60), alpha=1.0)


def _affine_value() -> float:
    problem = _affine()
    columns = np.column_stack([np.ones(problem.n_samples), problem.X])
    rest = problem.y - columns @ np.linalg.lstsq(columns, problem.y, rcond=None)[0]
    return 0.5 * float(rest @ rest) / problem.n_samples


RECIPES = (
    Recipe(
        "three-points",
        "closed form",
        "x = 0, 1, 2, y = 0, 1, 0: F* = 2 alpha - 9 alpha^2",
        _three_points,
        _three_points_value,
    ),
    Recipe(
        "three-points-d3",
        "closed form",
        "three points on a line in R^3 at unit distances, y = 0, 1, 0: F* = 2 alpha - 9 alpha^2",
        _three_points_on_a_line,
        _three_points_value,
    ),
    Recipe(
        "xor",
        "closed form",
        "x = (+-1, +-1), y = x1 x2, many optima: F* = 2 sqrt(2) alpha - 4 alpha^2",
        _xor,
        _xor_value,
    ),
    Recipe(
        "simplex-d3",
        "closed form",
        "vertices of a regular simplex, y = 0, and its centre, y = 1; n = d + 2",
        lambda: _simplex(3, 0.02),
        lambda: simplex_value(3, 0.02),
    ),
    Recipe(
        "simplex-d6",
        "closed form",
        "vertices of a regular simplex, y = 0, and its centre, y = 1; n = d + 2",
        lambda: _simplex(6, 0.01),
        lambda: simplex_value(6, 0.01),
    ),
    Recipe(
        "zigzag-d1",
        "closed form",
        "x = 0, ..., 20, y = +1, -1, +1, ...: a knot at every inner point",
        lambda: _zigzag(21, 0, 0.005),
        lambda: zigzag_value(21, 0.005),
    ),
    Recipe(
        "zigzag-d4",
        "closed form",
        "product of 0, ..., 8 with {0, 1}^3, y = +1, -1, +1, ... along x1: F* of one dimension",
        lambda: _zigzag(9, 3, 0.01),
        lambda: zigzag_value(9, 0.01),
    ),
    Recipe(
        "affine-d6",
        "closed form",
        "X normal, y = x1 + ... + x6 + noise, alpha > alpha_max: F* of least squares",
        _affine,
        _affine_value,
    ),
)
