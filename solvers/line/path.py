"""The whole regularisation path in one dimension, squared loss.

Between two *breakpoints* knots and signs stay, and f is affine in alpha. From one piece the range
of alpha on which its conditions hold (`alpha_range`) gives the next breakpoint exactly; there knots
enter or leave. Which ones is not guessed from the event: the knot method finds the next piece
just below the breakpoint from the old knots, so that ties (symmetric data, many events at one
alpha) need no rule. If the range of the piece found does not reach up to the breakpoint, the
pieces between are found from its upper end on.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from ...problems.checks import Array
from ...problems.losses import SquaredLoss
from .._circle_kernels import Ints
from ._kernels import solve_knots, sum_elements
from ._path_kernels import alpha_range
from .certificate import certify_spline
from .data import LineData, gather
from .newton import affine_knots
from .quadratic import KnotMethod, Knots
from .spline_fit import LineFit, finish

NUDGE = 1e-10
"""Breakpoints closer than this (relative) are one."""
MAX_ROUNDS = 500
MAX_BETWEEN = 1000


@dataclass(frozen=True, eq=False)
class Piece:
    """Knots and signs that are optimal for low <= alpha <= high."""

    low: float
    high: float
    at: Ints
    signs: Array


@dataclass(frozen=True, eq=False)
class LinePath:
    """All minimisers of the squared loss for alpha from `alphas[0]` (alpha_max) down.

    Attributes
    ----------
    alphas : ndarray of shape (n_pieces + 1,)
        Breakpoints, descending; the last is where the path was stopped, or 0.
    entered, left : tuple of ndarray
        Points that become knots, and stop to be (or change sign), at ``alphas[k]`` going down.
    complete : bool
        Whether it reached alpha_min.
    """

    alphas: Array
    entered: tuple[Ints, ...]
    left: tuple[Ints, ...]
    complete: bool
    pieces: tuple[Piece, ...]
    data: LineData

    @property
    def alpha_max(self) -> float:
        """The alpha from which on f is affine."""
        return float(self.alphas[0])

    def at(self, alpha: float) -> LineFit:
        """Return the fit at alpha, with its certificate, from one tridiagonal system.

        Raises
        ------
        ValueError
            If alpha is not positive or below the end of the path.
        """
        if not alpha > 0.0 or alpha < self.alphas[-1]:
            raise ValueError(
                f"alpha={alpha!r} is not on this path, which ends at {self.alphas[-1]:.6g}; "
                "choose a larger positive alpha or compute the path further."
            )
        data = self.data
        knots = affine_knots(data).at
        signs = np.zeros(len(knots))
        if alpha < self.alphas[0]:
            # alphas descend; the piece k covers alphas[k + 1] <= alpha < alphas[k].
            k = int(np.searchsorted(-self.alphas, -alpha, side="right")) - 1
            piece = self.pieces[min(k, len(self.pieces) - 1)]
            knots, signs = piece.at, piece.signs
        elements = sum_elements(data.x, data.s, data.s * data.y, knots)
        values, kinks = solve_knots(data.x, knots, signs, elements, alpha)
        # At the ends of a piece a kink that vanishes may come out with the wrong sign.
        at = Knots(knots, signs, values, kinks)
        loss = SquaredLoss()
        return finish(data, loss, at, certify_spline(data, loss, alpha, at), 1, 1e-10)


def line_path(
    x: Array, y: Array, s: Array, *, alpha_min: float = 0.0, max_breaks: int | None = None
) -> LinePath:
    """Return the path of minimisers of sum_i s_i (y_i - f(x_i))^2 / 2 + alpha TV(f').

    Each breakpoint takes a few passes over the data, O(n).

    Parameters
    ----------
    x, y, s : ndarray of shape (n,)
        Inputs in any order, with repeats; targets; weights > 0.
    alpha_min : float, default=0.0
        Where to stop; 0 goes on until f interpolates (the means at) all points.
    max_breaks : int, optional
        Most breakpoints; default no limit.
    """
    if not (np.isfinite(alpha_min) and alpha_min >= 0.0):
        raise ValueError(
            f"alpha_min must be finite and >= 0, got {alpha_min!r}; 0 is interpolation."
        )
    data = gather(x, y, s, SquaredLoss())
    walk = _Walk(data)
    first = walk.piece(affine_knots(data))
    top = first.low
    floor = max(alpha_min, walk.rounding, 1e-14 * top)
    pieces: list[Piece] = []
    alpha, last = top, first
    complete = True
    while alpha > floor:
        if max_breaks is not None and len(pieces) >= max_breaks:
            complete = False
            break
        for piece in walk.below(alpha, last):
            pieces.append(piece)
            last, alpha = piece, piece.low
    end = alpha_min if complete else alpha
    return _assemble(data, first, pieces, walk.rounding, end, complete)


def _assemble(
    data: LineData,
    first: Piece,
    pieces: list[Piece],
    rounding: float,
    end: float,
    complete: bool,
) -> LinePath:
    alphas = [first.low if first.low > rounding or end > 0.0 else 0.0]
    alphas += [piece.low for piece in pieces]
    if pieces:
        alphas[-1] = end
    entered, left = [], []
    for old, new in zip([first, *pieces][:-1], pieces, strict=True):
        before = {(int(i), float(g)) for i, g in zip(old.at, old.signs, strict=True)}
        after = {(int(i), float(g)) for i, g in zip(new.at, new.signs, strict=True)}
        entered.append(np.array(sorted(i for i, _ in after - before), dtype=np.int64))
        left.append(np.array(sorted(i for i, _ in before - after), dtype=np.int64))
    return LinePath(np.array(alphas), tuple(entered), tuple(left), complete, tuple(pieces), data)


class _Walk:
    """Finds pieces of the path of one data set."""

    def __init__(self, data: LineData) -> None:
        self.data = data
        self.b = data.s * data.y
        spread = float(data.x[-1] - data.x[0])
        size = float(data.s @ (np.abs(data.y) + np.abs(data.affine)))
        self.rounding = 16.0 * float(np.finfo(np.float64).eps) * spread * size
        """alpha below which v is rounding."""

    def piece(self, knots: Knots) -> Piece:
        """Return the piece of these knots and signs."""
        data = self.data
        elements = sum_elements(data.x, data.s, self.b, knots.at)
        fixed = solve_knots(data.x, knots.at, 0.0 * knots.signs, elements, 0.0)
        elements[:, 3:5], elements[:, 6] = 0.0, 0.0
        rate = solve_knots(data.x, knots.at, -knots.signs, elements, 1.0)
        low, high = alpha_range(data.x, data.s, self.b, knots.at, knots.signs, fixed, rate)
        return Piece(float(low), float(high), knots.at, knots.signs)

    def solve(self, alpha: float, near: Piece) -> Piece:
        """Return the piece that is optimal at alpha."""
        start = Knots(near.at, near.signs, np.zeros(len(near.at)), np.zeros(len(near.at)))
        method = KnotMethod(self.data.x, self.data.s, self.b, alpha, start=start)
        while method.rounds < MAX_ROUNDS:
            # Just below a breakpoint a missing knot exceeds alpha by about NUDGE times its rate.
            if method.advance(1e-15):
                break
        return self.piece(method.vertex)

    def below(self, alpha: float, last: Piece) -> list[Piece]:
        """Return the pieces from alpha, the end of `last`, down to the first end below it."""
        step, found = NUDGE, last
        # A knot that enters beside another one exceeds alpha very slowly: step down until it does.
        while same(found, last) and step < 1.0:
            goal = alpha * (1.0 - step)
            found = self.solve(goal, last)
            step *= 4.0
        # A range that rounding has moved below `goal` does not tell what is above it.
        high = found.high if found.high > goal else alpha
        chain = [replace(found, low=min(found.low, goal), high=high)]
        while chain[-1].high < alpha * (1.0 - 4.0 * NUDGE) and len(chain) < MAX_BETWEEN:
            between = self.solve(chain[-1].high * (1.0 + NUDGE), chain[-1])
            if same(between, chain[-1]) or not between.high > chain[-1].high:
                break
            chain.append(replace(between, low=chain[-1].high))
        return chain[::-1]


def same(one: Piece, other: Piece) -> bool:
    """Return whether both have the same knots and signs."""
    return np.array_equal(one.at, other.at) and np.array_equal(one.signs, other.signs)
