"""From a CSV file to numbers for a fit: target, weights, missing values, text columns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from .column_numbers import (
    check_count,
    finite_numbers,
    is_text,
    odd_text,
    refuse_vanishing,
    weight_numbers,
)
from .csv_files import DataError, is_number, listed, read_csv, require
from .targets import Target, read_target
from .wording import counted

__all__ = ["Column", "DataError", "Table", "read_inputs", "read_table"]

Array = NDArray[np.float64]

MAX_LEVELS = 20
"""A text column with more distinct values than this is not one-hot encoded."""


@dataclass(frozen=True)
class Column:
    """A column of the file and how it becomes features.

    Attributes
    ----------
    name : str
    levels : tuple of str or None
        The distinct values of a text column, None for numbers. Two levels become one feature
        (1 for the second level), more become one feature each.
    """

    name: str
    levels: tuple[str, ...] | None = None

    @property
    def features(self) -> list[str]:
        """Return the names of the features."""
        if self.levels is None:
            return [self.name]
        shown = self.levels[1:] if len(self.levels) == 2 else self.levels
        return [f"{self.name}={level}" for level in shown]


@dataclass(frozen=True)
class Table:
    """Numbers for a fit.

    Attributes
    ----------
    X : DataFrame of shape (n_rows, n_features)
    target : Target
        Numbers or classes.
    weights : ndarray of shape (n_rows,) or None
    columns : list of Column
        How the columns of the file became the features.
    lines : ndarray of shape (n_rows,)
        Row numbers in the file, from 1, header not counted.
    notes : list of str
        Sentences about what was done to the file.
    """

    X: pd.DataFrame
    target: Target
    weights: Array | None
    columns: list[Column]
    lines: NDArray[np.int64]
    notes: list[str]

    @property
    def y(self) -> Array:
        """Numbers, or codes of classes, (n_rows,)."""
        return self.target.values

    @property
    def classes(self) -> tuple[str, ...] | None:
        """Names of the classes, None for numbers."""
        return self.target.classes


def read_table(
    path: Path,
    target: str,
    *,
    weights: str | None = None,
    drop: Sequence[str] = (),
    drop_missing: bool = False,
    classify: bool | None = None,
) -> Table:
    """Return the numbers of a CSV file for a fit.

    Parameters
    ----------
    path : Path
    target : str
        Column to predict.
    weights : str, default=None
        Column of sample weights >= 0.
    drop : sequence of str
        Columns to leave out.
    drop_missing : bool, default=False
        Leave rows with missing values out instead of refusing the file.
    classify : bool or None, default=None
        Whether the target holds classes; None: if it is text, or true and false.

    Raises
    ------
    DataError
        With one sentence that names the fault and the remedy.
    """
    frame, notes = read_csv(path)
    special = [target] if weights is None else [target, weights]
    require(frame, [*special, *drop], path)
    for name in set(special) & set(drop):
        raise DataError(f"Column {name!r} cannot be both used and dropped; leave out --drop.")
    if target == weights:
        raise DataError(f"Column {target!r} cannot be both target and weights; name two columns.")
    frame = frame.drop(columns=list(drop))
    frame = frame[_complete(frame, drop_missing, notes, path, remedy=_DROP_COLUMNS)]
    read = read_target(frame[target], classify, notes)
    sample_weight = None if weights is None else weight_numbers(frame[weights])
    check_count(len(frame), sample_weight, path)
    inputs = frame.drop(columns=special)
    columns = [_describe(inputs[name]) for name in inputs if _varies(inputs[name], notes)]
    if not columns:
        why = f": constant are {listed(list(inputs))}" if len(inputs.columns) else ""
        raise DataError(
            f"{path} has no column left to predict {target!r} from{why}; add columns that vary."
        )
    numbers = [column.name for column in columns if column.levels is None]
    for name in numbers if read.classes is not None else [target, *numbers]:
        refuse_vanishing(frame[name])
    notes += [_about_text(inputs[c.name], c) for c in columns if c.levels is not None]
    lines = frame.index.to_numpy() + 1
    return Table(encode(inputs, columns, path), read, sample_weight, columns, lines, notes)


def read_inputs(
    path: Path, columns: Sequence[Column], *, drop_missing: bool = False
) -> tuple[pd.DataFrame, pd.DataFrame, list[str]]:
    """Return the features that a model needs, the rows of the file they are from, and notes."""
    text = [column.name for column in columns if column.levels is not None]
    frame, notes = read_csv(path, text)
    require(frame, [column.name for column in columns], path)
    needed = frame[[column.name for column in columns]]
    keep = _complete(needed, drop_missing, notes, path)
    return encode(needed[keep], columns, path), frame[keep], notes


_DROP_COLUMNS = ", leave those columns out with --drop"


def _complete(
    frame: pd.DataFrame, drop_missing: bool, notes: list[str], path: Path, *, remedy: str = ""
) -> NDArray[np.bool_]:
    """Return which rows have no missing value; refuse the file if some have and may not go."""
    missing = frame.isna()
    bad: NDArray[np.bool_] = missing.any(axis=1).to_numpy()
    if not bad.any():
        return ~bad
    counts = missing.sum()
    where = ", ".join(
        f"{name!r} ({counted(int(count), 'row')})" for name, count in counts[counts > 0].items()
    )
    if not drop_missing:
        first = int(np.argmax(bad)) + 1
        raise DataError(
            f"{path} has missing values in {where}, first in data row {first}, {bad.sum()} of "
            f"{len(bad)} rows in all: fill them in{remedy}, or leave those rows out with "
            "--drop-missing."
        )
    if bad.all():
        raise DataError(f"Every row of {path} has a missing value ({where}): fill them in{remedy}.")
    verb = "is" if bad.sum() == 1 else "are"
    notes.append(f"{bad.sum()} of {len(bad)} rows {verb} left out for missing values in {where}.")
    return ~bad


def _varies(column: pd.Series, notes: list[str]) -> bool:
    if column.nunique() > 1:
        return True
    notes.append(f"Column {column.name!r} always holds {column.iloc[0]!s}: it is left out.")
    return False


def _describe(column: pd.Series) -> Column:
    """Return how a column becomes features."""
    name = str(column.name)
    if not is_text(column):
        return Column(name)
    levels = sorted(column.astype(str).unique())
    if len(levels) > MAX_LEVELS:
        row, value = odd_text(column)
        numbers = sum(is_number(str(cell)) for cell in column)
        verb = "holds" if numbers == 1 else "hold"
        rest = f" while {counted(numbers, 'row')} {verb} numbers" if numbers else ""
        raise DataError(
            f"Column {name!r} holds text such as {value!r} (data row {row}){rest}, with "
            f"{len(levels)} different values where at most {MAX_LEVELS} can be encoded: correct "
            f"it, turn it into numbers, or leave it out with --drop {name}."
        )
    return Column(name, tuple(levels))


def _about_text(cells: pd.Series, column: Column) -> str:
    """Return what became of a text column, as a sentence."""
    numbers = sum(is_number(str(cell)) for cell in cells)
    count = len(column.features)
    mixed = f" (with numbers in {counted(numbers, 'row')})" if numbers else ""
    return (
        f"Text column {column.name!r}{mixed} "
        f"becomes {counted(count, 'column')} of 0 and 1: "
        f"{listed(column.features, 6)}."
    )


def encode(frame: pd.DataFrame, columns: Sequence[Column], path: Path) -> pd.DataFrame:
    """Return the features that the columns describe, as float64."""
    features: dict[str, Any] = {}
    for column in columns:
        values = frame[column.name]
        if column.levels is None:
            features[column.name] = finite_numbers(values, "The input")
            continue
        text = values.astype(str)
        strange = text[~text.isin(column.levels)]
        if len(strange):
            raise DataError(
                f"Column {column.name!r} of {path} holds {strange.iloc[0]!r} in data row "
                f"{strange.index[0] + 1}, which the model has not seen; it knows "
                f"{listed(column.levels, 20)}."
            )
        for name, level in zip(
            column.features, column.levels[-len(column.features) :], strict=True
        ):
            features[name] = (text == level).to_numpy(dtype=np.float64)
    names = [name for column in columns for name in column.features]
    if len(set(names)) < len(names):
        raise DataError("Encoded text columns have the same name as other columns; rename one.")
    return pd.DataFrame(features, index=frame.index, columns=names)
