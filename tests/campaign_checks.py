"""What the soundness campaign asserts: of bounds on sup |eta|, and of certificates."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from fractions import Fraction

import numpy as np
from brute_force import Array, brute_force, exceeds, value

from radontv.problems import Certificate, RadonTVProblem, RidgeSpline
from radontv.solvers.oracle import SupBound, rounding_margin

EXACT = 1e-9
"""Relative agreement of exact oracles; branch and bound is asked for no more."""
COMPLETE = 1e-6
"""Relative excess over the threshold that a complete proof may have."""
NEAR = 1e-9
"""Relative distance below a bound from which values are computed in rational arithmetic."""
CHECKED = 6
"""Largest values per dual point that are evaluated exactly."""


@dataclass
class Planes:
    """Hyperplanes with their |eta|, gathered from all oracles and searches for one dual point.

    Attributes
    ----------
    X, q : ndarray of shape (n, d) and (n,)
    found : list of (float, ndarray of shape (d,), float)
        (|eta|, w, b), the sums correctly rounded; the largest only.
    """

    X: Array
    q: Array
    found: list[tuple[float, Array, float]] = field(default_factory=list)

    def add(self, weights: Array, biases: Array) -> None:
        """Add hyperplanes; only those with the largest |eta| are kept."""
        values = np.abs(self.q @ np.maximum(self.X @ weights.T - biases, 0.0))
        for k in np.argsort(-values)[:CHECKED]:
            w, b = weights[k], float(biases[k])
            if not np.any(w):
                continue
            self.found.append((value(self.X, self.q, w, b), w, b))
        self.found = sorted(self.found, key=lambda item: -item[0])[: 2 * CHECKED]

    def add_bound(self, result: SupBound) -> None:
        """Add what an oracle says is attained."""
        self.add(result.weight[None], np.array([result.bias]))
        if len(result.witnesses_biases):
            self.add(result.witnesses_weights, result.witnesses_biases)

    def add_brute_force(self) -> None:
        """Add the maximum over all planes."""
        _, w, b = brute_force(self.X, self.q)
        self.add(w[None], np.array([b]))

    @property
    def top(self) -> float:
        """Largest |eta| so far."""
        return self.found[0][0] if self.found else 0.0


def contradictions(name: str, planes: Planes, result: SupBound) -> Iterable[str]:
    """Yield what is attained above the bound of an oracle, decided in exact arithmetic."""
    if not (math.isfinite(result.bound) and result.attained <= result.bound):
        yield f"{name}: attained {result.attained!r}, bound {result.bound!r}"
    own = value(planes.X, planes.q, result.weight, result.bias)
    if abs(own - result.attained) > rounding_margin(planes.X, planes.q):
        yield f"{name}: attained {result.attained!r}, but |eta| is {own!r} there"
    for reached, w, b in planes.found:
        near = reached > result.bound * (1.0 - NEAR)
        if near and exceeds(planes.X, planes.q, w, b, result.bound):
            yield f"{name}: bound {result.bound!r} < |eta| = {reached!r} at w = {w!r}, b = {b!r}"
            return


def disagreements(
    name: str, planes: Planes, result: SupBound, *, threshold: float | None = None
) -> Iterable[str]:
    """Yield how a finished oracle falls short: of the sup, or of a bound that is close to it.

    Without `threshold` the oracle was asked for sup |eta|, else to prove it below the threshold.
    """
    margin = rounding_margin(planes.X, planes.q)
    if not result.complete:
        return
    if threshold is None and result.attained < planes.top * (1.0 - 2.0 * EXACT) - 3.0 * margin:
        yield f"{name}: attained {result.attained!r} is less than {planes.top!r}, the sup"
    goal = max(threshold or 0.0, result.attained)
    if result.bound > goal * (1.0 + COMPLETE) + 4.0 * margin:
        yield f"{name}: complete with bound {result.bound!r}, goal {goal!r}, margin {margin!r}"


def exact_objective(problem: RadonTVProblem, network: RidgeSpline) -> Fraction:
    """Return F(f) in rational arithmetic; norms of weights are rounded up at 2^-90."""
    total, scale = Fraction(0), 1 << 90
    a, b = network.amplitudes.tolist(), network.biases.tolist()
    weights, coef = network.weights.tolist(), network.coef.tolist()
    for row, y, s in zip(problem.X.tolist(), problem.y.tolist(), problem.s.tolist(), strict=True):
        if s == 0.0:
            continue
        x = [Fraction(v) for v in row]
        rest = Fraction(y) - Fraction(network.intercept)
        rest -= sum((Fraction(c) * v for c, v in zip(coef, x, strict=True)), Fraction(0))
        for amplitude, w, bias in zip(a, weights, b, strict=True):
            t = sum((Fraction(u) * v for u, v in zip(w, x, strict=True)), -Fraction(bias))
            rest -= Fraction(amplitude) * max(t, Fraction(0))
        total += Fraction(s) * rest * rest / 2
    for amplitude, w in zip(a, weights, strict=True):
        square = sum(Fraction(u) ** 2 for u in w)
        norm = Fraction(math.isqrt(math.ceil(square * scale * scale)) + 1, scale)
        total += Fraction(problem.alpha) * abs(Fraction(amplitude)) * norm
    return total


def refuted_certificates(
    name: str, problem: RadonTVProblem, proof: Certificate, networks: Iterable[RidgeSpline]
) -> Iterable[str]:
    """Yield networks whose objective is below the lower bound of a certificate of scope GLOBAL."""
    if not (proof.gap >= 0.0 and proof.dual <= proof.primal and math.isfinite(proof.dual)):
        yield f"{name}: dual {proof.dual!r}, primal {proof.primal!r}, gap {proof.gap!r}"
    for network in networks:
        reached = problem.objective(network)
        if proof.dual > reached - 1e-6 * abs(reached):
            exact = exact_objective(problem, network)
            if Fraction(proof.dual) > exact:
                yield f"{name}: dual {proof.dual!r} > objective {float(exact)!r} of a network"
