"""Deep networks: layers that are compressed with equal outputs, and training block by block."""

from __future__ import annotations

import os
import signal
import threading
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from radontv.problems import Scope
from radontv.problems.multi_output import MultiOutputProblem
from radontv.problems.vector.multinomial_loss import MultinomialLoss
from radontv.solvers import layer_search, layer_training
from radontv.solvers import layers as layers_module
from radontv.solvers.layer_affine import affine_block, as_block, as_network, choose_sides
from radontv.solvers.layer_blocks import Block, block_of, check_layers, layer_inputs
from radontv.solvers.layer_compositions import backward, blocks_of, forward, layers_of
from radontv.solvers.layer_search import BlockSearch, search_block
from radontv.solvers.layer_thinning import drop_dead, fold_active, merge_units, thin_units
from radontv.solvers.layers import LayerCompression, compress_layer, train_layers
from radontv.solvers.vector.driver import solve_multi_output

Layers = list[tuple[np.ndarray, np.ndarray]]


def random_layers(*sizes: int, seed: int = 0) -> Layers:
    """Return a network with standard normal parameters, weights over sqrt(n_in)."""
    rng = np.random.default_rng(seed)
    return [
        (rng.standard_normal((o, i)) / np.sqrt(i), 0.5 * rng.standard_normal(o))
        for i, o in pairwise(sizes)
    ]


def outputs(layers: Any, X: np.ndarray) -> np.ndarray:
    """Evaluate plainly, one row and one layer at a time."""
    rows = []
    for x in X:
        for j, (weight, bias) in enumerate(layers):
            x = weight @ x + bias
            if j < len(layers) - 1:
                x = np.where(x > 0.0, x, 0.0)
        rows.append(x)
    return np.array(rows)


def path_norm(layers: Any, index: int) -> float:
    W, V = layers[index][0], layers[index + 1][0]
    return sum(float(np.linalg.norm(V[:, k]) * np.linalg.norm(W[k])) for k in range(len(W)))


def redundant(layers: Layers, index: int, X: np.ndarray, kind: str) -> tuple[Layers, int]:
    """Return the same network with units added to a hidden layer, and how many can go."""
    rng = np.random.default_rng(7)
    H = layer_inputs(check_layers(layers), X)[index]
    (W, b), (V, c) = layers[index], layers[index + 1]
    few = min(3, len(W))
    if kind == "duplicate":
        share = rng.uniform(0.2, 0.8, few)
        scale = rng.uniform(0.5, 2.0, few)
        more, bias = scale[:, None] * W[:few], scale * b[:few]
        output = V[:, :few] * share / scale
        V = np.concatenate([V[:, :few] * (1 - share), V[:, few:]], axis=1)
        gone = few
    elif kind == "dead":
        more = rng.standard_normal((4, W.shape[1]))
        bias = -(H @ more.T).max(axis=0) - 0.1
        output, gone = rng.standard_normal((len(V), 4)), 4
    elif kind == "zero":
        more = rng.standard_normal((4, W.shape[1]))
        more[2:] = 0.0
        bias = np.array([0.1, 0.2, -0.3, 0.4])
        output = rng.standard_normal((len(V), 4))
        output[:, :2], gone = 0.0, 4
    else:
        count = 6 + min(W.shape[1], len(V))
        more = rng.standard_normal((count, W.shape[1]))
        bias = -(H @ more.T).min(axis=0) + 0.1
        output, gone = rng.standard_normal((len(V), count)), 6
    wide = list(layers)
    wide[index] = (np.concatenate([W, more]), np.concatenate([b, bias]))
    wide[index + 1] = (np.concatenate([V, output], axis=1), c)
    return wide, gone


