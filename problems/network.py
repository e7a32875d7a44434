"""Ridge splines: shallow ReLU networks with unit normals and an affine skip connection."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np

from .checks import Array, as_float_array
from .merging import merge_equal_and_antipodal

NEURONS, FEATURES, MATRIX = "(n_neurons,)", "(n_features,)", "(n_neurons, n_features)"
"""Shapes of parameters, for messages."""

_CHUNK = 1 << 22
"""Entries of a block of hidden activations; keeps the memory of a call at 32 MiB."""


class Layers(NamedTuple):
    """Weights of f(x) = output_weight . relu(hidden_weight x + hidden_bias) + skip . x + bias."""

    hidden_weight: Array
    hidden_bias: Array
    output_weight: Array
    skip_weight: Array
    output_bias: float


@dataclass(frozen=True, eq=False)
class RidgeSpline:
    """A shallow ReLU network f(x) = sum_k a_k relu(w_k.x - b_k) + c.x + c0 with ||w_k||_2 = 1.

    Parameters
    ----------
    amplitudes : ndarray of shape (n_neurons,)
        a_k.
    weights : ndarray of shape (n_neurons, n_features)
        w_k, unit rows.
    biases : ndarray of shape (n_neurons,)
        b_k.
    coef : ndarray of shape (n_features,)
        c, the linear part of the skip connection.
    intercept : float
        c0.

    Raises
    ------
    ValueError
        If shapes disagree or a row of `weights` has not unit length; see `from_layers` for
        weights of any length.
    """

    amplitudes: Array
    weights: Array
    biases: Array
    coef: Array
    intercept: float = 0.0

    def __post_init__(self) -> None:
        # Units of targets over units of inputs may be larger than data are allowed to be.
        coef = _any_size("coef", self.coef, FEATURES)
        amplitudes = _any_size("amplitudes", self.amplitudes, NEURONS)
        weights = np.zeros((0, coef.size)) if np.size(self.weights) == 0 else self.weights
        weights = as_float_array("weights", weights, ndim=2, shape=MATRIX)
        biases = _any_size("biases", self.biases, NEURONS)
        intercept = float(_any_size("intercept", self.intercept, "()"))
        if weights.shape[1] != coef.size:
            raise ValueError(
                f"weights has {weights.shape[1]} columns but coef has {coef.size} entries; both "
                "must be the number of features."
            )
        if not (len(amplitudes) == len(weights) == len(biases)):
            raise ValueError(
                f"amplitudes, weights and biases describe {len(amplitudes)}, {len(weights)} and "
                f"{len(biases)} neurons; they must agree."
            )
        lengths = np.linalg.norm(weights, axis=1)
        if (np.abs(lengths - 1.0) > 1e-9).any():
            worst = int(np.argmax(np.abs(lengths - 1.0)))
            raise ValueError(
                f"row {worst} of weights has length {lengths[worst]:.6g}, not 1; "
                "use RidgeSpline.from_layers for weights of any length."
            )
        for name, value in zip(
            ("amplitudes", "weights", "biases", "coef", "intercept"),
            (amplitudes, weights, biases, coef, intercept),
            strict=True,
        ):
            object.__setattr__(self, name, value)

    @classmethod
    def affine(cls, coef: Any, intercept: float = 0.0) -> RidgeSpline:
        """Return the network without neurons, c.x + c0."""
        coef = _any_size("coef", coef, FEATURES)
        return cls(np.zeros(0), np.zeros((0, coef.size)), np.zeros(0), coef, intercept)

    @classmethod
    def from_layers(
        cls,
        hidden_weight: Any,
        hidden_bias: Any,
        output_weight: Any,
        skip_weight: Any = None,
        output_bias: float = 0.0,
    ) -> RidgeSpline:
        """Return v.relu(W x + t) + s.x + c0 in unit form: a = v |W|, w = W / |W|, b = -t / |W|.

        A neuron with W = 0 is the constant v relu(t) and joins the intercept.

        Raises
        ------
        TypeError, ValueError
            If something is not finite, shapes disagree, or v |W| or t / |W| overflows.
        """
        hidden = _any_size("hidden_weight", hidden_weight, MATRIX)
        offset = _any_size("hidden_bias", hidden_bias, NEURONS)
        output = _any_size("output_weight", np.ravel(output_weight), NEURONS)
        skip = np.zeros(hidden.shape[1])
        if skip_weight is not None:
            skip = _any_size("skip_weight", np.ravel(skip_weight), FEATURES)
            if len(skip) != hidden.shape[1]:
                raise ValueError(
                    f"skip_weight has {len(skip)} entries, but hidden_weight has "
                    f"{hidden.shape[1]} columns; they must agree."
                )
        constant = float(_any_size("output_bias", np.squeeze(output_bias), "()"))
        if not (len(hidden) == len(offset) == len(output)):
            raise ValueError(
                f"hidden_weight, hidden_bias and output_weight describe {len(hidden)}, "
                f"{len(offset)} and {len(output)} neurons; they must agree."
            )
        live = hidden.any(axis=1)
        constant += float(output[~live] @ np.maximum(offset[~live], 0.0))
        # A power of two is taken out of each row, exactly: squares neither overflow nor vanish.
        power = np.frexp(np.abs(hidden[live]).max(axis=1, initial=0.0))[1]
        weights = np.ldexp(hidden[live], -power[:, None])
        length = np.linalg.norm(weights, axis=1)
        weights /= length[:, None]
        weights /= np.linalg.norm(weights, axis=1, keepdims=True)
        with np.errstate(over="ignore"):
            amplitudes = np.ldexp(output[live] * length, power)
            biases = np.ldexp(-offset[live] / length, -power)
        for array, formula in (
            (amplitudes, "output_weight times the length of hidden_weight"),
            (biases, "hidden_bias over the length of hidden_weight"),
        ):
            if not np.isfinite(array).all():
                raise ValueError(f"{formula} overflows float64; rescale the network.")
        return cls(amplitudes, weights, biases, skip, constant)

    def to_layers(self) -> Layers:
        """Return the layers with balanced weights |v_k| = ||omega_k||_2 = sqrt(|a_k|).

        Among all layers of this function these have the least weight decay
        1/2 sum_k v_k^2 + ||omega_k||^2, which then equals sum_k |a_k|.
        """
        root = np.sqrt(np.abs(self.amplitudes))
        return Layers(
            root[:, None] * self.weights,
            -root * self.biases,
            np.sign(self.amplitudes) * root,
            np.array(self.coef),
            self.intercept,
        )

    @property
    def n_neurons(self) -> int:
        """Number of neurons K."""
        return len(self.amplitudes)

    @property
    def n_features(self) -> int:
        """Dimension d of the inputs."""
        return len(self.coef)

    def features(self, X: Array) -> Array:
        """Return relu(w_k.x_i - b_k), shape (n_samples, n_neurons)."""
        return np.maximum(X @ self.weights.T - self.biases, 0.0)

    def __call__(self, X: Any) -> Array:
        """Return f at the rows of X, shape (n_samples,)."""
        X = as_float_array("X", X, ndim=2)
        if X.shape[1] != self.n_features:
            raise ValueError(
                f"X has {X.shape[1]} features, but the network was made for {self.n_features}."
            )
        values: Array = X @ self.coef + self.intercept
        if self.n_neurons:
            rows = max(1, _CHUNK // self.n_neurons)
            for start in range(0, len(X), rows):
                part = slice(start, start + rows)
                values[part] += self.features(X[part]) @ self.amplitudes
        return values

    @cached_property
    def rtv(self) -> float:
        """RTV(f) = sum_k |a_k| once equal and antipodal neurons are merged."""
        return float(np.abs(self.merged().amplitudes).sum())

    def merged(self) -> RidgeSpline:
        """Return the same function with equal and antipodal neurons merged, zeros dropped."""
        return RidgeSpline(
            *merge_equal_and_antipodal(
                self.amplitudes, self.weights, self.biases, self.coef, self.intercept
            )
        )

    def with_affine(self, coef: Array, intercept: float) -> RidgeSpline:
        """Return the network with the same neurons and another affine part."""
        return RidgeSpline(self.amplitudes, self.weights, self.biases, coef, intercept)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, RidgeSpline):
            return NotImplemented
        return self.intercept == other.intercept and all(
            np.array_equal(getattr(self, name), getattr(other, name))
            for name in ("amplitudes", "weights", "biases", "coef")
        )

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return (
            f"RidgeSpline(n_neurons={self.n_neurons}, n_features={self.n_features}, "
            f"rtv={self.rtv:.6g})"
        )


def _any_size(name: str, value: Any, shape: str) -> Array:
    """Return parameters of a network, finite and of that shape but of any magnitude."""
    ndim = shape.count("n_")
    return as_float_array(name, value, ndim=ndim, largest=np.inf, shape=shape)
