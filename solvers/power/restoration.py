"""Constraints met exactly: Newton's method from neurons that meet them nearly.

Multipliers meet f(x_i) = y_i to a few more digits with every step, and where atoms are large and
nearly cancel rounding ends that early. The amplitudes, directions and biases of all atoms can be
moved by little so that the rows that matter meet their ends exactly,

    min |xi|   such that   J diag(scale) xi + polynomial = what is missing,

J the derivative of `slide`. To first order all such moves cost alike: alpha d|u|^p = J^T q at an
optimum of the model, so that the penalty changes by q^T (what is missing).
"""

from __future__ import annotations

import numpy as np

from ...problems.checks import Array
from ...problems.exact_fit_losses import BandLoss, slack
from ...problems.power.spline import truncated_power
from ..core import Neurons
from .core import PowerCore

MOST_STEPS = 12
MOST_HALVINGS = 4
ENOUGH = 0.1
"""Part of what counts as met that may be missing."""


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
    loss = core.loss
    assert isinstance(loss, BandLoss)
    enough, B = ENOUGH * slack(core.y), core.basis.columns
    p = core.degree
    z = neurons.planes * (neurons.amplitude ** (1.0 / p))[:, None]
    theta = core.affine_part(core.ridge(neurons))
    low, high = core.y - loss.radius, core.y + loss.radius

    def values(z: Array, theta: Array) -> Array:
        fitted: Array = core.on_rows(core.features(z) @ neurons.sign) + B @ theta
        return fitted

    fitted = values(z, theta)
    pressed = np.where(q > 0.0, low, np.where(q < 0.0, high, np.nan))
    for _ in range(MOST_STEPS):
        inside = np.clip(fitted, low, high)
        worst = float(np.abs(fitted - inside).max(initial=0.0))
        if worst <= enough:
            break
        # Once missed, always watched.
        pressed = np.where(np.isnan(pressed) & (fitted != inside), inside, pressed)
        rows = np.flatnonzero(~np.isnan(pressed))
        move, turn = _step(core, neurons.sign, z, rows, (pressed - fitted)[rows])
        for k in range(MOST_HALVINGS):
            t = 0.5**k
            trial = values(z + t * move, theta + t * turn)
            if float(np.abs(trial - np.clip(trial, low, high)).max()) < worst:
                break
        else:
            break
        z, theta, fitted = z + t * move, theta + t * turn, trial
    length = np.linalg.norm(z[:, :-1], axis=1)
    live = length > 0.0
    planes = z[live] / length[live][:, None]
    return core.distance_to_constraints(theta), Neurons(
        neurons.sign[live], length[live] ** p, planes
    )


def _step(
    core: PowerCore, sign: Array, z: Array, rows: np.ndarray, missing: Array
) -> tuple[Array, Array]:
    """Return the shortest step of z, relative to its length, and that of the polynomial."""
    K, size = z.shape
    slope = truncated_power(core.lifted @ z.T, core.degree) * sign
    J = (slope[:, :, None] * core.lifted[:, None, :]).reshape(core.n, K * size)
    scale = np.repeat(np.linalg.norm(z[:, :-1], axis=1), size)
    J, B = core.on_rows(J)[rows] * scale, core.basis.columns[rows]
    free = np.linalg.qr(B)[0]
    own = missing - free @ (free.T @ missing)
    xi = np.linalg.lstsq(J - free @ (free.T @ J), own, rcond=1e-12)[0]
    turn = np.linalg.lstsq(B, missing - J @ xi, rcond=None)[0]
    return (scale * xi).reshape(K, size), np.asarray(turn)
