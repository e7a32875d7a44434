"""Polynomials in d variables of low degree, in centred and scaled coordinates."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import combinations_with_replacement
from math import comb, factorial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..checks import Array, as_float_array

Ints = NDArray[np.int64]

MOST_MONOMIALS = 20_000
"""Columns of the monomials up to which least squares with them are reasonable."""


def count_monomials(n_features: int, degree: int) -> int:
    """Return the number of monomials of degree at most `degree`, C(d + degree, d)."""
    return comb(n_features + degree, n_features)


def all_exponents(n_features: int, degree: int) -> Ints:
    """Return the exponents of all monomials of degree at most `degree`, lowest degree first.

    Returns
    -------
    ndarray of int, shape (C(d + degree, d), d)

    Raises
    ------
    ValueError
        If there are more than `MOST_MONOMIALS`.
    """
    count = count_monomials(n_features, degree)
    if count > MOST_MONOMIALS:
        raise ValueError(
            f"there are {count} monomials of degree {degree} or less in {n_features} features, "
            f"more than {MOST_MONOMIALS}; use a lower order or fewer features."
        )
    exponents = np.zeros((count, n_features), dtype=np.int64)
    row = 0
    for size in range(degree + 1):
        for factors in combinations_with_replacement(range(n_features), size):
            for k in factors:
                exponents[row, k] += 1
            row += 1
    return exponents


def factors_of(exponents: Ints) -> Ints:
    """Return the monomials as products: entry k > 0 stands for u_{k-1}, 0 for the factor 1.

    Returns
    -------
    ndarray of int, shape (n_monomials, degree)
    """
    degree = int(exponents.sum(axis=1).max(initial=0))
    factors = np.zeros((len(exponents), degree), dtype=np.int64)
    for row, powers in enumerate(exponents):
        ones = np.repeat(np.arange(1, len(powers) + 1), powers)
        factors[row, : len(ones)] = ones
    return factors


def monomials(U: Array, factors: Ints) -> Array:
    """Return prod_k u_ik^e_jk, shape (n_samples, n_monomials), for coordinates U (n, d)."""
    extended = np.column_stack([np.ones(len(U)), U])
    values = np.ones((len(U), len(factors)))
    for column in factors.T:
        values *= extended[:, column]
    return values


@dataclass(frozen=True, eq=False)
class Polynomial:
    """p(x) = sum_j c_j prod_k u_k^e_jk with coordinates u = M^T (x - centre).

    Parameters
    ----------
    exponents : ndarray of int, shape (n_monomials, n_features)
        e, distinct rows.
    coefficients : ndarray of shape (n_monomials,)
        c.
    centre : ndarray of shape (n_features,)
    maps : ndarray of shape (n_features, n_features)
        M, invertible; chosen so that u is of unit size on the data.
    """

    exponents: Ints
    coefficients: Array
    centre: Array
    maps: Array

    def __post_init__(self) -> None:
        d = len(np.atleast_1d(self.centre))
        exponents = np.array(self.exponents, dtype=np.int64).reshape(-1, d)
        shape, infinite = "(n_monomials,)", np.inf
        values = as_float_array(
            "coefficients", self.coefficients, ndim=1, largest=infinite, shape=shape
        )
        centre = as_float_array("centre", self.centre, ndim=1, largest=infinite, shape="(d,)")
        maps = as_float_array("maps", self.maps, ndim=2, largest=infinite, shape="(d, d)")
        if len(values) != len(exponents) or maps.shape != (d, d) or (exponents < 0).any():
            raise ValueError(
                f"{len(values)} coefficients, exponents of shape {exponents.shape} and maps of "
                f"shape {maps.shape} do not fit {d} features; there must be one coefficient per "
                "row of exponents >= 0, and maps must be square."
            )
        exponents.flags.writeable = False
        for name, value in {
            "exponents": exponents,
            "coefficients": values,
            "centre": centre,
            "maps": maps,
        }.items():
            object.__setattr__(self, name, value)

    @classmethod
    def zero(cls, n_features: int) -> Polynomial:
        """Return the zero function, in the coordinates u = x."""
        empty = np.zeros((0, n_features), dtype=np.int64)
        return cls(empty, np.zeros(0), np.zeros(n_features), np.eye(n_features))

    @classmethod
    def affine(cls, coef: Array, intercept: float) -> Polynomial:
        """Return c.x + c0, in the coordinates u = x."""
        d = len(coef)
        values = np.concatenate([[intercept], coef])
        return cls(all_exponents(d, 1), values, np.zeros(d), np.eye(d))

    @property
    def n_features(self) -> int:
        """Dimension d of the inputs."""
        return len(self.centre)

    @property
    def degree(self) -> int:
        """Largest degree of a monomial, 0 if there is none."""
        return int(self.exponents.sum(axis=1).max(initial=0))

    @cached_property
    def factors(self) -> Ints:
        """The monomials as products; see `factors_of`."""
        return factors_of(self.exponents)

    def __call__(self, X: Any) -> Array:
        """Return p at the rows of X, shape (n_samples,)."""
        X = as_float_array("X", X, ndim=2)
        if X.shape[1] != self.n_features:
            raise ValueError(
                f"X has {X.shape[1]} features, but the polynomial was made for {self.n_features}."
            )
        if len(self.coefficients) == 0:
            return np.zeros(len(X))
        values: Array = monomials((X - self.centre) @ self.maps, self.factors) @ self.coefficients
        return values

    def sizes(self, X: Array) -> Array:
        """Return sum_j |c_j| prod_k U_k^e_jk >= |p|, U = |M|^T |x - centre|, for error bounds."""
        if len(self.coefficients) == 0:
            return np.zeros(len(X))
        U = np.abs(X - self.centre) @ np.abs(self.maps)
        return monomials(U, self.factors) @ np.abs(self.coefficients)

    def plus_powers(self, amplitudes: Array, weights: Array, biases: Array, p: int) -> Polynomial:
        """Return this polynomial plus sum_k a_k (w_k.x - b_k)^p / p!.

        With w.x - b = c + g.u, c = w.centre - b and M g = w,

            (c + g.u)^p / p! = sum_{|e| <= p} c^(p - |e|) / (p - |e|)! prod_k g_k^e_k / e_k! u^e
        """
        if len(amplitudes) == 0:
            return self
        exponents = all_exponents(self.n_features, p)
        left = p - exponents.sum(axis=1)
        G: Array = np.asarray(np.linalg.solve(self.maps, weights.T).T, dtype=np.float64)
        c = weights @ self.centre - biases
        # Zero to the power zero is one: a hyperplane may pass through the centre.
        values = c[:, None] ** left[None, :] * monomials(G, factors_of(exponents))
        factorials = np.array([factorial(k) for k in range(p + 1)], dtype=np.float64)
        values /= factorials[left] * np.prod(factorials[exponents], axis=1)
        return self._plus(exponents, amplitudes @ values)

    def _plus(self, exponents: Ints, coefficients: Array) -> Polynomial:
        """Return the sum with a polynomial in the same coordinates."""
        joined = np.concatenate([self.exponents, exponents])
        rows, place = np.unique(joined, axis=0, return_inverse=True)
        total = np.zeros(len(rows))
        np.add.at(total, place.reshape(-1), np.concatenate([self.coefficients, coefficients]))
        return Polynomial(rows, total, self.centre, self.maps)
