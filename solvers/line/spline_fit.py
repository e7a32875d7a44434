"""The exact solver in one dimension: min over f of sum_i s_i l(y_i, f(x_i)) + alpha TV(f').

An optimal f is piecewise linear with kinks at data, so the problem is trend filtering of the fitted
values at the distinct points (Kim, Koh, Boyd and Gorinevsky, "l1 trend filtering", 2009), but it is
solved on knots (`quadratic`), never with second differences of all points. Other losses than
the squared one are minimised by Newton's method on top, losses with kinks by multipliers around it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ...problems.checks import Array, as_positive
from ...problems.losses import Loss, SquaredLoss
from ...problems.network import RidgeSpline
from .._circle_kernels import Ints
from .certificate import LineDual, certify_spline
from .data import LineData, gather
from .knots import spline_of
from .multipliers import minimise_kinked, spread_of
from .newton import affine_knots, minimise_smooth
from .quadratic import KnotMethod, Knots

TINY = np.finfo(np.float64).tiny


@dataclass(frozen=True, eq=False)
class LineFit:
    """A spline with its dual point and gap.

    Attributes
    ----------
    x : ndarray of shape (n_points,)
        The distinct inputs, ascending.
    z : ndarray of shape (n_points,)
        f at them.
    v : ndarray of shape (n_points,)
        ``eta(1, x_j) = sum_i q_i relu(x_i - x_j)``; ``|v| <= alpha``.
    q : ndarray of shape (n_points,)
        The dual point, summed over the rows of each point.
    q_rows : ndarray of shape (n,)
        The dual point in the order of the rows that were passed.
    knots : ndarray of shape (n_kinks,)
        Indices into x of the kinks.
    kinks : ndarray of shape (n_kinks,)
        Changes of slope there, not zero.
    slope : float
        Slope of f left of the first kink.
    primal, dual, gap : float
        F(f), a lower bound of min F, and their difference (computed without cancellation).
    iterations : int
        Rounds over the data.
    converged : bool
        Whether the gap is within the tolerance or the resolution of float64.
    """

    x: Array
    z: Array
    v: Array
    q: Array
    q_rows: Array
    knots: Ints
    kinks: Array
    slope: float
    primal: float
    dual: float
    gap: float
    iterations: int
    converged: bool

    @property
    def relative_gap(self) -> float:
        """Gap over the size of the primal value."""
        return self.gap / max(abs(self.primal), TINY)

    @property
    def rtv(self) -> float:
        """TV(f')."""
        return float(np.abs(self.kinks).sum())

    def network(self) -> RidgeSpline:
        """Return f as a network, one neuron per kink."""
        return spline_of(self.x[self.knots], self.kinks, self.slope, self.x[0], self.z[0])


Callback = Callable[[LineFit], object]


def solve_line(
    x: Array,
    y: Array,
    s: Array,
    alpha: float,
    loss: Loss,
    *,
    tol: float = 1e-10,
    start: LineFit | None = None,
    max_iter: int = 2000,
    callback: Callback | None = None,
) -> LineFit:
    """Return a minimiser of sum_i s_i l(y_i, f(x_i)) + alpha TV(f').

    Parameters
    ----------
    x, y, s : ndarray of shape (n,)
        Inputs in any order, with repeats; targets; weights > 0.
    alpha : float
        Positive.
    loss : Loss
    tol : float, default=1e-10
        Relative gap to reach.
    start : LineFit, optional
        Fit to start from, of any problem; its kinks at inputs that are among `x` are used.
    max_iter : int, default=2000
        Most rounds over the data.
    callback : callable, optional
        Called with a `LineFit` after each round (squared loss) or Newton step; True ends the run.

    Raises
    ------
    TypeError, ValueError
        If an array or alpha is not valid, or a target not allowed by the loss.
    """
    alpha, tol = as_positive("alpha", alpha), as_positive("tol", tol)
    data = gather(x, y, s, loss)
    best: list[tuple[Knots, LineDual]] = []
    rounds = [0]

    def report(knots: Knots, dual: LineDual) -> bool:
        rounds[0] += 1
        # Not "<": near the limit of float64 the newer of two equals is the better polished.
        if not best or not dual.gap > best[0][1].gap:
            best[:] = [(knots, dual)]
        enough = within(data, loss, dual, tol)
        if callback is None:
            return enough
        return bool(callback(finish(data, loss, knots, dual, rounds[0], tol))) or enough

    first = affine_knots(data) if start is None else _from_fit(data, start)
    if loss.quadratic:
        used = _squared(data, loss, alpha, first, tol, max_iter, report if callback else None, best)
    else:
        method = minimise_kinked if loss.sharp(spread_of(data, loss)) else minimise_smooth
        used = method(data, loss, alpha, first, tol=tol, max_iter=max_iter, report=report)
    if not best:
        best.append((first, certify_spline(data, loss, alpha, first)))
    return finish(data, loss, *best[0], used, tol)


def alpha_max_line(x: Array, y: Array, s: Array, loss: Loss | None = None) -> float:
    """Return the alpha from which on an affine f is optimal: max_j |eta_j| of the affine fit.

    Parameters
    ----------
    x, y, s : ndarray of shape (n,)
        Inputs, targets and weights.
    loss : Loss, optional
        Differentiable; default squared.
    """
    loss = SquaredLoss() if loss is None else loss
    if not loss.smooth:
        raise ValueError(
            f"alpha_max of loss={loss.key!r} needs more than one affine fit, its residuals are not "
            "unique; solve with a few alpha instead and look for rtv = 0."
        )
    data = gather(x, y, s, loss)
    if len(data.x) < 3:
        return 0.0
    knots, dual = affine_knots(data), None
    if loss.quadratic:
        method = KnotMethod(data.x, data.s, data.s * data.y, 1.0)
        method.advance(np.inf)
        knots = method.vertex
    else:
        # With a penalty that no kink is worth, the minimiser is the affine fit.
        found: list[Knots] = [knots]

        def report(at: Knots, _: LineDual) -> bool:
            found[:] = [at]
            return False

        huge = 1e3 * (1.0 + float(np.abs(loss.gradient(data.y, 0.0 * data.y)) @ data.s))
        huge *= float(data.x[-1] - data.x[0])
        minimise_smooth(data, loss, huge, knots, tol=1e-14, max_iter=400, report=report)
        knots = found[0]
    # The dual at an alpha that does not bind is not scaled down.
    dual = certify_spline(data, loss, np.finfo(np.float64).max ** 0.25, knots)
    return float(np.abs(dual.v).max())


def within(data: LineData, loss: Loss, dual: LineDual, tol: float) -> bool:
    """Return whether the gap is within tol, or within what float64 resolves."""
    size = np.abs(data.at_rows(dual.z)) + np.abs(data.y)
    size = size + np.abs(data.at_rows(data.affine))
    floor = 4.0 * loss.resolution(data.s, 4.0 * np.finfo(np.float64).eps * size)
    return bool(dual.gap <= max(tol * abs(dual.primal), floor))


def _squared(
    data: LineData,
    loss: Loss,
    alpha: float,
    start: Knots,
    tol: float,
    max_iter: int,
    report: Callable[[Knots, LineDual], bool] | None,
    best: list[tuple[Knots, LineDual]],
) -> int:
    """Run rounds of the knot method; certify when |v| says that the gap is within tol."""
    method = KnotMethod(data.x, data.s, data.s * data.y, alpha, start=start)
    tolerance, aim = 1e-12, 0.1 * tol
    while method.rounds < max_iter:
        done = method.advance(tolerance)
        penalty = alpha * float(np.abs(method.vertex.kinks).sum())
        value = method.value + data.constant
        tolerance = min(max(aim * value / penalty, 1e-15), 0.1) if penalty > 0.0 else tolerance
        done = done or method.excess <= 3.0 * tolerance
        if not (done or report or method.rounds >= max_iter):
            continue
        dual = certify_spline(data, loss, alpha, method.vertex)
        stop = report(method.vertex, dual) if report else within(data, loss, dual, tol)
        if not best or dual.gap <= best[0][1].gap:
            best[:] = [(method.vertex, dual)]
        if stop or (done and aim < 1e-6 * tol):
            break
        if done:
            aim *= 0.01
            tolerance = max(0.01 * tolerance, 1e-16)
            method.look_again(tolerance)
    return method.rounds


def _from_fit(data: LineData, start: LineFit) -> Knots:
    """Return the kinks of the fit that are at inner points of the data."""
    where = start.x[start.knots]
    at = np.searchsorted(data.x, where)
    at = np.minimum(at, len(data.x) - 1)
    keep = (data.x[at] == where) & (at > 0) & (at < len(data.x) - 1)
    ends = affine_knots(data)
    knots = np.union1d(ends.at, at[keep])
    signs = np.zeros(len(knots))
    signs[np.searchsorted(knots, at[keep])] = np.sign(start.kinks[keep])
    values = np.interp(data.x[knots], start.x, start.z) - data.affine[knots]
    kinks = np.zeros(len(knots))
    if len(knots) > 2:
        kinks[1:-1] = np.diff(np.diff(values) / np.diff(data.x[knots]))
    # Kinks that the interpolation has turned over leave; the values remain a start.
    signs = np.where(signs * kinks > 0.0, signs, np.sign(kinks))
    return Knots(knots, signs, values, kinks)


def finish(
    data: LineData, loss: Loss, knots: Knots, dual: LineDual, rounds: int, tol: float
) -> LineFit:
    """Return the fit with the affine part put back."""
    inner = knots.kinks != 0.0
    slope = data.slope
    if len(knots.at) > 1:
        first, second = knots.at[0], knots.at[1]
        slope += float((knots.values[1] - knots.values[0]) / (data.x[second] - data.x[first]))
    return LineFit(
        x=data.x,
        z=dual.z + data.affine,
        v=dual.v,
        q=data.sums(dual.rows),
        q_rows=data.as_passed(dual.rows),
        knots=knots.at[inner],
        kinks=knots.kinks[inner],
        slope=slope,
        primal=dual.primal,
        dual=dual.dual,
        gap=dual.gap,
        iterations=rounds,
        converged=within(data, loss, dual, tol),
    )
