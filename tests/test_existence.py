"""Problems without a minimiser are refused, all others are not; alpha_max at kinks."""

from __future__ import annotations

import numpy as np
import pytest

from radontv.problems import RadonTVProblem, losses
from radontv.problems.existence import certifies_separation, check_existence
from radontv.solvers import Status, path, prove, search_sup, solve
from radontv.solvers.alpha_max import bound_alpha_max
from radontv.solvers.kinked_alpha_max import kinked_alpha_max
from radontv.solvers.reference import solve_all_patterns

KINKED = (
    losses.AbsoluteLoss(),
    losses.QuantileLoss(0.3),
    losses.EpsilonInsensitiveLoss(0.5),
    losses.HingeLoss(),
)


def refused(X: np.ndarray, y: np.ndarray, loss: str = "logistic", **options: object) -> bool:
    """Return whether the problem is refused."""
    problem = RadonTVProblem(X, y, 0.1, loss=loss, **options)  # type: ignore[arg-type]
    try:
        check_existence(problem)
    except ValueError:
        return True
    return False


def column(*values: float) -> np.ndarray:
    return np.array(values, dtype=float)[:, None]


# -------------------------------------------------------------------------------- the logistic
SIGNS = np.array([-1.0, -1.0, -1.0, 1.0, 1.0, 1.0])


@pytest.mark.parametrize("overlap", [1e-1, 1e-4, 1e-8, 1e-10, 1e-12])
@pytest.mark.parametrize("scale", [1e-9, 1.0, 1e9])
def test_classes_that_overlap_ever_so_little_are_accepted(overlap: float, scale: float) -> None:
    X = scale * column(-2, -1, overlap, -overlap, 1, 2)
    assert not refused(X, SIGNS)
    assert not refused(np.column_stack([X, X, -2 * X]), SIGNS)


@pytest.mark.parametrize("margin", [1.0, 1e-4, 1e-8])
@pytest.mark.parametrize("scale", [1e-9, 1.0, 1e9])
def test_separable_classes_are_refused(margin: float, scale: float) -> None:
    assert refused(scale * column(-2, -1, -margin, margin, 1, 2), SIGNS)
    # On the boundary: no strict separation, but still no minimiser.
    assert refused(scale * column(-2, -1, 0, 0, 1, 2), SIGNS)
    assert refused(scale * column(0, 0, 1) + scale, np.array([1.0, -1.0, 1.0]))


def test_boundaries_decide_in_more_dimensions() -> None:
    rng = np.random.default_rng(0)
    X = rng.integers(-2, 3, size=(400, 3)).astype(float)
    side = X[:, 0] - X[:, 1]
    y = np.where(side > 0, 1.0, np.where(side < 0, -1.0, rng.choice([-1.0, 1.0], 400)))
    turn = np.linalg.qr(rng.standard_normal((3, 3)))[0]
    for other in (X, X / 3 + 0.1, 1e6 * X @ turn - 1e6):
        assert refused(other, y)
        broken = np.array(y)
        broken[np.flatnonzero(side == 1)[0]] = -1.0
        assert not refused(other, broken)
    near = X + 1e-7 * rng.standard_normal(X.shape)
    assert not refused(near, y)


def test_directions_count_only_if_they_can_be_made_exact() -> None:
    """A linear program returns theta to 1e-10: rows that should vanish are made to, or it fails."""
    rng = np.random.default_rng(3)
    theta = np.array([1.0, -2.0, 0.5, 3.0]) / np.linalg.norm([1.0, -2.0, 0.5, 3.0])
    C = rng.standard_normal((60, 4))
    C *= np.sign(C @ theta)[:, None]
    C[:20] -= np.outer(C[:20] @ theta, theta)
    flat = np.linalg.matrix_rank(C[:20])
    assert flat == 3
    C /= np.linalg.norm(C, axis=1, keepdims=True)
    for error in (0.0, 1e-14, 1e-11, 1e-9):
        assert certifies_separation(C, 7.0 * (theta + error * rng.standard_normal(4)))
    for offset in (-1e-3, -1e-9, -1e-12):
        wrong = np.array(C)
        wrong[5] += offset * theta
        assert not certifies_separation(wrong, theta)
    assert not certifies_separation(C[:20], theta) and not certifies_separation(C, np.zeros(4))


