"""Affine functions inside a plain list of layers: which side neurons face, and units that pay."""

from __future__ import annotations

import numpy as np

from ..problems import RidgeSpline
from ..problems.checks import Array
from .layer_blocks import Block

MARGIN = 1.0
"""Spreads of the data by which a unit that stands for a linear function stays active beyond it."""
PASSES = 20
"""Most rounds over the neurons when sides are chosen."""


def span(H: Array) -> Array:
    """Return an orthonormal basis (n_inputs, rank) of the span of the centred data."""
    centred = H - H.mean(axis=0)
    sigma, vt = np.linalg.svd(centred, full_matrices=False)[1:]
    rounding = max(H.shape) * np.finfo(float).eps * float(np.abs(H).max(initial=0.0))
    basis: Array = vt[sigma > rounding * np.sqrt(len(H))].T
    return basis


def affine_block(H: Array, coef: Array, *, least: float = 0.0, exact: bool = False) -> Block:
    """Return units whose sum is x -> coef^T x on the data, at the price of the nuclear norm.

    coef is projected on the span of the centred data, which is free, and split as
    sum_r s_r u_r v_r^T. A term costs s_r: v_r relu(s_r u_r.x + m) - v_r m with m so large that the
    unit is active on all data. With `exact` it is v_r relu(t) - v_r relu(-t), t = s_r u_r.x: two
    units at twice the price, the same function everywhere.

    Parameters
    ----------
    H : ndarray of shape (n_samples, n_inputs)
    coef : ndarray of shape (n_inputs, n_outputs)
    least : float, default=0.0
        Terms whose values on the data vary by no more are left out.
    exact : bool, default=False
    """
    D = coef.shape[1]
    left, sigma, right = _terms(H, coef, least, project=not exact)
    root = np.sqrt(sigma)
    weight, output = root[:, None] * left.T, (root[:, None] * right).T
    if exact:
        zero = np.zeros(2 * len(root))
        both = np.concatenate([output, -output], axis=1)
        return Block(np.concatenate([weight, -weight]), zero, both, np.zeros(D))
    t = H @ weight.T
    low, high = (t.min(axis=0), t.max(axis=0)) if len(root) else (np.zeros(0), np.zeros(0))
    bias = -low + MARGIN * (high - low)
    return Block(weight, bias, output, -output @ bias)


def choose_sides(H: Array, network: RidgeSpline) -> RidgeSpline:
    """Return the same function with neurons turned so that its linear part is cheap.

    a relu(t) = a relu(-t) + a t: turning neuron k adds w_k a_k^T to coef and costs nothing. Each
    neuron is turned in its turn while the nuclear norm of coef on the data falls, from all as they
    are and from all turned; a local search, since the choices are 2^K.
    """
    basis = span(H)
    W, A = network.weights @ basis, network.amplitudes
    coef = basis.T @ network.coef
    best, least = np.zeros(len(W), dtype=bool), np.inf
    for start in (False, True):
        turned = np.full(len(W), start)
        here = coef + (W.T @ A if start else 0.0)
        value = _nuclear(here)
        for _ in range(PASSES):
            before = value
            for k in range(len(W)):
                trial = here + (-1.0 if turned[k] else 1.0) * np.outer(W[k], A[k])
                found = _nuclear(trial)
                if found < value * (1.0 - 1e-12):
                    here, value, turned[k] = trial, found, not turned[k]
            if value == before:
                break
        if value < least:
            best, least = turned, value
    return turn(network, best)


def turn(network: RidgeSpline, which: np.ndarray) -> RidgeSpline:
    """Return the same function with some neurons facing the other way."""
    sign = np.where(which, -1.0, 1.0)
    moved = network.amplitudes[which]
    return RidgeSpline(
        network.amplitudes,
        sign[:, None] * network.weights,
        sign * network.biases,
        network.coef + network.weights[which].T @ moved,
        network.intercept - network.biases[which] @ moved,
    )


def as_network(block: Block) -> RidgeSpline:
    """Return the function of a block, everywhere."""
    V, D = block.output, len(block.offset)
    network = RidgeSpline.from_layers(block.weight, block.bias, V, None, block.offset)
    if network.vector:
        return network
    coef = np.zeros((block.weight.shape[1], D))
    amplitudes = network.amplitudes[:, None]
    return RidgeSpline(amplitudes, network.weights, network.biases, coef, [network.intercept])


def neurons_of(network: RidgeSpline) -> Block:
    """Return the neurons and the intercept as a block of balanced units; `coef` is left out."""
    hidden, bias, output, _, _ = network.to_layers()
    return Block(hidden, bias, output, np.asarray(network.intercept))


def as_block(H: Array, network: RidgeSpline, *, least: float = 0.0, exact: bool = False) -> Block:
    """Return a block that equals the network on the data; see `affine_block`.

    Neurons become balanced units, |v_k| = |w_k|, at the price ||a_k||.
    """
    neurons = neurons_of(network)
    block = neurons.join(affine_block(H, network.coef, least=least, exact=exact))
    if exact:
        return block
    # What the projection of coef left out is a constant on the data.
    return block._replace(offset=block.offset + (network(H) - block(H)).mean(axis=0))


def _terms(H: Array, coef: Array, least: float, *, project: bool) -> tuple[Array, Array, Array]:
    """Return (u, s, v) with coef = sum_r s_r u_r v_r^T on the data, without tiny terms."""
    basis = span(H) if project else np.eye(len(coef))
    left, sigma, right = np.linalg.svd(basis.T @ coef, full_matrices=False)
    left = basis @ left
    spread = np.ptp(H @ left, axis=0) if project and len(H) else np.ones(len(sigma))
    rounding = 1e-14 * float(sigma.max(initial=0.0))
    keep = (sigma > rounding) & (sigma * spread > least)
    return left[:, keep], sigma[keep], right[keep]


def _nuclear(matrix: Array) -> float:
    return float(np.linalg.svd(matrix, compute_uv=False).sum()) if matrix.size else 0.0
