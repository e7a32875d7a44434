"""The claims of a certificate against what a check recomputed: one sentence per contradiction."""

from __future__ import annotations

import math

import numpy as np

from ...problems import Certificate, Scope
from .kinds import Kind
from .null_space import U
from .sup import SupProof
from .values import Primal

AGREE = 1e-10
"""Relative difference up to which a claimed and a re-proved bound of sup |eta| agree."""


def check_problem(certificate: Certificate, kind: Kind, primal: Primal) -> list[str]:
    """Return how the certificate contradicts the problem and the shape of the network."""
    failures = []
    if certificate.digest != kind.problem.digest:
        failures.append(
            "it was made for another problem: the digests of X, y, weights, alpha and loss differ."
        )
    if certificate.alpha != kind.alpha:
        failures.append(f"it says alpha = {certificate.alpha!r}, the problem {kind.alpha!r}.")
    for name, claimed, (low, high) in (
        ("n_neurons", certificate.n_neurons, (primal.n_neurons, primal.n_neurons)),
        ("sparsity_bound", certificate.sparsity_bound, kind.sparsity),
    ):
        if not low <= claimed <= high:
            true = f"{low}" if low == high else f"between {low} and {high}"
            failures.append(f"it says {name} = {claimed}, but it is {true}.")
    return failures


def check_primal(certificate: Certificate, primal: Primal, resolution: float) -> list[str]:
    """Return what is wrong with primal value, gap and relative gap."""
    failures = []
    c = certificate
    near = abs(c.primal - primal.value) <= 2.0 * primal.error if primal.finite else False
    if not (near or c.primal == primal.value):
        failures.append(
            f"the objective of its network is {primal.value:.9g}, not {c.primal:.9g} as it says."
        )
    size = abs(c.primal) + abs(c.dual)
    if not c.gap >= c.primal - c.dual - (8.0 * U * size if math.isfinite(size) else 0.0):
        failures.append(
            f"the gap {c.gap:.9g} is less than primal - dual = {c.primal - c.dual:.9g}."
        )
    if not c.resolution <= resolution:
        failures.append(
            f"the resolution {c.resolution:.3g} is more than rounding produces, {resolution:.3g}."
        )
    if not c.relative_gap >= relative_to(c.gap, c.primal, c.resolution) * (1.0 - 1e-9):
        failures.append(f"the relative gap {c.relative_gap:.9g} is less than gap / |primal|.")
    return failures


def check_sup(certificate: Certificate, sup: SupProof, time_limit: float | None) -> list[str]:
    """Return what is wrong with the bound on sup |eta|, and with t."""
    failures = []
    c = certificate
    allowed = c.sup_bound * (1.0 + AGREE) + 4.0 * sup.margin
    if sup.attained > allowed:
        failures.append(
            f"|eta| = {sup.attained:.9g} is reached at w = {np.array2string(sup.weight)}, "
            f"b = {sup.bias:.9g}, above the bound {c.sup_bound:.9g}"
            + (f", which is only the value of a search ({c.scope.name})." if searched(c) else ".")
        )
    elif not sup.possible:
        failures.append(f"sup |eta| <= {c.sup_bound:.9g} was not re-proved: {sup.method}.")
    elif not sup.bound <= allowed:
        limit = "" if time_limit is None else f" within the time limit of {time_limit:g} s"
        failures.append(
            f"sup |eta| <= {c.sup_bound:.9g} was not re-proved{'' if sup.complete else limit}; "
            f"proved is {sup.bound:.9g}."
        )
    if not c.sup_attained <= c.sup_bound:
        failures.append(f"sup_attained {c.sup_attained:.9g} is above sup_bound.")
    if not abs(c.scale) * c.sup_bound <= c.alpha * (1.0 + 8.0 * U):
        failures.append(f"t = {c.scale:.9g} is too large: |t| sup_bound is above alpha.")
    return failures


def searched(certificate: Certificate) -> bool:
    """Return True if the certificate does not claim that its bound on sup |eta| is proved."""
    return certificate.scope is not Scope.GLOBAL


def relative_to(gap: float, primal: float, resolution: float) -> float:
    """Return gap / |primal|, or 0 if the gap is at most the resolution."""
    if math.isinf(primal):
        return math.inf
    return gap / max(abs(primal), np.finfo(float).tiny) if gap > resolution else 0.0
