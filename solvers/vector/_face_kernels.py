"""Compiled per-neuron geometry of the Newton master with several outputs.

Every neuron sees its own dual q_k = Q u_k on the points and has sign 1: the kernels of one output
apply, neuron by neuron.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from ...problems.checks import Array
from .._circle_kernels import OPTIONS, Ints
from .._face_kernels import ABOVE, Roles, faces, kinks_ahead


@njit(**OPTIONS)
def own_dual(Q: Array, u: Array, q: Array) -> None:
    """q[i] = Q[i].u."""
    n, D = Q.shape
    for i in range(n):
        total = 0.0
        for c in range(D):
            total += Q[i, c] * u[c]
        q[i] = total


@njit(**OPTIONS)
def vector_faces(
    X: Array,
    Q: Array,
    alpha: float,
    U: Array,
    planes: Array,
    role: Roles,
    basis: Array,
    sizes: Ints,
    slopes: Array,
    residual: Array,
) -> None:
    """Fill what `faces` fills, with q_k = Q u_k for neuron k."""
    q, sign = np.empty(len(X)), np.ones(1)
    for k in range(len(planes)):
        own_dual(Q, U[k], q)
        one = slice(k, k + 1)
        faces(
            X, 1.0, q, alpha, sign, planes[one], role[one], basis[one], sizes[one], slopes[one],
            residual[one],
        )  # fmt: skip


@njit(**OPTIONS)
def vector_kinks_ahead(
    X: Array,
    Q: Array,
    U: Array,
    amplitude: Array,
    planes: Array,
    role: Roles,
    delta: Array,
    slope: Array,
    length: Array,
    blocker: Ints,
) -> None:
    """Fill what `kinks_ahead` fills, with q_k = Q u_k for neuron k."""
    q, sign = np.empty(len(X)), np.ones(1)
    for k in range(len(planes)):
        own_dual(Q, U[k], q)
        one = slice(k, k + 1)
        kinks_ahead(
            X, 1.0, q, sign, amplitude[one], planes[one], role[one], delta[one], slope[one],
            length[one], blocker[one],
        )  # fmt: skip


@njit(**OPTIONS)
def active_moments(X: Array, Q: Array, role: Roles, out: Array) -> None:
    """out[k] = sum over points above k of Q_i (x_i, -1)^T, shape (D, d + 1)."""
    n, d = X.shape
    D = Q.shape[1]
    for k in range(len(role)):
        out[k] = 0.0
        for i in range(n):
            if role[k, i] == ABOVE:
                for c in range(D):
                    for a in range(d):
                        out[k, c, a] += Q[i, c] * X[i, a]
                    out[k, c, d] -= Q[i, c]


@njit(**OPTIONS)
def tangents(U: Array, out: Array) -> None:
    """out[k] (D, D - 1) = columns orthonormal to u_k and to each other.

    Columns 1 .. D - 1 of the Householder reflection that takes e_0 to -+u_k.
    """
    K, D = U.shape
    v = np.empty(D)
    for k in range(K):
        for c in range(D):
            v[c] = U[k, c]
        v[0] += 1.0 if U[k, 0] >= 0.0 else -1.0
        square = 0.0
        for c in range(D):
            square += v[c] * v[c]
        for m in range(1, D):
            for c in range(D):
                out[k, c, m - 1] = (1.0 if c == m else 0.0) - 2.0 * v[c] * v[m] / square
