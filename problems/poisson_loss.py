"""The deviance of counts with a log link."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from scipy.special import kl_div, xlogy

from .checks import Array
from .loss_base import BaseLoss, inside, refuse

MOST_LOG = 700.0
"""exp of more overflows."""


@dataclass(frozen=True)
class PoissonLoss(BaseLoss):
    """exp(z) - y z + y log y - y: half the Poisson deviance of the mean exp(z), for y >= 0."""

    name: ClassVar[str] = "poisson"
    smoothness: ClassVar[float] = np.inf

    def check_targets(self, y: Array) -> None:
        """Raise a ValueError if a target is negative."""
        refuse(y, y < 0.0, "loss='poisson' needs counts, y >= 0", "drop or correct those rows")

    def value(self, y: Array, z: Array) -> Array:
        """Return exp(z) - y - y (z - log y)."""
        positive = y > 0
        log = np.log(np.where(positive, y, 1.0))
        with np.errstate(over="ignore"):
            gap = np.exp(z) - y - y * (z - log)
        return np.where(positive, np.maximum(gap, 0.0), np.exp(np.minimum(z, MOST_LOG)))

    def gradient(self, y: Array, z: Array) -> Array:
        """Return exp(z) - y."""
        return np.exp(np.minimum(z, MOST_LOG)) - y

    def curvature(self, y: Array, z: Array) -> Array:
        """Return exp(z)."""
        return np.exp(np.minimum(z, MOST_LOG))

    def dual_interval(self, y: Array) -> tuple[Array, Array]:
        """Return p <= y."""
        return np.full_like(y, -np.inf), np.array(y)

    def conjugate(self, y: Array, v: Array) -> Array:
        """Return pi log pi - pi - (y log y - y), pi = y + v >= 0."""
        mean = np.maximum(y + v, 0.0)
        return inside(-v, -np.inf, y, xlogy(mean, mean) - mean - xlogy(y, y) + y)

    def fenchel_gap(self, y: Array, z: Array, p: Array) -> Array:
        """Return pi log(pi / exp(z)) - pi + exp(z), pi = y - p."""
        gap: Array = kl_div(np.maximum(y - p, 0.0), np.exp(np.minimum(z, MOST_LOG)))
        return gap

    def fenchel_change(self, y: Array, z: Array, p: Array, radius: Array) -> Array:
        """Return radius max |z - log pi| over the range of pi; near 0 a modulus.

        x log x - x is within 3 r (1 + log(1 / (3 r))) of 0 for 0 <= x <= 3 r <= 1 / e.
        """
        mean = y - p
        inner = mean > 2.0 * radius
        a, r = np.where(inner, mean, 1.0), np.where(inner, radius, 0.0)
        steep = np.maximum(np.abs(z - np.log(a + r)), np.abs(z - np.log(a - r)))
        small = np.minimum(3.0 * radius, 0.3)
        edge = np.abs(z) * radius + 2.0 * (small - xlogy(small, small)) + radius * radius
        change: Array = np.where(inner, radius * steep, edge)
        return change
