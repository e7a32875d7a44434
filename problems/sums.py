"""Sums whose rounding does not grow with the number of terms."""

from __future__ import annotations

import math

import numpy as np

from .checks import Array

LONG = np.longdouble
"""Extended precision where the machine has it (64 bits on x86), else float64."""
LONG_SHARE = float(np.finfo(np.longdouble).eps / np.finfo(np.float64).eps)
"""Rounding of a `LONG` operation in units of that of float64."""


def exact_sum(terms: Array) -> float:
    """Return the correctly rounded sum."""
    return math.fsum(terms.tolist())


def running_roundings(count: int) -> int:
    """Return how many float64 roundings a running sum of `count` terms in `LONG` amounts to."""
    return 2 + math.ceil(2.0 * count * LONG_SHARE)
