"""The certificate of a network: everything but the bound on sup |eta| is recomputed here."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from .balance import Balance
from .certificate import Certificate, Scope
from .checks import Array
from .claim import claim, target_rounding
from .dual import duality_gap
from .exact_fit_losses import BandLoss
from .hinge_sums import MANY
from .network import RidgeSpline
from .rounding import UNIT_ROUNDOFF, gain_of_refit, resolution_of, spread_of, term_sizes
from .sums import running_roundings

if TYPE_CHECKING:
    from .problem import RadonTVProblem


def certify_network(
    problem: RadonTVProblem,
    network: RidgeSpline,
    sup_bound: float,
    scope: Scope,
    sup_attained: float | None,
    dual_point: Array | None,
) -> Certificate:
    """Return the certificate; see `RadonTVProblem.certificate`."""
    loss = problem.loss
    with np.errstate(over="ignore", invalid="ignore"):
        primal = problem.objective(network)
    if not np.isfinite(primal) and not isinstance(loss, BandLoss):
        raise ValueError(
            f"the objective of the network is {primal}; it overflows, so rescale the network's "
            "amplitudes or the data."
        )
    y, s = problem.live_targets, problem.live_weights
    fitted = problem.merged(network)
    if loss.smooth or dual_point is None:
        fitted = problem.refit_affine(fitted)
    targets, shifted = problem.without_offset(fitted)
    q = problem.dual_point(fitted) if dual_point is None else problem.project(dual_point)
    own = q[problem.live]
    amplitudes, values, kappa = problem.atoms(fitted, q)
    attained = max(float((np.abs(values) / kappa).max(initial=0.0)), sup_attained or 0.0)
    # What holds must hold for a vector nearby that is in the null space exactly.
    radius = Balance.of(problem, own / s).radius(own, s)
    spare = 2.0 * problem.radius * float((s * problem.sampling.reach) @ radius)
    bound = max(float(sup_bound), attained) + spare
    proved = duality_gap(
        loss,
        targets,
        s,
        problem.sampling.values(shifted),
        own,
        amplitudes,
        values,
        problem.alpha * kappa,
        problem.alpha,
        bound,
        evaluation_error(problem, fitted),
        radius,
        spare,
    )
    resolved = max(resolution(problem, fitted), target_rounding(loss, y, own, proved.scale))
    # q = 0 is a dual point too: no objective is below sum_i s_i inf l(y_i, .).
    least = -float(s @ loss.conjugate(y, np.zeros_like(y)))
    lost = _gain_of_refit(problem, network, fitted, primal) if np.isfinite(primal) else 0.0
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


def evaluation_error(problem: RadonTVProblem, network: RidgeSpline) -> Array:
    """Return a bound of the rounding error of y_i - z_i and of sums over rows, per live row.

    Both as they are evaluated, see `RadonTVProblem.without_offset`.

    (n + d + K + 8) u times the sum of the absolute values of the terms of y_i - z_i, u the
    unit roundoff of float64; with measurements m more terms per row count, and n and K in one
    dimension for little if the sums are those of `hinge_sums`.
    """
    sampling = problem.sampling
    targets, network = problem.without_offset(network)
    terms = np.abs(targets) + sampling.sizes(term_sizes(network, sampling.points))
    n, K = len(sampling.points), network.n_neurons
    added = len(terms) + K
    if problem.n_features == 1 and n * K > MANY:
        added = running_roundings(n) + running_roundings(K)
    count = added + problem.n_features + 7 + sampling.depth
    error: Array = count * UNIT_ROUNDOFF * terms
    return error


def resolution(problem: RadonTVProblem, network: RidgeSpline) -> float:
    """Return the objective that rounding alone produces; see `resolution_of`."""
    s, y, loss = problem.live_weights, problem.live_targets, problem.loss
    # The intercept is a rounded number, too.
    error = evaluation_error(problem, network) + UNIT_ROUNDOFF * abs(network.intercept)
    # Equal targets hide nothing: there a fit that is a few roundings off is exact.
    share = 0.5 if spread_of(loss, y, s) > 0.0 else 4.0
    return resolution_of(loss, y, s, error, share * np.spacing(np.abs(y)))


def _gain_of_refit(
    problem: RadonTVProblem, network: RidgeSpline, fitted: RidgeSpline, primal: float
) -> float:
    """Return an upper bound of F(network) - F(fitted), rounding of both included."""
    targets, shifted = problem.without_offset(network)
    slope = problem.live_weights * problem.loss.gradient(targets, problem.sampling.values(shifted))
    error = evaluation_error(problem, network)
    return gain_of_refit(primal, problem.objective(fitted), slope, error, 16)
