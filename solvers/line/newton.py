"""Proximal Newton for a smooth loss in one dimension: a few weighted quadratic problems.

At the fitted values z the loss is replaced by ``g.d + sum_i w_i d_i^2 / 2``, ``g = s l'``,
``w = s (l'' + damping)``, and the penalised model is minimised by `KnotMethod` from the current
knots (Lee, Sun and Saunders, "Proximal Newton-type methods for minimizing composite functions",
2014). A line search on the true objective makes every step descend. The damping makes the model
strictly convex where the loss is flat, and shrinks with every full step.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ...problems.checks import Array
from ...problems.losses import Loss
from ._kernels import expand
from .certificate import LineDual, certify_spline
from .data import LineData
from .quadratic import KnotMethod, Knots

FIRST_DAMPING, LEAST_DAMPING = 1e-3, 1e-11
"""Damping in units of the largest curvature (of the loss if finite, else at z)."""
MAX_STALLS = 8
LOOSEST = 1e-2
"""Largest relative accuracy of a model's minimiser."""

Report = Callable[[Knots, LineDual], bool]
"""Called with every iterate; True ends the run."""


def affine_knots(data: LineData) -> Knots:
    """Return the zero function."""
    ends = np.unique(np.array([0, len(data.x) - 1], dtype=np.int64))
    return Knots(ends, *(np.zeros(len(ends)) for _ in range(3)))


def minimise_model(
    method: KnotMethod, alpha: float, accuracy: float, offset: float, max_rounds: int
) -> Knots:
    """Run rounds until the model's gap is below `accuracy` times its value plus `offset`."""
    tolerance = 1e-12
    for _ in range(max_rounds):
        done = method.advance(tolerance)
        penalty = alpha * float(np.abs(method.vertex.kinks).sum())
        if penalty > 0.0:
            share = min((method.value + offset) / penalty, 1.0)
            tolerance = float(np.clip(accuracy * share, 1e-14, 0.1))
        if done or method.excess <= 3.0 * tolerance:
            break
    return method.vertex


def blend(data: LineData, old: Knots, new: Knots, t: float) -> Knots:
    """Return (1 - t) old + t new."""
    at = np.union1d(old.at, new.at)
    values, kinks = np.zeros(len(at)), np.zeros(len(at))
    for part, share in ((old, 1.0 - t), (new, t)):
        values += share * np.interp(data.x[at], data.x[part.at], part.values)
        kinks[np.searchsorted(at, part.at)] += share * part.kinks
    keep = kinks != 0.0
    keep[[0, -1]] = True
    at, values, kinks = at[keep], values[keep], kinks[keep]
    return Knots(at, np.sign(kinks), values, kinks)


class Newton:
    """One problem with a smooth loss.

    Parameters
    ----------
    data : LineData
    loss : Loss
    alpha : float
    start : Knots
    """

    def __init__(self, data: LineData, loss: Loss, alpha: float, start: Knots) -> None:
        self.data, self.loss, self.alpha = data, loss, alpha
        self.knots = start
        self.damping = FIRST_DAMPING
        self.stuck = False
        """Whether the objective cannot be lowered any more in float64."""
        self.expected = np.inf
        """First-order decrease of the objective along the last step."""

    def objective(self, z: Array, kinks: Array) -> float:
        """Return the penalised loss of fitted values z."""
        value = self.data.s @ self.loss.value(self.data.y, self.data.at_rows(z))
        return float(value) + self.alpha * float(np.abs(kinks).sum())

    def step(self, accuracy: float, max_rounds: int) -> int:
        """Make one Newton step; return the number of rounds it took."""
        data, loss, old = self.data, self.loss, self.knots
        z = expand(data.x, old.at, old.values)
        rows = data.at_rows(z)
        slope = data.sums(data.s * loss.gradient(data.y, rows))
        curvature = loss.curvature(data.y, rows)
        weight = data.sums(data.s)
        top = loss.smoothness
        if not np.isfinite(top):
            top = max(float(curvature.max(initial=0.0)), np.finfo(np.float64).tiny)
        value = self.objective(z, old.kinks)
        loss_value = self.objective(z, np.zeros(0))
        rounds = 0
        while True:
            w = data.sums(data.s * curvature) + self.damping * top * weight
            b = w * z - slope
            method = KnotMethod(data.x, w, b, self.alpha, start=old, centre=z)
            new = minimise_model(method, self.alpha, accuracy, loss_value, max_rounds)
            rounds += method.rounds
            t = self._search(old, new, z, slope, value)
            if t > 0.0 or self.damping >= 1e3:
                break
            self.damping *= 100.0
        self.stuck = t == 0.0
        if t == 1.0:
            self.knots = new
            self.damping = max(0.1 * self.damping, LEAST_DAMPING)
        elif t > 0.0:
            self.knots = blend(data, old, new, t)
            self.damping = min(self.damping * 2.0, 1e3)
        return rounds

    def _search(self, old: Knots, new: Knots, z: Array, slope: Array, value: float) -> float:
        """Return the step length t = 2^-j with enough descent, 0 if there is none."""
        step = expand(self.data.x, new.at, new.values) - z
        change = float(np.abs(new.kinks).sum()) - float(np.abs(old.kinks).sum())
        expected = float(slope @ step) + self.alpha * change
        self.expected = -expected
        noise = 1e-14 * abs(value) + 1e-300
        t = 1.0
        for _ in range(40):
            end = new.kinks if t == 1.0 else blend(self.data, old, new, t).kinks
            with np.errstate(over="ignore", invalid="ignore"):
                reached = self.objective(z + t * step, end)
            if reached <= value + 1e-4 * t * min(expected, 0.0) + noise:
                return t
            t *= 0.5
        return 0.0


def minimise_smooth(
    data: LineData,
    loss: Loss,
    alpha: float,
    start: Knots,
    *,
    tol: float,
    max_iter: int,
    report: Report,
) -> int:
    """Run Newton steps until `report` says stop or nothing moves; return the rounds used."""
    newton = Newton(data, loss, alpha, start)
    dual = certify_spline(data, loss, alpha, start)
    rounds = 0
    stalls, best = 0, dual.gap
    while rounds < max_iter and stalls < MAX_STALLS and not newton.stuck:
        relative = min(dual.gap, newton.expected) / max(abs(dual.primal), 1e-300)
        accuracy = min(LOOSEST, max(0.03 * relative, 0.01 * tol))
        rounds += newton.step(accuracy, max_iter - rounds)
        dual = certify_spline(data, loss, alpha, newton.knots)
        if report(newton.knots, dual):
            break
        moving = newton.expected > 1e-13 * abs(dual.primal)
        stalls = 0 if moving or dual.gap < 0.9 * best else stalls + 1
        best = min(best, dual.gap)
    return rounds
