"""sup |eta| of a few points by complete enumeration in plain numpy, sharing no code with solvers.

The planes that meet exactly the data O have normals in an open set of pattern A = {w.x_i > b} of
the sphere of V = span{x_i - x_j : i, j in O}^perp, where eta = g_A.w with
g_A = sum_{i in A} q_i (x_i - x_j). So the sup is attained at the normalised projection of some g_A
on some V, and it is enough to evaluate |eta| there for all affinely independent O of 1 to d points
and all subsets A of the others. Most of these candidates belong to no pattern that exists, but
every one is a plane.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from fractions import Fraction
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

KEPT = 16
"""Candidates that are evaluated once more, by correctly rounded sums."""


def candidates(X: Array, q: Array) -> Iterator[Array]:
    """Yield unit normals, shape (m, d), that include those of a maximum of |eta|."""
    n, d = X.shape
    for size in range(1, min(d, n) + 1):
        for on in combinations(range(n), size):
            others = [i for i in range(n) if i not in on]
            anchor = X[on[0]]
            across = np.linalg.svd(X[list(on[1:])] - anchor, full_matrices=True)[2][size - 1 :].T
            if size == d:
                yield across.T
                continue
            # A and its complement have opposite projections: the last of the others stays out.
            masks = np.arange(1 << max(len(others) - 1, 0))
            subsets = (masks[:, None] >> np.arange(len(others)) & 1).astype(np.float64)
            gradients = (subsets * q[others]) @ ((X[others] - anchor) @ across)
            length = np.linalg.norm(gradients, axis=1)
            live = length > 0.0
            yield (gradients[live] / length[live, None]) @ across.T


def best_biases(X: Array, q: Array, normals: Array) -> tuple[Array, Array]:
    """Return the best b = w.x_j for each normal w, and |eta| there."""
    t = normals @ X.T
    values = np.abs(np.maximum(t[:, None, :] - t[:, :, None], 0.0) @ q)
    best = np.argmax(values, axis=1)[:, None]
    return np.take_along_axis(t, best, 1)[:, 0], np.take_along_axis(values, best, 1)[:, 0]


def value(X: Array, q: Array, weight: Array, bias: float) -> float:
    """Return |eta(w, b)|, the sum correctly rounded."""
    return abs(math.fsum(c * max(t, 0.0) for c, t in zip(q, X @ weight - bias, strict=True)))


def exceeds(X: Array, q: Array, weight: Array, bias: float, bound: float) -> bool:
    """Return whether |eta(w / |w|, b / |w|)| > bound, in exact rational arithmetic."""
    w, b = [Fraction(float(c)) for c in weight], Fraction(float(bias))
    total = Fraction(0)
    for row, c in zip(X, q, strict=True):
        t = sum((u * Fraction(float(x)) for u, x in zip(w, row, strict=True)), -b)
        total += Fraction(float(c)) * max(t, Fraction(0))
    return total**2 > Fraction(bound) ** 2 * sum(u * u for u in w)


def brute_force(X: Array, q: Array) -> tuple[float, Array, float]:
    """Return sup |eta|, exact up to rounding, and the plane (w, b) that attains it.

    About ``sum_k C(n, k) 2^(n - k)`` candidates: n = 9, d = 5 takes some 10 ms.
    """
    d = X.shape[1]
    found: list[tuple[float, Array, float]] = [(0.0, np.eye(d)[0], 0.0)]
    for normals in candidates(X, q):
        for first in range(0, len(normals), 4096):
            part = normals[first : first + 4096]
            biases, values = best_biases(X, q, part)
            top = np.argsort(-values)[:KEPT]
            found += [(float(values[k]), part[k], float(biases[k])) for k in top]
            found = sorted(found, key=lambda item: -item[0])[:KEPT]
    exact = [(value(X, q, w, b), w, b) for _, w, b in found]
    return max(exact, key=lambda item: item[0])
