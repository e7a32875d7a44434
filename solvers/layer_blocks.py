"""Deep networks as lists of layers, and the shallow block around one hidden layer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from ..problems.checks import Array, as_count, as_float_array

Layer = tuple[Array, Array]
"""Weight (n_out, n_in) and bias (n_out,); every layer but the last is followed by a ReLU."""


class Block(NamedTuple):
    """One hidden layer, from its inputs to the pre-activations of the layer after it.

    P(h) = sum_k v_k relu(w_k.h + b_k) + c

    Attributes
    ----------
    weight : ndarray of shape (n_units, n_inputs)
        Rows w_k.
    bias : ndarray of shape (n_units,)
    output : ndarray of shape (n_outputs, n_units)
        Columns v_k.
    offset : ndarray of shape (n_outputs,)
        c.
    """

    weight: Array
    bias: Array
    output: Array
    offset: Array

    @property
    def width(self) -> int:
        """Number of units."""
        return len(self.bias)

    @property
    def costs(self) -> Array:
        """|v_k| |w_k| of each unit."""
        costs: Array = np.linalg.norm(self.output, axis=0) * np.linalg.norm(self.weight, axis=1)
        return costs

    @property
    def path_norm(self) -> float:
        """sum_k |v_k| |w_k|: the least weight decay 1/2 (|v_k|^2 + |w_k|^2) after rescaling."""
        return float(self.costs.sum())

    def __call__(self, H: Array) -> Array:
        """Return P at the rows of H, shape (n_samples, n_outputs)."""
        values: Array = np.maximum(H @ self.weight.T + self.bias, 0.0) @ self.output.T
        return values + self.offset

    def take(self, which: np.ndarray) -> Block:
        """Return the block with some of its units."""
        return Block(self.weight[which], self.bias[which], self.output[:, which], self.offset)

    def join(self, other: Block) -> Block:
        """Return the sum of two blocks as one."""
        return Block(
            np.concatenate([self.weight, other.weight]),
            np.concatenate([self.bias, other.bias]),
            np.concatenate([self.output, other.output], axis=1),
            self.offset + other.offset,
        )


def check_layers(layers: Any, *, least: int = 2) -> tuple[Layer, ...]:
    """Return a network as checked float64 arrays.

    Parameters
    ----------
    layers : sequence of (weight, bias)
        Of shapes (n_out, n_in) and (n_out,), each n_in the n_out before it.
    least : int, default=2
        Fewest layers allowed.

    Raises
    ------
    TypeError, ValueError
        If something is not finite, shapes disagree, or there are too few layers.
    """
    if isinstance(layers, str) or not isinstance(layers, Sequence):
        raise TypeError(
            f"layers must be a list of (weight, bias) pairs, got {type(layers).__name__}."
        )
    if len(layers) < least:
        raise ValueError(
            f"layers has {len(layers)} entries; a network with a hidden layer has at least {least}."
        )
    checked: list[Layer] = []
    for j, pair in enumerate(layers):
        if not isinstance(pair, Sequence) or len(pair) != 2:
            raise TypeError(f"layers[{j}] must be a pair (weight, bias); biases may be zeros.")
        name = f"layers[{j}]"
        weight = as_float_array(f"weight of {name}", pair[0], ndim=2, shape="(n_out, n_in)")
        bias = as_float_array(f"bias of {name}", pair[1], ndim=1, shape="(n_out,)")
        if len(bias) != len(weight):
            raise ValueError(
                f"{name} has a weight of shape {weight.shape} but {len(bias)} biases; there must "
                "be one for each row of the weight (transpose weights of shape (n_in, n_out))."
            )
        if checked and weight.shape[1] != len(checked[-1][1]):
            raise ValueError(
                f"{name} has {weight.shape[1]} inputs but layers[{j - 1}] has "
                f"{len(checked[-1][1])} outputs; they must agree."
            )
        checked.append((weight, bias))
    return tuple(checked)


def check_inputs(layers: Sequence[Layer], X: Any) -> Array:
    """Return the inputs as a float64 array that fits the first layer."""
    inputs = as_float_array("X", X, ndim=2)
    if len(inputs) == 0:
        raise ValueError("X has 0 samples; at least one is needed.")
    if inputs.shape[1] != layers[0][0].shape[1]:
        raise ValueError(
            f"X has {inputs.shape[1]} features, but layers[0] takes {layers[0][0].shape[1]}."
        )
    return inputs


def layer_inputs(layers: Sequence[Layer], X: Array) -> list[Array]:
    """Return the inputs of each layer, h_0 = x and h_j = relu(W_j h_(j-1) + b_j), and the outputs.

    The list has one entry more than `layers`; the last one is linear.
    """
    values = [X]
    for j, (weight, bias) in enumerate(layers):
        z = values[-1] @ weight.T + bias
        values.append(z if j == len(layers) - 1 else np.maximum(z, 0.0))
    return values


def check_index(layers: Sequence[Layer], index: Any) -> int:
    """Return the number of a hidden layer, or raise an error."""
    number = as_count("index", index, least=0)
    if number > len(layers) - 2:
        raise ValueError(
            f"index is {number}, but the network has {len(layers) - 1} hidden layers; choose one "
            f"of 0 to {len(layers) - 2}."
        )
    return number


def block_of(layers: Sequence[Layer], index: int) -> Block:
    """Return the block of hidden layer `index`."""
    (weight, bias), (output, offset) = layers[index], layers[index + 1]
    return Block(weight, bias, output, offset)


def with_block(layers: Sequence[Layer], index: int, block: Block) -> tuple[Layer, ...]:
    """Return the network with another block around hidden layer `index`."""
    pair: tuple[Layer, ...] = ((block.weight, block.bias), (block.output, block.offset))
    return (*layers[:index], *pair, *layers[index + 2 :])
