"""What is known about sup |eta|, and the floating-point error of evaluating eta."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..problems.rounding import UNIT_ROUNDOFF

Array = NDArray[np.float64]

MAX_WITNESSES = 64


@dataclass(frozen=True)
class SupBound:
    """Value reached by and upper bound on sup |eta(w, b)| over unit w and useful b.

    Attributes
    ----------
    attained : float
        ``|eta|`` at ``(weight, bias)``, recomputed by direct summation.
    bound : float
        Upper bound on sup |eta|, rounding included.
    weight : ndarray of shape (n_features,)
        Unit normal of the neuron that attains `attained`.
    bias : float
        Its bias.
    witnesses_weights : ndarray of shape (m, n_features)
        Unit normals of further neurons above the threshold, best first.
    witnesses_biases : ndarray of shape (m,)
        Their biases.
    complete : bool
        Whether the search finished: ``bound <= max(threshold, attained)`` up to the margin, or
        the level of the proof that was resumed.
    n_boxes : int
        Number of boxes (branch and bound) or candidates (sweeps) visited.
    seconds : float
        Wall-clock time.
    interrupted : bool
        Whether Ctrl-C ended the search.
    """

    attained: float
    bound: float
    weight: Array
    bias: float
    witnesses_weights: Array
    witnesses_biases: Array
    complete: bool
    n_boxes: int
    seconds: float
    interrupted: bool = False


def uninterrupted(found: SupBound) -> SupBound:
    """Return a result whose attained value shall be the sup, or pass Ctrl-C on that ended it."""
    if found.interrupted:
        raise KeyboardInterrupt
    return found


def null_space_defect(X: Array, q: Array) -> float:
    r"""Return a bound on ``|w . X^T q - b 1^T q|`` over unit w and useful b.

    ``||X^T q|| + R |1^T q|`` with ``R = max_i ||x_i||``, both sums correctly rounded.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_features)
        Inputs.
    q : ndarray of shape (n_samples,)
        Dual vector.
    """
    radius = float(np.sqrt(np.max(np.einsum("ij,ij->i", X, X), initial=0.0)))
    along = [math.fsum(float(v) for v in q * X[:, k]) for k in range(X.shape[1])]
    # The products are rounded once, the sums correctly: 4u covers both.
    slack = 4 * UNIT_ROUNDOFF * float(np.abs(q) @ (np.abs(X).sum(axis=1) + radius))
    return math.hypot(*along) + radius * abs(math.fsum(float(v) for v in q)) + slack


def rounding_margin(X: Array, q: Array, *, operations: int | None = None) -> float:
    r"""Return a bound on the floating-point error of eta, uniform in w and useful b.

    ``sqrt(d) gamma_N sum_i |q_i| (||x_i|| + R) + defect``,
    ``gamma_N = N u / (1 - N u)``, ``R = max_j ||x_j||``, ``u = 2^-53``.

    Derivation. Let ``||w|| = 1`` and ``b = w . x_j``, so ``|b| <= R``.

    * A sum of products computed with at most N roundings on any path from a datum to the result
      errs by at most ``gamma_N`` times the sum of the absolute values of its terms.
    * Terms of the relu form: ``|q_i| (sum_k |w_k x_ik| + |b|) <= |q_i| (||x_i|| + R)``, with
      ``n + d + 2`` roundings.
    * Terms of the half-abs form ``1/2 sum_i q_i |w . z_i|``, ``z_i = x_i - x_j`` rounded once:
      ``1/2 |q_i| ||z_i|| <= 1/2 |q_i| (||x_i|| + R)``, and the true forms differ by
      ``1/2 |w . X^T q - b 1^T q|``, at most half the defect (`null_space_defect`).
    * A box test of branch and bound replaces w by u with ``|u_k| <= 1 <= ||u||`` and bounds a
      quantity divided by ``||u||``. Its terms are ``1/2 |q_i| sum_k |z_ik| |s|`` with slopes
      ``|s| <= 1``, or radii of the same size, hence ``sqrt(d)``. g is the sum of n terms and is
      then moved by at most 4 sweeps, each n roundings of g: ``1/2 (5 n + 2 d + 64)`` in all. The
      walk through the vertices of a box adds ``2^min(d, 9)``.
      ``N = 16 (n + d) + 80 + 2^(min(d, 9) + 1)`` is well above the sum.
    * The bias of a slab is one more term, ``1/2 |q_i| |b|``, ``|b| <= max ||x_j||_1 <= sqrt(d) R``.
    * At the ends of the range of b, ``|eta|`` is at most the full defect; box tests ignore them.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_features)
        Inputs.
    q : ndarray of shape (n_samples,)
        Dual vector.
    operations : int, optional
        N; default ``16 (n + d) + 80 + 2^(min(d, 9) + 1)``.
    """
    n, d = X.shape
    count = 16 * (n + d) + 80 + 2 ** (min(d, 9) + 1) if operations is None else operations
    gamma = count * UNIT_ROUNDOFF / (1 - count * UNIT_ROUNDOFF)
    norms = np.sqrt(np.einsum("ij,ij->i", X, X))
    size = float(np.abs(q) @ (norms + np.max(norms, initial=0.0)))
    # The last factor covers the rounding of this very expression.
    return (math.sqrt(d) * gamma * size + null_space_defect(X, q)) * (1 + 4 * gamma)


def evaluate(X: Array, q: Array, weight: Array, bias: float) -> float:
    """Return ``sum_i q_i relu(w . x_i - b)`` with a correctly rounded sum.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_features)
        Inputs.
    q : ndarray of shape (n_samples,)
        Dual vector.
    weight : ndarray of shape (n_features,)
        Unit normal w.
    bias : float
        Bias b.
    """
    return math.fsum((q * np.maximum(X @ weight - bias, 0.0)).tolist())


def distinct(points: Sequence[tuple[float, Array, float]]) -> list[tuple[float, Array, float]]:
    """Return the points ``(value, w, b)`` best first, without near-duplicates.

    ``(w, b)`` and ``(-w, -b)`` are the same point; distances below 1e-6 (relative to the
    largest bias for b) count as equal, and at most `MAX_WITNESSES` are kept.

    Parameters
    ----------
    points : sequence of (float, ndarray of shape (n_features,), float)
        Values, unit normals and biases.
    """
    scale = max((abs(b) for _, _, b in points), default=0.0) or 1.0
    kept: list[tuple[float, Array, float]] = []
    rows = np.empty((MAX_WITNESSES, points[0][1].size + 1)) if points else np.empty((0, 0))
    for value, w, b in sorted(points, key=lambda point: -point[0]):
        row = np.append(w, b / scale)
        old = rows[: len(kept)]
        if kept and min(abs(old - row).max(1).min(), abs(old + row).max(1).min()) < 1e-6:
            continue
        rows[len(kept)] = row
        kept.append((value, w, b))
        if len(kept) == MAX_WITNESSES:
            break
    return kept


def assemble(
    X: Array,
    q: Array,
    points: Sequence[tuple[Array, float]],
    *,
    threshold: float,
    bound: float,
    complete: bool,
    n_boxes: int,
    seconds: float,
) -> SupBound:
    """Return the `SupBound` whose values are recomputed at the given points.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_features)
        Inputs.
    q : ndarray of shape (n_samples,)
        Dual vector.
    points : sequence of (ndarray of shape (n_features,), float)
        Candidates (w, b).
    threshold : float
        Candidates above it, other than the best, become witnesses.
    bound : float
        Upper bound on sup |eta|; raised to `attained` if that is larger.
    complete : bool
        Whether the search finished.
    n_boxes : int
        Boxes visited.
    seconds : float
        Time used.
    """
    valued = [(abs(evaluate(X, q, w, b)), w, b) for w, b in points]
    return assemble_valued(
        valued,
        X.shape[1],
        threshold=threshold,
        bound=bound,
        complete=complete,
        n_boxes=n_boxes,
        seconds=seconds,
    )


def assemble_valued(
    points: Sequence[tuple[float, Array, float]],
    n_features: int,
    *,
    threshold: float,
    bound: float,
    complete: bool,
    n_boxes: int,
    seconds: float,
) -> SupBound:
    """Return the `SupBound` of points (|eta|, w, b); see `assemble`."""
    valued = distinct(points)
    first = np.zeros(n_features)
    first[0] = 1.0
    attained, weight, bias = valued[0] if valued else (0.0, first, 0.0)
    others = [(w, b) for value, w, b in valued[1:] if value > threshold]
    return SupBound(
        attained=attained,
        bound=max(bound, attained),
        weight=weight,
        bias=bias,
        witnesses_weights=np.array([w for w, _ in others]).reshape(-1, n_features),
        witnesses_biases=np.array([b for _, b in others], dtype=np.float64),
        complete=complete,
        n_boxes=n_boxes,
        seconds=seconds,
    )
