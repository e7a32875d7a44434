"""Checking a certificate without trusting the program that made it."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from threadpoolctl import ThreadpoolController

from ..problems import Certificate, HigherOrderProblem, MultiOutputProblem, RadonTVProblem
from ..problems.checks import Array, as_positive
from .parallel import count_threads
from .verification.choice import kind_of
from .verification.claims import (
    AGREE,
    check_primal,
    check_problem,
    check_sup,
    relative_to,
    searched,
)
from .verification.kinds import Kind, Seen
from .verification.losses import slack_of
from .verification.null_space import U
from .verification.sup import Search, SupProof
from .verification.values import LARGEST_SCALE, DualPoint, Primal

EXCUSED = 1e-9
"""Relative size up to which rounding may explain that a claim is not met exactly."""


@dataclass(frozen=True)
class Verification:
    """What a check of a certificate found.

    Attributes
    ----------
    valid : bool
        Whether every claim of the certificate was confirmed.
    failures : tuple of str
        What was not, one sentence each; empty if `valid`.
    notes : tuple of str
        What to know besides, such as the scope that the certificate claims for itself.
    primal : float
        F of the certificate's network on the given problem, rounding included; infinite if it does
        not meet the constraints.
    dual : float
        Lower bound of F* that was proved here, whatever the certificate says; where sup |eta| could
        not be bounded that of q = 0, sum_i s_i inf l(y_i, .).
    relative_gap : float
        (primal - dual) / |primal|, rounding included; 0 below the certificate's resolution.
    sup_bound : float
        Upper bound of sup |eta|, relative to the price of a neuron, that was proved here; infinite
        without one.
    sup_attained : float
        Largest |eta| seen here, relative to the price.
    complete : bool
        Whether sup |eta| was bounded, and the search ended by itself and not by the time limit.
    seconds : float
        Wall-clock time.
    method : str
        How sup |eta| was bounded.
    weight, bias : ndarray of shape (n_features,), float
        Where `sup_attained` is.
    """

    valid: bool
    failures: tuple[str, ...]
    notes: tuple[str, ...]
    primal: float
    dual: float
    relative_gap: float
    sup_bound: float
    sup_attained: float
    complete: bool
    seconds: float
    method: str
    weight: Array = field(repr=False, compare=False)
    bias: float = field(repr=False, compare=False)

    def __str__(self) -> str:
        verdict = "valid" if self.valid else "NOT VALID"
        lines = [
            f"{verdict}: objective {self.primal:.9g}, optimum >= {self.dual:.9g} re-proved, "
            f"relative gap {self.relative_gap:.2e} ({self.method}, {self.seconds:.2f} s)"
        ]
        lines += [f"- {text}" for text in self.failures]
        lines += [f"  note: {text}" for text in self.notes]
        return "\n".join(lines)


def verify(
    certificate: Certificate,
    problem: RadonTVProblem | MultiOutputProblem | HigherOrderProblem,
    *,
    time_limit: float | None = None,
    n_jobs: int | None = None,
) -> Verification:
    """Prove again, by other means, what a certificate says about a problem.

    Only the network, the dual point q and the numbers of the certificate are used, and none of the
    code that made it. From the definitions, on the original rows, are recomputed

    * the objective ``F = sum_i s_i l(y_i, f(x_i)) + alpha sum_k |a_k| kappa(w_k, b_k)``;
    * the distance of q from the vectors that are orthogonal to the free functions and, divided by
      s, in the domain of the conjugate, which enters all bounds;
    * ``sup |eta| / kappa``, ``eta(w, b) = sum_i q_i relu(w.x_i - b)``: exactly in one dimension (a
      scan) and in two (a sweep of all angles around every point), beyond, and for neurons through
      the origin and ``|w|_1``, by boxes of directions, which are halved until
      ``|eta| <= sup_bound (1 + 1e-10)`` is proved on each;
    * the dual value ``D(t q) = -sum_i s_i l*(y_i, -t q_i / s_i)``, ``|t| sup |eta| <= alpha``,

    with bounds of all rounding errors. A claim that is better than what is recomputed by more than
    these errors is a failure.

    Parameters
    ----------
    certificate : Certificate
        With network and dual point, as `solve` and `prove` return it or `Certificate.load` reads
        it.
    problem : RadonTVProblem, MultiOutputProblem or HigherOrderProblem
        The problem as you state it.
    time_limit : float, default=None
        Seconds for the search by boxes. If it runs out, the certificate is not confirmed, and the
        bound reached by then is returned.
    n_jobs : int, default=None
        Threads; None uses all.

    Returns
    -------
    Verification
        Its `dual` and `sup_bound` are proved, whether or not the certificate is valid.

    Raises
    ------
    ValueError
        If the certificate has no network or dual point, or they are for data of another shape.
    NotImplementedError
        For losses and costs that are not of this package.

    Notes
    -----
    The bound on sup |eta| is re-proved whatever the scope. If that succeeds for a certificate of
    scope LOCAL, it is worth as much as one of scope GLOBAL from then on.

    There are two kinds of problems whose sup |eta| cannot be bounded here: several outputs that
    share neurons (``output_norm="l2"``) in three and more dimensions, and orders 3 and 4 in two and
    more. Their certificates are never confirmed: `failures` says so, next to what else is wrong
    with objective, dual value and the values of |eta| at the neurons.
    """
    start = time.perf_counter()
    deadline = math.inf if time_limit is None else start + as_positive("time_limit", time_limit)
    if not isinstance(certificate, Certificate):
        raise TypeError(f"certificate must be a Certificate, got {type(certificate).__name__}.")
    kind = kind_of(problem)
    network, q_all = _contents(certificate, kind)
    q = q_all[kind.live]
    with ThreadpoolController().limit(limits=1, user_api="blas"):
        primal = kind.primal(network, certificate.primal)
        dual = kind.dual_point(q)
        seen = kind.seen(q, primal)
        claimed = certificate.sup_bound * (1.0 + 0.5 * AGREE)
        sup = kind.sup(dual, Search(claimed, seen[0], deadline, count_threads(n_jobs)))
        sup = _with_seen(sup, seen, kind)
        bound, _ = dual.value(_limit(kind, sup.bound))
        implied = dual.value(_limit(kind, certificate.sup_bound))
    resolution = _resolution(kind, primal, dual, certificate.sup_bound)
    failures = [
        *check_problem(certificate, kind, primal),
        *check_primal(certificate, primal, resolution),
        *check_sup(certificate, sup, time_limit),
    ]
    if np.any(q_all[~kind.live]):
        failures.append("dual_point is not zero on rows of weight 0, where D(q) is -infinity.")
        bound = -math.inf
    spared = float(np.abs(dual.q) @ primal.missed.ravel())
    spared *= min(_limit(kind, certificate.sup_bound), LARGEST_SCALE)
    failures += _check_dual(certificate, primal, dual, implied, spared)
    upper = primal.value + primal.error
    gap = max(upper - bound, 0.0)
    # What 64 roundings of the targets produce is below the accuracy of the values here.
    least = kind.loss.rounding(kind.s, 64.0 * U * np.abs(kind.y)) if kind.loss.translates else 0.0
    return Verification(
        valid=not failures,
        failures=tuple(failures),
        notes=tuple(_notes(certificate, kind, spared)),
        primal=upper,
        dual=bound,
        relative_gap=relative_to(gap, upper, max(min(certificate.resolution, resolution), least)),
        sup_bound=sup.bound,
        sup_attained=sup.attained,
        complete=sup.complete,
        seconds=time.perf_counter() - start,
        method=sup.method,
        weight=sup.weight,
        bias=sup.bias,
    )


def _contents(certificate: Certificate, kind: Kind) -> tuple[Any, Array]:
    """Return network and dual point, or raise an error that says what is missing."""
    network: Any = certificate.network
    q = certificate.dual_point
    if network is None or q is None:
        raise ValueError(
            "the certificate has no network or no dual point, so there is nothing to check; take "
            "it from solve, prove or Certificate.load (certificate.json holds the numbers only)."
        )
    kind.check_network(network)
    if q.shape != kind.dual_shape:
        raise ValueError(
            f"the certificate's dual_point has shape {q.shape}, but the problem needs "
            f"{kind.dual_shape}."
        )
    if not np.isfinite(q).all():
        raise ValueError("the certificate's dual_point is not finite.")
    return network, q


def _limit(kind: Kind, sup: float) -> float:
    """Return the largest |t| with |t| sup |eta| <= alpha, a little less for its rounding."""
    if math.isnan(sup):
        return 0.0
    return kind.alpha / sup * (1.0 - 4.0 * U) if sup > 0.0 else math.inf


def _with_seen(sup: SupProof | None, seen: Seen, kind: Kind) -> SupProof:
    """Return the proof with the larger of the values that it and the neurons reach."""
    if sup is None:
        return SupProof(math.inf, *seen, 0.0, False, kind.unbounded, possible=False)
    if seen[0] <= sup.attained:
        return sup
    bound = max(sup.bound, seen[0] - sup.margin)
    return replace(sup, bound=bound, attained=seen[0], weight=seen[1], bias=seen[2])


def _resolution(kind: Kind, primal: Primal, dual: DualPoint, sup_bound: float) -> float:
    """Return how much of a gap rounding may produce.

    Under constraints that is what rounding the targets moves D(t q) = t q.y - ... by.
    """
    if not kind.loss.constrains:
        return primal.resolution
    scale = min(_limit(kind, sup_bound), LARGEST_SCALE)
    return 17.0 * U * float(np.abs(kind.y).max()) * scale * float(np.abs(dual.q).sum())


def _check_dual(
    certificate: Certificate,
    primal: Primal,
    dual: DualPoint,
    implied: tuple[float, float],
    spared: float,
) -> list[str]:
    """Return whether the claimed dual value does not follow from dual point and bound.

    `spared` is what the dual value gains if constraints may be missed as the network does.
    """
    if not np.isfinite(dual.reach).all():
        return [
            "the inputs are so close to a space of lower dimension that dual_point cannot be made "
            "orthogonal to the free functions in float64."
        ]
    size = abs(certificate.primal) if primal.finite else abs(implied[0])
    error = primal.error if primal.finite else 0.0
    allowance = 2.0 * implied[1] + 2.0 * error + 8.0 * U * size + spared
    # Only rounding is an excuse, not a dual point that is off the null space.
    allowance = min(allowance, EXCUSED * size + 8.0 * primal.resolution)
    if certificate.dual <= implied[0] + allowance:
        return []
    return [
        f"the dual value {certificate.dual:.9g} does not follow: it is "
        f"{certificate.dual - implied[0]:.3g} above D(t q) for its dual_point and sup_bound."
    ]


def _notes(certificate: Certificate, kind: Kind, spared: float) -> list[str]:
    """Return what limits the meaning of the result."""
    notes = []
    if searched(certificate):
        notes.append(
            f"the scope is {certificate.scope.name}: the certificate's own bound on sup |eta| is "
            f"{certificate.scope.meaning}; all that counts is whether it was re-proved here."
        )
    rows = kind.plain_rows
    if rows.rank < int((np.abs(rows.X).max(axis=0) > 0.0).sum()):
        notes.append(
            f"the rows span {rows.rank} of {rows.X.shape[1]} dimensions up to rounding; the "
            "proof is for that hull, as all of radontv is."
        )
    if kind.loss.constrains:
        notes.append(
            f"a constraint counts as met if it is missed by at most "
            f"{np.max(slack_of(kind.y)):.3g}; with "
            f"constraints met exactly, up to {spared:.1e} of the certificate's dual value may be "
            "owed to that. What was proved here is for constraints met exactly."
        )
    return notes
