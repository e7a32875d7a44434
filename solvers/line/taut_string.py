"""The tube in one dimension: min TV(f') subject to low_i <= f(x_i) <= high_i, by a taut string.

Between two pins the shortest path through the intervals bends upwards only on upper ends and
downwards only on lower ones. Where it changes from one to the other it is straight from (x_i,
high_i) to (x_j, low_j), so that by the mean value theorem every f in the tube has a slope f' at
least as large between x_i and x_j; where it changes back, one at most as large. TV(f') is no less
than what these slopes, in turn largest and smallest, differ by, and the string has no more. The
first and the last slope are free: those of the longest lines through the first and last intervals.
(Davies and Kovac, "Local extremes, runs, strings and multiresolution", 2001, use the string because
f' has the fewest extremes; that it has the least TV(f') follows as above.)

The dual point is the proof in other words: v = eta is 1 where the string rests on upper ends, -1
on lower ones, 0 beyond the first and the last contact and linear between contacts; q = v'' is
positive on lower ends, negative on upper ones, and sum_i q_i^+ low_i - q_i^- high_i = TV(f').
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from ...problems.checks import Array
from ...problems.network import RidgeSpline
from .._circle_kernels import Ints
from ._kernels import kinks_of
from ._string_kernels import HIGH, longest_line, tight_string
from .data import LineData, gather
from .knots import spline_of

ROUNDING = 16.0 * float(np.finfo(np.float64).eps)


@dataclass(frozen=True, eq=False)
class TautString:
    """The least TV(f') of functions through intervals, with its dual certificate.

    Attributes
    ----------
    x : ndarray of shape (n_points,)
        Distinct inputs, ascending.
    contacts : ndarray of shape (n_contacts,)
        Indices into x of the points where f rests on an end of the interval, ascending; f is
        linear between them and beyond. None if one line meets all intervals.
    values, kinks : ndarray of shape (n_contacts,)
        f and its change of slope there, the latter 0 at the first and the last contact.
    slope, level : float
        Slope of f at the left, and f(x_0).
    v : ndarray of shape (n_points,)
        eta at the points; ``|v| <= 1``.
    q_rows : ndarray of shape (n,)
        The dual point in the order of the rows that were passed.
    rtv, gap : float
        TV(f'), and what it exceeds the dual value by (rounding only).
    """

    x: Array
    contacts: Ints
    values: Array
    kinks: Array
    slope: float
    level: float
    v: Array
    q_rows: Array
    rtv: float
    gap: float

    def network(self) -> RidgeSpline:
        """Return f as a network, one neuron per kink."""
        bent = self.kinks != 0.0
        at = self.x[self.contacts[bent]]
        return spline_of(at, self.kinks[bent], self.slope, self.x[0], self.level)


def fit_tube_line(x: Array, low: Array, high: Array) -> TautString:
    """Return the f of least TV(f') with low_i <= f(x_i) <= high_i, in O(n) after sorting.

    Parameters
    ----------
    x : ndarray of shape (n,)
        Inputs in any order, with repeats.
    low, high : ndarray of shape (n,)
        Ends of the intervals.

    Raises
    ------
    TypeError, ValueError
        If an array is not finite, shapes disagree, or intervals at one input have no common point.
    """
    data, rows, lower, upper = _intervals(x, low, high)
    points, ends, values, slope, level = _contacts(data.x, lower, upper)
    v, q, kinks = np.zeros(len(data.x)), np.zeros(len(data.y)), np.zeros(len(points))
    excess: list[float] = []
    if len(points):
        at, signs = data.x[points], ends.astype(np.float64)
        signs[[0, -1]] = 0.0
        kinks = kinks_of(at, values)
        v = np.interp(data.x, at, signs)
        # The slope of v is 0 on both sides of the contacts.
        bends = np.diff(np.diff(signs) / np.diff(at), prepend=0.0, append=0.0)
        on_high = bends < 0.0
        q[rows[on_high.astype(np.intp), points]] = bends
        away = np.abs(values - np.where(on_high, upper[points], lower[points]))
        excess = (np.abs(kinks) - kinks * signs + np.abs(bends) * away).tolist()
    rtv, gap = math.fsum(np.abs(kinks).tolist()), math.fsum(excess)
    return TautString(data.x, points, values, kinks, slope, level, v, data.as_passed(q), rtv, gap)


def _intervals(x: Array, low: Array, high: Array) -> tuple[LineData, Ints, Array, Array]:
    """Return the data, the rows of the largest low and least high of each point, and those."""
    data = gather(x, low, np.ones(np.size(x)), None)
    lower, upper = data.y, np.ravel(high)[data.order]
    by_low = np.lexsort((lower, data.point))
    by_high = np.lexsort((upper, data.point))
    stops = np.append(data.first[1:], len(lower)) - 1
    rows = np.stack([by_low[stops], by_high[data.first]])
    lower, upper = lower[rows[0]], upper[rows[1]]
    crossed = lower > upper
    if crossed.any():
        i = int(np.argmax(lower - upper))
        if lower[i] - upper[i] > ROUNDING * max(abs(lower[i]), abs(upper[i])):
            raise ValueError(
                f"the intervals at x = {data.x[i]:.6g} have no common point: low = {lower[i]:.6g} "
                f"is above high = {upper[i]:.6g}; widen them."
            )
        lower[crossed] = upper[crossed] = 0.5 * (lower[crossed] + upper[crossed])
    return data, rows, lower, upper


def _contacts(x: Array, low: Array, high: Array) -> tuple[Ints, Ints, Array, float, float]:
    """Return the contacts, the ends of the intervals and f there, its slope and value at x_0."""
    none = np.zeros(0, dtype=np.int64)
    count, a, b, end, slope, level = longest_line(x, low, high)
    if count == len(x):
        return none, none, np.zeros(0), slope, level
    # The last line is the first one of the mirrored points.
    last = len(x) - 1
    mirror = longest_line(-x[::-1], low[::-1].copy(), high[::-1].copy())
    d, c, close = last - mirror[1], last - mirror[2], mirror[3]
    first, final = (high if end == HIGH else low)[b], (high if close == HIGH else low)[c]
    before, after = [(a, -end)], [(d, -close)]
    if b > c or (b == c and end != close):
        # Only rounding lets the two lines overlap: the string is pinned to their outer ends.
        before, after, b, c, first, final = [], [], 0, last, level, mirror[5]
    low, high = low.copy(), high.copy()
    low[[b, c]] = high[[b, c]] = first, final
    inner, sides = np.empty(len(x), dtype=np.int64), np.empty(len(x), dtype=np.int64)
    between = tight_string(x, low, high, b, c, inner, sides)
    outer = [*before, (b, end)], [(c, close), *after][b == c :]
    ahead, behind = (np.array(part, dtype=np.int64).reshape(-1, 2) for part in outer)
    points = np.concatenate([ahead[:, 0], inner[:between], behind[:, 0]])
    ends = np.concatenate([ahead[:, 1], sides[:between], behind[:, 1]])
    return points, ends, np.where(ends == HIGH, high[points], low[points]), slope, level
