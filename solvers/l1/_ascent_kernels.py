"""Compiled ascent of |eta| / |w|_1 from vertex to vertex; see `_kernels` for the words.

A vertex is a plane v with d independent constraints; dropping one of them leaves a pencil, and the
ascent goes to the best vertex of one pencil after the other, until none is better.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from ...problems.checks import Array
from .._circle_kernels import ON_PLANE, OPTIONS, Ints, orthogonalise
from ._kernels import sweep

TINY = 1e-12
"""Both coordinates of a constraint that vanishes on a whole pencil, but for rounding."""
INDEPENDENT = 1e-9
"""Part of a row that must be new for it to join a basis of constraints."""
BETTER = 1e-11
"""Relative gain that counts as one."""
REBASES = 6
"""Other bases that are tried at a vertex with more than d constraints."""


@njit(**OPTIONS)
def invert(B: Array, out: Array) -> bool:
    """Set out = B^-1 by Gauss-Jordan, B is destroyed; return False if it is nearly singular."""
    size = len(B)
    out[:] = 0.0
    for k in range(size):
        out[k, k] = 1.0
    for k in range(size):
        top = k
        for m in range(k + 1, size):
            if abs(B[m, k]) > abs(B[top, k]):
                top = m
        if abs(B[top, k]) <= 1e-12:
            return False
        for c in range(size):
            B[k, c], B[top, c] = B[top, c], B[k, c]
            out[k, c], out[top, c] = out[top, c], out[k, c]
        scale = 1.0 / B[k, k]
        for c in range(size):
            B[k, c] *= scale
            out[k, c] *= scale
        for m in range(size):
            factor = B[m, k]
            if m != k and factor != 0.0:
                for c in range(size):
                    B[m, c] -= factor * B[k, c]
                    out[m, c] -= factor * out[k, c]
    return True


@njit(**OPTIONS)
def multiply(rows: Array, v: Array, out: Array) -> None:
    """Set out = rows v."""
    for i in range(len(rows)):
        total = 0.0
        for k in range(len(v)):
            total += rows[i, k] * v[k]
        out[i] = total


@njit(**OPTIONS)
def ratio_at(weights: Array, prices: Array, p: Array) -> float:
    """Return |eta| / |w|_1 at the plane with values p of the constraints; 0 if w = 0."""
    value, price = 0.0, 0.0
    for i in range(len(p)):
        value += weights[i] * abs(p[i])
        price += prices[i] * abs(p[i])
    return abs(value) / price if price > 0.0 else 0.0


@njit(**OPTIONS)
def normalise(v: Array) -> None:
    """Scale v to |w|_1 = 1; weights that are rounding become 0."""
    d = len(v) - 1
    size = 0.0
    for k in range(d):
        size += abs(v[k])
    if size == 0.0:
        return
    for k in range(d + 1):
        v[k] /= size
        if k < d and abs(v[k]) < 1e-14:
            v[k] = 0.0


@njit(**OPTIONS)
def choose_basis(rows: Array, p: Array, shift: int, active: Ints, basis: Array) -> tuple[int, int]:
    """Fill `active` with independent constraints that vanish, `basis` with orthonormal rows.

    They are tried in order from number `shift` on. Returns how many were taken, how many vanish.
    """
    m, d = len(rows), rows.shape[1] - 1
    count, vanishing = 0, 0
    for step in range(m):
        i = (step + shift) % m
        if abs(p[i]) > ON_PLANE:
            continue
        vanishing += 1
        if count < d:
            basis[count] = rows[i]
            size = np.sqrt(np.sum(rows[i] * rows[i]))
            left = orthogonalise(basis[count], basis, count)
            if left > INDEPENDENT * size:
                basis[count] /= left
                active[count] = i
                count += 1
    return count, vanishing


@njit(**OPTIONS)
def direction(
    rows: Array, weights: Array, prices: Array, p: Array, basis: Array, size: int, e: Array
) -> bool:
    """Set e to a unit vector orthogonal to the basis, uphill if possible; False without one."""
    d = rows.shape[1] - 1
    value, price = 0.0, 0.0
    for i in range(len(p)):
        value += weights[i] * abs(p[i])
        price += prices[i] * abs(p[i])
    slope = abs(value) / price if price > 0.0 else 0.0
    e[:] = 0.0
    for i in range(len(p)):
        step = (weights[i] if value >= 0.0 else -weights[i]) - slope * prices[i]
        if p[i] != 0.0:
            for k in range(d + 1):
                e[k] += (step if p[i] > 0.0 else -step) * rows[i, k]
    if value == 0.0:
        # Nothing is known yet: the best bias for this normal.
        e[:] = 0.0
        e[d] = 1.0
    before = np.sqrt(np.sum(e * e))
    left = orthogonalise(e, basis, size) if before > 0.0 else 0.0
    for i in range(len(rows)):
        if left > INDEPENDENT * before and left > 0.0:
            e /= left
            return True
        e[:] = rows[i]
        before = np.sqrt(np.sum(e * e))
        left = orthogonalise(e, basis, size)
    return False


@njit(**OPTIONS)
def clean(p: Array, r: Array) -> None:
    """Set to 0 what is rounding: constraints that vanish on the pencil, or at its start."""
    for i in range(len(p)):
        if abs(p[i]) <= TINY:
            p[i] = 0.0
            if abs(r[i]) <= TINY:
                r[i] = 0.0


@njit(**OPTIONS)
def complete(
    rows: Array,
    weights: Array,
    prices: Array,
    v: Array,
    p: Array,
    r: Array,
    active: Ints,
    count: int,
    basis: Array,
    keys: Array,
    order: Ints,
) -> int:
    """Move v to a vertex, one more constraint per pencil, |eta| / |w|_1 never falling."""
    d = rows.shape[1] - 1
    e = np.empty(d + 1)
    while count < d:
        multiply(rows, v, p)
        basis[count] = v / np.sqrt(np.sum(v * v))
        if not direction(rows, weights, prices, p, basis, count + 1, e):
            break
        multiply(rows, e, r)
        for m in range(count):
            p[active[m]], r[active[m]] = 0.0, 0.0
        clean(p, r)
        _, c, s, point = sweep(weights, prices, p, r, keys, order)
        if point < 0:
            break
        v[:] = c * v + s * e
        basis[count] = rows[point]
        left = orthogonalise(basis[count], basis, count)
        if left <= TINY:
            break
        basis[count] /= left
        normalise(v)
        active[count] = point
        count += 1
    return count


@njit(**OPTIONS)
def ascend(rows: Array, weights: Array, prices: Array, v: Array, max_moves: int) -> float:
    """Move v = (w, b) to a vertex that no pencil through it improves; return |eta| / |w|_1."""
    m, d = len(rows), rows.shape[1] - 1
    p, r, keys, order = np.empty(m), np.empty(m), np.empty(m), np.empty(m, dtype=np.int64)
    active, basis = np.empty(d, dtype=np.int64), np.empty((d + 1, d + 1))
    B, inverse, e = np.empty((d + 1, d + 1)), np.empty((d + 1, d + 1)), np.empty(d + 1)
    normalise(v)
    multiply(rows, v, p)
    count, vanishing = choose_basis(rows, p, 0, active, basis)
    count = complete(rows, weights, prices, v, p, r, active, count, basis, keys, order)
    multiply(rows, v, p)
    value = ratio_at(weights, prices, p)
    if count < d:
        return float(value)
    fails, at, moves, rebases, fresh = 0, 0, 0, 0, True
    while moves < max_moves and fails < d:
        if fresh:
            for k in range(d):
                B[k] = rows[active[k]]
            B[d] = v / np.sqrt(np.sum(v * v))
            if not invert(B, inverse):
                break
            # Column d is the vertex of these constraints, free of the roundings on the way.
            v[:] = inverse[:, d]
            for k in range(d):
                if active[k] >= m - d:
                    v[active[k] - (m - d)] = 0.0
            normalise(v)
            multiply(rows, v, p)
            for k in range(d):
                p[active[k]] = 0.0
            value, fresh = ratio_at(weights, prices, p), False
        e[:] = inverse[:, at] / np.sqrt(np.sum(inverse[:, at] * inverse[:, at]))
        multiply(rows, e, r)
        for k in range(d):
            if k != at:
                r[active[k]] = 0.0
        clean(p, r)
        best, c, s, point = sweep(weights, prices, p, r, keys, order)
        if point >= 0 and best > value * (1.0 + BETTER) and point != active[at]:
            v[:] = c * v + s * e
            active[at] = point
            moves += 1
            fails, fresh = 0, True
        else:
            fails += 1
        at = (at + 1) % d
        if fails == d and rebases < REBASES:
            # A vertex with more than d constraints has more pencils than those of one basis.
            rebases += 1
            found, vanishing = choose_basis(rows, p, (rebases * m) // (REBASES + 1), active, basis)
            if vanishing > d and found == d:
                fails, fresh = 0, True
    multiply(rows, v, p)
    return float(ratio_at(weights, prices, p))


@njit(**OPTIONS)
def ascend_all(
    rows: Array, weights: Array, prices: Array, planes: Array, max_moves: int, values: Array
) -> None:
    """Run `ascend` from every row of planes, in place."""
    for k in range(len(planes)):
        values[k] = ascend(rows, weights, prices, planes[k], max_moves)
