"""Instances of the benchmarks: G(d, n, lam), and real data sets read from a folder."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from radontv.problems import RadonTVProblem

Array = NDArray[np.float64]


def gaussian(d: int, n: int, lam: float, seed: int = 0) -> RadonTVProblem:
    """G(d, n, lam): X standard normal, y = sin(2 x1) + |x1 + x2| + 0.1 noise, alpha = lam / n."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, d))
    second = X[:, 1] if d > 1 else 0.0
    y = np.sin(2 * X[:, 0]) + np.abs(X[:, 0] + second) + 0.1 * rng.normal(size=n)
    return RadonTVProblem(X, y, alpha=lam / n)


def read(folder: Path, name: str, n: int | None = None) -> tuple[Array, Array]:
    """Return inputs and targets of `name`.csv (target last), or of n of its rows."""
    table = pd.read_csv(folder / f"{name}.csv").to_numpy(dtype=float)
    if n is not None and n < len(table):
        table = table[np.random.default_rng(0).permutation(len(table))[:n]]
    return table[:, :-1], table[:, -1]


def read_splits(folder: Path, name: str) -> Array:
    """Return the standard splits, one column each: 1 test, 0 train, -1 unused."""
    return pd.read_csv(folder / f"{name}_splits.csv.gz").to_numpy()


def standardised(X: Array, y: Array, ratio: float) -> RadonTVProblem:
    """Return the problem on standardised columns and targets with alpha = ratio alpha_max."""
    scale = np.where(X.std(axis=0) > 0, X.std(axis=0), 1.0)
    problem = RadonTVProblem((X - X.mean(axis=0)) / scale, (y - y.mean()) / y.std(), alpha=1.0)
    return problem.with_alpha(ratio * problem.alpha_max())
