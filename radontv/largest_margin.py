"""Among affine functions without hinge loss, the one of least slope."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import nnls

from .problems import RadonTVProblem, RidgeSpline
from .problems.losses import HingeLoss, SquaredHingeLoss
from .solvers import Solution
from .solvers import solve as solve_one

Array = NDArray[np.float64]

MOST_ROWS = 2000
"""With more rows the answer of the solver is kept: the least slope takes cubic time."""


def solve_single(problem: RadonTVProblem, **options: Any) -> Solution:
    """Solve a problem of one output; where affine functions have no hinge loss, take a good one.

    If y_i f(x_i) >= 1 can be had for all rows, every affine f with that is an optimum, of value 0,
    and the solver returns any. Small changes of the data, or their order, would change it much.
    """
    solution = solve_one(problem, **options)
    certificate = solution.certificate
    margins = isinstance(problem.loss, HingeLoss | SquaredHingeLoss)
    if not margins or certificate.primal > certificate.resolution or solution.network.n_neurons:
        return solution
    network = least_slope(problem)
    if network is None:
        return solution
    better = problem.certificate(
        network,
        certificate.sup_bound,
        certificate.scope,
        sup_attained=certificate.sup_attained,
        dual_point=certificate.dual_point,
    )
    return replace(solution, network=network, certificate=better)


def least_slope(problem: RadonTVProblem) -> RidgeSpline | None:
    """Return the affine f of least |c|^2 + c0^2 with y_i f(x_i - mean) >= 1, if it is found.

    In units in which the centred inputs are at most 1. The least x with G x >= 1 is
    -r / r_last for the residual r of the nonnegative least squares problem
    min ||[G^T; 1^T] u - e_last|| (Lawson and Hanson, "Solving least squares problems", 1974,
    chapter 23). Rows of X that are linear in others are no trouble.
    """
    live = problem.s > 0
    rows, where = np.unique(problem.X[live], axis=0, return_index=True)
    if len(rows) > MOST_ROWS:
        return None
    y = problem.y[live][where]
    middle = 0.5 * (rows.min(axis=0) + rows.max(axis=0))
    unit = float(np.abs(rows - middle).max(initial=0.0)) or 1.0
    G = y[:, None] * np.column_stack([(rows - middle) / unit, np.ones(len(rows))])
    matrix = np.vstack([G.T, np.ones(len(rows))])
    target = np.append(np.zeros(G.shape[1]), 1.0)
    try:
        u = nnls(matrix, target)[0]
    except RuntimeError:
        return None
    residual = matrix @ u - target
    if not residual[-1] < -1e-12:
        return None
    x = -residual[:-1] / residual[-1]
    least = float((G @ x).min())
    if not least > 0.5:
        return None
    x = x / least * (1.0 + 1e-12)  # nothing is left of the loss, whatever rounding does
    coef = x[:-1] / unit
    network = RidgeSpline.affine(coef, float(x[-1] - coef @ middle))
    return network if problem.objective(network) <= problem.resolution(network) else None
