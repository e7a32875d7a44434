"""What the commands do: from a CSV file to a model, its report and pictures, and back."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.exceptions import ConvergenceWarning

from .csv_files import DataError, listed
from .estimators import RadonTVRegressor
from .models import Model, load_model, package_version
from .options import FitOptions
from .problems import RadonTVProblem
from .results import draw_results, write_results
from .solvers import Status
from .standardization import DEFAULT_RATIO, Standardization, alpha_for
from .summaries import Quality, Summary
from .tables import Table, read_inputs, read_table

Array = NDArray[np.float64]
Say = Callable[[str], None]

FEWEST_ROWS = 3
FEWEST_ROWS_TO_HOLD_OUT = 10


def fit_file(options: FitOptions, say: Say) -> Model:
    """Fit a file, write everything into the folder `options.out`, and return the model."""
    options.check()
    table = read_table(
        options.data,
        options.target,
        weights=options.weights,
        drop=options.drop,
        drop_missing=options.drop_missing,
    )
    notes = list(table.notes)
    train = _split(table, options, notes)
    say(
        f"{options.data}: {len(table.y)} rows, {table.X.shape[1]} features, "
        f"{int(train.sum())} rows to fit and {int((~train).sum())} held out."
    )
    for note in notes:
        say(note)
    options.out.mkdir(parents=True, exist_ok=True)
    problem, affine = _yardstick(table, train, options)
    largest = problem.alpha_max()
    ratio = DEFAULT_RATIO if options.alpha_ratio is None else options.alpha_ratio
    alpha = options.alpha or alpha_for(problem, largest, ratio)
    say(_announcement(options, alpha, largest))
    regressor = _fit(table, train, alpha, options)
    predicted = regressor.predict(table.X)
    summary = Summary(
        train=_quality(table, predicted, train),
        test=_quality(table, predicted, ~train) if not train.all() else None,
        train_affine=_quality(table, affine, train),
        test_affine=_quality(table, affine, ~train) if not train.all() else None,
        alpha_max=largest,
        status=regressor.status_,
        rounds=regressor.n_iter_,
        seconds=float(regressor.history_[-1]["seconds"]) if regressor.history_ else 0.0,
        search_gap=min(
            (event["gap"] for event in regressor.history_ if event["scope"] == "local"),
            default=None,
        ),
        notes=notes,
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
    )
    write_results(model, table, train, predicted, options)
    if options.plots:
        draw_results(regressor, table, train, options)
    return model


def _split(table: Table, options: FitOptions, notes: list[str]) -> NDArray[np.bool_]:
    """Return which rows are fitted: all but a random `test_fraction`."""
    n = len(table.y)
    if n < FEWEST_ROWS:
        raise DataError(
            f"{options.data} has {n} usable row{'s' if n != 1 else ''}; at least {FEWEST_ROWS} are "
            "needed, so add data."
        )
    train = np.ones(n, dtype=bool)
    if options.test_fraction > 0 and n < FEWEST_ROWS_TO_HOLD_OUT:
        notes.append(f"All {n} rows are fitted: too few to hold some out.")
    elif options.test_fraction > 0:
        held = max(1, min(round(options.test_fraction * n), n - FEWEST_ROWS))
        train[np.random.default_rng(options.seed).permutation(n)[:held]] = False
    weights = table.weights
    if weights is not None and not (
        weights[train].any() and (weights[~train].any() or train.all())
    ):
        train[:] = True
        notes.append("No rows are held out: too few have a positive weight.")
    return train


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


def _announcement(options: FitOptions, alpha: float, largest: float) -> str:
    """Return what is about to happen."""
    lines = [f"alpha = {alpha:.6g}; the best fit is affine from alpha_max = {largest:.6g} on."]
    if options.prove:
        lines.append(
            "--prove: the lower bound will hold for every network of any size, with margins for "
            "rounding. In many dimensions this can take very long; stopped by --time-limit or "
            "Ctrl-C, the gap that is proved by then is reported."
        )
    if options.progress:
        lines.append("One line per round; Ctrl-C ends the fit and keeps the best network so far.")
    return "\n".join(lines)


def _fit(
    table: Table, train: NDArray[np.bool_], alpha: float, options: FitOptions
) -> RadonTVRegressor:
    regressor = RadonTVRegressor(
        alpha=alpha,
        standardize=options.standardize,
        tol=options.tol,
        scope="global" if options.prove else "local",
        time_limit=options.time_limit,
        max_neurons=options.max_neurons,
        n_jobs=options.jobs,
        random_state=options.seed,
        verbose=int(options.progress),
    )
    weights = None if table.weights is None else table.weights[train]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # the report says it in full
        regressor.fit(table.X[train], table.y[train], weights)
    return regressor


def _quality(table: Table, predicted: Array, rows: NDArray[np.bool_]) -> Quality:
    weights = None if table.weights is None else table.weights[rows]
    return Quality.of(table.y[rows], predicted[rows], weights)


def interrupted(model: Model) -> bool:
    """Return True if Ctrl-C ended the fit."""
    return bool(model.summary.status == Status.INTERRUPTED.value)


def predict_file(model_path: Path, data: Path, out: Path, drop_missing: bool, say: Say) -> None:
    """Write the predictions of a saved model for a file."""
    model = load_model(model_path)
    X, frame, notes = read_inputs(data, model.columns, drop_missing=drop_missing)
    for note in notes:
        say(note)
    predicted = model.network(X.to_numpy())
    rows = frame.index.to_numpy() + 1
    result = pd.DataFrame({"row": rows, "prediction": predicted})
    actual = frame.get(model.target)
    known = actual is not None and pd.api.types.is_numeric_dtype(actual)
    if known:
        result.insert(1, "actual", actual.to_numpy())
    result.to_csv(out, index=False)
    say(f"{len(rows)} predictions of {model.target!r} are in {out}.")
    if known and actual.notna().any():
        there = actual.notna().to_numpy()
        quality = Quality.of(actual.to_numpy(dtype=np.float64)[there], predicted[there])
        say(
            f"Against the {quality.rows} known values: R^2 = {quality.r2:.4f}, "
            f"typical error {quality.rmse:.4g}."
        )
    unused = [name for name in frame if name != model.target and name not in _names(model)]
    if unused:
        say(f"Not used by the model: {listed(unused)}.")


def _names(model: Model) -> set[str]:
    return {column.name for column in model.columns}
