"""Ridge splines: shallow ReLU networks with unit normals and an affine skip connection."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np

from .checks import Array, as_float_array
from .hinge_sums import MANY, line_network
from .merging import merge_equal_and_antipodal

NEURONS, FEATURES, MATRIX = "(n_neurons,)", "(n_features,)", "(n_neurons, n_features)"
OUTPUTS, NEURON_OUTPUTS = "(n_outputs,)", "(n_neurons, n_outputs)"
FEATURE_OUTPUTS, OUTPUT_NEURONS = "(n_features, n_outputs)", "(n_outputs, n_neurons)"
"""Shapes of parameters, for messages."""

_CHUNK = 1 << 22
"""Entries of a block of hidden activations; keeps the memory of a call at 32 MiB."""


class Layers(NamedTuple):
    """Weights of f(x) = output_weight . relu(hidden_weight x + hidden_bias) + skip . x + bias.

    Several outputs are rows: output_weight (D, K), skip_weight (D, d), output_bias (D,).
    """

    hidden_weight: Array
    hidden_bias: Array
    output_weight: Array
    skip_weight: Array
    output_bias: float  # at run time an array with several outputs


@dataclass(frozen=True, eq=False)
class RidgeSpline:
    """A shallow ReLU network f(x) = sum_k a_k relu(w_k.x - b_k) + c.x + c0 with ||w_k||_2 = 1.

    It has one output, a number, or D of them, an array, if `coef` has a column for each: then
    f_o(x) = sum_k a_ko relu(w_k.x - b_k) + c_o.x + c0_o.

    Parameters
    ----------
    amplitudes : ndarray of shape (n_neurons,) or (n_neurons, n_outputs)
        a_k.
    weights : ndarray of shape (n_neurons, n_features)
        w_k, unit rows.
    biases : ndarray of shape (n_neurons,)
        b_k.
    coef : ndarray of shape (n_features,) or (n_features, n_outputs)
        c, the linear part of the skip connection.
    intercept : float or ndarray of shape (n_outputs,)
        c0. With several outputs a number stands for the same one everywhere.

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
    intercept: Any = 0.0

    def __post_init__(self) -> None:
        # Units of targets over units of inputs may be larger than data are allowed to be.
        # Amplitudes that are numbers make a network with one output, none at all fit any.
        scalar = np.ndim(self.amplitudes) == 1 and np.size(self.amplitudes) > 0
        coef = _any_size("coef", self.coef, FEATURES if scalar else _coef_shape(self.coef))
        vector = coef.ndim == 2
        amplitudes = self.amplitudes
        if vector and np.size(amplitudes) == 0:
            amplitudes = np.zeros((0, coef.shape[1]))
        amplitudes = _any_size("amplitudes", amplitudes, NEURON_OUTPUTS if vector else NEURONS)
        weights = np.zeros((0, len(coef))) if np.size(self.weights) == 0 else self.weights
        weights = as_float_array("weights", weights, ndim=2, shape=MATRIX)
        biases = _any_size("biases", self.biases, NEURONS)
        intercept = _intercept(self.intercept, coef)
        if weights.shape[1] != len(coef):
            raise ValueError(
                f"weights has {weights.shape[1]} columns but coef has {len(coef)} "
                f"{'rows' if vector else 'entries'}; both must be the number of features."
            )
        if not (len(amplitudes) == len(weights) == len(biases)):
            raise ValueError(
                f"amplitudes, weights and biases describe {len(amplitudes)}, {len(weights)} and "
                f"{len(biases)} neurons; they must agree."
            )
        if vector and amplitudes.shape[1] != coef.shape[1]:
            raise ValueError(
                f"amplitudes has {amplitudes.shape[1]} columns but coef has {coef.shape[1]}; both "
                "must be the number of outputs."
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
    def affine(cls, coef: Any, intercept: Any = 0.0) -> RidgeSpline:
        """Return the network without neurons, c.x + c0."""
        coef = _any_size("coef", coef, _coef_shape(coef))
        return cls(np.zeros(0), np.zeros((0, len(coef))), np.zeros(0), coef, intercept)

    @classmethod
    def from_layers(
        cls,
        hidden_weight: Any,
        hidden_bias: Any,
        output_weight: Any,
        skip_weight: Any = None,
        output_bias: Any = 0.0,
    ) -> RidgeSpline:
        """Return v.relu(W x + t) + s.x + c0 in unit form: a = v |W|, w = W / |W|, b = -t / |W|.

        A neuron with W = 0 is the constant v relu(t) and joins the intercept. An `output_weight`
        with more than one row and a column per neuron makes a network with an output per row.

        Raises
        ------
        TypeError, ValueError
            If something is not finite, shapes disagree, or v |W| or t / |W| overflows.
        """
        hidden = _any_size("hidden_weight", hidden_weight, MATRIX)
        offset = _any_size("hidden_bias", hidden_bias, NEURONS)
        several = (
            np.ndim(output_weight) == 2
            and 1 < np.shape(output_weight)[0]
            and (np.shape(output_weight)[1] == len(hidden))
        )
        if several:
            output = _any_size("output_weight", output_weight, OUTPUT_NEURONS).T
        else:
            output = _any_size("output_weight", np.ravel(output_weight), NEURONS)
        skip, constant = _skip(skip_weight, output_bias, hidden.shape[1], output.shape[1:])
        if not (len(hidden) == len(offset) == len(output)):
            raise ValueError(
                f"hidden_weight, hidden_bias and output_weight describe {len(hidden)}, "
                f"{len(offset)} and {len(output)} neurons; they must agree."
            )
        live = hidden.any(axis=1)
        constant = constant + np.maximum(offset[~live], 0.0) @ output[~live]
        # A power of two is taken out of each row, exactly: squares neither overflow nor vanish.
        power = np.frexp(np.abs(hidden[live]).max(axis=1, initial=0.0))[1]
        weights = np.ldexp(hidden[live], -power[:, None])
        length = np.linalg.norm(weights, axis=1)
        weights /= length[:, None]
        weights /= np.linalg.norm(weights, axis=1, keepdims=True)
        with np.errstate(over="ignore"):
            amplitudes = np.ldexp(output[live].T * length, power).T
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
        1/2 sum_k ||v_k||^2 + ||omega_k||^2, which then equals sum_k ||a_k||_2.
        """
        size = _lengths(self.amplitudes)
        root = np.sqrt(size)
        if self.vector:
            unit = self.amplitudes / np.where(size > 0.0, size, 1.0)[:, None]
            output = (unit * root[:, None]).T
        else:
            output = np.sign(self.amplitudes) * root
        return Layers(
            root[:, None] * self.weights,
            -root * self.biases,
            output,
            np.array(self.coef.T),
            self.intercept,
        )

    @property
    def vector(self) -> bool:
        """Whether values are arrays, of shape (n_outputs,), instead of numbers."""
        return self.coef.ndim == 2

    @property
    def n_outputs(self) -> int:
        """Number of outputs D."""
        return int(self.coef.shape[1]) if self.vector else 1

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
        """Return f at the rows of X, shape (n_samples,) or (n_samples, n_outputs)."""
        X = as_float_array("X", X, ndim=2)
        if X.shape[1] != self.n_features:
            raise ValueError(
                f"X has {X.shape[1]} features, but the network was made for {self.n_features}."
            )
        values: Array = X @ self.coef + self.intercept
        if self.n_features == 1 and len(X) * self.n_neurons > MANY:
            w = self.weights[:, 0]
            # Unit to 1e-9 only: what is not 1 goes into amplitudes and biases.
            size = np.abs(w)[:, None] if self.amplitudes.ndim == 2 else np.abs(w)
            values += line_network(X[:, 0], self.amplitudes * size, w, self.biases / np.abs(w))
        elif self.n_neurons:
            rows = max(1, _CHUNK // self.n_neurons)
            for start in range(0, len(X), rows):
                part = slice(start, start + rows)
                values[part] += self.features(X[part]) @ self.amplitudes
        return values

    @cached_property
    def rtv(self) -> float:
        """RTV(f) = sum_k |a_k| once equal and antipodal neurons are merged.

        With several outputs sum_k ||a_k||_2, what weight decay charges.
        """
        return float(_lengths(self.merged().amplitudes).sum())

    def merged(self) -> RidgeSpline:
        """Return the same function with equal and antipodal neurons merged, zeros dropped."""
        return RidgeSpline(
            *merge_equal_and_antipodal(
                self.amplitudes, self.weights, self.biases, self.coef, self.intercept
            )
        )

    def with_affine(self, coef: Array, intercept: Any) -> RidgeSpline:
        """Return the network with the same neurons and another affine part."""
        return RidgeSpline(self.amplitudes, self.weights, self.biases, coef, intercept)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, RidgeSpline):
            return NotImplemented
        return all(
            np.array_equal(getattr(self, name), getattr(other, name))
            for name in ("amplitudes", "weights", "biases", "coef", "intercept")
        )

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        outputs = f", n_outputs={self.n_outputs}" if self.vector else ""
        return (
            f"RidgeSpline(n_neurons={self.n_neurons}, n_features={self.n_features}{outputs}, "
            f"rtv={self.rtv:.6g})"
        )


def _any_size(name: str, value: Any, shape: str) -> Array:
    """Return parameters of a network, finite and of that shape but of any magnitude."""
    ndim = shape.count("n_")
    return as_float_array(name, value, ndim=ndim, largest=np.inf, shape=shape)


def _coef_shape(coef: Any) -> str:
    """Return what shape `coef` claims to have; it decides how many outputs there are."""
    return FEATURE_OUTPUTS if np.ndim(coef) == 2 else FEATURES


def _lengths(amplitudes: Array) -> Array:
    """Return |a_k| or ||a_k||_2; the largest entry is taken out, so that no square overflows."""
    if amplitudes.ndim == 1:
        return np.abs(amplitudes)
    top = np.abs(amplitudes).max(axis=1, initial=0.0)
    safe = np.where(top > 0.0, top, 1.0)
    lengths: Array = top * np.linalg.norm(amplitudes / safe[:, None], axis=1)
    return lengths


def _intercept(value: Any, coef: Array) -> Any:
    """Return c0 as a float, for several outputs as a read-only array of shape (n_outputs,)."""
    if coef.ndim == 1:
        return float(_any_size("intercept", value, "()"))
    if np.ndim(value) == 0:
        value = np.full(coef.shape[1], value)
    intercept = _any_size("intercept", value, OUTPUTS)
    if len(intercept) != coef.shape[1]:
        raise ValueError(
            f"intercept has {len(intercept)} entries but coef has {coef.shape[1]} columns; both "
            "must be the number of outputs."
        )
    return intercept


def _skip(skip_weight: Any, output_bias: Any, n_features: int, outputs: tuple[int, ...]) -> Any:
    """Return (coef, intercept) from the skip connection of layers; `outputs` is () or (D,)."""
    if not outputs:
        constant: Any = float(_any_size("output_bias", np.squeeze(output_bias), "()"))
    else:
        constant = _intercept(output_bias, np.zeros((0, *outputs)))
    if skip_weight is None:
        return np.zeros((n_features, *outputs)), constant
    if outputs:
        skip = _any_size("skip_weight", skip_weight, "(n_outputs, n_features)")
        if skip.shape != (*outputs, n_features):
            raise ValueError(
                f"skip_weight has shape {skip.shape}, but there are {outputs[0]} outputs and "
                f"{n_features} features; it must have a row for each output."
            )
        return skip.T, constant
    skip = _any_size("skip_weight", np.ravel(skip_weight), FEATURES)
    if len(skip) != n_features:
        raise ValueError(
            f"skip_weight has {len(skip)} entries, but hidden_weight has "
            f"{n_features} columns; they must agree."
        )
    return skip, constant
