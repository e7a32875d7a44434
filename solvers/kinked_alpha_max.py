"""alpha_max for losses with kinks: the least sup |eta_q| over all multipliers of the affine fit.

An affine f is optimal iff some q with -q_i in s_i dl(y_i, f(x_i)) has A^T q = 0 and
|eta_q| <= alpha everywhere. At kinks of the loss q_i is free in an interval, so that alpha_max is
the value of a semi-infinite linear program,

    minimise U over (U, q)   subject to   A^T q = 0,   q_i = s_i p_i,   low_i <= p_i <= high_i,
                                          |eta_q(w, b)| <= U   for all unit w and all b,

whose solution does not depend on which of several best affine fits is taken (they share their
multipliers). It is solved by cutting planes (Kelley, "The cutting-plane method for solving convex
programs", 1960): each linear program has the planes found so far, and pricing adds the largest
|eta_q| of its solution. For order m the free functions are polynomials, and atoms those of order m.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from scipy.optimize import linprog

from ..problems import RadonTVProblem
from ..problems.affine import project_out_affine
from ..problems.affine_fit import fit_with_multipliers, residual_size
from ..problems.checks import Array
from ..problems.exact_fit_losses import BandLoss, slack
from ..problems.losses import Loss
from .core import Core, Neurons
from .oracle import uninterrupted
from .pricing_choice import get_pricing
from .proof import SEARCH_STARTS, bound_sup

ACCURACY, ENOUGH, PATIENCE = 1e-9, 1e-4, 20
"""Relative distance of the upper from the lower bound at which to stop; after so many rounds the
second one will do, since a min-max over many free slopes converges slowly."""
MOST_ROUNDS = 60
MOST_PLANES = 30
"""Planes added per round."""
KINKS = (1e-10, 1e-8, 1e-6)
"""Distances from a kink, in units of the residuals, that count as 0; the first that leaves the
linear program feasible is used."""
NOTHING = 1e-12
"""A sup below this part of the largest sum_i |q_i| times that of atoms is rounding, and 0."""
SURE, WIDE = 1e-6, 1e-5
"""A p inside its interval by this part of it belongs to a kink, which is then sought this far."""


def kinked_alpha_max(problem: RadonTVProblem) -> float:
    """Return alpha_max of a problem whose loss has kinks.

    Exact to 1e-9 relative in at most 2 dimensions, or to 1e-4 from above where many rows are at
    kinks; in more, sups are the largest values of a search. For constraints (interpolation, tube)
    it is 0 if an affine function meets them, and infinite if not: alpha does not change what is
    optimal.
    """
    core, reduction = Core.of(problem), problem.reduction
    if isinstance(problem.loss, BandLoss):
        return least_alpha_of_constraints(core, problem.live_targets)
    planes = Planes(core, _search(core), float(np.abs(core.X).max(initial=0.0)))
    return least_sup(planes, problem.live_targets) * reduction.x_scale * reduction.y_scale


def least_alpha_of_constraints(core: Core, y: Array) -> float:
    """Return 0 if a free function meets the constraints, else infinity; y are the live targets."""
    loss = core.loss
    assert isinstance(loss, BandLoss)
    return 0.0 if _misfit(core) <= loss.radius + slack(y) else math.inf


def least_sup(planes: Planes, targets: Array) -> float:
    """Return the least sup |eta_q| over the multipliers of the best free function, reduced.

    `targets` are the live ones of the problem, for their rounding.
    """
    core = planes.core
    loss, y, s, B = core.loss, core.y, core.s, core.basis.columns
    spread = residual_size(loss, y, s) or 1.0
    theta, p = fit_with_multipliers(loss, y, s, np.zeros_like(y), B, spread)
    z = B @ theta
    sup = planes.price(s * p)
    nothing = NOTHING * float(s @ np.maximum(*np.abs(loss.dual_interval(y)))) * planes.largest
    if sup <= nothing:
        return 0.0
    rounding = 64.0 * np.finfo(np.float64).eps * float(np.abs(targets).max())
    for share in KINKS:
        low, high = slopes(loss, y, z, p, spread, max(share * spread, rounding))
        found = _least_sup(planes, low, high, sup)
        if found is not None:
            sup = found
            break
    return 0.0 if sup <= nothing else sup


Search = Callable[[Array], tuple[float, Array]]
"""Returns sup |eta_q| as far as it is found, and planes where |eta_q| is large, for q at points."""


def _search(core: Core) -> Search:
    """Return the search for planes of a ReLU: exact in at most 2 dimensions."""
    pricing = get_pricing(core)

    def search(q: Array) -> tuple[float, Array]:
        some = pricing.search(q, Neurons.none(core.d), SEARCH_STARTS)
        sup, planes = some.sup, some.planes[:MOST_PLANES]
        if core.d <= 2:
            exact = uninterrupted(bound_sup(core, q, math.inf))
            sup = max(sup, exact.attained)
            planes = np.vstack([np.append(exact.weight, exact.bias)[None], planes])
        return float(sup), planes

    return search


class Planes:
    """The hyperplanes of the cutting planes, and the search that finds more of them.

    Parameters
    ----------
    core : Core
    search : callable
    largest : float
        Size of the largest atom.
    """

    def __init__(self, core: Core, search: Search, largest: float) -> None:
        self.core, self.search, self.largest = core, search, largest
        self.found = np.zeros((0, core.d + 1))

    def price(self, q: Array) -> float:
        """Return sup |eta_q|, as far as it is found, and remember where |eta_q| is large."""
        if self.core.d == 0 or not np.any(q):
            return 0.0
        sup, planes = self.search(self.core.on_points(q))
        self.found = np.vstack([self.found, planes])
        return sup

    def keep(self, which: np.ndarray) -> None:
        """Forget the other planes."""
        self.found = self.found[which]

    def columns(self) -> Array:
        """Return the atoms of the planes at the rows, shape (n_rows, n_planes)."""
        return self.core.on_rows(self.core.features(self.found))


def slopes(
    loss: Loss, y: Array, z: Array, p: Array, spread: float, distance: float
) -> tuple[Array, Array]:
    """Return the intervals of -dl(y, z); kinks are at most `distance` away, or sure from p."""

    def around(step: float) -> tuple[Array, Array]:
        # -dl/dz falls from one side of a kink to the other.
        return -loss.gradient(y, z + step), -loss.gradient(y, z - step)

    low, high = around(distance)
    wide_low, wide_high = around(max(WIDE * spread, distance))
    inside = SURE * (wide_high - wide_low)
    sure = (p > wide_low + inside) & (p < wide_high - inside)
    return np.where(sure, wide_low, low), np.where(sure, wide_high, high)


def _least_sup(planes: Planes, low: Array, high: Array, sup: float) -> float | None:
    """Return the least sup |eta_q| over q = s p with low <= p <= high and A^T q = 0.

    None if there is no such q. `sup` is an upper bound, of some feasible q.
    """
    core = planes.core
    s = core.s
    free = np.flatnonzero(high > low)
    scale = s[free] * (high - low)[free]
    fixed = s * np.where(high > low, 0.5 * (low + high), low)
    if len(free) == 0:
        return sup if _balanced(core, fixed) else None
    # q_free = middle + scale v, |v| <= 1/2. The rows of A in units of what they can amount to.
    B = core.basis.columns
    rows = (B[free] * scale[:, None]).T
    right = -B.T @ fixed
    size = np.maximum(np.abs(B).T @ np.abs(s * np.maximum(np.abs(low), np.abs(high))), 1e-300)
    first = sup
    for count in range(MOST_ROUNDS):
        columns = planes.columns()
        unit = max(sup, 1e-6 * first)
        eta = (columns[free] * scale[:, None]).T / unit
        base = columns.T @ fixed / unit
        found = linprog(
            np.append(np.zeros(len(free)), 1.0),
            A_ub=np.block([[eta, -np.ones((len(eta), 1))], [-eta, -np.ones((len(eta), 1))]]),
            b_ub=np.concatenate([-base, base]),
            A_eq=np.column_stack([rows / size[:, None], np.zeros(len(rows))])
            if len(rows)
            else None,
            b_eq=right / size if len(rows) else None,
            bounds=[(-0.5, 0.5)] * len(free) + [(0.0, None)],
            method="highs",
            options={"primal_feasibility_tolerance": 1e-10, "dual_feasibility_tolerance": 1e-10},
        )
        if found.x is None:
            return None
        q = np.array(fixed)
        q[free] += scale * found.x[:-1]
        movable = np.zeros(len(s), dtype=bool)
        movable[free] = np.abs(found.x[:-1]) < 0.5 - 1e-9
        q = project_out_affine(core.basis, q, s, movable)
        least = unit * float(found.x[-1])
        # Constraints that are far from active would only slow the next program down.
        planes.keep(np.abs(eta @ found.x[:-1] + base) >= 0.5 * float(found.x[-1]))
        known = len(planes.found)
        sup = min(sup, planes.price(q))
        accuracy = ACCURACY if count < PATIENCE else ENOUGH
        if sup - least <= max(accuracy * sup, NOTHING * first) or len(planes.found) == known:
            break
    return sup


def _balanced(core: Core, q: Array) -> bool:
    B = core.basis.columns
    return bool(np.all(np.abs(B.T @ q) <= 1e-8 * (np.abs(B).T @ np.abs(q))))


def _misfit(core: Core) -> float:
    """Return min over free g of max_i |y_i - g_i|, a linear program in units of max |y_i|."""
    y, B = core.y, core.basis.columns
    unit = float(np.abs(y).max(initial=0.0))
    if unit == 0.0:
        return 0.0
    ones = np.ones((len(y), 1))
    found = linprog(
        np.append(np.zeros(B.shape[1]), 1.0),
        A_ub=np.block([[B, -ones], [-B, -ones]]),
        b_ub=np.concatenate([y, -y]) / unit,
        bounds=[(None, None)] * B.shape[1] + [(0.0, None)],
        method="highs",
        options={"primal_feasibility_tolerance": 1e-10, "dual_feasibility_tolerance": 1e-10},
    )
    if found.x is None:
        return unit
    return unit * float(np.abs(y / unit - B @ found.x[:-1]).max(initial=0.0))
