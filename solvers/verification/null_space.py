r"""How far a vector is from the dual points, which are orthogonal to the free functions exactly.

The dual bound needs ``A^T q = 0`` exactly, A the values of the free functions on the rows, and a q
in float64 has it only up to rounding. Let B be a basis of the range of A and M a set of rows that
determines a free function. Then

    e = S M B G^-1 B^T q,   G = B^T S M B        has   A^T (q - e) = 0,   e = 0 off M,
    |e_i| / s_i <= r_i = ||B_i|| ||B^T q|| / lambda_min(G).

What is bounded is therefore ``q - e``. Its dual value must be finite: rows whose q_i / s_i is at an
end of the domain of the conjugate must not move outwards. So M are the rows inside the domain, if
they suffice. Otherwise rows with q_i = 0 are left out altogether, of A too, and all others move: an
end that is not 0 is no obstacle, since t q - t e with t slightly below 1 is within.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ...problems.checks import Array

U = 2.0**-53
"""Unit roundoff."""
CLEAR = 1e-9
"""Distance from the ends of the domain that counts as inside."""
FIRM = 1e-3
"""lambda_min(G) from which on the rows inside suffice; it is 1 for all rows."""


def exact_sum(values: Array) -> float:
    """Return the correctly rounded sum."""
    return math.fsum(values.ravel().tolist())


@dataclass(frozen=True, eq=False)
class NullSpace:
    """An orthonormal basis of the free functions on weighted rows.

    Parameters
    ----------
    s : ndarray of shape (n,)
        Weights.
    B : ndarray of shape (n, size)
        ``A T`` with B^T S B = I up to rounding.
    error : ndarray of shape (n, size)
        Distance of B from a matrix whose range is exactly that of A.
    T : ndarray of shape (n_columns, size)
    """

    s: Array
    B: Array
    error: Array
    T: Array

    @classmethod
    def of_columns(cls, A: Array, slip: Array, s: Array) -> NullSpace:
        """Return the basis for the columns of A, whose entries are wrong by at most `slip`.

        Directions in which scaled columns are no larger than their rounding are none.
        """
        size = np.sqrt(s @ (A * A))
        scale = np.where(size > 0.0, size, 1.0)
        root = np.sqrt(s)[:, None]
        sigma, vt = np.linalg.svd(root * (A / scale), full_matrices=False)[1:]
        noise = float(np.linalg.norm(root * (slip / scale)))
        top = float(sigma[0]) if sigma.size else 0.0
        count = int((sigma > 8 * max(A.shape) * U * top + noise).sum())
        T = vt[:count].T / sigma[:count] / scale[:, None]
        B = root * (A @ T)
        T = np.linalg.solve(np.linalg.cholesky(B.T @ B), T.T).T if count else T
        return cls.of_basis(A, slip, s, T)

    @classmethod
    def of_basis(cls, A: Array, slip: Array, s: Array, T: Array) -> NullSpace:
        """Return the basis ``A T``."""
        error = slip @ np.abs(T) + (A.shape[1] + 4) * U * (np.abs(A) @ np.abs(T))
        return cls(s, A @ T, error, T)

    @property
    def size(self) -> int:
        """Dimension of the free functions on the rows."""
        return int(self.B.shape[1])

    def fit(self, values: Array) -> tuple[Array, Array, Array]:
        """Return theta of the least-squares fit B theta to the values, the fit, and its error."""
        theta = self.B.T @ (self.s * values.T).T
        theta += self.B.T @ (self.s * (values - self.B @ theta).T).T
        error = (self.error + (self.size + 2) * U * np.abs(self.B)) @ np.abs(theta)
        return theta, self.B @ theta, error

    def rest(self, q: Array) -> float:
        """Return a bound of ||B^T q||, B the matrix with the range of A."""
        along = np.array([exact_sum(q * column) for column in self.B.T])
        slack = np.abs(q) @ (self.error + 4 * U * np.abs(self.B))
        return float(np.linalg.norm(np.abs(along) + slack)) * (1.0 + 1e-12)

    def firmness(self, movable: np.ndarray) -> float:
        """Return a lower bound of lambda_min(B^T S M B), M the rows `movable`."""
        if self.size == 0:
            return 1.0
        root = np.sqrt(np.where(movable, self.s, 0.0))[:, None]
        part, distance = root * self.B, float(np.linalg.norm(root * self.error))
        size = float(np.linalg.norm(part))
        least = float(np.linalg.eigvalsh(part.T @ part)[0])
        return least - (2.0 * size + distance) * distance - 4.0 * (len(root) + 8) * U * size * size

    def nearby(self, q: Array, movable: np.ndarray) -> Array:
        """Return r above, infinite where the rows do not determine e."""
        rest = self.rest(q) if self.size else 0.0
        if rest == 0.0:
            return np.zeros(len(q))
        firm = self.firmness(movable)
        length = np.linalg.norm(np.abs(self.B) + self.error, axis=1) * (1.0 + 8 * self.size * U)
        reach = length * rest / firm if firm > 1e-9 else np.full(len(q), math.inf)
        return np.where(movable, reach, 0.0)


Basis = Callable[[np.ndarray], NullSpace]
"""Returns the null space of some of the rows, given by a mask."""


def nearby(basis: Basis, q: Array, s: Array, low: Array, high: Array) -> Array:
    """Return r (n,): some e with |e_i| <= s_i r_i has A^T (q - e) = 0, in the domain if possible.

    Parameters
    ----------
    basis : callable
        A mask of the rows -> `NullSpace`.
    q, s : ndarray of shape (n,)
    low, high : ndarray of shape (n,)
        The ends of the domain of q_i / s_i.
    """
    p = q / s
    clear = CLEAR * np.minimum(high - low, 1.0)
    inner = (p >= low + clear) & (p <= high - clear)
    everything = np.ones(len(q), dtype=bool)
    whole = basis(everything)
    if inner.all() or whole.firmness(inner) > FIRM:
        return whole.nearby(q, inner)
    used = q != 0.0
    reach = np.zeros(len(q))
    if used.any():
        own = basis(used)
        reach[used] = own.nearby(q[used], everything[used])
    return reach


def nearby_tied(free: NullSpace, Q: Array, s: Array, pi: Array) -> Array:
    """Return r (n, C) as above for classes, where rows of q - e sum to 0 too, and pi >= 0.

    Probabilities pi_i move along ``W_i = diag(pi_i) - pi_i pi_i^T / sum pi_i``, thus little where
    they are small: ``e_i = s_i W_i Lambda^T B_i`` with ``|W_i v|_c <= 2 pi_ic max |v|`` and
    ``sum_i s_i B_i B_i^T (x) W_i`` in place of G, on the scores orthogonal to (1, .., 1). What the
    rows of Q themselves lack to sum 0 is taken from the largest pi_i first.

    Parameters
    ----------
    free : NullSpace
    Q, s : ndarray of shape (n, C), (n,)
    pi : ndarray of shape (n, C)
        Probabilities, y - Q / s, negative ones by rounding set to 0.
    """
    n, C = Q.shape
    place = (np.arange(n), np.argmax(pi, axis=1))
    missing = np.zeros_like(Q)
    missing[place] = [math.fsum(row) for row in Q.tolist()]
    if free.size == 0:
        return np.abs(missing) / s[:, None]
    rest = math.hypot(*(free.rest(q) + free.rest(m) for q, m in zip(Q.T, missing.T, strict=True)))
    total = pi.sum(axis=1, keepdims=True)
    blocks = np.einsum("ic,cd->icd", pi, np.eye(C)) - pi[:, :, None] * (pi / total)[:, None, :]
    V = np.linalg.qr(np.column_stack([np.ones(C), np.eye(C)[:, 1:]]))[0][:, 1:]
    inner = s[:, None, None] * (V.T @ blocks @ V)
    system = np.einsum("ir,iab,iq->raqb", free.B, inner, free.B, optimize=True)
    count = free.size * (C - 1)
    least = float(np.linalg.eigvalsh(system.reshape(count, count))[0])
    root = np.sqrt(s)[:, None]
    size, distance = float(np.linalg.norm(root * free.B)), float(np.linalg.norm(root * free.error))
    least -= (2.0 * size + distance) * distance + 8.0 * (n + 8) * count * U * size * size
    if not least > 0.0:
        return np.full_like(Q, math.inf)
    length = np.linalg.norm(np.abs(free.B) + free.error, axis=1) * rest / least
    moved = 2.0 * pi * length[:, None] * (1.0 + 64 * count * U)
    reach: Array = np.abs(missing) / s[:, None] * (1.0 + 4 * U) + moved
    return reach
