"""Standardised inputs, and the default penalty in them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .problems import RadonTVProblem, RidgeSpline

Array = NDArray[np.float64]

DEFAULT_RATIO = 0.01
"""`alpha=None` stands for this multiple of alpha_max."""


@dataclass(frozen=True, eq=False)
class Standardization:
    """The change of units z = (x - mean) / scale, feature by feature.

    Parameters
    ----------
    mean, scale : ndarray of shape (n_features,)
        Any centre, and a scale > 0.
    """

    mean: Array
    scale: Array

    @classmethod
    def identity(cls, n_features: int) -> Standardization:
        """Return z = x."""
        return cls(np.zeros(n_features), np.ones(n_features))

    @classmethod
    def of(cls, X: Array, weights: Array) -> Standardization:
        """Return weighted mean m = sum_i s_i x_i and scale sqrt(sum_i s_i (x_i - m)^2).

        s is `weights` (n,), all positive, divided by its sum. A column that does not vary beyond
        rounding gets the scale 1.
        """
        s = weights / weights.sum()
        mean = X[0] + s @ (X - X[0])  # differences first: exact for constant columns
        centred = X - mean
        top = np.abs(centred).max(axis=0)  # divided out, so that no square overflows
        noise = 8 * np.finfo(np.float64).eps * np.abs(X).max(axis=0)
        varies = top > noise
        top = np.where(varies, top, 1.0)
        scale = top * np.sqrt(s @ (centred / top) ** 2)
        return cls(mean, np.where(varies, scale, 1.0))

    def inputs(self, X: Array) -> Array:
        """Return (X - mean) / scale."""
        return (X - self.mean) / self.scale

    def to_original(self, network: RidgeSpline) -> RidgeSpline:
        """Return x -> network((x - mean) / scale) in unit form.

        a relu(w.z - b) + c.z becomes a relu(v.x - b - v.mean) + u.(x - mean) with v = w / scale,
        u = c / scale.
        """
        hidden, skip = network.weights / self.scale, network.coef / self.scale
        return RidgeSpline.from_layers(
            hidden,
            -(network.biases + hidden @ self.mean),
            network.amplitudes,
            skip,
            network.intercept - float(skip @ self.mean),
        )

    def to_standard(self, network: RidgeSpline) -> RidgeSpline:
        """Return z -> network(mean + scale * z) in unit form, the inverse of `to_original`."""
        return RidgeSpline.from_layers(
            network.weights * self.scale,
            network.weights @ self.mean - network.biases,
            network.amplitudes,
            network.coef * self.scale,
            network.intercept + float(network.coef @ self.mean),
        )


def alpha_for(problem: RadonTVProblem, largest: float, ratio: float = DEFAULT_RATIO) -> float:
    """Return ratio * alpha_max, or a tiny positive number if the targets are affine.

    The data count as affine if alpha_max is explained by rounding of the targets, that is
    alpha_max <= 1000 u rms(y) rms(|z|) with u the unit roundoff; that number is returned, or 1
    where it is 0.

    Parameters
    ----------
    problem : RadonTVProblem
        Its `alpha` is not used.
    largest : float
        alpha_max of the problem.
    ratio : float
    """
    size = np.sqrt(problem.s @ problem.y**2) * np.sqrt(problem.s @ (problem.X**2).sum(axis=1))
    noise = 1e3 * np.finfo(np.float64).eps * float(size)
    if largest > noise:
        return float(ratio * largest)
    return noise or 1.0
