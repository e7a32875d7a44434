"""The dedicated master: compiled kernels against numpy twins, and the descent they give."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from helpers import AGREE, IDENTITY, ROUNDING, gaussian, tied
from scipy.optimize import lsq_linear, nnls

from radontv.solvers import _face_kernels as kernels
from radontv.solvers._circle_kernels import ON_PLANE
from radontv.solvers.amplitudes import (
    _active_set,
    _coordinate_descent,
    nonnegative_quadratic,
    refit_amplitudes,
)
from radontv.solvers.core import Core, Neurons
from radontv.solvers.newton_master import NewtonMaster

PROBLEMS = {
    "d=1": gaussian(1, 20, 0.2),
    "d=2": gaussian(2, 30, 0.3),
    "d=3": gaussian(3, 40, 0.3),
    "grid": tied("grid", 40, 2, 0.2),
    "binary": tied("binary", 30, 3, 0.2),
}


@pytest.fixture(params=PROBLEMS)
def core(request: pytest.FixtureRequest) -> Core:
    return Core.of(PROBLEMS[request.param])


def through_points(core: Core, held: int, rng: np.random.Generator) -> np.ndarray:
    """Return a plane (w, b), |w| = 1, through `held` <= d random data points."""
    points = core.lifted[rng.choice(core.n, size=held, replace=False)]
    null = np.linalg.svd(points, full_matrices=True)[2][held:] if held else np.eye(core.d + 1)
    plane = rng.standard_normal(len(null)) @ null
    return plane / np.linalg.norm(plane[:-1])


def some_neurons(core: Core, count: int, seed: int) -> Neurons:
    rng = np.random.default_rng(seed)
    planes = np.array([through_points(core, k % (core.d + 1), rng) for k in range(count)])
    return Neurons(rng.choice([-1.0, 1.0], size=count), 0.1 + rng.random(count), planes)


def run_faces(core: Core, neurons: Neurons, q: np.ndarray) -> dict[str, np.ndarray]:
    K, p = neurons.planes.shape
    out = {
        "role": np.empty((K, core.n), dtype=np.int8),
        "basis": np.zeros((K, p, p)),
        "sizes": np.empty(K, dtype=np.int64),
        "slopes": np.empty((K, p)),
        "residual": np.empty(K),
    }
    kernels.faces(core.X, 1.0, q, core.alpha, neurons.sign, neurons.planes, *out.values())
    return out


def test_faces_choose_the_least_norm_slope(core: Core) -> None:
    neurons = some_neurons(core, 24, 0)
    q = core.state(neurons)[1]
    found = run_faces(core, neurons, q)
    margins = neurons.planes @ core.lifted.T
    for k in range(len(neurons)):
        on = np.abs(margins[k]) <= ON_PLANE
        above = margins[k] > ON_PLANE
        columns = -neurons.sign[k] * q[:, None] * core.lifted
        base = core.alpha * np.append(neurons.planes[k, :-1], 0.0) + columns[above].sum(axis=0)
        repulsive = on & (neurons.sign[k] * q > 0)
        # Least norm over theta in [0, 1] for the points that hold; the others take a side.
        best = np.inf
        moving = np.flatnonzero(repulsive)
        for sides in product([0.0, 1.0], repeat=len(moving)):
            g = base + np.array(sides) @ columns[moving]
            held = columns[on & ~repulsive]
            if len(held):
                theta = lsq_linear(held.T, -g, bounds=(0.0, 1.0), tol=1e-14).x
                g = g + theta @ held
            best = min(best, float(np.linalg.norm(g)))
        size = np.linalg.norm(base) + np.abs(columns[on]).sum()
        if len(moving) == 0:
            assert found["residual"][k] == pytest.approx(best, abs=1e-7 * size)
        else:
            assert found["residual"][k] >= best - 1e-7 * size
        # Points off the plane keep their side; the slope is that of the chosen sides.
        role = found["role"][k]
        assert (role[above] == kernels.ABOVE).all()
        assert (role[~above & ~on] == 0).all()
        expected = base + columns[on & (role == kernels.ABOVE)].sum(axis=0)
        np.testing.assert_allclose(found["slopes"][k], expected, atol=IDENTITY * size)


def test_face_bases_are_orthonormal_and_orthogonal_to_held_points(core: Core) -> None:
    neurons = some_neurons(core, 24, 1)
    found = run_faces(core, neurons, core.state(neurons)[1])
    for k in range(len(neurons)):
        B = found["basis"][k][:, : found["sizes"][k]]
        np.testing.assert_allclose(B.T @ B, np.eye(B.shape[1]), atol=IDENTITY)
        held = core.lifted[found["role"][k] == kernels.HELD]
        np.testing.assert_allclose(held @ B, 0.0, atol=1e-9)
        rank = np.linalg.matrix_rank(held, tol=1e-9) if len(held) else 0
        assert B.shape[1] == core.d + 1 - min(rank, core.d)
        # The neuron's own direction always stays in its face.
        np.testing.assert_allclose(B @ (B.T @ neurons.planes[k]), neurons.planes[k], atol=1e-9)


def test_model_columns_and_expand_equal_their_formulas(core: Core) -> None:
    neurons = some_neurons(core, 10, 2)
    found = run_faces(core, neurons, core.state(neurons)[1])
    offsets = np.concatenate([[0], np.cumsum(found["sizes"])])
    out = np.empty((offsets[-1], core.n))
    kernels.model_columns(
        core.X, 1.0, neurons.sign, found["role"], found["basis"], found["sizes"], offsets, out
    )
    coordinates = np.random.default_rng(0).standard_normal(offsets[-1])
    delta = np.empty(neurons.planes.shape)
    kernels.expand(found["basis"], found["sizes"], offsets, coordinates, delta)
    for k in range(len(neurons)):
        part = slice(offsets[k], offsets[k + 1])
        B = found["basis"][k][:, : found["sizes"][k]]
        active = found["role"][k] == kernels.ABOVE
        expected = neurons.sign[k] * (active[:, None] * core.lifted) @ B
        np.testing.assert_allclose(out[part], expected.T, atol=ROUNDING)
        np.testing.assert_allclose(delta[k], B @ coordinates[part], atol=ROUNDING)


def test_norm_terms_are_the_derivatives_of_the_norm(core: Core) -> None:
    neurons = some_neurons(core, 6, 3)
    found = run_faces(core, neurons, core.state(neurons)[1])
    offsets = np.concatenate([[0], np.cumsum(found["sizes"])])
    hessian, gradient = np.zeros((offsets[-1], offsets[-1])), np.empty(offsets[-1])
    kernels.norm_terms(
        core.alpha, neurons.amplitude, neurons.planes, found["slopes"], found["basis"],
        found["sizes"], offsets, 0.0, hessian, gradient,
    )  # fmt: skip
    step = 1e-4
    for k in range(len(neurons)):
        part = slice(offsets[k], offsets[k + 1])
        B = found["basis"][k][:, : found["sizes"][k]]
        np.testing.assert_allclose(gradient[part], B.T @ found["slopes"][k], atol=ROUNDING)
        u = neurons.amplitude[k] * neurons.planes[k, :-1]
        for a in range(B.shape[1]):
            e = step * neurons.amplitude[k] * B[:-1, a]
            norms = [np.linalg.norm(u + t * e) for t in (-1.0, 0.0, 1.0)]
            second = (norms[0] - 2 * norms[1] + norms[2]) / (step * neurons.amplitude[k]) ** 2
            # Second differences lose eight digits to rounding.
            assert hessian[part, part][a, a] == pytest.approx(core.alpha * second, abs=1e-5)


def naive_length(
    core: Core,
    q: np.ndarray,
    sign: float,
    amplitude: float,
    plane: np.ndarray,
    delta: np.ndarray,
    slope: float,
) -> tuple[float, int]:
    """Return the first kink in (0, 1) at which the own slope turns upwards, by sorting crossings.

    The twin of `kinks_ahead` for planes without points on them.
    """
    m, r = core.lifted @ plane, core.lifted @ delta
    with np.errstate(divide="ignore", invalid="ignore"):
        t = -m * amplitude / r
    crossed = np.flatnonzero((t > 0) & (t < 1))
    extra = 0.0
    for i in crossed[np.argsort(t[crossed])]:
        before = min(slope, 0.0) * (1 - t[i]) + extra
        rise = -sign * q[i] * abs(r[i])
        if rise > 0 and before + rise >= 0:
            return float(t[i]), int(i)
        extra = min(extra + rise, 0.0) if rise < 0 else extra + rise
    return 1.0, -1


def test_kinks_ahead_equal_sorted_crossings(core: Core) -> None:
    rng = np.random.default_rng(4)
    w = rng.standard_normal((200, core.d))
    w /= np.linalg.norm(w, axis=1, keepdims=True)
    planes = np.column_stack([w, 0.5 * rng.standard_normal(200)])
    neurons = Neurons(rng.choice([-1.0, 1.0], 200), 0.1 + rng.random(200), planes)
    q = core.s * core.without_affine(rng.standard_normal(core.n))
    role = np.where(planes @ core.lifted.T > 0, kernels.ABOVE, 0).astype(np.int8)
    delta = rng.standard_normal(planes.shape)
    slope = 0.1 * rng.standard_normal(200)
    length, blocker = np.empty(200), np.empty(200, dtype=np.int64)
    kernels.kinks_ahead(
        core.X, 1.0, q, neurons.sign, neurons.amplitude, planes, role, delta, slope, length, blocker
    )
    assert 0 < (blocker >= 0).sum() < 200
    for k in range(200):
        expected = naive_length(
            core, q, neurons.sign[k], neurons.amplitude[k], planes[k], delta[k], slope[k]
        )
        assert length[k] == pytest.approx(expected[0], rel=1e-9)
        assert blocker[k] == expected[1]


def test_snap_puts_held_points_on_their_planes(core: Core) -> None:
    rng = np.random.default_rng(5)
    planes = np.array([through_points(core, core.d, rng) for _ in range(8)])
    role = np.zeros((8, core.n), dtype=np.int8)
    on = np.abs(planes @ core.lifted.T) <= ON_PLANE
    role[on] = kernels.HELD
    role[:4][on[:4]] = kernels.WALL | kernels.WAS_ACTIVE
    moved = planes + 1e-7 * rng.standard_normal(planes.shape)
    alive = np.ones(8, dtype=bool)
    alive[-1] = False
    snapped = moved.copy()
    kernels.snap(core.X, 1.0, role, snapped, alive)
    margins = snapped @ core.lifted.T
    assert np.abs(margins[:-1][on[:-1]]).max() <= ON_PLANE
    np.testing.assert_allclose(np.linalg.norm(snapped[:-1, :-1], axis=1), 1.0, rtol=ROUNDING)
    # Nearest up to the normalisation, and left alone where not asked.
    assert np.abs(snapped - moved).max() <= 1e-5
    np.testing.assert_array_equal(snapped[-1], moved[-1])


@pytest.mark.parametrize("seed", range(4))
def test_the_objective_never_rises(core: Core, seed: int) -> None:
    neurons = some_neurons(core, 12, seed)
    value = core.state(neurons)[0]
    master = NewtonMaster(core)
    for _ in range(4):
        neurons = master.solve(neurons, 0.0, max_steps=1)
        lower = core.state(neurons)[0]
        assert lower <= value * (1 + ROUNDING)
        value = lower
        assert (neurons.amplitude > 0).all()
        np.testing.assert_allclose(
            np.linalg.norm(neurons.planes[:, :-1], axis=1), 1.0, rtol=IDENTITY
        )


def test_the_result_is_no_worse_than_the_program_over_the_cells_of_the_start(core: Core) -> None:
    from radontv.solvers.clarabel_master import ClarabelMaster

    for seed in range(3):
        rng = np.random.default_rng(seed)
        start = some_neurons(core, 6, seed)
        # General position: one cell each, the same for both masters.
        planes = start.planes + 0.01 * rng.standard_normal(start.planes.shape)
        planes /= np.linalg.norm(planes[:, :-1], axis=1, keepdims=True)
        start = refit_amplitudes(core, Neurons(start.sign, start.amplitude, planes))
        program = core.state(ClarabelMaster(core).solve(start, 0.0))[0]
        newton = core.state(NewtonMaster(core).solve(start, 0.0, max_steps=200))[0]
        assert program <= core.state(start)[0] * (1 + ROUNDING)
        assert newton <= program * (1 + AGREE)


def quadratic(rows: int, size: int, kind: str, seed: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    A = rng.standard_normal((rows, size))
    if kind == "duplicates":
        A = A[:, rng.integers(max(size // 3, 1), size=size)]
    elif kind == "nearly equal":
        A = A[:, :1] + 1e-5 * A
    elif kind == "scaled":
        A = A * 10.0 ** rng.integers(-4, 5, size=size)
    return A, rng.standard_normal(rows)


@pytest.mark.parametrize("kind", ["general", "duplicates", "nearly equal", "scaled"])
@pytest.mark.parametrize(("rows", "size"), [(5, 1), (30, 10), (20, 60)])
def test_nonnegative_quadratic_equals_nnls(kind: str, rows: int, size: int) -> None:
    for seed in range(5):
        A, b = quadratic(rows, size, kind, seed)
        x, residual = nnls(A, b, maxiter=100 * size)
        for start in (np.zeros(size), np.ones(size)):
            found = nonnegative_quadratic(A.T @ A, A.T @ b, start)
            assert (found >= 0).all()
            value = float(np.linalg.norm(A @ found - b))
            # The Gram matrix knows residuals to the square root of rounding only.
            assert value <= residual * (1 + AGREE) + AGREE * np.linalg.norm(b)
        assert (x >= 0).all()


@pytest.mark.parametrize("kind", ["general", "duplicates"])
def test_the_fallbacks_of_block_pivoting(kind: str) -> None:
    for seed in range(5):
        A, b = quadratic(30, 12, kind, seed)
        residual = nnls(A, b)[1]
        gram, linear = A.T @ A + 1e-12 * np.eye(12), A.T @ b
        active = _active_set(gram, linear, np.zeros(12))
        descent = np.zeros(12)
        _coordinate_descent(gram, linear, descent, 1e-12, 100000)
        for a in (active, descent):
            assert (a >= 0).all()
            assert np.linalg.norm(A @ a - b) <= residual * (1 + AGREE)


def test_refitted_amplitudes_satisfy_their_optimality_conditions(core: Core) -> None:
    neurons = some_neurons(core, 40, 6)
    fitted = refit_amplitudes(core, neurons)
    assert core.state(fitted)[0] <= core.state(neurons)[0]
    q = core.state(fitted)[1]
    np.testing.assert_allclose(fitted.sign * core.eta(q, fitted.planes), core.alpha, rtol=1e-7)
    assert (neurons.sign * core.eta(q, neurons.planes) <= core.alpha * (1 + 1e-7)).all()
