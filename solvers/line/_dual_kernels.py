"""Compiled dual point of a spline in one dimension: exact moments, v with an error bound.

Given raw residual weights r_i at sorted points and target values of v at some *nodes*, the dual
point is q = r except at the nodes, where q_k is what makes v reach the next target. So both moment
conditions hold by construction, v is bounded element by element, and rounding errors never add up
along the line.
"""

from __future__ import annotations

from numba import njit

from ...problems.checks import Array
from .._circle_kernels import OPTIONS, Ints

U = 2.0**-53
"""Unit roundoff."""


@njit(**OPTIONS)
def two_sum(a: float, b: float) -> tuple[float, float]:
    """Return fl(a + b) and its error, so that both add up to a + b (Knuth, 1969)."""
    total = a + b
    part = total - a
    return total, (a - (total - part)) + (b - part)


@njit(**OPTIONS)
def tail(x: Array, r: Array, first: int, last: int, step: int, v: Array) -> tuple[float, float]:
    """Walk from an end, where v = 0, to the node `last`; return the slope of v there and an error.

    Only r before the node counts; v is written up to and including the node.
    """
    g, g_low, value, low = 0.0, 0.0, 0.0, 0.0
    steepest = 0.0
    i = first
    v[i] = 0.0
    while i != last:
        g, error = two_sum(g, r[i])
        g_low += error
        steepest = max(steepest, abs(g))
        value, error = two_sum(value, (g + g_low) * abs(x[i + step] - x[i]))
        low += error
        i += step
        v[i] = value + low
    n = abs(last - first) + 8
    length = abs(x[last] - x[first])
    return g + g_low, 4.0 * U * (1.0 + n * U * n) * steepest * length


@njit(**OPTIONS)
def element_error(moment: float, ends: float, slope: float, h: float, size: float, n: int) -> float:
    """Return a bound on the rounding error of v on an element.

    With compensated sums every product is rounded twice and every sum once: the moment errs by
    3 u sum |r| d, the first slope by u (ends + ...) / h, which v multiplies by at most h, the
    products g dx by 2 u times the variation of v, at most slope h; what compensation leaves is of
    order n u^2.
    """
    first = U * (4.0 * moment + 6.0 * ends + 6.0 * slope * h + 4.0 * size)
    return first * (1.0 + 4.0 * n * n * U) * (1.0 + 64.0 * U)


@njit(**OPTIONS)
def local_dual(
    x: Array, r: Array, nodes: Ints, targets: Array, q: Array, v: Array, slack: Array
) -> float:
    """Write q, v and error bounds `slack` of q at the nodes; return max |v| with its error.

    Parameters
    ----------
    x, r : ndarray of shape (n,)
        Sorted points and raw weights.
    nodes : ndarray of shape (m,)
        At least two points, or one if n = 1.
    targets : ndarray of shape (m,)
        v at the nodes; the first and the last are replaced by what r outside of them gives.
    q, v : ndarray of shape (n,)
        Written.
    slack : ndarray of shape (m,)
        Written.
    """
    n, m = len(x), len(nodes)
    for i in range(n):
        q[i] = r[i]
    if n == 1:
        q[0], v[0], slack[0] = 0.0, 0.0, 0.0
        return 0.0
    g_before, edge = tail(x, r, 0, nodes[0], 1, v)
    after, error = tail(x, r, n - 1, nodes[m - 1], -1, v)
    edge, top = max(edge, error), 0.0
    for i in range(nodes[0] + 1):
        top = max(top, abs(v[i]) + edge)
    for i in range(nodes[m - 1], n):
        top = max(top, abs(v[i]) + edge)
    targets[0], targets[m - 1] = v[nodes[0]], v[nodes[m - 1]]
    slack_before = 4.0 * U * abs(g_before)
    for k in range(m - 1):
        a, c = nodes[k], nodes[k + 1]
        h = x[c] - x[a]
        moment, low, size = 0.0, 0.0, 0.0
        for i in range(a + 1, c):
            term = r[i] * (x[c] - x[i])
            size += abs(term)
            moment, e = two_sum(moment, term)
            low += e
        g = ((targets[k + 1] - targets[k]) - (moment + low)) / h
        g_low, value, value_low = 0.0, targets[k], 0.0
        q[a] = g - g_before
        slack[k] = slack_before + U * abs(q[a])
        v[a] = value
        steepest, highest = abs(g), abs(value)
        for i in range(a + 1, c):
            value, e = two_sum(value, (g + g_low) * (x[i] - x[i - 1]))
            value_low += e
            g, e = two_sum(g, r[i])
            g_low += e
            v[i] = value + value_low
            steepest = max(steepest, abs(g))
            highest = max(highest, abs(v[i]))
        ends = abs(targets[k]) + abs(targets[k + 1])
        error = edge + element_error(size, ends, steepest, h, highest, c - a)
        slack[k] += error / h
        slack_before = error / h + 2.0 * U * steepest
        g_before = g + g_low
        top = max(top, highest + error)
    last = nodes[m - 1]
    v[last] = targets[m - 1]
    q[last] = -after - g_before
    slack[m - 1] = slack_before + U * (abs(q[last]) + 4.0 * abs(after))
    return top
