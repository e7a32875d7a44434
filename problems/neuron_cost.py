"""What a neuron costs, and which affine functions are free.

The penalty of f(x) = sum_k a_k relu(w_k.x - b_k) + c.x + c0 is sum_k |a_k| kappa(w_k, b_k). With
`FreeBias` it is RTV(f). With the other costs a neuron is a vector v of homogeneous coordinates,
w.x - b = v.(x, -scale) or w.x, its price is |a| |v|_2, and it turns about the origin of these
coordinates: the constraint of the dual is |sum_i q_i relu(v.xi_i)| <= alpha on the whole sphere.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from .checks import Array, as_positive


@dataclass(frozen=True)
class FreeBias:
    """kappa = |w|_2: the bias costs nothing, and sum_k |a_k| |w_k| is RTV(f)."""

    name: ClassVar[str] = "free"
    free_bias: ClassVar[bool] = True

    @property
    def key(self) -> str:
        """The name."""
        return self.name

    def of(self, weights: Array, biases: Array) -> Array:
        """Return kappa of unit w: 1."""
        return np.ones(len(biases))

    @property
    def of_constant(self) -> float:
        """Price of the constant 1."""
        return 0.0

    def coordinates(self, X: Array) -> Array:
        """Return X."""
        return X

    def vectors(self, weights: Array, biases: Array) -> Array:
        """Return w."""
        return weights

    def hyperplanes(self, vectors: Array) -> tuple[Array, Array]:
        """Return w = v and biases of 0."""
        return vectors, np.zeros(len(vectors))


@dataclass(frozen=True)
class NoBias(FreeBias):
    """Neurons relu(w.x) through the origin, kappa = |w|_2."""

    name: ClassVar[str] = "none"
    free_bias: ClassVar[bool] = False

    def of(self, weights: Array, biases: Array) -> Array:
        """Return 1 where b = 0, infinity elsewhere."""
        return np.where(biases == 0.0, 1.0, np.inf)

    @property
    def of_constant(self) -> float:
        """Infinity: no neuron without bias is constant."""
        return np.inf


@dataclass(frozen=True)
class PenalizedBias(FreeBias):
    """kappa = (|w|_2^2 + (b / scale)^2)^1/2: the bias is a weight of the input `scale`.

    The model class of Pilanci and Ergen, "Neural networks are convex regularizers", 2020, for data
    with a column of ones (scale 1): weight decay acts on weights and biases alike.

    Parameters
    ----------
    scale : float, default=1.0
        Value of the appended input, > 0; the larger, the cheaper are biases.
    """

    scale: float = 1.0
    name: ClassVar[str] = "penalized"
    free_bias: ClassVar[bool] = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "scale", as_positive("scale", self.scale))

    @property
    def key(self) -> str:
        """Name and scale."""
        return f"{self.name}(scale={self.scale!r})"

    def of(self, weights: Array, biases: Array) -> Array:
        """Return (1 + (b / scale)^2)^1/2 for unit w."""
        return np.hypot(1.0, biases / self.scale)

    @property
    def of_constant(self) -> float:
        """Return 1 / scale: the price of v = (0, -1 / scale)."""
        return 1.0 / self.scale

    def coordinates(self, X: Array) -> Array:
        """Return (x_i, -scale)."""
        return np.column_stack([X, np.full(len(X), -self.scale)])

    def vectors(self, weights: Array, biases: Array) -> Array:
        """Return (w, b / scale)."""
        return np.column_stack([weights, biases / self.scale])

    def hyperplanes(self, vectors: Array) -> tuple[Array, Array]:
        """Return w and b of v = (w, b / scale)."""
        return vectors[:, :-1], self.scale * vectors[:, -1]


BIASES: dict[str, type[FreeBias]] = {
    cost.name: cost for cost in (FreeBias, PenalizedBias, NoBias)
}
"""The costs by the name that `RadonTVProblem(bias=...)` accepts."""

SKIPS = ("affine", "none")
"""What `RadonTVProblem(skip=...)` accepts."""


def get_bias(bias: str | FreeBias) -> FreeBias:
    """Return the cost of that name, or `bias` itself if it already is one."""
    if isinstance(bias, str) and bias in BIASES:
        return BIASES[bias]()
    if isinstance(bias, FreeBias):
        return bias
    raise ValueError(
        f"bias must be one of {sorted(BIASES)} or an object like PenalizedBias(scale=2.0), "
        f"got {bias!r}."
    )


def check_skip(skip: str, bias: FreeBias) -> None:
    """Raise a ValueError if the null space is unknown or does not go with the biases."""
    if skip not in SKIPS:
        raise ValueError(f"skip must be one of {list(SKIPS)}, got {skip!r}.")
    if bias.free_bias and skip == "none":
        raise ValueError(
            "skip='none' needs bias='penalized' or 'none': with free biases neurons far away are "
            "constants that cost nothing, so that the dual has no bounded certificate."
        )
