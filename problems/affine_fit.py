"""The free function that fits best, for any loss: damped Newton, and multipliers at kinks."""

from __future__ import annotations

import numpy as np

from .checks import Array
from .clipped_fit import fit_clipped
from .envelope import Envelope, natural_width
from .loss_base import Loss
from .proximal import ClippedLine

MOST_STEPS = 200
MOST_UPDATES = 100


@np.errstate(over="ignore", invalid="ignore")
def fit_smooth(loss: Loss, y: Array, s: Array, offset: Array, B: Array, theta: Array) -> Array:
    """Return the minimiser theta of sum_i s_i l(y_i, offset_i + (B theta)_i), l smooth.

    Newton's method with a growing ridge where the curvature vanishes, and backtracking. It ends
    where the gradient is rounding or no step lowers the objective. Envelopes go to `fit_clipped`.

    Parameters
    ----------
    loss : Loss
        Smooth.
    y, s, offset : ndarray of shape (n,)
    B : ndarray of shape (n, size)
        Columns, orthonormal in the weights s.
    theta : ndarray of shape (size,)
        Start.
    """
    if B.shape[1] == 0:
        return theta
    if isinstance(loss, Envelope) and isinstance(loss.loss, ClippedLine):
        return fit_clipped(loss.loss, loss.centre, loss.mu, y, s, offset, B, theta)
    z = offset + B @ theta
    value, plain = float(s @ loss.value(y, z)), float(s @ loss.value(y, offset))
    if not value <= plain:
        # A start worse than none, as one of another fit may be.
        theta, z, value = np.zeros_like(theta), np.array(offset), plain
    ridge, last = 0.0, np.inf
    limit = loss.smoothness
    for _ in range(MOST_STEPS):
        slope = s * loss.gradient(y, z)
        curvature = s * loss.curvature(y, z)
        gradient = B.T @ slope
        size = float(np.linalg.norm(gradient))
        rounding = np.abs(slope) + curvature * (np.abs(z) + np.abs(offset))
        noise = 4.0 * np.finfo(float).eps * float(rounding @ np.abs(B).max(axis=1))
        if size <= noise or (size >= 0.5 * last and size <= 64.0 * noise):
            break
        last = size
        hessian = (B * curvature[:, None]).T @ B
        # B^T diag(s) B = I, so L bounds the Hessian; without L its present size stands in.
        if not np.isfinite(loss.smoothness):
            limit = max(float(np.trace(hessian)) / len(gradient), np.finfo(float).tiny)
            ridge = min(ridge, limit)
        step, ridge = newton_step(hessian, gradient, max(ridge, 1e-13 * limit), limit)
        # Falls of this size may drown in the rounding of the objective: envelopes add p z.
        hidden = 1e-9 * float(s @ np.abs(loss.value(y, z)))
        hidden += 1e-12 * float(np.abs(slope) @ (np.abs(z) + np.abs(offset)))
        t = 1.0
        for _ in range(40):
            trial = theta - t * step
            moved = offset + B @ trial
            found = float(s @ loss.value(y, moved))
            if found <= value - 1e-4 * t * float(gradient @ step):
                # A slope that stays the same: nothing but the ridge has limited the step.
                while t >= 1.0 and found <= value - 0.9 * t * float(gradient @ step):
                    farther = offset + B @ (theta - 2.0 * t * step)
                    fallen = float(s @ loss.value(y, farther))
                    if not fallen < found:
                        break
                    t, moved, found = 2.0 * t, farther, fallen
                trial = theta - t * step
                break
            # Near the minimum values are rounding, gradients are not.
            rate = float(np.linalg.norm(B.T @ (s * loss.gradient(y, moved))))
            if rate < 0.9 * size and t * float(gradient @ step) <= hidden:
                break
            t *= 0.5
        else:
            break
        ridge = 0.1 * ridge if t >= 1.0 else max(2.0 * ridge, 1e-4 * limit)
        theta, z, value = trial, moved, found
    return theta


