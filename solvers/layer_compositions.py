"""Deep networks as compositions of shallow ones: conversion, values, gradients."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from ..problems import RidgeSpline
from ..problems.checks import Array
from .layer_affine import as_block, as_network
from .layer_blocks import Block, Layer


def blocks_of(layers: Sequence[Layer]) -> tuple[RidgeSpline, ...]:
    """Return shallow networks g_1, ..., g_L with the same composition g_L o ... o g_1.

    A weight between two hidden layers is split at its numerical rank, W = (U S^1/2) (S^1/2 V^T):
    the first factor belongs to the block after it, the second to the block before. No ReLU lies
    between blocks; the rank is the width of a linear bottleneck.
    """
    blocks = []
    weight, bias = layers[0]
    for j, (following, offset) in enumerate(layers[1:], start=1):
        if j == len(layers) - 1:
            blocks.append(as_network(Block(weight, bias, following, offset)))
            break
        left, sigma, right = np.linalg.svd(following, full_matrices=False)
        rounding = max(following.shape) * np.finfo(float).eps
        rank = max(int((sigma > rounding * sigma.max(initial=0.0)).sum()), 1)
        root = np.sqrt(sigma[:rank])
        output = root[:, None] * right[:rank]
        blocks.append(as_network(Block(weight, bias, output, np.zeros(rank))))
        weight, bias = left[:, :rank] * root, offset
    return tuple(blocks)


def layers_of(blocks: Sequence[RidgeSpline]) -> tuple[Layer, ...]:
    """Return the composition as a plain list, the same function everywhere.

    Linear parts become pairs relu(t) - relu(-t), two units for each of their ranks.
    """
    plain = [as_block(np.zeros((0, block.n_features)), block, exact=True) for block in blocks]
    layers = [(plain[0].weight, plain[0].bias)]
    for before, after in pairwise(plain):
        bias = after.weight @ before.offset + after.bias
        layers.append((after.weight @ before.output, bias))
    return (*layers, (plain[-1].output, plain[-1].offset))


def forward(blocks: Sequence[RidgeSpline], X: Array) -> list[Array]:
    """Return the inputs of every block, and the outputs of the last."""
    values = [X]
    for block in blocks:
        values.append(block(values[-1]))
    return values


def backward(blocks: Sequence[RidgeSpline], values: Sequence[Array], slope: Array) -> Array:
    """Return the gradient with respect to values[0] from the one for the outputs of `blocks`.

    For g(z) = A^T relu(W z - b) + C^T z + c0 it is ((G A^T) * 1[W z > b]) W + G C^T.

    Parameters
    ----------
    blocks : sequence of RidgeSpline
    values : sequence of ndarray
        Inputs of each of them.
    slope : ndarray of shape (n_samples, n_outputs)
    """
    for block, z in zip(reversed(blocks), reversed(values), strict=True):
        active = z @ block.weights.T > block.biases
        slope = ((slope @ block.amplitudes.T) * active) @ block.weights + slope @ block.coef.T
    return slope
