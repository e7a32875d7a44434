"""How well predictions fit, in numbers: of numbers, and of classes."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .scores import classes_of, log_probabilities_of

Array = NDArray[np.float64]

MOST_SHOWN = 10
"""A table of confusions with more classes than this is left to the file."""


@dataclass(frozen=True)
class Quality:
    """How well predictions z fit targets y with weights s of sum 1.

    Attributes
    ----------
    rows : int
    r2 : float or None
        1 - sum_i s_i (y_i - z_i)^2 / sum_i s_i (y_i - mean)^2, None for constant targets.
    rmse : float
        sqrt(sum_i s_i (y_i - z_i)^2).
    """

    rows: int
    r2: float | None
    rmse: float

    @classmethod
    def of(cls, y: Array, z: Array, weights: Array | None = None) -> Quality:
        """Return the quality of predictions z (n,) of targets y (n,)."""
        s = np.full(len(y), 1.0 / len(y)) if weights is None else weights / weights.sum()
        error = float(s @ (y - z) ** 2)
        live = y[s > 0]
        spread = float(s @ (y - s @ y) ** 2) if np.ptp(live) > 0 else 0.0
        return cls(len(y), 1.0 - error / spread if spread > 0 else None, math.sqrt(error))

    @property
    def error(self) -> float:
        """What is compared: less is better."""
        return self.rmse

    def __str__(self) -> str:
        r2 = "R^2 undefined (constant targets)" if self.r2 is None else f"R^2 = {self.r2:.4f}"
        return f"{r2}, typical error {self.rmse:.4g}"


@dataclass(frozen=True)
class ClassQuality:
    """How well predicted classes fit true ones, with weights s of sum 1.

    Attributes
    ----------
    rows : int
    accuracy : float
        Weight of the rows whose class is right.
    log_loss : float or None
        -sum_i s_i log p_i, p_i the probability of the true class; None without probabilities.
    confusion : list of list of int
        Number of rows of each true class (rows) that are taken for each class (columns).
    """

    rows: int
    accuracy: float
    log_loss: float | None
    confusion: list[list[int]]

    @classmethod
    def of(
        cls, codes: Array, scores: Array, weights: Array | None = None, *, logistic: bool
    ) -> ClassQuality:
        """Return the quality of scores (n,) or (n, C) of class codes (n,)."""
        n = len(codes)
        s = np.full(n, 1.0 / n) if weights is None else weights / weights.sum()
        true, found = np.asarray(codes, dtype=np.intp), classes_of(scores)
        count = 2 if scores.ndim == 1 else scores.shape[1]
        table = np.zeros((count, count), dtype=np.intp)
        np.add.at(table, (true, found), 1)
        loss = None
        if logistic:
            loss = -float(s @ log_probabilities_of(scores)[np.arange(n), true])
        right = float(s @ (true == found))
        return cls(n, right, loss, table.tolist())

    @property
    def error(self) -> float:
        """What is compared: less is better."""
        return 1.0 - self.accuracy

    def __str__(self) -> str:
        right = sum(row[c] for c, row in enumerate(self.confusion))
        loss = "" if self.log_loss is None else f", log loss {self.log_loss:.4g}"
        return f"accuracy {100 * self.accuracy:.2f} % ({right} of {self.rows} right){loss}"

    def table(self, classes: tuple[str, ...]) -> list[str]:
        """Return the confusions as lines of text."""
        if len(classes) > MOST_SHOWN:
            return [f"(the table of {len(classes)} classes is in model.json)"]
        names = [name if len(name) <= 14 else name[:13] + "~" for name in classes]
        width = max(8, *(len(name) + 2 for name in names))
        lines = ["true class".ljust(16) + "taken for", " " * 16 + _cells(names, width)]
        for name, row in zip(names, self.confusion, strict=True):
            lines.append(name.ljust(16) + _cells([str(count) for count in row], width))
        return lines


def _cells(cells: list[str], width: int) -> str:
    return "".join(cell.rjust(width) for cell in cells)
