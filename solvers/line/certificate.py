"""Primal and dual value of a spline in one dimension, rounding included.

The dual point is the vector of pseudo-residuals, changed at a few *nodes* such that both moment
conditions hold exactly and v = eta takes the values alpha sign at the knots (`local_dual`). With
U >= max |v| and t U <= alpha the gap is

    sum_k |a_k| (alpha - t sign(a_k) v_k) + sum_i s_i [l(y_i, z_i) + l*(y_i, -t p_i) + t p_i z_i],

two sums of terms that are not negative and do not cancel, so that a gap of 1e-12 of the objective
is not lost in it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...problems.checks import Array
from ...problems.losses import Loss
from .._circle_kernels import Ints
from ._dual_kernels import local_dual
from ._kernels import expand
from .data import LineData
from .quadratic import Knots

ROOM = 1e3
"""A node must have this many times the room in the domain of l* that its change takes."""


@dataclass(frozen=True, eq=False)
class LineDual:
    """A feasible dual point (t q of the module's text) and what it proves.

    Attributes
    ----------
    z, v : ndarray of shape (n_points,)
        Fitted values (without the affine part taken out of y), and eta, ``|v| <= alpha``.
    rows : ndarray of shape (n_rows,)
        The dual point.
    primal, dual, gap : float
    """

    z: Array
    v: Array
    rows: Array
    primal: float
    dual: float
    gap: float


def room_of(data: LineData, loss: Loss, p: Array) -> Array:
    """Return ``s_i`` times the distance of p_i from the ends of the domain, never negative."""
    low, high = loss.dual_interval(data.y)
    return data.s * np.maximum(np.minimum(high - p, p - low), 0.0)


def nodes_with_room(knots: Ints, change: Array, room: Array) -> Ints:
    """Return the knots, those without room for their change replaced by points with room.

    The nearest point on either side shares the change like a lever, so that v hardly moves.
    """
    lacks = room[knots] < ROOM * np.abs(change)
    if not lacks.any():
        return knots
    good = np.flatnonzero(room >= ROOM * float(np.abs(change[lacks]).max()))
    place = np.searchsorted(good, knots[lacks])
    left, right = good[place[place > 0] - 1], good[place[place < len(good)]]
    nodes = np.unique(np.concatenate([knots[~lacks], left, right]))
    return nodes if len(nodes) > 1 else knots


def certify_spline(
    data: LineData, loss: Loss, alpha: float, knots: Knots, p: Array | None = None
) -> LineDual:
    """Return the certificate of the spline with these knots.

    Parameters
    ----------
    data : LineData
    loss : Loss
    alpha : float
    knots : Knots
    p : ndarray of shape (n_rows,), optional
        Pseudo-residuals; default ``-dl/dz``.
    """
    z = expand(data.x, knots.at, knots.values)
    at_rows = data.at_rows(z)
    if p is None:
        p = -loss.gradient(data.y, at_rows)
    room = room_of(data, loss, p)
    rows = data.s * p
    raw = data.sums(rows)
    q, v = np.empty_like(raw), np.empty_like(raw)
    nodes, targets = knots.at.copy(), alpha * knots.signs
    slack = np.empty(len(nodes))
    top = local_dual(data.x, raw, nodes, targets, q, v, slack)
    moved = nodes_with_room(nodes, q[nodes] - raw[nodes], data.sums(room))
    if not np.array_equal(moved, nodes):
        nodes, targets, slack = moved, v[moved], np.empty(len(moved))
        top = local_dual(data.x, raw, nodes, targets, q, v, slack)
    rows, radius = _spread(data, rows, raw, q, nodes, slack, room)
    t = _scale(data, loss, alpha, knots, z, rows, v, top)
    gap = _gap(data, loss, alpha, knots, at_rows, rows, v, t)
    change = loss.fenchel_change(data.y, at_rows, t * rows / data.s, radius / data.s)
    gap = gap * (1.0 + 1e-13) + float(data.s[radius > 0.0] @ change[radius > 0.0])
    fit = float(data.s @ loss.value(data.y, at_rows))
    primal = fit + alpha * float(np.abs(knots.kinks).sum()) + data.constant
    return LineDual(z, t * v, t * rows, primal, primal - gap, gap)


def _spread(
    data: LineData, rows: Array, raw: Array, q: Array, nodes: Ints, slack: Array, room: Array
) -> tuple[Array, Array]:
    """Return the rows whose sums are q, and bounds on their rounding errors, 0 for most."""
    rows, radius = rows.copy(), np.zeros(len(rows))
    if data.merged:
        rows[nodes], radius[nodes] = q[nodes], slack
        return rows, radius
    ends = np.append(data.first[1:], len(rows))
    for k, node in enumerate(nodes):
        mine = slice(data.first[node], ends[node])
        # The row with most room takes the change; ties and infinities go to the heaviest.
        best = data.first[node] + int(np.lexsort((data.s[mine], room[mine]))[-1])
        rows[best] += q[node] - raw[node]
        radius[best] += slack[k]
    # The sums over the rows of a point were rounded too.
    count = np.diff(np.append(data.first, len(rows)))
    size = data.sums(np.abs(rows))
    heavy = data.first
    radius[heavy] += np.where(count > 1, 2.0**-52 * count * size, 0.0)
    return rows, radius


def _scale(
    data: LineData,
    loss: Loss,
    alpha: float,
    knots: Knots,
    z: Array,
    rows: Array,
    v: Array,
    top: float,
) -> float:
    """Return the better of t = min(1, alpha / U) and the maximiser of D(t q)."""
    limit = alpha / top if top > 0.0 else np.inf
    limit = limit * (1.0 - 2.0**-52)
    best = loss.dual_scale(data.y, rows, data.s, limit)
    choices = [best]
    low, high = loss.dual_interval(data.y)
    plain = min(1.0, limit)
    p = plain * rows / data.s
    if bool(((p >= low) & (p <= high)).all()):
        choices.append(plain)
    at_rows = data.at_rows(z)
    return min(choices, key=lambda t: _gap(data, loss, alpha, knots, at_rows, rows, v, t))


def _gap(
    data: LineData,
    loss: Loss,
    alpha: float,
    knots: Knots,
    at_rows: Array,
    rows: Array,
    v: Array,
    t: float,
) -> float:
    """Return the gap of the module's text at t."""
    along = np.sign(knots.kinks) * v[knots.at]
    kinks = float(np.abs(knots.kinks) @ np.maximum(alpha - t * along, 0.0))
    return kinks + float(data.s @ loss.fenchel_gap(data.y, at_rows, t * rows / data.s))