def test_one_class_one_row_and_removed_rows() -> None:
    assert refused(column(0, 1, 2), np.ones(3))
    assert refused(column(0, 0, 0), -np.ones(3))
    assert refused(np.zeros((1, 1)), np.ones(1))
    assert not refused(column(0, 0, 1, 1), np.array([1.0, -1, 1, -1]))
    y, X = np.array([1.0, -1.0, 1.0]), column(0, 1, 2)
    assert not refused(X, y)
    assert refused(X, y, sample_weight=np.array([1.0, 1.0, 0.0]))
    assert not refused(X, y, sample_weight=np.array([1.0, 1.0, 1e-9]))


@pytest.mark.parametrize("seed", range(40))
def test_no_random_problem_is_misjudged(seed: int) -> None:
    """By brute force over signs of lines through two points (general position, d = 2)."""
    rng = np.random.default_rng(seed)
    n = int(rng.integers(3, 9))
    X = rng.standard_normal((n, 2))
    y = np.where(X @ rng.standard_normal(2) + 0.5 * rng.standard_normal(n) > 0, 1.0, -1.0)
    angles = [
        np.arctan2(*(X[i] - X[j])) + turn + tilt
        for i in range(n)
        for j in range(i)
        for turn in (0.0, np.pi)
        for tilt in (-1e-7, 1e-7)
    ]
    directions = np.array([[np.cos(a), -np.sin(a)] for a in angles])
    values = X @ directions.T
    low = np.where(y[:, None] < 0, values, -np.inf).max(axis=0)
    high = np.where(y[:, None] > 0, values, np.inf).min(axis=0)
    assert refused(X, y) == bool((low < high).any())


def test_the_remedy_is_named_wherever_a_problem_is_used() -> None:
    X, y = column(-2, -1, 1, 2), np.array([-1.0, -1.0, 1.0, 1.0])
    problem = RadonTVProblem(X, y, 0.1, loss="logistic")
    message = r"LogisticLoss\(label_smoothing=0.01\) or loss='squared_hinge'"
    fine = RadonTVProblem(X, y, 0.1, loss=losses.LogisticLoss(0.01))
    network = solve(fine).network
    for use in (
        lambda: solve(problem),
        lambda: prove(problem, network),
        lambda: path(problem, 3),
        lambda: path(problem, [0.1]),
        lambda: problem.alpha_max(),
    ):
        with pytest.raises(ValueError, match=message):
            use()
    for loss in ("squared_hinge", "hinge", losses.LogisticLoss(0.01)):
        assert solve(RadonTVProblem(X, y, 0.1, loss=loss)).status.solved


def test_large_problems_are_judged() -> None:
    rng = np.random.default_rng(0)
    X = rng.standard_normal((10_000, 10)) * 10.0 ** rng.integers(-8, 8, 10)
    unit = X / X.std(axis=0)
    for noise, expected in ((0.5, False), (0.0, True)):
        y = np.where(unit @ np.ones(10) + noise * rng.standard_normal(10_000) > 0, 1.0, -1.0)
        assert refused(X, y) is expected


# --------------------------------------------------------------------------------------- counts
@pytest.mark.parametrize(
    ("counts", "expected"),
    [
        ([0, 0, 1, 2, 0, 0], False),
        ([0, 0, 1, 0, 0, 0], False),
        ([1, 0, 0, 0, 0, 0], True),
        ([1, 1, 0, 0, 0, 0], False),
        ([1, 0, 0, 0, 0, 1], False),
        ([0, 0, 0, 0, 0, 0], True),
        ([1, 1, 1, 1, 1, 1], False),
    ],
)
def test_counts_without_a_minimiser_are_refused(counts: list[int], expected: bool) -> None:
    y = np.array(counts, dtype=float)
    for X in (column(*range(6)), 1e8 * column(*range(6)) + 1e8, column(*range(6)) * [[1.0, -0.3]]):
        assert refused(X, y, "poisson") is expected
    problem = RadonTVProblem(column(*range(6)), y, 0.01, loss="poisson")
    if expected:
        with pytest.raises(ValueError, match=r"Add a small count to all targets \(y \+ 0.01\)"):
            solve(problem)
    else:
        assert solve(problem).certificate.relative_gap <= 1e-5