def assert_compressed(
    layers: Any, X: np.ndarray, index: int, result: LayerCompression, change: float = 1e-6
) -> None:
    """Check what every compression promises, from the layers alone."""
    check_layers(result.layers)
    old, new = outputs(layers, X), outputs(result.layers, X)
    assert np.abs(new - old).max() <= change * np.abs(old).max()
    assert result.path_norm_before == pytest.approx(path_norm(layers, index), rel=1e-12)
    assert result.path_norm_after == pytest.approx(path_norm(result.layers, index), rel=1e-12)
    assert path_norm(result.layers, index) <= path_norm(layers, index) * (1 + 1e-9)
    assert result.width_before == len(layers[index][1])
    assert result.width_after == len(result.layers[index][1]) <= result.width_before
    assert result.certificate.lower_bound <= result.path_norm_after * (1 + 1e-9)
    for j, (before, after) in enumerate(zip(layers, result.layers, strict=True)):
        if j not in (index, index + 1):
            assert np.array_equal(before[0], after[0]) and np.array_equal(before[1], after[1])
    np.testing.assert_array_equal(
        layers[index + 1][0].shape[0], result.layers[index + 1][0].shape[0]
    )
    assert result.rank_in == np.linalg.matrix_rank(result.layers[index][0], rtol=1e-9)
    assert result.rank_out == np.linalg.matrix_rank(result.layers[index + 1][0], rtol=1e-9)


# --- compression -----------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["duplicate", "dead", "zero", "active"])
@pytest.mark.parametrize(
    ("sizes", "index"),
    [((2, 5, 1), 0), ((2, 5, 3), 0), ((3, 6, 5, 3), 1), ((2, 6, 5, 4, 1), 0), ((1, 4, 3, 4, 3), 2)],
)
def test_redundant_units_go(kind: str, sizes: tuple[int, ...], index: int) -> None:
    X = np.random.default_rng(1).standard_normal((60, sizes[0]))
    wide, gone = redundant(random_layers(*sizes), index, X, kind)
    result = compress_layer(wide, X, index, search=False)
    assert_compressed(wide, X, index, result)
    assert result.width_after <= result.width_before - gone
    assert result.output_change <= 1e-8


@pytest.mark.parametrize(
    ("sizes", "index", "n"),
    [((2, 40, 1), 0, 12), ((2, 60, 3), 0, 10), ((1, 50, 1), 0, 30), ((3, 20, 40, 2), 1, 8)],
)
def test_wide_layers_on_few_rows_become_narrow(sizes: tuple[int, ...], index: int, n: int) -> None:
    X = np.random.default_rng(2).standard_normal((n, sizes[0]))
    layers = random_layers(*sizes)
    result = compress_layer(layers, X, index, time_limit=60.0)
    assert_compressed(layers, X, index, result)
    D = sizes[index + 2]
    assert result.width_after <= min((n - 1) * D, result.width_before - 1)
    # With fewer rows than inputs every function is affine on the data, and affine is free.
    assert (result.certificate.lower_bound > 0.0) == (n > sizes[index] + 1)


def test_the_search_finds_what_thinning_does_not() -> None:
    X = np.random.default_rng(0).standard_normal((12, 2))
    layers = random_layers(2, 40, 1)
    thinned = compress_layer(layers, X, 0, search=False)
    searched = compress_layer(layers, X, 0)
    assert_compressed(layers, X, 0, searched)
    assert searched.width_after < thinned.width_after < 40
    assert searched.rounds > 0 and thinned.rounds == 0
    assert thinned.certificate.lower_bound == 0.0


@pytest.mark.parametrize("D", [1, 3])
def test_the_bound_is_that_of_the_convex_limit(D: int) -> None:
    X = np.random.default_rng(3).standard_normal((15, 2))
    layers = random_layers(2, 30, D)
    P = outputs(layers, X)
    result = compress_layer(layers, X, 0, scope="global", time_limit=120.0)
    assert result.certificate.scope is Scope.GLOBAL
    # The optimum of a small alpha, over alpha, is below the limit and near it.
    problem = MultiOutputProblem(X, P, 1.0)
    alpha = 1e-6 * problem.alpha_max()
    near = solve_multi_output(problem.with_alpha(alpha), tol=1e-8)
    least = near.certificate.dual / alpha
    assert result.certificate.lower_bound == pytest.approx(least, rel=1e-4)
    # No network with these outputs has less, in particular not the ones at hand.
    assert result.certificate.lower_bound <= result.path_norm_after <= path_norm(layers, 0)
    assert 0.0 <= result.certificate.relative_gap < 1.0
    assert "this block alone" in str(result)


