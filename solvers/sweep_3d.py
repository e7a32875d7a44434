r"""Exact sup |eta| in three dimensions: a sweep of all circles of planes through two points.

Planes through x_j have normals w on the sphere. The great circles ``w . z_i = 0``,
``z_i = x_i - x_j``, cut it into cells, on each of which ``eta_j = g . w``, so the maximum of
``sigma eta_j`` is ``||g||`` inside a cell, or lies on a circle. The planes through x_j and x_k are
one circle for both anchors; between two crossings of other points the pattern is constant, and g
is known in the four cells beside such an arc (x_k on either side of a plane through x_j, and the
other way round). All arcs of all n (n - 1) / 2 circles see every cell at least twice.

Why the bound is valid for ties, collinear and nearly collinear points, without tolerances:

* Circles. Moving the data by e_i changes eta by at most ``1/2 sum_i |q_i| e_i``, so the maximum on
  a circle is right up to the rounding margin, in whatever order ties are swept.
* Cells that are seen. g has an error E below the margin. ``||g||`` is only used if ``+-g`` is in
  the cell, and then is a value of eta up to E, even if no such cell exists. If rounding of g hides
  that ``+-g`` is in the cell, then within an angle ``E / ||g||`` of it a circle reaches at least
  ``||g|| - E^2 / (2 ||g||)``.
* Cells that are not seen: those of which no edge shows the pattern, since every point of an edge is
  within the error delta of a crossing. Crossings of nearly collinear triples, which would have a
  large error, are computed from exact differences in twice the precision, so delta <= DELTA.
  Such a cell has a perimeter of at most ``2 n^2 DELTA``, hence an inradius r with ``2 pi sin r`` no
  larger, and some circle reaches ``||g|| cos r``. Points within 2^-56 of the axis of a circle are
  put on it; what lies between their circles is as near to a circle.
"""

from __future__ import annotations

import math
import time

import numpy as np

from ..problems.rounding import UNIT_ROUNDOFF
from ._sweep_3d_kernels import LOOSE, sweep_anchors
from .oracle import Array, SupBound, assemble, rounding_margin
from .parallel import in_threads

ANCHORS_PER_TASK = 2
DELTA = 64 * UNIT_ROUNDOFF / LOOSE
"""Bound on the error of the angle of a crossing."""


def _units(values: Array) -> float:
    """Return a power of two near the largest size of the values; 1 if all are zero."""
    largest = float(np.max(np.abs(values), initial=0.0))
    return 2.0 ** math.floor(math.log2(largest)) if largest > 0.0 else 1.0


def sup_eta_3d(X: Array, q: Array, n_jobs: int = 1, *, threshold: float = math.inf) -> SupBound:
    """Return sup |eta| in three dimensions by a sweep around the circles of all pairs of points.

    O(n^3 log n) time. The bound exceeds what is attained by rounding only.

    Parameters
    ----------
    X : ndarray of shape (n_samples, 3)
        Inputs; ties, duplicates and lower rank are allowed.
    q : ndarray of shape (n_samples,)
        Dual vector, orthogonal to ``[1 X]`` up to rounding.
    n_jobs : int, default 1
        Number of threads; the result does not depend on it.
    threshold : float, default inf
        The best planes of other anchors above it are returned as witnesses.
    """
    start = time.perf_counter()
    unit_x, unit_q = _units(X), _units(q)
    live = np.flatnonzero(q)
    Z, p = np.ascontiguousarray(X[live] / unit_x), np.ascontiguousarray(q[live] / unit_q)
    n, unit = live.size, unit_x * unit_q
    best = np.zeros((n, 5))
    best[:, 1] = 1.0
    best[:, 4] = np.arange(n)

    def task(first: int, floor: float) -> int:
        last = min(first + ANCHORS_PER_TASK, n)
        return int(sweep_anchors(Z, p, first, last, floor, best))

    # What the first anchors reach saves the others most of their work.
    visited = task(0, 0.0)
    floor = min(float(np.max(best[:, 0], initial=0.0)), threshold / unit)
    firsts = range(ANCHORS_PER_TASK, n, ANCHORS_PER_TASK)
    visited += sum(in_threads(lambda first: task(first, floor), firsts, n_jobs))
    order = np.argsort(-best[:, 0], kind="stable")[:1024]
    keep = [j for m, j in enumerate(order) if m == 0 or best[j, 0] * unit > threshold]
    # The height of a missed cell over its boundary, 1 / cos r - 1 <= r^2 for r <= 1/2.
    missed = (n * n * DELTA / math.pi) ** 2
    return assemble(
        X,
        q,
        [(best[j, 1:4], float(best[j, 1:4] @ X[live[int(best[j, 4])]])) for j in keep],
        threshold=threshold,
        bound=float(np.max(best[:, 0], initial=0.0)) * unit * (1.0 + missed)
        + rounding_margin(X, q),
        complete=True,
        n_boxes=visited,
        seconds=time.perf_counter() - start,
    )
