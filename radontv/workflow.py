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
from .csv_files import DataError, listed
from .default_penalty import largest_alpha
from .file_estimator import (
    RARE_CLASS,
    FileEstimator,
    announcement,
    blank_estimator,
    check_folds,
    estimator_for,
    parts_of_folds,
)
from .held_out import rows_to_fit
from .models import Model, package_version
from .options import FitOptions
from .penalty_choice import PenaltyChooser
from .problems import Certificate, RadonTVProblem
from .problems.existence import check_existence
from .quality import ClassQuality, Quality
from .results import ResultsFolder
from .solvers import Status
from .solving import FitProblem
from .summaries import Summary
from .tables import Table, read_table
from .tuning import Tuning
from .wording import counted

Array = NDArray[np.float64]
Say = Callable[[str], None]


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
    train = rows_to_fit(table, options, notes)
    weights = np.ones(len(table.y)) if table.weights is None else table.weights
    counts = train & (weights > 0)
    check_folds(options, table.y[counts], table.classes, notes)
    _check_classes(table, counts)
    _check_counts(table, options)
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
    _fit(estimator, table, train, options)
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


def _check_classes(table: Table, counts: NDArray[np.bool_]) -> None:
    """Raise a DataError if a class has no row that counts."""
    for code, name in enumerate(table.classes or ()):
        if not (table.y[counts] == code).any():
            raise DataError(
                f"Class {name!r} has no row of positive weight to fit; correct the weights, or "
                "leave its rows out of the file."
            )


def _check_counts(table: Table, options: FitOptions) -> None:
    """Raise a DataError if --loss poisson meets a negative number."""
    if options.loss == "poisson" and (table.y < 0.0).any():
        row = int(np.argmax(table.y < 0.0))
        raise DataError(
            f"Column {options.target!r} holds {table.y[row]:g} in data row {table.lines[row]}, but "
            "--loss poisson needs counts, which are >= 0: correct it, or choose another loss."
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
        estimator._foresee([data, *parts_of_folds(options, data, table.classes is not None)])
        if isinstance(estimator, NetworkClassifier):
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
        "class of the rows to fit, or of those of a fold: labels count as right with probability "
        f"{1.0 - smoothing:g}."
    )


def _fit(
    estimator: FileEstimator, table: Table, train: NDArray[np.bool_], options: FitOptions
) -> None:
    weights = None if table.weights is None else table.weights[train]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # the report says it in full
        warnings.filterwarnings("ignore", RARE_CLASS)  # a note says it
        try:
            estimator.fit(table.X[train], table.y[train], weights)
        except ValueError as error:
            raise DataError(f"Column {options.target!r} and its inputs: {error}") from None


def _quality(
    estimator: FileEstimator, table: Table, values: Array, rows: NDArray[np.bool_]
) -> Quality | ClassQuality:
    """Return the quality of values of a network at some rows."""
    weights = None if table.weights is None else table.weights[rows]
    if isinstance(estimator, NetworkClassifier):
        logistic = estimator.loss == "logistic"
        return ClassQuality.of(table.y[rows], values[rows], weights, logistic=logistic)
    return Quality.of(table.y[rows], estimator._means(values[rows]), weights)
