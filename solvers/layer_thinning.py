"""Units that a hidden layer can do without: dead, always active, equal, or dependent."""

from __future__ import annotations

import numpy as np

from ..problems.checks import Array
from ..problems.merging import same_hyperplane
from .core import Neurons
from .layer_affine import affine_block, span
from .layer_blocks import Block
from .null_space import drop_dependent, null_space

PARALLEL = 1e-12
"""Entries by which unit output directions may differ and still count as one."""
CLOSE = 1e-12
"""Share of the largest pre-activation of a unit that counts as zero."""


def drop_dead(H: Array, block: Block) -> Block:
    """Return the block without units that are constant on the data; their values join the offset.

    A unit is constant if it is never active, or has w_k = 0 or v_k = 0.
    """
    T = H @ block.weight.T + block.bias
    active = np.asarray(T.max(axis=0, initial=-np.inf) > 0.0)
    live = np.asarray(active & (block.costs > 0.0))
    constant = active & ~live
    gone = block.take(constant)
    offset = block.offset + gone.output @ np.maximum(gone.bias, 0.0)
    return block.take(live)._replace(offset=offset)


def fold_active(H: Array, block: Block, *, least: float = 0.0) -> Block:
    """Return the block with its always active units replaced by as many as their rank.

    Together they are x -> sum_k v_k (w_k.x + b_k), whose nuclear norm is at most
    sum_k |v_k| |w_k|.
    """
    T = H @ block.weight.T + block.bias
    always = T.min(axis=0, initial=np.inf) >= 0.0
    if not always.any():
        return block
    linear = block.take(always)
    folded = affine_block(H, linear.weight.T @ linear.output.T, least=least)
    rest = block.take(~always).join(folded)
    offset = (block(H) - rest(H)).mean(axis=0)
    return rest._replace(offset=rest.offset + offset)


def merge_units(H: Array, block: Block) -> Block:
    """Return the block with units of one hyperplane, or of one cell and direction, merged.

    On one hyperplane and side v relu(t) + v' relu(t) = (v + v') relu(t). With one pattern of
    activity on the data and v = |v| u, sum_k |v_k| u relu(t_k) = u relu(sum_k |v_k| t_k). By the
    triangle inequality neither raises the path norm.
    """
    block = _unit(drop_dead(H, block))
    if block.width == 0:
        return block
    group = same_hyperplane(block.weight, -block.bias)
    first = np.unique(group, return_index=True)[1]
    total = np.zeros((len(first), len(block.offset)))
    np.add.at(total, group, block.output.T)
    block = Block(block.weight[first], block.bias[first], total.T, block.offset)
    block = _balanced(block.take(np.asarray(total.any(axis=1))))
    return _merge_cells(H, block)


def _merge_cells(H: Array, block: Block) -> Block:
    T = H @ block.weight.T + block.bias
    clear = np.abs(T) > CLOSE * np.abs(T).max(axis=0, initial=0.0)
    # A row on the hyperplane of a unit is on either side of it, so zero counts as a third state.
    pattern = np.where(clear, np.sign(T), 0.0).astype(np.int8)
    cells: dict[bytes, list[int]] = {}
    for k in range(block.width):
        cells.setdefault(pattern[:, k].tobytes(), []).append(k)
    size = np.linalg.norm(block.output, axis=0)
    weight, bias, output = [], [], []
    for cell in cells.values():
        left = cell
        while left:
            u = block.output[:, left[0]] / size[left[0]]
            away = np.abs(block.output[:, left] / size[left] - u[:, None]).max(axis=0)
            same = [k for k, a in zip(left, away, strict=True) if a <= PARALLEL]
            left = [k for k, a in zip(left, away, strict=True) if a > PARALLEL]
            weight.append(size[same] @ block.weight[same])
            bias.append(float(size[same] @ block.bias[same]))
            output.append(u)
    if len(bias) == block.width:
        return block
    merged = Block(np.array(weight), np.array(bias), np.array(output).T, block.offset)
    return _balanced(drop_dead(H, merged))


def thin_units(H: Array, block: Block, *, keep_affine: bool = True) -> tuple[Block, Array]:
    """Return at most as many units as the rank of their columns, and the linear part they lose.

    Caratheodory on the columns vec(P relu(W h_i + b)_k x u_k), P the removal of constants: while
    they are dependent, lengths m_k = |v_k| |w_k| move along a null vector that does not raise
    their sum, until one vanishes. Without `keep_affine` P removes affine functions: fewer units
    remain, but the values lose the linear function with the coefficients (n_inputs, n_outputs)
    that are returned; constants join the offset.
    """
    wanted = block(H)
    centred = H - H.mean(axis=0)
    none = np.zeros((H.shape[1], len(block.offset)))
    free = 1 if keep_affine else 1 + span(H).shape[1]
    dimension = (len(H) - free) * len(block.offset)
    unit = _unit(drop_dead(H, block))
    while unit.width:
        m = np.linalg.norm(unit.output, axis=0)
        raw = np.maximum(H @ unit.weight.T + unit.bias, 0.0)
        columns = raw - raw.mean(axis=0)
        if not keep_affine:
            columns -= centred @ np.linalg.lstsq(centred, columns, rcond=None)[0]
        length = np.linalg.norm(columns, axis=0)
        # Constant or affine on the data: what is left of such a column is rounding.
        useful = length > 1e-13 * np.linalg.norm(raw, axis=0)
        if not useful.all():
            unit = unit.take(useful)
            continue
        null = _dependencies(columns / length, unit.output / m, dimension) / length[:, None]
        if null.shape[1] == 0:
            break
        numbered = np.arange(unit.width, dtype=np.float64)[:, None]
        kept = drop_dependent(Neurons(np.ones(unit.width), m, numbered), null)
        which = kept.planes[:, 0].astype(np.intp)
        unit = unit.take(which)
        unit = unit._replace(output=unit.output / m[which] * kept.amplitude)
    unit = _balanced(unit)
    rest = wanted - unit(H)
    lost = none if keep_affine else np.linalg.lstsq(centred, rest, rcond=None)[0]
    offset = (rest - centred @ lost).mean(axis=0) - H.mean(axis=0) @ lost
    return unit._replace(offset=unit.offset + offset), lost


def _dependencies(columns: Array, directions: Array, dimension: int) -> Array:
    """Return the null space of the columns vec(column_k direction_k^T), all of length 1.

    They are known to span at most `dimension` dimensions, whatever rounding says.
    """
    # Orthogonal changes of rows: as many as there are units are enough.
    few, short = _triangle(columns), _triangle(directions)
    wide = few[:, None, :] * short[None, :, :]
    wide = wide.reshape(-1, columns.shape[1])
    return null_space(wide, dimension)


def _triangle(matrix: Array) -> Array:
    """Return R with the same Gram matrix and no more rows than columns."""
    if len(matrix) <= matrix.shape[1]:
        return matrix
    return np.asarray(np.linalg.qr(matrix, mode="r"), dtype=np.float64)


def _unit(block: Block) -> Block:
    """Return the block with |w_k| = 1."""
    size = np.linalg.norm(block.weight, axis=1)
    return Block(block.weight / size[:, None], block.bias / size, block.output * size, block.offset)


def _balanced(block: Block) -> Block:
    """Return the block with |v_k| = |w_k|, the same function."""
    ratio = np.sqrt(np.linalg.norm(block.output, axis=0) / np.linalg.norm(block.weight, axis=1))
    weight, bias = block.weight * ratio[:, None], block.bias * ratio
    return Block(weight, bias, block.output / ratio, block.offset)
