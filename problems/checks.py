"""Argument checks of this room: float64 copies, or an error that says what to do."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

LARGEST = 1e140
"""Largest magnitude accepted: squares and their sums must stay finite in float64."""
SMALLEST = 1e-140
"""Largest magnitude that data must have unless they are zero: squares must not vanish."""


def as_float_array(name: str, value: Any, *, ndim: int, largest: float = LARGEST) -> Array:
    """Return a read-only float64 copy of `value`.

    Raises
    ------
    TypeError
        If `value` is sparse, complex or not numeric.
    ValueError
        If it has not `ndim` dimensions, or holds NaN, infinities or magnitudes above `largest`.
    """
    if hasattr(value, "toarray"):
        raise TypeError(f"{name} is a sparse matrix; pass a dense array ({name}.toarray()).")
    try:
        raw = np.asarray(value)
    except ValueError as error:
        raise ValueError(f"{name} is not a rectangular array of numbers ({error}).") from None
    if np.iscomplexobj(raw):
        raise TypeError(f"{name} has complex data; complex data is not supported, pass reals.")
    try:
        array = np.array(raw, dtype=np.float64, order="C")
    except (TypeError, ValueError) as error:
        raise TypeError(
            f"{name} has dtype {raw.dtype} and cannot be converted to numbers ({error}); "
            "encode text and categories as numbers first."
        ) from None
    if array.ndim != ndim:
        if ndim == 0:
            raise ValueError(f"{name} must be a number, but has shape {array.shape}.")
        shape = "(n_samples, n_features)" if ndim == 2 else "(n_samples,)"
        raise ValueError(
            f"{name} must have {ndim} dimension(s), shape {shape}, but has shape {array.shape}; "
            f"{'reshape it with .reshape(-1, 1)' if ndim == 2 else 'flatten it with .ravel()'} "
            "if that is what it means."
        )
    _refuse_non_finite(name, array, largest)
    array.flags.writeable = False
    return array


def _refuse_non_finite(name: str, array: Array, largest: float) -> None:
    bad = ~np.isfinite(array)
    if bad.any():
        where = tuple(int(i) for i in np.argwhere(bad)[0])
        kind = "NaN" if np.isnan(array[where]) else "infinity"
        raise ValueError(
            f"{name} contains {kind} ({int(bad.sum())} entries, the first at index {where}); "
            "drop or impute those rows."
            if array.ndim
            else f"{name} is {kind}, not a finite number."
        )
    if array.size and float(np.abs(array).max()) > largest:
        raise ValueError(
            f"{name} has magnitudes up to {float(np.abs(array).max()):.3g}, whose squares "
            f"overflow; rescale it below {largest:g}."
        )


def refuse_vanishing(name: str, array: Array) -> None:
    """Raise a ValueError if the largest magnitude is in (0, `SMALLEST`)."""
    top = float(np.abs(array).max(initial=0.0))
    if 0.0 < top < SMALLEST:
        raise ValueError(
            f"{name} has magnitudes of at most {top:.3g}, whose squares vanish in float64; "
            f"rescale it above {SMALLEST:g}."
        )


def as_positive(name: str, value: Any) -> float:
    """Return `value` as a finite float > 0, or raise a ValueError that names it."""
    try:
        number = float(value)
    except (TypeError, ValueError):
        raise TypeError(f"{name} must be a number, got {value!r}.") from None
    if not np.isfinite(number) or number <= 0.0:
        raise ValueError(f"{name} must be finite and > 0, got {value!r}.")
    return number


def as_count(name: str, value: Any, *, least: int) -> int:
    """Return `value` as an integer >= `least`, or raise an error that names it."""
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)):
        raise TypeError(f"{name} must be an integer >= {least}, got {value!r}.")
    if value < least:
        raise ValueError(f"{name} must be an integer >= {least}, got {value!r}.")
    return int(value)


def as_weights(name: str, value: Any, n_samples: int) -> Array:
    """Return sample weights normalised to sum 1; `None` means 1/n each, zeros are allowed."""
    if value is None:
        weights = np.full(n_samples, 1.0 / n_samples)
    else:
        weights = np.array(as_float_array(name, value, ndim=1))
        if weights.shape[0] != n_samples:
            raise ValueError(f"{name} has {weights.shape[0]} entries for {n_samples} samples.")
        if (weights < 0).any():
            where = int(np.argmin(weights))
            raise ValueError(
                f"{name} must be >= 0, but entry {where} is {weights[where]:g}; "
                "use 0 to leave a sample out."
            )
        top = weights.max(initial=0.0)
        if top == 0.0:
            raise ValueError(f"all {name} are zero; at least one sample needs a positive weight.")
        weights /= top
        weights /= weights.sum()
    weights.flags.writeable = False
    return weights


def check_features(problem: Any, network: Any, name: str) -> None:
    """Raise a ValueError if the network was made for another number of features."""
    if network.n_features != problem.n_features:
        raise ValueError(
            f"{name} has {network.n_features} features, the problem {problem.n_features}; "
            "they must agree."
        )
