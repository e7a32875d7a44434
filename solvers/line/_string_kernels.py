"""Compiled steps of the taut string: lines through intervals, and the string between two pins.

The intervals are [low_i, high_i] at sorted distinct x_i. Both steps keep the least concave majorant
of the lower ends and the greatest convex minorant of the upper ends that are still needed; every
point enters and leaves each of them once, so that both are O(n).
"""

from __future__ import annotations

import numpy as np
from numba import njit

from ...problems.checks import Array
from .._circle_kernels import OPTIONS, Ints

LOW, HIGH = -1, 1
"""Ends of an interval: the sign of the kinks that a string has there."""


@njit(**OPTIONS)
def slope(x: Array, z: Array, i: int, end: Array, j: int) -> float:
    """Return the slope from (x_i, z_i) to (x_j, end_j)."""
    return float((end[j] - z[i]) / (x[j] - x[i]))


@njit(**OPTIONS)
def longest_line(x: Array, low: Array, high: Array) -> tuple[int, int, int, int, float, float]:
    """Return how many of the first intervals one line meets, and a line.

    Returns the count k, the contacts a < b of the line, the end HIGH or LOW that it meets at b (the
    other one at a), its slope and its value at x_0. If k < n, no line meets k + 1 intervals, and
    this one comes closest to the next: the steepest if that is above all lines (it rests on low_a
    and high_b), the shallowest if it is below. If k = n it is the mean of those two.

    The tangents move along the hulls as in O'Rourke, "An on-line algorithm for fitting straight
    lines between data ranges", 1981.
    """
    n = len(x)
    if n == 1:
        return 1, 0, 0, HIGH, 0.0, 0.5 * (low[0] + high[0])
    lows, highs = np.empty(n, dtype=np.int64), np.empty(n, dtype=np.int64)
    lows[0], lows[1], highs[0], highs[1] = 0, 1, 0, 1
    low_from, low_to, high_from, high_to = 0, 2, 0, 2
    steep_at, shallow_at = 1, 1
    steep, shallow = slope(x, low, 0, high, 1), slope(x, high, 0, low, 1)
    for i in range(2, n):
        a, c = lows[low_from], highs[high_from]
        top = low[a] + steep * (x[i] - x[a])
        bottom = high[c] + shallow * (x[i] - x[c])
        if low[i] > top:
            return i, a, steep_at, HIGH, steep, low[a] + steep * (x[0] - x[a])
        if high[i] < bottom:
            return i, c, shallow_at, LOW, shallow, high[c] + shallow * (x[0] - x[c])
        if high[i] < top:
            while low_from + 1 < low_to and slope(x, low, lows[low_from + 1], high, i) <= slope(
                x, low, lows[low_from], high, i
            ):
                low_from += 1
            steep, steep_at = slope(x, low, lows[low_from], high, i), i
        if low[i] > bottom:
            while high_from + 1 < high_to and slope(x, high, highs[high_from + 1], low, i) >= slope(
                x, high, highs[high_from], low, i
            ):
                high_from += 1
            shallow, shallow_at = slope(x, high, highs[high_from], low, i), i
        low_to = push(x, low, lows, low_from, low_to, i, LOW)
        high_to = push(x, high, highs, high_from, high_to, i, HIGH)
    a, c = lows[low_from], highs[high_from]
    first = low[a] + steep * (x[0] - x[a]) + high[c] + shallow * (x[0] - x[c])
    return n, a, steep_at, HIGH, 0.5 * (steep + shallow), 0.5 * first


@njit(**OPTIONS)
def push(x: Array, z: Array, chain: Ints, start: int, stop: int, i: int, bend: int) -> int:
    """Append point i to the hull chain[start:stop], convex for bend = 1; return its new end."""
    while (
        stop - start > 1
        and bend
        * (slope(x, z, chain[stop - 1], z, i) - slope(x, z, chain[stop - 2], z, chain[stop - 1]))
        <= 0.0
    ):
        stop -= 1
    chain[stop] = i
    return stop + 1


@njit(**OPTIONS)
def tight_string(
    x: Array, low: Array, high: Array, first: int, last: int, points: Ints, ends: Ints
) -> int:
    """Write the contacts of the shortest path from `first` to `last`; return their number.

    Both have low = high. Contacts are points where the path bends, with the end of the interval
    that it rests on there; neither `first` nor `last` is among them. The two hulls start at the
    last contact; where they would cross, the path rests on the next point of the other one.
    """
    size = last - first + 1
    lows, highs = np.empty(size, dtype=np.int64), np.empty(size, dtype=np.int64)
    lows[0], highs[0] = first, first
    low_from, low_to, high_from, high_to = 0, 1, 0, 1
    down, up = low.copy(), high.copy()
    count = 0
    for i in range(first + 1, last + 1):
        high_to = push(x, up, highs, high_from, high_to, i, HIGH)
        while (
            high_to - high_from == 2
            and low_to - low_from > 1
            and slope(x, up, highs[high_from], up, i)
            < slope(x, down, lows[low_from], down, lows[low_from + 1])
        ):
            low_from += 1
            at = lows[low_from]
            highs[high_from], up[at] = at, down[at]
            points[count], ends[count] = at, LOW
            count += 1
        low_to = push(x, down, lows, low_from, low_to, i, LOW)
        while (
            low_to - low_from == 2
            and high_to - high_from > 1
            and slope(x, down, lows[low_from], down, i)
            > slope(x, up, highs[high_from], up, highs[high_from + 1])
        ):
            high_from += 1
            at = highs[high_from]
            lows[low_from], down[at] = at, up[at]
            points[count], ends[count] = at, HIGH
            count += 1
    return count
