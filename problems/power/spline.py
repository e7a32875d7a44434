"""Ridge splines of order m: ridge atoms of truncated powers and a polynomial part."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from math import factorial
from typing import Any

import numpy as np

from ..checks import Array, as_count, as_float_array
from ..merging import points_backwards, same_hyperplane
from ..network import MATRIX, NEURONS, RidgeSpline
from .polynomials import Polynomial

ORDERS = (2, 3, 4)
"""Orders m that are implemented; 2 is ReLU."""
_CHUNK = 1 << 22


def as_order(value: Any) -> int:
    """Return an order of `ORDERS`, or raise an error that names it."""
    order = as_count("order", value, least=0)
    if order not in ORDERS:
        raise ValueError(
            f"order must be 2 (ReLU), 3 or 4, got {order}; it is one more than the degree of the "
            "pieces."
        )
    return order


def truncated_power(t: Array, order: int) -> Array:
    """Return psi_m(t) = max(t, 0)^(m-1) / (m-1)!."""
    positive = np.maximum(t, 0.0)
    power = positive
    for _ in range(order - 2):
        power = power * positive
    values: Array = power / factorial(order - 1)
    return values


@dataclass(frozen=True, eq=False)
class PowerSpline:
    """f(x) = sum_k a_k psi_m(w_k.x - b_k) + p(x), ||w_k||_2 = 1, p of degree < m.

    psi_m(t) = max(t, 0)^(m-1) / (m-1)!; the penalty of order m is sum_k |a_k| once equal and
    antipodal atoms are merged (Parhi and Nowak, "Banach space representer theorems for neural
    networks and ridge splines", 2021).

    Parameters
    ----------
    amplitudes : ndarray of shape (n_neurons,)
        a_k.
    weights : ndarray of shape (n_neurons, n_features)
        w_k, unit rows.
    biases : ndarray of shape (n_neurons,)
        b_k.
    polynomial : Polynomial
        p.
    order : int
        m, 2 (ReLU), 3 or 4.
    """

    amplitudes: Array
    weights: Array
    biases: Array
    polynomial: Polynomial
    order: int

    def __post_init__(self) -> None:
        order, d = as_order(self.order), self.polynomial.n_features
        amplitudes = _parameters("amplitudes", self.amplitudes, 1, NEURONS)
        weights = np.zeros((0, d)) if np.size(self.weights) == 0 else self.weights
        weights = _parameters("weights", weights, 2, MATRIX)
        biases = _parameters("biases", self.biases, 1, NEURONS)
        if weights.shape[1] != d or not len(amplitudes) == len(weights) == len(biases):
            raise ValueError(
                f"amplitudes {amplitudes.shape}, weights {weights.shape} and biases "
                f"{biases.shape} do not agree with each other and {d} features of the polynomial."
            )
        lengths = np.linalg.norm(weights, axis=1)
        if (np.abs(lengths - 1.0) > 1e-9).any():
            worst = int(np.argmax(np.abs(lengths - 1.0)))
            raise ValueError(
                f"row {worst} of weights has length {lengths[worst]:.6g}, not 1; divide w and b by "
                f"it and multiply the amplitude by its power {order - 1}."
            )
        if self.polynomial.degree >= order:
            raise ValueError(
                f"the polynomial has degree {self.polynomial.degree}, but only degrees below the "
                f"order {order} are free; use a higher order."
            )
        for name, value in {
            "amplitudes": amplitudes,
            "weights": weights,
            "biases": biases,
            "order": order,
        }.items():
            object.__setattr__(self, name, value)

    @classmethod
    def of_polynomial(cls, polynomial: Polynomial, order: int) -> PowerSpline:
        """Return the spline without atoms."""
        return cls(
            np.zeros(0), np.zeros((0, polynomial.n_features)), np.zeros(0), polynomial, order
        )

    @classmethod
    def from_network(cls, network: RidgeSpline) -> PowerSpline:
        """Return a ReLU network as a spline of order 2."""
        if network.vector:
            raise ValueError(
                f"network has {network.n_outputs} outputs; splines of order m have one, so pass "
                "the outputs one by one."
            )
        affine = Polynomial.affine(network.coef, network.intercept)
        return cls(network.amplitudes, network.weights, network.biases, affine, 2)

    def to_network(self) -> RidgeSpline:
        """Return a spline of order 2 as a ReLU network."""
        if self.order != 2:
            raise ValueError(f"order is {self.order}; only order 2 is a ReLU network.")
        p, d = self.polynomial, self.n_features
        coef, intercept = np.zeros(d), 0.0
        for exponents, value in zip(p.exponents, p.coefficients, strict=True):
            if exponents.any():
                coef += value * p.maps[:, int(np.argmax(exponents))]
            else:
                intercept += float(value)
        intercept -= float(coef @ p.centre)
        return RidgeSpline(self.amplitudes, self.weights, self.biases, coef, intercept)

    @property
    def n_neurons(self) -> int:
        """Number of atoms K."""
        return len(self.amplitudes)

    @property
    def n_features(self) -> int:
        """Dimension d of the inputs."""
        return self.polynomial.n_features

    @property
    def degree(self) -> int:
        """Degree m - 1 of the pieces."""
        return self.order - 1

    def features(self, X: Array) -> Array:
        """Return psi_m(w_k.x_i - b_k), shape (n_samples, n_neurons)."""
        return truncated_power(X @ self.weights.T - self.biases, self.order)

    def __call__(self, X: Any) -> Array:
        """Return f at the rows of X, shape (n_samples,)."""
        X = as_float_array("X", X, ndim=2)
        values = self.polynomial(X)
        if self.n_neurons:
            rows = max(1, _CHUNK // self.n_neurons)
            for start in range(0, len(X), rows):
                part = slice(start, start + rows)
                values[part] += self.features(X[part]) @ self.amplitudes
        return values

    @cached_property
    def penalty(self) -> float:
        """sum_k |a_k| once equal and antipodal atoms are merged."""
        return float(np.abs(self.merged().amplitudes).sum())

    def merged(self) -> PowerSpline:
        """Return the same function with one atom per hyperplane, zero amplitudes dropped.

        t^p = max(t, 0)^p + (-1)^p max(-t, 0)^p with p = m - 1, hence

            a psi_m(t) = (-1)^m a psi_m(-t) + a t^p / p!

        and an antipodal atom is an atom on the same hyperplane plus a free polynomial. The sum of
        the |a_k| does not increase.
        """
        live = self.amplitudes != 0.0
        a, w, b = self.amplitudes[live], self.weights[live], self.biases[live]
        if len(a) == 0:
            return PowerSpline.of_polynomial(self.polynomial, self.order)
        flip = points_backwards(w)
        polynomial = self.polynomial.plus_powers(a[flip], w[flip], b[flip], self.degree)
        turn = np.where(flip, -1.0, 1.0)
        a = np.where(flip, (-1.0) ** self.order * a, a)
        w, b = w * turn[:, None], b * turn
        group = same_hyperplane(w, b)
        first = np.unique(group, return_index=True)[1]
        total = np.zeros(len(first))
        np.add.at(total, group, a)
        keep = total != 0.0
        first = first[keep]
        return PowerSpline(total[keep], w[first], b[first], polynomial, self.order)

    def with_polynomial(self, polynomial: Polynomial) -> PowerSpline:
        """Return the spline with the same atoms and another polynomial."""
        return PowerSpline(self.amplitudes, self.weights, self.biases, polynomial, self.order)

    def __repr__(self) -> str:
        return (
            f"PowerSpline(order={self.order}, n_neurons={self.n_neurons}, "
            f"n_features={self.n_features}, penalty={self.penalty:.6g})"
        )


def _parameters(name: str, value: Any, ndim: int, shape: str) -> Array:
    return as_float_array(name, value, ndim=ndim, largest=np.inf, shape=shape)
