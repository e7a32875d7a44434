"""Test accuracy on the four folds of a collection, alpha chosen on the training part.

    python benchmarks/classify.py --data FOLDER [--sets blood pima] [--loss logistic] [--quick]

FOLDER holds `<name>.csv`, target in the last column, and `<name>_splits.csv.gz` with the columns
kfold0, kfold1, ... (1: test, 0: training, -1: not used). For every fold `RadonTVClassifierCV`
standardises and chooses alpha on the training part, by stratified cross-validation with three
shuffled folds. The columns are means over the folds; `majority` is the share of the most frequent
class of the test part.
"""

from __future__ import annotations

import argparse
import platform
import time
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.datasets import load_breast_cancer
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import StratifiedKFold

from radontv import RadonTVClassifierCV

SETS = (
    "blood", "breast-cancer", "congressional-voting-fixed", "credit-approval", "fertility",
    "heart-hungarian", "ionosphere", "mammographic", "monks-1", "parkinsons", "pima",
    "tic-tac-toe", "vertebral-column-2clases",
)  # fmt: skip
Folds = list[tuple[np.ndarray, np.ndarray]]


def read(folder: Path, name: str) -> tuple[np.ndarray, np.ndarray, Folds]:
    """Return inputs, classes and the folds (train, test) of a set."""
    frame = pd.read_csv(folder / f"{name}.csv")
    splits = pd.read_csv(folder / f"{name}_splits.csv.gz")
    columns = [splits[c].to_numpy() for c in splits if c.startswith("kfold")]
    folds = [(np.flatnonzero(c == 0), np.flatnonzero(c == 1)) for c in columns]
    return frame.iloc[:, :-1].to_numpy(float), frame.iloc[:, -1].to_numpy(), folds


def small() -> tuple[np.ndarray, np.ndarray, Folds]:
    """Return 120 rows and 4 columns of a set that comes with scikit-learn, and two folds."""
    X, y = load_breast_cancer(return_X_y=True)
    cv = StratifiedKFold(2, shuffle=True, random_state=0)
    X, y = X[:120, :4], y[:120]
    return X, y, list(cv.split(X, y))


def row(name: str, X: np.ndarray, y: np.ndarray, folds: Folds, options: dict) -> list[float]:
    """Print the row of a set; return accuracy, share of the majority, and seconds."""
    found = []
    for train, test in folds:
        start = time.perf_counter()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            model = RadonTVClassifierCV(**options).fit(X[train], y[train])
        seconds = time.perf_counter() - start
        found.append([
            100.0 * model.score(X[test], y[test]),
            100.0 * np.unique(y[test], return_counts=True)[1].max() / len(test),
            seconds, model.n_neurons_, model.certificate_.relative_gap,
            float(np.isfinite(model.error_path_).all()),
        ])  # fmt: skip
    right, majority, seconds, neurons, gap, complete = np.mean(found, axis=0)
    spread = np.std([f[0] for f in found], ddof=1) / np.sqrt(len(found))
    print(
        f"| {name} | {len(y)} x {X.shape[1]} | {right:.1f} ± {spread:.1f} | {majority:.1f} | "
        f"{neurons:.1f} | {gap:.0e} | {seconds:.1f} |" + ("" if complete == 1.0 else " cut short"),
        flush=True,
    )
    return [right, majority, seconds * len(found)]


def main() -> None:
    """Print the table and its means."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, help="folder with the sets")
    parser.add_argument("--sets", nargs="*", default=list(SETS))
    parser.add_argument("--loss", default="logistic")
    parser.add_argument("--alphas", type=int, default=10)
    parser.add_argument("--eps", type=float, default=3e-3)
    parser.add_argument("--time-limit", type=float, default=60.0, help="seconds for each fit")
    parser.add_argument("--repeat", type=int, default=1, help="not used: each fold is a repetition")
    parser.add_argument("--quick", action="store_true", help="one small set of scikit-learn")
    args = parser.parse_args()
    options = {
        "alphas": 3 if args.quick else args.alphas, "eps": 0.1 if args.quick else args.eps,
        "loss": args.loss, "cv": StratifiedKFold(3, shuffle=True, random_state=0),
        "tol": 1e-3, "time_limit": args.time_limit,
    }  # fmt: skip
    print(f"Python {platform.python_version()}, {platform.machine()}; loss {args.loss}\n")
    print("| set | n x d | accuracy % | majority | neurons | relative gap | seconds per fit |")
    print("|---|---|---|---|---|---|---|")
    rows = [row("breast cancer, first rows", *small(), options)] if args.quick else []
    for name in args.sets if args.data is not None and not args.quick else []:
        if not (args.data / f"{name}.csv").is_file():
            print(f"| {name} | skipped: no {name}.csv in {args.data} |")
            continue
        rows.append(row(name, *read(args.data, name), options))
    if rows:
        right, majority, _ = np.mean(rows, axis=0)
        print(f"\nMean accuracy {right:.1f} % over {len(rows)} sets (majority {majority:.1f} %), "
              f"{sum(r[2] for r in rows):.0f} s in all.")  # fmt: skip


if __name__ == "__main__":
    main()
