"""The certificate of a network: everything but the bound on sup |eta| is recomputed here."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from .balance import Balance
from .certificate import Certificate, Scope
from .checks import Array
from .dual import duality_gap
from .exact_fit_losses import BandLoss
from .hinge_sums import MANY
from .network import RidgeSpline
from .sums import running_roundings

if TYPE_CHECKING:
    from .problem import RadonTVProblem

MOST_ROUNDING = 1e-9
"""Part of the objective of the best constant that may be put down to rounding."""


def certify_network(
    problem: RadonTVProblem,
    network: RidgeSpline,
    sup_bound: float,
    scope: Scope,
    sup_attained: float | None,
    dual_point: Array | None,
) -> Certificate:
    """Return the certificate; see `RadonTVProblem.certificate`."""
    loss, tiny = problem.loss, np.finfo(float).tiny
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
    resolved = resolution(problem, fitted)
    if isinstance(loss, BandLoss):
        # What rounding the targets moves D(t q) = t q.y - ... by.
        unit = 8.0 * np.finfo(float).eps * float(np.abs(y).max())
        resolved = max(resolved, unit * abs(proved.scale) * float(np.abs(own).sum()))
    # q = 0 is a dual point too: no objective is below sum_i s_i inf l(y_i, .).
    least = -float(s @ loss.conjugate(y, np.zeros_like(y)))
    if np.isfinite(primal):
        lost = _gain_of_refit(problem, network, fitted, primal)
        gap = max(float(min(proved.gap + lost, primal - least)), 0.0)
        dual, relative = primal - gap, 0.0 if gap <= resolved else gap / max(abs(primal), tiny)
    else:
        gap = relative = np.inf
        dual = max(problem.dual_value(proved.scale * q), least)
    return Certificate(
        primal=primal,
        dual=dual,
        gap=gap,
        relative_gap=relative,
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
    X = np.abs(sampling.points)
    a = np.abs(network.amplitudes)
    terms = X @ (np.abs(network.coef) + a @ np.abs(network.weights))
    terms += abs(network.intercept) + float(a @ np.abs(network.biases))
    terms = np.abs(targets) + sampling.sizes(terms)
    n, K = len(sampling.points), network.n_neurons
    added = len(terms) + K
    if problem.n_features == 1 and n * K > MANY:
        added = running_roundings(n) + running_roundings(K)
    count = added + problem.n_features + 7 + sampling.depth
    error: Array = count * 0.5 * np.finfo(np.float64).eps * terms
    return error


def resolution(problem: RadonTVProblem, network: RidgeSpline) -> float:
    """Return the objective that rounding alone produces when the network is evaluated.

    `Loss.resolution` of 8 e_i, e_i the error of `evaluation_error`: with residuals no larger
    than e the terms of a gap add up to less than that. Never more than the
    larger of 1e-9 sum_i s_i l(y_i, mean y) and what rounding of the size of the targets produces: a
    network whose values rounding changes by more (huge terms that cancel, an offset that hides
    the targets) has not been evaluated, and its gap must not count as 0.
    """
    s, y, loss = problem.live_weights, problem.live_targets, problem.loss
    error = evaluation_error(problem, network)
    # The intercept is a rounded number, too.
    error = error + 0.5 * np.finfo(np.float64).eps * abs(network.intercept)
    own = loss.resolution(s, 8.0 * error)
    spread = 1.0
    if loss.translates:
        mean = float(y[0] + s @ (y - y[0]))
        spread = float(s @ loss.value(y, np.full_like(y, mean)))
    # Equal targets hide nothing: there a fit that is a few roundings off is exact.
    targets = loss.resolution(s, (0.5 if spread > 0.0 else 4.0) * np.spacing(np.abs(y)))
    return min(own, max(MOST_ROUNDING * spread, targets))


def _gain_of_refit(
    problem: RadonTVProblem, network: RidgeSpline, fitted: RidgeSpline, primal: float
) -> float:
    """Return an upper bound of F(network) - F(fitted), rounding of both included."""
    targets, shifted = problem.without_offset(network)
    slope = problem.live_weights * problem.loss.gradient(targets, problem.sampling.values(shifted))
    better = problem.objective(fitted)
    if not better < np.inf:
        return 0.0
    rounding = 16 * np.finfo(float).eps * (abs(primal) + abs(better))
    rounding += 2.0 * float(np.abs(slope) @ evaluation_error(problem, network))
    return max(primal - better, 0.0) + rounding
