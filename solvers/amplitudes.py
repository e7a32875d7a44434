"""Amplitudes of given neurons: a non-negative quadratic program.

Block principal pivoting exchanges all infeasible variables at once and usually ends after a few
factorisations whatever the number of neurons. On nearly equal columns it can cycle: then
coordinate descent goes on to the accuracy asked for, and an active-set method to the end if the
answer must be exact.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from ..problems.checks import Array
from ._circle_kernels import OPTIONS
from .cholesky import factorise, solve
from .core import Core, Neurons

PIVOTS = 40
"""Rounds of block pivoting before coordinate descent takes over."""
MODELS = 40
"""Most quadratic models of a loss that is not quadratic itself."""
SWEEPS = 2000
"""Sweeps of coordinate descent."""


def refit_amplitudes(core: Core, neurons: Neurons, accuracy: float = 0.0) -> Neurons:
    """Return the neurons with the best amplitudes for their fixed planes; zeros are dropped.

    min_{a >= 0, c, c0} G(sum_k sign_k a_k relu(w_k.x - b_k) + A(c0, c)) + alpha sum_k a_k
    """
    if len(neurons) == 0:
        return neurons
    raw = core.on_rows(core.features(neurons.planes) * neurons.sign)
    if core.model.quadratic:
        columns = core.without_affine(raw)
        weighted = columns * core.s[:, None]
        gram = columns.T @ weighted
        linear = weighted.T @ core.without_affine(core.y) - core.alpha
        amplitude = nonnegative_quadratic(gram, linear, neurons.amplitude, accuracy)
    else:
        amplitude = _proximal_newton(core, raw, neurons.amplitude, accuracy)
    fitted = Neurons(neurons.sign, amplitude, neurons.planes)
    return fitted.take(amplitude > 0)


def _proximal_newton(core: Core, raw: Array, start: Array, accuracy: float) -> Array:
    """Minimise G(raw a + A theta) + alpha sum_k a_k over a >= 0 by quadratic models of G.

    Each step solves a `nonnegative_quadratic` with the curvatures at the last amplitudes and is
    halved until the true objective falls (Lee, Sun and Saunders, "Proximal Newton-type methods",
    2014).
    """
    a = np.array(start)
    state = core.evaluate(raw @ a, float(a.sum()))
    enough = np.inf
    for _ in range(MODELS):
        columns = core.without_affine(raw, state.weights)
        gram = columns.T @ (columns * state.weights[:, None])
        pull = raw.T @ state.q - core.alpha
        target = nonnegative_quadratic(gram, gram @ a + pull, a, min(0.1 * accuracy, 0.1 * enough))
        move = target - a
        promised = float(pull @ move)
        # A gap says little far from the optimum: some of what can be gained must be, too.
        enough = min(enough, 0.02 * promised)
        if promised <= max(min(0.5 * accuracy, enough), 1e-15 * abs(state.value)):
            break
        t = 1.0
        for _ in range(30):
            trial = np.maximum(a + t * move, 0.0)
            found = core.evaluate(raw @ trial, float(trial.sum()))
            if found.value <= state.value - 1e-4 * t * promised:
                break
            t *= 0.5
        else:
            break
        exact = t == 1.0 and np.array_equal(found.weights, state.weights)
        a, state = trial, found
        if exact:
            break
    return a


def nonnegative_quadratic(gram: Array, linear: Array, start: Array, accuracy: float = 0.0) -> Array:
    """Return the minimiser of 1/2 a^T gram a - linear^T a over a >= 0.

    Parameters
    ----------
    gram : ndarray of shape (size, size)
    linear : ndarray of shape (size,)
    start : ndarray of shape (size,)
        Nonnegative guess; its positive entries start free.
    accuracy : float, default=0
        Distance from the minimum that may remain if pivoting cycles.
    """
    diagonal = np.diag(gram)
    if (useless := diagonal <= 1e-20 * float(diagonal.max())).any():
        # Affine on the data: such a neuron costs and does nothing, and would spoil the scaling.
        a = np.zeros(len(linear))
        live = ~useless
        if live.any():
            block = gram[np.ix_(live, live)]
            a[live] = nonnegative_quadratic(block, linear[live], start[live], accuracy)
        return a
    scale = 1.0 / np.sqrt(diagonal)
    gram = gram * scale * scale[:, None]
    linear = linear * scale
    a, solved = _block_pivoting(gram, linear, start > 0)
    if not solved:
        a = start / scale
        _coordinate_descent(gram, linear, a, max(accuracy, 1e-12 * float(linear @ a)), SWEEPS)
        if accuracy == 0.0:
            a = _active_set(gram, linear, a)
    return a * scale


def _block_pivoting(gram: Array, linear: Array, free: np.ndarray) -> tuple[Array, bool]:
    """Kim and Park, "Fast nonnegative matrix factorization", 2011, algorithm 2.

    Solve for the free variables; exchange every negative free variable and every bound one with a
    negative gradient. If their number does not fall three times in a row, exchange one only.
    """
    tol = 1e-13 * np.abs(linear)
    fewest, patience = len(linear) + 1, 3
    a = np.zeros_like(linear)
    for _ in range(PIVOTS):
        a = np.zeros_like(linear)
        if free.any():
            a[free] = _solve(gram[np.ix_(free, free)], linear[free])
        wrong = np.where(free, a < 0, linear - gram @ a > tol)
        count = int(wrong.sum())
        if count == 0:
            return a, True
        if count < fewest:
            fewest, patience = count, 3
        elif patience > 0:
            patience -= 1
        else:
            wrong = np.arange(len(wrong)) == np.flatnonzero(wrong)[-1]
        free = free ^ wrong
    return a, False


@njit(**OPTIONS)
def _coordinate_descent(gram: Array, linear: Array, a: Array, accuracy: float, sweeps: int) -> None:
    """Minimise over one a_k >= 0 after the other, in place, until a.v + max v- max a is small.

    With v = gram a - linear the first term is the complementarity gap and the second bounds what
    negative multipliers can still gain.
    """
    size = len(a)
    v = gram @ a - linear
    for _ in range(sweeps):
        for k in range(size):
            new = a[k] - v[k] / gram[k, k]
            if new < 0.0:
                new = 0.0
            step = new - a[k]
            if step != 0.0:
                a[k] = new
                for i in range(size):
                    v[i] += step * gram[k, i]
        gap, worst, total = 0.0, 0.0, 0.0
        for k in range(size):
            gap += abs(a[k] * v[k])
            worst = max(worst, -v[k])
            total += a[k]
        if gap + worst * total <= accuracy:
            break


def _solve(gram: Array, right: Array) -> Array:
    """Return gram^-1 right, by a Cholesky factor with a ridge and one step of refinement.

    The ridge, 1e-12 and more where needed, decides ties between nearly equal columns; refinement
    removes its bias from what the data determine.
    """
    factor = factorise(gram, 1e-12)
    found = solve(factor, right)
    return found + solve(factor, right - gram @ found)


def _active_set(gram: Array, linear: Array, start: Array) -> Array:
    """Lawson and Hanson, "Solving least squares problems", 1974, chapter 23, warm-started.

    Variables enter in groups while that lowers the objective and one at a time afterwards, so
    that it ends.
    """
    size = len(linear)
    a, free = np.array(start), start > 0
    group = max(1, size // 4)
    value = np.inf
    tol = 1e-13 * np.abs(linear)
    for _ in range(3 * size + 30):
        a, free = _solve_free(gram, linear, a, free)
        pull = np.where(free, -np.inf, linear - gram @ a)
        waiting = np.flatnonzero(pull > tol)
        if len(waiting) == 0:
            break
        new_value = float(0.5 * a @ gram @ a - linear @ a)
        if new_value >= value:
            group = max(1, group // 4)
        value = min(value, new_value)
        free[waiting[np.argsort(-pull[waiting])[:group]]] = True
    return a


def _solve_free(gram: Array, linear: Array, a: Array, free: np.ndarray) -> tuple[Array, np.ndarray]:
    """Minimise over the free variables, dropping those that would turn negative on the way."""
    free = free.copy()
    while free.any():
        target = np.zeros_like(a)
        target[free] = _solve(gram[np.ix_(free, free)], linear[free])
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
