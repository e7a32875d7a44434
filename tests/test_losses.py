"""Losses against difference quotients, conjugates on a grid, and Fenchel's equality."""

from __future__ import annotations

import numpy as np
import pytest
from helpers import IDENTITY, ROUNDING

from radontv.problems import losses

# Central differences with step h err by h^2 l''' / 6 (zero here) and rounding u / h.
STEP, QUOTIENT = 1e-4, 1e-8
Y, Z = (axis.ravel() for axis in np.meshgrid([-2.0, 0.0, 0.3, 5.0], [-3.0, 0.0, 0.7, 4.0]))


@pytest.fixture(params=sorted(losses.LOSSES))
def loss(request: pytest.FixtureRequest) -> losses.Loss:
    return losses.get_loss(request.param)


def test_gradient_and_curvature_are_the_derivatives(loss: losses.Loss) -> None:
    slope = (loss.value(Y, Z + STEP) - loss.value(Y, Z - STEP)) / (2 * STEP)
    np.testing.assert_allclose(loss.gradient(Y, Z), slope, atol=QUOTIENT * 100)
    bend = (loss.gradient(Y, Z + STEP) - loss.gradient(Y, Z - STEP)) / (2 * STEP)
    np.testing.assert_allclose(loss.curvature(Y, Z), bend, atol=QUOTIENT * 100)


def test_smoothness_bounds_the_curvature(loss: losses.Loss) -> None:
    assert (loss.curvature(Y, Z) <= loss.smoothness * (1 + ROUNDING)).all()


def test_conjugate_is_the_supremum_on_a_grid(loss: losses.Loss) -> None:
    grid, v = np.linspace(-30.0, 30.0, 60001), -loss.gradient(Y, Z)
    for target, slope in zip(Y, v, strict=True):
        values = slope * grid - loss.value(np.full_like(grid, target), grid)
        conjugate = float(loss.conjugate(np.array([target]), np.array([slope]))[0])
        # The grid misses the maximiser by at most 5e-4, its value by L / 2 of the square.
        assert values.max() <= conjugate + IDENTITY
        assert values.max() >= conjugate - 0.5 * loss.smoothness * 5e-4**2 - IDENTITY


def test_fenchel_equality_at_the_gradient_and_gap_elsewhere(loss: losses.Loss) -> None:
    p = -loss.gradient(Y, Z)
    equality = loss.value(Y, Z) + loss.conjugate(Y, -p) + p * Z
    np.testing.assert_allclose(equality, 0.0, atol=ROUNDING * 100)
    np.testing.assert_allclose(loss.fenchel_gap(Y, Z, p), 0.0, atol=ROUNDING)
    for t in (0.0, 0.3, 0.99, 1.0):
        naive = loss.value(Y, Z) + loss.conjugate(Y, -t * p) + t * p * Z
        gap = loss.fenchel_gap(Y, Z, t * p)
        assert (gap >= 0.0).all()
        np.testing.assert_allclose(gap, naive, atol=ROUNDING * 100)


@pytest.mark.parametrize("limit", [np.inf, 1.0, 0.05])
def test_dual_scale_maximises_the_dual_on_the_interval(loss: losses.Loss, limit: float) -> None:
    rng = np.random.default_rng(0)
    y, s = rng.standard_normal(9), np.full(9, 1 / 9)
    for q in (s * rng.standard_normal(9), 1e-200 * rng.standard_normal(9), np.zeros(9)):
        t = loss.dual_scale(y, q, s, limit)
        assert abs(t) <= max(limit, 1.0) or limit == np.inf

        def dual(scale: float, q: np.ndarray = q) -> float:
            return -float(s @ loss.conjugate(y, -scale * q / s))

        if q.any():
            assert abs(t) <= limit
            reach = limit if np.isfinite(limit) else 10 * abs(t)
            others = [dual(u) for u in np.linspace(-reach, reach, 201)]
            assert dual(t) >= max(others) - ROUNDING


def test_resolution_is_what_errors_of_the_fit_can_do(loss: losses.Loss) -> None:
    y, s = np.array([1e8, 3.0, -1e8]), np.full(3, 1 / 3)
    rounded = np.nextafter(y, np.inf)
    resolution = loss.resolution(s, np.spacing(np.abs(y)))
    assert float(s @ loss.value(y, rounded)) <= resolution * (1 + ROUNDING)
    assert resolution <= 1e-12
    assert loss.resolution(s, np.zeros(3)) == 0.0


def test_losses_are_found_by_name_equal_by_type_and_hashable(loss: losses.Loss) -> None:
    assert losses.get_loss(loss) is loss
    assert losses.get_loss(loss.name) == loss
    assert len({losses.get_loss(loss.name), loss}) == 1


def test_unknown_losses_are_refused() -> None:
    with pytest.raises(ValueError, match="loss='absolute' is unknown; choose one of"):
        losses.get_loss("absolute")
    with pytest.raises(TypeError, match="loss must be one of"):
        losses.get_loss(3)  # type: ignore[arg-type]
