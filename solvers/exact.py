"""The exact oracle that fits the dimension, where there is one."""

from __future__ import annotations

from .oracle import Array, SupBound
from .sweep import sup_eta_1d, sup_eta_2d
from .sweep_3d import sup_eta_3d

MOST_SWEPT = 100
"""Points in three dimensions up to which the exact sweep, O(n^3 log n), is preferred. Boxes are
somewhat faster from half as many on, but may never end on clusters and near duplicates."""


def exact_sup(X: Array, q: Array, threshold: float, n_threads: int) -> SupBound | None:
    """Return sup |eta_q| by a scan (1-D) or a sweep (2-D, small 3-D), None if boxes must do.

    Parameters
    ----------
    X : ndarray of shape (n, d)
        Distinct, centred inputs, d > 0.
    q : ndarray of shape (n,)
        Dual vector, orthogonal to [1 X] up to rounding.
    threshold : float
        Planes above it become witnesses.
    n_threads : int
    """
    n, d = X.shape
    if d == 1:
        return sup_eta_1d(X, q, threshold=threshold)
    if d == 2:
        return sup_eta_2d(X, q, n_threads, threshold=threshold)
    if d == 3 and n <= MOST_SWEPT:
        return sup_eta_3d(X, q, n_threads, threshold=threshold)
    return None
