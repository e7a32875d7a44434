"""Rows and weights for the tests of neurons through the origin, and their sup by enumeration."""

from __future__ import annotations

import time
from fractions import Fraction
from itertools import combinations

import numpy as np

from radontv.solvers.origin.boxes import bound_by_boxes
from radontv.solvers.origin.rows import OriginRows

KINDS = (
    "normal", "grid", "collinear", "repeated", "clusters", "near", "bias", "positive", "sparse",
    "parallel", "deficient", "few", "huge", "mixed",
)  # fmt: skip


def make(kind: str, n: int, p: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return rows, not centred, and weights of any sign."""
    rng = np.random.default_rng([seed, n, p])
    X, q = rng.standard_normal((n, p)), rng.standard_normal(n)
    third = rng.integers(0, max(n // 3, 1), size=n)
    if kind == "grid":
        X = rng.integers(-1, 2, size=(n, p)).astype(float)
    elif kind == "collinear":
        X = np.outer(rng.integers(-3, 4, size=n), X[0])
        X[:p] = rng.integers(-2, 3, size=(p, p))[:n]
    elif kind in ("repeated", "clusters", "near"):
        X = X[third] + {"repeated": 0.0, "clusters": 1e-7, "near": 1e-13}[kind] * X
    elif kind == "bias":
        X[:, :-1], X[:, -1] = rng.integers(-2, 3, size=(n, p - 1)), 1.0
    elif kind == "positive":
        q = np.abs(q) * (-1) ** seed
    elif kind == "sparse":
        X[rng.random(n) < 0.3], q[rng.random(n) < 0.3] = 0.0, 0.0
    elif kind == "parallel":
        X = X[third] * rng.choice([-2.0, -1.0, 1.0, 3.0], size=(n, 1))
    elif kind == "deficient":
        X = X[:, : max(p - 1, 1)] @ rng.standard_normal((max(p - 1, 1), p))
    elif kind == "few":
        X, q = X[: max(p - 1, 1)], q[: max(p - 1, 1)]
    elif kind == "huge":
        X, q = 1e100 * X, 1e-30 * q
    elif kind == "mixed":
        scale = 10.0 ** rng.integers(-5, 6, size=n)
        X, q = X * scale[:, None], q / scale
    return X, q


def eta(X: np.ndarray, q: np.ndarray, W: np.ndarray) -> np.ndarray:
    return np.maximum(np.atleast_2d(W) @ X.T, 0.0) @ q


def sphere(count: int, p: int, seed: int = 0) -> np.ndarray:
    W = np.random.default_rng(seed).standard_normal((count, p))
    return W / np.linalg.norm(W, axis=1, keepdims=True)


def brute(X: np.ndarray, q: np.ndarray) -> float:
    """Return the sup: on each face {w.x_i = 0, i in O}, eta = g.w for some subset of active rows.

    So the maximum is among the normalised projections of all subset sums on all faces. Most belong
    to no cell, but every one is a direction.
    """
    live = np.any(X != 0.0, axis=1) & (q != 0.0)
    X, q = X[live], q[live]
    n, p = X.shape
    unit = float(np.abs(X).max(initial=0.0)) or 1.0
    X, best = X / unit, 0.0
    for size in range(min(p, n + 1)):
        for on in combinations(range(n), size):
            rest = [i for i in range(n) if i not in on]
            face = np.eye(p)
            if size:
                sigma, vt = np.linalg.svd(X[list(on)], full_matrices=True)[1:]
                if sigma.min() < 1e-9 * sigma.max():
                    continue
                face = vt[size:].T
            active = (np.arange(1 << len(rest))[:, None] >> np.arange(len(rest)) & 1).astype(float)
            g = (active * q[rest]) @ (X[rest] @ face)
            g = np.vstack([g, np.eye(p - size)])
            length = np.linalg.norm(g, axis=1)
            W = (g[length > 0.0] / length[length > 0.0, None]) @ face.T
            best = max(best, float(np.abs(eta(X, q, np.vstack([W, -W]))).max()))
    return best * unit


def boxes(X: np.ndarray, q: np.ndarray, threshold: float = 0.0, **options):
    given = {"stop_at_violation": False, "max_boxes": 400_000, **options}
    return bound_by_boxes(OriginRows.of(X, q), threshold, start=time.perf_counter(), **given)


def exceeds(X: np.ndarray, q: np.ndarray, w: np.ndarray, bound: float) -> bool:
    """Return whether |eta(w / |w|)| > bound, in exact rational arithmetic."""
    u = [Fraction(float(c)) for c in w]
    total = Fraction(0)
    for row, c in zip(X, q, strict=True):
        t = sum(a * Fraction(float(x)) for a, x in zip(u, row, strict=True))
        total += Fraction(float(c)) * max(t, Fraction(0))
    return total**2 > Fraction(bound) ** 2 * sum(a * a for a in u)
