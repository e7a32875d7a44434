"""Does a minimiser exist? Logistic and Poisson losses can fall forever along an affine function.

Only affine functions g are free, so the objective has a minimiser unless some g lets the loss fall
without end:

    logistic (no label smoothing)   y_i g(x_i) >= 0 for all i, and > 0 for some i
    Poisson                         g(x_i) = 0 where y_i > 0, <= 0 where y_i = 0, < 0 somewhere

Both read C theta >= 0, C theta != 0 for a matrix C. By Stiemke's lemma there is such a theta iff no
v > 0 has C^T v = 0. The best affine fit mostly decides: its dual point is such a v, or its own
coefficients are such a theta. Otherwise a linear program looks for theta, and what it returns
counts only if it can be verified to rounding. In doubt the problem is not refused.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.optimize import linprog

from .affine_fit import fit_smooth
from .attainable import check_attainable
from .checks import Array
from .classification_losses import LogisticLoss
from .exact_fit_losses import BandLoss
from .poisson_loss import PoissonLoss

if TYPE_CHECKING:
    from .problem import RadonTVProblem

ROUNDING = 2.0**-44
"""Entries of C theta below this, for rows of C and theta of length 1, count as 0."""


def check_existence(problem: RadonTVProblem) -> None:
    """Raise a ValueError that names the remedy if the problem has no minimiser.

    Losses other than the logistic and the Poisson loss have one, if their constraints can be met.
    """
    loss = problem.loss
    if isinstance(loss, BandLoss):
        check_attainable(problem)
        return
    if problem.skip != "affine":
        return
    if isinstance(loss, LogisticLoss) and loss.label_smoothing == 0.0:
        if _falls_forever(problem, problem.live_targets[:, None] * problem.affine.columns):
            raise ValueError(
                "loss='logistic' has no minimiser here: an affine function of X separates the "
                "classes (or all but rows on its boundary, or there is one class only), so that "
                "the loss falls for ever as its coefficients grow. Use "
                "loss=losses.LogisticLoss(label_smoothing=0.01) or loss='squared_hinge'."
            )
    elif isinstance(loss, PoissonLoss):
        y, B = problem.live_targets, problem.affine.columns
        zero = y == 0.0
        if zero.any() and _falls_forever(problem, -B[zero] @ _null_space(B[~zero])):
            raise ValueError(
                "loss='poisson' has no minimiser here: an affine function of X vanishes where "
                "y > 0 and is at most 0 where y = 0, so that the loss falls for ever as its "
                "coefficients grow. Add a small count to all targets (y + 0.01), or drop the rows "
                "with y = 0 that cause it."
            )


def _falls_forever(problem: RadonTVProblem, C: Array) -> bool:
    """Return True if it is verified that C theta >= 0, C theta != 0 has a solution."""
    if C.shape[1] == 0:
        return False
    exists, theta = _has_interior_dual_point(problem)
    if exists:
        return False
    length = np.linalg.norm(C, axis=1)
    C = C[length > 0.0] / length[length > 0.0][:, None]
    if len(C) == 0:
        return False
    if len(theta) == C.shape[1] and certifies_separation(C, theta):
        return True
    # Maximise 1^T C theta subject to C theta >= 0 and |theta_k| <= 1: zero iff there is none.
    found = linprog(
        -C.sum(axis=0) / len(C),
        A_ub=-C,
        b_ub=np.zeros(len(C)),
        bounds=(-1.0, 1.0),
        method="highs",
        options={"primal_feasibility_tolerance": 1e-10, "dual_feasibility_tolerance": 1e-10},
    )
    return found.x is not None and certifies_separation(C, np.asarray(found.x))


def _has_interior_dual_point(problem: RadonTVProblem) -> tuple[bool, Array]:
    """Return whether the best affine fit has a dual point strictly inside the domain, and the fit.

    Strictly: by more than what separates it from one with A^T q = 0 exactly.
    """
    y, s, B = problem.live_targets, problem.live_weights, problem.affine.columns
    theta = fit_smooth(problem.loss, y, s, np.zeros_like(y), B, np.zeros(B.shape[1]))
    q = -s * problem.loss.gradient(y, B @ theta)
    for _ in range(2):
        q = q - s * (B @ (B.T @ q))
    low, high = problem.loss.dual_interval(y)
    everything = np.ones(len(y), dtype=bool)
    spare = 4.0 * problem.affine.radius(q, s, everything)
    if isinstance(problem.loss, PoissonLoss):
        return bool((q / s + spare < high)[y == 0.0].all()), theta
    return bool(((q / s - spare > low) & (q / s + spare < high)).all()), theta


def certifies_separation(C: Array, theta: Array) -> bool:
    """Return whether theta, moved to make small entries of C theta vanish, solves the system.

    A vertex of the linear program has entries that should be 0; those up to 1e-8 are taken for
    such if the rows have a common null space to rounding.
    """
    size = float(np.linalg.norm(theta))
    if size == 0.0:
        return False
    theta = theta / size
    for small in (0.0, 1e-12, 1e-10, 1e-8):
        near = np.abs(C @ theta) <= small
        N = _null_space(C[near])
        moved = N @ (N.T @ theta)
        length = float(np.linalg.norm(moved))
        if length < 0.5:
            continue
        values = C @ (moved / length)
        if values.max() > 1e3 * ROUNDING and _clear(values):
            return True
    return False


def _clear(values: Array) -> bool:
    """Return whether every value is 0 to rounding or positive beyond it."""
    return bool(((np.abs(values) <= ROUNDING) | (values > 4.0 * ROUNDING)).all())


def _null_space(rows: Array) -> Array:
    """Return an orthonormal basis (size, k) of the vectors that all rows are orthogonal to."""
    size = rows.shape[1]
    if len(rows) == 0:
        return np.eye(size)
    length = np.linalg.norm(rows, axis=1)
    unit = rows[length > 0.0] / length[length > 0.0][:, None]
    gram = np.linalg.qr(unit, mode="r") if len(unit) > size else unit
    sigma, vt = np.linalg.svd(gram, full_matrices=True)[1:]
    rank = int(
        (sigma > 64.0 * size * np.finfo(np.float64).eps * max(np.sqrt(len(unit)), 1.0)).sum()
    )
    return np.asarray(vt[rank:].T)
