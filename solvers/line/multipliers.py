"""The method of multipliers in one dimension, for losses with kinks.

The loss is replaced by its envelope around pseudo-residuals p (`problems.envelope`), which Newton
minimises; its slope becomes the next p, a proximal point step on the dual (Rockafellar, "Augmented
Lagrangians and applications of the proximal point algorithm in convex programming", 1976).
"""

from __future__ import annotations

import numpy as np

from ...problems.envelope import Envelope, natural_width
from ...problems.losses import Loss
from ._kernels import expand
from .certificate import certify_spline
from .data import LineData
from .newton import Newton, Report
from .quadratic import Knots

SLOW, SHRINK = 0.5, 0.3
"""If a step of p leaves more than this part of the gap, mu shrinks by that factor."""
LEAST_MU = 1e-5
"""Smallest mu in units of the first one."""
INNER_STEPS = 60
"""Newton steps on one envelope."""
MAX_STALLS = 20


def spread_of(data: LineData, loss: Loss) -> float:
    """Return the weighted standard deviation of the targets, 1 for losses of other things.

    Margins have the scale 1 whatever the classes are: of one class alone it would be rounding.
    """
    if not loss.translates:
        return 1.0
    total = data.s.sum()
    return float(np.sqrt(data.s @ (data.y - data.s @ data.y / total) ** 2 / total))


def minimise_kinked(
    data: LineData,
    loss: Loss,
    alpha: float,
    start: Knots,
    *,
    tol: float,
    max_iter: int,
    report: Report,
) -> int:
    """Move p until `report` says stop or nothing moves; return the rounds used."""
    mu = 0.1 * natural_width(loss, data.y, spread_of(data, loss))
    least = LEAST_MU * mu
    p = np.zeros(len(data.y))
    knots, rounds = start, 0
    last, best, stalls = np.inf, np.inf, 0
    while rounds < max_iter and stalls < MAX_STALLS:
        model = Envelope(loss, p, mu)
        newton = Newton(data, model, alpha, knots)
        for _ in range(INNER_STEPS):
            rounds += newton.step(max(0.1 * tol, 1e-12), max_iter)
            size = newton.objective(np.zeros(len(data.x)), newton.knots.kinks)
            enough = 1e-13 * abs(size)
            if newton.stuck or newton.expected <= enough or rounds >= max_iter:
                break
        knots = newton.knots
        z = data.at_rows(expand(data.x, knots.at, knots.values))
        low, high = loss.dual_interval(data.y)
        p = np.clip(model.multipliers(data.y, z), low, high)
        dual = certify_spline(data, loss, alpha, knots, p)
        if report(knots, dual):
            break
        if not dual.gap <= SLOW * last:
            mu = max(SHRINK * mu, least)
        last = dual.gap
        stalls = 0 if dual.gap < 0.9 * best else stalls + 1
        best = min(best, dual.gap)
    return rounds
