"""What `radontv predict` does: from a saved model and a CSV file to predictions."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd

from .csv_files import DataError, listed
from .models import load_model
from .problems.atomic_files import whole_file
from .summaries import Quality
from .tables import read_inputs
from .wording import counted


def predict_file(
    model_path: Path, data: Path, out: Path, drop_missing: bool, say: Callable[[str], None]
) -> None:
    """Write the predictions of a saved model for a file."""
    model = load_model(model_path)
    X, frame, notes = read_inputs(data, model.columns, drop_missing=drop_missing)
    _check_out(out, data, model_path)
    for note in notes:
        say(note)
    predicted = model.predict(X.to_numpy())
    rows = frame.index.to_numpy() + 1
    result = pd.DataFrame({"row": rows, "prediction": predicted})
    actual = frame.get(model.target)
    if actual is not None and not pd.api.types.is_numeric_dtype(actual):
        actual = None
    if actual is not None:
        result.insert(1, "actual", actual.to_numpy())
    with whole_file(out) as path:
        result.to_csv(path, index=False)
    say(f"{counted(len(rows), 'prediction')} of {model.target!r} in {out}.")
    if actual is not None:
        values = actual.to_numpy(dtype=np.float64, na_value=np.nan)
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
