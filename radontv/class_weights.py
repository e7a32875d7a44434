"""The argument `class_weight`: a factor for each class."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def class_factors(
    class_weight: Mapping[Any, float] | str,
    classes: NDArray[Any],
    codes: NDArray[np.intp],
    weights: Array,
) -> Array:
    """Return the factor (n_classes,) of the weights of each class.

    Parameters
    ----------
    class_weight : mapping or "balanced"
        Factors by class, 1 for classes that it does not name; "balanced" stands for
        W / (C W_c), with W the total weight, W_c that of class c and C the number of classes.
    classes : ndarray of shape (n_classes,)
    codes : ndarray of shape (n,)
        Class of each row.
    weights : ndarray of shape (n,)

    Raises
    ------
    ValueError
        If a factor is not a finite number > 0, or a name is of no class while a class has no
        name: that looks like a slip. A mapping of all classes may have more, since a part of the
        rows may lack some.
    """
    if isinstance(class_weight, str):
        sums = np.bincount(codes, weights=weights, minlength=len(classes))
        return np.asarray(weights.sum() / (len(classes) * np.where(sums > 0.0, sums, 1.0)))
    labels = [label.item() if isinstance(label, np.generic) else label for label in classes]
    strange = [label for label in class_weight if label not in labels]
    if strange and not all(label in class_weight for label in labels):
        raise ValueError(
            f"class_weight names the class {shown(strange[0])}, which y does not hold; its classes "
            f"are {', '.join(map(shown, labels))}, so name one of these (text and numbers differ)."
        )
    return np.array([_factor(label, class_weight.get(label, 1.0)) for label in labels])


def _factor(label: Any, value: Any) -> float:
    """Return a factor as a number."""
    try:
        factor = float(value)
    except (TypeError, ValueError):
        factor = np.nan
    if not (np.isfinite(factor) and factor > 0.0):
        raise ValueError(
            f"class_weight gives the class {shown(label)} the weight {value!r}; weights must be "
            "finite and > 0, so leave out rows of classes that shall not count."
        )
    return factor


def shown(label: Any) -> str:
    """Return a label as its author would write it."""
    return repr(label.item() if isinstance(label, np.generic) else label)
