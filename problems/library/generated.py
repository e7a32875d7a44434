"""Instances made of random numbers: the Gaussian ones of the benchmarks, and degenerate ones.

The generator is numpy's ``default_rng(0)``. NumPy promises the stream of its bits (PCG64), but not
those of the methods used here, normal and integers; from 1.24 to 2.4 they are equal. A digest of
every instance's data shows it if they ever change.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable

import numpy as np

from ..problem import RadonTVProblem
from .recipe import Recipe, signal


def gaussian(d: int, n: int, lam: float, seed: int = 0) -> RadonTVProblem:
    """Return G(d, n, lam): X standard normal, y = signal + 0.1 noise, alpha = lam / n."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, d))
    return RadonTVProblem(X, signal(X) + 0.1 * rng.normal(size=n), alpha=lam / n)


def _gaussian(d: int, n: int, lam: float) -> Recipe:
    build: Callable[[], RadonTVProblem] = lambda: gaussian(d, n, lam)  # noqa: E731
    return Recipe(f"gaussian-d{d}-n{n}", "gaussian", f"G({d}, {n}, {lam:g})", build)


def _grid(side: int, d: int, alpha: float) -> RadonTVProblem:
    rng = np.random.default_rng(0)
    values = np.arange(side) - (side - 1) / 2
    X = np.array(list(itertools.product(values, repeat=d)))
    return RadonTVProblem(X, signal(X) + 0.1 * rng.normal(size=len(X)), alpha=alpha)


def _binary() -> RadonTVProblem:
    rng = np.random.default_rng(0)
    X = np.array(list(itertools.product([0.0, 1.0], repeat=6)))
    exclusive = np.abs(X[:, 0] - X[:, 1])
    y = exclusive + X[:, 2] * X[:, 3] * X[:, 4] + 0.1 * rng.normal(size=len(X))
    return RadonTVProblem(X, y, alpha=0.005)


def _duplicates() -> RadonTVProblem:
    rng = np.random.default_rng(0)
    X = np.repeat(rng.normal(size=(40, 3)), 3, axis=0)
    return RadonTVProblem(X, signal(X) + 0.3 * rng.normal(size=len(X)), alpha=0.01)


def _categorical() -> RadonTVProblem:
    rng = np.random.default_rng(0)
    level = rng.integers(0, 3, size=90)
    numbers = rng.normal(size=(90, 2))
    slope = np.array([-1.0, 0.0, 2.0])[level]
    y = slope * np.abs(numbers[:, 0]) + numbers[:, 1] + 0.1 * rng.normal(size=90)
    return RadonTVProblem(np.column_stack([np.eye(3)[level], numbers]), y, alpha=0.01)


def _weighted() -> RadonTVProblem:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(120, 2))
    y = signal(X) + 0.1 * rng.normal(size=120)
    weights = rng.integers(0, 4, size=120).astype(np.float64)
    return RadonTVProblem(X, y, alpha=0.005, sample_weight=weights)


def _teacher() -> RadonTVProblem:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(80, 4))
    hidden = np.maximum(X @ rng.normal(size=(4, 3)) + rng.normal(size=3), 0.0)
    return RadonTVProblem(X, hidden @ np.array([1.0, -1.0, 1.0]), alpha=0.001)


def _bump() -> RadonTVProblem:
    X = np.random.default_rng(0).normal(size=(100, 3))
    return RadonTVProblem(X, np.exp(-0.5 * np.sum(X * X, axis=1)), alpha=0.001)


RECIPES = (
    _gaussian(1, 100, 0.1),
    _gaussian(1, 1000, 1.0),
    _gaussian(2, 200, 0.3),
    _gaussian(2, 500, 0.3),
    _gaussian(3, 300, 0.5),
    _gaussian(5, 100, 1.0),
    _gaussian(5, 200, 1.0),
    _gaussian(6, 100, 1.0),
    _gaussian(8, 200, 2.0),
    _gaussian(10, 100, 2.0),
    Recipe(
        "grid-d2",
        "degenerate",
        "integers -4, ..., 4 squared, signal + 0.1 noise: most points lie on many common lines",
        lambda: _grid(9, 2, 0.005),
    ),
    Recipe(
        "grid-d3",
        "degenerate",
        "integers -2, ..., 2 cubed, signal + 0.1 noise",
        lambda: _grid(5, 3, 0.005),
    ),
    Recipe(
        "binary-d6",
        "degenerate",
        "all of {0, 1}^6, y = (x1 xor x2) + x3 x4 x5 + 0.1 noise",
        _binary,
    ),
    Recipe(
        "duplicates-d3",
        "degenerate",
        "40 normal rows, each three times with other targets, signal + 0.3 noise",
        _duplicates,
    ),
    Recipe(
        "categorical-d5",
        "degenerate",
        "three levels one-hot, hence rank 4, and two normal features; a slope for each level",
        _categorical,
    ),
    Recipe(
        "weighted-d2",
        "degenerate",
        "normal rows with weights 0, 1, 2 or 3, signal + 0.1 noise",
        _weighted,
    ),
    Recipe(
        "teacher-d4",
        "degenerate",
        "normal rows, targets without noise from a network of three neurons",
        _teacher,
    ),
    Recipe(
        "bump-d3",
        "degenerate",
        "normal rows, y = exp(-|x|^2 / 2), whose RTV is 7.02006: F* <= 7.02006 alpha",
        _bump,
    ),
)