def test_the_bound_is_attained_where_no_affine_part_is_paid() -> None:
    X = np.linspace(-1, 1, 21)[:, None]
    layers: Layers = [
        (np.array([[1.0], [-1.0], [2.0]]), np.array([0.0, 0.0, 0.0])),
        (np.array([[1.0, 1.0, 0.0]]), np.zeros(1)),
    ]
    result = compress_layer(layers, X, 0, scope="global")
    assert result.certificate.lower_bound == pytest.approx(2.0, rel=1e-6)  # |x|: one kink of 2
    assert result.path_norm_after == pytest.approx(2.0, rel=1e-6)
    assert result.width_after == 2


def test_a_linear_function_costs_its_rank() -> None:
    rng = np.random.default_rng(4)
    X = rng.standard_normal((30, 4))
    W = rng.standard_normal((9, 4))
    layers: Layers = [
        (W, -(X @ W.T).min(axis=0) + 0.01),
        (rng.standard_normal((3, 2)) @ rng.standard_normal((2, 9)), rng.standard_normal(3)),
    ]
    result = compress_layer(layers, X, 0)
    assert_compressed(layers, X, 0, result)
    assert (result.width_after, result.rank_in, result.rank_out) == (2, 2, 2)
    coef = layers[1][0] @ W
    assert result.path_norm_after == pytest.approx(np.linalg.norm(coef, ord="nuc"), rel=1e-9)


def test_a_constant_block_needs_no_units() -> None:
    X = np.random.default_rng(5).standard_normal((9, 2))
    layers = random_layers(2, 3, 4, 2)
    layers[1] = (np.zeros((4, 3)), np.array([1.0, -1.0, 2.0, 0.5]))
    result = compress_layer(layers, X, 0)
    assert result.width_after == 0 and result.layers[1][0].shape == (4, 0)
    assert_compressed(layers, X, 0, result)


@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e6])
@pytest.mark.parametrize("data", ["grid", "repeated", "collinear", "constant column", "few", "one"])
def test_degenerate_data(data: str, scale: float) -> None:
    rng = np.random.default_rng(6)
    X = rng.standard_normal((16, 3))
    if data == "grid":
        X = np.array([[i, j, k] for i in range(3) for j in range(3) for k in range(2)], dtype=float)
    elif data == "repeated":
        X = np.repeat(X[:5], 3, axis=0)
    elif data == "collinear":
        X = X[:, :1] * np.array([1.0, -2.0, 0.5])
    elif data == "constant column":
        X[:, 1] = 3.0
    else:
        X = X[:3] if data == "few" else X[:1]
    layers = random_layers(3, 30, 2)
    layers[0] = (layers[0][0], scale * layers[0][1])
    layers[1] = (layers[1][0], scale * layers[1][1])
    result = compress_layer(layers, scale * X, 0, time_limit=20.0)
    assert_compressed(layers, scale * X, 0, result)
    assert result.width_after < 30


def test_a_network_that_is_narrow_stays() -> None:
    X = np.random.default_rng(8).standard_normal((80, 2))
    layers = random_layers(2, 3, 1)
    result = compress_layer(layers, X, 0, search=False)
    assert result.width_after == 3 and result.output_change == 0.0
    assert all(np.array_equal(a, b) for a, b in zip(layers[0], result.layers[0], strict=True))


