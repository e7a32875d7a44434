"""The master by a conic solver: slow, accurate, and independent of the dedicated one.

Over cells (sigma_k, D_k), a sign and a pattern of active points each, the problem is the
second-order cone program

    min  1/2 sum_i s_i r_i^2 + alpha sum_k t_k
    over r = y - sum_k sigma_k D_k (X u_k - beta_k) - A (c0, c),   |u_k|_2 <= t_k,
         (2 D_k - I) (X u_k - beta_k) >= 0

(Pilanci and Ergen, "Neural networks are convex regularizers", 2020). Most inequalities hold by
themselves: each cell starts with those of the points nearest to its hyperplane, and the ones that
a solution violates are added until none is.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from scipy import sparse

from ..problems.checks import Array
from ._circle_kernels import ON_PLANE
from .core import Core, Neurons
from .merging import merge_cells

try:
    import clarabel
except ImportError as error:
    raise ImportError(
        "master='clarabel' needs the conic solver Clarabel; install it with "
        "pip install 'radontv[reference]'."
    ) from error

ACCURACY = 1e-12
"""Relative gap and feasibility asked of the conic solver, near what its arithmetic can reach."""
ACCEPTED = 1e-9
"""What is still used if `ACCURACY` was out of reach; the result is evaluated exactly anyway."""
VIOLATED = 1e-10
"""A point this far (times the amplitude) on the wrong side of its hyperplane is violated."""
NEGLIGIBLE = 1e-10
"""Amplitudes below this share of the largest are zeros of an interior-point method."""
SNAP = 1e-6
"""Hyperplanes are moved at most this far onto the points that they hold."""


class _Cells(NamedTuple):
    """Signs sigma (K,), sides 2 D - I in {-1, 1} and margins that rank the points, both (K, n)."""

    sign: Array
    side: Array
    margin: Array


class ClarabelMaster:
    """Solves the convex program over the cells of the given neurons with Clarabel.

    Parameters
    ----------
    core : Core
        Reduced data with the squared loss.

    Raises
    ------
    NotImplementedError
        For other losses.
    """

    name = "clarabel"

    def __init__(self, core: Core) -> None:
        if not core.loss.quadratic:
            raise NotImplementedError(
                f"master='clarabel' solves the squared loss only, not {core.loss.name!r}; "
                "use master='newton'."
            )
        self.core = core

    def solve(self, neurons: Neurons, accuracy: float, max_steps: int = 50) -> Neurons:
        """Return optimal neurons over the closed cells of `neurons`, or `neurons` if no better.

        Parameters
        ----------
        neurons : Neurons
            Each stands for its cell; one with points on its hyperplane for the two cells that
            have all these points on one side.
        accuracy : float
            Not used: the program is solved to `ACCURACY`.
        max_steps : int, default=50
            Most rounds of adding violated inequalities.
        """
        core = self.core
        if len(neurons) == 0:
            return neurons
        cells = _cells(core, neurons)
        nearest = min(2 * core.d + 2, core.n)
        walls = np.zeros(cells.side.shape, dtype=bool)
        order = np.argsort(np.abs(cells.margin), axis=1, kind="stable")[:, :nearest]
        np.put_along_axis(walls, order, True, axis=1)
        best, value = merge_cells(core, neurons), core.state(neurons).value
        for _ in range(max_steps):
            solved = _solve_program(core, cells, walls)
            if solved is None:
                break
            vectors, held = solved
            raw = _neurons(core, cells, vectors)
            for trial in (raw, _snapped(core, cells, vectors, held)):
                merged = merge_cells(core, trial)
                found = core.state(merged).value
                if found < value:
                    best, value = merged, found
            violated = (cells.side * (vectors @ core.lifted.T) < -VIOLATED) & ~walls
            if not violated.any():
                break
            walls |= violated
        return best


def _cells(core: Core, neurons: Neurons) -> _Cells:
    """Return the distinct (sign, pattern), one pattern of each complementary pair."""
    margin = neurons.planes @ core.lifted.T
    touching = np.where(np.abs(margin) <= ON_PLANE, 0.0, margin)
    both = np.concatenate([np.where(touching >= 0, 1.0, -1.0), np.where(touching > 0, 1.0, -1.0)])
    # One of (D, I - D) suffices: they differ by an affine function.
    both *= both[:, :1]
    sign = np.tile(neurons.sign, 2)
    proper = np.abs(both.sum(axis=1)) < core.n
    keys = np.column_stack([sign, both])[proper]
    first = np.sort(np.unique(keys, axis=0, return_index=True)[1])
    chosen = np.flatnonzero(proper)[first]
    return _Cells(sign[chosen], both[chosen], np.tile(margin, (2, 1))[chosen])


def _solve_program(core: Core, cells: _Cells, walls: np.ndarray) -> tuple[Array, np.ndarray] | None:
    """Return (u_k, beta_k) as rows (K, d + 1), and which walls (K, n) are met with a multiplier.

    The variables are (v, t, theta, e) with v_k = (u_k, beta_k), theta the coefficients of the
    affine part, and e = sqrt(s) r. None if the conic solver fails.
    """
    n, p, K, m = core.n, core.d + 1, len(cells.sign), core.basis.columns.shape[1]
    if K == 0:
        return None
    root = np.sqrt(core.s)
    active = (cells.side > 0) * cells.sign[:, None]
    # sqrt(s_i) sigma_k [i active in k] (x_i, -1), shape (n, K p).
    columns = (root[:, None] * active.T)[:, :, None] * core.lifted[:, None, :]
    which, points = np.nonzero(walls)
    rows = -cells.side[which, points][:, None] * core.lifted[points]
    walls_block = sparse.csr_matrix(
        (
            rows.ravel(),
            (which[:, None] * p + np.arange(p)).ravel(),
            np.arange(0, rows.size + 1, p),
        ),
        shape=(len(which), K * p),
    )
    # Rows (t_k, u_k) of the cones, one cone after the other.
    cone_t = sparse.csr_matrix((-np.ones(K), (np.arange(K) * p, np.arange(K))), shape=(K * p, K))
    cell, axis = np.divmod(np.arange(K * core.d), core.d)
    cone_u = sparse.csr_matrix(
        (-np.ones(K * core.d), (cell * p + axis + 1, cell * p + axis)), shape=(K * p, K * p)
    )
    constraints = sparse.bmat(
        [
            [
                sparse.csr_matrix(columns.reshape(n, K * p)),
                None,
                sparse.csr_matrix(root[:, None] * core.basis.columns),
                sparse.identity(n),
            ],
            [walls_block, sparse.csr_matrix((len(which), K)), None, None],
            [cone_u, cone_t, None, None],
        ],
        format="csc",
    )
    size = K * p + K + m + n
    quadratic = sparse.diags(np.concatenate([np.zeros(size - n), np.ones(n)]), format="csc")
    linear = np.concatenate([np.zeros(K * p), np.full(K, core.alpha), np.zeros(m + n)])
    right = np.concatenate([root * core.y, np.zeros(len(which) + K * p)])
    cones = [
        clarabel.ZeroConeT(n),
        clarabel.NonnegativeConeT(len(which)),
        *(clarabel.SecondOrderConeT(p) for _ in range(K)),
    ]
    solver = clarabel.DefaultSolver(quadratic, linear, constraints, right, cones, _settings())
    found = solver.solve()
    x = np.array(found.x)
    if str(found.status) not in ("Solved", "AlmostSolved", "InsufficientProgress") or not (
        np.isfinite(x).all()
    ):
        return None
    held = np.zeros(walls.shape, dtype=bool)
    part = slice(n, n + len(which))
    held[which, points] = np.array(found.z)[part] > np.array(found.s)[part]
    return x[: K * p].reshape(K, p), held


def _settings() -> Any:
    settings = clarabel.DefaultSettings()
    settings.verbose = False
    # One thread: the result must not depend on the machine.
    settings.max_threads = 1
    for name in ("tol_gap_abs", "tol_gap_rel", "tol_feas"):
        setattr(settings, name, ACCURACY)
        setattr(settings, f"reduced_{name}", ACCEPTED)
    return settings


def _neurons(core: Core, cells: _Cells, vectors: Array) -> Neurons:
    """Return amplitude |u|, plane (u, beta) / |u| for the vectors that are not zero."""
    amplitude = np.linalg.norm(vectors[:, : core.d], axis=1)
    live = amplitude > NEGLIGIBLE * float(amplitude.max(initial=0.0))
    planes = vectors[live] / amplitude[live, None]
    return Neurons(cells.sign[live], amplitude[live], planes)


def _snapped(core: Core, cells: _Cells, vectors: Array, held: np.ndarray) -> Neurons:
    """Return the neurons with the points that they hold exactly on their hyperplanes.

    (w, b) loses its component in the span of the rows (x_j, -1) of the held points j.
    """
    moved = np.array(vectors)
    for k, points in enumerate(held):
        size = float(np.linalg.norm(vectors[k, : core.d]))
        if not points.any() or size == 0.0:
            continue
        basis, sigma = np.linalg.svd(core.lifted[points].T, full_matrices=False)[:2]
        span = basis[:, sigma > 1e-8 * sigma[0]]
        shift = span @ (span.T @ vectors[k])
        shift += span @ (span.T @ (vectors[k] - shift))
        if span.shape[1] <= core.d and float(np.abs(shift).max()) <= SNAP * size:
            moved[k] = vectors[k] - shift
    return _neurons(core, cells, moved)
