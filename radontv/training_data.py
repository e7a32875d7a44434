"""The data of a fit: valid rows of positive weight, or an error that names the argument."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import _check_sample_weight, validate_data

from .input_faults import plain_faults
from .problems.checks import refuse_overflow

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class TrainingData:
    """Rows of positive weight.

    Attributes
    ----------
    rows : ndarray of shape (n, n_features)
    targets : ndarray of shape (n,) or (n, n_outputs)
        Numbers, or class codes 0, 1, ...
    weights : ndarray of shape (n,)
    live : ndarray of bool, one for each row that was passed
        Which of them these are.
    """

    rows: Array
    targets: Array
    weights: Array
    live: NDArray[np.bool_]

    def at(self, chosen: NDArray[np.intp]) -> TrainingData:
        """Return some of the rows."""
        return TrainingData(
            self.rows[chosen],
            self.targets[chosen],
            self.weights[chosen],
            np.ones(len(chosen), dtype=bool),
        )


def training_data(
    estimator: BaseEstimator,
    X: ArrayLike,
    y: ArrayLike,
    sample_weight: ArrayLike | None,
    *,
    reset: bool,
    multi_output: bool = False,
) -> TrainingData:
    """Return float64 rows, targets and weights, those of weight 0 left out.

    Parameters
    ----------
    estimator : BaseEstimator
        Told number and names of the features if `reset`, otherwise they must agree with its own.
    X, y, sample_weight : array-like
        As for `fit`; no weights are weights of 1.
    reset : bool
    multi_output : bool, default=False
        Whether `y` may have columns.

    Raises
    ------
    ValueError
        If something is misshapen, not finite or so large that squares overflow; what is wrong
        with rows of weight 0 does not matter, as long as it is finite.
    """
    with plain_faults(X, y, labels=False):
        rows, targets = validate_data(
            estimator,
            X,
            y,
            dtype=np.float64,
            y_numeric=True,
            multi_output=multi_output,
            reset=reset,
        )
        targets = np.asarray(targets, dtype=np.float64)
    rows, targets, weights, live = _live(rows, targets, sample_weight)
    refuse_overflow("y", targets)
    return TrainingData(rows, targets, weights, live)


def labelled_data(
    estimator: BaseEstimator,
    X: ArrayLike,
    y: ArrayLike,
    sample_weight: ArrayLike | None,
    *,
    reset: bool,
) -> tuple[TrainingData, NDArray[Any]]:
    """Return rows whose targets are codes of classes, and the classes of any dtype, sorted.

    The classes are those of rows of positive weight. Parameters and errors are those of
    `training_data`; targets that are no classes, such as fractions, are refused.
    """
    with plain_faults(X, y, labels=True):
        rows, labels = validate_data(estimator, X, y, dtype=np.float64, reset=reset)
        check_classification_targets(labels)
        np.unique(labels)
    rows, labels, weights, live = _live(rows, labels, sample_weight)
    classes, codes = np.unique(labels, return_inverse=True)
    return TrainingData(rows, codes.astype(np.float64), weights, live), classes


def _live(
    rows: Array, targets: NDArray[Any], sample_weight: ArrayLike | None
) -> tuple[Array, NDArray[Any], Array, NDArray[np.bool_]]:
    """Return what has a positive weight, the weights, and which rows these are."""
    try:
        weights: Array = _check_sample_weight(sample_weight, rows, dtype=float)
    except ValueError as error:
        if "convert" not in str(error):
            raise
        raise ValueError(f"sample_weight must hold numbers: {error}.") from None
    if (weights < 0.0).any():
        where = int(np.argmin(weights))
        raise ValueError(
            f"sample_weight must be >= 0, but entry {where} is {weights[where]:g}; use 0 to leave "
            "a row out."
        )
    if not weights.any():
        raise ValueError("Sample weights are all zero; at least one row needs a positive weight.")
    live = weights > 0
    rows, targets, weights = rows[live], targets[live], weights[live]
    refuse_overflow("X", rows)
    refuse_overflow("sample_weight", weights)
    return rows, targets, weights, live
