r"""What a check needs to know about a problem, from its data alone.

A kind evaluates networks, says which functions are free, and bounds sup |eta| relative to the price
of a neuron. Rows are targets of positive weight; with measurements M they look at points, eta is
that of ``M^T q`` at the points, and free functions are measured too.
"""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property
from typing import Any

import numpy as np

from ...problems import RidgeSpline
from ...problems.checks import Array
from .losses import Formula, formula_of
from .networks import Network
from .null_space import NullSpace, U, exact_sum, nearby
from .rows import Rows
from .sup import Search, SupProof, prove_sup
from .values import DualPoint, Primal, objective, resolution

Seen = tuple[float, Array, float]
"""The largest |eta| relative to the price at some neurons, and their w and b."""


class Kind:
    """A problem with samples, RTV and one output.

    Parameters
    ----------
    problem : RadonTVProblem
    """

    shared = True
    """Whether (w, b) and (-w, -b) differ by something free."""

    unbounded = "there is no way to a bound of its own"
    """Why `sup` may return None."""

    def __init__(self, problem: Any) -> None:
        self.problem = problem
        self.live = problem.s > 0
        self.alpha, self.s = float(problem.alpha), problem.s[self.live]
        self.loss: Formula = formula_of(problem.loss)

    @cached_property
    def y(self) -> Array:
        """Targets of the rows."""
        return np.asarray(self.problem.y[self.live])

    @property
    def dual_shape(self) -> tuple[int, ...]:
        """Shape of a dual point."""
        return np.shape(self.problem.y)

    def check_network(self, network: Any) -> None:
        """Raise an error unless it is a network of the problem's features and outputs."""
        if not isinstance(network, RidgeSpline):
            raise TypeError(f"the network is a {type(network).__name__}, not a RidgeSpline.")
        wanted = (self.problem.n_features, *self.y.shape[1:])
        if network.coef.shape != wanted:
            raise ValueError(
                f"the certificate's network has coef of shape {network.coef.shape}, but the "
                f"features and outputs of the problem are {wanted}."
            )

    @cached_property
    def points(self) -> Array:
        """Points that the rows look at."""
        return np.asarray(self.problem.X[self.live])

    @cached_property
    def rows(self) -> Rows:
        """The points in the coordinates in which neurons cost their length."""
        return self.plain_rows

    @cached_property
    def plain_rows(self) -> Rows:
        """The points."""
        return Rows.of(self.points, self.s)

    def free(self, mask: np.ndarray) -> NullSpace:
        """Return the free functions on some of the rows."""
        if mask.all():
            return self.plain_rows.affine(self.s)
        return Rows.of(self.points[mask], self.s[mask]).affine(self.s[mask])

    @cached_property
    def whole(self) -> NullSpace:
        """The free functions on all rows."""
        return self.free(np.ones(len(self.s), dtype=bool))

    @property
    def sparsity(self) -> tuple[int, int]:
        """Range of what may be said about the neurons that some optimum has."""
        count = len(np.unique(self.plain_rows.X + 0.0, axis=0)) - self.whole.size
        return count, count

    # --- networks --------------------------------------------------------------------------

    def price(self, w: Array, b: Array) -> Array:
        """Return the price of neurons with unit w."""
        return np.ones(len(b))

    def penalty(self, network: Network) -> float:
        """Return the sum of the prices of a network."""
        return exact_sum(self.norm(network.a) * self.price(network.w, network.b))

    def norm(self, a: Array) -> Array:
        """Return the norm of amplitudes."""
        return np.abs(a)

    def to_rows(self, values: Array) -> Array:
        """Return what rows see of values at the points."""
        return values

    def sizes(self, terms: Array) -> Array:
        """Return what rows see at most of terms of these sizes."""
        return terms

    def depth(self) -> int:
        """Return the number of points that a row looks at, at most."""
        return 1

    def primal(self, network: Any, claimed: float) -> Primal:
        """Return the objective of a network.

        Neurons that are equal or antipodal up to rounding are joined, unless the network as it
        stands comes closer to the claimed value.
        """
        given = Network.of(network)
        if not self.shared:
            return replace(self._evaluate(given), n_neurons=len(network.amplitudes))
        joined = given.joined()
        first = self._evaluate(joined)
        if joined.count == given.count:
            return first
        second = self._evaluate(given)
        return min(first, second, key=lambda found: abs(found.value - claimed))

    def _evaluate(self, network: Network) -> Primal:
        X, y = self.points, self.y
        hidden, hidden_size, slip = network.neurons(X)
        free, free_size = network.free_part(X)
        count = X.shape[1] + network.count + network.depth + self.depth()
        neurons, extra = self.to_rows(hidden), self.sizes(slip)
        z = neurons + self.to_rows(free)
        size = np.abs(y) + self.sizes(hidden_size)
        terms = size + self.sizes(free_size)
        error, penalty = extra + count * U * terms, self.alpha * self.penalty(network)
        value, wrong = objective(self.loss, y, self.s, z, error, penalty, count)
        theta = self.whole.fit(y - neurons)[0]
        refitted = size + self.sizes_of_free(theta)
        apart = extra + (count + len(y)) * U * np.maximum(terms, refitted)
        return Primal(
            value=value,
            error=wrong,
            n_neurons=network.count,
            weights=network.w,
            biases=network.b,
            resolution=resolution(self.loss, y, self.s, apart, self.whole.size + 16),
            missed=np.maximum(np.abs(y - z) - self.loss.radius, 0.0),
        )

    def sizes_of_free(self, theta: Array) -> Array:
        """Return the sizes of the terms of the free function with these coefficients, at rows."""
        coef, constant = self.plain_rows.magnitude(self.whole.T @ theta)
        return self.sizes(np.abs(self.points) @ coef + constant)

    # --- dual points -----------------------------------------------------------------------

    def dual_point(self, q: Array) -> DualPoint:
        """Return a dual point (n,) of the live rows with all that its value depends on."""
        low, high = self.loss.ends(self.y)
        reach = nearby(self.free, q, self.s, low, high)
        return DualPoint(self.loss, self.y, self.s, q, reach, *self.free_fit())

    def free_fit(self) -> tuple[Array, Array]:
        """Return a free function on the rows, near the targets if that helps, and its error."""
        if self.loss.translates:
            return self.whole.fit(self.y)[1:]
        return np.zeros_like(self.y), np.zeros_like(self.y)

    def seen(self, q: Array, network: Primal) -> Seen:
        """Return the largest |eta| at the neurons of a network."""
        rows, weights = self.plain_rows, self.at_points(q)
        best: Seen = (0.0, np.zeros(self.points.shape[1]), 0.0)
        lengths = np.linalg.norm(network.weights, axis=1)
        units, biases = network.weights / lengths[:, None], network.biases / lengths
        for w, b, price in zip(units, biases, self.price(units, biases), strict=True):
            offset = rows.X @ w - (b - float(w @ rows.reference))
            value = self.size_of(weights, self.atom(offset)) / price
            if value > best[0]:
                best = (value, w, float(b))
        return best

    def atom(self, t: Array) -> Array:
        """Return the activation at t = w.x - b."""
        return np.maximum(t, 0.0)

    def size_of(self, q: Array, activations: Array) -> float:
        """Return |sum_i q_i activation_i|."""
        return abs(exact_sum(q * activations))

    def at_points(self, q: Array) -> Array:
        """Return the weights of the points for a dual point of the rows."""
        return q

    def sup(self, dual: DualPoint, search: Search) -> SupProof | None:
        """Return a proved bound of sup |eta| over the price, None if there is no way to one."""
        return prove_sup(self.rows, dual.q, dual.moved, 0.0, search)
