r"""Primal and dual value of a certificate, from their definitions.

For squared loss and any affine g, ``D(t q) = t sum_i q_i (y_i - g(x_i)) - t^2/2 sum_i q_i^2 / s_i``
if ``A^T q = 0``; with the affine fit of y for g nothing cancels. See `_verify_rows` for what stands
for a q that is only nearly in the null space, and for the bounds of rounding errors.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from ..problems import RadonTVProblem, RidgeSpline
from ..problems.checks import Array
from ._verify_rows import Rows, U, exact_sum

SAME = 1e-12
"""Normals, and biases relative to the largest, that agree to this are one hyperplane."""
_CHUNK = 1 << 22


@dataclass(frozen=True, eq=False)
class Primal:
    """The objective of a network, and what rounding does to it.

    Parameters
    ----------
    value : float
        F.
    error : float
        Bound of the error of `value`.
    n_neurons : int
        Neurons that are not equal.
    weights, biases : ndarray
        Their hyperplanes, for x itself.
    resolution : float
        Objective that rounding alone produces, for the network with its affine part as it is or
        refitted, whichever is larger.
    """

    value: float
    error: float
    n_neurons: int
    weights: Array
    biases: Array
    resolution: float


def merge(network: RidgeSpline) -> tuple[Array, Array, Array, Array, float]:
    """Return (a, w, b, c, c0) of the same function with one neuron per hyperplane.

    ``relu(-v) = relu(v) - v`` turns normals so that their first entry that is not zero up to `SAME`
    is positive; each neuron then joins the first one whose hyperplane is the same.
    """
    a, w, b = network.amplitudes, network.weights, network.biases
    live = a != 0.0
    a, w, b = a[live], w[live], b[live]
    c, c0 = network.coef, network.intercept
    if not len(a):
        return a, w, b, c, c0
    first = np.argmax(np.abs(w) > SAME, axis=1)
    sign = np.where(w[np.arange(len(w)), first] < 0.0, -1.0, 1.0)
    turned = np.where(sign < 0.0, a, 0.0)
    c, c0 = c + turned @ w, c0 - float(turned @ b)
    w, b = w * sign[:, None], b * sign
    planes = np.column_stack([w, b / (float(np.abs(b).max()) or 1.0)])
    owner = np.full(len(a), -1)
    for k in range(len(a)):
        if owner[k] < 0:
            same = (owner < 0) & (np.abs(planes - planes[k]).max(axis=1) <= SAME)
            owner[same] = k
    total = np.bincount(owner, weights=a, minlength=len(a))
    keep = total != 0.0
    return total[keep], w[keep], b[keep], c, c0


def primal_value(
    problem: RadonTVProblem, rows: Rows, network: RidgeSpline, claimed: float
) -> Primal:
    """Return sum_i s_i (y_i - f(x_i))^2 / 2 + alpha sum_k |a_k| of the network.

    Neurons that are equal or antipodal up to rounding are merged, unless the network as it stands
    comes closer to the claimed value.
    """
    a = network.amplitudes
    live = a != 0.0
    parts = (a[live], network.weights[live], network.biases[live], network.coef, network.intercept)
    merged = merge(network)
    first = _evaluate(problem, rows, merged)
    if len(merged[0]) == len(parts[0]):
        return first
    second = _evaluate(problem, rows, parts)
    return min(first, second, key=lambda primal: abs(primal.value - claimed))


def _evaluate(
    problem: RadonTVProblem, rows: Rows, parts: tuple[Array, Array, Array, Array, float]
) -> Primal:
    """Return the objective of a network given by its parts."""
    X, y, s = problem.X[problem.s > 0], rows.y, rows.s
    a, w, b, c, c0 = parts
    hidden, size = np.zeros(len(X)), np.zeros(len(X))
    step = max(1, _CHUNK // max(1, len(a)))
    for first in range(0, len(X), step):
        part = slice(first, first + step)
        hidden[part] = np.maximum(X[part] @ w.T - b, 0.0) @ a
        size[part] = (np.abs(X[part]) @ np.abs(w.T) + np.abs(b)) @ np.abs(a)
    residual = y - (hidden + X @ c + c0)
    count = X.shape[1] + len(a) + 16
    # The bound of the error holds for the sums above and for those of the maker's code.
    terms = np.abs(y) + size + np.abs(X) @ np.abs(c) + abs(c0)
    error = count * U * terms
    loss, penalty = exact_sum(s * residual * residual) / 2, problem.alpha * exact_sum(np.abs(a))
    coef, constant = rows.fit(y - hidden)
    intercept = abs(constant) + float(np.abs(coef) @ np.abs(rows.reference))
    refitted = np.abs(y) + size + np.abs(X) @ np.abs(coef) + intercept
    apart = (count + len(X)) * U * np.maximum(terms, refitted)
    rounding = (count + len(X)) * U * (loss + penalty)
    return Primal(
        value=loss + penalty,
        error=exact_sum(s * (np.abs(residual) + error) * error) + rounding,
        n_neurons=len(a),
        weights=w,
        biases=b,
        resolution=32.0 * exact_sum(s * apart * apart),
    )


def dual_value(
    rows: Rows, q: Array, defect: float, alpha: float, sup: float
) -> tuple[float, float]:
    """Return a lower bound of F*, and how far it may lie below D(t q) in exact arithmetic.

    The bound holds if ``sup |eta_{q - e}| <= sup`` with ``|| e / sqrt(s) || <= defect``:

        D(t (q - e)) >= D(t q) - |t| E (sum_i s_i (r_i - t q_i / s_i)^2)^1/2 - t^2/2 E^2

    with ``r = y - g(x)`` and the best admissible t.
    """
    if not math.isfinite(defect):
        return -math.inf, math.inf
    coef, constant = rows.fit(rows.y)
    fitted = rows.X @ coef + constant
    residual = rows.y - fitted
    terms = np.abs(rows.y) + np.abs(rows.X) @ np.abs(coef) + abs(constant)
    error = (rows.X.shape[1] + 8) * U * terms
    p = q / rows.s
    linear, square = exact_sum(q * residual), exact_sum(q * p)
    limit = alpha / sup * (1.0 - 4.0 * U) if sup > 0.0 else math.inf
    t = float(np.clip(linear / square, -limit, limit)) if square > 0.0 else 0.0
    value = t * linear - 0.5 * t * t * square
    spread = np.abs(residual) + error + abs(t) * np.abs(p)
    loss = abs(t) * defect * math.sqrt(exact_sum(rows.s * spread * spread))
    loss += 0.5 * (t * defect) ** 2
    loss += abs(t) * float(np.abs(q) @ error)
    loss += 8.0 * U * (abs(t) * float(np.abs(q) @ np.abs(residual)) + t * t * square)
    loss *= 1.0 + 1e-9
    return value - loss, loss
