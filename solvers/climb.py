"""Local maxima of |eta| from given directions, for proofs that need a point and not a bound."""

from __future__ import annotations

import numpy as np

from ._search_kernels import ascend_all
from .oracle import Array

MAX_MOVES = 200


def climb(X: Array, q: Array, starts: Array) -> tuple[Array, Array]:
    """Return (weights, biases) of the local maxima reached from the rows of `starts`.

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
    return weights, biases
