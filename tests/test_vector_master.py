"""The master with several outputs: kernels, derivatives, amplitudes, merging."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from helpers import IDENTITY, ROUNDING, tied_inputs
from vector_helpers import gaussian_outputs, outputs

from radontv.problems.multi_output import MultiOutputProblem
from radontv.problems.vector.multinomial_loss import MultinomialLoss
from radontv.solvers._face_kernels import ABOVE, HELD, faces, kinks_ahead
from radontv.solvers.vector._face_kernels import (
    active_moments,
    own_dual,
    tangents,
    vector_faces,
    vector_kinks_ahead,
)
from radontv.solvers.vector.amplitudes import _joint_gram, refit_vectors, weighted_columns
from radontv.solvers.vector.core import VectorCore, VectorNeurons
from radontv.solvers.vector.driver import solve_multi_output
from radontv.solvers.vector.group_lasso import (
    GroupQuadratic,
    _change,
    _coordinate_descent,
    group_lasso,
)
from radontv.solvers.vector.master import VectorMaster
from radontv.solvers.vector.merging import merge_vector_cells

SMOOTH = MultinomialLoss(label_smoothing=0.1)


def random_neurons(core: VectorCore, K: int, seed: int, *, anchored: bool = False) -> VectorNeurons:
    rng = np.random.default_rng(seed)
    w = rng.standard_normal((K, core.d))
    w /= np.linalg.norm(w, axis=1, keepdims=True)
    b = 0.3 * rng.standard_normal(K)
    if anchored:
        b = (w * core.inputs.X[rng.integers(core.n, size=K)]).sum(axis=1)
    U = rng.standard_normal((K, core.D))
    if not core.shared:
        U = np.sign(U) * (np.abs(U) == np.abs(U).max(axis=1, keepdims=True))
    U /= np.linalg.norm(U, axis=1, keepdims=True)
    return VectorNeurons(U, rng.uniform(0.2, 1.0, K), np.column_stack([w, b]))


# Kernels.


@pytest.mark.parametrize("kind", ["grid", "collinear", "random"])
def test_kernels_equal_the_scalar_ones_with_their_own_dual(kind: str) -> None:
    rng = np.random.default_rng(0)
    X = rng.standard_normal((20, 2)) if kind == "random" else tied_inputs(kind, 20, 2)
    core = VectorCore.of(MultiOutputProblem(X, outputs(X, 3), 0.01))
    neurons = random_neurons(core, 6, 1, anchored=True)
    X, Q = core.inputs.X, core.state(neurons).q
    U, planes, (K, p) = neurons.direction, neurons.planes, neurons.planes.shape

    def empty() -> list[Any]:
        return [
            np.empty((K, len(X)), dtype=np.int8),
            np.zeros((K, p, p)),
            np.empty(K, dtype=np.int64),
            np.empty((K, p)),
            np.empty(K),
        ]

    found, one = empty(), empty()
    vector_faces(X, Q, core.alpha, U, planes, *found)
    delta = rng.standard_normal((K, p))
    slope = -np.abs(rng.standard_normal(K))
    length, blocker = np.empty(K), np.empty(K, dtype=np.int64)
    ahead = X, Q, U, neurons.amplitude, planes, found[0], delta, slope, length, blocker
    vector_kinks_ahead(*ahead)
    held = 0
    for k in range(K):
        q, part = Q @ U[k], slice(k, k + 1)
        own = np.empty(len(X))
        own_dual(Q, U[k], own)
        np.testing.assert_allclose(own, q, atol=ROUNDING)
        arrays = [array[part] for array in one]
        faces(X, 1.0, q, core.alpha, np.ones(1), planes[part], *arrays)
        for array, expected in zip(found, one, strict=True):
            np.testing.assert_allclose(array[k], expected[k], atol=1e-12)
        held += int((found[0][k] == HELD).sum())
        far, stop = np.empty(1), np.empty(1, dtype=np.int64)
        amplitude = neurons.amplitude[part]
        kinks_ahead(
            X, 1.0, q, np.ones(1), amplitude, planes[part], found[0][part], delta[part],
            slope[part], far, stop,
        )  # fmt: skip
        assert length[k] == pytest.approx(far[0], rel=1e-12) and blocker[k] == stop[0]
    assert held > 0 or kind != "grid"
    moments = np.empty((K, 3, p))
    active_moments(X, Q, found[0], moments)
    lifted = np.column_stack([X, -np.ones(len(X))])
    for k in range(K):
        on = found[0][k] == ABOVE
        np.testing.assert_allclose(moments[k], Q[on].T @ lifted[on], atol=1e-13)


@pytest.mark.parametrize("D", [1, 2, 5])
def test_tangents_complete_the_direction_to_a_basis(D: int) -> None:
    U = np.concatenate([np.eye(D), -np.eye(D), np.random.default_rng(0).standard_normal((5, D))])
    U /= np.linalg.norm(U, axis=1, keepdims=True)
    T = np.empty((len(U), D, D - 1))
    tangents(U, T)
    for u, t in zip(U, T, strict=True):
        whole = np.column_stack([u, t])
        np.testing.assert_allclose(whole.T @ whole, np.eye(D), atol=1e-14)


# The Newton model.


@pytest.mark.parametrize("loss", ["squared", "huber", SMOOTH], ids=str)
@pytest.mark.parametrize("norm", ["l2", "l1"])
def test_the_gradient_is_that_of_the_objective(loss: Any, norm: str) -> None:
    problem = gaussian_outputs(2, 30, 3, loss=loss, output_norm=norm)
    core = VectorCore.of(problem)
    neurons = random_neurons(core, 4, 2)
    state = core.state(neurons)
    model = VectorMaster(core)._model(neurons, core.on_points(state.q), state.root)
    K, p = neurons.planes.shape
    count = model.turns.shape[2]
    assert len(model.gradient) == K * p + K * count

    def objective(step: np.ndarray) -> float:
        v = neurons.amplitude[:, None] * neurons.planes
        v = v + np.einsum("kpm,km->kp", model.basis, step[: K * p].reshape(K, p))
        turn = np.einsum("kcm,km->kc", model.turns, step[K * p :].reshape(K, count))
        U = neurons.direction + turn
        U /= np.linalg.norm(U, axis=1, keepdims=True)
        size = np.linalg.norm(v[:, :-1], axis=1)
        return core.state(VectorNeurons(U, size, v / size[:, None])).value

    h = 1e-6
    unit = np.eye(len(model.gradient))
    slopes = [(objective(h * e) - objective(-h * e)) / (2 * h) for e in unit]
    np.testing.assert_allclose(model.gradient, slopes, atol=1e-8)


@pytest.mark.parametrize("loss", ["squared", SMOOTH], ids=str)
def test_the_hessian_is_that_of_the_objective_at_an_optimum(loss: Any) -> None:
    # There no negative part is left out. Free neurons only: on faces derivatives are one-sided.
    problem = gaussian_outputs(2, 40, 3, 0.2, loss)
    core = VectorCore.of(problem)
    network = solve_multi_output(problem, tol=1e-12).network
    neurons = core.from_network(problem.reduction.lower_network(network))
    neurons = refit_vectors(core, neurons)
    state = core.state(neurons)
    master = VectorMaster(core)
    model = master._model(neurons, core.on_points(state.q), state.root)
    faces_end, count = int(model.offsets[-1]), model.turns.shape[2]

    def objective(step: np.ndarray) -> float:
        v = neurons.amplitude[:, None] * neurons.planes
        U = np.array(neurons.direction)
        for k in range(len(neurons)):
            own = step[model.offsets[k] : model.offsets[k + 1]]
            v[k] += model.basis[k][:, : model.sizes[k]] @ own
            turn = step[faces_end + k * count : faces_end + (k + 1) * count]
            U[k] += model.turns[k] @ turn
        U /= np.linalg.norm(U, axis=1, keepdims=True)
        size = np.linalg.norm(v[:, :-1], axis=1)
        return core.state(VectorNeurons(U, size, v / size[:, None])).value

    np.testing.assert_allclose(model.gradient, 0.0, atol=1e-7 * core.alpha)
    h, rng = 3e-5, np.random.default_rng(0)
    for _ in range(20):
        e = rng.standard_normal(len(model.gradient))
        bend = (objective(h * e) - 2 * objective(0 * e) + objective(-h * e)) / h**2
        assert e @ model.hessian @ e == pytest.approx(bend, rel=2e-4)


@pytest.mark.parametrize("norm", ["l2", "l1"])
@pytest.mark.parametrize("loss", ["squared", "huber", SMOOTH], ids=str)
def test_the_master_only_lowers_the_objective(norm: str, loss: Any) -> None:
    problem = gaussian_outputs(3, 50, 3, loss=loss, output_norm=norm)
    core = VectorCore.of(problem)
    neurons = refit_vectors(core, random_neurons(core, 12, 3))
    values = [core.state(neurons).value]
    for _ in range(4):
        neurons = VectorMaster(core).solve(neurons, 0.0, 3)
        values.append(core.state(neurons).value)
    assert (np.diff(values) <= 0.0).all() and values[-1] < 0.98 * values[0]
    np.testing.assert_allclose(np.linalg.norm(neurons.direction, axis=1), 1.0, atol=1e-14)
    np.testing.assert_allclose(np.linalg.norm(neurons.planes[:, :-1], axis=1), 1.0, atol=1e-12)


# Amplitudes.


def random_form(K: int, D: int, seed: int, *, joint: bool, repeat: bool = False) -> GroupQuadratic:
    rng = np.random.default_rng(seed)
    size = K * D if joint else K
    factor = rng.standard_normal((2 * size, size))
    if repeat:
        factor[:, 1::2] = factor[:, ::2][:, : factor[:, 1::2].shape[1]]
    gram = factor.T @ factor
    # In the range of the gram, or there is no minimiser.
    linear = (gram @ rng.standard_normal((size, K * D // size))).reshape(K, D)
    return GroupQuadratic(gram.reshape(K, D, K, D) if joint else gram, linear)


@pytest.mark.parametrize("joint", [False, True])
@pytest.mark.parametrize("repeat", [False, True])
@pytest.mark.parametrize(("K", "D"), [(1, 3), (8, 1), (20, 3), (40, 2)])
def test_group_lasso_meets_its_conditions(joint: bool, repeat: bool, K: int, D: int) -> None:
    form = random_form(K, D, K + D, joint=joint, repeat=repeat)
    for alpha in (0.01, 1.0, 6.0, 1e3):
        A = group_lasso(form, alpha, np.zeros((K, D)))
        eta = form.linear - form.apply(A)
        size = np.linalg.norm(A, axis=1)
        live = size > 0.0
        assert (np.linalg.norm(eta, axis=1) <= alpha * (1 + 1e-8)).all()
        pull = alpha * A[live] / size[live, None]
        np.testing.assert_allclose(eta[live], pull, atol=(1e-6 if repeat else 1e-9) * alpha)
        # From far away equal columns take many turns; solvers merge equal planes first.
        start = np.zeros((K, D)) if repeat else np.random.default_rng(0).standard_normal((K, D))
        start[0] = 1.0
        again = group_lasso(form, alpha, start)
        assert abs(_change(form, alpha, A, again - A)) <= 1e-9


def test_group_lasso_by_coordinate_descent_and_newton_agree() -> None:
    form = random_form(30, 4, 0, joint=False)
    A, B = group_lasso(form, 1.0, np.zeros((30, 4))), np.zeros((30, 4))
    _coordinate_descent(form.gram, form.linear, 1.0, B, 1e-20, 100_000)
    np.testing.assert_allclose(A, B, atol=1e-8)


def test_changes_are_computed_without_cancellation() -> None:
    form = random_form(5, 3, 1, joint=False)
    A = np.random.default_rng(2).standard_normal((5, 3))
    delta = 1e-9 * np.random.default_rng(3).standard_normal((5, 3))

    def value(B: np.ndarray) -> float:
        smooth = 0.5 * (B * form.apply(B)).sum() - (B * form.linear).sum()
        return float(smooth + np.linalg.norm(B, axis=1).sum())

    assert _change(form, 1.0, A, 1e6 * delta) == pytest.approx(
        value(A + 1e6 * delta) - value(A), rel=1e-8
    )
    slope = form.apply(A) - form.linear + A / np.linalg.norm(A, axis=1, keepdims=True)
    assert _change(form, 1.0, A, delta) == pytest.approx(float((slope * delta).sum()), rel=1e-6)


@pytest.mark.parametrize("loss", ["squared", "huber", "poisson", SMOOTH], ids=str)
@pytest.mark.parametrize("norm", ["l2", "l1"])
def test_refitted_amplitudes_are_stationary(loss: Any, norm: str) -> None:
    problem = gaussian_outputs(2, 40, 3, loss=loss, output_norm=norm)
    core = VectorCore.of(problem)
    given = random_neurons(core, 15, 4)
    fitted = refit_vectors(core, given)
    Q = core.state(fitted).q
    eta = core.eta(Q, fitted.planes)
    if norm == "l2":
        np.testing.assert_allclose(eta, core.alpha * fitted.direction, atol=1e-9 * core.alpha)
        everywhere = core.dual_norm(core.eta(Q, given.planes))
        assert (everywhere <= core.alpha * (1 + 1e-9)).all()
    else:
        own = (eta * fitted.direction).sum(axis=1)
        np.testing.assert_allclose(own, core.alpha, rtol=1e-9)
        all_own = (core.eta(Q, given.planes) * given.direction).sum(axis=1)
        assert (all_own <= core.alpha * (1 + 1e-9)).all()
    B = core.inputs.basis.columns
    np.testing.assert_allclose(B.T @ Q @ core.free, 0.0, atol=1e-12)


@pytest.mark.parametrize("loss", ["huber", "poisson", SMOOTH, "multinomial"], ids=str)
def test_gram_matrices_equal_those_of_all_columns(loss: Any) -> None:
    core = VectorCore.of(gaussian_outputs(2, 30, 3, loss=loss))
    neurons = random_neurons(core, 5, 7)
    root = core.state(neurons).root
    raw = core.columns(neurons.planes)
    outputs = np.tile(np.eye(core.D), (5, 1))
    own = weighted_columns(core, np.repeat(raw, core.D, axis=1), outputs, root)
    expected = own.T @ own
    found = _joint_gram(core, raw, root).reshape(expected.shape)
    np.testing.assert_allclose(found, expected, atol=1e-12 * np.abs(expected).max())


# Merging.


@pytest.mark.parametrize("norm", ["l2", "l1"])
def test_merging_one_direction_in_a_cell_is_exact(norm: str) -> None:
    core = VectorCore.of(gaussian_outputs(2, 30, 3, output_norm=norm))
    one = random_neurons(core, 3, 5)
    rng = np.random.default_rng(6)
    near = one.planes + 1e-7 * rng.standard_normal(one.planes.shape)
    near /= np.linalg.norm(near[:, :-1], axis=1, keepdims=True)
    # The second set faces the other way: up to affine functions it is the same.
    both = one.join(VectorNeurons(one.direction, 2.0 * one.amplitude, -near))
    merged = merge_vector_cells(core, both)
    assert len(merged) == 3
    fit = core.inputs.without_affine(core.ridge(both))
    np.testing.assert_allclose(core.inputs.without_affine(core.ridge(merged)), fit, atol=1e-13)
    assert merged.amplitude.sum() <= both.amplitude.sum() * (1 + ROUNDING)


def test_merging_close_directions_errs_by_the_square_of_their_angle() -> None:
    core = VectorCore.of(gaussian_outputs(2, 30, 3))
    one = random_neurons(core, 1, 5)
    errors = []
    for angle in (1e-2, 1e-3):
        T = np.empty((1, 3, 2))
        tangents(one.direction, T)
        u = one.direction * np.cos(angle) + T[:, :, 0] * np.sin(angle)
        both = one.join(VectorNeurons(u, one.amplitude, one.planes))
        merged = merge_vector_cells(core, both)
        assert len(merged) == 1
        errors.append(np.abs(core.ridge(merged) - core.ridge(both)).max())
    assert errors[1] <= 0.011 * errors[0] + IDENTITY
    apart = one.join(VectorNeurons(-one.direction, one.amplitude, one.planes))
    assert len(merge_vector_cells(core, apart)) == 2


def test_equal_and_antipodal_planes_are_refitted_as_one() -> None:
    core = VectorCore.of(gaussian_outputs(2, 30, 3))
    one = random_neurons(core, 5, 8)
    new = VectorNeurons(one.direction, 0.0 * one.amplitude, -one.planes)
    alone = refit_vectors(core, one)
    both = refit_vectors(core, one.join(one).join(new))
    assert len(both) == len(alone) <= 5
    assert core.state(both).value == pytest.approx(core.state(alone).value, rel=1e-12)
