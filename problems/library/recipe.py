"""How an instance is made: a name, a sentence, and a function that returns the problem."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ..checks import Array
from ..problem import RadonTVProblem

DECIMALS = 8
"""Decimals of the data that enter the digest. Another stream of random numbers or another table
changes the first one; the last bits, which may differ between computers, reach the eighth with a
probability of about 1e-8 per number."""


@dataclass(frozen=True)
class Recipe:
    """An instance without its values.

    Attributes
    ----------
    name : str
        Family, what makes it special, dimension, number of rows where it is needed.
    family : str
        "closed form", "gaussian", "degenerate" or "real".
    description : str
        Inputs, targets and formulas, as half a sentence.
    build : callable
        Returns the problem.
    exact : callable, default=None
        Returns the optimal value F* in closed form.
    """

    name: str
    family: str
    description: str
    build: Callable[[], RadonTVProblem]
    exact: Callable[[], float] | None = None


def digest(problem: RadonTVProblem) -> str:
    """Return the SHA-256 of a problem's data rounded to 8 decimals, loss and penalty included."""
    header = f"{problem.X.shape} {problem.loss.name} {problem.alpha:.12g}"
    seen = hashlib.sha256(header.encode())
    for array in (problem.X, problem.y, problem.s):
        rounded = np.round(array, DECIMALS) + 0.0  # -0.0 becomes 0.0
        seen.update(np.ascontiguousarray(rounded, dtype="<f8").tobytes())
    return seen.hexdigest()


def signal(X: Array) -> Array:
    """Return sin(2 x1) + |x1 + x2|, where x2 = 0 in one dimension."""
    second = X[:, 1] if X.shape[1] > 1 else 0.0
    values: Array = np.sin(2 * X[:, 0]) + np.abs(X[:, 0] + second)
    return values
