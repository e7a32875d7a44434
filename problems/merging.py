"""Merging of neurons with the same hyperplane, by relu(t) - relu(-t) = t."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .checks import Array

Mask = NDArray[np.bool_]

_SAME = 1e-12
"""Two hyperplanes are one if their unit normals, and their biases relative to the larger one, agree
to this accuracy."""


def merge_equal_and_antipodal(
    amplitudes: Array, weights: Array, biases: Array, coef: Array, intercept: Any
) -> tuple[Array, Array, Array, Array, Any]:
    """Return the network with one neuron per hyperplane {w.x = b}, zero amplitudes dropped.

    (w, b) and (-w, -b) describe one hyperplane, and a relu(-t) = a relu(t) - a t with
    t = w.x - b: the flipped neuron keeps its amplitude and -a w, a b join coef and intercept.
    The function is unchanged and sum_k |a_k| does not increase. With several outputs amplitudes
    (K, D), coef (d, D) and intercept (D,) have one column per output.
    """
    vector = amplitudes.ndim == 2
    live: Mask = np.asarray(amplitudes.any(axis=1) if vector else amplitudes != 0.0)
    amplitudes, weights, biases = amplitudes[live], weights[live], biases[live]
    if len(amplitudes) == 0:
        return amplitudes, weights, biases, coef, intercept
    flip = points_backwards(weights)
    turned = amplitudes[flip]
    if vector:
        coef = coef + weights[flip].T @ turned
        intercept = intercept - biases[flip] @ turned
    else:
        coef = coef + turned @ weights[flip]
        intercept = float(intercept - turned @ biases[flip])
    sign = np.where(flip, -1.0, 1.0)
    weights, biases = weights * sign[:, None], biases * sign
    group = same_hyperplane(weights, biases)
    first = np.unique(group, return_index=True)[1]
    total = np.zeros((len(first), *amplitudes.shape[1:]))
    np.add.at(total, group, amplitudes)
    keep = total.any(axis=1) if vector else total != 0.0
    first = first[keep]
    return total[keep], weights[first], biases[first], coef, intercept


def points_backwards(weights: Array) -> Mask:
    """Return True where the first entry that is not rounding noise is negative."""
    significant = np.abs(weights) > _SAME
    first = np.argmax(significant, axis=1)
    backwards: Mask = weights[np.arange(len(weights)), first] < 0.0
    return backwards


def same_hyperplane(weights: Array, biases: Array) -> NDArray[np.intp]:
    """Return a group number per neuron; equal numbers mean equal hyperplanes up to rounding.

    Unit normals are compared entry by entry, biases relative to the larger of the two: neither
    other neurons nor the units of the inputs may decide whether two knots are one.
    """
    everyone = np.zeros(len(weights), dtype=np.intp)
    # Sorted along a generic direction, equal rows are neighbours whatever their rounding.
    along = weights @ np.sin(np.arange(1, weights.shape[1] + 1))
    normal = _split(everyone, along, weights, np.ones_like(along))
    group = _split(normal, biases, biases[:, None], np.abs(biases))
    # Numbered by first appearance: merging keeps the order of the neurons.
    first = np.unique(group, return_index=True)[1]
    return np.argsort(np.argsort(first))[group]


def _split(group: NDArray[np.intp], key: Array, rows: Array, size: Array) -> NDArray[np.intp]:
    """Split groups where rows, neighbours by `key`, differ by more than _SAME times their size."""
    order = np.lexsort((key, group))
    group, rows, size = group[order], rows[order], size[order]
    apart = np.abs(np.diff(rows, axis=0)).max(axis=1) > _SAME * np.maximum(size[1:], size[:-1])
    starts = np.concatenate([[True], (np.diff(group) != 0) | apart])
    # All members must equal the first one: a chain of small steps leads far away.
    while True:
        label = np.cumsum(starts) - 1
        head = np.flatnonzero(starts)[label]
        away = np.abs(rows - rows[head]).max(axis=1)
        far = away > _SAME * np.maximum(size, size[head])
        if not far.any():
            break
        starts[np.flatnonzero(far)[np.unique(label[far], return_index=True)[1]]] = True
    found = np.empty(len(rows), dtype=np.intp)
    found[order] = label
    return found
