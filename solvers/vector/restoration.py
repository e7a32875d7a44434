"""Constraints met exactly by several outputs: amplitudes move, and hyperplanes in their cells.

An active row adds a_k (w_k, b_k).(x_i, -1), which is bilinear; data points on a hyperplane stay
there.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ...problems.checks import Array
from ...problems.envelope import Envelope
from ...problems.exact_fit_losses import BandLoss
from ...problems.vector.losses import SumOfOutputs
from .._circle_kernels import ON_PLANE
from ..restoration import Point, approach, shortest
from .core import VectorCore, VectorNeurons


def meet_constraints(
    core: VectorCore, neurons: VectorNeurons, Q: Array
) -> tuple[VectorCore, VectorNeurons]:
    """Return a core whose fitted values are those of the problem, and neurons that meet it.

    The model of the core is the squared distance from the constraints. If they cannot be met, the
    neurons only come closer.

    Parameters
    ----------
    core : VectorCore
        Its loss is a constraint.
    neurons : VectorNeurons
        A minimiser of the model of `core`, about.
    Q : ndarray of shape (n_rows, D)
        Dual point: entries with Q_ic != 0 stay at the end that they press against.
    """
    loss, T = core.terms.loss, core.loss.targets
    assert isinstance(loss, BandLoss)
    slack = loss.slack(T)
    slack = np.where(slack > 0.0, slack, 1.0)  # 0 for targets 0: there is no neuron
    neurons = neurons.take(neurons.amplitude > 0.0)
    theta = core.affine_part(core.ridge(neurons))
    start = neurons.vectors, neurons.planes, theta
    low, high = T - loss.radius, T + loss.radius
    A, V, theta = approach(_Moves(core, neurons), start, low, high, Q, slack)
    return _at(core, theta), _neurons(neurons, A, V)


def _at(core: VectorCore, theta: Array) -> VectorCore:
    """Return the core of the squared distance, whose affine part is theta if that meets all."""
    one = Envelope(core.terms.loss, np.zeros_like(core.loss.targets), 1.0)
    return replace(core, model=replace(core.loss, loss=SumOfOutputs(one)), _start=[theta])


def _neurons(neurons: VectorNeurons, A: Array, V: Array) -> VectorNeurons:
    """Return the neurons with amplitudes A (K, D) and hyperplanes V that need not be units."""
    length, size = np.linalg.norm(V[:, :-1], axis=1), np.linalg.norm(A, axis=1)
    live = (length > 0.0) & (size > 0.0)
    unit = A[live] / size[live, None], V[live] / length[live, None]
    return VectorNeurons(unit[0], (size * length)[live], unit[1])


class _Moves:
    """Moves of A (K, D), of V (K, d + 1) within cells, and of affine functions."""

    def __init__(self, core: VectorCore, neurons: VectorNeurons) -> None:
        self.core = core
        lifted, d = core.inputs.lifted, core.d
        height = lifted @ neurons.planes.T
        reach = ON_PLANE * np.linalg.norm(lifted, axis=1)
        self.active = height > reach[:, None]
        held = np.abs(height) <= reach[:, None]
        self.bases = [_null_space(lifted[points], d + 1) for points in held.T]
        # With the norm "l1" a neuron keeps its output.
        every = np.tile(np.eye(core.D), (len(neurons), 1, 1))
        self.axes = every if core.shared else neurons.direction[:, None, :]

    def values(self, point: Point) -> Array:
        """Return the fitted values at the rows, (n_rows, D)."""
        core, (A, V, theta) = self.core, point
        ridge = core.inputs.on_rows(core.inputs.features(V) @ A)
        fitted: Array = ridge + core.inputs.basis.columns @ theta @ core.free.T
        return fitted

    def size(self, point: Point) -> int:
        """Return the number of entries of A and V."""
        return point[0].size + point[1].size

    def step(self, point: Point, entries: np.ndarray, missing: Array) -> Point:
        """Return the shortest step of A and V, relative to their lengths, and that of theta."""
        core, (A, V, theta) = self.core, point
        if len(A) == 0:
            return A, V, np.zeros_like(theta)
        inputs, axes = core.inputs, self.axes
        owner = np.repeat(np.arange(len(A)), [N.shape[1] for N in self.bases])
        length = np.linalg.norm(A, axis=1)
        heights = core.columns(V) * length
        moved = [inputs.lifted @ N * self.active[:, [k]] for k, N in enumerate(self.bases)]
        slopes = inputs.on_rows(np.concatenate(moved, axis=1))
        rows = len(heights) * core.D
        grown = np.einsum("nk,kjc->nckj", heights, axes).reshape(rows, -1)
        turned = np.einsum("nm,mc->ncm", slopes, A[owner]).reshape(rows, -1)
        J = np.concatenate([grown, turned], axis=1)[entries]
        B = np.kron(inputs.basis.columns, core.free)[entries]
        xi, turn = shortest(J, B, missing)
        grown, turned = np.split(xi, [grown.shape[1]])
        dA = length[:, None] * np.einsum("kj,kjc->kc", grown.reshape(axes.shape[:2]), axes)
        dV = np.zeros_like(V)
        np.add.at(dV, owner, np.concatenate(self.bases, axis=1).T * turned[:, None])
        return dA, dV, turn.reshape(theta.shape)


def _null_space(rows: Array, size: int) -> Array:
    """Return an orthonormal basis (size, m) of what is orthogonal to the rows."""
    if len(rows) == 0:
        return np.eye(size)
    sigma, vt = np.linalg.svd(rows)[1:]
    rank = int((sigma > 1e-8 * sigma[0]).sum())
    return np.asarray(vt[rank:].T)
