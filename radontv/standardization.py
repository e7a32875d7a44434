"""The change of units from inputs to standardised inputs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .problems import RidgeSpline
from .problems.checks import LARGEST, SMALLEST

Array = NDArray[np.float64]


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

        Raises
        ------
        ValueError
            If a column varies too little for float64, or if weights are so unequal that a row is
            too many deviations away from the mean.
        """
        s = weights / weights.sum()
        mean = X[0] + s @ (X - X[0])  # differences first: exact for constant columns
        centred = X - mean
        top = np.abs(centred).max(axis=0)  # divided out, so that no square overflows
        noise = 8 * np.finfo(np.float64).eps * np.abs(X).max(axis=0)
        varies = top > noise
        _refuse_small(top, varies)
        top = np.where(varies, top, 1.0)
        unit = np.where(varies, np.sqrt(s @ (centred / top) ** 2), 1.0)
        # With equal weights, no row is more than sqrt(n) deviations away.
        if not (unit >= 1.0 / LARGEST).all():
            raise ValueError(
                f"sample_weight has entries from {weights.min():.3g} to {weights.max():.3g}, so "
                "unequal that rows of X are too many standard deviations away from the mean; set "
                "the small ones to 0."
            )
        return cls(mean, np.where(varies, top * unit, 1.0))

    def inputs(self, X: Array) -> Array:
        """Return (X - mean) / scale."""
        return (X - self.mean) / self.scale

    def new_inputs(self, X: Array) -> Array:
        """Return `inputs(X)` for rows of any origin.

        Raises
        ------
        ValueError
            If a row is so far away that functions of it overflow.
        """
        with np.errstate(over="ignore"):
            inputs = self.inputs(X)
        far = float(np.abs(inputs).max(initial=0.0))
        if not far <= LARGEST:
            raise ValueError(
                f"X has magnitudes up to {np.abs(X).max():.3g}, {far:.3g} times scale_ away from "
                f"mean_; keep it below {LARGEST:g} times scale_, or functions of it overflow."
            )
        return inputs

    def to_original(self, network: RidgeSpline) -> RidgeSpline:
        """Return x -> network((x - mean) / scale) in unit form.

        a relu(w.z - b) + c.z becomes a relu(v.x - b - v.mean) + u.(x - mean) with v = w / scale,
        u = c / scale.
        """
        hidden, skip = network.weights / self.scale, network.coef.T / self.scale
        return RidgeSpline.from_layers(
            hidden,
            -(network.biases + hidden @ self.mean),
            network.amplitudes.T,
            skip,
            network.intercept - skip @ self.mean,
        )

    def after(self, other: Standardization) -> Standardization:
        """Return the change from the standardised inputs of `other` to those of this one.

        (m' + s' z - m) / s = (z - (m - m') / s') / (s / s'); the identity for equal changes.
        """
        return Standardization((self.mean - other.mean) / other.scale, self.scale / other.scale)


def _refuse_small(top: Array, varies: NDArray[np.bool_]) -> None:
    """Raise a ValueError if a column's largest distance from its mean is in (0, `SMALLEST`)."""
    small = varies & (top < SMALLEST)
    if small.any():
        column = int(np.argmax(small))
        raise ValueError(
            f"column {column} of X varies by at most {top[column]:.3g} around its mean, too little "
            f"for float64; rescale it above {SMALLEST:g}, or drop it."
        )