def test_compression_is_deterministic() -> None:
    X = np.random.default_rng(9).standard_normal((12, 2))
    layers = random_layers(2, 25, 2)
    first, second = (compress_layer(layers, X, 0) for _ in range(2))
    for one, other in zip(first.layers, second.layers, strict=True):
        assert np.array_equal(one[0], other[0]) and np.array_equal(one[1], other[1])


def test_dearer_and_wrong_layers_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    X = np.random.default_rng(8).standard_normal((80, 2))
    layers = random_layers(2, 3, 1)
    block = block_of(check_layers(layers), 0)
    (weight, bias), (output, offset) = layers
    nonsense = block.take(np.arange(1))

    def fake(*blocks: Block) -> Any:
        found = BlockSearch(blocks, 0.0, Scope.LOCAL, 1, False)
        monkeypatch.setattr(layers_module, "search_block", lambda *_, **__: found)
        return compress_layer(layers, X, 0)

    assert fake(nonsense).width_after == 3
    # Nor where a dead layer after it hides what it does.
    layers = [(weight, bias), (output, offset - 1e3), (np.ones((1, 1)), np.zeros(1))]
    assert fake(nonsense._replace(offset=offset - 1e3)).width_after == 3
    # Two equal halves of each unit: one of them, with twice the output and a detour, costs more.
    twice: Layers = [
        (np.concatenate([weight, weight]), np.concatenate([bias, bias])),
        (np.column_stack([0.5 * output, 0.5 * output]), offset),
    ]
    detour = Block(
        np.concatenate([weight, [[1.0, 1.0], [1.0, 1.0]]]),
        np.concatenate([bias, [50.0, 50.0]]),
        np.column_stack([output, [[1.0, -1.0]]]),
        offset,
    )
    np.testing.assert_allclose(detour(X), outputs(twice, X), atol=1e-12)
    monkeypatch.setattr(layers_module, "_thinned", lambda *_, **__: iter(()))
    monkeypatch.setattr(layers_module, "_with_thinner", lambda H, block: iter((block,)))
    layers = twice
    assert detour.path_norm > path_norm(twice, 0) and fake(detour).width_after == 6
    assert fake(detour, block).width_after == 3


# --- parts of it -------------------------------------------------------------------------------


def random_block(seed: int, d: int, K: int, D: int) -> Block:
    return block_of(check_layers(random_layers(d, K, D, seed=seed)), 0)


@pytest.mark.parametrize("D", [1, 3])
def test_every_thinning_keeps_values_and_does_not_cost(D: int) -> None:
    H = np.maximum(np.random.default_rng(0).standard_normal((9, 4)), 0.0)
    for seed in range(5):
        block = random_block(seed, 4, 40, D)
        for thin in (
            drop_dead(H, block),
            fold_active(H, drop_dead(H, block)),
            merge_units(H, block),
            thin_units(H, block)[0],
        ):
            np.testing.assert_allclose(thin(H), block(H), atol=1e-10)
            assert thin.path_norm <= block.path_norm * (1 + 1e-12)
            assert thin.width <= block.width
        thin, lost = thin_units(H, block, keep_affine=False)
        np.testing.assert_allclose(thin(H) + H @ lost, block(H), atol=1e-10)
        rank = np.linalg.matrix_rank(np.column_stack([np.ones(len(H)), H]))
        assert thin.width <= (len(H) - rank) * D
        assert thin_units(H, block)[0].width <= (len(H) - 1) * D


def test_always_active_units_become_as_many_as_their_rank() -> None:
    H = np.random.default_rng(1).standard_normal((30, 4))
    block = random_block(0, 4, 10, 2)
    bias = np.array(block.bias)
    bias[2:] = -(H @ block.weight[2:].T).min(axis=0)
    folded = fold_active(H, block._replace(bias=bias))
    assert folded.width == 2 + 2
    np.testing.assert_allclose(folded(H), block._replace(bias=bias)(H), atol=1e-12)


