"""Losses whose proximal map is a clipped line: all with kinks, and the Huber loss."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from .checks import Array
from .loss_base import BaseLoss


class ClippedLine(BaseLoss):
    """Losses whose p = (u - v) / mu, u = argmin_u l(y, u) + (u - v)^2 / (2 mu), is a clipped line.

    p = clip(sign(r) max(|r| - zone, 0) / (mu + softness), low, high) with r = y - v, and with
    [low, high] the domain of p -> l*(y, -p).
    """

    softness: ClassVar[float] = 0.0
    """1 / curvature of the loss where p is inside of its domain: 0 at a kink."""

    @property
    def zone(self) -> float:
        """Residual up to which the loss is 0."""
        return 0.0

    def multiplier(self, y: Array, v: Array, mu: float) -> Array:
        """Return the p above."""
        r: Array = y - v
        line = np.maximum(np.abs(r) - self.zone, 0.0) / (mu + self.softness)
        return np.clip(np.where(r > 0.0, line, -line), *self.dual_interval(y))

    def at_kink(self, y: Array, p: Array) -> np.ndarray:
        """Return where p is on the slanted part of the line: small moves of v change it."""
        low, high = self.dual_interval(y)
        inner: np.ndarray = (p > low) & (p < high)
        return inner & (p != 0.0) if self.zone > 0.0 else inner

    def multiplier_slope(self, y: Array, p: Array, mu: float) -> Array:
        """Return 1 / (mu + softness) there, else 0."""
        return np.where(self.at_kink(y, p), 1.0 / (mu + self.softness), 0.0)
