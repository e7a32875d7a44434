"""Trend filtering on sorted points: min over z of Q(z) + alpha TV(z'), by moving knots.

A *vertex* is a set of knots with signs whose equality-constrained minimiser has kinks of these
signs. From a vertex, |v| above alpha says where knots are missing (`scan`): the largest point of
every such run is added, the tridiagonal system is solved, and knots whose kink comes out with the
wrong sign leave, all runs at once, until a vertex is reached. Tens of such rounds are usual for any
n. When a round fails to lower the objective, it is repeated from the old vertex by a method that
cannot fail: move towards the solution of the system with an exact line search over all sign
changes, as an active-set method does. Every round then lowers the objective, there are finitely
many vertices, and so it ends at the optimum.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...problems.checks import Array
from .._circle_kernels import Ints
from ._kernels import (
    drop,
    energy,
    exact_step,
    insert,
    scan,
    solve_knots,
    sum_elements,
    worst_of_runs,
)

MAX_STALLS = 25
"""Rounds in which the objective does not fall in float64 while |v| still may."""


@dataclass(frozen=True, eq=False)
class Knots:
    """Knots (indices of points, ends included), their signs, values of f and kinks.

    Shapes (n_knots,); signs and kinks are 0 at both ends.
    """

    at: Ints
    signs: Array
    values: Array
    kinks: Array


class KnotMethod:
    """Minimiser of sum_i w_i z_i^2 / 2 - b_i z_i + alpha TV(z').

    Parameters
    ----------
    x : ndarray of shape (n,)
        Ascending, distinct.
    w, b : ndarray of shape (n,)
        w > 0.
    alpha : float
        Positive.
    start : Knots, optional
        Knots and signs to start from; default no inner knots.
    centre : ndarray of shape (n,), optional
        Fitted values relative to which the objective is measured; default the values b / w.
    """

    def __init__(
        self,
        x: Array,
        w: Array,
        b: Array,
        alpha: float,
        *,
        start: Knots | None = None,
        centre: Array | None = None,
    ) -> None:
        self.x, self.w, self.b, self.alpha = x, w, b, alpha
        self.centre = np.empty(0) if centre is None else centre
        ends = np.unique(np.array([0, len(x) - 1], dtype=np.int64))
        self._knots: Ints = ends if start is None else start.at.copy()
        self._signs: Array = np.zeros(len(ends)) if start is None else start.signs.copy()
        self._elements: Array = sum_elements(x, w, b, self._knots)
        self._new = np.empty(len(x), dtype=np.int64)
        self._new_signs = np.empty(len(x))
        self._found = 0
        self._stalls = 0
        self._vertex: Knots | None = None
        self.value = np.inf
        self.excess = np.inf
        """max |v| / alpha - 1 where above the tolerance, else 0."""
        self.rounds = 0

    @property
    def vertex(self) -> Knots:
        """The vertex reached by the last round."""
        if self._vertex is None:
            raise RuntimeError("vertex is not there before the first call of advance().")
        return self._vertex

    def advance(self, tolerance: float) -> bool:
        """Make one round, with |v| up to alpha (1 + tolerance) allowed; True at the end."""
        self.rounds += 1
        last = self._vertex
        if last is not None:
            self._add()
        kept = self._knots.copy(), self._signs.copy(), self._elements.copy()
        self._to_vertex()
        value = self._look(tolerance)
        if last is not None and not value < self.value:
            self._knots, self._signs, self._elements = kept
            self._descend(last)
            value = self._look(tolerance)
            # Below the resolution of the objective only |v| still tells progress.
            self._stalls += not value < self.value
        self.value = value
        return self._found == 0 or self._stalls >= MAX_STALLS

    def look_again(self, tolerance: float) -> bool:
        """Compare |v| at the vertex with a smaller tolerance; return whether nothing is to add."""
        self.value = self._look(tolerance)
        self._stalls = 0
        return self._found == 0

    def _add(self) -> None:
        new = self._new[: self._found], self._new_signs[: self._found]
        self._knots, self._signs, self._elements = insert(
            self.x, self.w, self.b, self._knots, self._signs, self._elements, *new
        )

    def _solve(self) -> tuple[Array, Array]:
        u, kinks = solve_knots(self.x, self._knots, self._signs, self._elements, self.alpha)
        return u, kinks

    def _drop(self, marked: Array, carried: Array) -> Array:
        left = drop(self.x, self._knots, self._signs, self._elements, marked, carried)
        self._knots, self._signs = self._knots[:left], self._signs[:left]
        self._elements = self._elements[:left]
        return carried[:, :left]

    def _to_vertex(self) -> None:
        """Solve and drop wrong kinks, the worst of each run, until none is left."""
        while True:
            u, kinks = self._solve()
            found, marked = worst_of_runs(self._signs, kinks)
            if not found:
                break
            self._drop(marked, np.empty((0, len(u))))
        self._vertex = Knots(self._knots, self._signs, u, kinks)

    def _descend(self, last: Knots) -> None:
        """Go from the last vertex to a lower one by exact line searches."""
        f = np.interp(self.x[self._knots], self.x[last.at], last.values)
        kinks = np.zeros(len(f))
        kinks[np.searchsorted(self._knots, last.at)] = last.kinks
        state = np.stack([f, kinks])
        for _ in range(4 * len(f) + 100):
            u, goal = self._solve()
            # A knot that has no kink yet must get one of its own sign, or it is no descent.
            marked = (state[1] == 0.0) & ~(self._signs * goal > 0.0)
            marked[[0, -1]] = False
            if marked.any():
                state = self._drop(marked, state)
                continue
            step = u - state[0]
            along = energy(self._elements, step) / self.alpha
            t, hit = exact_step(state[1], goal, along) if along > 0.0 else (1.0, -1)
            if t >= 1.0 or not t > 1e-12:
                break
            state = np.stack([state[0] + t * step, state[1] + t * (goal - state[1])])
            if hit >= 0:
                state[1, hit] = 0.0
            self._signs = np.sign(state[1])
            marked = state[1] == 0.0
            marked[[0, -1]] = False
            if marked.any():
                state = self._drop(marked, state)
        self._to_vertex()

    def _look(self, tolerance: float) -> float:
        """Find the points to add at the vertex; return the objective up to a constant."""
        at = self.vertex
        threshold = self.alpha * (1.0 + tolerance)
        self._found, top, value = scan(
            self.x,
            self.w,
            self.b,
            at.at,
            at.signs,
            at.values,
            self.alpha,
            threshold,
            self.centre,
            self._new,
            self._new_signs,
        )
        self.excess = top / self.alpha - 1.0 if self._found else 0.0
        return float(value) + self.alpha * float(np.abs(at.kinks).sum())
