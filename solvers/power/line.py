"""Values of eta of order m >= 3 at planes, and sup |eta| exactly in one dimension."""

from __future__ import annotations

import math
import time
from dataclasses import replace

import numpy as np

from ...problems.checks import Array
from ...problems.power.spline import truncated_power
from ..oracle import SupBound, assemble_valued
from ._kernels import line_candidates
from .margin import cheap_bound, power_margin


def evaluate_power(X: Array, q: Array, order: int, weight: Array, bias: float) -> float:
    """Return sum_i q_i psi_m(w.x_i - b) with a correctly rounded sum."""
    return math.fsum((q * truncated_power(X @ weight - bias, order)).tolist())


def assemble_powers(
    X: Array,
    q: Array,
    order: int,
    points: list[tuple[Array, float]],
    threshold: float,
    bound: float,
    complete: bool,
    n_boxes: int,
    start: float,
) -> SupBound:
    """Return the `SupBound` whose values are recomputed at the given planes."""
    return assemble_valued(
        [(abs(evaluate_power(X, q, order, w, b)), w, b) for w, b in points],
        X.shape[1],
        threshold=threshold,
        bound=bound,
        complete=complete,
        n_boxes=n_boxes,
        seconds=time.perf_counter() - start,
    )


def unsearched(X: Array, q: Array, order: int) -> SupBound:
    """Return the bound that needs no search, with one plane; Ctrl-C has ended what was better."""
    points = [(np.eye(1, X.shape[1])[0], 0.0)]
    bound, start = cheap_bound(X, q, order), time.perf_counter()
    found = assemble_powers(X, q, order, points, math.inf, bound, False, 0, start)
    return replace(found, interrupted=True)


def line_maxima(X: Array, q: Array, order: int) -> tuple[Array, Array]:
    """Return values and biases of the local maxima of |eta(1, .)| for inputs (n, 1)."""
    x = X[:, 0]
    rank = np.argsort(x, kind="stable")
    values, biases = np.empty(3 * len(x)), np.empty(3 * len(x))
    count = line_candidates(x[rank], q[rank], order - 1, values, biases)
    size = np.abs(values[:count])
    around = np.concatenate([[0.0], size, [0.0]])
    top = (size > around[:-2]) & (size >= around[2:])
    return values[:count][top], biases[:count][top]


def sup_power_1d(X: Array, q: Array, order: int, *, threshold: float = math.inf) -> SupBound:
    """Return sup |eta| for inputs (n, 1), by a scan of all knots and roots of the derivative."""
    start = time.perf_counter()
    values, biases = line_maxima(X, q, order)
    points = [(np.ones(1), float(b)) for b in biases[np.argsort(-np.abs(values))]]
    top = float(np.abs(values).max(initial=0.0))
    bound = top + power_margin(X, q, order)
    return assemble_powers(X, q, order, points, threshold, bound, True, 3 * len(X), start)