def test_one_output_leaves_two_units_per_cell() -> None:
    X = np.linspace(0, 1, 4)[:, None]
    merged = merge_units(X, random_block(0, 1, 200, 1))
    # Patterns of 4 rows in order: none, prefixes, suffixes, all; with two signs each.
    assert merged.width <= 2 * 7


def test_affine_blocks_pay_the_nuclear_norm() -> None:
    rng = np.random.default_rng(1)
    H = rng.standard_normal((20, 4))
    coef = rng.standard_normal((4, 2)) @ rng.standard_normal((2, 5))
    block = affine_block(H, coef)
    assert block.width == 2
    assert block.path_norm == pytest.approx(np.linalg.norm(coef, ord="nuc"), rel=1e-12)
    change = (block(H) - H @ coef) - (block(H) - H @ coef)[0]
    assert np.abs(change).max() <= 1e-12
    exact = affine_block(H, coef, exact=True)
    assert exact.width == 4
    far = 1e3 * rng.standard_normal((50, 4))
    np.testing.assert_allclose(exact(far), far @ coef, rtol=1e-9, atol=1e-9)


def test_sides_are_those_of_the_cheapest_linear_part() -> None:
    rng = np.random.default_rng(2)
    for seed in range(6):
        H = rng.standard_normal((15, 3))
        network = as_network(random_block(seed, 3, 6, 2)).merged()
        turned = choose_sides(H, network)
        far = 10 * rng.standard_normal((40, 3))
        np.testing.assert_allclose(turned(far), network(far), atol=1e-10)
        brute = np.inf
        for mask in range(1 << network.n_neurons):
            bits = [k for k in range(network.n_neurons) if mask >> k & 1]
            coef = network.coef + network.weights[bits].T @ network.amplitudes[bits]
            brute = min(brute, float(np.linalg.norm(coef, ord="nuc")))
        found = float(np.linalg.norm(turned.coef, ord="nuc"))
        assert brute - 1e-12 <= found <= 1.5 * brute + 0.5
        assert found <= np.linalg.norm(network.coef, ord="nuc") + 1e-12


def test_the_search_of_an_affine_block_is_exact() -> None:
    rng = np.random.default_rng(3)
    H = rng.standard_normal((20, 3))
    P = H @ rng.standard_normal((3, 2)) + 1.0
    found = search_block(H, P, tol=1e-8, scope=Scope.LOCAL, time_limit=None, random_state=0)
    assert found.rounds == 0 and found.lower_bound == 0.0 and found.scope is Scope.GLOBAL
    np.testing.assert_allclose(found.blocks[0](H), P, atol=1e-12)


# --- compositions ------------------------------------------------------------------------------


@pytest.mark.parametrize("sizes", [(2, 5, 1), (3, 6, 4, 2), (1, 5, 7, 4, 3)])
def test_layers_and_blocks_are_one_function(sizes: tuple[int, ...]) -> None:
    layers = random_layers(*sizes)
    X = 5.0 * np.random.default_rng(0).standard_normal((30, sizes[0]))
    blocks = blocks_of(check_layers(layers))
    assert len(blocks) == len(sizes) - 2
    np.testing.assert_allclose(forward(blocks, X)[-1], outputs(layers, X), atol=1e-10)
    blocks = tuple(b.with_affine(b.coef + 0.3, b.intercept + 0.1) for b in blocks)
    back = layers_of(blocks)
    np.testing.assert_allclose(outputs(back, X), forward(blocks, X)[-1], atol=1e-9)
    assert len(back) == len(layers)


