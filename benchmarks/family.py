"""One table of all members of the family, in 1, 2 and 5 dimensions.

    python benchmarks/family.py [--quick] [--repeat 3] [--only losses costs ...]

For each member: the relative gap that was reached and its scope, the median seconds after one
warm-up, and the relative difference from an independent solver. That is cvxpy with Clarabel on the
neurons of the answer, whose amplitudes and affine part it finds again: it cannot be better unless
ours are not optimal. (The tests compare with programs over all neurons, on tiny data.)
"""

from __future__ import annotations

import argparse
import platform
import statistics
import time
import warnings
from collections.abc import Iterator
from typing import Any

import cvxpy as cp
import numpy as np

from radontv.problems import HigherOrderProblem, MultiOutputProblem, RadonTVProblem, losses
from radontv.problems.measurements import segment_averages
from radontv.problems.neuron_cost import WeightedNorm
from radontv.problems.power.polynomial_basis import PolynomialBasis
from radontv.solvers import solve
from radontv.solvers.reference import loss_terms

SIZES = {1: 200, 2: 150, 5: 150}
SHARE = 0.1
"""alpha over alpha_max."""
GLOBAL_DIMENSIONS, TOL = 2, 1e-6


def data(d: int, n: int) -> tuple[np.ndarray, np.ndarray, np.random.Generator]:
    """Return inputs and a function with two folds."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(n, d))
    f = 2 * np.maximum(X[:, 0], 0) - np.abs(X[:, -1] - 0.3) + 0.3 * X.sum(axis=1)
    return X, f, rng


def targets(f: np.ndarray, loss: losses.Loss, rng: np.random.Generator) -> np.ndarray:
    """Return targets that the loss is for."""
    if loss.name in ("logistic", "hinge", "squared_hinge"):
        return np.where(f - np.median(f) + 0.7 * rng.normal(size=len(f)) > 0, 1.0, -1.0)
    if loss.name == "poisson":
        return rng.poisson(np.exp(0.5 * f)).astype(float)
    return f + 0.3 * rng.standard_t(3, size=len(f))


Problem = RadonTVProblem | MultiOutputProblem | HigherOrderProblem


def members(d: int, n: int) -> Iterator[tuple[str, str, Problem]]:
    """Yield group, name and problem of every member."""
    X, f, rng = data(d, n)
    for loss in (
        losses.SquaredLoss(), losses.HuberLoss(0.3), losses.AbsoluteLoss(),
        losses.QuantileLoss(0.3), losses.EpsilonInsensitiveLoss(0.2), losses.LogisticLoss(),
        losses.HingeLoss(), losses.SquaredHingeLoss(), losses.PoissonLoss(),
    ):  # fmt: skip
        yield "losses", loss.key, RadonTVProblem(X, targets(f, loss, rng), 1.0, loss=loss)
    few = slice(0, min(n, 60))
    y = targets(f, losses.SquaredLoss(), rng)
    for loss in (losses.InterpolationLoss(), losses.TubeLoss(0.2)):
        yield "constraints", loss.key, RadonTVProblem(X[few], y[few], 1.0, loss=loss)
    for cost in ("penalized_bias", "no_bias"):
        for skip in ("affine", "none"):
            yield "costs", f"{cost}, skip {skip}", RadonTVProblem(X, y, 1.0, cost=cost, skip=skip)
    prices = WeightedNorm(np.linspace(1.0, 3.0, d))
    yield "costs", "weighted_norm", RadonTVProblem(X, y, 1.0, cost=prices)
    yield "costs", "l1_norm", RadonTVProblem(X[:60], y[:60], 1.0, cost="l1_norm")
    ends = rng.uniform(-1, 1, size=(2, n, d))
    points, matrix = segment_averages(*ends, n_nodes=6)
    shape = 2 * np.maximum(points[:, 0], 0) - np.abs(points[:, -1] - 0.3)
    averages = matrix @ shape + 0.02 * rng.normal(size=n)
    outputs = np.column_stack([y, f + np.abs(X[:, 0]), X[:, 0] - f])
    for norm in ("l2", "l1"):
        problem = MultiOutputProblem(X, outputs, 1.0, output_norm=norm)
        yield "outputs", f"3 outputs, {norm}", problem
    for loss in (losses.AbsoluteLoss(), losses.InterpolationLoss()):
        problem = MultiOutputProblem(X[few][:40], outputs[few][:40], 1.0, loss)
        yield "outputs", f"{loss.key}, 3 outputs", problem
    classes = np.digitize(f + 0.5 * rng.normal(size=n), np.quantile(f, [0.33, 0.67]))
    yield "outputs", "multinomial, 3 classes", MultiOutputProblem(X, classes, 1.0, "multinomial")
    for order in (3, 4):
        yield "orders", f"order {order}", HigherOrderProblem(X, y, 1.0, order=order)
    for loss in (losses.AbsoluteLoss(), losses.InterpolationLoss()):
        if d > 1:  # a line of many points would only test the conditioning, and noise, too
            smooth = np.sin(2 * X[:40, 0]) + X[:40, -1] ** 2
            problem = HigherOrderProblem(X[:40], smooth, 1.0, 3, loss)
            yield "orders", f"{loss.key}, order 3", problem
    yield "measurements", "segments", RadonTVProblem(points, averages, 1.0, measurements=matrix)


def features(problem: Problem, network: Any) -> tuple[np.ndarray, np.ndarray]:
    """Return the values of the neurons, and of the free functions, on the rows."""
    if isinstance(problem, HigherOrderProblem):
        basis = PolynomialBasis.of_order(problem.X, problem.s, problem.order)
        return network.features(problem.X), basis.columns
    if isinstance(problem, MultiOutputProblem):
        return network.features(problem.X), np.column_stack([problem.X, np.ones(len(problem.X))])
    points, to_rows = problem.sampling.points, problem.sampling.to_rows
    lifted = np.column_stack([points, np.ones(len(points))])
    return to_rows(network.features(points)), to_rows(lifted)


def vector_reference(problem: MultiOutputProblem, network: Any) -> float:
    """Return the same for several outputs: a group lasso."""
    columns, free = features(problem, network)
    D = network.n_outputs
    A, C = cp.Variable((columns.shape[1], D)), cp.Variable((free.shape[1], D))
    Z, s = columns @ A + free @ C, problem.s
    penalty = cp.sum(
        cp.norm(A, 2, axis=1) if problem.output_norm == "l2" else cp.norm(A, 1, axis=1)
    )
    if problem.loss.key.startswith("multinomial"):
        own = np.eye(D)[np.asarray(problem.Y, dtype=int).ravel()]
        value = s @ (cp.log_sum_exp(Z, axis=1) - cp.sum(cp.multiply(own, Z), axis=1))
        return solved(cp.Problem(cp.Minimize(value + problem.alpha * penalty)))
    flat = problem.targets.ravel(), np.repeat(s, D), cp.vec(Z, order="C")
    value, constraints, constant = loss_terms(cp, problem.loss.one, *flat)
    return solved(cp.Problem(cp.Minimize(value + problem.alpha * penalty), constraints)) + constant


def solved(program: Any) -> float:
    """Return the optimal value of a program."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        try:
            program.solve(solver=cp.CLARABEL, tol_gap_abs=1e-10, tol_gap_rel=1e-10, tol_feas=1e-10)
        except cp.error.SolverError:
            return float("nan")
    return float(program.value)


