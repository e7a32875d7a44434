"""The least path norm of a layer with given outputs on the data: a convex search, and a bound."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..problems import Certificate, RidgeSpline, Scope
from ..problems.checks import Array
from ..problems.multi_output import MultiOutputProblem
from .layer_affine import as_block, as_network, choose_sides, neurons_of
from .layer_blocks import Block
from .layer_thinning import thin_units
from .solution import Status
from .vector.driver import solve_multi_output

SHARE, FALL, LEAST_SHARE = 1e-3, 0.25, 1e-7
"""alpha over alpha_max: at first, its ratio from round to round, and where it stays."""
ROUNDS = 12
"""Most updates of the targets."""
GAP = 1e-7
"""Relative gap at which each of the convex programs stops."""


@dataclass(frozen=True)
class BlockCertificate:
    """How much of the path norm of one block any layer with the same outputs must have.

    It speaks of this block alone, with all other layers frozen. Nothing follows for the network
    as a whole.

    Attributes
    ----------
    path_norm : float
        sum_k |v_k| |w_k| of the block that is returned.
    lower_bound : float
        No layer of any width whose outputs on the data are exactly these has less, even if affine
        functions cost nothing. Valid within `scope`.
    scope : Scope
        What the bound is worth: GLOBAL is proved, LOCAL rests on a search.
    """

    path_norm: float
    lower_bound: float
    scope: Scope

    @property
    def relative_gap(self) -> float:
        """Share of the path norm that is not accounted for; affine units alone make one."""
        return 1.0 - self.lower_bound / self.path_norm if self.path_norm > 0.0 else 0.0

    def __str__(self) -> str:
        return (
            f"path norm {self.path_norm:.6g}, no layer with these outputs below "
            f"{self.lower_bound:.6g} ({self.scope.name}: {self.scope.meaning}; this block alone)"
        )


@dataclass(frozen=True)
class BlockSearch:
    """What the convex search found.

    Attributes
    ----------
    blocks : tuple of Block
        Candidates; whether their outputs agree is for the caller to check.
    lower_bound : float
        As in `BlockCertificate`.
    scope : Scope
    rounds : int
        Convex programs solved.
    interrupted : bool
    """

    blocks: tuple[Block, ...]
    lower_bound: float
    scope: Scope
    rounds: int
    interrupted: bool


def search_block(
    H: Array, P: Array, *, tol: float, scope: Scope, time_limit: float | None, random_state: int
) -> BlockSearch:
    """Minimise sum_k ||a_k|| subject to f(h_i) = P_i, affine functions free.

    The method of multipliers (Bregman iteration; Osher, Burger, Goldfarb, Xu and Yin, "An
    iterative regularization method", 2005): solve the squared loss with targets T and a small
    alpha, whose multipliers are (T - f) / alpha; go on with a smaller alpha' and the targets
    P + alpha' (T - f) / alpha. Every program yields a dual point Q, [1 H]^T Q = 0,
    with sup ||eta_Q|| <= U, and so the bound sum_i Q_i.P_i / U on the path norm.
    """
    end = None if time_limit is None else time.monotonic() + time_limit
    if np.ptp(P, axis=0).max(initial=0.0) == 0.0:
        D = P.shape[1]
        constant = Block(np.zeros((0, H.shape[1])), np.zeros(0), np.zeros((D, 0)), P[0].copy())
        return BlockSearch((constant,), 0.0, Scope.GLOBAL, 0, False)
    run = _Bregman(H, P, tol=tol, scope=scope, end=end, random_state=random_state)
    try:
        run.descend()
    except KeyboardInterrupt:  # between two programs
        run.interrupted = True
    bound = run.bound
    return BlockSearch(tuple(run.found), bound.value, bound.scope, run.rounds, run.interrupted)


class _Bregman:
    """The blocks and the bound so far of a `search_block`."""

    def __init__(
        self, H: Array, P: Array, *, tol: float, scope: Scope, end: float | None, random_state: int
    ) -> None:
        self.H, self.P, self.tol, self.end = H, P, tol, end
        self.options: dict[str, Any] = {"tol": GAP, "scope": scope, "random_state": random_state}
        self.found: list[Block] = []
        self.bound = _Bound()
        self.rounds, self.interrupted = 0, False

    def descend(self) -> None:
        """Solve programs until the bound is met, or the time is over."""
        H, P = self.H, self.P
        problem = MultiOutputProblem(H, P, 1.0)
        fit = problem.affine_fit()
        size = float(np.abs(P - P.mean(axis=0)).max())
        # What is left by less than rounding leaves no multiplier: alpha_max may be 0.
        affine = float(np.abs(fit(H) - P).max()) <= 1e-12 * size
        largest = 0.0 if affine else problem.alpha_max()
        if largest <= 0.0:
            self.found, self.bound.scope = [as_block(H, fit)], Scope.GLOBAL
            return
        share, target, start = SHARE, P, None
        residual = P - fit(H)
        for _ in range(ROUNDS):
            left = None if self.end is None else self.end - time.monotonic()
            if left is not None and left <= 0.0:
                return
            solution = solve_multi_output(
                MultiOutputProblem(H, target, share * largest),
                warm_start=start,
                time_limit=left,
                **self.options,
            )
            self.rounds += 1
            self.interrupted = solution.status is Status.INTERRUPTED
            self.bound.take(solution.certificate, residual)
            start = solution.network
            polished = _polish(H, P, start)
            agrees = float(np.abs(polished(H) - P).max()) <= self.tol * size
            if agrees:
                self.found += plain_blocks(H, polished, least=0.01 * self.tol * size)
            # A cheaper network than the bound allows does not exist: what remains is the tolerance.
            reached = agrees and polished.rtv <= self.bound.value * (1.0 + 1e-6)
            if self.interrupted or reached:
                return
            smaller = max(FALL * share, LEAST_SHARE)
            target, share = P + (smaller / share) * (target - start(H)), smaller


class _Bound:
    """The best bound so far; those of the better scope win."""

    def __init__(self) -> None:
        self.value, self.scope, self._seen = 0.0, Scope.LOCAL, False

    def take(self, certificate: Certificate, residual: Array) -> None:
        """Take note of sum_i Q_i.R_i / U, R the targets without their affine part.

        [1 H]^T Q = 0 makes it the sum over targets; without the large affine part there is less
        rounding, which is subtracted.
        """
        Q, U = certificate.dual_point, certificate.sup_bound
        if Q is None or U <= 0.0:
            return
        terms = Q * residual
        rounding = (terms.size + 8) * np.finfo(float).eps * float(np.abs(terms).sum())
        value = (float(terms.sum()) - rounding) / float(U) * (1.0 - 4.0 * np.finfo(float).eps)
        better = certificate.scope is Scope.GLOBAL and self.scope is not Scope.GLOBAL
        same = certificate.scope is self.scope
        if not self._seen or better or (same and value > self.value):
            self.value, self.scope, self._seen = max(value, 0.0), certificate.scope, True


def _polish(H: Array, P: Array, network: RidgeSpline) -> RidgeSpline:
    """Return the network with the least change of amplitudes and affine part that reaches P."""
    mean = H.mean(axis=0)
    columns = np.column_stack([network.features(H), H - mean, np.ones(len(H))])
    length = np.linalg.norm(columns, axis=0)
    scaled = columns / np.where(length > 0.0, length, 1.0)
    A, coef, shift = network.amplitudes, network.coef, network.intercept + mean @ network.coef
    K = network.n_neurons
    for _ in range(2):
        rest = P - columns @ np.vstack([A, coef, shift])
        step = np.linalg.lstsq(scaled, rest, rcond=1e-11)[0]
        step /= np.where(length > 0.0, length, 1.0)[:, None]
        A, coef, shift = A + step[:K], coef + step[K:-1], shift + step[-1]
    return RidgeSpline(A, network.weights, network.biases, coef, shift - mean @ coef)


def plain_blocks(H: Array, network: RidgeSpline, *, least: float) -> list[Block]:
    """Return blocks that equal the network on the data, its linear part paid with units.

    One has all neurons of the network, the other is thinned up to affine functions first.
    """
    blocks = [as_block(H, choose_sides(H, network), least=least)]
    thin, lost = thin_units(H, neurons_of(network), keep_affine=False)
    fewer = as_network(thin)
    fewer = fewer.with_affine(fewer.coef + network.coef + lost, fewer.intercept)
    blocks.append(as_block(H, choose_sides(H, fewer), least=least))
    return blocks
