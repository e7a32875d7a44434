"""Sorted sums of hinges equal the plain double sums."""

from __future__ import annotations

import numpy as np
import pytest
from helpers import IDENTITY

from radontv.problems import RidgeSpline
from radontv.problems.dual import eta
from radontv.problems.hinge_sums import MANY, hinge_sums, line_eta, line_network


@pytest.mark.parametrize("seed", range(5))
def test_hinge_sums(seed: int) -> None:
    rng = np.random.default_rng(seed)
    # Ties between points and knots, and among knots.
    points, knots = rng.integers(-5, 6, size=40) / 2, rng.integers(-5, 6, size=30) / 2
    for sizes in (rng.standard_normal(30), rng.standard_normal((30, 3))):
        plain = np.maximum(points[:, None] - knots, 0.0) @ sizes
        np.testing.assert_allclose(hinge_sums(points, sizes, knots), plain, atol=IDENTITY)
    assert not hinge_sums(points, np.zeros(0), np.zeros(0)).any()


def test_networks_and_dual_certificates_take_the_short_way_when_large() -> None:
    rng = np.random.default_rng(0)
    n, K = 2000, 150
    assert n * K > MANY
    x, q = rng.standard_normal(n), rng.standard_normal(n)
    weights, biases = np.where(rng.uniform(size=K) < 0.5, 1.0, -1.0), rng.standard_normal(K)
    amplitudes = rng.standard_normal(K)
    hidden = np.maximum(x[:, None] * weights - biases, 0.0)
    network = RidgeSpline(amplitudes, weights[:, None], biases, np.array([0.5]), 2.0)
    expected = hidden @ amplitudes
    np.testing.assert_allclose(network(x[:, None]), expected + 0.5 * x + 2.0, atol=IDENTITY)
    np.testing.assert_allclose(line_network(x, amplitudes, weights, biases), expected, atol=1e-9)
    np.testing.assert_allclose(line_eta(x, q, weights, biases), q @ hidden, atol=1e-9)
    np.testing.assert_allclose(eta(x[:, None], q, weights[:, None], biases), q @ hidden, atol=1e-9)