def reference(problem: Problem, network: Any) -> float:
    """Return the optimal value over the neurons of a network, by cvxpy with Clarabel."""
    if isinstance(problem, MultiOutputProblem):
        return vector_reference(problem, network)
    if isinstance(problem, HigherOrderProblem):
        columns, free = features(problem, network)
        a = cp.Variable(columns.shape[1])
        fitted, penalty = columns @ a + free @ cp.Variable(free.shape[1]), cp.norm1(a)
        value, constraints, constant = loss_terms(cp, problem.loss, problem.y, problem.s, fitted)
        program = cp.Problem(cp.Minimize(value + problem.alpha * penalty), constraints)
        return solved(program) + constant
    a, kappa = cp.Variable(network.n_neurons), problem.cost.of(network.weights, network.biases)
    columns, free = features(problem, network)
    fitted, penalty = columns @ a, kappa @ cp.abs(a)
    if problem.skip == "affine":
        fitted = fitted + free @ cp.Variable(problem.n_features + 1)
    elif np.isfinite(problem.cost.of_constant):
        c0 = cp.Variable()
        fitted, penalty = fitted + c0, penalty + problem.cost.of_constant * cp.abs(c0)
    y, s = problem.live_targets, problem.live_weights
    value, constraints, constant = loss_terms(cp, problem.loss, y, s, fitted)
    return solved(cp.Problem(cp.Minimize(value + problem.alpha * penalty), constraints)) + constant


def row(name: str, problem: Problem, d: int, repeat: int) -> str:
    """Solve a member and return its row of the table."""
    if not name.startswith(("interpolation", "tube")):
        problem = problem.with_alpha(SHARE * problem.alpha_max())
    scope = "global" if d <= GLOBAL_DIMENSIONS else "local"
    solve(problem, tol=TOL, scope=scope, time_limit=120)
    seconds = []
    for _ in range(repeat):
        start = time.perf_counter()
        solution = solve(problem, tol=TOL, scope=scope, time_limit=120)
        seconds.append(time.perf_counter() - start)
    proof = solution.certificate
    if solution.network.n_neurons:
        other = (proof.primal - reference(problem, solution.network)) / proof.primal
    else:
        other = 0.0
    return (
        f"| {name} | {d} | {len(problem.s)} | {proof.relative_gap:.1e} | {proof.scope.name} | "
        f"{statistics.median(seconds):.2f} | {proof.n_neurons} | {other:+.1e} |"
    )


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="one dimension, few rows")
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--only", nargs="*", help="losses constraints costs outputs ...")
    args = parser.parse_args()
    print(f"Python {platform.python_version()}, {platform.machine()}; alpha = {SHARE} alpha_max\n")
    print("| member | d | rows | relative gap | scope | seconds | neurons | from reference |")
    print("|---|---|---|---|---|---|---|---|")
    sizes = {1: 40} if args.quick else SIZES
    for d, n in sizes.items():
        for group, name, problem in members(d, n):
            if args.only is None or group in args.only:
                print(row(name, problem, d, args.repeat), flush=True)


if __name__ == "__main__":
    main()
