"""Every loss against difference quotients, suprema on grids, brute-force proximal maps."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from helpers import IDENTITY, ROUNDING

from radontv.problems import RadonTVProblem, Scope, losses
from radontv.problems.exact_fit_losses import BandLoss
from radontv.problems.loss_base import BaseLoss
from radontv.solvers.line.interpolation import interpolate_line

ALL: list[BaseLoss] = [
    losses.SquaredLoss(),
    losses.HuberLoss(0.7),
    losses.AbsoluteLoss(),
    losses.QuantileLoss(0.3),
    losses.EpsilonInsensitiveLoss(0.4),
    losses.LogisticLoss(),
    losses.LogisticLoss(0.1),
    losses.HingeLoss(),
    losses.SquaredHingeLoss(),
    losses.PoissonLoss(),
    losses.InterpolationLoss(),
    losses.TubeLoss(0.4),
]
FINITE = [loss for loss in ALL if not isinstance(loss, BandLoss)]
KINKED = [loss for loss in ALL if not loss.smooth]
EVERY = pytest.mark.parametrize("loss", ALL, ids=lambda loss: loss.key)
EVERY_FINITE = pytest.mark.parametrize("loss", FINITE, ids=lambda loss: loss.key)
EVERY_KINKED = pytest.mark.parametrize("loss", KINKED, ids=lambda loss: loss.key)
# Central differences with step h err by h^2 l''' / 6 and rounding u / h.
STEP, QUOTIENT = 1e-5, 1e-6


def targets(loss: losses.Loss) -> np.ndarray:
    """Return some targets that the loss is defined for."""
    if loss.name in ("logistic", "hinge", "squared_hinge"):
        return np.array([-1.0, 1.0])
    if loss.name == "poisson":
        return np.array([0.0, 1.0, 2.5, 7.0])
    return np.array([-2.0, 0.0, 0.3, 1.5])


def pairs(loss: losses.Loss) -> tuple[np.ndarray, np.ndarray]:
    """Return targets and predictions, kinks among them."""
    z = np.array([-3.0, -1.0, -0.4, 0.0, 0.3, 0.7, 1.0, 1.9, 4.0])
    y, z = (axis.ravel() for axis in np.meshgrid(targets(loss), z))
    return y, z


def points(loss: losses.Loss, count: int = 41) -> tuple[np.ndarray, np.ndarray]:
    """Return targets and p in the domain of l*(y, -p), its ends and 0 among them."""
    y = targets(loss)
    low, high = loss.dual_interval(y)
    low, high = np.maximum(low, -6.0), np.minimum(high, 6.0)
    part = np.linspace(0.0, 1.0, count)[:, None]
    p = np.vstack([low + part * (high - low), 0.0 * y, high[None]])
    return np.broadcast_to(y, p.shape).ravel(), np.clip(p, low, high).ravel()


def near_kink(loss: losses.Loss, y: np.ndarray, z: np.ndarray) -> np.ndarray:
    """Return where the first or second derivative jumps within two steps."""
    jump = np.abs(loss.gradient(y, z + 2 * STEP) - loss.gradient(y, z - 2 * STEP)) > 100 * STEP
    bend = np.abs(loss.curvature(y, z + 2 * STEP) - loss.curvature(y, z - 2 * STEP)) > 0.01
    found: np.ndarray = jump | bend
    return found


# ------------------------------------------------------------------------------- derivatives
@EVERY_FINITE
def test_gradient_and_curvature_are_the_derivatives(loss: losses.Loss) -> None:
    y, z = pairs(loss)
    away = ~near_kink(loss, y, z)
    assert away.sum() > 8
    y, z = y[away], z[away]
    slope = (loss.value(y, z + STEP) - loss.value(y, z - STEP)) / (2 * STEP)
    np.testing.assert_allclose(loss.gradient(y, z), slope, rtol=QUOTIENT, atol=QUOTIENT)
    bend = (loss.gradient(y, z + STEP) - loss.gradient(y, z - STEP)) / (2 * STEP)
    np.testing.assert_allclose(loss.curvature(y, z), bend, rtol=QUOTIENT, atol=QUOTIENT)


@EVERY
def test_gradients_are_subgradients_everywhere_and_in_the_domain(loss: losses.Loss) -> None:
    y, z = pairs(loss)
    inside = np.isfinite(loss.value(y, z))
    y, z = y[inside], z[inside]
    slope = loss.gradient(y, z)
    for other in np.linspace(-5.0, 5.0, 101):
        linear = loss.value(y, z) + slope * (other - z)
        assert (loss.value(y, np.full_like(z, other)) >= linear - IDENTITY).all()
    low, high = loss.dual_interval(y)
    assert ((low <= -slope) & (-slope <= high)).all()


@EVERY_FINITE
def test_losses_are_nonnegative_convex_and_finite_far_out(loss: losses.Loss) -> None:
    y, z = pairs(loss)
    for scale in (1e-8, 1.0, 100.0):
        assert (loss.value(y, scale * z) >= 0.0).all()
        middle = loss.value(y, scale * (z + 1.0))
        ends = 0.5 * (loss.value(y, scale * z) + loss.value(y, scale * (z + 2.0)))
        assert (middle <= ends * (1 + ROUNDING) + ROUNDING).all()
    assert np.isfinite(loss.value(y, np.full_like(z, 600.0))).all()
    assert np.isfinite(loss.gradient(y, np.full_like(z, 1e4))).all()


@EVERY_FINITE
def test_smoothness_bounds_the_curvature(loss: losses.Loss) -> None:
    y, z = pairs(loss)
    assert (loss.curvature(y, z) <= loss.smoothness * (1 + ROUNDING)).all()


# ------------------------------------------------------------------------------- conjugates
@EVERY
def test_conjugate_is_the_supremum_on_a_grid(loss: losses.Loss) -> None:
    grid = np.linspace(-60.0, 60.0, 240001)
    if loss.name in ("interpolation", "tube"):
        grid = np.concatenate([[y - r, y, y + r] for y in targets(loss) for r in (0.0, 0.4)])
    y, p = points(loss, count=9)
    for target, slope in zip(y, p, strict=True):
        values = -slope * grid - loss.value(np.full_like(grid, target), grid)
        conjugate = float(loss.conjugate(np.array([target]), np.array([-slope]))[0])
        # The grid ends at 60, where exp(-60) is missing, and misses a maximiser by 2.5e-4 at most.
        assert values.max() <= conjugate + IDENTITY
        assert values.max() >= conjugate - 1e-6


@EVERY
def test_dual_interval_is_where_the_conjugate_is_finite(loss: losses.Loss) -> None:
    y = targets(loss)
    low, high = loss.dual_interval(y)
    assert ((low <= 0.0) & (high >= 0.0)).all()
    for end, sign in ((low, -1.0), (high, 1.0)):
        bounded = np.isfinite(end)
        assert np.isfinite(loss.conjugate(y, -np.where(bounded, end, sign * 1e6))).all()
        outside = loss.conjugate(y[bounded], -(end[bounded] + sign * 1e-9))
        assert np.isposinf(outside).all()


@EVERY_FINITE
def test_fenchel_equality_holds_at_the_gradient(loss: losses.Loss) -> None:
    y, z = pairs(loss)
    p = -loss.gradient(y, z)
    equality = loss.value(y, z) + loss.conjugate(y, -p) + p * z
    np.testing.assert_allclose(equality, 0.0, atol=1e-11)
    np.testing.assert_allclose(loss.fenchel_gap(y, z, p), 0.0, atol=ROUNDING)


@EVERY
def test_fenchel_gap_is_the_plain_formula_in_the_domain(loss: losses.Loss) -> None:
    y, p = points(loss)
    for z in (-2.0, -0.1, 0.0, 0.3, 0.7, 1.0, 3.0):
        at = np.full_like(y, z)
        value = loss.value(y, at)
        inside = np.isfinite(value)
        plain = value + loss.conjugate(y, -p) + p * at
        gap = loss.fenchel_gap(y, at, p)
        assert (gap >= 0.0).all()
        np.testing.assert_allclose(gap[inside], plain[inside], rtol=1e-11, atol=1e-11)
        assert np.isinf(gap[~inside]).all()


@EVERY
@pytest.mark.parametrize("radius", [1e-16, 1e-12, 1e-6, 1e-3, 0.1, 0.4, 3.0])
def test_fenchel_change_bounds_every_change(loss: losses.Loss, radius: float) -> None:
    rng = np.random.default_rng(0)
    y = np.repeat(targets(loss), 600)
    low, high = loss.dual_interval(y)
    low, high = np.maximum(low, -4.0), np.minimum(high, 4.0)
    part = rng.uniform(size=len(y)) ** rng.choice([1.0, 8.0, 60.0], size=len(y))
    p = np.where(
        rng.uniform(size=len(y)) < 0.5, low + part * (high - low), high - part * (high - low)
    )
    moved = np.clip(p + radius * rng.choice([-1.0, -0.3, 0.5, 1.0], size=len(y)), low, high)
    # What really moved: at 1e-16 most of it is lost in p itself.
    length = np.abs(moved - p)
    assert (length <= radius * (1 + 1e-3) + 1e-15).all()
    for z in (-20.0, -0.5, 0.0, 0.5, 20.0):
        at = np.full_like(y, z)
        change = np.abs(loss.conjugate(y, -moved) - loss.conjugate(y, -p) + (moved - p) * z)
        bound = loss.fenchel_change(y, at, p, length)
        ends = np.abs(loss.conjugate(y, -p)) + np.abs(loss.conjugate(y, -moved))
        size = ends + np.abs(p * z) + np.abs(moved * z) + 1.0 + 3.0 * np.abs(y)
        assert (change <= bound + 8 * np.finfo(float).eps * size).all()
        assert (loss.fenchel_change(y, at, p, np.full_like(y, radius)) >= 0.0).all()


@EVERY
@pytest.mark.parametrize("limit", [np.inf, 1.0, 0.05])
def test_dual_scale_maximises_the_dual_on_the_interval(loss: losses.Loss, limit: float) -> None:
    rng = np.random.default_rng(0)
    y = np.repeat(targets(loss), 3)
    s = rng.dirichlet(np.ones(len(y)))
    low, high = loss.dual_interval(y)
    low, high = np.maximum(low, -2.0), np.minimum(high, 2.0)
    for factor in (1.0, 0.4, 1e-150):
        p = factor * (low + rng.uniform(size=len(y)) * (high - low))
        t = loss.dual_scale(y, s * p, s, limit)

        def dual(scale: float, p: np.ndarray = p) -> float:
            return -float(s @ loss.conjugate(y, -scale * p))

        assert abs(t) <= limit
        assert np.isfinite(dual(t))
        reach = min(limit, 2.0)
        best = max(dual(u) for u in np.linspace(0.0, reach, 401))
        assert dual(t) >= best - 1e-9
    assert loss.dual_scale(y, np.zeros_like(y), s, limit) in (0.0, 1.0)


# ----------------------------------------------------------------------------- proximal maps
def best_move(loss: losses.Loss, y: float, v: float, mu: float) -> float:
    """Return argmin_u l(y, u) + (u - v)^2 / (2 mu), on grids that include the kinks."""
    steps = np.linspace(-1.0, 1.0, 20001)
    kinks = [y, y - 0.4, y + 0.4, 1.0, -1.0]
    best = v
    for level in range(4):
        centre, width = best, (3.0 + 4.0 * mu) * 1e-3**level
        grid = np.concatenate([centre + width * steps, kinks])
        cost = loss.value(np.full_like(grid, y), grid) + (grid - v) ** 2 / (2 * mu)
        best = float(grid[np.argmin(cost)])
    return best


@EVERY_KINKED
@pytest.mark.parametrize("mu", [0.05, 0.5, 3.0])
def test_multiplier_is_the_proximal_map_by_brute_force(loss: losses.Loss, mu: float) -> None:
    for y in targets(loss):
        for v in (-3.0, -0.6, 0.0, 0.2, 0.9, 1.2, 2.0):
            one = np.array([y])
            p = loss.multiplier(one, np.array([v]), mu)
            u = v + mu * float(p[0])
            assert abs(u - best_move(loss, float(y), v, mu)) < 1e-5
            low, high = loss.dual_interval(one)
            assert low[0] <= p[0] <= high[0]
            # An equation is met to rounding only.
            at = y if abs(u - y) < 1e-12 else u
            assert loss.fenchel_gap(one, np.array([at]), p)[0] < 1e-11
            # At a kink: u stays where it is if v moves a little.
            moved = loss.multiplier(one, np.array([v + 1e-6]), mu)
            stays = abs(v + 1e-6 + mu * float(moved[0]) - u) < 1e-9
            both = loss.at_kink(one, p)[0] and loss.at_kink(one, moved)[0]
            assert not both or stays
            if not loss.at_kink(one, p)[0] and not loss.at_kink(one, moved)[0]:
                assert abs(moved[0] - p[0]) < 1e-9


@pytest.mark.parametrize("mu", [0.05, 0.5, 3.0])
def test_huber_has_the_proximal_map_of_brute_force(mu: float) -> None:
    loss = losses.HuberLoss(0.4)
    for y in targets(loss):
        for v in (-3.0, -0.65, 0.05, 0.2, 0.95, 1.25, 2.0):
            one, at = np.array([y]), np.array([v])
            p = loss.multiplier(one, at, mu)
            assert abs(v + mu * float(p[0]) - best_move(loss, float(y), v, mu)) < 1e-5
            slope = (loss.multiplier(one, at - STEP, mu) - loss.multiplier(one, at + STEP, mu))[0]
            found = float(loss.multiplier_slope(one, p, mu)[0])
            assert abs(slope / (2.0 * STEP) - found) < QUOTIENT


SOFT = [x for x in ALL if x.smooth and not isinstance(x, losses.HuberLoss)]


@pytest.mark.parametrize("loss", SOFT, ids=lambda loss: loss.key)
def test_smooth_losses_have_no_proximal_map(loss: losses.Loss) -> None:
    one = np.ones(1)
    with pytest.raises(NotImplementedError, match="is smooth"):
        loss.multiplier(one, one, 1.0)
    with pytest.raises(NotImplementedError, match="is smooth"):
        loss.at_kink(one, one)


# ------------------------------------------------------------------------ names and refusals
@EVERY
def test_keys_equality_and_hashes_follow_the_parameters(loss: losses.Loss) -> None:
    assert losses.get_loss(loss) is loss
    same: losses.Loss = replace(loss)  # type: ignore[type-var]
    assert same == loss and hash(same) == hash(loss) and same.key == loss.key
    assert sum(other.key == loss.key for other in ALL) == 1
    assert sum(other == loss for other in ALL) == 1
    assert losses.get_loss(loss.name).key.startswith(loss.name)
    assert isinstance(loss, losses.Loss)


def test_unknown_losses_are_refused() -> None:
    with pytest.raises(ValueError, match="loss='l1' is unknown; choose one of"):
        losses.get_loss("l1")
    for wrong in (3, losses.HuberLoss):
        with pytest.raises(TypeError, match="loss must be one of"):
            losses.get_loss(wrong)  # type: ignore[arg-type]


@pytest.mark.parametrize("wrong", [0.0, -1.0, np.nan, np.inf, "a", None])
@pytest.mark.parametrize(
    ("kind", "name"),
    [
        (losses.HuberLoss, "delta"),
        (losses.QuantileLoss, "quantile"),
        (losses.EpsilonInsensitiveLoss, "epsilon"),
        (losses.TubeLoss, "epsilon"),
    ],
)
def test_parameters_out_of_range_are_refused(kind: type, name: str, wrong: object) -> None:
    with pytest.raises((ValueError, TypeError), match=name):
        kind(wrong)


@pytest.mark.parametrize("wrong", [-0.1, 0.5, 1.0, np.nan, np.inf])
def test_label_smoothing_out_of_range_is_refused(wrong: float) -> None:
    with pytest.raises(ValueError, match="label_smoothing must be in"):
        losses.LogisticLoss(wrong)


def test_quantiles_of_one_and_more_are_refused() -> None:
    with pytest.raises(ValueError, match=r"quantile must be in \(0, 1\)"):
        losses.QuantileLoss(1.0)


def test_no_lower_bound_profits_from_residuals_that_count_as_met() -> None:
    # Nearly affine targets: 1e-9 of their size is much of their kinks.
    x, zigzag = np.arange(6.0), np.array([-1.0, 1.0, -1.0, 1.0, -1.0, 1.0])
    y = 3.0 * x + 1e-6 * zigzag
    problem = RadonTVProblem(x[:, None], y, 1.0, loss="interpolation")
    dots = interpolate_line(x, y)
    other = interpolate_line(x, y + 6e-9 * zigzag).network()
    proof = problem.certificate(other, 1.0, Scope.GLOBAL, dual_point=dots.q)
    assert np.isfinite(proof.primal) and proof.primal > 1.005 * dots.rtv
    assert proof.dual <= dots.rtv * (1.0 + 1e-7)


@pytest.mark.parametrize("name", ["logistic", "hinge", "squared_hinge"])
def test_targets_other_than_minus_one_and_one_are_refused(name: str) -> None:
    X = np.arange(3.0)[:, None]
    with pytest.raises(ValueError, match=r"y\[1\] is 0, but .* needs targets -1 and 1 \(1 such"):
        RadonTVProblem(X, np.array([1.0, 0.0, -1.0]), 0.1, loss=name)
    # A row without weight is no row.
    RadonTVProblem(X, np.array([1.0, 0.0, -1.0]), 0.1, loss=name, sample_weight=np.array([1, 0, 1]))


def test_negative_counts_are_refused() -> None:
    with pytest.raises(ValueError, match=r"y\[2\] is -1, but loss='poisson' needs counts"):
        RadonTVProblem(np.arange(3.0)[:, None], np.array([1.0, 0.0, -1.0]), 0.1, loss="poisson")


def test_constraints_that_no_function_meets_are_refused() -> None:
    X, y = np.array([[0.0], [1.0], [0.0]]), np.array([0.0, 1.0, 0.5])
    with pytest.raises(ValueError, match=r"rows \[0, 2\] of X are equal, but their targets"):
        RadonTVProblem(X, y, 0.1, loss="interpolation")
    with pytest.raises(ValueError, match="cannot be met"):
        RadonTVProblem(X, y, 0.1, loss=losses.TubeLoss(0.2))
    RadonTVProblem(X, y, 0.1, loss=losses.TubeLoss(0.25))
    RadonTVProblem(X, y, 0.1, loss="interpolation", sample_weight=np.array([1.0, 1.0, 0.0]))


@EVERY
def test_resolution_is_what_errors_of_the_fit_can_do(loss: losses.Loss) -> None:
    s, error = np.full(2, 0.5), np.array([1e-9, 3e-9])
    assert loss.resolution(s, np.zeros(2)) == 0.0
    assert 0.0 <= loss.resolution(s, error) <= 2e-9
