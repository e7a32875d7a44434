"""Constraints met exactly by splines of order m: amplitudes, directions and biases move."""

from __future__ import annotations

import numpy as np

from ...problems.checks import Array
from ...problems.exact_fit_losses import BandLoss
from ...problems.power.spline import truncated_power
from ..core import Neurons
from ..restoration import Point, approach, shortest
from .core import PowerCore


def meet_constraints(core: PowerCore, neurons: Neurons, q: Array) -> tuple[PowerCore, Neurons]:
    """Return a core whose fitted values are those of the problem, and neurons that meet it.

    The model of the core is the squared distance from the constraints. If they cannot be met, the
    neurons only come closer.

    Parameters
    ----------
    core : PowerCore
        Its loss is a constraint.
    neurons : Neurons
        A minimiser of the model of `core`, about.
    q : ndarray of shape (n_rows,)
        Dual point: rows with q_i != 0 stay at the end that it presses against.
    """
    loss, p = core.loss, core.degree
    assert isinstance(loss, BandLoss)
    z = neurons.planes * (neurons.amplitude ** (1.0 / p))[:, None]
    theta = core.affine_part(core.ridge(neurons))
    low, high = core.y - loss.radius, core.y + loss.radius
    slack = loss.slack(core.y) or np.ones(())
    z, theta = approach(_Moves(core, neurons.sign), (z, theta), low, high, q, slack)
    length = np.linalg.norm(z[:, :-1], axis=1)
    live = length > 0.0
    planes = z[live] / length[live][:, None]
    return core.distance_to_constraints(theta), Neurons(
        neurons.sign[live], length[live] ** p, planes
    )


class _Moves:
    """Moves of z_k = amplitude_k^(1/p) (w_k, b_k), the derivative of `slide`, and polynomials."""

    def __init__(self, core: PowerCore, sign: Array) -> None:
        self.core, self.sign = core, sign

    def values(self, point: Point) -> Array:
        """Return the fitted values at the rows."""
        core, (z, theta) = self.core, point
        fitted: Array = core.on_rows(core.features(z) @ self.sign) + core.basis.columns @ theta
        return fitted

    def size(self, point: Point) -> int:
        """Return the number of entries of z."""
        return point[0].size

    def step(self, point: Point, entries: np.ndarray, missing: Array) -> Point:
        """Return the shortest step of z, relative to its length, and that of the polynomial."""
        core, z = self.core, point[0]
        K, size = z.shape
        slope = truncated_power(core.lifted @ z.T, core.degree) * self.sign
        J = (slope[:, :, None] * core.lifted[:, None, :]).reshape(core.n, K * size)
        scale = np.repeat(np.linalg.norm(z[:, :-1], axis=1), size)
        rows = core.on_rows(J)[entries] * scale
        xi, turn = shortest(rows, core.basis.columns[entries], missing)
        return (scale * xi).reshape(K, size), turn
