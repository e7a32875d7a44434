"""Neurons of one sign in one cell are better merged into one."""

from __future__ import annotations

import numpy as np

from ..problems.merging import merge_equal_and_antipodal
from ._circle_kernels import ON_PLANE
from .core import Core, Neurons


def merge_cells(core: Core, neurons: Neurons) -> Neurons:
    """Return the neurons with one per (sign, pattern {above, on, below}): u = sum_k a_k w_k.

    On the data sum_k a_k relu(w_k.x - b_k) = relu(u.x - beta), with u = sum_k a_k w_k and
    beta = sum_k a_k b_k, if no point lies strictly above one hyperplane and strictly below
    another; and |u| <= sum_k a_k, strictly unless the planes are parallel. With |w|_1 for |w| only
    equal planes are merged: u would mix the features of vertices, mostly at no gain.
    """
    if len(neurons) < 2:
        return neurons
    if core.l1:
        return merge_planes(neurons)
    margins = core.lifted @ neurons.planes.T
    pattern = (margins > ON_PLANE).astype(np.int8) - (margins < -ON_PLANE)
    labels: dict[tuple[bool, bytes], int] = {}
    group = np.empty(len(neurons), dtype=np.intp)
    facing = np.ones(len(neurons))
    for k, column in enumerate(pattern.T):
        # (w, b) and (-w, -b) differ by an affine function: they count as one cell.
        here = column.tobytes()
        there = (-column).tobytes() if core.even else here
        facing[k] = 1.0 if here <= there else -1.0
        group[k] = labels.setdefault((bool(neurons.sign[k] > 0), min(here, there)), len(labels))
    if len(labels) == len(neurons):
        return neurons
    total = np.zeros((len(labels), core.d + 1))
    np.add.at(total, group, (facing * neurons.amplitude)[:, None] * neurons.planes)
    first = np.unique(group, return_index=True)[1]
    single = np.bincount(group) == 1
    amplitude = np.where(
        single, neurons.amplitude[first], np.linalg.norm(total[:, : core.d], axis=1)
    )
    safe = np.where(amplitude > 0, amplitude, 1.0)
    planes = np.where(single[:, None], neurons.planes[first], total / safe[:, None])
    merged = Neurons(neurons.sign[first], amplitude, planes)
    return merged.take(amplitude > 0)


def merge_planes(neurons: Neurons) -> Neurons:
    """Return one neuron per hyperplane {w.x = b}, for problems whose affine functions are free."""
    d = neurons.planes.shape[1] - 1
    amplitudes, weights, biases, _, _ = merge_equal_and_antipodal(
        neurons.sign * neurons.amplitude,
        neurons.planes[:, :d],
        neurons.planes[:, d],
        np.zeros(d),
        0.0,
    )
    planes = np.column_stack([weights, biases])
    return Neurons(np.sign(amplitudes), np.abs(amplitudes), planes)
