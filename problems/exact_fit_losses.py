"""Losses that are 0 or infinite: interpolation, and a tube around the targets.

With them a problem is min RTV(f) subject to constraints, times alpha. Floating point meets no
equation exactly: what counts as met is a residual of at most `FIT` times max_i |y_i - mean y|.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from .checks import Array, as_positive
from .loss_base import Loss, inside
from .proximal import ClippedLine
from .regression_losses import ResidualLoss

FIT = 1e-9


def slack(y: Array) -> float:
    """Return the residual of targets (n,) that counts as 0."""
    return float(slacks(y))


def slacks(y: Array) -> Array:
    """Return `slack` of each column of targets (n, D), shape (D,); of targets (n,) a number."""
    if len(y) == 0:
        return np.zeros(y.shape[1:])
    size = np.abs(y - y.mean(axis=0)).max(axis=0)
    found: Array = FIT * size + 64.0 * np.finfo(np.float64).eps * np.abs(y).max(axis=0)
    return found


class BandLoss(ClippedLine, ResidualLoss):
    """0 where |y - z| is at most the radius of a subclass, infinite elsewhere."""

    smooth: ClassVar[bool] = False
    smoothness: ClassVar[float] = np.inf

    @property
    def radius(self) -> float:
        """Residual up to which the constraint is met."""
        raise NotImplementedError

    @property
    def zone(self) -> float:
        """The radius."""
        return self.radius

    def slack(self, y: Array) -> Array:
        """Return the excess over the radius that counts as none, for each column of targets."""
        return slacks(y)

    def check_feasible(self, X: Array, y: Array) -> None:
        """Raise a ValueError if equal rows of X have targets that no function can meet."""
        inverse = np.unique(X + 0.0, axis=0, return_inverse=True)[1].reshape(-1)
        order = np.lexsort((y, inverse))
        first = np.flatnonzero(np.diff(inverse[order], prepend=-1))
        width = np.maximum.reduceat(y[order], first) - np.minimum.reduceat(y[order], first)
        if width.max(initial=0.0) > 2.0 * self.radius:
            at = int(np.argmax(width))
            rows = np.flatnonzero(inverse == at)[:2].tolist()
            raise ValueError(
                f"loss={self.name!r} cannot be met: rows {rows} of X are equal, but their targets "
                f"differ by {width[at]:.6g}; average them, or choose another loss."
            )

    def resolution(self, s: Array, error: Array) -> float:
        """Return 0: constraints are met or not."""
        return 0.0

    def value(self, y: Array, z: Array) -> Array:
        """Return 0 where the constraint is met, else infinity."""
        return np.where(np.abs(y - z) <= self.radius + self.slack(y), 0.0, np.inf)

    def gradient(self, y: Array, z: Array) -> Array:
        """Return 0, a subgradient inside the tube."""
        return np.zeros_like(z)

    def curvature(self, y: Array, z: Array) -> Array:
        """Return 0."""
        return np.zeros_like(z)

    def conjugate(self, y: Array, v: Array) -> Array:
        """Return y v + epsilon |v|."""
        return inside(v, -np.inf, np.inf, y * v + self.radius * np.abs(v))

    def fenchel_gap(self, y: Array, z: Array, p: Array) -> Array:
        """Return epsilon |p| - p r, infinite outside of the tube.

        What counts as met may be beyond the tube by some e with |e| <= `slack`: -p e is left out
        where it is negative, so that no gap is too small.
        """
        r: Array = y - z
        within = np.clip(r, -self.radius, self.radius)
        beyond = np.maximum(-p * (r - within), 0.0)
        gap = np.abs(p) * (self.radius - np.where(p >= 0, within, -within))
        return self.value(y, z) + gap + beyond

    def fenchel_change(self, y: Array, z: Array, p: Array, radius: Array) -> Array:
        """Return (|r| + epsilon) radius."""
        return (np.abs(y - z) + self.radius) * radius


@dataclass(frozen=True)
class TubeLoss(BandLoss):
    """0 where |y - z| <= epsilon, infinite elsewhere; conjugate y v + epsilon |v|.

    Parameters
    ----------
    epsilon : float, default=0.1
        Radius of the tube, in units of y.
    """

    epsilon: float = 0.1
    name: ClassVar[str] = "tube"

    def __post_init__(self) -> None:
        object.__setattr__(self, "epsilon", as_positive("epsilon", self.epsilon))

    @property
    def radius(self) -> float:
        """Residual up to which the constraint is met."""
        return self.epsilon


@dataclass(frozen=True)
class InterpolationLoss(BandLoss):
    """0 where z = y, infinite elsewhere; conjugate y v."""

    name: ClassVar[str] = "interpolation"

    @property
    def radius(self) -> float:
        """Residual up to which the constraint is met."""
        return 0.0


@dataclass(frozen=True, eq=False)
class StrictLoss(BandLoss):
    """A constraint as solvers see it: met with less slack than the problem has.

    Solvers lower a reduced problem. Its targets are of another size, and rounding comes on top
    when its networks are mapped back.

    Parameters
    ----------
    epsilon : float
        The radius.
    allowed : ndarray of shape (), or (D,) for several outputs
        What is left of the slack.
    """

    epsilon: float
    allowed: Array
    name: ClassVar[str] = "strict"

    @property
    def radius(self) -> float:
        """Residual up to which the constraint is met."""
        return self.epsilon

    def slack(self, y: Array) -> Array:
        """Return `allowed`, whatever the targets."""
        return self.allowed


def strict(loss: Loss, y: Array) -> Loss:
    """Return a constraint with half of the slack that it has at targets y; other losses as is."""
    if not isinstance(loss, BandLoss):
        return loss
    return StrictLoss(loss.radius, 0.5 * slacks(y))
