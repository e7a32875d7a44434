r"""Upper bounds of sup |eta|, proved without the solver's oracles: a scan, a sweep, or boxes.

With ``A^T q = 0``, sup |eta| is reached at ``b = w . x_j`` for an *anchor* x_j, and there
``eta = eta_j(w) = 1/2 sum_i q_i |w . (x_i - x_j)|``. A q that is only nearly orthogonal stands for
``q - e`` (see `null_space`). With R the largest distance of a point from the reference, its
eta differs from that of q by at most ``2 R sum |e_i|``, and that of q from the form above by
``R sum |e_i|``. Four things more are added to every bound: the distance of the points from their
affine hull, if that is smaller than the space, times ``sum |q_i|``; the rounding of the
differences; what the points themselves are wrong by, if they were computed; and the rounding of the
sums, ``N u R sum |q_i|`` with

    scan    N = 2 n + 8                  two running sums of n terms each
    sweep   N = 8 n + 64                 running sums in the plane, and angles wrong by 16 u
    boxes   N = 6 sqrt(r) (n + r + 16)   terms |c_i| ||z_i||_1 with sums of n and of r

Inputs and q are scaled by powers of two first, so that nothing over- or underflows. With the price
``|w|_1`` of a normal, eta is bounded relative to it: directions of the points are not rotated then,
and boxes serve from two dimensions on.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass

import numpy as np

from ...problems.checks import Array
from ..parallel import in_threads
from .boxes import AnchorProof, Target, bound_anchor
from .null_space import U, exact_sum
from .rows import Rows, lowered, power_of_two

CHUNK = 1 << 19
RATIOS = (8.0, 2.0, 1.0)
"""With a time limit, bounds to be proved one after the other, relative to the claimed one."""
NEAR = 1e-12
"""Angle by which a direction may miss an arc and still count as on it."""


@dataclass(frozen=True)
class Search:
    """What a search may use.

    Parameters
    ----------
    claimed : float
        What boxes try to prove; a scan and a sweep find the sup itself.
    seen : float
        A value of |eta|; less is not tried.
    deadline : float
        Value of `time.perf_counter` at which to stop.
    n_threads : int
    """

    claimed: float
    seen: float = 0.0
    deadline: float = math.inf
    n_threads: int = 1

    def ended(self) -> bool:
        """Return whether time is up."""
        return time.perf_counter() > self.deadline

    def target(self, x_unit: float, q_unit: float, margin: float) -> Target:
        """Return what boxes are to prove in scaled units; less than the margin never is."""
        # In this order, NaN gives the margin.
        target = Target(max(margin, self.claimed / x_unit / q_unit), margin)
        target.see(self.seen / x_unit / q_unit)
        return target


@dataclass(frozen=True, eq=False)
class SupProof:
    """What was proved about sup |eta|.

    Parameters
    ----------
    bound : float
        At least sup |eta_{q - e}|; infinite if nothing is known.
    attained : float
        The largest value seen, up to `margin`.
    weight, bias : ndarray of shape (n_features,), float
        Where, by a unit normal.
    margin : float
        Rounding, defect and residual that `bound` contains.
    complete : bool
        Whether the search ended by itself.
    method : str
        In words.
    possible : bool
        Whether there is a way to a bound; else `method` says for what there is none.
    """

    bound: float
    attained: float
    weight: Array
    bias: float
    margin: float
    complete: bool
    method: str
    possible: bool = True


def prove_sup(
    rows: Rows, q: Array, moved: float, blur: float, search: Search, *, by_sum: bool = False
) -> SupProof:
    """Return a proved bound of sup |eta|; boxes stop as soon as it is the claimed one or less.

    Parameters
    ----------
    rows : Rows
    q : ndarray of shape (n_points,)
    moved : float
        Bound of sum |e_i|.
    blur : float
        What eta may be wrong by because points or q were computed.
    search : Search
    by_sum : bool, default=False
        Whether the price of a normal is |w|_1, and eta relative to it.
    """
    X = rows.X
    top, far = float(np.abs(q).max(initial=0.0)), float(np.abs(X).max(initial=0.0))
    if top == 0.0 or rows.rank == 0:
        extent = float(np.linalg.norm(X, axis=1).max(initial=0.0)) if far > 0.0 else 0.0
        spare = 2.0 * extent * (exact_sum(np.abs(q)) + moved) + blur
        return nothing_found(spare, spare, X.shape[1], "nothing to search")
    x_unit, q_unit = power_of_two(far), power_of_two(top)
    unit = x_unit * q_unit
    X, p = X / x_unit, q / q_unit
    span = np.eye(X.shape[1])[:, np.abs(X).max(axis=0) > 0.0] if by_sum else rows.span
    low, apart = lowered(X, span)
    rank = low.shape[1]
    radius = float(np.linalg.norm(X, axis=1).max()) * (1.0 + 8 * X.shape[1] * U)
    mass = exact_sum(np.abs(p)) * (1.0 + 4 * U)
    method = "boxes" if rank > 2 or (by_sum and rank == 2) else ("scan", "sweep")[rank - 1]
    margin = (roundings(method, len(q), rank) + 4 * (X.shape[1] + 4)) * U * radius * mass
    # In scaled units, and a floor for what may underflow.
    margin += apart * mass + 3.0 * radius * (moved / q_unit) + blur / unit + 1e-280
    points, group = np.unique(low + 0.0, axis=0, return_inverse=True)
    p = np.bincount(group.reshape(-1), weights=p, minlength=len(points)).astype(np.float64)
    complete = True
    if method == "scan":
        value, w, j = _scan(points[:, 0], p)
        method = "scan of the sorted inputs"
    elif method == "sweep":
        value, w, j = sweep(points, p)
        method = "angular sweep around every point"
    else:
        target = search.target(x_unit, q_unit, margin)
        value, found, w, j, complete = box_bound(points, p, target, search, by_sum)
        method = f"branch and bound over {found} boxes"
    lifted = span @ w
    lifted /= np.linalg.norm(lifted)
    at = float((points[j] * x_unit) @ (span.T @ lifted))
    price = float(np.abs(lifted).sum()) if by_sum else 1.0
    attained = abs(exact_sum(q * np.maximum(rows.X @ lifted - at, 0.0))) / price
    bias = at + float(lifted @ rows.reference)
    bound = max((value + margin) * unit, attained - margin * unit)
    return SupProof(bound, attained, lifted, bias, margin * unit, complete, method)


def roundings(method: str, n: int, rank: int) -> float:
    """Return N above."""
    if method == "boxes":
        return 6 * math.sqrt(rank) * (n + rank + 16)
    return 2.0 * n + 8.0 if method == "scan" else 8.0 * n + 64.0


def nothing_found(bound: float, margin: float, n_features: int, method: str) -> SupProof:
    """Return a bound without a place where |eta| is large."""
    return SupProof(bound, 0.0, np.zeros(n_features), 0.0, margin, True, method)


def _scan(x: Array, q: Array) -> tuple[float, Array, int]:
    """Return ``max_j |sum_{i <= j} q_i (x_j - x_i)|``, x ascending, from the two running sums."""
    order = np.argsort(x, kind="stable")
    x, q = x[order], q[order]
    values = np.abs(x * np.cumsum(q) - np.cumsum(q * x))
    j = int(np.argmax(values))
    return float(values[j]), np.ones(1), int(order[j])


def sweep(X: Array, q: Array) -> tuple[float, Array, int]:
    """Return an upper bound of ``max_j max_w |eta_j(w)|`` in the plane, and where it is (nearly).

    With ``w = (cos, sin)`` of theta, the sign of ``w . z_i`` changes at one theta_i in [0, pi).
    Let ``v_i = +- z_i`` have ``w . v_i > 0`` after it. Between consecutive theta_i,
    ``eta_j = g . w``, ``g = sum_{theta_i <= theta} q_i v_i - 1/2 sum_i q_i v_i``. |g . w| is
    largest at an end of the arc, or in +-g if that lies on it. Angles wrong by rounding swap points
    whose terms vanish there up to rounding, and ||g|| is a bound wherever it is used: what is
    returned is one, too.
    """
    best, where, anchor = 0.0, np.array([1.0, 0.0]), 0
    step = max(1, CHUNK // len(X))
    for first in range(0, len(X), step):
        Z = X[None, :, :] - X[first : first + step, None, :]
        theta = np.arctan2(Z[..., 0], -Z[..., 1])
        before, beyond = theta < 0.0, theta >= math.pi
        theta = np.where(before, theta + math.pi, np.where(beyond, theta - math.pi, theta))
        turned = np.where(before | beyond, q, -q)[..., None] * Z
        order = np.argsort(theta, axis=1)
        theta = np.take_along_axis(theta, order, axis=1)
        g = np.cumsum(np.take_along_axis(turned, order[..., None], axis=1), axis=1)
        g -= 0.5 * g[:, -1:, :]
        after = np.concatenate([theta[:, 1:], theta[:, :1] + math.pi], axis=1)
        own = np.arctan2(g[..., 1], g[..., 0])
        past = np.mod(own - theta, math.pi)
        inside = (past <= after - theta + NEAR) | (past >= math.pi - NEAR)
        for angle, counts in ((theta, None), (after, None), (own, inside)):
            values = np.abs(g[..., 0] * np.cos(angle) + g[..., 1] * np.sin(angle))
            if counts is not None:
                values = np.where(counts, np.hypot(g[..., 0], g[..., 1]), 0.0)
            k = np.unravel_index(int(np.argmax(values)), values.shape)
            if values[k] > best:
                best, anchor = float(values[k]), first + int(k[0])
                where = np.array([math.cos(angle[k]), math.sin(angle[k])])
    return best, where, anchor


def box_bound(
    X: Array, q: Array, target: Target, search: Search, by_sum: bool = False
) -> tuple[float, int, Array, int, bool]:
    """Return a bound, the boxes visited, the best (w, anchor), and whether time sufficed.

    For fixed w, ``b -> sigma eta(w, b)`` is largest at a knot, where its slope falls: the sum of
    ``sigma q_i`` over the points on it is negative, and so is one of its terms. (At the ends of the
    range of b, eta is 0 but for the defect.) So sigma is minus the sign of q_j at each anchor.

    With a deadline, weaker bounds are proved first, to have one for all anchors.
    """
    anchors = [int(j) for j in np.flatnonzero(q)]
    bounds, visited = np.full(len(anchors), math.inf), 0
    best, where, anchor = 0.0, np.eye(X.shape[1])[0], anchors[0]
    for ratio in (1.0,) if math.isinf(search.deadline) else RATIOS:
        goal = target.times(ratio)

        def work(j: int, goal: Target = goal) -> AnchorProof:
            c = -0.5 * math.copysign(1.0, q[j]) * q
            return bound_anchor(X - X[j], c, goal, search.ended, by_sum=by_sum)

        for k, proof in enumerate(in_threads(work, anchors, search.n_threads)):
            bounds[k] = min(bounds[k], proof.bound)
            visited += proof.n_boxes
            if proof.attained > best:
                best, where, anchor = proof.attained, proof.direction, anchors[k]
        target.see(best)
    return float(bounds.max()), visited, where, anchor, not search.ended()
