"""The certificate of a network with several outputs: all but the bound on sup ||eta||."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from ..certificate import Certificate, Scope
from ..checks import Array
from ..claim import claim, target_rounding
from ..network import RidgeSpline
from ..rounding import UNIT_ROUNDOFF, gain_of_refit, resolution_of, term_sizes
from .losses import SumOfOutputs
from .projection import nearby_radius

if TYPE_CHECKING:
    from ..multi_output import MultiOutputProblem


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
    loss = problem.loss
    with np.errstate(over="ignore", invalid="ignore"):
        primal = problem.objective(network)
    if not np.isfinite(primal) and not problem.constrained:
        raise ValueError(
            f"the objective of the network is {primal}; it overflows, so rescale the network's "
            "amplitudes or the data."
        )
    fitted = network.merged()
    if loss.smooth or dual_point is None:
        fitted = problem.refit_affine(fitted)
    T, s = problem.live_targets, problem.live_weights
    Q = problem.dual_point(fitted) if dual_point is None else problem.project(dual_point)
    values = problem.eta(Q, fitted.weights, fitted.biases)
    attained = max(float(problem.dual_norm(values).max(initial=0.0)), sup_attained or 0.0)
    proved = _duality_gap(problem, fitted, Q, values, max(float(sup_bound), attained))
    resolved = resolution(problem, fitted)
    if isinstance(loss, SumOfOutputs):
        resolved = max(resolved, target_rounding(loss.one, T, Q[problem.live], proved.scale))
    # Q = 0 is a dual point too: no objective is below sum_i s_i inf l(y_i, .).
    least = -float(s @ loss.conjugate(T, np.zeros_like(T)))
    lost = _gain_of_refit(problem, network, fitted, primal)
    dual_value = problem.dual_value(proved.scale * Q)
    made = claim(primal, proved.gap + lost, dual_value, least, resolved)
    return Certificate(
        primal=primal,
        dual=made.dual,
        gap=made.gap,
        relative_gap=made.relative_gap,
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
    rounding = (A.size + T.size + 8) * UNIT_ROUNDOFF * size
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
    X = problem.live_inputs
    terms = np.abs(problem.live_targets) + term_sizes(network, X)
    count = len(X) + problem.n_features + network.n_neurons + 8
    error: Array = count * UNIT_ROUNDOFF * terms
    return error


def resolution(problem: MultiOutputProblem, network: RidgeSpline) -> float:
    """Return the objective that rounding alone produces; see `resolution_of`."""
    T, error = problem.live_targets, evaluation_error(problem, network)
    targets = 4.0 * UNIT_ROUNDOFF * np.abs(T)
    return resolution_of(problem.loss, T, problem.live_weights, error, targets)


def _gain_of_refit(
    problem: MultiOutputProblem, network: RidgeSpline, fitted: RidgeSpline, primal: float
) -> float:
    """Return an upper bound of F(network) - F(fitted), rounding of both included."""
    values = network(problem.live_inputs)
    slope = problem.loss.gradient(problem.live_targets, values) * problem.live_weights[:, None]
    error, count = evaluation_error(problem, network), slope.size + network.n_neurons + 8
    return gain_of_refit(primal, problem.objective(fitted), slope, error, count)
