"""alpha_max of several outputs for losses with kinks; see `kinked_alpha_max`.

With the norm "l1" each output has its own, and the largest counts. With "l2" the constraints of the
semi-infinite program are ||eta_Q(w, b)||_2 <= U. They are met by cutting planes in two loops: the
inner one adds u.eta_Q(w_k, b_k) <= U, u the direction of eta_Q of the last linear program, at
hyperplanes that are known; the outer one adds hyperplanes.
"""

from __future__ import annotations

import math

import numpy as np
from scipy.linalg import block_diag
from scipy.optimize import linprog

from ...problems import RadonTVProblem
from ...problems.affine import project_out_affine
from ...problems.affine_fit import fit_with_multipliers, residual_size
from ...problems.checks import Array
from ...problems.multi_output import MultiOutputProblem
from ...problems.vector.losses import SumOfOutputs
from ..kinked_alpha_max import (
    ACCURACY,
    ENOUGH,
    KINKS,
    MOST_PLANES,
    MOST_ROUNDS,
    NOTHING,
    PATIENCE,
    kinked_alpha_max,
    slopes,
)
from ..oracle import uninterrupted
from ..proof import SEARCH_STARTS
from .core import VectorCore, VectorNeurons
from .pricing import VectorPricing
from .proof import sup_norm_eta

MOST_CUTS = 40
"""Linear programs between two searches for hyperplanes."""
MET = 1e-10
"""Relative excess of a norm over the least sup that needs no cut."""


def kinked_alpha_max_of_outputs(problem: MultiOutputProblem) -> float:
    """Return alpha_max of a problem with several outputs whose loss has kinks.

    As accurate as `kinked_alpha_max` in each number of dimensions, and from above.
    """
    loss, X, s = problem.loss, problem.X, problem.s
    assert isinstance(loss, SumOfOutputs)
    if problem.constrained or problem.output_norm == "l1" or problem.n_outputs == 1:
        singles = (
            RadonTVProblem(X, y, 1.0, loss=loss.one, sample_weight=s) for y in problem.targets.T
        )
        return max(kinked_alpha_max(single) for single in singles)
    core = VectorCore.of(problem)
    T, B, planes = core.loss.targets, core.inputs.basis.columns, _Planes(core)
    spreads = [residual_size(loss.one, y, core.s) or 1.0 for y in T.T]
    zero = np.zeros(len(T))
    fits = [
        fit_with_multipliers(loss.one, y, core.s, zero, B, spread)
        for y, spread in zip(T.T, spreads, strict=True)
    ]
    sup = planes.price(core.s[:, None] * np.stack([p for _, p in fits], axis=1))
    reach = float(np.abs(core.inputs.X).max(initial=0.0))
    steepest = np.maximum(*np.abs(loss.dual_interval(T))).sum(axis=1)
    nothing = NOTHING * float(core.s @ steepest) * reach
    if sup <= nothing:
        return 0.0
    rounding = 64.0 * np.finfo(np.float64).eps * float(np.abs(problem.live_targets).max())
    for share in KINKS:
        ends = [
            slopes(loss.one, y, B @ theta, p, spread, max(share * spread, rounding))
            for y, (theta, p), spread in zip(T.T, fits, spreads, strict=True)
        ]
        low, high = (np.stack(end, axis=1) for end in zip(*ends, strict=True))
        found = _least_sup(planes, low, high, sup)
        if found is not None:
            sup = found
            break
    return 0.0 if sup <= nothing else sup * problem.reduction.unit


class _Planes:
    """The hyperplanes of the cutting planes, and the search that finds more of them."""

    def __init__(self, core: VectorCore) -> None:
        self.core, self.pricing = core, VectorPricing(core)
        self.found = np.zeros((0, core.d + 1))

    def price(self, Q: Array) -> float:
        """Return sup ||eta_Q||, as far as it is found, and remember where it is large."""
        core = self.core
        if core.d == 0 or not np.any(Q):
            return 0.0
        own = core.on_points(Q)
        some = self.pricing.search(own, VectorNeurons.none(core.d, core.D), SEARCH_STARTS)
        sup, planes = some.sup, some.planes[:MOST_PLANES]
        if core.d <= 2:
            exact = uninterrupted(sup_norm_eta(core.inputs.X, own, math.inf))
            sup = max(sup, exact.attained)
            planes = np.vstack([np.append(exact.weight, exact.bias)[None], planes])
        self.found = np.vstack([self.found, planes])
        return float(sup)


