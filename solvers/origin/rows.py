r"""Rows of a problem whose neurons turn about the origin, scaled so that nothing overflows.

``eta(w) = sum_i q_i relu(w . x_i)`` for unit w in R^p: no bias, and no condition on q. With
``s = sum_i q_i x_i`` it is ``1/2 sum_i q_i |w . x_i| + 1/2 w . s``, hence not even:
``eta(w) - eta(-w) = w . s``. As eta is positively homogeneous in every row, row i may be divided by
any power of two that multiplies q_i, which is exact.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ...problems.rounding import UNIT_ROUNDOFF
from ..frontier import Ints
from ..oracle import MAX_WITNESSES, Array, SupBound

SAME = 1e-6
"""Distance of two directions below which the lower one is no separate witness."""


def scaled_rows(X: Array) -> tuple[Array, Ints]:
    """Return rows with entries in [-1, 1] and exponents k, ``x_i = 2^k_i row_i``; k = 0 for 0."""
    exponents = np.frexp(np.abs(X).max(axis=1, initial=0.0))[1].astype(np.int64)
    return np.ldexp(X, -exponents[:, None]), exponents


def scaled_weights(q: Array, exponents: Ints) -> tuple[Array, int]:
    """Return p and E with ``q_i 2^k_i = 2^E p_i``, the largest |p_i| in [1/2, 1)."""
    mantissas, own = np.frexp(q)
    total = own.astype(np.int64) + exponents
    unit = int(total[q != 0.0].max(initial=-(2**20))) if np.any(q) else 0
    # Far below the largest weight the result is 0; numpy takes exponents of 32 bits.
    return np.ldexp(mantissas, np.maximum(total - unit, -4000)), unit


def in_units(values: Array | float, exponent: int) -> Array:
    """Return ``2^exponent values``; inf and 0 beyond the range of numbers."""
    with np.errstate(over="ignore", under="ignore"):
        return np.asarray(np.ldexp(values, min(max(exponent, -4000), 4000)), dtype=np.float64)


def size_of(X: Array, q: Array) -> float:
    """Return ``sum_i |q_i| ||x_i||``, which bounds all terms of eta together."""
    return float(np.abs(q) @ np.linalg.norm(X, axis=1))


def origin_margin(X: Array, q: Array) -> float:
    r"""Return a bound on the floating-point error of eta and of its bounds, uniform in unit w.

    ``sqrt(p) gamma_N sum_i |q_i| ||x_i||``, ``gamma_N = N u / (1 - N u)``, ``u = 2^-53``,
    ``N = 16 (n + p) + 80 + 2^(min(p, 9) + 1)``, for scaled rows.

    Derivation. A sum with at most N roundings on any path from a datum to the result errs by at
    most ``gamma_N`` times the sum of the absolute values of its terms.

    * Terms of the relu form are at most ``|q_i| ||x_i||``, with n + p + 2 roundings. Nothing is
      subtracted from x_i, and q obeys no condition, so there is no defect of either.
    * The two halves of ``1/2 sum_i q_i |w . x_i| + 1/2 w . s`` have terms of half that size, and s
      has n + 1 roundings of its own.
    * A box test replaces w by u with ``|u_k| <= 1 <= ||u||`` and bounds a quantity divided by
      ``||u||``: the sum of the terms ``|q_i| sum_k |x_ik| |slope|``, slopes or chords at most 1, is
      at most sqrt(p) times as large. g is a sum of n terms and s, moved by at most 4 sweeps, each n
      roundings of g: 6 n + 4 p + 64; vertices of a box add ``2^min(p, 9)``. Thresholds beyond the
      size of all terms are lowered to it, so theirs round no worse.
    * A sweep adds to a running g once for each row: 2 n + p + 32 roundings, and turns it into a
      frame of three axes.

    What underflows when rows are scaled is below ``2^-1000`` of the largest term for each entry.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_features)
        Rows with entries of size at most 1.
    q : ndarray of shape (n_samples,)
        Weights of size at most 1.
    """
    n, p = X.shape
    count = 16 * (n + p) + 80 + 2 ** (min(p, 9) + 1)
    gamma = count * UNIT_ROUNDOFF / (1 - count * UNIT_ROUNDOFF)
    # The last factor covers the rounding of this very expression.
    margin: float = math.sqrt(p) * gamma * size_of(X, q) * (1 + 4 * gamma) + n * p * 2.0**-1000
    return margin


def values_at(X: Array, q: Array, directions: Array) -> Array:
    """Return eta at the rows of `directions`, each sum correctly rounded."""
    terms = q * np.maximum(directions @ X.T, 0.0)
    return np.array([math.fsum(row.tolist()) for row in terms], dtype=np.float64)


@dataclass(frozen=True, eq=False)
class OriginRows:
    """Scaled rows that count, in coordinates of the space that they span.

    Attributes
    ----------
    full : ndarray of shape (m, n_features)
        Rows with ``q_i != 0`` and ``x_i != 0``, divided by powers of two.
    X : ndarray of shape (m, rank)
        The same rows in an orthonormal basis of their span; `full` itself if that is everything.
    q : ndarray of shape (m,)
        Weights, at most 1 in size.
    basis : ndarray of shape (n_features, rank)
        Columns are the basis; None if rank is n_features.
    exponent : int
        ``eta(w) = 2^exponent sum_i q_i relu(w . full_i)``.
    stretch, moved : float
        ``sup |eta|`` of `full` is at most ``stretch sup + moved``, sup that of `X`.
    """

    full: Array
    X: Array
    q: Array
    basis: Array | None
    exponent: int
    stretch: float
    moved: float

    @classmethod
    def of(cls, X: Array, q: Array) -> OriginRows:
        """Scale the rows, leave out those without effect, and find the space they span.

        ``w . x = (V^T w) . (V^T x) + w . (x - V V^T x)`` for any V: the first term is bounded by
        ``||V|| <= stretch`` times the reduced sup, the second by `moved`, both with rounding.
        """
        live = (q != 0.0) & np.any(X != 0.0, axis=1)
        full, exponents = scaled_rows(np.ascontiguousarray(X[live]))
        weights, exponent = scaled_weights(q[live], exponents)
        m, p = full.shape
        sigma, vt = np.linalg.svd(full, full_matrices=False)[1:]
        tol = 8 * max(m, p) * np.finfo(np.float64).eps * (sigma[0] if sigma.size else 0.0)
        rank = int((sigma > tol).sum())
        if rank == p:
            return cls(full, full, weights, None, exponent, 1.0, 0.0)
        basis = np.ascontiguousarray(vt[:rank].T)
        reduced = np.ascontiguousarray(full @ basis)
        defect = float(np.linalg.norm(basis.T @ basis - np.eye(rank)))
        error = 16 * (p + 4) * p * UNIT_ROUNDOFF
        rest = size_of(full - reduced @ basis.T, weights) + error * size_of(full, weights)
        return cls(full, reduced, weights, basis, exponent, 1.0 + defect + error, rest)

    @property
    def cheap(self) -> float:
        """Return ``max_sigma sum_{sigma q_i > 0} |q_i| ||x_i||`` >= sup |eta|, with rounding."""
        norms = np.linalg.norm(self.X, axis=1)
        most = max(float(np.maximum(sign * self.q, 0.0) @ norms) for sign in (1.0, -1.0))
        return most + origin_margin(self.X, self.q)

    def lower(self, threshold: float) -> float:
        """Return the threshold for the scaled, reduced rows that proves the given one."""
        scaled = float(in_units(threshold, -self.exponent))
        return max((scaled - self.moved) / self.stretch * (1 - 16 * UNIT_ROUNDOFF), 0.0)

    def raised(self, bound: float) -> float:
        """Return the bound for the original rows, rounded up, from one for the reduced rows."""
        raised = (bound * self.stretch + self.moved) * (1 + 4 * UNIT_ROUNDOFF)
        # A number below the normal range was rounded.
        return math.nextafter(float(in_units(raised, self.exponent)), math.inf)

    def report(
        self,
        directions: Sequence[Array],
        threshold: float,
        bound: float,
        *,
        complete: bool,
        n_boxes: int,
        seconds: float,
        interrupted: bool = False,
    ) -> SupBound:
        """Return the `SupBound` with values recomputed at the given reduced directions.

        Parameters
        ----------
        directions : sequence of ndarray of shape (rank,)
            Candidates; those above the threshold, other than the best, become witnesses. w and -w
            are different points.
        threshold : float
            In original units.
        bound : float
            Upper bound for the reduced rows, rounding included.
        complete, n_boxes, seconds, interrupted
            See `SupBound`.
        """
        p = self.full.shape[1]
        none = [np.zeros((0, self.X.shape[1]))]
        W = np.vstack([np.atleast_2d(w) for w in directions] or none)
        W = W if self.basis is None else W @ self.basis.T
        W = W / np.linalg.norm(W, axis=1, keepdims=True) if len(W) else np.eye(1, p)
        values = np.abs(values_at(self.full, self.q, W))
        kept: list[int] = []
        for k in np.argsort(-values, kind="stable"):
            if not kept or np.abs(W[kept] - W[k]).max(axis=1).min() >= SAME:
                kept.append(int(k))
            if len(kept) == MAX_WITNESSES:
                break
        attained = in_units(values, self.exponent)
        others = [k for k in kept[1:] if attained[k] > threshold]
        raised = self.raised(bound) if len(self.q) else 0.0
        return SupBound(
            attained=float(attained[kept[0]]),
            bound=max(raised, float(attained[kept[0]])),
            weight=W[kept[0]],
            bias=0.0,
            witnesses_weights=W[others],
            witnesses_biases=np.zeros(len(others)),
            complete=complete,
            n_boxes=n_boxes,
            seconds=seconds,
            interrupted=interrupted,
        )
