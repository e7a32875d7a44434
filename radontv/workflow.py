"""What `radontv fit` does: from a CSV file to a model and its report; pictures come last."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.exceptions import ConvergenceWarning

from .column_numbers import FEWEST_ROWS
from .csv_files import DataError
from .estimators_cv import RadonTVRegressorCV
from .file_regressor import FileRegressor, announcement, check_folds, regressor_for
from .models import Model, package_version
from .options import FitOptions
from .problems import Certificate, RadonTVProblem
from .results import ResultsFolder
from .solvers import Status
from .standardization import Standardization
from .summaries import Quality, Summary
from .tables import Table, read_table
from .tuning import Tuning
from .wording import counted

Array = NDArray[np.float64]
Say = Callable[[str], None]

FEWEST_ROWS_TO_HOLD_OUT = 10


@dataclass(frozen=True)
class Fitted:
    """A fitted file: the model, and what its pictures are drawn from."""

    model: Model
    regressor: FileRegressor
    table: Table
    train: NDArray[np.bool_]

    @property
    def interrupted(self) -> bool:
        """True if Ctrl-C ended the fit."""
        return bool(self.model.summary.status == Status.INTERRUPTED.value)


def fit_file(options: FitOptions, folder: ResultsFolder, say: Say) -> Fitted:
    """Fit a file and write everything but the pictures into the folder."""
    options.check()
    table = read_table(
        options.data,
        options.target,
        weights=options.weights,
        drop=options.drop,
        drop_missing=options.drop_missing,
    )
    folder.check(options.data)
    notes = list(table.notes)
    train = _split(table, options, notes)
    weights = np.ones(len(table.y)) if table.weights is None else table.weights
    check_folds(options, int((train & (weights > 0)).sum()))
    say(
        f"{options.data}: {counted(len(table.y), 'row')}, "
        f"{counted(table.X.shape[1], 'feature')}, "
        f"{counted(int(train.sum()), 'row')} to fit and {int((~train).sum())} held out."
    )
    for note in notes:
        say(note)
    options.out.mkdir(parents=True, exist_ok=True)
    problem, affine = _yardstick(table, train, options)
    largest = problem.alpha_max()
    known = len(notes)
    regressor = regressor_for(options, problem, largest, notes)
    for note in notes[known:]:
        say(note)
    say(announcement(regressor, largest, options))
    start = time.perf_counter()
    _fit(regressor, table, train)
    seconds = time.perf_counter() - start
    predicted = regressor.predict(table.X)
    summary = Summary(
        train=_quality(table, predicted, train),
        test=_quality(table, predicted, ~train) if not train.all() else None,
        train_affine=_quality(table, affine, train),
        test_affine=_quality(table, affine, ~train) if not train.all() else None,
        alpha_max=largest,
        status=regressor.status_,
        rounds=regressor.n_iter_,
        seconds=seconds,
        search_gap=_search_gap(regressor.history_, regressor.certificate_),
        prove=options.prove,
        notes=notes,
        tuning=Tuning.of(regressor) if isinstance(regressor, RadonTVRegressorCV) else None,
    )
    model = Model(
        network=regressor.network_,
        columns=table.columns,
        target=options.target,
        mean=regressor.mean_,
        scale=regressor.scale_,
        certificate=regressor.certificate_,
        summary=summary,
        version=package_version(),
        standard_network=regressor.standardized_network(),
    )
    folder.write(model, table, train, predicted, options)
    return Fitted(model, regressor, table, train)


def _split(table: Table, options: FitOptions, notes: list[str]) -> NDArray[np.bool_]:
    """Return which rows are fitted: all but a random `test_fraction`."""
    n = len(table.y)
    live = np.ones(n, dtype=bool) if table.weights is None else table.weights > 0
    train = np.ones(n, dtype=bool)
    if options.test_fraction == 0:
        return train
    if n < FEWEST_ROWS_TO_HOLD_OUT:
        notes.append(f"All {n} rows are fitted: too few to hold some out.")
        return train
    held = max(1, round(options.test_fraction * n))
    if n - held < FEWEST_ROWS:
        raise DataError(
            f"--test-fraction {options.test_fraction:g} leaves {n - held} of {n} rows to fit where "
            f"at least {FEWEST_ROWS} are needed; choose at most "
            f"{np.floor(1000 * (1 - FEWEST_ROWS / n)) / 1000:g}."
        )
    train[np.random.default_rng(options.seed).permutation(n)[:held]] = False
    if (train & live).sum() < FEWEST_ROWS or not (~train & live).any():
        train[:] = True
        notes.append("No rows are held out: too few have a positive weight.")
    return train


def _search_gap(history: list[dict[str, Any]], certificate: Certificate) -> float | None:
    """Return the relative gap to the last bound of the search; earlier ones may be withdrawn."""
    bounds = [event["dual"] for event in history if event["scope"] == "local"]
    if not bounds or not certificate.primal:
        return None
    return float(max(certificate.primal - bounds[-1], 0.0) / abs(certificate.primal))


def _yardstick(
    table: Table, train: NDArray[np.bool_], options: FitOptions
) -> tuple[RadonTVProblem, Array]:
    """Return the problem that the estimator will solve, and the affine fit at all rows."""
    X, y = table.X.to_numpy(), table.y
    weights = np.ones(len(y)) if table.weights is None else table.weights
    live = train & (weights > 0)
    change = (
        Standardization.of(X[live], weights[live])
        if options.standardize
        else Standardization.identity(X.shape[1])
    )
    problem = RadonTVProblem(
        change.inputs(X[live]), y[live], alpha=1.0, sample_weight=weights[live]
    )
    return problem, problem.affine_fit()(change.inputs(X))


def _fit(regressor: FileRegressor, table: Table, train: NDArray[np.bool_]) -> None:
    weights = None if table.weights is None else table.weights[train]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # the report says it in full
        regressor.fit(table.X[train], table.y[train], weights)


def _quality(table: Table, predicted: Array, rows: NDArray[np.bool_]) -> Quality:
    weights = None if table.weights is None else table.weights[rows]
    return Quality.of(table.y[rows], predicted[rows], weights)
