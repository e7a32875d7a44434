"""Sliding: Newton's method in amplitudes, directions and biases of all neurons together.

For m >= 3 a neuron is smooth in all its parameters. With p = m - 1, u = a^(1/p) w, beta = a^(1/p) b

    a psi_m(w.x - b) = psi_m(u.x - beta)    and    a = |u|^p,

so that the problem for fixed signs is a smooth one without constraints in (u_k, beta_k):

    minimise  G(sum_k sign_k psi_m(u_k.x - beta_k) + polynomial) + alpha sum_k |u_k|^p

(Denoyelle, Duval, Peyre and Soubies, "The sliding Frank-Wolfe algorithm and its application to
super-resolution microscopy", 2019, for the idea of moving all atoms after each insertion).
"""

from __future__ import annotations

import numpy as np

from ...problems.checks import Array
from ...problems.power.spline import truncated_power
from ..cholesky import factorise, solve
from ..core import Neurons, State
from .core import PowerCore

LEAST_DAMPING, LITTLE_DAMPING, MOST_DAMPING = 1e-12, 1e-6, 1e8


def slide(core: PowerCore, neurons: Neurons, max_steps: int, accuracy: float = 0.0) -> Neurons:
    """Return the neurons after damped Newton steps; the objective never rises.

    Steps solve (H + damping diag |H|) delta = -gradient. It ends when a step gains less than
    `accuracy`, or nothing. Atoms that have left the data are dropped.
    """
    neurons = neurons.take(neurons.amplitude > 0.0)
    if len(neurons) == 0:
        return neurons
    p = core.degree
    root = neurons.amplitude ** (1.0 / p)
    z = neurons.planes * root[:, None]
    state = _state(core, neurons.sign, z)
    damping, stale = 1e-3, True
    for _ in range(max_steps):
        if stale:
            gradient, H = _model(core, neurons.sign, z, state)
            scale = np.abs(np.diag(H))
            scale = np.maximum(scale, 1e-14 * float(scale.max()))
        step = _step(H, scale, gradient, damping)
        trial = z - step.reshape(z.shape)
        found = _state(core, neurons.sign, trial)
        gain = state.value - found.value
        stale = gain > 0.0
        if not stale:
            damping = max(4.0 * damping, 1e-8)
            if damping > MOST_DAMPING:
                break
            continue
        z, state = trial, found
        damping = max(0.1 * damping, LEAST_DAMPING)
        # A small gain of a short step says nothing.
        if damping <= LITTLE_DAMPING and gain <= max(accuracy, 1e-16 * abs(state.value)):
            break
    length = np.linalg.norm(z[:, :-1], axis=1)
    t = core.lifted @ z.T
    # Beyond the data an atom is a polynomial at a price, and with its bias its rounding grows.
    live = (length > 0.0) & (t.min(axis=0) < 0.0) & (t.max(axis=0) > 0.0)
    planes = z[live] / length[live][:, None]
    return Neurons(neurons.sign[live], length[live] ** p, planes)


def _state(core: PowerCore, sign: Array, z: Array) -> State:
    penalty = float((np.linalg.norm(z[:, :-1], axis=1) ** core.degree).sum())
    return core.evaluate(core.on_rows(core.features(z) @ sign), penalty)


def _model(core: PowerCore, sign: Array, z: Array, state: State) -> tuple[Array, Array]:
    """Return the gradient and the Hessian of the objective at z (K, d + 1), polynomial refitted.

    H = J^T W (I - P) J + diag_k [-sign_k sum_i q_i psi'' x~ x~^T + alpha D^2 |u_k|^p], with J the
    derivatives sign_k psi'(t_ik) x~_i of the values, x~ = (x, -1), P the weighted projection on
    polynomials, and D^2 |u|^p = p |u|^(p - 2) (I + (p - 2) u u^T / |u|^2).
    """
    K, size = z.shape
    p, q = core.degree, core.on_points(state.q)
    t = core.lifted @ z.T
    slope = truncated_power(t, p) * sign
    bend = truncated_power(t, p - 1) if p > 2 else (t > 0.0).astype(np.float64)
    J = (slope[:, :, None] * core.lifted[:, None, :]).reshape(core.n, K * size)
    u, length = z[:, :-1], np.linalg.norm(z[:, :-1], axis=1)
    pull = core.alpha * p * length ** (p - 2)
    gradient = -(J.T @ q).reshape(K, size)
    gradient[:, :-1] += pull[:, None] * u
    rows = core.on_rows(J)
    free = core.without_affine(rows, None if core.model.quadratic else state.weights)
    H = free.T @ (free * state.weights[:, None])
    for k in range(K):
        block = -sign[k] * (core.lifted.T @ (core.lifted * (q * bend[:, k])[:, None]))
        unit = u[k] / length[k] if length[k] > 0.0 else u[k]
        block[:-1, :-1] += pull[k] * (np.eye(size - 1) + (p - 2) * np.outer(unit, unit))
        part = slice(k * size, (k + 1) * size)
        H[part, part] += block
    return gradient.ravel(), H


def _step(H: Array, scale: Array, gradient: Array, damping: float) -> Array:
    """Return (H + damping diag(scale))^-1 gradient, with more damping while H is indefinite."""
    root = 1.0 / np.sqrt(scale)
    unit = H * root * root[:, None]
    factor = factorise(unit, damping)
    return root * solve(factor, root * gradient)
