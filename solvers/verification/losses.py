r"""Losses as a check knows them: values and conjugates, written down here once more.

A formula has two parts, ``l(y, z)`` and ``psi(y, p) = -l*(y, -p)``, the summand of the dual value;
psi is concave in p on an interval that contains 0. Both come with the sum of the absolute values of
their terms, which bounds their rounding. For classes y is the row of probabilities, and psi is one
summand of the entropy of ``pi = y - p`` per class; there p must sum to 0 besides.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from ...problems.checks import Array

Terms = tuple[Array, Array]
"""Values, and the sums of the absolute values of what was added up for them."""
FIT = 1e-9
"""Residual, relative to the largest distance of a target from their mean, that meets y = z."""


class Formula(NamedTuple):
    """A loss.

    Parameters
    ----------
    value : callable (y, z) -> (values, sizes)
        l, one number per row for classes, else per entry.
    dual : callable (y, p) -> (values, sizes)
        psi, per entry.
    ends : callable y -> (low, high)
        Where psi is finite.
    bend : float
        Lipschitz constant of dl/dz, infinite if there is none.
    translates : bool
        Whether l depends on y - z only.
    tied : bool
        Whether the p of a row sum to 0: classes.
    radius : float
        Of a constraint |y - z| <= radius; infinite for losses that are none.
    """

    value: Callable[[Array, Array], Terms]
    dual: Callable[[Array, Array], Terms]
    ends: Callable[[Array], Terms]
    bend: float
    translates: bool
    tied: bool = False
    radius: float = math.inf

    @property
    def constrains(self) -> bool:
        """Whether the loss is 0 or infinite."""
        return math.isfinite(self.radius)

    def rounding(self, s: Array, error: Array) -> float:
        """Return the objective that errors of this size in z produce by themselves."""
        if self.constrains:
            return 0.0
        if math.isfinite(self.bend):
            return 0.5 * self.bend * float((s * (error * error).T).sum())
        return float((s * error.T).sum())


def formula_of(loss: Any) -> Formula:
    """Return the formulas of a loss, by its name and parameters; sums of outputs by their term.

    Raises
    ------
    NotImplementedError
        For losses of other makers.
    """
    one = getattr(loss, "one", loss)
    name = getattr(one, "name", None)
    if name not in _MADE:
        raise NotImplementedError(f"verify knows {', '.join(sorted(_MADE))}, not {loss!r}.")
    return _MADE[name](one)


def slack_of(y: Array) -> Array:
    """Return the residual up to which a constraint counts as met, for each column of targets."""
    if y.size == 0:
        return np.zeros(y.shape[1:])
    size = np.abs(y - y.mean(axis=0)).max(axis=0)
    slack: Array = FIT * size + 128.0 * 2.0**-53 * np.abs(y).max(axis=0)
    return slack


def _interval(low: float, high: float) -> Callable[[Array], Terms]:
    return lambda y: (np.full(y.shape, low), np.full(y.shape, high))


def _parabola(y: Array, p: Array) -> Terms:
    """Return y p - p^2 / 2."""
    return y * p - 0.5 * p * p, np.abs(y * p) + 0.5 * p * p


def _log_of(p: Array) -> Array:
    return np.log(np.where(p > 0.0, p, 1.0))


def _squared(_: Any) -> Formula:
    def value(y: Array, z: Array) -> Terms:
        r = y - z
        return 0.5 * r * r, 0.5 * r * r

    return Formula(value, _parabola, _interval(-math.inf, math.inf), 1.0, True)


def _huber(loss: Any) -> Formula:
    delta = float(loss.delta)

    def value(y: Array, z: Array) -> Terms:
        r = np.abs(y - z)
        inner = r <= delta
        found = np.where(inner, 0.5 * r * r, delta * (r - 0.5 * delta))
        return found, np.where(inner, found, delta * (r + 0.5 * delta))

    return Formula(value, _parabola, _interval(-delta, delta), 1.0, True)


def _two_slopes(low: float, high: float) -> Formula:
    """Return max(low r, high r), psi = y p."""

    def value(y: Array, z: Array) -> Terms:
        r = y - z
        found = np.where(r > 0.0, high, low) * r
        return found, found

    def dual(y: Array, p: Array) -> Terms:
        return y * p, np.abs(y * p)

    return Formula(value, dual, _interval(low, high), math.inf, True)


def _tube(epsilon: float) -> Callable[[Array, Array], Terms]:
    def dual(y: Array, p: Array) -> Terms:
        return y * p - epsilon * np.abs(p), np.abs(y * p) + epsilon * np.abs(p)

    return dual


def _epsilon_insensitive(loss: Any) -> Formula:
    epsilon = float(loss.epsilon)

    def value(y: Array, z: Array) -> Terms:
        r = np.abs(y - z)
        beyond = r > epsilon
        return np.where(beyond, r - epsilon, 0.0), np.where(beyond, r + epsilon, 0.0)

    return Formula(value, _tube(epsilon), _interval(-1.0, 1.0), math.inf, True)


def _constraint(radius: float) -> Formula:
    def value(y: Array, z: Array) -> Terms:
        met = np.abs(y - z) <= radius + slack_of(y)
        return np.where(met, 0.0, math.inf), np.zeros_like(z)

    ends = _interval(-math.inf, math.inf)
    return Formula(value, _tube(radius), ends, math.inf, True, radius=radius)


def _logistic(loss: Any) -> Formula:
    """Return tau log(1 + e^-z) + (1 - tau) log(1 + e^z), psi the entropy of pi = tau - p."""
    smoothing = float(loss.label_smoothing)

    def ends(y: Array) -> Terms:
        up = np.where(y > 0.0, 1.0 - smoothing, smoothing)
        return np.where(y > 0.0, -smoothing, smoothing - 1.0), up

    def value(y: Array, z: Array) -> Terms:
        low, high = ends(y)
        far = np.log1p(np.exp(-np.abs(z)))
        found = high * (np.maximum(-z, 0.0) + far) - low * (np.maximum(z, 0.0) + far)
        return found, found

    def dual(y: Array, p: Array) -> Terms:
        low, high = ends(y)
        pi, rest = np.maximum(high - p, 0.0), np.maximum(p - low, 0.0)
        found = -pi * _log_of(pi) - rest * _log_of(rest)
        return found, found + pi + rest

    return Formula(value, dual, ends, 0.25, False)


def _margin_ends(top: float) -> Callable[[Array], Terms]:
    """Return the ends of 0 <= y p <= top."""
    return lambda y: (np.where(y > 0.0, 0.0, -top), np.where(y > 0.0, top, 0.0))


def _hinge(_: Any) -> Formula:
    def value(y: Array, z: Array) -> Terms:
        short = 1.0 - y * z
        return np.maximum(short, 0.0), np.where(short > 0.0, 1.0 + np.abs(z), 0.0)

    def dual(y: Array, p: Array) -> Terms:
        return y * p, np.abs(p)

    return Formula(value, dual, _margin_ends(1.0), math.inf, False)


def _squared_hinge(_: Any) -> Formula:
    def value(y: Array, z: Array) -> Terms:
        h = np.maximum(1.0 - y * z, 0.0)
        return 0.5 * h * h, h * (h + 1.0 + np.abs(z))

    return Formula(value, _parabola, _margin_ends(math.inf), 1.0, False)


def _poisson(_: Any) -> Formula:
    """Return e^z - y z + y log y - y, psi = pi - pi log pi + y log y - y with pi = y - p."""

    def ends(y: Array) -> Terms:
        return np.full(y.shape, -math.inf), np.array(y)

    def value(y: Array, z: Array) -> Terms:
        with np.errstate(over="ignore"):
            mean = np.exp(z)
        own = y * _log_of(y)
        return np.maximum(mean - y * z + own - y, 0.0), mean + np.abs(y * z) + np.abs(own) + y

    def dual(y: Array, p: Array) -> Terms:
        pi = np.maximum(y - p, 0.0)
        log, own = pi * _log_of(pi), y * _log_of(y)
        return pi - log + (own - y), pi + np.abs(log) + np.abs(own) + y

    return Formula(value, dual, ends, math.inf, False)


def _multinomial(_: Any) -> Formula:
    """Return log sum_c e^(z_c) - y.z for a row y of probabilities."""

    def value(y: Array, z: Array) -> Terms:
        top = z.max(axis=1, keepdims=True)
        away = z - top
        log = np.log(np.exp(away).sum(axis=1))
        # y sums to 1: no offset of the scores counts.
        return log - (y * away).sum(axis=1), log + (y * (np.abs(z) + np.abs(top))).sum(axis=1)

    def dual(y: Array, p: Array) -> Terms:
        pi = np.maximum(y - p, 0.0)
        log = pi * _log_of(pi)
        return -log, np.abs(log) + pi

    return Formula(value, dual, lambda y: (y - 1.0, np.array(y)), 0.5, False, tied=True)


_MADE: dict[str, Callable[[Any], Formula]] = {
    "squared": _squared,
    "huber": _huber,
    "absolute": lambda _: _two_slopes(-1.0, 1.0),
    "quantile": lambda loss: _two_slopes(float(loss.quantile) - 1.0, float(loss.quantile)),
    "epsilon_insensitive": _epsilon_insensitive,
    "logistic": _logistic,
    "hinge": _hinge,
    "squared_hinge": _squared_hinge,
    "poisson": _poisson,
    "interpolation": lambda _: _constraint(0.0),
    "tube": lambda loss: _constraint(float(loss.epsilon)),
    "multinomial": _multinomial,
}
