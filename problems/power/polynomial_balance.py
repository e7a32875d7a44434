"""Which rows of a dual point may move when it is projected off the polynomials; see `Balance`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..balance import Balance
from ..checks import Array
from .polynomial_basis import PolynomialBasis

if TYPE_CHECKING:
    from ..higher_order import HigherOrderProblem

LEAST_EIGENVALUE = 0.1
"""As in `balance`, but larger: so are the errors of the basis, and largest atoms multiply what is
left."""


def balance_polynomials(problem: HigherOrderProblem, p: Array) -> Balance:
    """Return the balance for pseudo-residuals p of the live rows."""
    s = problem.live_weights

    def basis_of_rows(used: np.ndarray) -> PolynomialBasis:
        if not used.any():
            return problem.affine
        rows = problem.X[problem.live][used]
        return PolynomialBasis.of_order(rows, s[used] / s[used].sum(), problem.order)

    interval = problem.loss.dual_interval(problem.live_targets)
    return Balance.choose(problem.affine, s, interval, p, basis_of_rows, LEAST_EIGENVALUE)