def _least_sup(planes: _Planes, low: Array, high: Array, sup: float) -> float | None:
    """Return the least sup ||eta_Q|| over Q = s P with low <= P <= high and A^T Q = 0.

    None if there is no such Q. `sup` is an upper bound, of some feasible Q.
    """
    program, first = _Program(planes.core, low, high), sup
    if not program.free.any():
        return sup if program.balanced() else None
    for count in range(MOST_ROUNDS):
        found = program.solve(planes.found, sup, first)
        if found is None:
            return None
        least, Q = found
        # Hyperplanes that are far from active would only slow the next programs down.
        norms = np.linalg.norm(planes.core.eta(Q, planes.found), axis=1)
        planes.found = planes.found[norms >= 0.5 * least]
        known = len(planes.found)
        sup = min(sup, planes.price(Q))
        accuracy = ACCURACY if count < PATIENCE else ENOUGH
        if sup - least <= max(accuracy * sup, NOTHING * first) or len(planes.found) == known:
            break
    return sup


class _Program:
    """min U over (U, Q) with Q_ic = middle_ic + scale_ic v_ic, |v_ic| <= 1/2 where it is free."""

    def __init__(self, core: VectorCore, low: Array, high: Array) -> None:
        self.core, self.free = core, high > low
        s, B = core.s[:, None], core.inputs.basis.columns
        self.scale = s * np.where(self.free, high - low, 0.0)
        self.middle = s * np.where(self.free, 0.5 * (low + high), low)
        # The rows of A in units of what they can amount to.
        self.size = np.maximum(np.abs(B).T @ (s * np.maximum(np.abs(low), np.abs(high))), 1e-300)
        parts = [
            (B[own] * scale[own, None]).T / size[:, None]
            for own, scale, size in zip(self.free.T, self.scale.T, self.size.T, strict=True)
        ]
        self.rows = np.column_stack([block_diag(*parts), np.zeros(self.size.size)])
        self.right = (-(B.T @ self.middle) / self.size).T.ravel()

    def balanced(self) -> bool:
        """Return whether A^T Q = 0 holds for the middle, to rounding."""
        return bool(np.all(np.abs(self.right) <= 1e-8))

    def solve(self, planes: Array, sup: float, first: float) -> tuple[float, Array] | None:
        """Return the least U at the hyperplanes, and its Q, projected onto A^T Q = 0."""
        core, unit = self.core, max(sup, 1e-6 * first)
        columns = core.columns(planes)
        base = columns.T @ self.middle / unit
        moves = [
            (columns[own] * scale[own, None]).T / unit
            for own, scale in zip(self.free.T, self.scale.T, strict=True)
        ]
        upper, bound = np.zeros((0, self.rows.shape[1])), np.zeros(0)
        eta, level = base, 0.0
        for _ in range(MOST_CUTS):
            norms = np.linalg.norm(eta, axis=1)
            cut = norms > level + MET * norms.max(initial=0.0)
            if not cut.any():
                break
            U = eta[cut] / norms[cut, None]
            new = np.hstack([move[cut] * u[:, None] for move, u in zip(moves, U.T, strict=True)])
            upper = np.vstack([upper, np.column_stack([new, -np.ones(len(U))])])
            bound = np.append(bound, -(U * base[cut]).sum(axis=1))
            found = linprog(
                np.append(np.zeros(self.rows.shape[1] - 1), 1.0),
                A_ub=upper,
                b_ub=bound,
                A_eq=self.rows,
                b_eq=self.right,
                bounds=[(-0.5, 0.5)] * (self.rows.shape[1] - 1) + [(0.0, None)],
                method="highs",
                options={
                    "primal_feasibility_tolerance": 1e-10,
                    "dual_feasibility_tolerance": 1e-10,
                },
            )
            if found.x is None:
                return None
            v, level = np.zeros(self.free.shape), float(found.x[-1])
            v.T[self.free.T] = found.x[:-1]
            eta = base + columns.T @ (self.scale * v) / unit
        Q = self.middle + self.scale * v
        inner = self.free & (np.abs(v) < 0.5 - 1e-9)
        basis, s = core.inputs.basis, core.s
        balanced = [
            project_out_affine(basis, q, s, own) for q, own in zip(Q.T, inner.T, strict=True)
        ]
        return unit * level, np.stack(balanced, axis=1)