def test_gradients_are_those_of_finite_differences() -> None:
    rng = np.random.default_rng(1)
    blocks = [b.with_affine(b.coef + 0.2, b.intercept)
              for b in blocks_of(check_layers(random_layers(3, 6, 5, 4, 2)))]  # fmt: skip
    Z, slope = rng.standard_normal((5, 3)), rng.standard_normal((5, 2))
    values = forward(blocks, Z)
    gradient = backward(blocks, values[:-1], slope)
    for i, k in [(0, 0), (3, 2), (4, 1)]:
        step = np.zeros_like(Z)
        step[i, k] = 1e-6
        up, down = (float((slope * forward(blocks, Z + s * step)[-1]).sum()) for s in (1, -1))
        assert gradient[i, k] == pytest.approx((up - down) / 2e-6, rel=1e-6, abs=1e-8)


# --- training ----------------------------------------------------------------------------------


def deep_data(n: int = 40, D: int = 2) -> tuple[np.ndarray, np.ndarray]:
    X = np.random.default_rng(0).standard_normal((n, 2))
    Y = np.column_stack([np.abs(X[:, 0]), np.abs(np.abs(X).sum(axis=1) - 1.0)])
    return X, Y[:, -D:]


def plain_objective(trained: Any, X: np.ndarray, Y: np.ndarray, alpha: float) -> float:
    fit = 0.5 * ((outputs(trained.layers, X) - Y) ** 2).sum() / len(X)
    paths = sum(np.linalg.norm(b.merged().amplitudes, axis=1).sum() for b in trained.blocks)
    return float(fit + alpha * paths)


@pytest.mark.parametrize(("sizes", "D"), [((2, 6, 1), 1), ((2, 6, 5, 2), 2), ((2, 5, 5, 4, 1), 1)])
def test_the_objective_falls_and_is_that_of_the_layers(sizes: tuple[int, ...], D: int) -> None:
    X, Y = deep_data(D=D)
    start = random_layers(*sizes)
    trained = train_layers(start, X, Y, alpha=1e-2, n_sweeps=3)
    values = np.array([step.objective for step in trained.history])
    assert (np.diff(values) <= 0.0).all()
    first = MultiOutputProblem(X, Y, 1e-2)
    blocks = blocks_of(check_layers(start))
    before = 0.5 * ((outputs(start, X) - Y) ** 2).sum() / len(X)
    before += 1e-2 * sum(first.penalty(block) for block in blocks)
    assert trained.objective < before
    assert trained.objective == values[-1]
    assert trained.objective == pytest.approx(plain_objective(trained, X, Y, 1e-2), rel=1e-9)
    np.testing.assert_allclose(trained(X), outputs(trained.layers, X), atol=1e-9)
    assert {step.block for step in trained.history} == set(range(len(sizes) - 2))
    assert all(step.relative_gap <= 1e-6 for step in trained.history)
    moved = {s.block for s in trained.history if 0.0 < s.step_length < np.inf}
    assert moved == set(range(len(sizes) - 3))


def test_one_hidden_layer_is_one_convex_program() -> None:
    X, Y = deep_data()
    trained = train_layers(random_layers(2, 6, 2), X, Y, alpha=0.01, tol=1e-8)
    solution = solve_multi_output(MultiOutputProblem(X, Y, 0.01), tol=1e-8)
    assert trained.objective == pytest.approx(solution.certificate.primal, rel=1e-7)
    assert trained.certificate is not None and trained.certificate.relative_gap <= 1e-8


def test_the_last_block_is_the_optimum_on_its_features() -> None:
    X, Y = deep_data()
    trained = train_layers(random_layers(2, 6, 5, 2), X, Y, alpha=0.01, n_sweeps=2, tol=1e-8)
    problem = MultiOutputProblem(trained.features(X), Y, 0.01)
    best = solve_multi_output(problem, tol=1e-8).certificate.primal
    assert problem.objective(trained.blocks[-1]) == pytest.approx(best, rel=1e-6)
    proof = trained.certificate
    assert proof is not None
    assert proof.dual <= best * (1 + 1e-9) and proof.primal >= best * (1 - 1e-9)
    assert proof.primal == pytest.approx(problem.objective(trained.blocks[-1]), rel=1e-9)


