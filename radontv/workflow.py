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

from .classification import NetworkClassifier
from .column_numbers import FEWEST_ROWS
from .csv_files import DataError, listed
from .file_estimator import (
    FileEstimator,
    announcement,
    blank_estimator,
    check_folds,
    estimator_for,
)
from .models import Model, package_version
from .options import FitOptions
from .penalty_choice import PenaltyChooser
from .problems import Certificate, RadonTVProblem
from .problems.existence import check_existence
from .quality import ClassQuality, Quality
from .results import ResultsFolder
from .solvers import Status
from .solving import FitProblem, largest_alpha
from .summaries import Summary
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
    estimator: FileEstimator
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
        classify=options.as_classes,
    )
    folder.check(options.data)
    notes = list(table.notes)
    train = _split(table, options, notes)
    weights = np.ones(len(table.y)) if table.weights is None else table.weights
    check_folds(options, int((train & (weights > 0)).sum()))
    _check_classes(table, train & (weights > 0))
    say(
        f"{options.data}: {counted(len(table.y), 'row')}, "
        f"{counted(table.X.shape[1], 'feature')}, "
        f"{counted(int(train.sum()), 'row')} to fit and {int((~train).sum())} held out."
        + ("" if table.classes is None else f" Classes: {listed(table.classes)}.")
    )
    for note in notes:
        say(note)
    options.out.mkdir(parents=True, exist_ok=True)
    problem, affine, smoothing = _yardstick(table, train, options)
    if smoothing:
        notes.append(_about_smoothing(smoothing))
    largest = largest_alpha(problem)
    known = len(notes) - (1 if smoothing else 0)
    estimator = estimator_for(options, problem, largest, table.classes is not None, notes)
    for note in notes[known:]:
        say(note)
    say(announcement(estimator, largest, options))
    start = time.perf_counter()
    _fit(estimator, table, train)
    seconds = time.perf_counter() - start
    model = Model(
        network=estimator.network_,
        columns=table.columns,
        target=options.target,
        mean=estimator.mean_,
        scale=estimator.scale_,
        certificate=estimator.certificate_,
        summary=_summary(estimator, table, train, affine, largest, seconds, options, notes),
        version=package_version(),
        standard_network=estimator.standardized_network(),
        loss=problem.loss.key,
        classes=table.classes,
    )
    folder.write(model, table, train, options)
    return Fitted(model, estimator, table, train)


def _summary(
    estimator: FileEstimator,
    table: Table,
    train: NDArray[np.bool_],
    affine: Array,
    largest: float,
    seconds: float,
    options: FitOptions,
    notes: list[str],
) -> Summary:
    """Return what happened; `affine` has the values of the best affine function."""
    values, held = estimator._values(table.X), not train.all()
    return Summary(
        train=_quality(estimator, table, values, train),
        test=_quality(estimator, table, values, ~train) if held else None,
        train_affine=_quality(estimator, table, affine, train),
        test_affine=_quality(estimator, table, affine, ~train) if held else None,
        alpha_max=largest,
        status=estimator.status_,
        rounds=estimator.n_iter_,
        seconds=seconds,
        search_gap=_search_gap(estimator.history_, estimator.certificate_),
        prove=options.prove,
        notes=notes,
        tuning=Tuning.of(estimator) if isinstance(estimator, PenaltyChooser) else None,
    )


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
    train[_held_out(table, held, options)] = False
    if (train & live).sum() < FEWEST_ROWS or not (~train & live).any():
        train[:] = True
        notes.append("No rows are held out: too few have a positive weight.")
    return train


def _held_out(table: Table, held: int, options: FitOptions) -> NDArray[np.intp]:
    """Return random rows, of each class its share, but never all of it."""
    order = np.random.default_rng(options.seed).permutation(len(table.y))
    if table.classes is None:
        return order[:held]
    parts = []
    for code in range(len(table.classes)):
        rows = order[table.y[order] == code]
        parts.append(rows[: min(round(options.test_fraction * len(rows)), len(rows) - 1)])
    return np.concatenate(parts)


def _check_classes(table: Table, counts: NDArray[np.bool_]) -> None:
    """Raise a DataError if a class has no row that counts."""
    for code, name in enumerate(table.classes or ()):
        if not (table.y[counts] == code).any():
            raise DataError(
                f"Class {name!r} has no row of positive weight to fit; correct the weights, or "
                "leave its rows out of the file."
            )


def _search_gap(history: list[dict[str, Any]], certificate: Certificate) -> float | None:
    """Return the relative gap to the last bound of the search; earlier ones may be withdrawn."""
    bounds = [event["dual"] for event in history if event["scope"] == "local"]
    if not bounds or not certificate.primal:
        return None
    return float(max(certificate.primal - bounds[-1], 0.0) / abs(certificate.primal))


def _yardstick(
    table: Table, train: NDArray[np.bool_], options: FitOptions
) -> tuple[FitProblem, Array, float]:
    """Return the problem to be solved, the values of its affine fit, and the label smoothing."""
    estimator = blank_estimator(options, table.classes is not None)
    weights = None if table.weights is None else table.weights[train]
    try:
        data = estimator._checked(table.X[train], table.y[train], weights, reset=True)
        smoothing = 0.0
        if isinstance(estimator, NetworkClassifier):
            estimator._settle_smoothing([data])
            smoothing = estimator.label_smoothing_
        problem, change = estimator._prepared(data)
        affine = problem.affine_fit()
        if isinstance(problem, RadonTVProblem):
            check_existence(problem)
    except ValueError as error:
        raise DataError(f"Column {options.target!r} and its inputs: {error}") from None
    return problem, affine(change.inputs(table.X.to_numpy())), smoothing


def _about_smoothing(smoothing: float) -> str:
    return (
        "Without smoothed labels there is no best function, since an affine function separates a "
        f"class: labels count as right with probability {1.0 - smoothing:g}."
    )


def _fit(estimator: FileEstimator, table: Table, train: NDArray[np.bool_]) -> None:
    weights = None if table.weights is None else table.weights[train]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # the report says it in full
        estimator.fit(table.X[train], table.y[train], weights)


def _quality(
    estimator: FileEstimator, table: Table, values: Array, rows: NDArray[np.bool_]
) -> Quality | ClassQuality:
    """Return the quality of values of a network at some rows."""
    weights = None if table.weights is None else table.weights[rows]
    if isinstance(estimator, NetworkClassifier):
        logistic = estimator.loss == "logistic"
        return ClassQuality.of(table.y[rows], values[rows], weights, logistic=logistic)
    return Quality.of(table.y[rows], estimator._means(values[rows]), weights)
