"""One problem of one output for each class against all others, seen as one problem."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .problems import Certificate, RadonTVProblem, RidgeSpline, Scope
from .problems.losses import Loss
from .solvers.proof import search_sup

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class OneVsRest:
    """Minimise F(f) = sum_c F_c(f_c), F_c(f) = sum_i s_i l(y_ic, f(x_i)) + alpha RTV(f).

    y_ic is 1 where row i has class c and -1 elsewhere. The problems share nothing but inputs,
    weights and alpha; a network of C outputs holds their networks side by side.

    Parameters
    ----------
    problems : tuple of RadonTVProblem
        At least two.
    """

    problems: tuple[RadonTVProblem, ...]

    @classmethod
    def of(
        cls, X: Array, codes: Array, n_classes: int, loss: str, sample_weight: Array
    ) -> OneVsRest:
        """Return the problems of class codes (n,) 0, 1, ..., with alpha = 1."""
        parts = [
            RadonTVProblem(
                X,
                np.where(codes == c, 1.0, -1.0),
                1.0,
                loss=loss,  # type: ignore[arg-type]
                sample_weight=sample_weight,
            )
            for c in range(n_classes)
        ]
        return cls(tuple(parts))

    @property
    def X(self) -> Array:
        """Inputs (n, d)."""
        return self.problems[0].X

    @property
    def s(self) -> Array:
        """Weights (n,) of sum 1."""
        return self.problems[0].s

    @property
    def alpha(self) -> float:
        """Price of RTV."""
        return self.problems[0].alpha

    @property
    def loss(self) -> Loss:
        """Loss of each class."""
        return self.problems[0].loss

    @property
    def n_outputs(self) -> int:
        """Number C of classes."""
        return len(self.problems)

    def with_alpha(self, alpha: float) -> OneVsRest:
        """Return the problem with another penalty."""
        return OneVsRest(tuple(part.with_alpha(alpha) for part in self.problems))

    def alpha_max(self) -> float:
        """Return an alpha from which on all networks are affine; the least one, without kinks."""
        return max(affine_from(part) for part in self.problems)

    def affine_fit(self) -> RidgeSpline:
        """Return the best affine functions."""
        return stacked([part.affine_fit() for part in self.problems])

    def objective(self, network: RidgeSpline) -> float:
        """Return sum_c F_c(f_c)."""
        parts = zip(self.problems, split(network), strict=True)
        return math.fsum(part.objective(own) for part, own in parts)

    def resolution(self, network: RidgeSpline) -> float:
        """Return the objective that rounding alone produces."""
        parts = zip(self.problems, split(network), strict=True)
        return math.fsum(part.resolution(own) for part, own in parts)


def affine_from(problem: RadonTVProblem) -> float:
    """Return alpha_max, or for a loss with kinks the bound above it that one dual point gives.

    The least bound over all dual points is a linear program for each round of a search, which can
    take longer than a fit.
    """
    return problem.alpha_max() if problem.loss.smooth else problem.alpha_max(search_sup)


def stacked(networks: Sequence[RidgeSpline]) -> RidgeSpline:
    """Return x -> (f_1(x), ..., f_C(x)) for networks of one output."""
    amplitudes = np.zeros((sum(f.n_neurons for f in networks), len(networks)))
    start = 0
    for c, f in enumerate(networks):
        amplitudes[start : start + f.n_neurons, c] = f.amplitudes
        start += f.n_neurons
    return RidgeSpline(
        amplitudes,
        np.concatenate([f.weights for f in networks]),
        np.concatenate([f.biases for f in networks]),
        np.column_stack([f.coef for f in networks]),
        np.array([f.intercept for f in networks]),
    )


def split(network: RidgeSpline) -> list[RidgeSpline]:
    """Return the outputs of a network, each with the neurons that it uses."""
    parts = []
    for c in range(network.n_outputs):
        own = network.amplitudes[:, c] != 0.0
        parts.append(
            RidgeSpline(
                network.amplitudes[own, c],
                network.weights[own],
                network.biases[own],
                network.coef[:, c],
                float(network.intercept[c]),
            )
        )
    return parts


def joined(parts: Sequence[Certificate], network: RidgeSpline) -> Certificate:
    """Return the certificate of sum_c F_c: values, bounds and gaps add up, rounding included.

    It is GLOBAL only if all parts are. `sup_bound` and `sup_attained` are the largest of the
    parts, `scale` the smallest; it has no dual point, and each part has its own.
    """
    primal = math.fsum(part.primal for part in parts)
    unit = float(np.finfo(np.float64).eps)
    rounding = 2.0 * len(parts) * unit * sum(abs(p.primal) for p in parts)
    resolution = math.fsum(part.resolution for part in parts) + rounding
    gap = math.fsum(part.gap for part in parts) + rounding
    return Certificate(
        primal=primal,
        dual=primal - gap,
        gap=gap,
        relative_gap=0.0 if gap <= resolution else gap / max(abs(primal), np.finfo(float).tiny),
        sup_bound=max(part.sup_bound for part in parts),
        sup_attained=max(part.sup_attained for part in parts),
        scope=Scope.GLOBAL if all(p.scope is Scope.GLOBAL for p in parts) else Scope.LOCAL,
        alpha=parts[0].alpha,
        scale=min(part.scale for part in parts),
        n_neurons=sum(part.n_neurons for part in parts),
        sparsity_bound=sum(part.sparsity_bound for part in parts),
        resolution=resolution,
        network=network,
    )
