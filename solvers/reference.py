"""The trusted reference for tiny problems: one convex program over all activation patterns.

Nothing here is shared with the other solvers. With every pattern D_k that a hyperplane can cut out
of the data, one of each complementary pair, and both signs sigma, the program

    min  sum_i s_i l(y_i, f_i) + alpha sum_k |u_k|_2
    f = sum_k sigma_k D_k (X u_k - beta_k) + X c + c0,     (2 D_k - I) (X u_k - beta_k) >= 0

has the value of the problem over all functions (Pilanci and Ergen, "Neural networks are convex
regularizers", 2020). The losses are written once more, in cvxpy's atoms.
"""

from __future__ import annotations

import warnings
from fractions import Fraction
from importlib import import_module
from itertools import combinations
from typing import Any

import numpy as np
from scipy.special import xlogy

from ..problems import RadonTVProblem, RidgeSpline
from ..problems.checks import Array
from ..problems.losses import Loss

MOST_POINTS = 8
MOST_DIMENSIONS = 2
ACCURACIES = ((1e-12, 1e-10), (1e-10, 1e-9), (1e-8, 1e-8))
"""Relative gap and feasibility asked of the conic solver, and what is accepted; exponential cones
need the later pairs now and then."""


def solve_all_patterns(problem: RadonTVProblem) -> tuple[float, RidgeSpline]:
    """Return the optimal value and a network that attains it, to about 1e-9 relative.

    Constraints (interpolation, tube) and exponential cones (logistic, Poisson) are met to 1e-9
    or so; the value is that of the program, so it may lie that much below the optimum.

    Parameters
    ----------
    problem : RadonTVProblem
        At most 8 distinct inputs that span at most 2 dimensions, free biases, no measurements; any
        loss of `problems.losses`.

    Raises
    ------
    ValueError
        For larger or other problems.
    ImportError
        Without cvxpy.
    """
    if (
        problem.cost.name != "free_bias"
        or problem.skip != "affine"
        or problem.measurements is not None
    ):
        raise ValueError(
            "problem must have a cost with free biases, skip='affine' and no measurements: the "
            "patterns of other neurons are not enumerated. Use radontv.solvers.solve."
        )
    reduction = problem.reduction
    if reduction.n_distinct > MOST_POINTS or reduction.rank > MOST_DIMENSIONS:
        raise ValueError(
            f"problem has {reduction.n_distinct} distinct inputs that span {reduction.rank} "
            f"dimensions; all patterns are enumerated for at most {MOST_POINTS} inputs and "
            f"{MOST_DIMENSIONS} dimensions. Use radontv.solvers.solve."
        )
    rows = np.arange(reduction.n_distinct) if reduction.points is None else reduction.points
    value, network = _solve_program(
        reduction.X,
        rows,
        reduction.y,
        reduction.s,
        reduction.alpha,
        problem.loss,
        all_patterns(reduction.X),
    )
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


def _solve_program(
    X: Array, rows: np.ndarray, y: Array, s: Array, alpha: float, loss: Loss, sides: Array
) -> tuple[float, RidgeSpline]:
    """Return the value and the network of the program; row i sees the point rows[i] of X."""
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
    # For large alpha the penalty would swamp the loss; an optimum does not depend on a factor.
    unit = max(1.0, alpha)
    risk, conditions, constant = loss_terms(cp, loss, y, s, fitted[rows])
    goal = cp.Minimize((risk + alpha * penalty) / unit)
    _run(cp, cp.Problem(goal, constraints + conditions))
    value = unit * float(goal.value) + constant
    signs = np.concatenate([np.full(M, sign) for sign, _, _ in vectors] or [np.zeros(0)])
    rows = np.concatenate([u.value for _, u, _ in vectors] or [np.zeros((0, d))])
    offsets = np.concatenate([beta.value for _, _, beta in vectors] or [np.zeros(0)])
    size = np.linalg.norm(rows, axis=1)
    live = size > 1e-9 * size.max(initial=0.0)
    length = size[live]
    weights = rows[live] / length[:, None]
    # Rows of subnormal length would not come out as unit vectors at once.
    weights /= np.linalg.norm(weights, axis=1, keepdims=True)
    network = RidgeSpline(
        signs[live] * length,
        weights,
        offsets[live] / length,
        coef.value[:d] if d else np.zeros(0),
        float(intercept.value),
    )
    return value, network


def _run(cp: Any, program: Any) -> None:
    """Solve the program to the smallest of the ACCURACIES that the conic solver reaches."""
    status = "failed"
    for accuracy, accepted in ACCURACIES:
        options: dict[str, float] = {}
        for name in ("tol_gap_abs", "tol_gap_rel", "tol_feas"):
            options |= {name: accuracy, f"reduced_{name}": accepted}
        with warnings.catch_warnings():
            # cvxpy warns where only `accepted` was reached.
            warnings.filterwarnings("ignore", "Solution may be inaccurate", UserWarning)
            try:
                program.solve(solver=cp.CLARABEL, **options)
            except cp.SolverError:
                continue
        status = program.status
        if status in (cp.OPTIMAL, cp.OPTIMAL_INACCURATE):
            return
    raise RuntimeError(f"Clarabel ended with status {status!r} on a reference problem.")


def loss_terms(cp: Any, loss: Any, y: Array, s: Array, z: Any) -> tuple[Any, list[Any], float]:
    """Return sum_i s_i l(y_i, z_i) as cvxpy expression, constraints on z, and a constant."""
    name, residual = loss.name, y - z
    if name == "squared":
        return 0.5 * cp.sum_squares(cp.multiply(np.sqrt(s), residual)), [], 0.0
    if name == "huber":
        return 0.5 * (s @ cp.huber(residual, loss.delta)), [], 0.0
    if name == "absolute":
        return s @ cp.abs(residual), [], 0.0
    if name == "quantile":
        tau = loss.quantile
        return s @ cp.maximum(tau * residual, (tau - 1.0) * residual), [], 0.0
    if name == "epsilon_insensitive":
        return s @ cp.pos(cp.abs(residual) - loss.epsilon), [], 0.0
    if name == "logistic":
        tau = np.where(y > 0, 1.0 - loss.label_smoothing, loss.label_smoothing)
        return s @ (cp.logistic(z) - cp.multiply(tau, z)), [], 0.0
    if name == "hinge":
        return s @ cp.pos(1.0 - cp.multiply(y, z)), [], 0.0
    if name == "squared_hinge":
        short = cp.pos(1.0 - cp.multiply(y, z))
        return 0.5 * cp.sum_squares(cp.multiply(np.sqrt(s), short)), [], 0.0
    if name == "poisson":
        return s @ (cp.exp(z) - cp.multiply(y, z)), [], float(s @ (xlogy(y, y) - y))
    if name == "interpolation":
        return 0.0, [residual == 0], 0.0
    if name == "tube":
        return 0.0, [cp.abs(residual) <= loss.epsilon], 0.0
    raise ValueError(f"loss {name!r} has no cvxpy form here; add one to solvers/reference.py.")
