"""Neurons of one cell with nearly one output direction are better merged into one."""

from __future__ import annotations

import numpy as np

from ...problems.checks import Array
from .._circle_kernels import ON_PLANE
from .core import VectorCore, VectorNeurons

ALIKE = 0.9
"""Cosine of output directions from which on two neurons of one cell are merged."""


def merge_vector_cells(core: VectorCore, neurons: VectorNeurons) -> VectorNeurons:
    """Return the neurons with those of one cell and nearly one direction merged.

    On the data sum_k u_k relu(v_k.(x, -1)) = (sum_k u_k v_k^T) (x, -1) above the hyperplanes of a
    cell: a matrix, of rank one if all u_k are equal. Then u relu((sum_k v_k).(x, -1)) is the same
    function at no higher cost. Otherwise it is replaced by u u^T sum_k u_k v_k^T, u along
    sum_k |v_k| u_k: a change of second order in the angles, which the caller has to judge.
    """
    if len(neurons) < 2:
        return neurons
    margins = core.inputs.lifted @ neurons.planes.T
    pattern = (margins > ON_PLANE).astype(np.int8) - (margins < -ON_PLANE)
    cells: dict[bytes, list[int]] = {}
    facing = np.ones(len(neurons))
    for k, column in enumerate(pattern.T):
        # (w, b) and (-w, -b) differ by an affine function: they count as one cell.
        here, there = column.tobytes(), (-column).tobytes()
        facing[k] = 1.0 if here <= there else -1.0
        cells.setdefault(min(here, there), []).append(k)
    groups = [group for cell in cells.values() for group in _alike(neurons, cell)]
    if len(groups) == len(neurons):
        return neurons
    groups.sort()
    v = (facing * neurons.amplitude)[:, None] * neurons.planes
    merged = [_merge(core, neurons, group, v) for group in groups]
    found = VectorNeurons(
        np.array([u for u, _, _ in merged]),
        np.array([size for _, size, _ in merged]),
        np.array([plane for _, _, plane in merged]),
    )
    return found.take(found.amplitude > 0.0)


def _alike(neurons: VectorNeurons, cell: list[int]) -> list[list[int]]:
    """Split the neurons of a cell into groups whose directions are close to the largest one's."""
    left = sorted(cell, key=lambda k: -float(neurons.amplitude[k]))
    groups = []
    while left:
        cosine = neurons.direction[left] @ neurons.direction[left[0]]
        cosine[0] = 1.0
        groups.append([k for k, c in zip(left, cosine, strict=True) if c > ALIKE])
        left = [k for k, c in zip(left, cosine, strict=True) if c <= ALIKE]
    return groups


def _merge(
    core: VectorCore, neurons: VectorNeurons, group: list[int], v: Array
) -> tuple[Array, float, Array]:
    """Return direction, amplitude and plane of the neuron that replaces a group."""
    k = group[0]
    if len(group) == 1:
        return neurons.direction[k], float(neurons.amplitude[k]), neurons.planes[k]
    u = neurons.vectors[group].sum(axis=0)
    norm = float(np.linalg.norm(u))
    u = u / norm if norm > 0.0 else neurons.direction[k]
    if not core.shared:
        u = neurons.direction[k]
    total = (neurons.direction[group] @ u) @ v[group]
    size = float(np.linalg.norm(total[: core.d]))
    return u, size, total / size if size > 0.0 else neurons.planes[k]
