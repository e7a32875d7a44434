"""Test error on the standard splits, alpha chosen on the training part.

    python benchmarks/splits.py FOLDER [--sets yacht energy concrete] [--splits 5] [--tol 1e-2]

For every split: inputs standardised on the training part; a path over ratios of alpha_max on a
random 80 % of the training rows, the ratio with the least error on the other 20 %; a path on all
training rows down to that ratio. Prints RMSE per split, mean and standard error.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np
from instances import Array, read, read_splits

from radontv.problems import RadonTVProblem
from radontv.solvers import Solution, path

RATIOS = np.array([0.1, 0.03, 0.01, 3e-3, 1e-3, 3e-4])


def fit_path(X: Array, y: Array, ratios: Array, tol: float) -> list[Solution]:
    """Return solutions for the ratios of alpha_max."""
    problem = RadonTVProblem(X, y, alpha=1.0)
    return path(problem, problem.alpha_max() * ratios, tol=tol)


def rmse(solution: Solution, X: Array, y: Array) -> float:
    """Return the root mean squared error."""
    return float(np.sqrt(np.mean((solution.network(X) - y) ** 2)))


def one_split(
    X: Array, y: Array, split: Array, seed: int, tol: float
) -> tuple[float, float, float]:
    """Return test RMSE, the ratio chosen, and the relative gap of the final fit."""
    train, test = split == 0, split == 1
    mean, scale = X[train].mean(axis=0), X[train].std(axis=0)
    Z = (X - mean) / np.where(scale > 0, scale, 1.0)
    rows = np.random.default_rng(seed).permutation(np.flatnonzero(train))
    inner, held = rows[len(rows) // 5 :], rows[: len(rows) // 5]
    errors = [rmse(s, Z[held], y[held]) for s in fit_path(Z[inner], y[inner], RATIOS, tol)]
    best = int(np.argmin(errors))
    final = fit_path(Z[train], y[train], RATIOS[: best + 1], tol)[-1]
    return rmse(final, Z[test], y[test]), RATIOS[best], final.certificate.relative_gap


def main() -> None:
    """Print one line per split and a summary per set."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--sets", nargs="+", default=["yacht", "energy", "concrete"])
    parser.add_argument("--splits", type=int, default=5)
    parser.add_argument("--tol", type=float, default=1e-2)
    args = parser.parse_args()
    for name in args.sets:
        if not (args.folder / f"{name}.csv").is_file():
            print(f"{name}: skipped, no {name}.csv in {args.folder}")
            continue
        X, y = read(args.folder, name)
        splits = read_splits(args.folder, name)
        errors = []
        for k in range(args.splits):
            start = time.perf_counter()
            error, ratio, gap = one_split(X, y, splits[:, k], k, args.tol)
            errors.append(error)
            seconds = time.perf_counter() - start
            print(
                f"{name} split {k}: {error:.4f}  {ratio:g} alpha_max  gap {gap:.0e}  "
                f"{seconds:.0f} s"
            )
        spread = np.std(errors, ddof=1) / np.sqrt(len(errors)) if len(errors) > 1 else 0.0
        print(
            f"{name}: RMSE {np.mean(errors):.3f} +- {spread:.3f} over {len(errors)} splits",
            flush=True,
        )


if __name__ == "__main__":
    main()