def test_an_earlier_block_is_moved_by_the_majoriser(monkeypatch: pytest.MonkeyPatch) -> None:
    X, Y = deep_data()
    start, alpha, seen = random_layers(2, 6, 5, 2), 0.01, []

    def spy(program: MultiOutputProblem, **options: Any) -> Any:
        seen.append(program)
        return solve_multi_output(program, **options)

    monkeypatch.setattr(layer_training, "solve_multi_output", spy)
    trained = train_layers(start, X, Y, alpha=alpha, n_sweeps=1)
    first, last = blocks_of(check_layers(start))
    Z, tau = first(X), seen[0].alpha / alpha
    assert trained.history[0].step_length in [program.alpha / alpha for program in seen]
    gradient = np.zeros_like(Z)
    for place in np.ndindex(Z.shape):
        step = np.zeros_like(Z)
        step[place] = 1e-6
        up, down = (0.5 * ((last(Z + s * step) - Y) ** 2).sum() / len(X) for s in (1, -1))
        gradient[place] = (up - down) / 2e-6
    np.testing.assert_allclose(seen[0].Y, Z - tau * len(X) * gradient, atol=1e-6)


def test_other_losses() -> None:
    X, Y = deep_data()
    codes = (Y[:, 1] > 0.5).astype(int)
    codes[::7] = 1 - codes[::7]
    loss = MultinomialLoss(label_smoothing=0.05)
    trained = train_layers(random_layers(2, 4, 3, 2), X, codes, alpha=0.02, loss=loss, n_sweeps=2)
    values = np.array([step.objective for step in trained.history])
    assert (np.diff(values) <= 0.0).all() and values[-1] < np.log(2)
    huber = train_layers(random_layers(2, 4, 3, 2), X, Y, alpha=0.02, loss="huber", n_sweeps=1)
    assert huber.history[-1].scope is Scope.LOCAL


def test_ctrl_c_returns_the_best_so_far(monkeypatch: pytest.MonkeyPatch) -> None:
    if threading.current_thread() is not threading.main_thread():
        pytest.skip("signals reach the main thread only")
    X, Y = deep_data()
    calls = []

    def pressed(*args: Any, **options: Any) -> Any:
        calls.append(1)
        if len(calls) == 3:
            os.kill(os.getpid(), signal.SIGINT)
        return solve_multi_output(*args, **options)

    monkeypatch.setattr(layer_training, "solve_multi_output", pressed)
    trained = train_layers(random_layers(2, 5, 4, 2), X, Y, alpha=0.01, n_sweeps=50)
    assert trained.interrupted and len(calls) == 3
    assert trained.objective == pytest.approx(plain_objective(trained, X, Y, 0.01), rel=1e-9)


def test_time_limit() -> None:
    X, Y = deep_data()
    trained = train_layers(
        random_layers(2, 5, 4, 2), X, Y, alpha=0.001, n_sweeps=1000, time_limit=0.3
    )
    assert not trained.interrupted and len(trained.history) < 2000


# --- errors ------------------------------------------------------------------------------------

GOOD = random_layers(2, 3, 1)
NAN = [(np.full((3, 2), np.nan), np.zeros(3)), GOOD[1]]


