"""What a file's target is: numbers, or classes by name."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from .column_numbers import finite_numbers, is_text
from .csv_files import DataError, is_number, listed

Array = NDArray[np.float64]

MAX_CLASSES = 50
"""A target with more different values than this is no class."""
FEW_NUMBERS = 5
"""Whole numbers with at most so many values may be meant as classes."""


@dataclass(frozen=True, eq=False)
class Target:
    """The target of a fit.

    Attributes
    ----------
    values : ndarray of shape (n_rows,)
        Numbers, or codes 0, 1, ... of classes.
    classes : tuple of str or None
        The names of the classes, None for numbers.
    """

    values: Array
    classes: tuple[str, ...] | None = None

    @property
    def shown(self) -> NDArray[Any]:
        """Numbers, or names of classes."""
        return self.values if self.classes is None else names_of(self.values, self.classes)


def read_target(column: pd.Series, classify: bool | None, notes: list[str]) -> Target:
    """Return the target that a column holds.

    Text without numbers and truth values are classes, numbers are numbers, unless `classify` says
    otherwise; what a reader could overlook becomes a note.

    Raises
    ------
    DataError
        If the column is not what it is taken for.
    """
    if classify is None:
        classify = _holds_classes(column)
    if classify:
        return _classes(column)
    values = finite_numbers(column, "The target")
    found = np.unique(values)
    if len(found) <= FEW_NUMBERS and (found == np.floor(found)).all():
        notes.append(
            f"Target {column.name!r} holds only {listed([f'{v:g}' for v in found])}, taken for "
            "numbers; --classify takes them for classes."
        )
    return Target(values)


def names_of(codes: NDArray[Any], classes: tuple[str, ...]) -> NDArray[Any]:
    """Return the names of class codes."""
    names: NDArray[Any] = np.array(classes, dtype=object)[np.asarray(codes, dtype=np.intp)]
    return names


def class_names(column: pd.Series) -> list[str | None]:
    """Return cells as names of classes: whole numbers without a point, None where missing."""
    return [None if pd.isna(cell) else _name(cell) for cell in column]


def _holds_classes(column: pd.Series) -> bool:
    if pd.api.types.is_bool_dtype(column):
        return True
    return is_text(column) and not any(is_number(str(cell)) for cell in column)


def _name(cell: Any) -> str:
    if isinstance(cell, float | np.floating) and float(cell).is_integer():
        return str(int(cell))
    return str(cell)


def _classes(column: pd.Series) -> Target:
    """Return codes, with classes in the order of numbers, or of the alphabet."""
    names = [_name(cell) for cell in column]
    different = set(names)
    numbers = all(is_number(name) for name in different)
    classes = tuple(sorted(different, key=lambda n: (float(n) if numbers else 0.0, n)))
    if len(classes) > MAX_CLASSES:
        raise DataError(
            f"The target column {column.name!r} holds {len(classes)} different values such as "
            f"{names[0]!r}, where at most {MAX_CLASSES} classes can be told apart: correct it, "
            "choose another column, or, if they are numbers, leave out --classify and a --loss for "
            "classes."
        )
    if len(classes) < 2:
        raise DataError(
            f"The target column {column.name!r} always holds {classes[0]!r}; classes need at "
            "least two different values, so choose another column."
        )
    place = {name: code for code, name in enumerate(classes)}
    return Target(np.array([place[name] for name in names], dtype=np.float64), classes)
