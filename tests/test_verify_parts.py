"""The parts of a check, each against brute force: losses, null spaces, dual values, suprema."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from helpers import targets, tied_inputs
from power_cases import random_spline
from scipy.optimize import minimize_scalar
from scipy.special import softmax
from vector_helpers import random_outputs, sampled_norm

from radontv.problems import HigherOrderProblem, MultiOutputProblem, RadonTVProblem, losses
from radontv.problems.vector.losses import SumOfOutputs
from radontv.problems.vector.multinomial_loss import MultinomialLoss
from radontv.solvers.verification.boxes import Anchor, Target, bound_anchor
from radontv.solvers.verification.choice import kind_of
from radontv.solvers.verification.losses import formula_of
from radontv.solvers.verification.networks import Network
from radontv.solvers.verification.null_space import NullSpace, nearby, nearby_tied
from radontv.solvers.verification.sup import Search, prove_sup
from radontv.solvers.verification.sup_origin import prove_sup_origin
from radontv.solvers.verification.sup_outputs import prove_sup_outputs
from radontv.solvers.verification.sup_powers import prove_sup_powers
from radontv.solvers.verification.values import DualPoint

LOSSES: dict[str, Any] = {
    "squared": losses.SquaredLoss(),
    "huber": losses.HuberLoss(0.4),
    "absolute": losses.AbsoluteLoss(),
    "quantile": losses.QuantileLoss(0.7),
    "epsilon_insensitive": losses.EpsilonInsensitiveLoss(0.3),
    "logistic": losses.LogisticLoss(),
    "smoothed": losses.LogisticLoss(0.2),
    "hinge": losses.HingeLoss(),
    "squared_hinge": losses.SquaredHingeLoss(),
    "poisson": losses.PoissonLoss(),
    "tube": losses.TubeLoss(0.3),
}


def targets_for(name: str) -> np.ndarray:
    if name in ("logistic", "smoothed", "hinge", "squared_hinge"):
        return np.array([-1.0, 1.0])
    return np.array([0.0, 1.0, 3.0]) if name == "poisson" else np.array([-0.7, 0.0, 1.3])


@pytest.mark.parametrize("name", LOSSES)
def test_values_are_those_of_the_loss_and_psi_is_their_conjugate(name: str) -> None:
    loss, formula = LOSSES[name], formula_of(LOSSES[name])
    z = np.linspace(-3.0, 3.0, 61)
    for y in targets_for(name):
        given = np.full_like(z, y)
        np.testing.assert_allclose(formula.value(given, z)[0], loss.value(given, z), atol=1e-14)
        low, high = (float(end[0]) for end in formula.ends(given))
        for share in (0.02, 0.3, 0.5, 0.9):
            p = max(low, -2.0) + share * (min(high, 2.0) - max(low, -2.0))

            def lagrangian(at: float, y: float = y, p: float = p) -> float:
                value = float(formula.value(np.array([y]), np.array([at]))[0][0])
                return min(value, 1e6) + p * at

            found = min(
                (
                    minimize_scalar(
                        lagrangian, bounds=b, method="bounded", options={"xatol": 1e-11}
                    )
                ).fun
                for b in ((-30.0, y), (y, 30.0), (y - 0.3, y + 0.3))
            )
            psi, size = formula.dual(np.array([y]), np.array([p]))
            assert psi[0] == pytest.approx(found, abs=1e-7)
            assert abs(psi[0]) <= size[0] * (1 + 1e-12)
        outside = [end + side for end, side in ((low, -0.1), (high, 0.1)) if math.isfinite(end)]
        for p in outside:
            assert loss.conjugate(np.array([y]), np.array([-p]))[0] == math.inf


def test_values_of_classes() -> None:
    rng = np.random.default_rng(0)
    loss, formula = MultinomialLoss(0.1), formula_of(MultinomialLoss(0.1))
    T = loss.encode(rng.integers(0, 4, size=9).astype(float), np.ones(9, dtype=bool))
    Z = 3.0 * rng.standard_normal(T.shape) + 100.0
    np.testing.assert_allclose(formula.value(T, Z)[0], loss.value(T, Z), rtol=1e-12)
    # Fenchel's inequality is an equality at p = t - softmax(z).
    P = T - softmax(Z, axis=1)
    psi = formula.dual(T, P)[0].sum(axis=1)
    np.testing.assert_allclose(psi, loss.value(T, Z) + (P * Z).sum(axis=1), atol=1e-12)
    assert formula_of(SumOfOutputs(losses.HuberLoss(0.5))).ends(T)[1].max() == 0.5


@pytest.mark.parametrize("name", ["squared", "huber", "absolute", "hinge", "poisson", "smoothed"])
def test_a_dual_value_is_below_that_of_all_points_nearby(name: str) -> None:
    rng = np.random.default_rng(1)
    formula = formula_of(LOSSES[name])
    y = rng.choice(targets_for(name), size=12)
    low, high = formula.ends(y)
    p = rng.uniform(np.maximum(low, -1.0), np.minimum(high, 1.0))
    p[:3] = np.where(np.isfinite(high[:3]), high[:3], p[:3])
    s, reach = np.full(12, 1.0 / 12), 10.0 ** rng.uniform(-12, -3, size=12)
    reach[:6] = 0.0
    zero = np.zeros(12)
    dual = DualPoint(formula, y, s, s * p, reach, zero, zero)
    for limit in (0.5, 0.999, 1.0, 3.0):
        bound, lost = dual.value(limit)
        assert lost >= 0.0
        for sign in (-1.0, 1.0, rng.choice([-1.0, 1.0], size=12)):
            best = -math.inf
            moved = p + sign * reach
            moved = np.where(moved == 0.0, 1.0, moved)
            ends = np.concatenate([low / moved, high / moved])
            ends = ends[np.isfinite(ends)] * (1 - 1e-9)
            for t in (*np.linspace(-limit, limit, 4001), 1.0, *ends):
                moved = t * (p + sign * reach)
                if ((moved >= low) & (moved <= high)).all() and abs(t) <= limit:
                    best = max(best, float(s @ formula.dual(y, moved)[0]))
            assert bound <= best + 1e-6 * abs(best)
            assert bound >= best - 1e-2 * abs(best)
    far = DualPoint(formula, y, s, s * p, np.full(12, math.inf), zero, zero)
    assert far.value(1.0)[0] == pytest.approx(float(s @ formula.dual(y, zero)[0]), abs=1e-13)


@pytest.mark.parametrize("movable", ["all", "some", "few"])
def test_a_vector_nearby_is_in_the_null_space(movable: str) -> None:
    rng = np.random.default_rng(2)
    X, s = rng.standard_normal((14, 2)), rng.uniform(0.5, 1.5, size=14) / 14
    A = np.column_stack([np.ones(14), X])

    def basis(mask: np.ndarray) -> NullSpace:
        return NullSpace.of_columns(A[mask], np.zeros_like(A[mask]), s[mask])

    p = rng.uniform(-0.9, 0.9, size=14)
    count = {"all": 0, "some": 7, "few": 13}[movable]
    p[:count] = 1.0
    if movable == "few":
        p[5:9] = 0.0
    q = s * p
    free = p != 0.0
    q[free] -= A[free] @ np.linalg.lstsq(A[free].T @ A[free], A[free].T @ q[free], rcond=None)[0]
    q += 1e-9 * s * rng.standard_normal(14) * free
    q[:count] = np.where(p[:count] == 1.0, s[:count], 0.0) if movable == "some" else q[:count]
    low, high = np.full(14, -1.0), np.full(14, 1.0)
    low[5:9] = 0.0 if movable == "few" else -1.0
    inner = (q / s > low + 1e-9) & (q / s < high - 1e-9)
    reach = nearby(basis, q, s, low, high)
    used = inner if movable != "few" else free
    assert (reach[~used] == 0.0).all()
    # The least such vector, in the norm of the weights, is no larger.
    root = np.sqrt(s[used])
    e = root * np.linalg.lstsq(A[used].T * root, A.T @ q, rcond=None)[0]
    assert np.abs(A[used].T @ e - A.T @ q).max() <= 1e-14
    assert (np.abs(e) <= s[used] * reach[used] * (1 + 1e-9) + 1e-17).all()


def test_a_tied_vector_nearby_keeps_rows_of_sum_zero() -> None:
    rng = np.random.default_rng(3)
    n, C = 15, 3
    s, A = np.full(n, 1.0 / n), np.column_stack([np.ones(n), rng.standard_normal((n, 2))])
    free = NullSpace.of_columns(A, np.zeros_like(A), s)
    pi = softmax(3.0 * rng.standard_normal((n, C)), axis=1)
    T = np.eye(C)[rng.integers(0, C, size=n)]
    Q = s[:, None] * (T - pi)
    B = free.B
    blocks = np.einsum("ic,cd->icd", pi, np.eye(C)) - np.einsum("ic,id->icd", pi, pi)
    K = np.einsum("i,ir,iab,iq->raqb", s, B, blocks, B).reshape(3 * C, 3 * C)
    Lam = np.linalg.lstsq(K, (B.T @ Q).ravel(), rcond=1e-10)[0].reshape(3, C)
    e = s[:, None] * np.einsum("icb,ib->ic", blocks, B @ Lam)
    assert np.abs(A.T @ (Q - e)).max() <= 1e-14
    reach = nearby_tied(free, Q, s, np.maximum(T - Q / s[:, None], 0.0))
    assert (np.abs(e) <= s[:, None] * reach).all()
    moved = Q.copy()
    moved[4, 1] += 1e-4
    lost = nearby_tied(free, moved, s, np.maximum(T - moved / s[:, None], 0.0))
    # What a row lacks to sum 0 has to be moved in that row.
    assert s[4] * lost[4].max() >= 1e-4


# --- boxes ---------------------------------------------------------------------------------


@pytest.mark.parametrize("by_sum", [False, True])
@pytest.mark.parametrize("half", [1e-3, 0.05, 0.5])
def test_no_direction_of_a_box_exceeds_its_bound(half: float, by_sum: bool) -> None:
    rng = np.random.default_rng(4)
    d, n = 3, 5
    for case in range(80):
        middle = rng.uniform(-1.0 + half, 1.0 - half, size=d)
        middle[:2] *= rng.random(2) < 0.8
        middle[2], halves = 1.0, np.array([half, half, 0.0])
        Z = np.cross(rng.standard_normal((n, d)), middle)
        Z += np.where(rng.random((n, 1)) < 0.7, 0.3 * half, 1.0) * rng.standard_normal((n, d))
        c = rng.standard_normal(n)
        linear = rng.standard_normal(d) * (case % 2)
        steps = np.array([[i, j, 0.0] for i in (-1, 0, 1) for j in (-1, 0, 1)])
        steps = np.vstack([steps, rng.uniform(-1.0, 1.0, size=(200, d))])
        u = middle + steps * halves
        length = np.linalg.norm(u, ord=1 if by_sum else 2, axis=1)
        reached = float(((np.abs(u @ Z.T) @ c + u @ linear) / length).max())
        anchor = Anchor(Z, c, np.linalg.norm(Z, axis=1), linear, by_sum)
        for level in (1e-3, 0.5 * abs(reached), 0.99 * abs(reached), 1.01 * abs(reached)):
            start = np.array([math.inf])
            bounds = anchor.bound_boxes(middle[None], halves[None], start, level)[0]
            assert reached <= bounds[0] * (1 + 1e-12) + 1e-13


@pytest.mark.parametrize("by_sum", [False, True])
def test_any_slopes_give_a_bound(by_sum: bool) -> None:
    rng = np.random.default_rng(5)
    for case in range(100):
        middle, half = rng.uniform(-0.5, 0.5, size=(1, 3)), 0.02 * rng.random((1, 3))
        middle[0, 2], half[0, 2], level = 1.0, 0.0, 10.0 ** rng.uniform(-3, 0)
        Z, c, linear = rng.standard_normal((4, 3)), rng.standard_normal(4), rng.standard_normal(3)
        plain = Anchor(Z, c, np.linalg.norm(Z, axis=1), linear * (case % 2), by_sum)
        anchor = plain.priced(level) if by_sum else plain
        t, r = middle @ anchor.Z.T, half @ np.abs(anchor.Z).T
        slopes = np.where(np.abs(t) < r, rng.uniform(-1.0, 1.0, size=t.shape), np.sign(t))
        nearest = plain.length(np.maximum(np.abs(middle) - half, 0.0))
        bound = anchor.bounds_at_vertices(middle, half, slopes, nearest, level)[0]
        steps = rng.uniform(-1.0, 1.0, size=(300, 3)).round(case % 3 // 2)
        u = middle + steps * half
        values = (np.abs(u @ Z.T) @ c + u @ plain.linear) / plain.length(u)
        assert values.max() <= bound * (1 + 1e-12)


def test_maxima_that_fill_an_edge_of_a_cell() -> None:
    # |u_1 + u_2| / 2 - |u_1 - u_2| / 2 is min(|u_1|, |u_2|) or less: 1/2 at one point.
    Z, c = np.array([[1.0, 1.0, 0.0], [1.0, -1.0, 0.0]]), np.array([0.5, -0.5])
    proof = bound_anchor(Z, c, Target(0.5 * (1 + 1e-10), 0.0), lambda: False, by_sum=True)
    assert proof.bound <= 0.5 * (1 + 2e-10)
    assert 0.5 <= proof.bound
    # |u_1| + |u_2| - |u_3| is 1 on the whole edge u_3 = 0 of the octahedron.
    Z, c = np.eye(3), np.array([1.0, 1.0, -1.0])
    proof = bound_anchor(Z, c, Target(1.0 + 1e-10, 0.0), lambda: False, by_sum=True)
    assert proof.bound <= 1.0 + 2e-10
    assert proof.n_boxes < 1000


# --- suprema -------------------------------------------------------------------------------


def sphere(count: int, d: int, seed: int = 0) -> np.ndarray:
    W = np.random.default_rng(seed).standard_normal((count, d))
    return np.asarray(W / np.linalg.norm(W, axis=1, keepdims=True))


@pytest.mark.parametrize("kind", ["gaussian", "grid", "duplicates", "flat", "collinear"])
@pytest.mark.parametrize("cost", ["penalized_bias", "no_bias", "l1_norm"])
@pytest.mark.parametrize("skip", ["affine", "none"])
def test_suprema_of_costs_are_those_of_samples_and_attained(
    kind: str, cost: str, skip: str
) -> None:
    if cost == "l1_norm" and skip == "none":
        pytest.skip("not a problem")
    X = np.random.default_rng(0).standard_normal((14, 2))
    X = X if kind == "gaussian" else tied_inputs(kind, 14, 2)
    y = targets(X, np.random.default_rng(1))
    problem = RadonTVProblem(X, y, 1.0, cost=cost, skip=skip)
    q = problem.dual_point(problem.affine_fit())
    kind_here = kind_of(problem)
    proof = kind_here.sup(kind_here.dual_point(q), Search(0.0))
    assert proof is not None
    W = sphere(4000, 2)
    at = (X @ W.T).T
    best = 0.0
    for w, t in zip(W, at, strict=True):
        for b in (0.0,) if cost == "no_bias" else (*t, 0.0, -1e9):
            price = float(problem.cost.of(w[None], np.array([b]))[0])
            best = max(best, abs(float(q @ np.maximum(t - b, 0.0))) / price)
    # With no affine part a constant has a price too; it is the limit b -> -infinity above.
    assert best <= proof.bound * (1 + 1e-7)
    assert proof.bound <= 1.03 * max(best, proof.attained)
    assert proof.attained <= proof.bound
    assert proof.bound <= proof.attained * (1 + 1e-5) + proof.margin


@pytest.mark.parametrize("d", [1, 2])
@pytest.mark.parametrize("kind", ["gaussian", "grid", "duplicates", "collinear"])
def test_suprema_of_outputs(d: int, kind: str) -> None:
    X = np.random.default_rng(0).standard_normal((20, d))
    X = X if kind == "gaussian" else tied_inputs(kind, 20, d)
    Y = np.random.default_rng(5).standard_normal((20, 3))
    problem = MultiOutputProblem(X, Y, 1.0)
    Q = problem.dual_point(random_outputs(d, 3, 3, 0))
    proof = prove_sup_outputs(kind_of(problem).rows, Q, 0.0)
    assert proof is not None
    best = sampled_norm(problem, Q, 3000)
    assert best <= proof.bound * (1 + 1e-12)
    assert proof.bound <= best * (1 + 1e-3)
    assert proof.bound <= proof.attained * (1 + 1e-10)
    at = problem.eta(Q, proof.weight[None], np.array([proof.bias]))
    assert np.linalg.norm(at) == pytest.approx(proof.attained, rel=1e-10)
    solid = MultiOutputProblem(np.random.default_rng(0).standard_normal((20, 3)), Y, 1.0)
    assert prove_sup_outputs(kind_of(solid).rows, Q, 0.0) is None


@pytest.mark.parametrize("order", [2, 3, 4])
@pytest.mark.parametrize("kind", ["gaussian", "grid", "line in the plane"])
def test_suprema_of_powers(order: int, kind: str) -> None:
    x = np.random.default_rng(6).standard_normal(25)
    x = np.round(2.0 * x) if kind == "grid" else x
    X = x[:, None] if kind != "line in the plane" else np.column_stack([0.6 * x + 1, 0.8 * x - 2])
    y = np.sin(3.0 * x) + 0.1 * np.arange(25.0) % 3
    problem = HigherOrderProblem(X, y, 1.0, order=order)
    q = problem.dual_point(problem.polynomial_fit())
    proof = prove_sup_powers(kind_of(problem).rows, q, 0.0, order - 1)
    assert proof is not None
    b = np.append(np.linspace(x.min(), x.max(), 20001), x)
    power = np.maximum(x[:, None] - b, 0.0) ** (order - 1) / math.factorial(order - 1)
    best = float(np.abs(q @ power).max())
    assert best <= proof.bound * (1 + 1e-12)
    assert proof.bound <= best * (1 + 1e-6) + proof.margin
    at = problem.eta(q, proof.weight[None], np.array([proof.bias]))[0]
    assert abs(at) == pytest.approx(proof.attained, rel=1e-9)
    plane = HigherOrderProblem(sphere(25, 2), y, 1.0, order=order)
    assert prove_sup_powers(kind_of(plane).rows, q, 0.0, order - 1) is None


def test_what_moves_a_dual_point_is_added_to_the_bounds() -> None:
    X = np.random.default_rng(0).standard_normal((12, 2))
    problem = RadonTVProblem(X, targets(X, np.random.default_rng(1)), 1.0)
    q, rows = problem.dual_point(problem.affine_fit()), kind_of(problem).rows
    R = float(np.linalg.norm(rows.X, axis=1).max())
    search = Search(0.0)
    exact = prove_sup(rows, q, 0.0, 0.0, search).bound
    assert prove_sup(rows, q, 1e-3, 0.0, search).bound == pytest.approx(exact + 3e-3 * R)
    assert prove_sup(rows, q, 0.0, 1e-3, search).bound == pytest.approx(exact + 1e-3)
    Q = q[:, None]
    flat = prove_sup_outputs(rows, Q, 0.0)
    moved = prove_sup_outputs(rows, Q, 1e-3)
    assert flat is not None and moved is not None
    assert moved.bound == pytest.approx(flat.bound + 3e-3 * R)
    L = float(np.linalg.norm(X, axis=1).max())
    centred = prove_sup_origin(X, q, 0.0, Search(1.0), even=True)[0].bound
    moved = prove_sup_origin(X, q, 1e-3, Search(1.0), even=True)[0]
    assert moved.margin == pytest.approx(1.5e-3 * L)
    assert centred <= 1.0


# --- networks ------------------------------------------------------------------------------


@pytest.mark.parametrize("order", [0, 2, 3, 4])
def test_neurons_of_one_hyperplane_are_one(order: int) -> None:
    d = 2
    network: Any = random_spline(order, d) if order else random_outputs(d, 3, 5, 0)
    sign = np.array([1.0, -1.0, -1.0, 1.0, 1.0, -1.0])[: len(network.amplitudes)]
    twice = network.__class__(
        **{
            **{f: getattr(network, f) for f in network.__dataclass_fields__},
            "amplitudes": np.concatenate([network.amplitudes, 0.5 * network.amplitudes]),
            "weights": np.concatenate([network.weights, sign[:, None] * network.weights]),
            "biases": np.concatenate([network.biases, sign * network.biases]),
        }
    )
    given = Network.of(twice)
    joined = given.joined()
    assert given.count == 2 * joined.count
    X = np.random.default_rng(1).standard_normal((9, d))
    for form in (given, joined):
        values = form.neurons(X)[0] + form.free_part(X)[0]
        np.testing.assert_allclose(values, twice(X), rtol=1e-12, atol=1e-12)
        assert (form.neurons(X)[1] >= np.abs(form.neurons(X)[0]) * (1 - 1e-12)).all()
    assert np.abs(joined.a).sum() <= np.abs(given.a).sum()
    assert joined.count == twice.merged().n_neurons
    np.testing.assert_allclose(
        np.sort(np.abs(joined.a), axis=0), np.sort(np.abs(twice.merged().amplitudes), axis=0)
    )