@pytest.mark.parametrize(
    ("layers", "error", "message"),
    [
        ([], ValueError, "layers has 0 entries"),
        (GOOD[:1], ValueError, "layers has 1 entries"),
        ("abc", TypeError, "layers must be a list"),
        (None, TypeError, "layers must be a list"),
        ([GOOD[0], (GOOD[1][0],)], TypeError, r"layers\[1\] must be a pair"),
        ([GOOD[0], (np.zeros((1, 4)), np.zeros(1))], ValueError, "4 inputs but.*3 outputs"),
        ([(GOOD[0][0].T, GOOD[0][1]), GOOD[1]], ValueError, "one for each row of the weight"),
        (NAN, ValueError, r"weight of layers\[0\] contains NaN"),
        ([GOOD[0], (GOOD[1][0], np.array([np.inf]))], ValueError, "bias of.*contains infinity"),
        ([GOOD[0], (np.zeros(3), np.zeros(1))], ValueError, "weight of.*2 dimension"),
    ],
)
def test_bad_layers(layers: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        compress_layer(layers, np.zeros((4, 2)), 0)
    with pytest.raises(error, match=message):
        train_layers(layers, np.zeros((4, 2)), np.zeros((4, 1)), alpha=1.0)


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"index": 1}, ValueError, "index is 1.*1 hidden layers"),
        ({"index": -1}, ValueError, "index must be an integer >= 0"),
        ({"index": 0.0}, TypeError, "index must be an integer"),
        ({"X": np.zeros((4, 3))}, ValueError, "X has 3 features.*takes 2"),
        ({"X": np.zeros((0, 2))}, ValueError, "X has 0 samples"),
        ({"X": np.array([[0.0, np.nan]])}, ValueError, "X contains NaN"),
        ({"tol": 0.0}, ValueError, "tol must be"),
        ({"scope": "far"}, ValueError, "scope"),
        ({"time_limit": -1.0}, ValueError, "time_limit must be"),
        ({"random_state": -1}, ValueError, "random_state"),
    ],
)
def test_bad_options(change: dict[str, Any], error: type[Exception], message: str) -> None:
    options = {"layers": GOOD, "X": np.ones((4, 2)), "index": 0, **change}
    with pytest.raises(error, match=message):
        compress_layer(**options)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"Y": np.zeros((5, 1))}, "rows"),
        ({"Y": np.zeros((4, 2))}, "Y has 2 outputs but the last of the layers 1"),
        ({"alpha": 0.0}, "alpha must be"),
        ({"n_sweeps": 0}, "n_sweeps must be"),
        ({"layers": random_layers(2, 3, 3, 1), "loss": "absolute"}, "kinks"),
        ({"layers": random_layers(2, 3, 3, 1), "loss": "poisson"}, "no minimiser in a deep"),
    ],
)
def test_bad_training(change: dict[str, Any], message: str) -> None:
    options = {"layers": GOOD, "X": np.ones((4, 2)), "Y": np.zeros((4, 1)), "alpha": 1.0, **change}
    with pytest.raises(ValueError, match=message):
        train_layers(**options)


def test_as_block_equals_the_network_on_the_data() -> None:
    rng = np.random.default_rng(5)
    H = rng.standard_normal((12, 3))
    network = as_network(random_block(0, 3, 4, 2))
    network = network.with_affine(rng.standard_normal((3, 2)), rng.standard_normal(2))
    np.testing.assert_allclose(as_block(H, network)(H), network(H), atol=1e-12)


@pytest.mark.parametrize("where", ["alpha_max", "solve_multi_output", "fold_active", "thin_units"])
def test_compression_that_is_interrupted_keeps_the_outputs(
    where: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    X = np.random.default_rng(3).standard_normal((40, 3))
    layers, gone = redundant(random_layers(3, 8, 2), 0, X, "duplicate")
    calls = []

    def interrupt(*args: Any, **options: Any) -> Any:
        calls.append(where)
        raise KeyboardInterrupt

    owner = {"alpha_max": MultiOutputProblem, "solve_multi_output": layer_search}
    monkeypatch.setattr(owner.get(where, layers_module), where, interrupt)
    found = compress_layer(layers, X, 0)
    assert calls and found.interrupted
    assert found.width_before == len(layers[0][1]) and found.width_after <= found.width_before
    np.testing.assert_allclose(outputs(found.layers, X), outputs(layers, X), rtol=0, atol=1e-9)
    if where in ("alpha_max", "solve_multi_output"):
        assert found.width_after <= found.width_before - gone
        assert found.certificate.lower_bound == 0.0 and found.certificate.scope is Scope.LOCAL
