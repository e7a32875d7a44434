"""Does a minimiser exist, with several outputs? As for one output, only affine functions may fall.

    classes (no label smoothing)   g_y(x_i) >= g_c(x_i) for all i and c, y the class of i, and >
                                   somewhere, for affine scores g that are not all the same
    sums over outputs              what holds for the loss of one output, for any of them

See `existence` for the derivation; a problem is refused only if a g is verified to rounding.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.optimize import linprog

from ..checks import Array
from ..existence import certifies_separation, check_existence
from .losses import SumOfOutputs
from .multinomial_loss import MultinomialLoss

if TYPE_CHECKING:
    from ..multi_output import MultiOutputProblem

CLEAR = 1e-8
"""Probabilities of the best affine fit above it: its dual point is inside the domain."""


def check_outputs_exist(problem: MultiOutputProblem) -> None:
    """Raise a ValueError that names the remedy if the problem has no minimiser."""
    loss = problem.loss
    if isinstance(loss, MultinomialLoss):
        if loss.label_smoothing == 0.0 and _separates_classes(problem):
            raise ValueError(
                "loss='multinomial' has no minimiser here: affine functions of X separate a class "
                "(or all but rows on its boundary), so that the loss falls for ever as their "
                "coefficients grow. Use loss=MultinomialLoss(label_smoothing=0.01)."
            )
    elif isinstance(loss, SumOfOutputs) and loss.one.name in ("logistic", "poisson"):
        from ..problem import RadonTVProblem

        for c in range(problem.n_outputs):
            try:
                single = problem.X, problem.targets[:, c], 1.0, loss.one, problem.s
                check_existence(RadonTVProblem(*single))
            except ValueError as error:
                raise ValueError(f"output {c}: {error}") from None


def _separates_classes(problem: MultiOutputProblem) -> bool:
    """Return True if it is verified that affine scores separate a class."""
    T, B, V = problem.live_targets, problem.affine.columns, problem.free_outputs
    fitted = problem.affine_fit()(problem.live_inputs)
    p = -problem.loss.gradient(T, fitted)
    if ((T - p) > CLEAR).all() and _is_null(problem, p):
        return False
    rows = _differences(T, B, V)
    rows = rows / np.maximum(np.linalg.norm(rows, axis=1), 1e-300)[:, None]
    # Maximise the sum of C theta subject to C theta >= 0 and |theta_k| <= 1.
    found = linprog(
        -rows.sum(axis=0) / len(rows),
        A_ub=-rows,
        b_ub=np.zeros(len(rows)),
        bounds=(-1.0, 1.0),
        method="highs",
        options={"primal_feasibility_tolerance": 1e-10, "dual_feasibility_tolerance": 1e-10},
    )
    return found.x is not None and certifies_separation(rows, np.asarray(found.x))


def _is_null(problem: MultiOutputProblem, p: Array) -> bool:
    """Return whether the affine fit has converged: what it leaves is orthogonal to affine parts."""
    left = problem.affine.columns.T @ (problem.live_weights[:, None] * p)
    return bool(np.abs(left).max(initial=0.0) <= 1e-3 * CLEAR)


def _differences(T: Array, B: Array, V: Array) -> Array:
    """Return the rows B_i x V^T (e_y - e_c), c != y, so that C theta = g_y(x_i) - g_c(x_i)."""
    C = T.shape[1]
    code = T.argmax(axis=1)
    parts = []
    for c in range(C):
        other = np.flatnonzero(code != c)
        outputs = V[code[other]] - V[c]
        parts.append((B[other][:, :, None] * outputs[:, None, :]).reshape(len(other), -1))
    return np.concatenate(parts)
