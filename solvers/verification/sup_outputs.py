r"""Upper bounds of sup ||eta|| for several outputs: scans and sweeps of vectors.

``eta(w, b) = sum_i Q_i relu(w . x_i - b)``; for fixed w it is linear in b between knots and its
norm convex, so that anchors serve as for one output, and ``eta_j(w) = 1/2 sum_i Q_i |w . z_i|``.
In the plane it is ``G^T w`` on an arc, and ``||G^T w||^2 = w^T G G^T w`` is largest at an end or at
the first eigenvector. Errors are those of one output with ``sum ||Q_i||`` in place of
``sum |q_i|``, and D + 4 roundings of the norm.
"""

from __future__ import annotations

import math

import numpy as np

from ...problems.checks import Array
from .null_space import U
from .rows import Rows, lowered, power_of_two
from .sup import CHUNK, NEAR, SupProof, nothing_found, roundings


def prove_sup_outputs(rows: Rows, Q: Array, moved: float) -> SupProof | None:
    """Return a proved bound of sup ||eta||_2, None if the points span more than a plane.

    Parameters
    ----------
    rows : Rows
    Q : ndarray of shape (n_points, n_outputs)
    moved : float
        Bound of sum ||E_i||.
    """
    X, d = rows.X, rows.X.shape[1]
    lengths = np.linalg.norm(Q, axis=1)
    top, far = float(lengths.max(initial=0.0)), float(np.abs(X).max(initial=0.0))
    if top == 0.0 or rows.rank == 0:
        extent = float(np.linalg.norm(X, axis=1).max(initial=0.0)) if far > 0.0 else 0.0
        spare = 2.0 * extent * (float(lengths.sum()) + moved)
        return nothing_found(spare, spare, d, "nothing to search")
    if rows.rank > 2:
        return None
    x_unit, q_unit = power_of_two(far), power_of_two(top)
    X, P = X / x_unit, Q / q_unit
    low, apart = lowered(X, rows.span)
    radius = float(np.linalg.norm(X, axis=1).max()) * (1.0 + 8 * d * U)
    mass = float(lengths.sum()) / q_unit * (1.0 + (len(Q) + 8) * U)
    kind = "scan" if rows.rank == 1 else "sweep"
    count = roundings(kind, len(Q), rows.rank) + 4 * (d + 4) + 8 * (Q.shape[1] + 4)
    margin = count * U * radius * mass + apart * mass + 3.0 * radius * (moved / q_unit) + 1e-280
    points, group = np.unique(low + 0.0, axis=0, return_inverse=True)
    sums = np.zeros((len(points), Q.shape[1]))
    np.add.at(sums, group.reshape(-1), P)
    search = _scan_outputs if rows.rank == 1 else _sweep_outputs
    value, w, j = search(points, sums)
    method = "scan of the sorted inputs" if rows.rank == 1 else "angular sweep around every point"
    lifted = rows.span @ w
    lifted /= np.linalg.norm(lifted)
    at = float((points[j] * x_unit) @ (rows.span.T @ lifted))
    attained = float(np.linalg.norm(np.maximum(rows.X @ lifted - at, 0.0) @ Q))
    bias, unit = at + float(lifted @ rows.reference), x_unit * q_unit
    bound = max((value + margin) * unit, attained - margin * unit)
    return SupProof(bound, attained, lifted, bias, margin * unit, True, method)


def _scan_outputs(points: Array, Q: Array) -> tuple[float, Array, int]:
    """Return ``max_j ||sum_{i <= j} Q_i (x_j - x_i)||`` from running sums."""
    order = np.argsort(points[:, 0], kind="stable")
    x, Q = points[order], Q[order]
    values = np.linalg.norm(x * np.cumsum(Q, axis=0) - np.cumsum(Q * x, axis=0), axis=1)
    j = int(np.argmax(values))
    return float(values[j]), np.ones(1), int(order[j])


def _sweep_outputs(X: Array, Q: Array) -> tuple[float, Array, int]:
    """Return an upper bound of ``max_j max_w ||eta_j(w)||`` in the plane, and where it is (nearly).

    As for one output: angles where the sign of w . z_i changes are sorted around every anchor, and
    G is a running sum over them.
    """
    best, where, anchor = 0.0, np.array([1.0, 0.0]), 0
    step = max(1, CHUNK // (len(X) * Q.shape[1]))
    for first in range(0, len(X), step):
        Z = X[None, :, :] - X[first : first + step, None, :]
        theta = np.arctan2(Z[..., 0], -Z[..., 1])
        before, beyond = theta < 0.0, theta >= math.pi
        theta = np.where(before, theta + math.pi, np.where(beyond, theta - math.pi, theta))
        sign = np.where(before | beyond, 1.0, -1.0)
        order = np.argsort(theta, axis=1)
        theta = np.take_along_axis(theta, order, axis=1)
        turned = np.take_along_axis(sign[..., None] * Z, order[..., None], axis=1)
        terms = turned[..., :, None] * Q[order][..., None, :]
        G = np.cumsum(terms, axis=1)
        G -= 0.5 * G[:, -1:]
        a, c = (G[..., 0, :] ** 2).sum(axis=-1), (G[..., 1, :] ** 2).sum(axis=-1)
        b = (G[..., 0, :] * G[..., 1, :]).sum(axis=-1)
        after = np.concatenate([theta[:, 1:], theta[:, :1] + math.pi], axis=1)
        own = 0.5 * np.arctan2(2.0 * b, a - c)
        past = np.mod(own - theta, math.pi)
        inside = (past <= after - theta + NEAR) | (past >= math.pi - NEAR)
        first_value = 0.5 * (a + c) + np.hypot(0.5 * (a - c), b)
        for angle, counts in ((theta, None), (after, None), (own, inside)):
            x, y = np.cos(angle), np.sin(angle)
            value = np.linalg.norm(
                G[..., 0, :] * x[..., None] + G[..., 1, :] * y[..., None], axis=-1
            )
            if counts is not None:
                value = np.where(counts, np.sqrt(first_value), 0.0)
            k = np.unravel_index(int(np.argmax(value)), value.shape)
            if value[k] > best:
                best, anchor = float(value[k]), first + int(k[0])
                where = np.array([math.cos(angle[k]), math.sin(angle[k])])
    return best, where, anchor
