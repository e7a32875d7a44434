"""Which rows of a file are fitted, and which are held out to measure quality."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .column_numbers import FEWEST_ROWS
from .csv_files import DataError
from .options import FitOptions
from .tables import Table

FEWEST_ROWS_TO_HOLD_OUT = 10


def rows_to_fit(table: Table, options: FitOptions, notes: list[str]) -> NDArray[np.bool_]:
    """Return which rows are fitted: all but a random `test_fraction`.

    Where too few rows are left all are fitted, which becomes a note.

    Raises
    ------
    DataError
        If the options leave fewer rows than a fit needs.
    """
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
