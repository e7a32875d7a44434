"""Local maxima of |eta| from given directions, for proofs that need a point and not a bound."""

from __future__ import annotations

import numpy as np

from ._search_kernels import ascend_all
from .oracle import Array, evaluate

MAX_MOVES = 200


def climb(X: Array, q: Array, starts: Array) -> tuple[Array, Array]:
    """Return (weights, biases) of the local maxima reached from the rows of `starts`.

    Never worse than the best bias of the start: among nearly equal points the search counts those
    within 1e-11 of the hyperplane as on it, and may end a little lower than it began.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_features)
        Inputs of unit scale.
    q : ndarray of shape (n_samples,)
        Dual vector.
    starts : ndarray of shape (m, n_features)
        Nonzero directions.
    """
    weights = np.array(starts, dtype=np.float64, ndmin=2)
    count = len(weights)
    values, biases = np.empty(count), np.empty(count)
    keys, signatures = np.zeros(len(X), dtype=np.uint64), np.empty(count, dtype=np.uint64)
    XT = np.ascontiguousarray(X.T)
    ascend_all(XT, q, weights, MAX_MOVES, keys, values, biases, signatures)
    for m, start in enumerate(np.array(starts, dtype=np.float64, ndmin=2)):
        weight = start / np.linalg.norm(start)
        bias = best_bias(X, q, weight)
        if abs(evaluate(X, q, weight, bias)) > abs(evaluate(X, q, weights[m], biases[m])):
            weights[m], biases[m] = weight, bias
    return weights, biases


def best_bias(X: Array, q: Array, weight: Array) -> float:
    """Return b with ``|eta(w, b)|`` largest: one of the projections, by sorted prefix sums.

    ``eta(w, t_(k)) = sum_{i > k} q_(i) t_(i) - t_(k) sum_{i > k} q_(i)``, t ascending.
    """
    t = X @ weight
    order = np.argsort(t, kind="stable")[::-1]
    t, p = t[order], q[order]
    values = np.cumsum(p * t) - t * np.cumsum(p)
    return float(t[np.argmax(np.abs(values))])
