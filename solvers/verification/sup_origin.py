r"""Upper bounds of sup |eta| for neurons through the origin of their coordinates.

A neuron is a unit vector v, and ``eta(v) = sum_i q_i relu(v . xi_i) = h(v) + l . v`` with
``h(v) = 1/2 sum_i q_i |v . xi_i|`` and ``l = 1/2 sum_i q_i xi_i``: an anchor at the origin and a
linear term, and the boxes of `boxes` serve in any dimension. With a free affine part l is 0
for ``q - e``; what it is for q, at most ``1/2 R sum |e_i|``, R the length of the longest xi_i, is
added, and by what e changes eta, ``R sum |e_i|``. The rounding of the sums is that of boxes. Rows
on one line through the origin share ``|v . xi|``: they become one, and ``1/2 |q_i|`` times what
they are off the line is added.
"""

from __future__ import annotations

import math

import numpy as np

from ...problems.checks import Array
from ..parallel import in_threads
from .boxes import AnchorProof, Target, bound_anchor
from .null_space import U, exact_sum
from .rows import lowered, power_of_two
from .sup import RATIOS, Search, SupProof, nothing_found, roundings

DIGITS = 14
"""Of unit vectors that count as one."""


def prove_sup_origin(
    xi: Array, q: Array, moved: float, search: Search, *, even: bool
) -> tuple[SupProof, Array]:
    """Return a proved bound of sup |eta|, and the unit vector v where it is (nearly) reached.

    Parameters
    ----------
    xi : ndarray of shape (n, n_coordinates)
    q : ndarray of shape (n,)
    moved : float
        Bound of sum |e_i|.
    search : Search
    even : bool
        Whether affine functions are free, so that sum_i (q - e)_i xi_i = 0.
    """
    zero = np.zeros(xi.shape[1])
    top, far = float(np.abs(q).max(initial=0.0)), float(np.abs(xi).max(initial=0.0))
    if top == 0.0 or far == 0.0:
        spare = float(np.linalg.norm(xi, axis=1).max(initial=0.0)) * moved
        return nothing_found(spare, spare, len(zero), "nothing to search"), zero
    x_unit, q_unit = power_of_two(far), power_of_two(top)
    unit = x_unit * q_unit
    X, p = xi / x_unit, q / q_unit
    span = _span(X)
    low, apart = lowered(X, span)
    rank = low.shape[1]
    radius = float(np.linalg.norm(X, axis=1).max()) * (1.0 + 8 * X.shape[1] * U)
    mass = exact_sum(np.abs(p)) * (1.0 + 4 * U)
    lines, weights, bent = _lines(low, p)
    margin = (roundings("boxes", len(q), rank) + 4 * (X.shape[1] + 4)) * U * radius * mass
    margin += apart * mass + bent + 1.5 * radius * (moved / q_unit) + 1e-280
    slope = None if even else 0.5 * np.array([exact_sum(p * column) for column in low.T])
    target = search.target(x_unit, q_unit, margin)
    cases = [(sigma, side) for sigma in (1.0, -1.0) for side in ((1.0,) if even else (1.0, -1.0))]
    bounds, visited = np.full(len(cases), math.inf), 0
    best, v = 0.0, np.eye(rank)[0]
    for ratio in (1.0,) if math.isinf(search.deadline) else RATIOS:
        goal = target.times(ratio)

        def work(case: tuple[float, float], goal: Target = goal) -> AnchorProof:
            sigma, side = case
            linear = None if slope is None else side * sigma * slope
            return bound_anchor(lines, 0.5 * sigma * weights, goal, search.ended, linear=linear)

        for k, found in enumerate(in_threads(work, cases, search.n_threads)):
            bounds[k] = min(bounds[k], found.bound)
            visited += found.n_boxes
            if found.attained > best:
                best, v = found.attained, cases[k][1] * found.direction
        target.see(best)
    v = span @ v
    v /= np.linalg.norm(v)
    attained = abs(exact_sum(q * np.maximum(xi @ v, 0.0)))
    bound = max((float(bounds.max()) + margin) * unit, attained - margin * unit)
    complete, method = not search.ended(), f"branch and bound over {visited} boxes"
    return SupProof(bound, attained, zero, 0.0, margin * unit, complete, method), v


def _lines(X: Array, q: Array) -> tuple[Array, Array, float]:
    """Return rows z and weights c with ``sum_i q_i |v . x_i| = sum c |v . z|``, up to an error.

    One z per line through the origin; half the error is returned.
    """
    length = np.linalg.norm(X, axis=1)
    live = length > 0.0
    X, q, length = X[live], q[live], length[live]
    unit = X / length[:, None]
    first = unit[np.arange(len(unit)), np.argmax(np.abs(unit) > 0.5 / len(X.T), axis=1)]
    unit *= np.sign(first)[:, None]
    _, place, line = np.unique(
        np.round(unit, DIGITS), axis=0, return_index=True, return_inverse=True
    )
    line = line.reshape(-1)
    z = X[place]
    along = np.einsum("ij,ij->i", X, z[line]) / length[place][line] ** 2
    off = np.linalg.norm(X - along[:, None] * z[line], axis=1)
    alone = np.bincount(line)[line] == 1
    error = 0.5 * float(np.abs(q[~alone]) @ (off + 4 * U * length)[~alone])
    sums = np.bincount(line, weights=q * np.where(alone, 1.0, np.abs(along)))
    return z, sums.astype(np.float64), error


def _span(X: Array) -> Array:
    """Return an orthonormal basis of the span of the rows, up to rounding.

    Its first direction is that in which rows are longest: boxes are narrow where rows agree.
    """
    length = np.linalg.norm(X, axis=0)
    sigma, vt = np.linalg.svd(X / np.where(length > 0.0, length, 1.0), full_matrices=False)[1:]
    rank = int((sigma > 8 * max(X.shape) * U * sigma[0]).sum())
    basis = np.linalg.qr((vt[:rank] * length).T)[0][:, :rank]
    turn = np.linalg.svd(X @ basis, full_matrices=False)[2]
    return np.asarray(basis @ turn.T)
