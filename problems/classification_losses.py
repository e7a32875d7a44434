"""Losses of the margin m = y z for targets y = -1 or 1, with theta = y p."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from scipy.special import expit, kl_div, xlogy

from .checks import Array
from .loss_base import BaseLoss, inside, refuse
from .proximal import ClippedLine


class MarginLoss(BaseLoss):
    """A loss of y z."""

    def check_targets(self, y: Array) -> None:
        """Raise a ValueError unless all targets are -1 or 1."""
        refuse(
            y,
            np.abs(y) != 1.0,
            f"loss={self.name!r} needs targets -1 and 1",
            "encode the two classes as -1 and 1, as RadonTVClassifier does",
        )


@dataclass(frozen=True)
class LogisticLoss(MarginLoss):
    """log(1 + exp(-y z)); with smoothed labels tau log(1 + e^-z) + (1 - tau) log(1 + e^z).

    tau is the probability of class 1: 1 - label_smoothing for y = 1, label_smoothing for y = -1.
    Without smoothing, classes that an affine function separates have no minimiser; with it every
    problem has one (the loss grows in both directions).

    Parameters
    ----------
    label_smoothing : float, default=0.0
        In [0, 1/2).
    """

    label_smoothing: float = 0.0
    name: ClassVar[str] = "logistic"
    smoothness: ClassVar[float] = 0.25

    def __post_init__(self) -> None:
        value = float(self.label_smoothing)
        if not 0.0 <= value < 0.5:
            raise ValueError(f"label_smoothing must be in [0, 0.5), got {self.label_smoothing!r}.")
        object.__setattr__(self, "label_smoothing", value)

    def _probability(self, y: Array) -> Array:
        return np.where(y > 0, 1.0 - self.label_smoothing, self.label_smoothing)

    def _rest(self, y: Array) -> Array:
        """Return 1 - tau, without cancellation."""
        return np.where(y > 0, self.label_smoothing, 1.0 - self.label_smoothing)

    def value(self, y: Array, z: Array) -> Array:
        """Return tau log(1 + e^-z) + (1 - tau) log(1 + e^z)."""
        up, down = self._probability(y), self._rest(y)
        return up * np.logaddexp(0.0, -z) + down * np.logaddexp(0.0, z)

    def gradient(self, y: Array, z: Array) -> Array:
        """Return (1 - tau) sigma(z) - tau sigma(-z)."""
        slope: Array = self._rest(y) * expit(z) - self._probability(y) * expit(-z)
        return slope

    def curvature(self, y: Array, z: Array) -> Array:
        """Return sigma(z) sigma(-z)."""
        bend: Array = expit(z) * expit(-z)
        return bend

    def dual_interval(self, y: Array) -> tuple[Array, Array]:
        """Return [tau - 1, tau]."""
        return -self._rest(y), self._probability(y)

    def conjugate(self, y: Array, v: Array) -> Array:
        """Return pi log pi + (1 - pi) log(1 - pi), pi = tau + v, for 0 <= pi <= 1."""
        low, high = self.dual_interval(y)
        one, other = np.maximum(high + v, 0.0), np.maximum(-low - v, 0.0)
        return inside(-v, low, high, xlogy(one, one) + xlogy(other, other))

    def fenchel_gap(self, y: Array, z: Array, p: Array) -> Array:
        """Return the divergence KL(pi, sigma(z)), pi = tau - p."""
        low, high = self.dual_interval(y)
        one, other = np.maximum(high - p, 0.0), np.maximum(p - low, 0.0)
        gap: Array = kl_div(one, expit(z)) + kl_div(other, expit(-z))
        return gap

    def fenchel_change(self, y: Array, z: Array, p: Array, radius: Array) -> Array:
        """Return radius max |z - logit(pi)| over the range of pi; near 0 and 1 a modulus.

        |x log x - x' log x'| <= -r log r for |x - x'| <= r <= 1/e in [0, 1]; for r > 0.3 the whole
        range of the entropy, log 2 < -0.6 log 0.3, is counted.
        """
        low, high = self.dual_interval(y)
        r = np.minimum(radius, 0.3)
        one, other = high - p, p - low
        inner = (one > 2.0 * radius) & (other > 2.0 * radius)
        a, b = np.where(inner, one, 0.5), np.where(inner, other, 0.5)
        e = np.where(inner, r, 0.0)
        steep = np.maximum(
            np.abs(z - np.log((a + e) / (b - e))), np.abs(z - np.log((a - e) / (b + e)))
        )
        edge = np.abs(z) * radius - 2.0 * xlogy(r, r)
        change: Array = np.where(inner, r * steep, edge)
        return change


@dataclass(frozen=True)
class HingeLoss(ClippedLine, MarginLoss):
    """max(0, 1 - y z), the loss of support vector machines (Cortes and Vapnik, 1995)."""

    name: ClassVar[str] = "hinge"
    smooth: ClassVar[bool] = False
    smoothness: ClassVar[float] = np.inf

    def value(self, y: Array, z: Array) -> Array:
        """Return max(0, 1 - y z)."""
        return np.maximum(0.0, 1.0 - y * z)

    def gradient(self, y: Array, z: Array) -> Array:
        """Return -y where y z < 1, else 0."""
        return np.where(y * z < 1.0, -y, 0.0)

    def curvature(self, y: Array, z: Array) -> Array:
        """Return 0."""
        return np.zeros_like(z)

    def dual_interval(self, y: Array) -> tuple[Array, Array]:
        """Return 0 <= y p <= 1."""
        return np.minimum(y, 0.0), np.maximum(y, 0.0)

    def conjugate(self, y: Array, v: Array) -> Array:
        """Return y v for 0 <= -y v <= 1."""
        return inside(-y * v, 0.0, 1.0, y * v)

    def fenchel_gap(self, y: Array, z: Array, p: Array) -> Array:
        """Return (1 - m) (1 - theta) for m < 1, else (m - 1) theta."""
        short = 1.0 - y * z
        return np.where(short > 0.0, short * (1.0 - y * p), -short * (y * p))

    def fenchel_change(self, y: Array, z: Array, p: Array, radius: Array) -> Array:
        """Return |1 - m| radius."""
        return np.abs(1.0 - y * z) * radius


@dataclass(frozen=True)
class SquaredHingeLoss(MarginLoss):
    """1/2 max(0, 1 - y z)^2."""

    name: ClassVar[str] = "squared_hinge"

    def value(self, y: Array, z: Array) -> Array:
        """Return 1/2 max(0, 1 - y z)^2."""
        return 0.5 * np.maximum(0.0, 1.0 - y * z) ** 2

    def gradient(self, y: Array, z: Array) -> Array:
        """Return -y max(0, 1 - y z)."""
        return -y * np.maximum(0.0, 1.0 - y * z)

    def curvature(self, y: Array, z: Array) -> Array:
        """Return 1 where y z < 1, else 0."""
        return (y * z < 1.0).astype(np.float64)

    def dual_interval(self, y: Array) -> tuple[Array, Array]:
        """Return y p >= 0."""
        return np.where(y > 0, 0.0, -np.inf), np.where(y > 0, np.inf, 0.0)

    def conjugate(self, y: Array, v: Array) -> Array:
        """Return y v + v^2 / 2 for -y v >= 0."""
        return inside(-y * v, 0.0, np.inf, y * v + 0.5 * v * v)

    def fenchel_gap(self, y: Array, z: Array, p: Array) -> Array:
        """Return 1/2 (h - theta)^2 + theta (h - (1 - m)), h = max(0, 1 - m)."""
        short, theta = 1.0 - y * z, y * p
        h = np.maximum(0.0, short)
        return 0.5 * (h - theta) ** 2 + theta * (h - short)

    def fenchel_change(self, y: Array, z: Array, p: Array, radius: Array) -> Array:
        """Return |1 - m - theta| radius + radius^2 / 2."""
        return np.abs(1.0 - y * z - y * p) * radius + 0.5 * radius * radius
