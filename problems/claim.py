"""What a certificate claims: the gap, and the lower bound that goes with it."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from .checks import Array
from .exact_fit_losses import BandLoss
from .loss_base import Loss


class Claim(NamedTuple):
    """Gap, lower bound and relative gap; the gap is infinite while constraints are not met."""

    gap: float
    dual: float
    relative_gap: float


def claim(primal: float, gap: float, dual_value: float, least: float, resolution: float) -> Claim:
    """Return the claim for an objective, a proved gap and the dual value that goes with it.

    Parameters
    ----------
    primal : float
        Objective, infinite if it is that of constraints that are not met.
    gap : float
        Bound of primal - D(t q).
    dual_value : float
        D(t q), used where the objective is infinite.
    least : float
        Another lower bound: D(0).
    resolution : float
        A gap up to it counts as 0.
    """
    if not np.isfinite(primal):
        return Claim(np.inf, max(dual_value, least), np.inf)
    gap = max(float(min(gap, primal - least)), 0.0)
    relative = 0.0 if gap <= resolution else gap / max(abs(primal), np.finfo(float).tiny)
    return Claim(gap, primal - gap, relative)


def target_rounding(loss: Loss, y: Array, q: Array, scale: float) -> float:
    """Return what rounding the targets moves D(t q) = t q.y - ... by, for constraints; else 0.

    Arrays have the shape (n,), or (n, D) for several outputs.
    """
    if not isinstance(loss, BandLoss):
        return 0.0
    moved = np.abs(y).max(axis=0, initial=0.0) * np.abs(q).sum(axis=0)
    return 8.0 * np.finfo(float).eps * abs(scale) * float(np.sum(moved))
