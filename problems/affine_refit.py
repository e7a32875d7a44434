"""The affine part that fits best around given neurons, and the dual point that comes with it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from .affine_fit import fit_free, fit_with_multipliers, residual_size
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
    start = B.T @ (s * (own - offset))
    theta, p = fit_free(loss, y, s, offset, B, start, spread(problem))
    refitted = network.with_affine(*problem.affine.evaluate(theta))
    if p is None:
        targets, shifted = problem.without_offset(refitted)
        p = -loss.gradient(targets, problem.sampling.values(shifted))
    return refitted, p


def spread(problem: RadonTVProblem) -> float:
    """Return the size of the residuals, as `affine_fit.residual_size`; never 0."""
    y, s = problem.live_targets, problem.live_weights
    return residual_size(problem.loss, y, s, level=problem.skip == "affine") or 1.0


def width(problem: RadonTVProblem) -> float:
    """Return the mu of an `Envelope` for residuals of that size."""
    return natural_width(problem.loss, problem.live_targets, spread(problem))
