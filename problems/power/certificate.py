"""The certificate of a spline of order m: everything but the bound on sup |eta| is recomputed."""

from __future__ import annotations

from math import factorial
from typing import TYPE_CHECKING

import numpy as np

from ..certificate import Certificate, Scope
from ..checks import Array
from ..claim import claim, target_rounding
from ..dual import duality_gap
from ..exact_fit_losses import BandLoss
from ..rounding import UNIT_ROUNDOFF, gain_of_refit, resolution_of
from .spline import PowerSpline

if TYPE_CHECKING:
    from ..higher_order import HigherOrderProblem


def certify_spline(
    problem: HigherOrderProblem,
    network: PowerSpline,
    sup_bound: float,
    scope: Scope,
    sup_attained: float | None,
    dual_point: Array | None,
) -> Certificate:
    """Return the certificate; see `HigherOrderProblem.certificate`."""
    loss, y, s = problem.loss, problem.live_targets, problem.live_weights
    with np.errstate(over="ignore", invalid="ignore"):
        primal = problem.objective(network)
    if not np.isfinite(primal) and not isinstance(loss, BandLoss):
        raise ValueError(
            f"the objective of the network is {primal}; it overflows, so rescale the network's "
            "amplitudes or the data."
        )
    fitted = network.merged()
    if loss.smooth or dual_point is None:
        fitted = problem.refit_polynomial(fitted)
    q = problem.dual_point(fitted) if dual_point is None else problem.project(dual_point)
    own = q[problem.live]
    values = problem.eta(q, fitted.weights, fitted.biases)
    attained = max(float(np.abs(values).max(initial=0.0)), sup_attained or 0.0)
    # What holds must hold for a vector nearby that is in the null space exactly.
    radius = problem.balance(own / s).radius(own, s)
    moved = float(s @ radius)
    spare = problem.largest_atom * moved
    # Biases outside the data are allowed: there an atom may be larger.
    reach = problem.radius + np.abs(fitted.weights @ problem.affine.mean - fitted.biases)
    largest = float(reach.max(initial=0.0)) ** problem.degree / factorial(problem.degree)
    bound = max(float(sup_bound), attained) + spare
    error = evaluation_error(problem, fitted)
    proved = duality_gap(
        loss,
        y,
        s,
        fitted(problem.X[problem.live]),
        own,
        fitted.amplitudes,
        values,
        np.full(fitted.n_neurons, problem.alpha),
        problem.alpha,
        bound,
        error,
        radius,
        max(spare, largest * moved),
    )
    resolved = float(max(resolution(problem, error), target_rounding(loss, y, own, proved.scale)))
    # q = 0 is a dual point too: no objective is below sum_i s_i inf l(y_i, .).
    least = -float(s @ loss.conjugate(y, np.zeros_like(y)))
    lost = _gain_of_refit(problem, network, fitted, primal)
    dual_value = problem.dual_value(proved.scale * q)
    made = claim(primal, proved.gap + lost, dual_value, least, resolved)
    return Certificate(
        primal=primal,
        dual=made.dual,
        gap=made.gap,
        relative_gap=made.relative_gap,
        sup_bound=bound,
        sup_attained=attained,
        scope=scope,
        alpha=problem.alpha,
        scale=proved.scale,
        n_neurons=fitted.n_neurons,
        sparsity_bound=problem.sparsity_bound,
        resolution=resolved,
        network=network,
        dual_point=q,
        digest=problem.digest,
    )


def evaluation_error(problem: HigherOrderProblem, network: PowerSpline) -> Array:
    """Return a bound of the rounding error of y_i - z_i and of sums over rows, per live row.

    A computed t = w.x - b is off by at most delta = (d + 2) u (|w|.|x| + |b|), an atom by

        psi_m'(max(t, -delta) + delta) delta + (m + 2) u psi_m(t)

    a monomial by (m - 1)(d + 4) u times its size; sums of c terms add c u times the sum of sizes.
    """
    X = problem.X[problem.live]
    p, u = problem.degree, UNIT_ROUNDOFF
    delta = (
        (problem.n_features + 2)
        * u
        * (np.abs(X) @ np.abs(network.weights.T) + np.abs(network.biases))
    )
    up = np.maximum(X @ network.weights.T - network.biases + delta, 0.0) + delta
    size = up**p / factorial(p) @ np.abs(network.amplitudes)
    slip = (up ** (p - 1) / factorial(p - 1) * delta) @ np.abs(network.amplitudes)
    terms = np.abs(problem.live_targets) + network.polynomial.sizes(X) + size
    count = len(X) + network.n_neurons + len(network.polynomial.coefficients)
    count += p * (problem.n_features + 4) + 8
    error: Array = 1.01 * (slip + count * u * terms)
    return error


def resolution(problem: HigherOrderProblem, error: Array) -> float:
    """Return the objective that rounding alone produces, with errors from `evaluation_error`.

    See `resolution_of`; targets are rounded in each of the rank A_m terms of the polynomial, in its
    value and in themselves.
    """
    y = problem.live_targets
    targets = (problem.affine.size + 3) * UNIT_ROUNDOFF * np.abs(y)
    return resolution_of(problem.loss, y, problem.live_weights, error, targets)


def _gain_of_refit(
    problem: HigherOrderProblem, network: PowerSpline, fitted: PowerSpline, primal: float
) -> float:
    """Return an upper bound of F(network) - F(fitted), rounding of both included."""
    X = problem.X[problem.live]
    slope = problem.live_weights * problem.loss.gradient(problem.live_targets, network(X))
    count = len(slope) + network.n_neurons + 8
    error = evaluation_error(problem, network)
    return gain_of_refit(primal, problem.objective(fitted), slope, error, count)
