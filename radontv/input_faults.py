"""Data that cannot be converted: which cell it is, and what to do, in one sentence."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np


@contextmanager
def plain_faults(X: Any, y: Any, *, labels: bool) -> Iterator[None]:
    """Turn an error of the block into one about the first cell that explains it, if there is one.

    Parameters
    ----------
    X, y : array-like
        What the block converts.
    labels : bool
        Whether `y` holds classes, which may be text, rather than numbers.

    Raises
    ------
    ValueError
        The sentence, or the error of the block.
    """
    try:
        yield
    except (TypeError, ValueError) as error:
        found = _about_inputs(X) or (_about_labels(y) if labels else _about_numbers(y))
        if found is None:
            raise
        raise ValueError(found) from error


def _about_inputs(X: Any) -> str | None:
    """Return a sentence about the first column that is not numeric, or None."""
    named = hasattr(X, "columns") and hasattr(X, "dtypes")
    try:
        columns = (
            ((repr(name), np.asarray(X[name])) for name in X.columns)
            if named
            else ((str(j), column) for j, column in enumerate(np.asarray(X).T))
        )
        for name, column in columns:
            odd = _odd_cell(column)
            if odd is not None:
                row, cell = odd
                return (
                    f"X holds {cell!r} in column {name}, row {row}, which is no number; encode "
                    "such columns first (sklearn.preprocessing.OneHotEncoder does), or drop them."
                )
    except (TypeError, ValueError):  # no table at all: the error of the block says so
        pass
    return None


def _about_numbers(y: Any) -> str | None:
    """Return a sentence about the first target that is no number, or None."""
    odd = _odd_cell(np.asarray(y).ravel())
    if odd is None:
        return None
    row, cell = odd
    return (
        f"y holds {cell!r} in row {row}, which is no number; correct it, or use "
        "RadonTVClassifier if y holds classes."
    )


def _about_labels(y: Any) -> str | None:
    """Return a sentence about the first class that is missing or of another kind, or None."""
    cells = np.asarray(y, dtype=object)
    if y is None or cells.ndim > 2 or (cells.ndim == 2 and cells.shape[1] != 1):
        return None
    cells = cells.ravel()
    for row, cell in enumerate(cells):
        if _is_missing(cell):
            return f"y holds {cell!r} in row {row}, which is no class; drop such rows or fill them."
    text = [isinstance(cell, str) for cell in cells]
    if any(text) and not all(text):
        one, other = cells[text.index(True)], cells[text.index(False)]
        return f"y mixes classes such as {one!r} and {other!r}; make all text or all numbers."
    return None


def _is_missing(cell: Any) -> bool:
    """Return True for None, nan and the missing values of pandas."""
    if cell is None or type(cell).__name__ in ("NAType", "NaTType"):
        return True
    return isinstance(cell, float) and cell != cell


def _odd_cell(column: Any) -> tuple[int, Any] | None:
    """Return row and value of the first cell of an array (n,) that is text or a date."""
    if column.dtype.kind in "biufc":
        return None
    for row, cell in enumerate(column):
        if isinstance(cell, str):
            try:
                float(cell)
            except ValueError:
                return row, str(cell)
        elif isinstance(cell, np.datetime64 | np.timedelta64) or hasattr(cell, "isoformat"):
            return row, str(cell)
    return None
