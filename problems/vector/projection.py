"""Dual points of several outputs made orthogonal to affine functions, exactly for one nearby.

Losses that are sums over outputs are projected output by output, by a `Balance` as with one output.
For the others a loss gives blocks W_i (D, D): a move s_i W_i v of Q_i keeps Q_i / s_i in the domain
of the conjugate, to first order and whatever is on its boundary. Then

    Q'_i = Q_i - s_i W_i Lambda^T B_i,   (sum_i s_i B_i B_i^T x W_i) Lambda = B^T Q

which is one Newton step of the affine fit.
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from ..affine import AffineBasis
from ..balance import CLEAR, LEAST_EIGENVALUE, ZERO, Balance
from ..checks import Array
from ..rounding import UNIT_ROUNDOFF
from .losses import VectorLoss

LEAST = 1e-13
"""Eigenvalues of the system below it are not used to project."""


def project_outputs(basis: AffineBasis, loss: VectorLoss, T: Array, Q: Array, s: Array) -> Array:
    """Return a Q' near Q (n, D) with [1 X]^T Q' = 0, in the domain of the conjugate if Q is.

    Parameters
    ----------
    basis : AffineBasis
    loss : VectorLoss
    T, Q, s : ndarray of shape (n, D), (n, D), (n,)
    """
    P = loss.pull_inside(T, Q / s[:, None])
    blocks = loss.metric(T, P)
    if blocks is not None:
        return _project_tied(basis, loss, blocks, s[:, None] * P, s)
    balances = _balances(basis, loss, T, P, s)
    return np.stack([b.project(s * P[:, c], s) for c, b in enumerate(balances)], axis=1)


def _balances(basis: AffineBasis, loss: VectorLoss, T: Array, P: Array, s: Array) -> list[Balance]:
    """Return which rows of each output may move; see `Balance.of`."""
    low, high = loss.dual_interval(T)
    return [_balance(basis, low[:, c], high[:, c], P[:, c], s) for c in range(P.shape[1])]


def _balance(basis: AffineBasis, low: Array, high: Array, p: Array, s: Array) -> Balance:
    width = np.minimum(high - low, 1.0)
    inner = (p >= low + CLEAR * width) & (p <= high - CLEAR * width)
    B, everything = basis.columns, np.ones(len(p), dtype=bool)
    gram = (B * np.where(inner, s, 0.0)[:, None]).T @ B
    if inner.all() or float(np.linalg.eigvalsh(gram)[0]) > LEAST_EIGENVALUE:
        return Balance(basis, everything, inner)
    used = ~(((low == 0.0) & (p <= ZERO * width)) | ((high == 0.0) & (p >= -ZERO * width)))
    count = int(used.sum())
    if 0 < count < len(p):
        # Whitened rows have the same affine functions; their own errors come on top.
        U, slip, weights = B[used, 1:], basis.error[used, 1:], s[used] / s[used].sum()
        own = AffineBasis.of(U, weights)
        extra = np.column_stack([np.zeros(count), slip @ np.abs(own.maps)])
        basis = replace(own, error=own.error + extra)
    return Balance(basis, used, np.ones(count, dtype=bool))


def _project_tied(basis: AffineBasis, loss: VectorLoss, blocks: Array, Q: Array, s: Array) -> Array:
    B, V = basis.columns, loss.free_outputs(Q.shape[1])
    value, vectors = np.linalg.eigh(_system(B, V, blocks, s))
    inverse = np.where(value > LEAST, 1.0 / np.where(value > LEAST, value, 1.0), 0.0)
    moved = Q
    for _ in range(3):
        right = (B.T @ moved @ V).ravel()
        found = (vectors @ (inverse * (vectors.T @ right))).reshape(B.shape[1], -1)
        moved = moved - s[:, None] * np.einsum("icb,ib->ic", blocks, B @ found @ V.T)
    left = float(np.abs(B.T @ moved @ V).max(initial=0.0))
    if left <= 1e-12 * float(np.abs(Q).sum()):
        return moved
    for _ in range(2):
        Q = Q - s[:, None] * (B @ (B.T @ Q))
    return Q


def _system(B: Array, V: Array, blocks: Array, s: Array) -> Array:
    """Return sum_i s_i B_i B_i^T x V^T W_i V as a matrix."""
    inner = s[:, None, None] * (V.T @ blocks @ V)
    system: Array = np.einsum("ir,iab,iq->raqb", B, inner, B, optimize=True)
    size = B.shape[1] * V.shape[1]
    return system.reshape(size, size)


def nearby_radius(basis: AffineBasis, loss: VectorLoss, T: Array, Q: Array, s: Array) -> Array:
    """Return r (n, D): some Q - E with |E_ic| <= s_i r_ic has [1 X]^T (Q - E) = 0, exactly.

    Besides, rows of Q - E are in the affine hull of the domain: E includes `loss.off_domain`, and
    what that does to [1 X]^T Q is made up for by the rest of E.
    """
    P = Q / s[:, None]
    away = loss.off_domain(T, P)
    blocks = loss.metric(T, P)
    if blocks is None:
        balances = _balances(basis, loss, T, P, s)
        return np.stack([b.radius(Q[:, c], s) for c, b in enumerate(balances)], axis=1)
    return np.abs(away) + _tied_radius(basis, loss, blocks, Q, s * away.T, s)


def _tied_radius(
    basis: AffineBasis, loss: VectorLoss, blocks: Array, Q: Array, awayT: Array, s: Array
) -> Array:
    """Return 2 W_icc |B_i| |B^T (Q - away)| / lambda for lambda <= the least eigenvalue.

    With W = diag(pi) - pi pi^T / sum pi, |W v|_c = pi_c |sum_b share_b (v_c - v_b)| is at most
    2 W_cc max |v|.
    """
    B, V = basis.columns, loss.free_outputs(Q.shape[1])
    rest = 0.0
    for c in range(Q.shape[1]):
        q, away = Q[:, c], awayT[c]
        for column in B.T:
            terms = (q * column).tolist() + (-away * column).tolist()
            rest += math.fsum(terms) ** 2
        slack = (np.abs(q) + np.abs(away)) @ (basis.error + 4.0 * UNIT_ROUNDOFF * np.abs(B))
        rest += float(slack @ slack) + 2.0 * math.sqrt(rest) * float(np.linalg.norm(slack))
    if rest == 0.0:
        return np.zeros_like(Q)
    count = B.shape[1] * V.shape[1]
    root = np.sqrt(s)[:, None]
    least = float(np.linalg.eigvalsh(_system(B, V, blocks, s))[0])
    size = float(np.linalg.norm(root * B))
    least -= 3.0 * float(np.linalg.norm(root * basis.error)) * size
    least -= 4.0 * (len(Q) + 8) * count * UNIT_ROUNDOFF * min(1.0, size * size)
    if least <= 0.0:
        return np.full_like(Q, np.inf)
    length = np.linalg.norm(np.abs(B) + basis.error, axis=1) * math.sqrt(rest) / least
    diagonal = np.einsum("icc->ic", blocks)
    radius: Array = 2.0 * diagonal * length[:, None] * (1.0 + 64.0 * count * UNIT_ROUNDOFF)
    return radius