def test_counts_on_an_edge_of_a_grid_are_refused() -> None:
    grid = np.array([[i, j] for i in range(4) for j in range(4)], dtype=float)
    turn = np.array([[0.6, 0.8], [-0.8, 0.6]])
    for X in (grid, 1e7 * grid @ turn + 3e7):
        assert refused(X, (grid[:, 0] == 0).astype(float), "poisson")
        assert not refused(X, (grid[:, 0] == 1).astype(float), "poisson")


# ------------------------------------------------------------------------- alpha_max at kinks
@pytest.mark.parametrize("loss", KINKED, ids=lambda loss: loss.key)
@pytest.mark.parametrize("d", [1, 2])
@pytest.mark.parametrize("seed", range(4))
def test_affine_optima_begin_at_alpha_max_on_grids(loss: losses.Loss, d: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    X = rng.integers(0, 3, size=(8, d)).astype(float)
    y = rng.integers(0, 3, size=8).astype(float)
    if loss.name == "hinge":
        y = rng.choice([-1.0, 1.0], size=8)
    problem = RadonTVProblem(X, y, 1.0, loss=loss)
    affine = problem.objective(problem.affine_fit())
    largest = problem.alpha_max()
    # One multiplier bounds it above.
    assert largest <= problem.alpha_max(search_sup) * (1 + 1e-9) + 1e-12
    if largest < 1e-9:
        tiny = solve_all_patterns(problem.with_alpha(1e-3))[0]
        assert tiny == pytest.approx(affine, abs=1e-8)
        return
    above, below = problem.with_alpha(largest * (1 + 1e-6)), problem.with_alpha(0.999 * largest)
    assert solve_all_patterns(above)[0] == pytest.approx(affine, abs=1e-8)
    assert solve_all_patterns(below)[0] < affine - 1e-7 * max(affine, 1e-3)


@pytest.mark.parametrize("name", ["hinge", "absolute"])
def test_one_multiplier_is_not_enough(name: str) -> None:
    """p = (t, -1, 2 - 2 t, -1, t) with 1/2 <= t <= 1: sup |eta| = t / 5, at least 1/10."""
    y = np.array([1.0, -1.0, 1.0, -1.0, 1.0])
    problem = RadonTVProblem(column(0, 1, 2, 3, 4), y, 1.0, loss=name)
    assert kinked_alpha_max(problem) == pytest.approx(0.1, rel=1e-8)
    assert problem.alpha_max(search_sup) > 0.13


@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e6])
def test_alpha_max_at_kinks_scales_with_the_data(scale: float) -> None:
    rng = np.random.default_rng(1)
    X, y = rng.standard_normal((30, 3)), np.round(rng.standard_normal(30), 1)
    one = RadonTVProblem(X, y, 1.0, loss="absolute").alpha_max()
    inputs = RadonTVProblem(scale * X, y, 1.0, loss="absolute").alpha_max()
    assert inputs == pytest.approx(scale * one, rel=1e-6)
    targets = RadonTVProblem(X, scale * y, 1.0, loss="absolute").alpha_max()
    assert targets == pytest.approx(one, rel=1e-6)
    repeated = RadonTVProblem(np.tile(X, (2, 1)), np.tile(y, 2), 1.0, loss="absolute").alpha_max()
    assert repeated == pytest.approx(one, rel=1e-6)


def test_exactly_affine_targets_and_constraints() -> None:
    rng = np.random.default_rng(2)
    X = rng.standard_normal((30, 2))
    line = X @ np.array([2.0, -1.0]) + 7.0
    bent = line + np.abs(X[:, 0])
    for name in ("absolute", "quantile", "epsilon_insensitive", "interpolation", "tube"):
        assert RadonTVProblem(X, line, 1.0, loss=name).alpha_max() == 0.0
    width = 0.5 * float(np.abs(X[:, 0]).max())
    assert RadonTVProblem(X, bent, 1.0, loss="interpolation").alpha_max() == np.inf
    assert RadonTVProblem(X, bent, 1.0, loss=losses.TubeLoss(0.01)).alpha_max() == np.inf
    assert RadonTVProblem(X, bent, 1.0, loss=losses.TubeLoss(width)).alpha_max() == 0.0
    with pytest.raises(ValueError, match="does not depend on alpha"):
        path(RadonTVProblem(X, bent, 1.0, loss="interpolation"), 3)


# -------------------------------------------------------------- constraints that nothing can meet
BANDS = [losses.InterpolationLoss(), losses.TubeLoss(0.01)]


