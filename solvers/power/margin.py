"""Bounds of eta of order m over all hyperplanes that meet the data: of its rounding, of itself."""

from __future__ import annotations

import math

import numpy as np

from ...problems.checks import Array
from ...problems.power.polynomials import all_exponents, factors_of, monomials
from ...problems.rounding import UNIT_ROUNDOFF


def moment_defect(X: Array, q: Array, order: int) -> float:
    """Return a bound of |sum_i q_i (w.x_i - b)^p| / p!, p = m - 1, over unit w and |b| <= R.

        sum_k C(p, k) R^(p-k) ||M_k|| / p!,    ||M_k||^2 = sum_{|e| = k} k! / e! (sum_i q_i x_i^e)^2

    M_k is the tensor of moments of order k, R = max |x_i|. It is rounding if A_m^T q = 0. Each
    moment is a correctly rounded sum of products that are rounded p times.
    """
    p = order - 1
    radius = float(np.linalg.norm(X, axis=1).max(initial=0.0))
    exponents = all_exponents(X.shape[1], p)
    V = monomials(X, factors_of(exponents))
    slip = 2 * order * UNIT_ROUNDOFF * (np.abs(q) @ np.abs(V))
    moments = np.array([abs(math.fsum((q * column).tolist())) for column in V.T]) + slip
    degree = exponents.sum(axis=1)
    factorial = np.array([math.factorial(k) for k in range(p + 1)], dtype=np.float64)
    weight = factorial[degree] / np.prod(factorial[exponents], axis=1)
    total = 0.0
    for k in range(p + 1):
        part = degree == k
        size = math.sqrt(float(weight[part] @ (moments[part] ** 2)))
        total += math.comb(p, k) * radius ** (p - k) * size
    return total / math.factorial(p) * (1.0 + 1e-12)


def power_margin(X: Array, q: Array, order: int, *, boxes: bool = False) -> float:
    """Return a bound of the error of a computed bound of |eta|, over unit w and useful b.

    The value is a sum over points, in which rounding is at most gamma_N = N u / (1 - N u) of

        sum_i |q_i| reach_i^p / p!,   reach_i >= |w.x_i - b|, and in boxes >= |t_i| + rho_i

    * Along a line the v_k of `_kernels.line_candidates` pass n knots with at most 2 p + 4
      roundings each; reach_i = |x_i| + R. A computed root of the derivative is off by a relative u
      and a value near it by less than the rounding of the polynomial itself.
    * In a box |u_k| <= 1 and |beta| <= B, so that reach_i = |x_i|_1 + B with B = 2 max |x_i|_1,
      what `sup` uses at most. Value, slope and curvature of a point add up to at most
      (|t| + rho)^p / p! times 2; t and rho are sums of d + 1 terms, a p-th power multiplies their
      relative error by p, and (d + 1)^2 products follow. What is subtracted for T is a multiple of
      T <= sum_i |q_i| reach_i^p / p! by at most d^(p/2).
    * Both use the parity of eta, wrong by at most `moment_defect`.
    """
    n, d = X.shape
    p = order - 1
    if boxes:
        size = np.abs(X).sum(axis=1)
        reach = size + 2.0 * float(size.max(initial=0.0))
        count = 4.0 * (n + p * (2 * d + 8) + 2 * (d + 1) ** 2 + 32) * (2.0 + d ** (0.5 * p))
    else:
        size = np.linalg.norm(X, axis=1)
        reach = size + float(size.max(initial=0.0))
        count = (2.0 * p + 4.0) * n + 2.0 * p * (d + 4) + 64.0
    gamma = count * UNIT_ROUNDOFF / (1.0 - count * UNIT_ROUNDOFF)
    total = float(np.abs(q) @ reach**p) / math.factorial(p)
    margin: float = (gamma * total + moment_defect(X, q, order)) * (1.0 + 4.0 * gamma)
    return margin


def cheap_bound(X: Array, q: Array, order: int) -> float:
    """Return sum_i |q_i| (|x_i| + R)^p / p!, p = m - 1, R = max |x_j|: above |eta| for |b| <= R."""
    p, norms = order - 1, np.linalg.norm(X, axis=1)
    bound = float(np.abs(q) @ (norms + norms.max(initial=0.0)) ** p) / math.factorial(p)
    rounding: float = 8 * (len(X) + p * (X.shape[1] + 2)) * UNIT_ROUNDOFF
    return bound * (1.0 + rounding)
