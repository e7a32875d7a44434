"""Random problems of the soundness campaign, ordinary and degenerate: one per kind and seed."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from radontv.problems import RadonTVProblem, RidgeSpline

Array = NDArray[np.float64]

KINDS = (
    "gaussian",
    "grid",
    "lattice",
    "binary",
    "categorical",
    "duplicates",
    "near duplicates",
    "collinear",
    "line and points",
    "flat",
    "constant column",
    "scaled",
    "far",
    "few",
    "clusters",
    "sphere",
)


def inputs(kind: str, n: int, d: int, rng: np.random.Generator) -> Array:
    """Return X of shape (n, d), or of fewer rows for the kind "few"."""
    normal = rng.standard_normal((n, d))
    if kind == "grid":
        return rng.integers(-2, 3, size=(n, d)).astype(float)
    if kind == "lattice":
        return rng.integers(-2, 3, size=(n, d)) @ np.linalg.qr(rng.standard_normal((d, d)))[0]
    if kind == "binary":
        return np.where(rng.random(d) < 0.6, rng.integers(0, 2, size=(n, d)), normal)
    if kind == "categorical":
        return np.where(np.arange(d) > 0, np.eye(d)[rng.integers(d, size=n)], normal)
    if kind == "duplicates":
        return normal[rng.integers(max(n // 2, 1), size=n)]
    if kind == "near duplicates":
        return normal[np.arange(n) // 2] + 10.0 ** rng.integers(-15, -2) * normal
    if kind == "collinear":
        return rng.standard_normal(d) + np.outer(rng.integers(-20, 21, n), rng.standard_normal(d))
    if kind == "line and points":
        line = rng.standard_normal(d) + np.outer(rng.integers(-9, 10, n), rng.standard_normal(d))
        return np.where(np.arange(n)[:, None] < n - d, line, normal)
    if kind == "flat":
        rank = int(rng.integers(1, d + 1))
        return normal[:, :rank] @ rng.standard_normal((rank, d)) + 3.0
    if kind == "constant column":
        return np.where(np.arange(d) == rng.integers(d), 7.1, normal)
    if kind == "scaled":
        return np.where(np.arange(d) == rng.integers(d), 1e6 * normal, normal)
    if kind == "far":
        return normal + 10.0 ** rng.integers(2, 7)
    if kind == "few":
        return normal[: min(n, d + 1)]
    if kind == "clusters":
        centres = 3.0 * rng.standard_normal((3, d))[rng.integers(3, size=n)]
        return centres + 10.0 ** rng.integers(-6, 0) * normal
    if kind == "sphere":
        return normal / np.linalg.norm(normal, axis=1, keepdims=True)
    if kind == "gaussian":
        return normal
    raise ValueError(f"unknown kind {kind!r}; known are {', '.join(KINDS)}.")


def targets(X: Array, rng: np.random.Generator) -> Array:
    """Return smooth, noisy, binary, planted or nearly affine targets."""
    n, d = X.shape
    Z = (X - X.mean(axis=0)) / (X.std(axis=0) + (X.std(axis=0) == 0.0))
    direction, noise = rng.standard_normal(d), rng.standard_normal(n)
    choice = rng.integers(6)
    if choice <= 1:
        return np.sin(2 * Z[:, 0]) + np.abs(Z @ direction) + 0.1 * noise
    if choice == 2:
        return noise * 10.0 ** rng.integers(-6, 7)
    if choice == 3:
        return np.sign(noise)
    if choice == 4:
        return np.maximum(Z @ direction - 0.3, 0.0)
    return Z @ direction + 1.0 + 1e-6 * noise


def sizes(rng: np.random.Generator) -> tuple[int, int]:
    """Return (n, d): half of the problems are small enough for brute force."""
    d = int(rng.integers(1, 6))
    low, high = [(2, 9), (10, 40 if d <= 3 else 24), (41, 120)][
        rng.choice(3, p=[0.5, 0.42, 0.08] if d <= 3 else [0.5, 0.5, 0.0])
    ]
    return int(rng.integers(low, high + 1)), d


def make_problem(kind: str, seed: int) -> RadonTVProblem:
    """Return the problem of a kind and seed, with alpha between 1e-4 and 1.3 times alpha_max."""
    rng = np.random.default_rng([KINDS.index(kind), seed])
    n, d = sizes(rng)
    X = inputs(kind, n, d, rng)
    weights = None
    if rng.random() < 0.2:
        weights = rng.integers(0, 4, size=len(X)).astype(float)
        weights[0] = 1.0
    problem = RadonTVProblem(X, targets(X, rng), 1.0, sample_weight=weights)
    largest = problem.alpha_max()
    # At the level of rounding alpha would have no meaning.
    least = 1e-9 * float(np.abs(problem.y).max()) * float(np.abs(X).max())
    return problem.with_alpha(max(10.0 ** rng.uniform(-4.0, 0.1) * largest, least, 1e-12))


def random_network(problem: RadonTVProblem, rng: np.random.Generator) -> RidgeSpline:
    """Return some neurons through random points of the data, of the size of the targets."""
    k, X = int(rng.integers(1, 6)), problem.X
    weights = rng.standard_normal((k, X.shape[1])) / (X.std(axis=0) + (X.std(axis=0) == 0.0))
    weights /= np.linalg.norm(weights, axis=1, keepdims=True)
    biases = np.sum(weights * X[rng.integers(len(X), size=k)], axis=1)
    size = float(problem.y.std()) / (float(np.abs(X @ weights.T - biases).mean()) or 1.0)
    return RidgeSpline(size * rng.standard_normal(k), weights, biases, np.zeros(X.shape[1]))
