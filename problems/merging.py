"""Merging of neurons with the same hyperplane, by relu(t) - relu(-t) = t."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .checks import Array

Mask = NDArray[np.bool_]

_SAME = 1e-12
"""Two hyperplanes are one if their normals and biases agree to this relative accuracy."""


def merge_equal_and_antipodal(
    amplitudes: Array, weights: Array, biases: Array, coef: Array, intercept: float
) -> tuple[Array, Array, Array, Array, float]:
    """Return the network with one neuron per hyperplane {w.x = b}, zero amplitudes dropped.

    (w, b) and (-w, -b) describe one hyperplane, and a relu(-t) = a relu(t) - a t with
    t = w.x - b: the flipped neuron keeps its amplitude and -a w, a b join coef and intercept.
    The function is unchanged and sum_k |a_k| does not increase.
    """
    live = amplitudes != 0.0
    amplitudes, weights, biases = amplitudes[live], weights[live], biases[live]
    if len(amplitudes) == 0:
        return amplitudes, weights, biases, coef, intercept
    flip = _points_backwards(weights)
    turned = amplitudes[flip]
    coef = coef + turned @ weights[flip]
    intercept = float(intercept - turned @ biases[flip])
    sign = np.where(flip, -1.0, 1.0)
    weights, biases = weights * sign[:, None], biases * sign
    group = _same_hyperplane(weights, biases)
    first = np.unique(group, return_index=True)[1]
    total = np.bincount(group, weights=amplitudes)
    keep = total != 0.0
    first = first[keep]
    return total[keep], weights[first], biases[first], coef, intercept


def _points_backwards(weights: Array) -> Mask:
    """Return True where the first entry that is not rounding noise is negative."""
    significant = np.abs(weights) > _SAME
    first = np.argmax(significant, axis=1)
    backwards: Mask = weights[np.arange(len(weights)), first] < 0.0
    return backwards


def _same_hyperplane(weights: Array, biases: Array) -> NDArray[np.intp]:
    """Return a group number per neuron; equal numbers mean equal hyperplanes up to rounding."""
    rows = np.column_stack([weights, biases / max(1.0, float(np.abs(biases).max()))])
    # Sorted along a generic direction, equal rows are neighbours whatever their rounding.
    order = np.argsort(rows @ np.sin(np.arange(1, rows.shape[1] + 1)), kind="stable")
    rows = rows[order]
    starts = np.abs(np.diff(rows, axis=0, prepend=np.inf)).max(axis=1) > _SAME
    # All members must equal the first one: a chain of small steps leads far away.
    while True:
        label = np.cumsum(starts) - 1
        far = np.abs(rows - rows[starts][label]).max(axis=1) > _SAME
        if not far.any():
            break
        starts[np.flatnonzero(far)[np.unique(label[far], return_index=True)[1]]] = True
    group = np.empty(len(rows), dtype=np.intp)
    group[order] = label
    # Numbered by first appearance: merging keeps the order of the neurons.
    first = np.unique(group, return_index=True)[1]
    return np.argsort(np.argsort(first))[group]
