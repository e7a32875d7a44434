"""The affine part that fits best around given neurons, and the dual point that comes with it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from .affine_fit import fit_smooth, fit_with_multipliers
from .checks import Array
from .envelope import natural_width
from .network import RidgeSpline

if TYPE_CHECKING:
    from .problem import RadonTVProblem


def refit(problem: RadonTVProblem, network: RidgeSpline) -> tuple[RidgeSpline, Array]:
    """Return the network with refitted affine part, and the pseudo-residuals p of live rows.

    Without a skip connection the network stays as it is.
    """
    loss, y, s = problem.loss, problem.live_targets, problem.live_weights
    own, B = problem.sampling.values(network), problem.affine.columns
    if problem.skip == "none":
        if loss.smooth:
            return network, -loss.gradient(y, own)
        return network, fit_with_multipliers(loss, y, s, own, B, width(problem))[1]
    offset = problem.sampling.values(network.with_affine(np.zeros(problem.n_features), 0.0))
    p: Array | None = None
    if loss.quadratic:
        theta = B.T @ (s * (y - offset))
        theta = theta + B.T @ (s * (y - offset - B @ theta))
    elif not loss.sharp(spread(problem)):
        theta = fit_smooth(loss, y, s, offset, B, B.T @ (s * (own - offset)))
    else:
        theta, p = fit_with_multipliers(loss, y, s, offset, B, width(problem))
    refitted = network.with_affine(*problem.affine.evaluate(theta))
    if p is None:
        p = -loss.gradient(y, problem.sampling.values(refitted))
    return refitted, p


def spread(problem: RadonTVProblem) -> float:
    """Return the size of the residuals of a constant fit, 1 for losses of other things."""
    y, s = problem.live_targets, problem.live_weights
    size = float(s @ np.abs(y - s @ y)) if problem.loss.translates else 1.0
    return size if size > 0.0 else 1.0


def width(problem: RadonTVProblem) -> float:
    """Return the mu of an `Envelope` for residuals of that size."""
    return natural_width(problem.loss, problem.live_targets, spread(problem))
