"""Reading CSV files: a table with names, or one sentence that says what to mend."""

from __future__ import annotations

import csv
import difflib
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from .wording import counted


class DataError(ValueError):
    """A fault of a file or of an argument; the message is one sentence with its remedy."""


def read_csv(path: Path, text_columns: Sequence[str] = ()) -> tuple[pd.DataFrame, list[str]]:
    """Return the table of a CSV file with separator comma, semicolon or tab, and notes.

    Parameters
    ----------
    path : Path
    text_columns : sequence of str
        Columns that are text even where every cell looks like a number.

    Raises
    ------
    DataError
        With one sentence that names the fault and the remedy.
    """
    text = _read_text(path)
    first = next((line for line in text.splitlines() if line.strip()), "")
    separator = max(",;\t", key=first.count)
    names = _header(path, text, separator)
    decimal = "," if separator != "," and _has_decimal_commas(text, separator) else "."
    notes = [f"Numbers in {path.name} are read with decimal commas."] if decimal == "," else []
    try:
        frame = pd.read_csv(
            path,
            sep=separator,
            decimal=decimal,
            header=None,
            names=list(range(len(names))),
            dtype={k: str for k, name in enumerate(names) if name in text_columns},
            skiprows=_lines_before_data(text, separator),
            skipinitialspace=True,
            na_values=["?"],
            encoding="utf-8-sig",
            low_memory=False,
        )
    except pd.errors.EmptyDataError:
        frame = pd.DataFrame()
    if len(frame) == 0:
        raise DataError(f"{path} has a header but no rows; add rows of data.")
    unnamed = [k for k, name in enumerate(names) if not name]
    for k in unnamed:
        if not (frame[k].isna().all() or (k == 0 and _counts_rows(frame[k]))):
            raise DataError(f"Column {k + 1} of {path} has no name; name it in the first line.")
        if not frame[k].isna().all():
            notes.append("The first column has no name and numbers the rows: it is left out.")
    frame = frame.drop(columns=unnamed)
    frame.columns = pd.Index([name for name in names if name])
    for name in frame.columns.difference(list(text_columns)):
        frame[name] = _with_long_integers(frame[name])
    return frame, notes


def _with_long_integers(column: pd.Series) -> pd.Series:
    """Return a column of integers as numbers even if some do not fit into 64 bits."""
    if pd.api.types.is_numeric_dtype(column) or pd.api.types.is_bool_dtype(column):
        return column
    cells = column.dropna().astype(str)
    whole = cells.str.fullmatch(r"\s*[+-]?\d+\s*")
    return pd.to_numeric(column).astype(np.float64) if len(cells) and whole.all() else column


def _read_text(path: Path) -> str:
    if path.is_dir():
        raise DataError(f"{path} is a folder; name a CSV file.")
    if not path.exists():
        near = (
            [p.name for p in path.parent.glob("*") if p.is_file()] if path.parent.is_dir() else []
        )
        raise DataError(f"There is no file {path}{suggestion(path.name, near)}; check the name.")
    raw = path.read_bytes()
    if raw[:2] == b"PK" or raw[:4] == b"\xd0\xcf\x11\xe0":
        raise DataError(f"{path} looks like a spreadsheet; save it as CSV first.")
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(
            f"{path} is not UTF-8 text (byte {error.start}); save it as CSV in UTF-8."
        ) from None
    if "\0" in text:
        raise DataError(f"{path} is not a text file; save the table as CSV in UTF-8.")
    if not text.strip():
        raise DataError(f"{path} is empty; it needs a line of column names and rows of data.")
    return text


def _records(text: str, separator: str) -> Iterable[tuple[int, list[str]]]:
    """Yield the last line number and the cells of every record that is not blank."""
    reader = csv.reader(text.splitlines(keepends=True), delimiter=separator, skipinitialspace=True)
    for cells in reader:
        if cells:
            yield reader.line_num, cells


def _header(path: Path, text: str, separator: str) -> list[str]:
    """Return the column names after checking them and the length of every row."""
    records = iter(_records(text, separator))
    names = [name.strip() for name in next(records)[1]]
    if all(is_number(name) for name in names):
        raise DataError(
            f"The first line of {path} holds only numbers; put a line of column names above it."
        )
    twice = sorted({name for name in names if name and names.count(name) > 1})
    if twice:
        raise DataError(f"{path} has more than one column {listed(twice)}; rename them.")
    for line, cells in records:
        if len(cells) != len(names):
            raise DataError(
                f"Line {line} of {path} has {counted(len(cells), 'cell')} but the header has "
                f"{len(names)}; correct that line, and quote cells that contain the separator."
            )
    return names


def _lines_before_data(text: str, separator: str) -> int:
    return next(iter(_records(text, separator)))[0]


def _has_decimal_commas(text: str, separator: str) -> bool:
    """Return True if cells such as 1,5 occur and none such as 1.5."""
    comma = False
    for _, cells in _records(text, separator):
        for cell in cells:
            if "." in cell and is_number(cell):
                return False
            comma = comma or ("," in cell and is_number(cell.replace(",", ".", 1)))
    return comma


def is_number(text: str) -> bool:
    """Return True if Python reads the text as a number."""
    try:
        float(text)
    except ValueError:
        return False
    return True


def _counts_rows(column: pd.Series) -> bool:
    values = column.to_numpy()
    return bool(np.issubdtype(values.dtype, np.integer) and (np.diff(values) == 1).all())


def suggestion(name: str, known: Sequence[str]) -> str:
    """Return " (did you mean 'x'?)" for the known name that is nearest, or nothing."""
    folded = {other.casefold(): other for other in known}
    near = difflib.get_close_matches(name.casefold(), folded, n=1)
    return f" (did you mean {folded[near[0]]!r}?)" if near else ""


def require(frame: pd.DataFrame, names: Iterable[str], path: Path) -> None:
    """Raise a DataError if the frame lacks one of the names."""
    known = list(frame.columns)
    for name in names:
        if name not in known:
            raise DataError(
                f"{path} has no column {name!r}{suggestion(name, known)}; its columns are "
                f"{listed(known)}."
            )


def listed(names: Sequence[str], most: int = 12) -> str:
    """Return the first names, quoted and separated by commas."""
    shown = ", ".join(repr(name) for name in names[:most])
    return shown + (f" and {len(names) - most} more" if len(names) > most else "")
