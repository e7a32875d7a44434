"""Our proven optimum beside what the package pyscnn returns, on its own objective.

    pip install pyscnn && python benchmarks/penalized_bias.py [--quick] [--repeat 3]

pyscnn (A. Mishkin, A. Sahiner and M. Pilanci, "Fast convex optimization for two-layer ReLU
networks", 2022) minimises

    1 / (2n) sum_i (y_i - f(x_i))^2 + lambda sum_k |a_k| |w_k|,   f(x) = sum_k a_k relu(w_k.(x, 1))

over networks whose activation patterns are in a sample: no skip connection, biases penalised. That
is cost="penalized_bias", skip="none", alpha = lambda. Its augmented Lagrangian stops at points
that are nearly feasible, so its objective is computed here from the weights that it returns. The
options unitize_data=False and dtype="float64" are needed for that objective.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import statistics
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from radontv.problems import RadonTVProblem
from radontv.solvers import solve

CASES = [(1, 60, 0.01), (2, 60, 0.01), (3, 60, 0.1), (3, 60, 0.01), (5, 100, 0.02)]
GATES = 200
"""Sampled activation patterns for pyscnn."""


def data(d: int, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Return standard normal inputs and a function with folds, plus noise."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(n, d))
    y = np.sin(2 * X[:, 0]) + np.abs(X[:, 0] + X[:, -1]) + 0.1 * rng.normal(size=n)
    return X, y


def timed(work: Callable[[], Any], repeat: int) -> tuple[Any, float]:
    """Return the last result and the median seconds, after one warm-up."""
    work()
    seconds = []
    for _ in range(repeat):
        start = time.perf_counter()
        result = work()
        seconds.append(time.perf_counter() - start)
    return result, statistics.median(seconds)


def theirs(X: np.ndarray, y: np.ndarray, alpha: float) -> tuple[float, int]:
    """Return the objective of the network that pyscnn returns, and its width."""
    from scnn.activations import sample_gate_vectors
    from scnn.metrics import Metrics
    from scnn.models import ConvexReLU
    from scnn.optimize import optimize_model
    from scnn.regularizers import NeuronGL1
    from scnn.solvers import AL

    lifted = np.column_stack([X, np.ones(len(X))])
    gates = sample_gate_vectors(0, lifted.shape[1], GATES)
    model = ConvexReLU(gates)
    found, _ = optimize_model(
        model, AL(model, tol=1e-8, constraint_tol=1e-8), Metrics(objective=True), lifted, y,
        lifted, y, NeuronGL1(alpha), unitize_data=False, dtype="float64", device="cpu",
    )  # fmt: skip
    hidden, output = (np.asarray(part, dtype=np.float64) for part in found.parameters)
    values = np.maximum(lifted @ hidden.T, 0.0) @ output[0]
    penalty = float(np.abs(output[0]) @ np.linalg.norm(hidden, axis=1))
    return 0.5 * float(np.mean((y - values) ** 2)) + alpha * penalty, len(hidden)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="one small case")
    parser.add_argument("--repeat", type=int, default=3)
    args = parser.parse_args()
    try:
        version = importlib.metadata.version("pyscnn")
    except importlib.metadata.PackageNotFoundError:
        version = None
        print("pyscnn is not installed; its columns stay empty (pip install pyscnn).")
    print(f"pyscnn {version}, unpatched; {GATES} gates\n")
    print("| d, n, alpha | bound | ours | gap | scope | s | neurons | pyscnn | excess | s | n |")
    print("|---|---|---|---|---|---|---|---|---|---|---|")
    for d, n, alpha in CASES[:1] if args.quick else CASES:
        X, y = data(d, n)
        problem = RadonTVProblem(X, y, alpha, cost="penalized_bias", skip="none")
        ours, seconds = timed(
            lambda p=problem: solve(p, tol=1e-6, scope="global", time_limit=120), args.repeat
        )
        proof = ours.certificate
        row = (
            f"| {d}, {n}, {alpha} | {proof.dual:.8g} | {proof.primal:.8g} | "
            f"{proof.relative_gap:.0e} | {proof.scope.name} | {seconds:.2f} | {proof.n_neurons} |"
        )
        if version is not None:
            start = time.perf_counter()
            value, width = theirs(X, y, alpha)
            elapsed = time.perf_counter() - start
            row += f" {value:.8g} | {value / proof.dual - 1:+.1%} | {elapsed:.1f} | {width} |"
        else:
            row += " | | | |"
        print(row, flush=True)


if __name__ == "__main__":
    main()
