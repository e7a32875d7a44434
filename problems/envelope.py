"""The Moreau envelope of a loss around a pseudo-residual: smooth stand-in of a loss with kinks.

The method of multipliers splits z into z and u: the augmented Lagrangian of u = z with the
multipliers p,

    e(y, z) = min_u l(y, u) + p (u - z) + (u - z)^2 / (2 mu)
            = l(y, u) + mu (p+^2 - p^2) / 2,      u = prox_mu(z - mu p),   p+ = p + (u - z) / mu,

is smooth with de/dz = -p+, and -p+ is a subgradient of l at u, so that p+ lies in the domain of
the dual by itself (Rockafellar, "Augmented Lagrangians and applications of the proximal point
algorithm in convex programming", 1976).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from .checks import Array
from .loss_base import BaseLoss, Loss


def natural_width(loss: Loss, y: Array, size: float) -> float:
    """Return the mu by which the steepest slopes of a loss reach residuals of this size."""
    low, high = loss.dual_interval(y)
    steepest = max(float(np.abs(low).max(initial=0.0)), float(np.abs(high).max(initial=0.0)))
    return size / steepest if 0.0 < steepest < np.inf and size > 0.0 else size or 1.0


@dataclass(frozen=True, eq=False)
class Envelope(BaseLoss):
    """e(y, z) above, with curvature at most 1 / mu.

    Parameters
    ----------
    loss : Loss
        With a `multiplier`.
    centre : ndarray of shape (n,) or (n, D)
        p, for several outputs a column for each.
    mu : float
    """

    loss: Loss
    centre: Array
    mu: float
    name: ClassVar[str] = "envelope"

    @property
    def smoothness(self) -> float:  # type: ignore[override]
        """1 / mu."""
        return 1.0 / self.mu

    def of_output(self, c: int) -> Envelope:
        """Return the envelope of one of several outputs."""
        return replace(self, centre=self.centre[:, c])

    def multipliers(self, y: Array, z: Array) -> Array:
        """Return p+."""
        return self.loss.multiplier(y, z - self.mu * self.centre, self.mu)

    def value(self, y: Array, z: Array) -> Array:
        """Return l(y, u) + mu (p+^2 - p^2) / 2, by l(y, u) = -l*(y, -p+) - p+ u."""
        p = self.multipliers(y, z)
        u = z + self.mu * (p - self.centre)
        own = -self.loss.conjugate(y, -p) - p * u
        return own + 0.5 * self.mu * (p - self.centre) * (p + self.centre)

    def gradient(self, y: Array, z: Array) -> Array:
        """Return -p+."""
        return -self.multipliers(y, z)

    def curvature(self, y: Array, z: Array) -> Array:
        """Return -dp+/dz: 1 / mu where u is at a kink of the loss, 0 where it is linear."""
        return self.loss.multiplier_slope(y, self.multipliers(y, z), self.mu)
