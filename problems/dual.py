"""The dual certificate eta of a dual point, and the gap it proves.

With q in R^n, A^T q = 0 (A = [1 X]) and U >= sup |eta_q(w, b)| over all ||w||_2 = 1 and b,

    eta_q(w, b) = sum_i q_i relu(w.x_i - b),        D(t q) = -sum_i s_i l*(y_i, -t p_i),  p = q / s

D(t q) is a lower bound of the optimal value for every t with t U <= alpha and t q in the domain
of l* (Fenchel duality; Parhi and Nowak, "Deep learning meets sparse regularization", 2023, for
the primal; the derivation is in docs/mathematics.md).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from .checks import Array
from .hinge_sums import MANY, line_eta
from .losses import Loss
from .rounding import UNIT_ROUNDOFF
from .sums import exact_sum

_CHUNK = 1 << 22


def eta(X: Array, q: Array, weights: Array, biases: Array) -> Array:
    """Return eta_q(w_k, b_k) = sum_i q_i relu(w_k.x_i - b_k), shape (n_neurons,)."""
    if X.shape[1] == 1 and len(X) * len(weights) > MANY:
        w = weights[:, 0]
        return np.abs(w) * line_eta(X[:, 0], q, w, biases / np.abs(w))
    values = np.empty(len(weights))
    step = max(1, _CHUNK // max(1, len(X)))
    for start in range(0, len(weights), step):
        part = slice(start, start + step)
        values[part] = q @ np.maximum(X @ weights[part].T - biases[part], 0.0)
    return values


class DualGap(NamedTuple):
    """Gap F - D(t q), its scale t, and the part of it that bounds floating-point error."""

    gap: float
    scale: float
    rounding: float


def duality_gap(
    loss: Loss,
    y: Array,
    s: Array,
    z: Array,
    q: Array,
    amplitudes: Array,
    eta_values: Array,
    prices: Array,
    alpha: float,
    sup_bound: float,
    error: Array,
    radius: Array,
    spare: float,
) -> DualGap:
    """Return F(f) - D(t q) in its cancellation-free form, for the best admissible t.

    gap(t) = sum_k (alpha kappa_k |a_k| - t a_k eta_k)
             + sum_i s_i [l(y_i, z_i) + l*(y_i, -t p_i) + t p_i z_i] + rounding

    `rounding` bounds the error of the sums, and the difference to a q - e that has
    A^T (q - e) = 0 exactly: with |e_i| / s_i <= radius_i and |eta_e| <= `spare` it is at most
    sum_i s_i `Loss.fenchel_change` + t spare sum_k |a_k|. t is such that t (q - e) stays in the
    domain of l*, too.

    Parameters
    ----------
    loss, y, s : Loss, ndarray of shape (n,), ndarray of shape (n,)
        Data with positive weights.
    z : ndarray of shape (n,)
        Fitted values of the network.
    q : ndarray of shape (n,)
        Dual point with A^T q = 0 up to rounding.
    amplitudes, eta_values : ndarray of shape (n_neurons,)
        a_k and eta_q(w_k, b_k).
    prices : ndarray of shape (n_neurons,)
        alpha kappa_k.
    alpha, sup_bound : float
        Penalty, and U above, valid for q - e.
    error : ndarray of shape (n,)
        Bound of the floating-point error of z, and of what q.z sums up.
    radius : ndarray of shape (n,)
        Bound of |e_i| / s_i.
    spare : float
        Bound of |eta_e|.
    """
    limit = min(
        alpha / sup_bound if sup_bound > 0 else np.inf,
        _room(*loss.dual_interval(y), q / s, radius),
    )
    t = loss.dual_scale(y, q, s, limit)
    atoms = prices * np.abs(amplitudes) - t * amplitudes * eta_values
    fit = s * loss.fenchel_gap(y, z, t * q / s)
    size = (
        float(np.sum(prices * np.abs(amplitudes) + np.abs(t * amplitudes * eta_values)))
        + float(np.sum(s * loss.value(y, z)))
        + float(np.sum(np.abs(fit)))
    )
    # Sums are rounded once, their terms a few times.
    rounding = 16 * UNIT_ROUNDOFF * size
    slope = np.abs(s * loss.gradient(y, z)) + np.abs(t * q)
    rounding += 2.0 * float(slope @ error)
    # Where nothing is known of e only t = 0 is left, and there e does not matter.
    shift = abs(t) * radius if t != 0.0 else np.zeros_like(radius)
    change = loss.fenchel_change(y, z, t * q / s, shift)
    rounding += float(s @ np.where(shift > 0.0, change, 0.0))
    rounding += 0.0 if t == 0.0 else abs(t) * spare * float(np.abs(amplitudes).sum())
    gap = exact_sum(atoms) + exact_sum(fit) if np.isfinite(fit).all() else np.inf
    return DualGap(max(gap, 0.0) + rounding, t, rounding)


def _room(low: Array, high: Array, p: Array, radius: Array) -> float:
    """Return the largest t with low <= t (p - e / s) <= high for all |e_i| / s_i <= radius_i."""
    top, bottom = p + radius, p - radius
    with np.errstate(divide="ignore", invalid="ignore"):
        above = np.where(top > 0.0, high / top, np.inf)
        below = np.where(bottom < 0.0, low / bottom, np.inf)
    return float(min(above.min(initial=np.inf), below.min(initial=np.inf)))
