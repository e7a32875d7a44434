"""The trusted reference for tiny problems: one convex program over all activation patterns.

Nothing here is shared with the other solvers. With every pattern D_k that a hyperplane can cut out
of the data, one of each complementary pair, and both signs sigma, the program

    min  1/2 sum_i s_i (y_i - f_i)^2 + alpha sum_k |u_k|_2
    f = sum_k sigma_k D_k (X u_k - beta_k) + X c + c0,     (2 D_k - I) (X u_k - beta_k) >= 0

has the value of the problem over all functions (Pilanci and Ergen, "Neural networks are convex
regularizers", 2020).
"""

from __future__ import annotations

import warnings
from fractions import Fraction
from importlib import import_module
from itertools import combinations
from typing import Any

import numpy as np

from ..problems import RadonTVProblem, RidgeSpline
from ..problems.checks import Array

MOST_POINTS = 8
MOST_DIMENSIONS = 2
ACCURACY, ACCEPTED = 1e-12, 1e-10
"""Relative gap and feasibility asked of the conic solver, and what is accepted."""


def solve_all_patterns(problem: RadonTVProblem) -> tuple[float, RidgeSpline]:
    """Return the optimal value and a network that attains it, to about 1e-9 relative.

    Parameters
    ----------
    problem : RadonTVProblem
        At most 8 distinct inputs that span at most 2 dimensions, with the squared loss.

    Raises
    ------
    ValueError
        For larger problems.
    ImportError
        Without cvxpy.
    """
    reduction = problem.reduction
    if reduction.n_distinct > MOST_POINTS or reduction.rank > MOST_DIMENSIONS:
        raise ValueError(
            f"problem has {reduction.n_distinct} distinct inputs that span {reduction.rank} "
            f"dimensions; all patterns are enumerated for at most {MOST_POINTS} inputs and "
            f"{MOST_DIMENSIONS} dimensions. Use radontv.solvers.solve."
        )
    if not problem.loss.quadratic:
        raise ValueError(f"loss must be 'squared', got {problem.loss.name!r}.")
    sides = all_patterns(reduction.X)
    network = _solve_program(reduction.X, reduction.y, reduction.s, reduction.alpha, sides)
    residual = reduction.y - _values(network, reduction.X)
    value = 0.5 * float(reduction.s @ residual**2)
    value += reduction.alpha * float(np.abs(network.amplitudes).sum())
    objective = reduction.y_scale**2 * value + reduction.constant
    return objective, reduction.raise_network(network)


def all_patterns(X: Array) -> Array:
    """Return the sides in {-1, 1} that hyperplanes cut out of distinct rows, shape (M, n).

    One of each complementary pair, none with all points on one side. In one dimension these are
    the n - 1 cuts of the sorted points; in two every pattern is that of a line through two points,
    moved so that the points on it fall to either side: a prefix of them, in their order along the
    line, to one side and the rest to the other. The arithmetic is exact (fractions).
    """
    n, d = X.shape
    points = [[Fraction(float(value)) for value in row] for row in X]
    found: set[tuple[int, ...]] = set()

    def keep(side: list[int]) -> None:
        if len(set(side)) == 2:
            found.add(tuple(value * side[0] for value in side))

    if d == 1:
        for cut in points:
            keep([1 if point[0] > cut[0] else -1 for point in points])
    elif d == 2:
        for (ax, ay), (bx, by) in combinations(points, 2):
            along = [(x - ax) * (bx - ax) + (y - ay) * (by - ay) for x, y in points]
            across = [(bx - ax) * (y - ay) - (by - ay) * (x - ax) for x, y in points]
            strict = [(value > 0) - (value < 0) for value in across]
            touching = sorted((i for i in range(n) if strict[i] == 0), key=along.__getitem__)
            for split in range(len(touching) + 1):
                for prefix in (1, -1):
                    side = list(strict)
                    for place, i in enumerate(touching):
                        side[i] = prefix if place < split else -prefix
                    keep(side)
    return np.array(sorted(found), dtype=np.float64).reshape(-1, n)


def _solve_program(X: Array, y: Array, s: Array, alpha: float, sides: Array) -> RidgeSpline:
    try:
        cp: Any = import_module("cvxpy")
    except ImportError as error:
        raise ImportError(
            "solve_all_patterns needs cvxpy; install it with pip install 'radontv[reference]'."
        ) from error
    n, d = X.shape
    M = len(sides)
    # A program may not have variables of size 0; an unused one costs nothing.
    coef, intercept = cp.Variable(max(d, 1)), cp.Variable()
    fitted = intercept * np.ones(n) + (X @ coef if d else 0.0)
    penalty, constraints, vectors = 0.0, [], []
    for sign in (1.0, -1.0) if M else ():
        u, beta = cp.Variable((M, d)), cp.Variable(M)
        margins = X @ u.T - np.ones((n, 1)) @ cp.reshape(beta, (1, M), order="C")
        constraints.append(cp.multiply(sides.T, margins) >= 0)
        fitted = fitted + sign * cp.sum(cp.multiply((sides.T > 0).astype(float), margins), axis=1)
        penalty = penalty + cp.sum(cp.norm(u, 2, axis=1))
        vectors.append((sign, u, beta))
    loss = 0.5 * cp.sum_squares(cp.multiply(np.sqrt(s), y - fitted))
    program = cp.Problem(cp.Minimize(loss + alpha * penalty), constraints)
    options: dict[str, float] = {}
    for name in ("tol_gap_abs", "tol_gap_rel", "tol_feas"):
        options |= {name: ACCURACY, f"reduced_{name}": ACCEPTED}
    with warnings.catch_warnings():
        # cvxpy warns where only ACCEPTED was reached.
        warnings.filterwarnings("ignore", "Solution may be inaccurate", UserWarning)
        program.solve(solver=cp.CLARABEL, **options)
    if program.status not in (cp.OPTIMAL, cp.OPTIMAL_INACCURATE):
        raise RuntimeError(f"Clarabel ended with status {program.status!r} on a reference problem.")
    signs = np.concatenate([np.full(M, sign) for sign, _, _ in vectors] or [np.zeros(0)])
    rows = np.concatenate([u.value for _, u, _ in vectors] or [np.zeros((0, d))])
    offsets = np.concatenate([beta.value for _, _, beta in vectors] or [np.zeros(0)])
    size = np.linalg.norm(rows, axis=1)
    live = size > 1e-9 * size.max(initial=0.0)
    length = size[live]
    weights = rows[live] / length[:, None]
    # Rows of subnormal length would not come out as unit vectors at once.
    weights /= np.linalg.norm(weights, axis=1, keepdims=True)
    return RidgeSpline(
        signs[live] * length,
        weights,
        offsets[live] / length,
        coef.value[:d] if d else np.zeros(0),
        float(intercept.value),
    )


def _values(network: RidgeSpline, X: Array) -> Array:
    """Return f(x_i) by the plain formula."""
    values: Array = X @ network.coef + network.intercept
    for a, w, b in zip(network.amplitudes, network.weights, network.biases, strict=True):
        values = values + a * np.maximum(X @ w - b, 0.0)
    return values
