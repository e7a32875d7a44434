"""What a neuron costs, and which affine functions are free.

The penalty of f(x) = sum_k a_k relu(w_k.x - b_k) + c.x + c0 is sum_k |a_k| kappa(w_k, b_k). With
`FreeBias` it is RTV(f). With the other costs a neuron is a vector v of homogeneous coordinates,
w.x - b = v.(x, -scale) or w.x, its price is |a| |v|_2, and it turns about the origin of these
coordinates: the constraint of the dual is |sum_i q_i relu(v.xi_i)| <= alpha on the whole sphere.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from .checks import Array, as_float_array, as_positive


@dataclass(frozen=True)
class FreeBias:
    """kappa = |w|_2: the bias costs nothing, and sum_k |a_k| |w_k| is RTV(f)."""

    name: ClassVar[str] = "free_bias"
    free_bias: ClassVar[bool] = True

    @property
    def key(self) -> str:
        """The name."""
        return self.name

    def of(self, weights: Array, biases: Array) -> Array:
        """Return kappa of unit w: 1."""
        return np.ones(len(biases))

    def check_features(self, n_features: int) -> None:
        """Accept all."""

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

    name: ClassVar[str] = "no_bias"
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
    name: ClassVar[str] = "penalized_bias"
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


@dataclass(frozen=True, eq=False)
class WeightedNorm(FreeBias):
    """kappa = |L w|_2 with free biases: features, or directions, of unequal price.

    L = diag(prices) makes feature k the more expensive the larger prices_k is; L^T L may be any
    positive definite matrix, as the inverse covariance of the inputs (Mahalanobis). It is the
    problem with inputs L^-T x and |w|_2.

    Parameters
    ----------
    factor : array-like of shape (n_features,) or (n_features, n_features)
        The diagonal of L, entries > 0, or L, invertible.
    """

    factor: Array
    name: ClassVar[str] = "weighted_norm"

    def __post_init__(self) -> None:
        raw = np.asarray(self.factor)
        factor = as_float_array("factor", raw, ndim=1 if raw.ndim < 2 else 2)
        matrix = np.diag(factor) if factor.ndim == 1 else factor
        if factor.ndim == 1 and not (factor > 0.0).all():
            raise ValueError(f"factor must be > 0, but its least entry is {factor.min():.6g}.")
        if matrix.shape[0] != matrix.shape[1]:
            raise ValueError(f"factor must be square, but has shape {matrix.shape}.")
        condition = float(np.linalg.cond(matrix))
        if not condition < 1e12:
            raise ValueError(
                f"factor has condition number {condition:.3g}; directions of price 0 would be "
                "free, so make it invertible."
            )
        object.__setattr__(self, "factor", np.ascontiguousarray(matrix))

    @property
    def key(self) -> str:
        """Name and a digest of L."""
        digest = hashlib.sha256((self.factor + 0.0).astype("<f8").tobytes()).hexdigest()
        return f"{self.name}({digest[:16]})"

    def check_features(self, n_features: int) -> None:
        """Raise a ValueError if L is of another size."""
        if len(self.factor) != n_features:
            raise ValueError(f"factor is for {len(self.factor)} features, but X has {n_features}.")

    def of(self, weights: Array, biases: Array) -> Array:
        """Return |L w| for unit w."""
        price: Array = np.linalg.norm(weights @ self.factor.T, axis=1)
        return price

    def coordinates(self, X: Array) -> Array:
        """Return the rows L^-T x_i."""
        return np.asarray(np.linalg.solve(self.factor.T, X.T).T, dtype=np.float64)

    def vectors(self, weights: Array, biases: Array) -> Array:
        """Return the rows L w."""
        return weights @ self.factor.T

    def hyperplanes(self, vectors: Array) -> tuple[Array, Array]:
        """Return the rows L^-1 v, and biases of 0."""
        weights: Array = np.asarray(np.linalg.solve(self.factor, vectors.T).T, dtype=np.float64)
        return weights, np.zeros(len(vectors))


@dataclass(frozen=True)
class L1Norm(FreeBias):
    """kappa = |w|_1 with free biases: neurons that look at few features are cheap.

    |w|_2 <= |w|_1 <= d^1/2 |w|_2. Some optimum consists of vertices: neurons with k nonzero
    weights whose hyperplanes meet k data points, k = 1 .. d. Unlike |w|_2 the price depends on
    the axes: rotating the inputs changes the problem, permuting features or their signs does not.
    """

    name: ClassVar[str] = "l1_norm"

    def of(self, weights: Array, biases: Array) -> Array:
        """Return |w|_1 for unit w."""
        price: Array = np.abs(weights).sum(axis=1)
        return price


COSTS: dict[str, type[FreeBias]] = {
    cost.name: cost for cost in (FreeBias, PenalizedBias, NoBias, L1Norm)
}
"""The costs by the name that `RadonTVProblem(cost=...)` accepts."""

SKIPS = ("affine", "none")
"""What `RadonTVProblem(skip=...)` accepts."""


def get_cost(cost: str | FreeBias) -> FreeBias:
    """Return the cost of that name, or `cost` itself if it already is one."""
    if isinstance(cost, str) and cost in COSTS:
        return COSTS[cost]()
    if isinstance(cost, FreeBias):
        return cost
    raise ValueError(
        f"cost must be one of {sorted(COSTS)} or an object like PenalizedBias(scale=2.0), "
        f"got {cost!r}."
    )


def check_skip(skip: str, cost: FreeBias) -> None:
    """Raise a ValueError if the null space is unknown or does not go with the cost."""
    if skip not in SKIPS:
        raise ValueError(f"skip must be one of {list(SKIPS)}, got {skip!r}.")
    if cost.free_bias and skip == "none":
        raise ValueError(
            "skip='none' needs cost='penalized_bias' or 'no_bias': with free biases neurons far "
            "away are constants that cost nothing, so that no dual certificate is bounded."
        )
