"""Which rows of a dual point may move when it is projected off the polynomials; see `Balance`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..balance import CLEAR, ZERO, Balance
from ..checks import Array
from .polynomial_basis import PolynomialBasis

if TYPE_CHECKING:
    from ..higher_order import HigherOrderProblem

LEAST_EIGENVALUE = 0.1
"""As in `balance`, but larger: so are the errors of the basis, and largest atoms multiply what is
left."""


def balance_polynomials(problem: HigherOrderProblem, p: Array) -> Balance:
    """Return the balance for pseudo-residuals p of the live rows.

    Rows strictly inside the domain of l* move if they determine the projection; otherwise rows at
    an end that is 0 become 0, and all others move, with a basis of their own.
    """
    basis, s = problem.affine, problem.live_weights
    low, high = problem.loss.dual_interval(problem.live_targets)
    clear = CLEAR * np.minimum(high - low, 1.0)
    inner = (p >= low + clear) & (p <= high - clear)
    everything = np.ones(len(p), dtype=bool)
    if inner.all() or _least_eigenvalue(basis, s, inner) > LEAST_EIGENVALUE:
        return Balance(basis, everything, inner)
    zero = ZERO * np.minimum(high - low, 1.0)
    used = ~(((low == 0.0) & (p <= zero)) | ((high == 0.0) & (p >= -zero)))
    count = int(used.sum())
    if 0 < count < len(p):
        rows = problem.X[problem.live][used]
        basis = PolynomialBasis.of_order(rows, s[used] / s[used].sum(), problem.order)
    return Balance(basis, used, np.ones(count, dtype=bool))


def _least_eigenvalue(basis: PolynomialBasis, s: Array, rows: np.ndarray) -> float:
    B = basis.columns
    return float(np.linalg.eigvalsh((B * np.where(rows, s, 0.0)[:, None]).T @ B)[0])
