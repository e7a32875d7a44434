"""Can constraints be met at all? What values the functions of a problem take at its rows.

With free or penalised biases all values at distinct points. With measurements the range of M. With
neurons through the origin f(x) = c0 + c.x + g(x), where g is a sum of |w_k.x|: even and positively
homogeneous, so that one number for each line through the origin decides.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import sparse
from scipy.optimize import linprog

from .checks import Array
from .exact_fit_losses import BandLoss, slack
from .neuron_cost import NoBias

if TYPE_CHECKING:
    from .problem import RadonTVProblem

SAME_LINE = 1e-13
"""Unit vectors whose entries differ by less span one line."""
MISSED = 1e-7
"""Part of the spread of the targets by which the linear program must miss them to refuse them."""


def check_attainable(problem: RadonTVProblem) -> None:
    """Raise a ValueError if no function of the problem meets its constraints.

    Repeated rows without measurements are refused when a problem is made.
    """
    loss, y = problem.loss, problem.live_targets
    if not isinstance(loss, BandLoss):
        return
    # Problems of order m have neither measurements nor costs: they reach everything.
    if getattr(problem, "measurements", None) is not None:
        values, why = problem.sampling.to_rows(_point_values(problem.X)), "measurements contradict"
    elif isinstance(getattr(problem, "cost", None), NoBias):
        values = _values_without_bias(problem.live_inputs, constants=problem.skip == "affine")
        why = "functions of neurons through the origin (cost='no_bias') cannot reach"
    else:
        return
    allowed = loss.radius + slack(y)
    missed = _misfit(values, y)
    if missed > allowed + MISSED * float(np.abs(y - y.mean()).max(initial=0.0)):
        raise ValueError(
            f"loss={loss.key!r} cannot be met: {why} the targets y, which every function misses by "
            f"{missed:.3g} somewhere. Use losses.TubeLoss(epsilon) with a larger epsilon, or "
            "another loss."
        )


def _point_values(X: Array) -> Any:
    """Return the matrix that gives equal points equal values."""
    inverse = np.unique(X + 0.0, axis=0, return_inverse=True)[1].reshape(-1)
    n = len(X)
    return sparse.csr_array((np.ones(n), (np.arange(n), inverse)), shape=(n, inverse.max() + 1))


def _values_without_bias(X: Array, *, constants: bool) -> Any:
    """Return columns 1, x and |x| on each line through the origin, as far as they are allowed."""
    length = np.linalg.norm(X, axis=1)
    unit = X / np.where(length > 0.0, length, 1.0)[:, None]
    first = unit[np.arange(len(X)), np.argmax(np.abs(unit) > 0.5 / np.sqrt(X.shape[1]), axis=1)]
    line = np.round(unit * np.where(first < 0.0, -1.0, 1.0)[:, None] / SAME_LINE)
    inverse = np.unique(line + 0.0, axis=0, return_inverse=True)[1].reshape(-1)
    even = sparse.csr_array((length, (np.arange(len(X)), inverse)))
    return sparse.hstack([np.ones((len(X), int(constants))), X, even], format="csr")


def _misfit(values: Any, y: Array) -> float:
    """Return min over theta of max_i |(values theta - y)_i|, a linear program."""
    unit = float(np.abs(y).max(initial=0.0)) or 1.0
    ones = sparse.csr_array(np.ones((len(y), 1)))
    size = np.sqrt(np.asarray(values.power(2).sum(axis=0)).ravel())
    scaled = values @ sparse.diags_array(1.0 / np.where(size > 0.0, size, 1.0))
    found = linprog(
        np.append(np.zeros(values.shape[1]), 1.0),
        A_ub=sparse.vstack([sparse.hstack([scaled, -ones]), sparse.hstack([-scaled, -ones])]),
        b_ub=np.concatenate([y, -y]) / unit,
        bounds=[(None, None)] * values.shape[1] + [(0.0, None)],
        method="highs",
        options={"primal_feasibility_tolerance": 1e-10, "dual_feasibility_tolerance": 1e-10},
    )
    # In doubt the problem is not refused.
    return 0.0 if found.x is None else unit * float(found.x[-1])
