"""What rounding can do: to values of a network, and to what its certificate claims."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import numpy as np

from .checks import Array

if TYPE_CHECKING:
    from .network import RidgeSpline

UNIT_ROUNDOFF = 2.0**-53
"""u of float64: a rounded operation is off by at most a relative u."""
MOST_ROUNDING = 1e-9
"""Part of the objective of the best constant that may be put down to rounding."""


class Misfit(Protocol):
    """What is needed of a loss, of one output or of several."""

    @property
    def translates(self) -> bool:
        """Whether l(y, z) depends on y - z only."""
        ...

    def value(self, y: Array, z: Array) -> Array:
        """Return l(y_i, z_i) row by row."""
        ...

    def resolution(self, s: Array, error: Array) -> float:
        """Return the objective value that errors of this size in the fit produce by themselves."""
        ...


def term_sizes(network: RidgeSpline, X: Array) -> Array:
    """Return the sums of the absolute values of the terms of f at rows, (n,) or (n, D).

    |x|.|c| + |c_0| + sum_k |a_k| (|w_k|.|x| + |b_k|)
    """
    a = np.abs(network.amplitudes)
    slopes = np.abs(network.coef) + (a.T @ np.abs(network.weights)).T
    sizes: Array = np.abs(X) @ slopes
    sizes += np.abs(network.intercept) + a.T @ np.abs(network.biases)
    return sizes


def spread_of(loss: Misfit, y: Array, s: Array) -> float:
    """Return sum_i s_i l(y_i, mean y), or 1 for a loss that depends on more than y - z."""
    if not loss.translates:
        return 1.0
    mean = y[0] + s @ (y - y[0])
    return float(s @ loss.value(y, np.broadcast_to(mean, y.shape)))


def resolution_of(loss: Misfit, y: Array, s: Array, error: Array, targets: Array) -> float:
    """Return the objective that rounding alone produces when a network is evaluated.

    `Loss.resolution` of 8 e_i, e_i the error of y_i - z_i: with residuals no larger than e the
    terms of a gap add up to less than that. Never more than the larger of 1e-9 `spread_of` and what
    rounding of the targets produces: a network whose values rounding changes by more (huge terms
    that cancel, an offset that hides the targets) has not been evaluated, and its gap must not
    count as 0.

    Parameters
    ----------
    loss : Misfit
    y, s : ndarray
        Targets and weights of the live rows.
    error : ndarray
        e, in the shape of y.
    targets : ndarray
        Rounding of the targets, in the shape of y.
    """
    most = max(MOST_ROUNDING * spread_of(loss, y, s), loss.resolution(s, targets))
    return min(loss.resolution(s, 8.0 * error), most)


def gain_of_refit(primal: float, better: float, slope: Array, error: Array, count: int) -> float:
    """Return an upper bound of F(f) - F(g) for a network f and its refit g, rounding included.

    max(F(f) - F(g), 0) + 2 N u (|F(f)| + |F(g)|) + 2 sum_i |slope_i| e_i

    Parameters
    ----------
    primal, better : float
        F(f) and F(g); 0 is returned if g breaks a constraint.
    slope : ndarray
        s_i l'(y_i, f(x_i)).
    error : ndarray
        e, bounds of the error of y_i - f(x_i), in the shape of `slope`.
    count : int
        N, roundings of an objective, those of its residuals apart.
    """
    if not better < np.inf:
        return 0.0
    rounding = count * 2.0 * UNIT_ROUNDOFF * (abs(primal) + abs(better))
    rounding += 2.0 * float((np.abs(slope) * error).sum())
    return max(primal - better, 0.0) + rounding
