r"""Upper bounds of sup |eta|, proved without the solver's oracles: a scan, a sweep, or boxes.

With ``A^T q = 0``, sup |eta| is reached at ``b = w . x_j`` for an *anchor* x_j, and there
``eta = eta_j(w) = 1/2 sum_i q_i |w . (x_i - x_j)|``. A q that is only nearly orthogonal stands for
``q - e`` (see `_verify_rows`). With R the largest distance of a row from the reference, its eta
differs from that of q by at most ``2 R sum |e_i|``, and that of q from the form above by ``R sum
|e_i|``. Three things more are added to every bound: the distance of the rows from their affine
hull, if that is smaller than the space, times ``sum |q_i|``; the rounding of the differences; and
the rounding of the sums, ``N u R sum |q_i|`` with

    scan    N = 2 n + 8                  two running sums of n terms each
    sweep   N = 8 n + 64                 running sums in the plane, and angles wrong by 16 u
    boxes   N = 6 sqrt(r) (n + r + 16)   terms |c_i| ||z_i||_1 with sums of n and of r

Inputs and q are scaled by powers of two first, so that nothing over- or underflows.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass

import numpy as np

from ..problems.checks import Array
from ._verify_boxes import AnchorProof, Target, bound_anchor
from ._verify_rows import Rows, U, exact_sum
from .parallel import in_threads

_CHUNK = 1 << 19
RATIOS = (8.0, 2.0, 1.0)
"""With a time limit, bounds to be proved one after the other, relative to the claimed one."""
NEAR = 1e-12
"""Angle by which a direction may miss an arc and still count as on it."""


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
        Where.
    margin : float
        Rounding, defect and residual that `bound` contains.
    complete : bool
        Whether the search ended by itself.
    method : str
        In words.
    """

    bound: float
    attained: float
    weight: Array
    bias: float
    margin: float
    complete: bool
    method: str


def prove_sup(
    rows: Rows,
    q: Array,
    defect: float,
    claimed: float,
    hints: tuple[Array, Array],
    *,
    deadline: float = math.inf,
    n_threads: int = 1,
) -> SupProof:
    """Return a proved bound of sup |eta|; boxes stop as soon as it is `claimed` or less.

    Parameters
    ----------
    rows : Rows
    q : ndarray of shape (n_live,)
    defect : float
        E of `Rows.defect`.
    claimed : float
        What boxes try to prove; the scan and the sweep find the sup itself.
    hints : tuple of ndarray of shape (k, n_features) and of shape (k,)
        Hyperplanes where |eta| may be large.
    deadline : float
        Value of `time.perf_counter` at which to stop.
    """
    n, rank = len(q), rows.rank
    top = float(np.abs(q).max(initial=0.0))
    far = float(np.abs(rows.X).max(initial=0.0))
    if top == 0.0 or rank == 0:
        extent = float(np.linalg.norm(rows.X, axis=1).max(initial=0.0)) if far > 0.0 else 0.0
        spare = 2.0 * extent * (exact_sum(np.abs(q)) + defect * math.sqrt(rows.s.sum()))
        zero = np.zeros(rows.X.shape[1])
        return SupProof(spare, 0.0, zero, 0.0, spare, True, "nothing to search")
    x_unit, q_unit = _power_of_two(far), _power_of_two(top)
    X, p = rows.X / x_unit, q / q_unit
    lowered = X @ rows.span
    apart = X - lowered @ rows.span.T if rank < X.shape[1] else np.zeros_like(X)
    radius = float(np.linalg.norm(X, axis=1).max()) * (1.0 + 8 * X.shape[1] * U)
    mass = exact_sum(np.abs(p)) * (1.0 + 4 * U)
    count = {1: 2.0 * n + 8.0, 2: 8.0 * n + 64.0}.get(rank, 6 * math.sqrt(rank) * (n + rank + 16))
    margin = (count + 4 * (X.shape[1] + 4)) * U * radius * mass
    margin += float(np.linalg.norm(apart, axis=1).max()) * mass
    # In scaled units, and a floor for what may underflow.
    margin += 3.0 * radius * (defect / q_unit) * math.sqrt(rows.s.sum()) + 1e-280
    points, group = np.unique(lowered + 0.0, axis=0, return_inverse=True)
    p = np.bincount(group.reshape(-1), weights=p, minlength=len(points)).astype(np.float64)
    # Less than the margin need not be proved. In this order, NaN gives the margin.
    level = max(margin, claimed / x_unit / q_unit)
    seen = _best_hint(rows, q, hints)
    if rank == 1:
        value, w, j = _scan(points[:, 0], p)
        complete, method = True, "scan of the sorted inputs"
    elif rank == 2:
        value, w, j = _sweep(points, p)
        complete, method = True, "angular sweep around every point"
    else:
        target = Target(level, margin)
        target.see(seen[0] / x_unit / q_unit)
        value, found, w, j, complete = _boxes(points, p, target, deadline, n_threads)
        method = f"branch and bound over {found} boxes"
    lifted = rows.span @ w
    lifted /= np.linalg.norm(lifted)
    offset = rows.X @ lifted
    at = float((points[j] * x_unit) @ w)
    attained = abs(exact_sum(q * np.maximum(offset - at, 0.0)))
    bias = at + float(lifted @ rows.reference)
    if seen[0] > attained:
        attained, lifted, bias = seen
    unit = x_unit * q_unit
    bound = max((value + margin) * unit, attained - margin * unit)
    return SupProof(bound, attained, lifted, bias, margin * unit, complete, method)


