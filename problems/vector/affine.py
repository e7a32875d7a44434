"""The affine functions that fit several outputs best, for any loss."""

from __future__ import annotations

import numpy as np

from ..affine_fit import MOST_STEPS, fit_free, fit_smooth, newton_step, residual_size
from ..checks import Array
from .losses import SumOfOutputs, VectorLoss


def fit_free_outputs(
    loss: VectorLoss, T: Array, s: Array, offset: Array, B: Array, outputs: Array, theta: Array
) -> tuple[Array, Array | None]:
    """Return theta as in `fit_outputs` for any loss, and pseudo-residuals P (n, D) at kinks.

    Output by output as `affine_fit.fit_free`; None stands for the P of smooth losses.
    """
    if not isinstance(loss, SumOfOutputs) or not loss.sharp(T, s):
        return fit_outputs(loss, T, s, offset, B, outputs, theta), None
    theta, P = np.array(theta), np.empty_like(T)
    for c, y in enumerate(T.T):
        one, own = loss.of_output(c), offset[:, c]
        size = residual_size(one, y, s) or 1.0
        theta[:, c], p = fit_free(one, y, s, own, B, theta[:, c], size)
        P[:, c] = -one.gradient(y, own + B @ theta[:, c]) if p is None else p
    return theta, P


@np.errstate(over="ignore", invalid="ignore")
def fit_outputs(
    loss: VectorLoss, T: Array, s: Array, offset: Array, B: Array, outputs: Array, theta: Array
) -> Array:
    """Return the minimiser theta of sum_i s_i l(t_i, offset_i + outputs theta^T B_i), l smooth.

    Exact for the squared loss (a second step removes rounding). Other sums are fitted output by
    output; the rest by Newton's method as in `affine_fit.fit_smooth`, with the Hessian
    sum_i s_i B_i B_i^T x (outputs^T l''_i outputs).

    Parameters
    ----------
    loss : VectorLoss
    T, s, offset : ndarray of shape (n, D), (n,), (n, D)
    B : ndarray of shape (n, r)
        Columns, orthonormal in the weights s.
    outputs : ndarray of shape (D, D')
        Orthonormal directions in which the function is free.
    theta : ndarray of shape (r, D')
        Start.
    """
    if loss.quadratic:
        theta = B.T @ (s[:, None] * (T - offset)) @ outputs
        rest = T - offset - B @ theta @ outputs.T
        return theta + B.T @ (s[:, None] * rest) @ outputs
    if isinstance(loss, SumOfOutputs):
        fits = [
            fit_smooth(loss.of_output(c), t, s, offset[:, c], B, theta[:, c])
            for c, t in enumerate(T.T)
        ]
        return np.stack(fits, axis=1)
    z = offset + B @ theta @ outputs.T
    value = float(s @ loss.value(T, z))
    if not np.isfinite(value):
        theta, z = np.zeros_like(theta), np.array(offset)
        value = float(s @ loss.value(T, z))
    limit = loss.smoothness
    ridge, last = 0.0, np.inf
    for _ in range(MOST_STEPS):
        slope = s[:, None] * loss.gradient(T, z)
        curvature = s[:, None, None] * loss.curvature(T, z)
        gradient = B.T @ slope @ outputs
        size = float(np.linalg.norm(gradient))
        spread = np.einsum("icc->ic", curvature) * (np.abs(z) + np.abs(offset))
        noise = (np.abs(slope) + spread).sum(axis=1) @ np.abs(B).max(axis=1)
        noise *= 4.0 * np.finfo(float).eps
        if size <= noise or (size >= 0.5 * last and size <= 64.0 * noise):
            break
        last = size
        blocks = outputs.T @ curvature @ outputs
        hessian = np.einsum("ir,iab,iq->raqb", B, blocks, B, optimize=True)
        hessian = hessian.reshape(theta.size, theta.size)
        # Without a Lipschitz constant the present size of the Hessian stands in.
        if not np.isfinite(loss.smoothness):
            limit = max(float(np.trace(hessian)) / theta.size, np.finfo(float).tiny)
            ridge = min(ridge, limit)
        step, ridge = newton_step(hessian, gradient.ravel(), max(ridge, 1e-13 * limit), limit)
        move = step.reshape(theta.shape)
        t = 1.0
        for _ in range(40):
            trial = theta - t * move
            moved = offset + B @ trial @ outputs.T
            found = float(s @ loss.value(T, moved))
            if found <= value - 1e-4 * t * float((gradient * move).sum()):
                break
            # Near the minimum values are rounding, gradients are not.
            if found <= value + 1e-13 * abs(value):
                rate = np.linalg.norm(B.T @ (s[:, None] * loss.gradient(T, moved)) @ outputs)
                if rate < 0.9 * size:
                    break
            t *= 0.5
        else:
            break
        ridge = 0.1 * ridge if t == 1.0 else max(2.0 * ridge, 1e-4 * limit)
        theta, z, value = trial, moved, found
    return theta