@pytest.mark.parametrize("loss", BANDS, ids=lambda loss: loss.name)
@pytest.mark.parametrize("skip", ["affine", "none"])
def test_values_on_a_ray_through_the_origin_are_linear_without_biases(
    loss: losses.Loss, skip: str
) -> None:
    rng = np.random.default_rng(0)
    rays = rng.standard_normal((3, 2))
    X = np.concatenate([rays, 2.0 * rays, -3.0 * rays])
    # |w.x| and c.x for a few w, and the constant that "affine" leaves free.
    w, a = rng.standard_normal((2, 5)), rng.standard_normal(5)
    y = np.abs(X @ w) @ a + X @ rng.standard_normal(2) + (0.7 if skip == "affine" else 0.0)
    options = {"loss": loss, "cost": "no_bias", "skip": skip}
    met = RadonTVProblem(X, y, 1.0, **options)  # type: ignore[arg-type]
    found = solve(met, scope="global", tol=1e-6)
    assert found.status is Status.SOLVED and np.isfinite(found.certificate.primal)
    wrong = RadonTVProblem(X, y + 0.1 * (np.arange(9) == 4), 1.0, **options)  # type: ignore[arg-type]
    for run in (solve, RadonTVProblem.alpha_max):
        with pytest.raises(ValueError, match="cannot be met: functions of neurons through"):
            run(wrong)


@pytest.mark.parametrize("loss", BANDS, ids=lambda loss: loss.name)
def test_measurements_that_contradict_one_another(loss: losses.Loss) -> None:
    X = np.array([[1.0], [2.0], [3.0], [3.0]])
    M = np.array([[0.5, 0.5, 0.0, 0.0], [0.0, 0.5, 0.5, 0.0], [0.5, 1.0, 0.0, 0.5]])
    fits = RadonTVProblem(X, np.array([1.0, 3.0, 4.0]), 1.0, loss=loss, measurements=M)
    assert solve(fits, scope="global").status is Status.SOLVED
    wrong = RadonTVProblem(X, np.array([1.0, 3.0, 4.1]), 1.0, loss=loss, measurements=M)
    with pytest.raises(ValueError, match="cannot be met: measurements contradict"):
        solve(wrong)


def test_the_tube_decides_whether_measurements_contradict() -> None:
    X, M = np.array([[1.0], [2.0]]), np.array([[0.5, 0.5], [0.5, 0.5]])
    for epsilon, met in ((0.049, False), (0.051, True)):
        problem = RadonTVProblem(
            X, np.array([1.0, 1.1]), 1.0, loss=losses.TubeLoss(epsilon), measurements=M
        )
        if met:
            check_existence(problem)
        else:
            with pytest.raises(ValueError, match=r"misses by 0\.05 somewhere"):
                check_existence(problem)


# ------------------------------------------------------------------ small residuals, large targets
@pytest.mark.parametrize("loss", KINKED[:3], ids=lambda loss: loss.name)
def test_the_best_affine_fit_of_nearly_affine_targets(loss: losses.Loss) -> None:
    x = np.linspace(0.0, 1.0, 8)[:, None]
    if isinstance(loss, losses.EpsilonInsensitiveLoss):
        loss = losses.EpsilonInsensitiveLoss(1e-7)
    bumps = 1e-6 * np.array([0.0, 1.0, 0.0, 2.0, 1.0, 0.0, 3.0, 0.0])
    problem = RadonTVProblem(x, 3.0 * x[:, 0] + 40.0 + bumps, 1.0, loss=loss)
    plain = RadonTVProblem(x, bumps, 1.0, loss=loss)
    best = plain.objective(plain.affine_fit())
    assert problem.objective(problem.affine_fit()) == pytest.approx(best, rel=1e-6)
    assert problem.alpha_max() == pytest.approx(plain.alpha_max(), rel=1e-6)
    low, high = bound_alpha_max(problem)
    assert low <= high and plain.alpha_max() <= high * (1.0 + 1e-6)


def test_bounds_of_alpha_max_with_constraints_are_its_value() -> None:
    x = np.linspace(0.0, 1.0, 5)[:, None]
    bent = RadonTVProblem(x, np.abs(x[:, 0] - 0.4), 1.0, loss="interpolation")
    assert bound_alpha_max(bent) == (np.inf, np.inf)
    assert bound_alpha_max(RadonTVProblem(x, 2.0 * x[:, 0], 1.0, loss="interpolation")) == (
        0.0,
        0.0,
    )
