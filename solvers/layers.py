"""Deep ReLU networks, one block at a time: fewer units with the same outputs, and training.

A network is a list of (weight, bias) pairs with a ReLU between them. The block of a hidden layer
maps its inputs to the pre-activations of the next layer: a shallow network with several outputs,
to which the convex theory applies. Certificates are about one block, all others frozen; none is
about the deep network, which is not a convex problem.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from typing import Any

import numpy as np

from ..problems import Scope
from ..problems.certificate import as_scope
from ..problems.checks import Array, as_count, as_positive
from .layer_affine import as_network
from .layer_blocks import (
    Block,
    Layer,
    block_of,
    check_index,
    check_inputs,
    check_layers,
    layer_inputs,
    with_block,
)
from .layer_search import BlockCertificate, BlockSearch, plain_blocks, search_block
from .layer_thinning import drop_dead, fold_active, merge_units, thin_units
from .layer_training import LayerStep, LayerTraining, train_layers

__all__ = [
    "BlockCertificate",
    "LayerCompression",
    "LayerStep",
    "LayerTraining",
    "compress_layer",
    "train_layers",
]

RANK = 1e-9
"""Singular values below it, relative to the largest, count as zero."""
ROUNDING = 1e-12
"""Relative growth of the path norm that rounding alone explains."""


@dataclass(frozen=True)
class LayerCompression:
    """A network with one hidden layer made narrower.

    Attributes
    ----------
    layers : tuple of (weight, bias)
        The new network.
    index : int
        Number of the hidden layer.
    path_norm_before, path_norm_after : float
        sum_k |v_k| |w_k| over its units; the second is never larger.
    width_before, width_after : int
    rank_in, rank_out : int
        Numerical ranks of the two new weights: a rank below both sizes is a linear bottleneck.
    certificate : BlockCertificate
        Bound on the path norm of this block alone, the others frozen.
    output_change : float
        Largest change of an output of the network on the data, over the largest output.
    rounds : int
        Convex programs solved.
    interrupted : bool
        Whether Ctrl-C ended the search or the thinning; the result is valid.
    """

    layers: tuple[Layer, ...]
    index: int
    path_norm_before: float
    path_norm_after: float
    width_before: int
    width_after: int
    rank_in: int
    rank_out: int
    certificate: BlockCertificate
    output_change: float
    rounds: int
    interrupted: bool

    def __str__(self) -> str:
        return (
            f"hidden layer {self.index}: {self.width_before} -> {self.width_after} units, ranks "
            f"{self.rank_in} and {self.rank_out}, outputs changed by {self.output_change:.1e}; "
            f"{self.certificate}"
        )


def compress_layer(
    layers: Any,
    X: Any,
    index: int,
    *,
    tol: float = 1e-8,
    search: bool = True,
    scope: str | Scope = "local",
    time_limit: float | None = None,
    random_state: int = 0,
) -> LayerCompression:
    """Replace a hidden layer by the narrowest one found with the same outputs on the data.

    The block P = relu(H W^T + b) V^T + c keeps its values at the rows of H, the activations before
    it, and its path norm sum_k |v_k| |w_k| does not grow. Units that are dead or always active on
    the data, equal, or of one cell and direction go; then Caratheodory's reduction on the columns
    vec(P Psi_k x u_k); then a convex search for a cheaper block. Affine functions are paid for
    with units that are active on all data. Elsewhere than on the data the network may change.

    Parameters
    ----------
    layers : sequence of (weight, bias)
        Weights of shape (n_out, n_in); ReLU between layers, the last one linear.
    X : array-like of shape (n_samples, n_features)
        Data whose outputs are to stay.
    index : int
        Hidden layer, from 0.
    tol : float, default=1e-8
        Largest change of the block's outputs relative to how much they vary, and of the
        network's relative to the largest one.
    search : bool, default=True
        Whether to solve convex programs. Without them no bound on the path norm is known.
    scope : {"local", "global"}, default="local"
        Whether the bound is to be proved over all neurons.
    time_limit : float, default=None
        Seconds for the convex search.
    random_state : int, default=0
        Seed of the search.

    Returns
    -------
    LayerCompression
        With the old layer where none that is narrower was found.

    Raises
    ------
    TypeError, ValueError
        For layers, data or options that are misshapen, not finite or out of range.
    """
    network = check_layers(layers)
    inputs = check_inputs(network, X)
    number = check_index(network, index)
    tol, kind = as_positive("tol", tol), as_scope(scope)
    as_count("random_state", random_state, least=0)
    if time_limit is not None:
        time_limit = as_positive("time_limit", time_limit)
    values = layer_inputs(network, inputs)
    H, old = values[number], block_of(network, number)
    P = old(H)
    found = BlockSearch((), 0.0, Scope.LOCAL, 0, False)
    if search:
        found = search_block(
            H, P, tol=tol, scope=kind, time_limit=time_limit, random_state=random_state
        )
    size = _size(values[-1])
    # Relative to how much the block's outputs vary: constants are free.
    spread = float(np.abs(P - P.mean(axis=0)).max(initial=0.0))
    allowed = max(tol * spread, 64.0 * np.finfo(float).eps * float(np.abs(P).max(initial=0.0)))
    best, change, interrupted = old, 0.0, found.interrupted
    searched = (block for start in found.blocks for block in _with_thinner(H, start))
    try:
        for block in chain(_thinned(H, old, least=0.01 * tol * spread), searched):
            if not _narrower(block, best, old) or np.abs(block(H) - P).max() > allowed:
                continue
            after = layer_inputs(with_block(network, number, block), inputs)[-1]
            moved = float(np.abs(after - values[-1]).max(initial=0.0)) / size
            if moved <= tol:
                best, change = block, moved
    except KeyboardInterrupt:
        interrupted = True  # the best so far has the outputs that it must have
    return LayerCompression(
        layers=with_block(network, number, best),
        index=number,
        path_norm_before=old.path_norm,
        path_norm_after=best.path_norm,
        width_before=old.width,
        width_after=best.width,
        rank_in=_rank(best.weight),
        rank_out=_rank(best.output),
        certificate=BlockCertificate(best.path_norm, found.lower_bound, found.scope),
        output_change=change,
        rounds=found.rounds,
        interrupted=interrupted,
    )


def _thinned(H: Array, block: Block, *, least: float) -> Iterator[Block]:
    """Yield narrower blocks with the same outputs that need no search."""
    alive = drop_dead(H, block)
    yield alive
    folded = fold_active(H, alive, least=least)
    yield folded
    for start in (alive, folded):
        merged = merge_units(H, start)
        yield from _with_thinner(H, merged)
        network = as_network(merged)
        # Antipodal units become one, at the price of a linear function.
        for function in (network, network.merged()):
            for block in plain_blocks(H, function, least=least):
                yield from _with_thinner(H, block)


def _with_thinner(H: Array, block: Block) -> Iterator[Block]:
    """Yield the block, and what merging and Caratheodory's reduction make of it."""
    yield block
    yield thin_units(H, merge_units(H, block))[0]


def _narrower(block: Block, best: Block, old: Block) -> bool:
    """Return whether the block has fewer units than `old`, at no higher price, and beats `best`."""
    if block.width >= old.width or block.path_norm > old.path_norm * (1.0 + ROUNDING):
        return False
    return (block.width, block.path_norm) < (best.width, best.path_norm)


def _size(values: Array) -> float:
    """Return the largest magnitude, or 1 if all are zero."""
    return float(np.abs(values).max(initial=0.0)) or 1.0


def _rank(matrix: Array) -> int:
    sigma = np.linalg.svd(matrix, compute_uv=False) if matrix.size else np.zeros(0)
    return int((sigma > RANK * sigma.max(initial=0.0)).sum())
