"""Checking a certificate without trusting the program that made it."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from threadpoolctl import ThreadpoolController

from ..problems import Certificate, RadonTVProblem
from ..problems.checks import Array, as_positive, check_features
from ._verify_claims import AGREE, check_primal, check_problem, check_sup, relative_to, searched
from ._verify_rows import Rows, U
from ._verify_sup import prove_sup
from ._verify_values import dual_value, primal_value
from .parallel import count_threads

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
        F of the certificate's network on the given problem, rounding included.
    dual : float
        Lower bound of F* that was proved here, whatever the certificate says; -inf without one.
    relative_gap : float
        (primal - dual) / |primal|, rounding included; 0 below the certificate's resolution.
    sup_bound : float
        Upper bound of sup |eta| that was proved here.
    sup_attained : float
        Largest |eta| seen here.
    complete : bool
        Whether the search for larger |eta| ended by itself, and not by the time limit.
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
    problem: RadonTVProblem,
    *,
    time_limit: float | None = None,
    n_jobs: int | None = None,
) -> Verification:
    """Prove again, by other means, what a certificate says about a problem.

    Only the network, the dual point q and the numbers of the certificate are used, and none of the
    code that made it. From the definitions, on the original rows, are recomputed

    * the objective ``F = sum_i s_i (y_i - f(x_i))^2 / 2 + alpha sum_k |a_k|`` of the network;
    * the distance of q from the vectors with ``sum q_i = 0``, ``sum q_i x_i = 0``, which enters
      all bounds;
    * ``sup |eta|``, ``eta(w, b) = sum_i q_i relu(w.x_i - b)``: exactly in one dimension (a scan)
      and in two (a sweep of all angles around every point), beyond by boxes of directions, which
      are halved until ``|eta| <= sup_bound (1 + 1e-10)`` is proved on each;
    * the dual value ``D(t q) = t q.y - t^2/2 sum_i q_i^2 / s_i``, ``|t| sup |eta| <= alpha``,

    with bounds of all rounding errors. A claim that is better than what is recomputed by more than
    these errors is a failure.

    Parameters
    ----------
    certificate : Certificate
        With network and dual point, as `solve` and `prove` return it or `Certificate.load` reads
        it.
    problem : RadonTVProblem
        The problem as you state it.
    time_limit : float, default=None
        Seconds for the search in three and more dimensions. If it runs out, the certificate is not
        confirmed, and the bound reached by then is returned.
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
        For losses other than the squared one, other costs than RTV, and measurements.

    Notes
    -----
    The bound on sup |eta| is re-proved whatever the scope. If that succeeds for a certificate of
    scope LOCAL, it is worth as much as one of scope GLOBAL from then on.
    """
    start = time.perf_counter()
    deadline = math.inf if time_limit is None else start + as_positive("time_limit", time_limit)
    network, q_all = _contents(certificate, problem)
    live = problem.s > 0
    q = q_all[live]
    with ThreadpoolController().limit(limits=1, user_api="blas"):
        rows = Rows.of(problem)
        primal = primal_value(problem, rows, network, certificate.primal)
        defect = rows.defect(q)
        sup = prove_sup(
            rows,
            q,
            defect,
            certificate.sup_bound * (1.0 + AGREE),
            (primal.weights, primal.biases),
            deadline=deadline,
            n_threads=count_threads(n_jobs),
        )
    dual, _ = dual_value(rows, q, defect, problem.alpha, sup.bound)
    implied = dual_value(rows, q, defect, problem.alpha, certificate.sup_bound)
    failures = [
        *check_problem(certificate, problem, rows, primal),
        *check_primal(certificate, primal),
        *check_sup(certificate, sup, time_limit),
    ]
    if np.any(q_all[~live]):
        failures.append("dual_point is not zero on rows of weight 0, where D(q) is -infinity.")
        dual = -math.inf
    allowance = 2.0 * implied[1] + 2.0 * primal.error + 8.0 * U * abs(certificate.primal)
    # Only rounding is an excuse, not a dual point that is off the null space.
    allowance = min(allowance, EXCUSED * abs(certificate.primal) + 8.0 * primal.resolution)
    if math.isinf(defect):
        failures.append(
            "the inputs are so close to a space of lower dimension that dual_point cannot be made "
            "orthogonal to the affine functions in float64."
        )
    elif not certificate.dual <= implied[0] + allowance:
        failures.append(
            f"the dual value {certificate.dual:.9g} does not follow: it is "
            f"{certificate.dual - implied[0]:.3g} above D(t q) for its dual_point and sup_bound."
        )
    upper = primal.value + primal.error
    gap = max(upper - dual, 0.0)
    # What 64 roundings of the targets produce is below the accuracy of the values here.
    least = 0.5 * float(rows.s @ (64.0 * U * rows.y) ** 2)
    resolution = min(max(certificate.resolution, least), primal.resolution)
    return Verification(
        valid=not failures,
        failures=tuple(failures),
        notes=tuple(_notes(certificate, problem, rows)),
        primal=upper,
        dual=dual,
        relative_gap=relative_to(gap, upper, resolution),
        sup_bound=sup.bound,
        sup_attained=sup.attained,
        complete=sup.complete,
        seconds=time.perf_counter() - start,
        method=sup.method,
        weight=sup.weight,
        bias=sup.bias,
    )


def _contents(certificate: Any, problem: Any) -> tuple[Any, Array]:
    """Return network and dual point, or raise an error that says what is missing."""
    if not isinstance(certificate, Certificate):
        raise TypeError(f"certificate must be a Certificate, got {type(certificate).__name__}.")
    if not isinstance(problem, RadonTVProblem):
        raise TypeError(f"problem must be a RadonTVProblem, got {type(problem).__name__}.")
    if problem.loss.name != "squared":
        raise NotImplementedError(f"verify knows the squared loss, not {problem.loss.name!r}.")
    if problem.cost.name != "free_bias" or problem.measurements is not None:
        raise NotImplementedError(
            "verify knows samples and cost='free_bias', not measurements or other costs."
        )
    network, q = certificate.network, certificate.dual_point
    if network is None or q is None:
        raise ValueError(
            "the certificate has no network or no dual point, so there is nothing to check; take "
            "it from solve, prove or Certificate.load (certificate.json holds the numbers only)."
        )
    check_features(problem, network, "the certificate's network")
    if q.shape != (problem.n_samples,):
        raise ValueError(
            f"the certificate's dual_point has shape {q.shape}, but the problem has "
            f"{problem.n_samples} samples."
        )
    if not np.isfinite(q).all():
        raise ValueError("the certificate's dual_point is not finite.")
    return network, q


def _notes(certificate: Certificate, problem: RadonTVProblem, rows: Rows) -> list[str]:
    """Return what limits the meaning of the result."""
    notes = []
    if searched(certificate):
        notes.append(
            f"the scope is {certificate.scope.name}: the certificate's own bound on sup |eta| is "
            f"{certificate.scope.meaning}; all that counts is whether it was re-proved here."
        )
    spread = np.abs(rows.X).max(axis=0)
    if rows.rank < int((spread > 0.0).sum()):
        notes.append(
            f"the rows span {rows.rank} of {problem.n_features} dimensions up to rounding; the "
            "proof is for that hull, as all of radontv is."
        )
    return notes
