"""Losses of the residual r = y - z: squared, Huber, quantile, absolute, epsilon-insensitive.

With l(y, z) = phi(r) the conjugate is l*(y, -p) = phi*(p) - p y, and the Fenchel gap is
phi(r) + phi*(p) - p r.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from .checks import Array, as_positive
from .loss_base import BaseLoss, inside
from .proximal import ClippedLine


class ResidualLoss(BaseLoss):
    """A loss phi(y - z)."""

    translates: ClassVar[bool] = True


@dataclass(frozen=True)
class SquaredLoss(ResidualLoss):
    """l(y, z) = 1/2 (y - z)^2, conjugate l*(y, v) = y v + v^2 / 2 on all of R."""

    name: ClassVar[str] = "squared"
    quadratic: ClassVar[bool] = True

    def value(self, y: Array, z: Array) -> Array:
        """Return 1/2 (y - z)^2."""
        residual: Array = y - z
        return 0.5 * residual * residual

    def gradient(self, y: Array, z: Array) -> Array:
        """Return z - y."""
        return z - y

    def curvature(self, y: Array, z: Array) -> Array:
        """Return 1."""
        return np.ones_like(z)

    def conjugate(self, y: Array, v: Array) -> Array:
        """Return y v + v^2 / 2."""
        return y * v + 0.5 * v * v

    def fenchel_gap(self, y: Array, z: Array, p: Array) -> Array:
        """Return 1/2 (y - z - p)^2."""
        difference: Array = y - z - p
        return 0.5 * difference * difference

    def fenchel_change(self, y: Array, z: Array, p: Array, radius: Array) -> Array:
        """Return |y - z - p| radius + radius^2 / 2."""
        return np.abs(y - z - p) * radius + 0.5 * radius * radius

    def dual_scale(self, y: Array, q: Array, s: Array, limit: float) -> float:
        """Return clip(q.y / sum_i q_i^2 / s_i, -limit, limit), the maximiser of a parabola in t."""
        top = float(np.abs(q).max(initial=0.0))
        if top == 0.0:
            return 1.0
        unit = q / top
        best = float(unit @ y) / (top * float(np.sum(unit * unit / s)))
        return float(np.clip(best, -limit, limit))


@dataclass(frozen=True)
class HuberLoss(ClippedLine, ResidualLoss):
    """1/2 r^2 for |r| <= delta, else delta |r| - delta^2 / 2 (Huber, 1964).

    Seen from residuals far larger than delta it is delta |r|, and its smooth bottom a kink.

    Parameters
    ----------
    delta : float, default=1.0
        Residual from which on the loss is linear, in units of y.
    """

    delta: float = 1.0
    name: ClassVar[str] = "huber"
    softness: ClassVar[float] = 1.0

    def __post_init__(self) -> None:
        object.__setattr__(self, "delta", as_positive("delta", self.delta))

    def sharp(self, size: float) -> bool:
        """Return delta < size / 50."""
        return 50.0 * self.delta < size

    def value(self, y: Array, z: Array) -> Array:
        """Return 1/2 c^2 + delta (|r| - |c|), c = clip(r, -delta, delta)."""
        r: Array = y - z
        c = np.clip(r, -self.delta, self.delta)
        return 0.5 * c * c + self.delta * (np.abs(r) - np.abs(c))

    def gradient(self, y: Array, z: Array) -> Array:
        """Return -clip(r, -delta, delta)."""
        return np.clip(z - y, -self.delta, self.delta)

    def curvature(self, y: Array, z: Array) -> Array:
        """Return 1 for |r| < delta, else 0."""
        return (np.abs(y - z) < self.delta).astype(np.float64)

    def dual_interval(self, y: Array) -> tuple[Array, Array]:
        """Return [-delta, delta]."""
        return np.full_like(y, -self.delta), np.full_like(y, self.delta)

    def conjugate(self, y: Array, v: Array) -> Array:
        """Return y v + v^2 / 2 for |v| <= delta."""
        return inside(v, -self.delta, self.delta, y * v + 0.5 * v * v)

    def fenchel_gap(self, y: Array, z: Array, p: Array) -> Array:
        """Return 1/2 (c - p)^2 + (r - c) (c - p), c = clip(r, -delta, delta)."""
        r: Array = y - z
        c = np.clip(r, -self.delta, self.delta)
        return 0.5 * (c - p) ** 2 + (r - c) * (c - p)

    def fenchel_change(self, y: Array, z: Array, p: Array, radius: Array) -> Array:
        """Return |y - z - p| radius + radius^2 / 2."""
        return np.abs(y - z - p) * radius + 0.5 * radius * radius


class TwoSlopeLoss(ClippedLine, ResidualLoss):
    """max(low r, high r) with the slopes low < 0 < high of a subclass."""

    smooth: ClassVar[bool] = False
    smoothness: ClassVar[float] = np.inf

    @property
    def _ends(self) -> tuple[float, float]:
        raise NotImplementedError

    def value(self, y: Array, z: Array) -> Array:
        """Return max(low r, high r)."""
        low, high = self._ends
        r: Array = y - z
        return np.maximum(low * r, high * r)

    def gradient(self, y: Array, z: Array) -> Array:
        """Return -high for r > 0, -low for r < 0 and 0 for r = 0."""
        low, high = self._ends
        r: Array = y - z
        return np.where(r > 0, -high, np.where(r < 0, -low, 0.0))

    def curvature(self, y: Array, z: Array) -> Array:
        """Return 0."""
        return np.zeros_like(z)

    def dual_interval(self, y: Array) -> tuple[Array, Array]:
        """Return the interval of the slopes of phi."""
        low, high = self._ends
        return np.full_like(y, low), np.full_like(y, high)

    def conjugate(self, y: Array, v: Array) -> Array:
        """Return y v on the domain."""
        low, high = self._ends
        return inside(-v, low, high, y * v)

    def fenchel_gap(self, y: Array, z: Array, p: Array) -> Array:
        """Return r (high - p) for r >= 0, else r (low - p)."""
        low, high = self._ends
        r: Array = y - z
        return np.where(r >= 0, r * (high - p), r * (low - p))

    def fenchel_change(self, y: Array, z: Array, p: Array, radius: Array) -> Array:
        """Return |r| radius."""
        return np.abs(y - z) * radius


@dataclass(frozen=True)
class QuantileLoss(TwoSlopeLoss):
    """max(tau r, (tau - 1) r), minimised by the tau-quantile (Koenker and Bassett, 1978).

    Parameters
    ----------
    quantile : float, default=0.5
        tau in (0, 1).
    """

    quantile: float = 0.5
    name: ClassVar[str] = "quantile"

    def __post_init__(self) -> None:
        object.__setattr__(self, "quantile", as_positive("quantile", self.quantile))
        if self.quantile >= 1.0:
            raise ValueError(f"quantile must be in (0, 1), got {self.quantile!r}.")

    @property
    def _ends(self) -> tuple[float, float]:
        return self.quantile - 1.0, self.quantile


@dataclass(frozen=True)
class AbsoluteLoss(TwoSlopeLoss):
    """|y - z|, twice the quantile loss for the median."""

    name: ClassVar[str] = "absolute"

    @property
    def _ends(self) -> tuple[float, float]:
        return -1.0, 1.0


@dataclass(frozen=True)
class EpsilonInsensitiveLoss(ClippedLine, ResidualLoss):
    """max(|r| - epsilon, 0), the loss of support vector regression (Vapnik, 1995).

    Parameters
    ----------
    epsilon : float, default=0.1
        Residual up to which the loss is 0, in units of y.
    """

    epsilon: float = 0.1
    name: ClassVar[str] = "epsilon_insensitive"
    smooth: ClassVar[bool] = False
    smoothness: ClassVar[float] = np.inf

    def __post_init__(self) -> None:
        object.__setattr__(self, "epsilon", as_positive("epsilon", self.epsilon))

    @property
    def zone(self) -> float:
        """Residual up to which the loss is 0."""
        return self.epsilon

    def value(self, y: Array, z: Array) -> Array:
        """Return max(|r| - epsilon, 0)."""
        return np.maximum(np.abs(y - z) - self.epsilon, 0.0)

    def gradient(self, y: Array, z: Array) -> Array:
        """Return -sign(r) where |r| > epsilon, else 0."""
        r: Array = y - z
        return np.where(np.abs(r) > self.epsilon, -np.sign(r), 0.0)

    def curvature(self, y: Array, z: Array) -> Array:
        """Return 0."""
        return np.zeros_like(z)

    def dual_interval(self, y: Array) -> tuple[Array, Array]:
        """Return [-1, 1]."""
        return np.full_like(y, -1.0), np.full_like(y, 1.0)

    def conjugate(self, y: Array, v: Array) -> Array:
        """Return y v + epsilon |v| for |v| <= 1."""
        return inside(v, -1.0, 1.0, y * v + self.epsilon * np.abs(v))

    def fenchel_gap(self, y: Array, z: Array, p: Array) -> Array:
        """Return (|r| - c) (1 - p') + c (|p| - p') with c = min(|r|, eps) and p' = p sign(r).

        Within the tube, (eps - |r|) |p| is added.
        """
        r: Array = y - z
        size, along = np.abs(r), p * np.where(r >= 0, 1.0, -1.0)
        beyond, within = np.maximum(size - self.epsilon, 0.0), np.maximum(self.epsilon - size, 0.0)
        c = np.minimum(size, self.epsilon)
        gap: Array = beyond * (1.0 - along) + c * (np.abs(p) - along) + within * np.abs(p)
        return gap

    def fenchel_change(self, y: Array, z: Array, p: Array, radius: Array) -> Array:
        """Return (|r| + epsilon) radius."""
        return (np.abs(y - z) + self.epsilon) * radius