def _power_of_two(value: float) -> float:
    return float(2.0 ** math.floor(math.log2(value)))


def _best_hint(rows: Rows, q: Array, hints: tuple[Array, Array]) -> tuple[float, Array, float]:
    """Return the largest |eta| at the given hyperplanes, and where."""
    best: tuple[float, Array, float] = (0.0, np.zeros(rows.X.shape[1]), 0.0)
    for w, b in zip(*hints, strict=True):
        unit = w / np.linalg.norm(w)
        at = b / np.linalg.norm(w) - float(unit @ rows.reference)
        value = abs(exact_sum(q * np.maximum(rows.X @ unit - at, 0.0)))
        if value > best[0]:
            best = (value, unit, float(b / np.linalg.norm(w)))
    return best


def _scan(x: Array, q: Array) -> tuple[float, Array, int]:
    """Return ``max_j |sum_{i <= j} q_i (x_j - x_i)|``, x ascending, from the two running sums."""
    order = np.argsort(x, kind="stable")
    x, q = x[order], q[order]
    values = np.abs(x * np.cumsum(q) - np.cumsum(q * x))
    j = int(np.argmax(values))
    return float(values[j]), np.ones(1), int(order[j])


def _sweep(X: Array, q: Array) -> tuple[float, Array, int]:
    """Return an upper bound of ``max_j max_w |eta_j(w)|`` in the plane, and where it is (nearly).

    With ``w = (cos, sin)`` of theta, the sign of ``w . z_i`` changes at one theta_i in [0, pi).
    Let ``v_i = +- z_i`` have ``w . v_i > 0`` after it. Between consecutive theta_i,
    ``eta_j = g . w``, ``g = sum_{theta_i <= theta} q_i v_i - 1/2 sum_i q_i v_i``. |g . w| is
    largest at an end of the arc, or in +-g if that lies on it. Angles wrong by rounding swap points
    whose terms vanish there up to rounding, and ||g|| is a bound wherever it is used: what is
    returned is one, too.
    """
    best, where, anchor = 0.0, np.array([1.0, 0.0]), 0
    step = max(1, _CHUNK // len(X))
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


def _boxes(
    X: Array, q: Array, target: Target, deadline: float, n_threads: int
) -> tuple[float, int, Array, int, bool]:
    """Return a bound, the boxes visited, the best (w, anchor), and whether time sufficed.

    For fixed w, ``b -> sigma eta(w, b)`` is largest at a knot, where its slope falls: the sum of
    ``sigma q_i`` over the points on it is negative, and so is one of its terms. (At the ends of the
    range of b, eta is 0 but for the defect.) So sigma is minus the sign of q_j at each anchor.

    With a deadline, weaker bounds are proved first, to have one for all anchors.
    """

    def ended() -> bool:
        return time.perf_counter() > deadline

    anchors = [int(j) for j in np.flatnonzero(q)]
    bounds, visited = np.full(len(anchors), math.inf), 0
    best, where, anchor = 0.0, np.eye(X.shape[1])[0], anchors[0]
    for ratio in (1.0,) if math.isinf(deadline) else RATIOS:
        goal = target.times(ratio)

        def work(j: int, goal: Target = goal) -> AnchorProof:
            c = -0.5 * math.copysign(1.0, q[j]) * q
            return bound_anchor(X - X[j], c, goal, ended)

        for k, proof in enumerate(in_threads(work, anchors, n_threads)):
            bounds[k] = min(bounds[k], proof.bound)
            visited += proof.n_boxes
            if proof.attained > best:
                best, where, anchor = proof.attained, proof.direction, anchors[k]
        target.see(best)
    return float(bounds.max()), visited, where, anchor, not ended()
