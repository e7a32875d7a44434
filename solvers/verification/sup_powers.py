r"""Upper bounds of sup |eta| for splines of order m on a line, from Bernstein coefficients.

With p = m - 1, ``eta(b) = sum_i q_i max(x_i - b, 0)^p / p!`` vanishes off the data, because q is
orthogonal to polynomials of degree p, and (-1, -b) gives the same up to the sign. Between
neighbouring points l < r it is a polynomial in b, with the Bernstein coefficients

    c_k = sum_{x_i >= r} q_i (x_i - l)^(p - k) (x_i - r)^k / p!,    k = 0 .. p,

of which eta is a mean with weights: |eta| <= max |c_k|, and the ends are values. A piece is halved
(de Casteljau) until that bound is within 1e-13 of the largest value seen. Each coefficient is a sum
of n terms of at most ``|q_i| R^p / p!``, R the length of the line, halvings are means: the rounding
is ``(n + 8 p + 160) u sum |q_i| R^p / p!``; and e moves eta by at most ``sum |e_i| R^p / p!``.
"""

from __future__ import annotations

import math

import numpy as np

from ...problems.checks import Array
from .null_space import U, exact_sum
from .rows import Rows, power_of_two
from .sup import SupProof, nothing_found

CHUNK = 1 << 20
HALVINGS = 60
CLOSE = 1e-13
"""Relative distance of the bound from a value at which pieces are not halved any more."""


def prove_sup_powers(rows: Rows, q: Array, moved: float, degree: int) -> SupProof | None:
    """Return a proved bound of sup |eta| for points on a line, None for others.

    Parameters
    ----------
    rows : Rows
    q : ndarray of shape (n_points,)
    moved : float
        Bound of sum |e_i|.
    degree : int
        p.
    """
    d = rows.X.shape[1]
    top, far = float(np.abs(q).max(initial=0.0)), float(np.abs(rows.X).max(initial=0.0))
    if rows.rank > 1:
        return None
    low = rows.X @ rows.span
    extent = float(np.ptp(low)) if rows.rank else far
    apart = float(np.linalg.norm(rows.X - low @ rows.span.T, axis=1).max(initial=0.0))
    apart += 4 * (d + 4) * U * math.sqrt(d) * far
    scale = (extent + 2.0 * apart) ** degree / math.factorial(degree)
    if top == 0.0 or rows.rank == 0:
        spare = scale * (exact_sum(np.abs(q)) + moved)
        return nothing_found(spare, spare, d, "nothing to search")
    unit, q_unit = power_of_two(extent), power_of_two(top)
    points, group = np.unique(low[:, 0] / unit, return_inverse=True)
    sums = np.bincount(group.reshape(-1), weights=q / q_unit, minlength=len(points))
    value, at = _largest(points, sums.astype(np.float64), degree)
    whole = unit**degree * q_unit
    mass = exact_sum(np.abs(q)) * (1.0 + 4 * U)
    margin = (len(q) + 8 * degree + 160) * U * mass * scale + moved * scale
    # Points off the line, or rounded: all t move by at most 2 apart.
    margin += (
        2.0
        * apart
        * mass
        * (extent + 2.0 * apart) ** (degree - 1)
        * degree
        / math.factorial(degree)
    )
    lifted = rows.span[:, 0] / np.linalg.norm(rows.span[:, 0])
    offset = rows.X @ lifted - at * unit
    attained = abs(exact_sum(q * np.maximum(offset, 0.0) ** degree)) / math.factorial(degree)
    bound = max(value * whole + margin, attained - margin)
    bias = at * unit + float(lifted @ rows.reference)
    return SupProof(bound, attained, lifted, bias, margin, True, "pieces in Bernstein form")


def _largest(x: Array, q: Array, degree: int) -> tuple[float, float]:
    """Return an upper bound of max |eta| over ascending points x, and where it nearly is."""
    best, at, bound = 0.0, float(x[0]), 0.0
    step = max(1, CHUNK // len(x))
    for first in range(0, len(x) - 1, step):
        left, right = x[:-1][first : first + step], x[1:][first : first + step]
        C = _coefficients(x, q, left, right, degree)
        for _ in range(HALVINGS):
            values = np.abs(np.column_stack([C[:, 0], C[:, -1]]))
            k = np.unravel_index(int(np.argmax(values)), values.shape)
            if values[k] > best:
                best, at = float(values[k]), float((left, right)[int(k[1])][k[0]])
            tops = np.abs(C).max(axis=1)
            open_ = tops > best * (1.0 + CLOSE)
            bound = max(bound, float(np.max(tops, initial=0.0, where=~open_)))
            if not open_.any():
                break
            C, left, right = _halved(C[open_], left[open_], right[open_])
        else:
            bound = max(bound, float(np.abs(C).max()))
    return bound, at


def _coefficients(x: Array, q: Array, left: Array, right: Array, degree: int) -> Array:
    """Return c_k, one row per piece."""
    up = np.maximum(x - left[:, None], 0.0)
    down = np.maximum(x - right[:, None], 0.0)
    C, low = np.empty((len(left), degree + 1)), q * (x >= right[:, None])
    for k in range(degree + 1):
        term = low
        for _ in range(degree - k):
            term = term * up
        C[:, k] = term.sum(axis=1)
        low = low * down
    return C / math.factorial(degree)


def _halved(C: Array, left: Array, right: Array) -> tuple[Array, Array, Array]:
    """Return both halves of every piece."""
    lower, upper, row = [C[:, 0]], [C[:, -1]], C
    while row.shape[1] > 1:
        row = 0.5 * (row[:, :-1] + row[:, 1:])
        lower.append(row[:, 0])
        upper.append(row[:, -1])
    middle = 0.5 * (left + right)
    return (
        np.concatenate([np.column_stack(lower), np.column_stack(upper[::-1])]),
        np.concatenate([left, middle]),
        np.concatenate([middle, right]),
    )
