"""Interpolation in one dimension: min TV(f') subject to f(x_i) = y_i, solved by connecting dots."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from ...problems.checks import Array
from ...problems.network import RidgeSpline
from ._kernels import kinks_of
from .data import gather
from .knots import SolutionSet, knots_of, significant, solution_set, sparsest


@dataclass(frozen=True, eq=False)
class LineInterpolation:
    """The least TV(f') of functions through points, with its dual certificate.

    Attributes
    ----------
    x, y : ndarray of shape (n_points,)
        Distinct inputs, ascending, and the values there.
    v : ndarray of shape (n_points,)
        eta at the points, ``|v| <= 1``: the sign of each kink, 0 at both ends, linear between.
    q : ndarray of shape (n_points,)
        The dual point, the changes of slope of v; feasible because ``max |v| <= 1``.
    rtv : float
        ``sum_i |k_i|``, attained by connecting the dots.
    dual : float
        ``q.y = sum_i k_i v_i``.
    gap : float
        ``rtv - q.y / U`` with ``U = max |v|``, as ``sum_i (|k_i| - k_i v_i / U)``.
    """

    x: Array
    y: Array
    v: Array
    q: Array
    rtv: float
    dual: float
    gap: float
    tolerance: float

    def network(self) -> RidgeSpline:
        """Return the function that connects the dots."""
        return knots_of(self.x, self.y, tolerance=self.tolerance)

    def sparsest(self) -> RidgeSpline:
        """Return a minimiser with the fewest neurons."""
        return sparsest(self.x, self.y, tolerance=self.tolerance)

    def solutions(self) -> SolutionSet:
        """Return the description of all minimisers."""
        return solution_set(self.x, self.y, tolerance=self.tolerance)


def interpolate_line(x: Array, y: Array, *, tolerance: float = 8.0) -> LineInterpolation:
    """Return the certificate of connecting the dots.

    Parameters
    ----------
    x, y : ndarray of shape (n,)
        Inputs in any order; repeated inputs must have equal targets.
    tolerance : float, default=8.0
        Kinks that rounding errors of so many eps in x and y explain have no sign of their own.

    Raises
    ------
    TypeError, ValueError
        If an array is not finite, shapes disagree, or equal inputs have different targets.
    """
    data = gather(x, y, np.ones(np.size(x)), None)
    values = data.y[data.first]
    clash = data.y != values[data.point]
    if clash.any():
        i = int(np.argmax(clash))
        raise ValueError(
            f"x = {data.x[data.point[i]]:.6g} has the targets {values[data.point[i]]:.6g} and "
            f"{data.y[i]:.6g}; no function meets both: average them, or fit with alpha > 0."
        )
    points = data.x
    at = significant(points, values, tolerance)
    signs = np.sign(kinks_of(points[at], values[at]))
    v = np.interp(points, points[at], signs)
    kinks = kinks_of(points, values)
    slopes = np.diff(v) / np.diff(points)
    q = np.diff(np.concatenate([[0.0], slopes, [0.0]]))
    top = float(np.abs(v).max(initial=0.0))
    scale = 1.0 / top if top > 0.0 else 0.0
    gap = math.fsum((np.abs(kinks) - kinks * v * scale).tolist())
    rtv = math.fsum(np.abs(kinks).tolist())
    return LineInterpolation(points, values, v, q, rtv, rtv - gap, gap, tolerance)
