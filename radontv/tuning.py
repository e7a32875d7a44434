"""How cross-validation chose alpha, as a model file keeps it and a report shows it."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .classification import NetworkClassifier
from .penalty_choice import PenaltyChooser
from .regression import NetworkRegressor

Array = NDArray[np.float64]

SQUARED = "mean squared error"


@dataclass(frozen=True)
class Tuning:
    """The curve of validation errors, in plain numbers.

    Attributes
    ----------
    alphas : list of float
        The values tried, decreasing.
    errors : list of list of float or None
        Mean error for each value and fold; None where a fold did not get there, or where
        it is too large for a number.
    mean, standard_error : list of float or None
        Over the folds, for each value.
    chosen : int
        Index of the value chosen.
    selection : str
        The rule, "min" or "1se".
    measure : str
        What is meant by error.
    """

    alphas: list[float]
    errors: list[list[float | None]]
    mean: list[float | None]
    standard_error: list[float | None]
    chosen: int
    selection: str
    measure: str = SQUARED

    @classmethod
    def of(cls, estimator: PenaltyChooser) -> Tuning:
        """Return the curve of a fitted estimator."""
        return cls(
            estimator.alphas_.tolist(),
            [_numbers(row) for row in estimator.error_path_],
            _numbers(estimator.mean_error_),
            _numbers(estimator.standard_error_),
            estimator.best_index_,
            estimator.selection,
            _measure(estimator),
        )

    def describe(self, alpha_max: float) -> str:
        """Return the curve as a table, with a sentence for what a reader could overlook."""
        lines = [
            f"Choice of alpha by {len(self.errors[0])}-fold cross-validation",
            "         alpha   / alpha_max"
            + ("   typical error" if self.measure == SQUARED else "")
            + self.measure.rjust(21)
            + "   standard error",
        ]
        for index, alpha in enumerate(self.alphas):
            ratio = f"{alpha / alpha_max:.3g}" if alpha_max > 0 else "-"
            mean, spread = self.mean[index], self.standard_error[index]
            cells = (
                f"{alpha:.4g}".rjust(14),
                ratio.rjust(14),
                _cell(None if mean is None else math.sqrt(mean)).rjust(16)
                if self.measure == SQUARED
                else "",
                _cell(mean).rjust(21),
                _cell(spread).rjust(17),
            )
            lines.append("".join(cells) + ("  <- chosen" if index == self.chosen else ""))
        return "\n".join(lines + [f"  {remark}" for remark in self._remarks()])

    def _remarks(self) -> list[str]:
        known = sum(mean is not None for mean in self.mean)
        remarks = []
        if self.selection == "1se":
            remarks.append("Chosen: the largest alpha within one standard error of the best.")
        if known < len(self.alphas):
            remarks.append(
                f"--time-limit ended the folds early: the {known} largest values were compared."
            )
        elif self.chosen == len(self.alphas) - 1:
            remarks.append("The smallest alpha is the best: a smaller one might do better still.")
        return remarks


def _measure(estimator: PenaltyChooser) -> str:
    """Return what the errors are, in words."""
    if isinstance(estimator, NetworkRegressor):
        loss = estimator._loss()
        return SQUARED if loss.quadratic else f"mean {loss.name} loss"
    logistic = isinstance(estimator, NetworkClassifier) and estimator.loss == "logistic"
    return "log loss" if logistic else "share of errors"


def _numbers(values: Array) -> list[float | None]:
    """Return a list for JSON, which has no nan and no infinity."""
    return [float(value) if math.isfinite(value) else None for value in values]


def _cell(value: float | None) -> str:
    return "-" if value is None else f"{value:.4g}"
