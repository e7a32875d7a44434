"""The certificate of a network with several outputs: all but the bound on sup ||eta||."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from ..certificate import Certificate, Scope
from ..checks import Array
from ..network import RidgeSpline
from ..network_certificate import MOST_ROUNDING
from .projection import nearby_radius

if TYPE_CHECKING:
    from ..multi_output import MultiOutputProblem

_UNIT_ROUNDOFF = 2.0**-53


class _Gap(NamedTuple):
    """Gap F - D(t Q), its scale t, and the bound U that it used."""

    gap: float
    scale: float
    bound: float


def certify_outputs(
    problem: MultiOutputProblem,
    network: RidgeSpline,
    sup_bound: float,
    scope: Scope,
    sup_attained: float | None,
    dual_point: Array | None,
) -> Certificate:
    """Return the certificate; see `MultiOutputProblem.certificate`."""
    loss, tiny = problem.loss, np.finfo(float).tiny
    with np.errstate(over="ignore", invalid="ignore"):
        primal = problem.objective(network)
    if not np.isfinite(primal):
        raise ValueError(
            f"the objective of the network is {primal}; it overflows, so rescale the network's "
            "amplitudes or the data."
        )
    fitted = problem.refit_affine(network.merged())
    Q = problem.dual_point(fitted) if dual_point is None else problem.project(dual_point)
    values = problem.eta(Q, fitted.weights, fitted.biases)
    attained = max(float(problem.dual_norm(values).max(initial=0.0)), sup_attained or 0.0)
    proved = _duality_gap(problem, fitted, Q, values, max(float(sup_bound), attained))
    resolved = resolution(problem, fitted)
    # Q = 0 is a dual point too: no objective is below sum_i s_i inf l(y_i, .).
    T, s = problem.live_targets, problem.live_weights
    least = -float(s @ loss.conjugate(T, np.zeros_like(T)))
    lost = _gain_of_refit(problem, network, fitted, primal)
    gap = max(float(min(proved.gap + lost, primal - least)), 0.0)
    return Certificate(
        primal=primal,
        dual=primal - gap,
        gap=gap,
        relative_gap=0.0 if gap <= resolved else gap / max(abs(primal), tiny),
        sup_bound=float(proved.bound),
        sup_attained=attained,
        scope=scope,
        alpha=problem.alpha,
        scale=float(proved.scale),
        n_neurons=fitted.n_neurons,
        sparsity_bound=problem.sparsity_bound,
        resolution=resolved,
        network=network,
        dual_point=Q,
        digest=problem.digest,
    )


def _duality_gap(
    problem: MultiOutputProblem, network: RidgeSpline, Q: Array, eta: Array, sup: float
) -> _Gap:
    """Return F(f) - D(t Q) in its cancellation-free form, for the best admissible t.

    gap(t) = sum_k (alpha ||a_k|| - t a_k.eta_k)
             + sum_i s_i [l(y_i, z_i) + l*(y_i, -t P_i) + t P_i.z_i] + rounding

    The last term bounds the error of the sums, and the difference to some Q - E nearby with
    [1 X]^T (Q - E) = 0 and rows in the affine hull of the domain, exactly: |E_ic| <= s_i r_ic,
    ||eta_E|| <= spare = 2 radius sum_i ||s_i r_i||.
    """
    loss, s, T = problem.loss, problem.live_weights, problem.live_targets
    A, alpha = network.amplitudes, problem.alpha
    own, z = Q[problem.live], network(problem.live_inputs)
    P = own / s[:, None]
    radius = nearby_radius(problem.affine, loss, T, own, s)
    spare = 2.0 * problem.radius * float(s @ np.linalg.norm(radius, axis=1))
    bound = sup + spare
    if not np.isfinite(bound):
        return _Gap(np.inf, 0.0, bound)
    limit = min(alpha / bound if bound > 0 else np.inf, loss.room(T, P, radius))
    t = loss.dual_scale(T, own, s, limit)
    costs, gains = alpha * problem.norm(A), t * (A * eta)
    fit = s * loss.fenchel_gap(T, z, t * P)
    size = float(costs.sum() + np.abs(gains).sum() + np.abs(fit).sum())
    size += float(s @ np.abs(loss.value(T, z)))
    rounding = (A.size + T.size + 8) * _UNIT_ROUNDOFF * size
    slope = np.abs(s[:, None] * loss.gradient(T, z)) + np.abs(t * own)
    rounding += 2.0 * float((slope * evaluation_error(problem, network)).sum())
    rounding += float(s @ loss.fenchel_change(T, z, t * P, abs(t) * radius))
    rounding += abs(t) * spare * float(problem.norm(A).sum())
    gap = float((costs - gains.sum(axis=1)).sum()) + float(fit.sum())
    return _Gap(max(gap, 0.0) + rounding, t, bound)


def evaluation_error(problem: MultiOutputProblem, network: RidgeSpline) -> Array:
    """Return a bound of the rounding error of t_i - z_i and of sums over rows, (n_live, D).

    (n + d + K + 8) u times the sum of the absolute values of the terms, u the unit roundoff.
    """
    X = np.abs(problem.live_inputs)
    terms = X @ np.abs(network.coef) + np.abs(network.intercept)
    hidden = X @ np.abs(network.weights.T) + np.abs(network.biases)
    terms += hidden @ np.abs(network.amplitudes) + np.abs(problem.live_targets)
    count = len(X) + problem.n_features + network.n_neurons + 8
    error: Array = count * _UNIT_ROUNDOFF * terms
    return error


def resolution(problem: MultiOutputProblem, network: RidgeSpline) -> float:
    """Return the objective that rounding alone produces when the network is evaluated.

    As for one output: never more than 1e-9 of the objective of the best constant, or what
    rounding the targets and an affine fit of them produces if that is more.
    """
    s, T, loss = problem.live_weights, problem.live_targets, problem.loss
    own = loss.resolution(s, 8.0 * evaluation_error(problem, network))
    spread = 1.0
    if loss.translates:
        mean = T[0] + s @ (T - T[0])
        spread = float(s @ loss.value(T, np.broadcast_to(mean, T.shape)))
    targets = loss.resolution(s, 4.0 * _UNIT_ROUNDOFF * np.abs(T))
    return min(own, max(MOST_ROUNDING * spread, targets))


def _gain_of_refit(
    problem: MultiOutputProblem, network: RidgeSpline, fitted: RidgeSpline, primal: float
) -> float:
    """Return an upper bound of F(network) - F(fitted), rounding of both included."""
    values = network(problem.live_inputs)
    slope = problem.loss.gradient(problem.live_targets, values) * problem.live_weights[:, None]
    better = problem.objective(fitted)
    if not better < np.inf:
        return 0.0
    count = slope.size + network.n_neurons + 8
    rounding = count * np.finfo(float).eps * (abs(primal) + abs(better))
    rounding += 2.0 * float((np.abs(slope) * evaluation_error(problem, network)).sum())
    return max(primal - better, 0.0) + rounding
