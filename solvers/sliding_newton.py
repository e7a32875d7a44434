"""What sliding Newton methods share: damped steps, of which each lowers the true objective."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import numpy as np

from ..problems.checks import Array
from ._circle_kernels import Ints
from ._face_kernels import Roles, snap
from .core import Neurons

N = TypeVar("N", bound=Any)
"""Kind of the neurons: with `sign` and one output, or with a `direction` in several."""

MOST_VARIABLES = 1500
"""Size of the linear system above which most neurons only change their amplitude in a step."""


@dataclass
class QuadraticModel:
    """Quadratic model around the current neurons, in coordinates of their faces."""

    role: Roles
    basis: Array
    sizes: Ints
    offsets: Ints
    slopes: Array
    residual: Array
    hessian: Array
    gradient: Array


class SlidingNewton(Generic[N]):
    """Base of the masters: `descend` repeats steps that a subclass makes.

    Parameters
    ----------
    core : Core or VectorCore
        Evaluates neurons.
    """

    def __init__(self, core: Any) -> None:
        self.core = core
        self.damping = 0.0

    def descend(self, neurons: N, accuracy: float, max_steps: int) -> N:
        """Return neurons with a lower objective, damping steps that fail."""
        self.damping = 0.0
        state = self.core.state(neurons)
        for _ in range(max_steps):
            if len(neurons) == 0:
                break
            found = self.step(neurons, state)
            if found is None:
                if self.damping > 1e3:
                    break
                self.damping = max(10 * self.damping, 1e-2)
                continue
            fall = state.value - found[1].value
            neurons, state = found
            if fall <= accuracy:
                break
        return neurons

    def step(self, neurons: N, state: Any) -> tuple[N, Any] | None:
        """Return neurons of a lower objective and their state, None if the step gave none."""
        raise NotImplementedError

    def search(
        self,
        neurons: N,
        role: Roles,
        delta: Array,
        length: Array,
        value: float,
        rebuild: Callable[[float, Array, Array], N],
    ) -> tuple[N, Any] | None:
        """Halve the step until the true objective falls; return None if it does not.

        Parameters
        ----------
        neurons : neurons
        role : ndarray of shape (n_neurons, n)
            Which points a neuron holds: a full step meets them exactly.
        delta : ndarray of shape (n_neurons, d + 1)
            Step of amplitude_k (w_k, b_k).
        length : ndarray of shape (n_neurons,)
            Part of the step that each neuron may follow.
        value : float
            Objective of the neurons.
        rebuild : callable (t, amplitudes, planes) -> neurons
        """
        core = self.core
        d = neurons.planes.shape[1] - 1
        start = neurons.amplitude[:, None] * neurons.planes
        t = 1.0
        for _ in range(6):
            moved = start + (t * length)[:, None] * delta
            along = np.einsum("kd,kd->k", moved[:, :d], neurons.planes[:, :d])
            size = np.linalg.norm(moved[:, :d], axis=1)
            alive = along > 1e-12 * neurons.amplitude
            planes = np.where(alive[:, None], moved / np.where(alive, size, 1.0)[:, None], 0.0)
            if t == 1.0:
                snap(*self.points, role, planes, alive & (length >= 1.0))
            trial = rebuild(t, size, planes).take(alive)
            found = core.state(trial)
            if found.value < value:
                self.damping = 0.0 if t == 1.0 else max(2 * self.damping, 1e-3)
                return trial, found
            t *= 0.5
        return None

    @property
    def points(self) -> tuple[Array, float]:
        """The points X, and 1 if hyperplanes are free, 0 if they pass through the origin."""
        raise NotImplementedError


def settle(neurons: Neurons, residual: Array, basis: Array, sizes: Ints) -> None:
    """Let the neurons with least to gain keep their direction if the system would be too large.

    The gain of moving a neuron is about its least-norm slope times its amplitude.
    """
    if sizes.sum() <= MOST_VARIABLES:
        return
    order = np.argsort(-residual * neurons.amplitude, kind="stable")
    room = max(MOST_VARIABLES - len(neurons), MOST_VARIABLES // 3)
    settled = order[np.cumsum(sizes[order] - 1) > room]
    planes = neurons.planes[settled]
    basis[settled] = 0.0
    basis[settled, :, 0] = planes / np.linalg.norm(planes, axis=1, keepdims=True)
    sizes[settled] = 1
