"""What `radontv predict` does: from a saved model and a CSV file to predictions."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from .csv_files import DataError, listed
from .models import Model, load_model
from .problems.atomic_files import whole_file
from .quality import ClassQuality, Quality
from .scores import classes_of, probabilities_of
from .tables import read_inputs
from .targets import class_names, names_of
from .wording import counted

Array = NDArray[np.float64]


def predict_file(
    model_path: Path, data: Path, out: Path, drop_missing: bool, say: Callable[[str], None]
) -> None:
    """Write the predictions of a saved model for a file."""
    model = load_model(model_path)
    X, frame, notes = read_inputs(data, model.columns, drop_missing=drop_missing)
    _check_out(out, data, model_path)
    for note in notes:
        say(note)
    columns = predictions_of(model, X.to_numpy())
    rows = frame.index.to_numpy() + 1
    result = pd.DataFrame({"row": rows, **columns})
    actual = _actual(model, frame.get(model.target))
    if actual is not None:
        result.insert(1, "actual", actual)
    with whole_file(out) as path:
        result.to_csv(path, index=False)
    say(f"{counted(len(rows), 'prediction')} of {model.target!r} in {out}.")
    if actual is not None and model.classes is not None:
        say(_compared_classes(model, actual, X.to_numpy()))
    elif actual is not None:
        predicted, values = columns["prediction"], actual
        known = np.isfinite(values)
        if known.any():
            say(_compared(Quality.of(values[known], predicted[known])))
        if np.isinf(values).any():
            say(f"Infinite values of {model.target!r}, which are compared with nothing: "
                f"{np.isinf(values).sum()}.")  # fmt: skip
    names = {column.name for column in model.columns}
    unused = [name for name in frame if name != model.target and name not in names]
    if unused:
        say(f"Not used by the model: {listed(unused)}.")


def predictions_of(model: Model, X: Array) -> dict[str, NDArray[Any]]:
    """Return columns of a table: predictions, for classes with probabilities or scores."""
    if model.classes is None:
        return {"prediction": model.predict(X)}
    scores, classes = model.values(X), model.classes
    columns: dict[str, NDArray[Any]] = {"prediction": names_of(classes_of(scores), classes)}
    if model.has_probabilities:
        shares = probabilities_of(scores)
        return columns | {f"p({name})": shares[:, c] for c, name in enumerate(classes)}
    if scores.ndim == 1:
        return columns | {f"score({classes[1]})": scores}
    return columns | {f"score({name})": scores[:, c] for c, name in enumerate(classes)}


def _actual(model: Model, column: pd.Series | None) -> NDArray[Any] | None:
    """Return what the file says of the target: numbers, or names of classes, or nothing."""
    if column is None:
        return None
    if model.classes is not None:
        return np.array(class_names(column), dtype=object)
    if not pd.api.types.is_numeric_dtype(column):
        return None
    values: NDArray[Any] = column.to_numpy(dtype=np.float64, na_value=np.nan)
    return values


def _compared_classes(model: Model, actual: NDArray[Any], X: Array) -> str:
    """Return how many classes are right, and which were taken for which."""
    classes = model.classes or ()
    known = np.array([name in classes for name in actual], dtype=bool)
    if not known.any():
        return "None of the known values is a class of the model."
    codes = np.array([classes.index(name) for name in actual[known]], dtype=np.float64)
    quality = ClassQuality.of(codes, model.values(X[known]), logistic=model.has_probabilities)
    lines = [f"Against {counted(quality.rows, 'known value')}: {quality}."]
    strange = sorted({str(name) for name in actual[~known] if name is not None})
    if strange:
        lines.append(f"Classes that the model does not know: {listed(strange)}.")
    return "\n".join(lines + [f"  {line}" for line in quality.table(classes)])


def _compared(quality: Quality) -> str:
    """Return how near the predictions are to the values that are known."""
    known = f"the {quality.rows} known values" if quality.rows > 1 else "the one known value"
    if quality.r2 is not None:
        return f"Against {known}: R^2 = {quality.r2:.4f}, typical error {quality.rmse:.4g}."
    why = "all known values are equal" if quality.rows > 1 else "it needs two known values"
    return f"Against {known}: typical error {quality.rmse:.4g}; R^2 is undefined, as {why}."


def _check_out(out: Path, data: Path, model: Path) -> None:
    """Raise a DataError if the predictions would replace their own sources, or have no place."""
    if out.is_dir():
        raise DataError(f"--out {out} is a folder; name a file.")
    if not out.parent.is_dir():
        raise DataError(f"--out {out}: there is no folder {out.parent}; make it first.")
    model = model / "model.json" if model.is_dir() else model
    for source, role in ((data, "the data"), (model, "the model")):
        if out.exists() and out.samefile(source):
            raise DataError(f"--out {out} would overwrite {role}; name another file.")
