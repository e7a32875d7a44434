"""Dependent columns of a dictionary: their null space, and neurons that they make superfluous."""

from __future__ import annotations

import numpy as np

from ..problems.checks import Array
from .core import Core, Neurons

CLEAR = 1e-4
"""Singular values of unit columns above it are not zero; its square is well above rounding."""


def with_independent_columns(core: Core, neurons: Neurons) -> Neurons:
    """Return neurons with the same fitted values up to free functions, no larger sum of amplitudes.

    Caratheodory: while the columns B = sign_k P Psi_k (P removes the free functions of `core`) are
    dependent, amplitudes move along h with B h = 0 and 1.h <= 0 until one vanishes.
    """
    while len(neurons) > 0:
        root = np.sqrt(core.s)[:, None]
        raw = core.on_rows(core.features(neurons.planes)) * neurons.sign
        columns = core.without_affine(raw) * root
        length = np.linalg.norm(columns, axis=0)
        # A free function on the data: what is left of such a column is rounding.
        useless = length <= 1e-13 * np.linalg.norm(raw * root, axis=0)
        if useless.any():
            neurons = neurons.take(~useless)
            continue
        # Columns live in the complement of the free functions, whatever rounding says.
        dimension = core.n - core.basis.columns.shape[1]
        null = null_space(columns / length, dimension) / length[:, None]
        if null.shape[1] == 0:
            break
        neurons = drop_dependent(neurons, null)
    return neurons


def null_space(columns: Array, dimension: int) -> Array:
    """Return a basis of {h : columns h = 0} to rounding, shape (K, nullity).

    The columns have length 1 and are known to span at most `dimension` dimensions.
    """
    K = columns.shape[1]
    if K <= dimension and _independent(columns):
        return np.zeros((K, 0))
    small = np.linalg.qr(columns, mode="r")
    sigma, vt = np.linalg.svd(small, full_matrices=True)[1:]
    full = np.zeros(K)
    full[: len(sigma)] = sigma
    tol = max(columns.shape) * np.finfo(np.float64).eps * float(full.max(initial=0.0))
    null: Array = vt[(full <= tol) | (np.arange(K) >= dimension)].T
    return null


def _independent(columns: Array) -> bool:
    """Return True if a cheap test shows that no singular value is below CLEAR."""
    gram = columns.T @ columns
    gram[np.diag_indices_from(gram)] -= CLEAR**2
    try:
        np.linalg.cholesky(gram)
    except np.linalg.LinAlgError:
        return False
    return True


def drop_dependent(neurons: Neurons, null: Array) -> Neurons:
    """Drop one neuron per null vector, sum of amplitudes not growing."""
    m = neurons.amplitude.copy()
    null = null.copy()
    while null.shape[1]:
        h = null[:, 0] / np.abs(null[:, 0]).max()
        if h.sum() > 0:
            h = -h
        falling = h < 0
        ratio = np.where(falling, m / np.where(falling, -h, 1.0), np.inf)
        out = int(np.argmin(ratio))
        m = np.maximum(m + ratio[out] * h, 0.0)
        m[out] = 0.0
        # The remaining null vectors must not bring the dropped neuron back.
        pivot = int(np.argmax(np.abs(null[out])))
        if null[out, pivot] == 0.0:
            break
        column = null[:, pivot] / null[out, pivot]
        null = np.delete(null, pivot, axis=1)
        null -= column[:, None] * null[out][None, :]
        null[out] = 0.0
    return Neurons(neurons.sign, m, neurons.planes).take(m > 0)
