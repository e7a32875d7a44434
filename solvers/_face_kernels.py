"""Compiled per-neuron geometry of the sliding Newton master: faces, columns, kinks ahead."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from ..problems.checks import Array
from ._circle_kernels import ON_PLANE, OPTIONS, Ints, orthogonalise, shell_sort

Roles = NDArray[np.int8]
Mask = NDArray[np.bool_]

SWEEPS = 200

ABOVE, HELD, WALL, CROSSED = 1, 2, 3, 4
"""Roles of a point for a neuron: active, on the hyperplane and kept there, reached by the step,
crossed by the step; 0 is inactive. Reached and crossed points keep in bit 8 that they were
active."""
WAS_ACTIVE = 8


@njit(**OPTIONS)
def extend(span: Array, rank: int, vector: Array) -> int:
    """Add the part of vector orthogonal to span[:rank] as a unit row, if any; return the rank."""
    p = len(vector)
    v = span[rank]
    before = 0.0
    for c in range(p):
        v[c] = vector[c]
        before += vector[c] * vector[c]
    norm = orthogonalise(v, span, rank)
    if norm <= 1e-8 * np.sqrt(before):
        return rank
    for c in range(p):
        v[c] /= norm
    return rank + 1


@njit(**OPTIONS)
def complement(vectors: Array, count: int, basis: Array) -> int:
    """Fill the columns of basis with the orthogonal complement of vectors[:count]; return size.

    The complement always keeps one direction more than d - 1 independent vectors would leave, since
    a neuron's own direction is orthogonal to every point it holds.
    """
    p = vectors.shape[1]
    span = np.empty((p + 1, p))
    rank = 0
    for m in range(count):
        if rank == p - 1:
            break
        rank = extend(span, rank, vectors[m])
    size = 0
    for _ in range(p - rank):
        best, pick = -1.0, 0
        for c in range(p):
            left = 1.0
            for m in range(rank + size):
                left -= span[m, c] ** 2
            if left > best:
                best, pick = left, c
        v = span[rank + size]
        for c in range(p):
            v[c] = 0.0
        v[pick] = 1.0
        norm = orthogonalise(v, span, rank + size)
        for c in range(p):
            v[c] /= norm
            basis[c, size] = v[c]
        size += 1
    return size


@njit(**OPTIONS)
def balance(
    X: Array, lift: float, points: Ints, count: int, weights: Array, g: Array, theta: Array
) -> None:
    """Coordinate descent for min |g + sum_j theta_j weights_j (x_j, -lift)|, theta in [0, 1].

    g enters at theta = 1/2 and leaves as the residual. Points with weight < 0 (repulsive: the
    objective bends down there) take the side of descent instead.
    """
    d = X.shape[1]
    for sweep in range(SWEEPS):
        change, size = 0.0, 0.0
        for m in range(count):
            i, weight = points[m], weights[m]
            if weight == 0.0:
                continue
            dot, square = -lift * g[d], lift * lift
            for c in range(d):
                dot += g[c] * X[i, c]
                square += X[i, c] * X[i, c]
            if weight > 0.0:
                new = min(1.0, max(0.0, theta[m] - dot / (weight * square)))
            elif sweep < 5:
                new = 1.0 if dot < 0.0 else 0.0
            else:
                new = theta[m]
            step = (new - theta[m]) * weight
            size = max(size, abs(weight))
            if step != 0.0:
                theta[m] = new
                for c in range(d):
                    g[c] += step * X[i, c]
                g[d] -= lift * step
                change = max(change, abs(step))
        if change <= 1e-12 * size:
            break


@njit(**OPTIONS)
def faces(
    X: Array,
    lift: float,
    q: Array,
    alpha: float,
    sign: Array,
    planes: Array,
    role: Roles,
    basis: Array,
    sizes: Ints,
    slopes: Array,
    residual: Array,
) -> None:
    """Decide for every neuron which points it holds, and the face it may move in.

    The objective has for a neuron with points J on its hyperplane the one-sided slopes
    g0 + sum_{j in J} theta_j c_j, theta in [0, 1]^J, c_j = -sign q_j (x_j, -lift), with
    g0 = alpha (w, 0) - sign sum_{above} q_i (x_i, -lift). The least-norm slope decides:
    theta strictly inside (0, 1) means held, 0 or 1 means free to leave to that side.

    Fills role (K, n), basis (K, p, p) and sizes (K,) with an orthonormal basis of the face,
    slopes (K, p) with the slope on the chosen sides, residual (K,) with the least norm.
    """
    K, p = planes.shape
    n, d = X.shape
    points = np.empty(n, np.int64)
    weights = np.empty(n)
    theta = np.empty(n)
    vectors = np.empty((n, p))
    least = np.empty(p)
    for k in range(K):
        g = slopes[k]
        for c in range(p):
            g[c] = 0.0
        count = 0
        for i in range(n):
            m = -lift * planes[k, d]
            for c in range(d):
                m += planes[k, c] * X[i, c]
            role[k, i] = 0
            if m > ON_PLANE:
                role[k, i] = ABOVE
                for c in range(d):
                    g[c] -= sign[k] * q[i] * X[i, c]
                g[d] += lift * sign[k] * q[i]
            elif m >= -ON_PLANE:
                points[count] = i
                weights[count] = -sign[k] * q[i]
                theta[count] = 0.5
                count += 1
        for c in range(d):
            g[c] += alpha * planes[k, c]
        for c in range(p):
            least[c] = g[c]
        for m in range(count):
            for c in range(d):
                least[c] += 0.5 * weights[m] * X[points[m], c]
            least[d] -= lift * 0.5 * weights[m]
        balance(X, lift, points, count, weights, least, theta)
        residual[k] = 0.0
        for c in range(p):
            residual[k] += least[c] * least[c]
        residual[k] = np.sqrt(residual[k])
        kept = 0
        for m in range(count):
            i = points[m]
            if 1e-9 < theta[m] < 1.0 - 1e-9:
                for c in range(d):
                    vectors[kept, c] = X[i, c]
                vectors[kept, d] = -lift
                kept += 1
                role[k, i] = HELD
            elif theta[m] >= 0.5:
                role[k, i] = ABOVE
                for c in range(d):
                    slopes[k, c] += weights[m] * X[i, c]
                slopes[k, d] -= lift * weights[m]
        sizes[k] = complement(vectors, kept, basis[k])


@njit(**OPTIONS)
def model_columns(
    X: Array,
    lift: float,
    sign: Array,
    role: Roles,
    basis: Array,
    sizes: Ints,
    offsets: Ints,
    out: Array,
) -> None:
    """out[offsets[k] + m, i] = sign_k [i above k] (x_i, -lift).basis_k[:, m]."""
    n, d = X.shape
    for k in range(len(sign)):
        for m in range(sizes[k]):
            row = out[offsets[k] + m]
            for i in range(n):
                value = 0.0
                if role[k, i] == ABOVE:
                    value = -lift * basis[k, d, m]
                    for c in range(d):
                        value += X[i, c] * basis[k, c, m]
                row[i] = sign[k] * value


@njit(**OPTIONS)
def norm_terms(
    alpha: float,
    amplitude: Array,
    planes: Array,
    slopes: Array,
    basis: Array,
    sizes: Ints,
    offsets: Ints,
    damping: float,
    hessian: Array,
    gradient: Array,
) -> None:
    """Add the curvature of alpha |u_k| and the damping to hessian, fill gradient = basis^T slope.

    alpha |u| has the curvature alpha (I - w w^T) / |u|; damping adds `damping` alpha I / |u|.
    """
    d = planes.shape[1] - 1
    for k in range(len(amplitude)):
        curvature = alpha / amplitude[k]
        start, size = offsets[k], sizes[k]
        along = np.zeros(size)
        for a in range(size):
            total = 0.0
            for c in range(d):
                along[a] += planes[k, c] * basis[k, c, a]
            for c in range(d + 1):
                total += basis[k, c, a] * slopes[k, c]
            gradient[start + a] = total
        for a in range(size):
            for b in range(size):
                dot = 0.0
                for c in range(d):
                    dot += basis[k, c, a] * basis[k, c, b]
                hessian[start + a, start + b] += curvature * (dot - along[a] * along[b])
            hessian[start + a, start + a] += damping * curvature


@njit(**OPTIONS)
def expand(basis: Array, sizes: Ints, offsets: Ints, coordinates: Array, delta: Array) -> None:
    """delta[k] = basis_k coordinates_k."""
    K, p = delta.shape
    for k in range(K):
        for c in range(p):
            total = 0.0
            for m in range(sizes[k]):
                total += basis[k, c, m] * coordinates[offsets[k] + m]
            delta[k, c] = total


@njit(**OPTIONS)
def kinks_ahead(
    X: Array,
    lift: float,
    q: Array,
    sign: Array,
    amplitude: Array,
    planes: Array,
    role: Roles,
    delta: Array,
    slope: Array,
    length: Array,
    blocker: Ints,
) -> None:
    """How far each neuron may go along delta before a kink turns its own slope upwards.

    slope[k] < 0 is the model's derivative along delta_k at 0; it rises linearly to 0 at t = 1, and
    by -sign q_i |r_i| at the crossing of point i, r_i = (x_i, -lift).delta_k. Points that the step
    already takes into account (HELD, WALL, CROSSED) are passed over.
    """
    n, d = X.shape
    when, rate = np.empty(n), np.empty(n)
    which = np.empty(n, np.int64)
    for k in range(len(sign)):
        count = 0
        for i in range(n):
            if role[k, i] > ABOVE:
                continue
            r, m = -lift * delta[k, d], -lift * planes[k, d]
            for c in range(d):
                r += delta[k, c] * X[i, c]
                m += planes[k, c] * X[i, c]
            side = 1.0 if role[k, i] == ABOVE else -1.0
            if side * r >= -1e-14 * amplitude[k]:
                continue
            t = max(side * m, 0.0) * amplitude[k] / (-side * r)
            if t < 1.0:
                when[count], rate[i], which[count] = t, abs(r), i
                count += 1
        length[k], blocker[k] = 1.0, -1
        if count == 0:
            continue
        shell_sort(when, which, count)
        extra = 0.0
        for m in range(count):
            i = which[m]
            before = min(slope[k], 0.0) * (1.0 - when[m]) + extra
            rise = -sign[k] * q[i] * rate[i]
            if rise > 0.0 and before + rise >= 0.0:
                length[k], blocker[k] = when[m], i
                break
            extra = min(extra + rise, 0.0) if rise < 0.0 else extra + rise


@njit(**OPTIONS)
def snap(X: Array, lift: float, role: Roles, planes: Array, alive: Mask) -> None:
    """Make the points that a neuron holds or has reached lie exactly on its hyperplane."""
    K, p = planes.shape
    n, d = X.shape
    span, v = np.empty((p + 1, p)), np.empty(p)
    for k in range(K):
        if not alive[k]:
            continue
        rank = 0
        for i in range(n):
            if rank == d:
                break
            if (role[k, i] & 7) == HELD or (role[k, i] & 7) == WALL:
                for c in range(d):
                    v[c] = X[i, c]
                v[d] = -lift
                rank = extend(span, rank, v)
        for c in range(p):
            v[c] = planes[k, c]
        orthogonalise(v, span, rank)
        norm = 0.0
        for c in range(d):
            norm += v[c] * v[c]
        norm = np.sqrt(norm)
        if norm > 0.5:
            for c in range(p):
                planes[k, c] = v[c] / norm
