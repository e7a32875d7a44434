"""Problems and splines of order m that several tests use."""

from __future__ import annotations

import numpy as np

import radontv.solvers  # noqa: F401 (registers the oracle of alpha_max)
from radontv.problems.higher_order import HigherOrderProblem
from radontv.problems.power.polynomials import Polynomial, all_exponents
from radontv.problems.power.spline import PowerSpline

ORDERS = (2, 3, 4)


def data(n: int = 60, d: int = 2, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, d))
    return X, np.sin(2 * X[:, 0]) + 0.5 * X[:, -1] ** 2 + 0.2 * rng.normal(size=n)


def problem(order: int, fraction: float = 0.05, n: int = 60, d: int = 2) -> HigherOrderProblem:
    found = HigherOrderProblem(*data(n, d), 1.0, order=order)
    return found.with_alpha(fraction * found.alpha_max())


def random_spline(order: int, d: int, size: int = 6, seed: int = 1) -> PowerSpline:
    rng = np.random.default_rng(seed)
    W = rng.normal(size=(size, d))
    W /= np.linalg.norm(W, axis=1, keepdims=True)
    exponents = all_exponents(d, order - 1)
    maps = np.eye(d) + 0.3 * rng.normal(size=(d, d))
    p = Polynomial(exponents, rng.normal(size=len(exponents)), rng.normal(size=d), maps)
    return PowerSpline(rng.normal(size=size), W, rng.normal(size=size), p, order)
