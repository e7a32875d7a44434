"""Columns of a file as numbers that float64 can work with, or one sentence with the remedy."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from .csv_files import DataError, is_number
from .wording import counted

Array = NDArray[np.float64]

FEWEST_ROWS = 3
LARGEST, SMALLEST = 1e100, 1e-100
"""Sizes of numbers whose squares and products stay within float64."""


def is_text(column: pd.Series) -> bool:
    """Return True unless pandas reads the column as numbers or as truth values."""
    return not (pd.api.types.is_numeric_dtype(column) or pd.api.types.is_bool_dtype(column))


def finite_numbers(column: pd.Series, role: str) -> Array:
    """Return a column as finite float64."""
    if is_text(column):
        row, text = odd_text(column)
        raise DataError(
            f"{role} column {column.name!r} holds text such as {text!r} in data row {row}; it "
            "must hold numbers, so correct those cells or choose another column."
        )
    values: Array = column.to_numpy(dtype=np.float64)
    infinite = ~np.isfinite(values)
    if infinite.any():
        raise DataError(
            f"Column {column.name!r} holds infinity in {counted(int(infinite.sum()), 'row')}, "
            "first in data row "
            f"{column.index[int(np.argmax(infinite))] + 1}; replace it or leave those rows out."
        )
    large = np.abs(values) > LARGEST
    if large.any():
        row = int(np.argmax(large))
        raise DataError(
            f"Column {column.name!r} holds numbers above {LARGEST:g} in size, such as "
            f"{values[row]:g} in data row {column.index[row] + 1}; rescale it."
        )
    return values


def weight_numbers(column: pd.Series) -> Array:
    """Return a column of weights, which must be >= 0."""
    weights = finite_numbers(column, "The weight")
    if (weights < 0).any():
        row = int(np.argmax(weights < 0))
        raise DataError(
            f"Weights in column {column.name!r} must be >= 0, but that of data row "
            f"{column.index[row] + 1} is {weights[row]:g}; correct it, or use 0 to leave the row "
            "out."
        )
    small = (weights > 0) & (weights < SMALLEST * weights.max())
    if small.any():
        row = int(np.argmax(small))
        raise DataError(
            f"Weights in column {column.name!r} go from {weights.max():g} down to {weights[row]:g} "
            f"in data row {column.index[row] + 1}, too unequal for float64; set small ones to 0."
        )
    return weights


def check_count(n: int, weights: Array | None, path: Path) -> None:
    """Raise a DataError if there are too few rows to fit."""
    if n < FEWEST_ROWS:
        raise DataError(
            f"{path} has {counted(n, 'usable row')}; at least {FEWEST_ROWS} are needed, so add "
            "data."
        )
    live = n if weights is None else int((weights > 0).sum())
    if live < FEWEST_ROWS:
        raise DataError(
            f"{path} has {counted(live, 'row')} of positive weight; at least {FEWEST_ROWS} are "
            "needed, so correct the weights."
        )


def refuse_vanishing(column: pd.Series) -> None:
    """Raise a DataError if squares of the values, or of their differences, vanish."""
    values = column.to_numpy(dtype=np.float64)
    largest, spread = float(np.abs(values).max()), float(np.ptp(values))
    for size, what in ((largest, "holds numbers up to"), (spread, "varies by no more than")):
        if 0.0 < size < SMALLEST:
            raise DataError(
                f"Column {column.name!r} {what} {size:.3g} in size, whose squares vanish in "
                f"float64; rescale it above {SMALLEST:g}."
            )


def odd_text(column: pd.Series) -> tuple[int, str]:
    """Return data row and value of the first cell that is not a number."""
    for row, value in column.items():
        if not is_number(str(value)):
            return int(str(row)) + 1, str(value)
    return int(str(column.index[0])) + 1, str(column.iloc[0])
