"""From an argument `cv` to folds of the rows that count."""

from __future__ import annotations

from collections.abc import Mapping
from numbers import Integral
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import check_cv
from sklearn.utils.validation import _check_method_params

from .training_data import TrainingData

Split = tuple[NDArray[np.intp], NDArray[np.intp]]

FOLDS = 5
"""What `cv=None` stands for."""


def folds(
    cv: Any,
    data: TrainingData,
    *,
    classifier: bool = False,
    params: Mapping[str, Any] | None = None,
) -> list[Split]:
    """Return (train, test) for each fold, as positions among the rows of positive weight.

    A row of weight 0 is a removed row: a number of folds and a splitter see the others only.
    Ready-made splits count the rows as they were passed, and lose those of weight 0.

    Parameters
    ----------
    cv : int, splitter, iterable of (train, test), or None
        As in scikit-learn: a number stands for consecutive folds without shuffling (stratified if
        `classifier`), None for `FOLDS` of them.
    data : TrainingData
    classifier : bool, default=False
    params : mapping, default=None
        For ``cv.split``, such as ``groups``; arrays have an entry for each row that was passed.

    Raises
    ------
    ValueError
        If there are fewer rows than folds, no folds, or a part of a fold without rows.
    """
    count = FOLDS if cv is None else cv
    if isinstance(count, Integral):
        _check_count(int(count), len(data.targets), classifier)
    splitter = check_cv(count, data.targets, classifier=classifier)
    if isinstance(count, Integral) or hasattr(cv, "split"):
        kept = _check_method_params(data.live, dict(params or {}), np.flatnonzero(data.live))
        pairs = [
            (np.asarray(train), np.asarray(test))
            for train, test in splitter.split(data.rows, data.targets, **kept)
        ]
    else:
        pairs = [(_live(train, data), _live(test, data)) for train, test in splitter.split()]
    _check_parts(pairs, data)
    return pairs


def _live(part: Any, data: TrainingData) -> NDArray[np.intp]:
    """Return positions among rows of positive weight, from any index of the rows passed."""
    try:
        chosen = np.arange(len(data.live))[part]
    except IndexError as error:
        raise ValueError(
            f"cv holds indices that do not fit the {len(data.live)} rows of X ({error}); make the "
            "splits from the same rows."
        ) from None
    position = np.cumsum(data.live) - 1
    found: NDArray[np.intp] = position[chosen[data.live[chosen]]]
    return found


def _check_count(count: int, n: int, classifier: bool) -> None:
    if count > n:
        other = "RadonTVClassifier" if classifier else "RadonTVRegressor"
        least = f"cv of at most {n}, or " if n > 1 else ""
        raise ValueError(
            f"n_samples={n} rows of positive weight are fewer than the cv={count} folds; choose "
            f"{least}{other} with an alpha of your own."
        )


def _check_parts(pairs: list[Split], data: TrainingData) -> None:
    if not pairs:
        raise ValueError("cv makes no folds; at least one is needed.")
    for index, parts in enumerate(pairs):
        for part, use in zip(parts, ("fit", "judge the fit by"), strict=True):
            if len(part) == 0:
                raise ValueError(
                    f"fold {index} of cv has no rows of positive weight to {use} "
                    f"({len(data.targets)} in all); change cv or the weights."
                )
