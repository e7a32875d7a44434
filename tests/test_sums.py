"""Exact sums, and what running sums in extended precision are worth."""

from __future__ import annotations

import math

import numpy as np

from radontv.problems.sums import LONG, LONG_SHARE, exact_sum, running_roundings


def test_exact_sums_do_not_lose_small_terms() -> None:
    terms = np.array([1e16, 1.0, -1e16, 1.0])
    assert exact_sum(terms) == 2.0
    assert exact_sum(np.zeros(0)) == 0.0


def test_running_sums_err_by_less_than_their_count() -> None:
    rng = np.random.default_rng(0)
    terms = rng.standard_normal(200_000)
    found = np.cumsum(terms, dtype=LONG).astype(np.float64)
    size = float(np.abs(terms).sum())
    for stop in (10, 1000, 200_000):
        error = abs(found[stop - 1] - math.fsum(terms[:stop].tolist()))
        assert error <= running_roundings(stop) * 2.0**-53 * size
    assert 0.0 < LONG_SHARE <= 1.0
    assert running_roundings(10**6) <= 2 * 10**6 + 3
