r"""Networks as a check sees them: one neuron per hyperplane, values, and bounds of their rounding.

``relu(-t) = relu(t) - t``, and for a spline of order m with p = m - 1
``psi(-t) = (-1)^p (t^p / p! - psi(t))``, ``psi(t) = max(t, 0)^p / p!``: an antipodal neuron is one
on the same hyperplane and something free.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from ...problems.checks import Array
from .null_space import U

SAME = 1e-12
"""Normals, and biases relative to the larger one, that agree to this are one hyperplane."""
CHUNK = 1 << 22


@dataclass(frozen=True, eq=False)
class Network:
    """Neurons, and what is free, in either form.

    Parameters
    ----------
    a : ndarray of shape (n_neurons,) or (n_neurons, n_outputs)
        Amplitudes.
    w, b : ndarray of shape (n_neurons, n_features), (n_neurons,)
        Hyperplanes.
    coef, intercept : ndarray
        The affine part.
    polynomial : object or None
        The free polynomial, with exponents, coefficients, centre and maps; then there is no affine
        part.
    powers : tuple of ndarray or None
        (a, w, b) of terms ``a (w.x - b)^p / p!`` that merging turned out.
    degree : int
        p, 1 for ReLU.
    """

    a: Array
    w: Array
    b: Array
    coef: Array
    intercept: Any
    polynomial: Any = None
    powers: tuple[Array, Array, Array] | None = None
    degree: int = 1

    @classmethod
    def of(cls, network: Any) -> Network:
        """Return a `RidgeSpline` or `PowerSpline` as it stands, less its zero amplitudes."""
        amplitudes = network.amplitudes
        live = amplitudes.any(axis=1) if amplitudes.ndim == 2 else amplitudes != 0.0
        neurons = amplitudes[live], network.weights[live], network.biases[live]
        polynomial = getattr(network, "polynomial", None)
        if polynomial is None:
            return cls(*neurons, network.coef, network.intercept)
        zero = np.zeros(network.weights.shape[1])
        return cls(*neurons, zero, 0.0, polynomial, None, int(network.order) - 1)

    @property
    def count(self) -> int:
        """Number of neurons."""
        return len(self.a)

    def joined(self) -> Network:
        """Return the same function with one neuron per hyperplane.

        Normals are turned so that their first entry that is not zero up to `SAME` is positive; each
        neuron then joins the first one whose hyperplane is the same.
        """
        a, w, b, p = self.a, self.w, self.b, self.degree
        if not len(a):
            return self
        first = np.argmax(np.abs(w) > SAME, axis=1)
        back = w[np.arange(len(w)), first] < 0.0
        sign = np.where(back, -1.0, 1.0)
        given, turned = a, a[back]
        if p % 2 == 0:
            a = np.where(back, -a, a)
        w, b = w * sign[:, None], b * sign
        owner = _owners(w, b)
        total = np.zeros_like(a)
        np.add.at(total, owner, a)
        keep = total.any(axis=1) if a.ndim == 2 else total != 0.0
        coef, intercept, powers = self.coef, self.intercept, self.powers
        if self.polynomial is not None:
            powers = given[back], self.w[back], self.b[back]
        else:
            coef = coef + (turned.T @ self.w[back]).T
            intercept = intercept - turned.T @ self.b[back]
        return Network(
            total[keep], w[keep], b[keep], coef, intercept, self.polynomial, powers, p
        )  # fmt: skip

    def neurons(self, X: Array) -> tuple[Array, Array, Array]:
        """Return ``sum_k a_k psi(w_k.x - b_k)`` at rows X, the sizes of its terms, and its slip.

        The slip bounds what the rounding of w.x - b does beyond rounding the terms.
        """
        shape = (len(X), *self.a.shape[1:])
        values, sizes, slip = np.zeros(shape), np.zeros(shape), np.zeros(shape)
        step = max(1, CHUNK // max(1, self.count))
        for first in range(0, len(X), step):
            part = slice(first, first + step)
            t, size = X[part] @ self.w.T - self.b, np.abs(X[part]) @ np.abs(self.w.T)
            values[part], sizes[part], slip[part] = self._atoms(t, size + np.abs(self.b))
        if self.powers is not None:
            a, w, b = self.powers
            t, size = X @ w.T - b, np.abs(X) @ np.abs(w.T) + np.abs(b)
            values += t**self.degree @ a / math.factorial(self.degree)
            sizes += size**self.degree @ np.abs(a)
        return values, sizes, slip

    def _atoms(self, t: Array, size: Array) -> tuple[Array, Array, Array]:
        p, a = self.degree, self.a
        if p == 1:
            return np.maximum(t, 0.0) @ a, size @ np.abs(a), np.zeros((len(t), *a.shape[1:]))
        shift = (self.w.shape[1] + 2) * U * size
        top = np.maximum(t + shift, 0.0) + shift
        values = np.maximum(t, 0.0) ** p @ a / math.factorial(p)
        sizes = top**p @ np.abs(a) / math.factorial(p)
        return values, sizes, (top ** (p - 1) * shift) @ np.abs(a) / math.factorial(p - 1)

    def free_part(self, X: Array) -> tuple[Array, Array]:
        """Return the free part at rows X, and the sizes of its terms."""
        if self.polynomial is None:
            sizes = np.abs(X) @ np.abs(self.coef) + np.abs(self.intercept)
            return X @ self.coef + self.intercept, sizes
        p = self.polynomial
        if not len(p.coefficients):
            return np.zeros(len(X)), np.zeros(len(X))
        shifted, maps = X - p.centre, p.maps
        values = monomials(shifted @ maps, p.exponents) @ p.coefficients
        sizes = monomials(np.abs(shifted) @ np.abs(maps), p.exponents)
        return values, sizes @ np.abs(p.coefficients)

    @property
    def depth(self) -> int:
        """Roundings on the way to a value, beyond the sums over neurons and features."""
        terms = 0 if self.polynomial is None else len(self.polynomial.coefficients)
        turned = 0 if self.powers is None else len(self.powers[0])
        return self.degree * (int(self.w.shape[1]) + 4) + terms + turned + 12


def monomials(u: Array, exponents: np.ndarray) -> Array:
    """Return ``prod_k u_ik^e_jk``, shape (n_rows, n_monomials)."""
    values = np.ones((len(u), len(exponents)))
    for column, powers in zip(u.T, np.asarray(exponents).T, strict=True):
        values *= column[:, None] ** powers
    return values


def _owners(w: Array, b: Array) -> np.ndarray:
    """Return for each neuron the first one with its hyperplane."""
    owner = np.full(len(w), -1)
    for k in range(len(w)):
        if owner[k] < 0:
            close = np.abs(b - b[k]) <= SAME * np.maximum(np.abs(b), abs(b[k]))
            owner[(owner < 0) & close & (np.abs(w - w[k]).max(axis=1) <= SAME)] = k
    return owner
