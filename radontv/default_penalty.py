"""The penalty of a fit that names none: a multiple of the least one with an affine fit."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .one_vs_rest import affine_from
from .problems import RadonTVProblem
from .problems.exact_fit_losses import BandLoss
from .problems.loss_base import Loss
from .problems.multi_output import MultiOutputProblem
from .solvers.kinds import sup_of_outputs
from .solving import FitProblem

Array = NDArray[np.float64]

DEFAULT_RATIO = 0.01
"""`alpha=None` stands for this multiple of alpha_max."""


def largest_alpha(problem: FitProblem) -> float:
    """Return alpha_max, for a loss with kinks or constraints a bound above it or 1.

    From there on the fit is affine. With constraints alpha is only a unit, which may be 1.
    """
    if _constrained(problem):
        return 1.0
    if isinstance(problem, RadonTVProblem):
        return affine_from(problem)
    if isinstance(problem, MultiOutputProblem) and not problem.loss.smooth:
        return problem.alpha_max(sup_of_outputs)
    return problem.alpha_max()


def alpha_for(problem: FitProblem, largest: float, ratio: float = DEFAULT_RATIO) -> float:
    """Return ratio * alpha_max, or a tiny positive number if the targets are affine.

    The data count as affine if alpha_max is explained by rounding of the targets, that is
    alpha_max <= 1000 u rms(y) rms(|z|) with u the unit roundoff; that number is returned, or 1
    where it is 0. In place of a |y_i| above the largest slope of the loss stands that slope.

    Parameters
    ----------
    problem : RadonTVProblem, MultiOutputProblem or OneVsRest
        Its `alpha` is not used.
    largest : float
        alpha_max of the problem.
    ratio : float
    """
    if _constrained(problem):
        return 1.0  # alpha is only a unit
    length = np.sqrt(problem.s @ (problem.X**2).sum(axis=1))
    noise = 1e3 * np.finfo(np.float64).eps * float(_size_of_targets(problem) * length)
    if largest > noise:
        return float(ratio * largest)
    return noise or 1.0


def _constrained(problem: FitProblem) -> bool:
    """Return whether the loss, of one output or of each of several, is 0 or infinite."""
    return isinstance(getattr(problem.loss, "one", problem.loss), BandLoss)


def _size_of_targets(problem: FitProblem) -> float:
    """Return sqrt(sum_i s_i m_i^2), m_i the lesser of |y_i| and the largest slope of the loss."""
    if isinstance(problem, MultiOutputProblem):
        targets, loss = problem.targets, getattr(problem.loss, "one", None)
    else:
        part = problem if isinstance(problem, RadonTVProblem) else problem.problems[0]
        targets, loss = part.y[:, None], part.loss
    size = np.abs(targets) if loss is None else np.minimum(np.abs(targets), _slope(loss, targets))
    return float(np.sqrt(problem.s @ (size**2).sum(axis=1)))


def _slope(loss: Loss, y: Array) -> Array:
    low, high = loss.dual_interval(y)
    return np.maximum(np.abs(low), np.abs(high))
