"""Optimal networks with several outputs and few neurons, and the ranks of their layers."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ...problems import RidgeSpline
from ...problems.multi_output import MultiOutputProblem
from ..core import Neurons
from ..null_space import drop_dependent, null_space
from .core import VectorCore, VectorNeurons
from .merging import merge_vector_cells


class LayerRanks(NamedTuple):
    """Ranks of the weight matrices of the two layers of a network, to a relative tolerance."""

    hidden: int
    output: int


def layer_ranks(network: RidgeSpline, *, tol: float = 1e-9) -> LayerRanks:
    """Return the ranks of the balanced layers sqrt(||a_k||) w_k and a_k / sqrt(||a_k||).

    Parameters
    ----------
    network : RidgeSpline
        With one output or several.
    tol : float, default=1e-9
        Singular values below `tol` times the largest count as zero.
    """
    layers = network.merged().to_layers()
    ranks = []
    for matrix in (layers.hidden_weight, np.atleast_2d(layers.output_weight)):
        sigma = np.linalg.svd(matrix, compute_uv=False) if matrix.size else np.zeros(0)
        ranks.append(int((sigma > tol * sigma.max(initial=0.0)).sum()))
    return LayerRanks(*ranks)


def sparsify_outputs(problem: MultiOutputProblem, network: RidgeSpline) -> RidgeSpline:
    """Return a network with the same fitted values, no larger penalty, K <= (n - rank [1 X]) D.

    As for one output (Caratheodory), with columns vec(P Psi_k u_k^T): while they are dependent,
    lengths ||a_k|| move along a null vector that does not raise their sum until one vanishes.
    Directions u_k = a_k / ||a_k|| stay.
    """
    core = VectorCore.of(problem)
    lowered = core.from_network(problem.reduction.lower_network(network))
    found = core.to_network(reduce_vectors(core, lowered))
    return problem.reduction.raise_network(found)


def reduce_vectors(core: VectorCore, neurons: VectorNeurons) -> VectorNeurons:
    """Return neurons of independent columns with the same fitted values."""
    neurons = neurons.take(neurons.amplitude > 0)
    if not core.shared:
        # One output per neuron: merging a cell is exact.
        neurons = merge_vector_cells(core, neurons)
    while len(neurons) > 0:
        root = np.sqrt(core.s)[:, None]
        raw = core.columns(neurons.planes)
        columns = core.inputs.without_affine(raw) * root
        length = np.linalg.norm(columns, axis=0)
        # Affine on the data: what is left of such a column is rounding.
        useless = length <= 1e-13 * np.linalg.norm(raw * root, axis=0)
        if useless.any():
            neurons = neurons.take(~useless)
            continue
        outputs = neurons.direction @ core.free
        wide = (columns / length)[:, None, :] * outputs.T
        size = np.linalg.norm(outputs, axis=1)
        flat = wide.reshape(-1, len(neurons)) / size
        dimension = (core.n - core.inputs.basis.columns.shape[1]) * core.free.shape[1]
        null = null_space(flat, dimension) / (length * size)[:, None]
        if null.shape[1] == 0:
            break
        numbered = np.arange(len(neurons), dtype=np.float64)[:, None]
        kept = drop_dependent(Neurons(np.ones(len(neurons)), neurons.amplitude, numbered), null)
        which = kept.planes[:, 0].astype(np.intp)
        neurons = VectorNeurons(neurons.direction[which], kept.amplitude, neurons.planes[which])
    return neurons