def newton_step(hessian: Array, gradient: Array, ridge: float, limit: float) -> tuple[Array, float]:
    """Return (hessian + ridge I)^-1 gradient, with a larger ridge if the system is singular."""
    identity = np.eye(len(gradient))
    while True:
        try:
            factor = np.linalg.cholesky(hessian + ridge * identity)
            step = np.linalg.solve(factor.T, np.linalg.solve(factor, gradient))
            # A step far beyond what the slope deserves comes from directions without curvature.
            if np.linalg.norm(step) <= 1e6 * np.linalg.norm(gradient) / limit:
                return step, ridge
        except np.linalg.LinAlgError:
            pass
        ridge = max(10.0 * ridge, 1e-7 * limit)


def fit_free(
    loss: Loss, y: Array, s: Array, offset: Array, B: Array, theta: Array, size: float
) -> tuple[Array, Array | None]:
    """Return theta as in `fit_smooth` for any loss, and p as in `fit_with_multipliers` at kinks.

    Least squares in two passes for the squared loss, Newton's method for other smooth ones.

    Parameters
    ----------
    loss, y, s, offset, B, theta
        See `fit_smooth`.
    size : float
        Of the residuals, see `residual_size`.
    """
    if loss.quadratic:
        return least_squares(y - offset, s, B), None
    if not loss.sharp(size):
        return fit_smooth(loss, y, s, offset, B, theta), None
    return fit_with_multipliers(loss, y, s, offset, B, natural_width(loss, y, size))


def residual_size(loss: Loss, y: Array, s: Array, *, level: bool = True) -> float:
    """Return the mean size of the residuals of the best constant, 1 for losses of other things.

    The constant is 0 unless `level` says that constants are free.
    """
    if not loss.translates:
        return 1.0
    return float(s @ np.abs(y - s @ y)) if level else float(s @ np.abs(y))


def least_squares(y: Array, s: Array, B: Array) -> Array:
    """Return the coefficients of the weighted least-squares fit; a second pass removes rounding."""
    theta = B.T @ (s * y)
    again: Array = theta + B.T @ (s * (y - B @ theta))
    return again


def fit_with_multipliers(
    loss: Loss, y: Array, s: Array, offset: Array, B: Array, mu: float
) -> tuple[Array, Array]:
    """Return theta as in `fit_smooth`, for a loss with kinks, and the pseudo-residuals p.

    The method of multipliers: minimise the envelope around p, take its slope as the next p, until
    the Fenchel gap sum_i s_i [l(y_i, z_i) + l*(y_i, -p_i) + p_i z_i] is rounding or has stopped
    falling. B^T (s p) = 0 holds to rounding at every step. A loss of y - z is fitted to what least
    squares leave of y, whose size then takes the place of mu: that of y would hide it.
    """
    start = np.zeros(B.shape[1])
    if loss.translates:
        start = least_squares(y - offset, s, B)
        y = y - offset - B @ start
        offset, mu = np.zeros_like(y), natural_width(loss, y, float(s @ np.abs(y)))
    p, theta = np.zeros_like(y), np.zeros(B.shape[1])
    best: tuple[float, Array, Array] = (np.inf, theta, p)
    idle = 0
    for _ in range(MOST_UPDATES):
        envelope = Envelope(loss, p, mu)
        theta = fit_smooth(envelope, y, s, offset, B, theta)
        z = offset + B @ theta
        p = envelope.multipliers(y, z)
        gap = float(s @ np.abs(loss.fenchel_gap(y, z, p)))
        gap += float(np.linalg.norm(B.T @ (s * p)) * np.linalg.norm(theta))
        if gap < best[0] * 0.999:
            best, idle = (gap, theta, p), 0
        else:
            idle += 1
        size = float(s @ np.abs(p * z)) + float(s @ np.abs(y)) * 1e-3
        if gap <= 1e-15 * size or idle >= 4:
            break
        mu *= 0.5
    return start + best[1], best[2]
