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
        check_count(int(count), data.targets, classifier)
    if isinstance(count, Integral) or hasattr(cv, "split"):
        splitter = check_cv(count, data.targets, classifier=classifier)
        pairs = _split(splitter, data, params or {})
    else:
        pairs = [(_live(train, data), _live(test, data)) for train, test in _ready_made(cv)]
    _check_parts(pairs, data)
    return pairs


def _split(splitter: Any, data: TrainingData, params: Mapping[str, Any]) -> list[Split]:
    """Return the folds of a splitter."""
    kept = _check_method_params(data.live, dict(params), np.flatnonzero(data.live))
    try:
        pairs = list(splitter.split(data.rows, data.targets, **kept))
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"cv={splitter} cannot split the {len(data.rows)} rows of positive weight: {error} "
            "Choose another cv, or pass what it needs (groups go to `fit` with scikit-learn's "
            "metadata routing, or make a list of splits)."
        ) from error
    return [(np.asarray(train), np.asarray(test)) for train, test in pairs]


def _ready_made(cv: Any) -> list[tuple[Any, Any]]:
    """Return the pairs of an iterable."""
    pairs = list(cv)
    for index, pair in enumerate(pairs):
        if not (hasattr(pair, "__len__") and len(pair) == 2) or isinstance(pair, str):
            raise ValueError(
                f"fold {index} of cv is {pair!r}; it must be a pair (train, test) of row numbers."
            )
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


def check_count(count: int, targets: NDArray[np.float64], classifier: bool) -> None:
    """Raise a ValueError if there are fewer rows, or fewer rows of any class, than folds."""
    n = len(targets)
    other = "RadonTVClassifier" if classifier else "RadonTVRegressor"
    if count > n:
        least = f"cv of at most {n}, or " if n > 1 else ""
        raise ValueError(
            f"n_samples={n} rows of positive weight are fewer than the cv={count} folds; choose "
            f"{least}{other} with an alpha of your own."
        )
    most = int(np.bincount(targets.astype(np.intp)).max()) if classifier else n
    if count > most:
        least = f"cv of at most {most}, " if most > 1 else ""
        raise ValueError(
            f"cv={count} stratified folds need a class with as many rows of positive weight, but "
            f"the largest has {most}; choose {least}a splitter such as KFold, or {other} with an "
            "alpha of your own."
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
