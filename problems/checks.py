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


def as_float_array(
    name: str, value: Any, *, ndim: int, largest: float = LARGEST, shape: str = ""
) -> Array:
    """Return a read-only float64 copy of `value`.

    Parameters
    ----------
    name : str
        What messages call it.
    value : array-like
    ndim : int
    largest : float, default=LARGEST
        Magnitude from which on it is refused.
    shape : str, default=""
        For the parameters of a network, the shape that they must have: advice about rows and
        categories is for data.

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
            + ("pass numbers." if shape else "encode text and categories as numbers first.")
        ) from None
    if array.ndim != ndim:
        if ndim == 0:
            raise ValueError(f"{name} must be a number, but has shape {array.shape}.")
        wanted = shape or ("(n_samples, n_features)" if ndim == 2 else "(n_samples,)")
        raise ValueError(
            f"{name} must have {ndim} dimension(s), shape {wanted}, but has shape {array.shape}; "
            f"{'reshape it with .reshape(-1, 1)' if ndim == 2 else 'flatten it with .ravel()'} "
            "if that is what it means."
        )
    _refuse_non_finite(name, array, parameters=bool(shape))
    refuse_overflow(name, array, largest)
    array.flags.writeable = False
    return array


def _refuse_non_finite(name: str, array: Array, *, parameters: bool) -> None:
    bad = ~np.isfinite(array)
    if not bad.any():
        return
    where = tuple(int(i) for i in np.argwhere(bad)[0])
    kind = "NaN" if np.isnan(array[where]) else "infinity"
    if array.ndim == 0:
        raise ValueError(f"{name} is {kind}, not a finite number.")
    raise ValueError(
        f"{name} contains {kind} ({int(bad.sum())} entries, the first at index {where}); "
        + ("a network needs finite parameters." if parameters else "drop or impute those rows.")
    )


def refuse_overflow(name: str, array: Array, largest: float = LARGEST) -> None:
    """Raise a ValueError if a magnitude is above `largest`."""
    top = float(np.abs(array).max(initial=0.0))
    if top > largest:
        raise ValueError(
            f"{name} has magnitudes up to {top:.3g}, whose squares overflow; "
            f"rescale it below {largest:g}."
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
        if isinstance(value, (bool, np.bool_)):
            raise TypeError  # float(True) is 1
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


def check_problem(problem: Any) -> None:
    """Raise a TypeError unless this is a `RadonTVProblem`."""
    from .problem import RadonTVProblem  # which imports this module

    if not isinstance(problem, RadonTVProblem):
        raise TypeError(
            f"problem must be a RadonTVProblem, got {type(problem).__name__}; make one with "
            "RadonTVProblem(X, y, alpha)."
        )


def check_features(problem: Any, network: Any, name: str) -> None:
    """Raise an error unless these are a problem and a network for its number of features.

    Parameters
    ----------
    problem : object
        Must be a `RadonTVProblem`.
    network : object
        Must be a `RidgeSpline`.
    name : str
        What messages call the network.
    """
    from .network import RidgeSpline  # which imports this module

    check_problem(problem)
    if not isinstance(network, RidgeSpline):
        raise TypeError(
            f"{name} must be a RidgeSpline, got {type(network).__name__}; {_remedy(network)}."
        )
    if network.n_features != problem.n_features:
        raise ValueError(
            f"{name} has {network.n_features} features, the problem {problem.n_features}; "
            "they must agree."
        )


def _remedy(network: Any) -> str:
    """Return how to get a RidgeSpline from what was passed in its place."""
    if hasattr(network, "standardized_network"):
        return (
            "for an estimator pass model.standardized_network(), with "
            "model.standardized_problem(X, y) as the problem"
        )
    if hasattr(network, "network"):
        return f"pass the `network` of the {type(network).__name__}"
    return "RidgeSpline.from_layers makes one from the weights of any network"
