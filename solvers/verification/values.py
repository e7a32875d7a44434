r"""Primal and dual value of a certificate, from the formulas of its loss.

By convexity a value that is computed at z and belongs to some z' with ``|z' - z| <= e`` is wrong by
at most ``max l(y, z +- e) - l(y, z)``. By concavity of psi = -l*(y, -.) the dual value of every
``t (q - e)`` with ``|e_i| <= s_i r_i`` is at least

    sum_i s_i min psi_i(t (p_i +- r_i)),      p = q / s.

If l depends on y - z only, any free function g may be subtracted from y there, since
``sum_i (q - e)_i g(x_i) = 0``: with the best fit of y nothing cancels.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ...problems.checks import Array
from .losses import Formula
from .null_space import U, exact_sum

STEPS = 64
"""Of the golden section for t."""
LARGEST_SCALE = 1e6
"""Of a dual point: the best t is near 1."""
GOLDEN = 0.5 * (math.sqrt(5.0) - 1.0)


@dataclass(frozen=True, eq=False)
class Primal:
    """The objective of a network, and what rounding does to it.

    Parameters
    ----------
    value : float
        F.
    error : float
        Bound of the error of `value`.
    n_neurons : int
        Neurons that are not equal.
    weights, biases : ndarray
        Their hyperplanes, for x itself.
    resolution : float
        Objective that rounding alone produces, for the network with its free part as it is or
        refitted, whichever is larger.
    missed : ndarray of shape (n,)
        By how much constraints are missed; 0 for losses that are none.
    """

    value: float
    error: float
    n_neurons: int
    weights: Array
    biases: Array
    resolution: float
    missed: Array

    @property
    def finite(self) -> bool:
        """Whether the network has an objective at all, and rounding does not hide it."""
        return math.isfinite(self.value) and math.isfinite(self.error)


def objective(
    loss: Formula, y: Array, s: Array, z: Array, error: Array, penalty: float, count: int
) -> tuple[float, float]:
    """Return ``sum_i s_i l(y_i, z_i) + penalty``, and a bound of its error.

    `error` bounds that of z, and count u that of the penalty, relatively.
    """
    values, sizes = loss.value(y, z)
    if loss.constrains:
        return exact_sum(s * values.T) + penalty, count * U * penalty
    if loss.tied:
        # All slopes are differences of probabilities.
        changes = error.sum(axis=1)
    else:
        higher, lower = loss.value(y, z + error)[0], loss.value(y, z - error)[0]
        changes = np.maximum(higher, lower) - values
    rounding = count * U * (exact_sum(s * sizes.T) + penalty)
    total = exact_sum(s * np.maximum(changes, 0.0).T)
    return exact_sum(s * values.T) + penalty, total + rounding


def resolution(loss: Formula, y: Array, s: Array, apart: Array, count: int) -> float:
    """Return the objective that errors `apart` in z produce, or less where it hides the targets.

    No more than 1e-9 of the objective of the best constant, or what `count` roundings of the
    targets produce.
    """
    own, spread = loss.rounding(s, 8.0 * apart), 1.0
    if loss.translates and not loss.constrains:
        mean = y[0] + (s @ (y - y[0])) / s.sum()
        spread = exact_sum(s * loss.value(y, np.broadcast_to(mean, y.shape))[0].T)
    targets = loss.rounding(s, count * U * np.abs(y))
    return min(own, 1.001 * max(1e-9 * spread, targets))


@dataclass(frozen=True, eq=False)
class DualPoint:
    """A dual point with all that its value depends on, entry by entry (samples times outputs).

    Parameters
    ----------
    loss : Formula
    y, s, q : ndarray of shape (n,)
        Targets, weights, dual point.
    reach : ndarray of shape (n,)
        r above.
    fit, slip : ndarray of shape (n,)
        A free function g on the rows, and a bound of its error; 0 if the loss is not one of y - z.
    """

    loss: Formula
    y: Array
    s: Array
    q: Array
    reach: Array
    fit: Array
    slip: Array

    @property
    def moved(self) -> float:
        """Bound of sum_i |e_i|."""
        return float(self.s @ self.reach) * (1.0 + 1e-12)

    def value(self, limit: float) -> tuple[float, float]:
        """Return a lower bound of F* if |t| <= `limit` is feasible, and what is lost by rounding.

        The best t is taken; t = 0 always is feasible.
        """
        p = self.q / self.s
        y = self.y - self.fit if self.loss.translates else self.y
        low, high = self.loss.ends(self.y)
        reach = self.reach + 4.0 * U * np.abs(p)
        if not np.isfinite(reach).all():
            limit = 0.0
        top = min(limit, _room(low, high, p, reach), LARGEST_SCALE)
        bottom = -min(limit, _room(low, high, -p, reach), LARGEST_SCALE)

        def ideal(t: float) -> float:
            return float(self.s @ self.loss.dual(y, np.clip(t * p, low, high))[0])

        t = max((_maximise(ideal, bottom, top), top, min(1.0, top)), key=ideal)
        found = [self._bound(t, p, y, reach), self._bound(0.0, p, y, reach)]
        return max(found[0], found[1]), max(ideal(t), ideal(0.0)) - max(found[0], found[1])

    def _bound(self, t: float, p: Array, y: Array, reach: Array) -> float:
        """Return a lower bound of D(t (q - e)), for a t that keeps all p +- reach in the domain."""
        low, high = self.loss.ends(self.y)
        reach = np.zeros_like(p) if t == 0.0 else abs(t) * reach
        ends = [np.clip(t * p + side * reach, low, high) for side in (-1.0, 1.0)]
        left, right = (self.loss.dual(y, end) for end in ends)
        size = exact_sum(self.s * np.maximum(left[1], right[1]))
        slack = (abs(t) * np.abs(self.q) + self.s * reach) @ self.slip
        least = exact_sum(self.s * np.minimum(left[0], right[0]))
        return least - 24.0 * U * size - float(slack) * (1.0 + 1e-9)


def _room(low: Array, high: Array, p: Array, reach: Array) -> float:
    """Return the largest t >= 0 that keeps t (p +- reach) between the ends."""
    with np.errstate(divide="ignore", invalid="ignore"):
        above = np.where(p + reach > 0.0, high / (p + reach), math.inf)
        below = np.where(p - reach < 0.0, low / (p - reach), math.inf)
    return float(min(above.min(initial=math.inf), below.min(initial=math.inf))) * (1.0 - 4.0 * U)


def _maximise(function: Callable[[float], float], low: float, high: float) -> float:
    """Return where a concave function is largest, by golden section."""
    if not low < high:
        return 0.0
    if function(high) >= function(high - 1e-7 * (high - low)):
        return high
    left, right = high - GOLDEN * (high - low), low + GOLDEN * (high - low)
    at_left, at_right = function(left), function(right)
    for _ in range(STEPS):
        if at_left >= at_right:
            high, right, at_right = right, left, at_left
            left = high - GOLDEN * (high - low)
            at_left = function(left)
        else:
            low, left, at_left = left, right, at_right
            right = low + GOLDEN * (high - low)
            at_right = function(right)
    return left if at_left >= at_right else right
