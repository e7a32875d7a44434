"""Amplitudes of given neurons: a non-negative quadratic program, warm-started active set."""

from __future__ import annotations

import numpy as np
from scipy.linalg import cho_factor, cho_solve

from ..problems.checks import Array
from .core import Core, Neurons


def refit_amplitudes(core: Core, neurons: Neurons) -> Neurons:
    """Return the neurons with the best amplitudes for their fixed planes; zeros are dropped.

    min_{a >= 0, c, c0} G(sum_k sign_k a_k relu(w_k.x - b_k) + A(c0, c)) + alpha sum_k a_k
    """
    if len(neurons) == 0:
        return neurons
    columns = core.without_affine(core.features(neurons.planes) * neurons.sign)
    weighted = columns * core.s[:, None]
    gram = columns.T @ weighted
    linear = weighted.T @ core.without_affine(core.y) - core.alpha
    amplitude = nonnegative_quadratic(gram, linear, neurons.amplitude)
    fitted = Neurons(neurons.sign, amplitude, neurons.planes)
    return fitted.take(amplitude > 0)


def nonnegative_quadratic(gram: Array, linear: Array, start: Array) -> Array:
    """Minimise 1/2 a^T gram a - linear^T a over a >= 0 (active set, Lawson and Hanson 1974, ch. 23).

    Starts from `start` >= 0. Variables enter in groups while that lowers the objective and one at
    a time afterwards, so that it ends. A ridge of 1e-13 of the mean diagonal decides ties between
    equal columns.
    """
    size = len(linear)
    gram = gram + 1e-13 * (np.trace(gram) / size + 1e-300) * np.eye(size)
    scale = np.sqrt(np.diag(gram))
    a = np.array(start)
    free = a > 0
    group = max(1, size // 2)
    value = 0.5 * a @ gram @ a - linear @ a
    tol = 1e-13 * float(np.abs(linear).max(initial=0.0) + np.abs(gram @ a).max(initial=0.0))
    for _ in range(20 * size + 100):
        a, free = _solve_free(gram, linear, a, free)
        pull = np.where(free, -np.inf, (linear - gram @ a) / scale)
        waiting = np.flatnonzero(pull > tol / scale)
        if len(waiting) == 0:
            break
        new_value = 0.5 * a @ gram @ a - linear @ a
        if new_value >= value:
            group = max(1, group // 4)
        value = min(value, new_value)
        free[waiting[np.argsort(-pull[waiting])[:group]]] = True
    return a


def _solve_free(gram: Array, linear: Array, a: Array, free: np.ndarray) -> tuple[Array, np.ndarray]:
    """Minimise over the free variables, dropping those that would turn negative on the way."""
    free = free.copy()
    while free.any():
        block = gram[np.ix_(free, free)]
        target = np.zeros_like(a)
        target[free] = cho_solve(cho_factor(block), linear[free])
        falling = free & (target <= 0)
        if not falling.any():
            return target, free
        move = a - target
        ratio = np.where(falling & (move > 0), a / np.where(move > 0, move, 1.0), np.inf)
        step = min(1.0, float(ratio.min()))
        a = np.where(free, a + step * (target - a), 0.0)
        stopped = falling & ((a <= 0) | (ratio <= step))
        a[stopped] = 0.0
        free &= ~stopped
    return np.zeros_like(a), free
