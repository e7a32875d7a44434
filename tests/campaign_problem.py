"""One problem of the soundness campaign: all oracles and certificates against each other."""

from __future__ import annotations

import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

import numpy as np
from brute_force import Array, best_biases, exceeds, value
from campaign_checks import Planes, contradictions, disagreements, refuted_certificates
from campaign_kinds import KINDS, make_problem, random_network

from radontv.problems import Certificate, RadonTVProblem
from radontv.solvers import prove, solve
from radontv.solvers.branch_and_bound import branch_and_bound
from radontv.solvers.core import Core, Neurons
from radontv.solvers.oracle import SupBound, rounding_margin
from radontv.solvers.pricing import Pricing
from radontv.solvers.proof import bound_sup
from radontv.solvers.sweep import sup_eta_1d, sup_eta_2d
from radontv.solvers.sweep_3d import sup_eta_3d

Found = TypeVar("Found")

LIMIT, BUDGET, LEAST = 2.0, 2.0, 0.05
"""Seconds of one proof, of all proofs on one problem, and of each when these are used up."""
FEW = 9
"""Points up to which all planes are enumerated."""
STARTS, DIRECTIONS = 128, 300
ORACLES = ("bound_sup", "1-D", "2-D", "3-D", "b&b sup", "b&b proof", "b&b stop", "b&b early")
NAMES = (*ORACLES, "prove", "global")


@dataclass
class Report:
    """What was checked and found on one problem; counts are by name of oracle."""

    kind: str
    seed: int
    d: int = 0
    checked: Counter[str] = field(default_factory=Counter)
    incomplete: Counter[str] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)
    budget: float = BUDGET

    def prove(self, proof: Callable[..., Found], *args: Any, **options: Any) -> Found:
        """Return proof(...) with a time limit that keeps the problem within its budget."""
        start = time.monotonic()
        found = proof(*args, time_limit=max(min(LIMIT, self.budget), LEAST), **options)
        self.budget -= time.monotonic() - start
        return found


def lifted(result: SupBound, d: int) -> SupBound:
    """Return the result for data that had been padded with zero columns."""
    witnesses = result.witnesses_weights[:, :d]
    return replace(result, weight=result.weight[:d], witnesses_weights=witnesses)


def run_oracles(
    report: Report, core: Core, q: Array, top: float, rng: np.random.Generator
) -> Iterator[tuple[str, SupBound, float | None]]:
    """Yield (name, result, threshold) of all oracles; threshold None if sup |eta| was asked for.

    `top` is the largest |eta| that is known. Oracles of more dimensions see zero columns.
    """
    X, d = core.X, core.d
    goal = max(core.alpha, top) * (1.0 + 1e-6)
    found = report.prove(bound_sup, core, q, goal, stop_at_violation=False)
    yield "bound_sup", found, None if d <= 2 else goal
    padded = {m: np.hstack([X, np.zeros((core.n, m - d))]) for m in (1, 2, 3) if 0 < d <= m}
    if 1 in padded:
        yield "1-D", sup_eta_1d(padded[1], q, threshold=0.5 * top), None
    if 2 in padded:
        yield "2-D", lifted(sup_eta_2d(padded[2], q, threshold=0.5 * top), d), None
    if 3 in padded:
        yield "3-D", lifted(sup_eta_3d(padded[3], q, threshold=0.5 * top), d), None
    if d >= 2:
        # Boxes of a search for a sup at the level of rounding would never end.
        least = 100.0 * rounding_margin(X, q)
        start = max(0.5 * top, least)
        found = report.prove(branch_and_bound, X, q, start, stop_at_violation=False)
        yield "b&b sup", found, None if top > least else least
        best = max(top, found.attained, least) * (1.0 + 1e-6)
        yield "b&b proof", report.prove(branch_and_bound, X, q, best), best
        below = max(float(rng.uniform(0.5, 1.0)) * top, least)
        yield "b&b stop", report.prove(branch_and_bound, X, q, below), below
        few = int(10.0 ** rng.uniform(0.0, 3.0))
        yield "b&b early", report.prove(branch_and_bound, X, q, best, max_boxes=few), best


def search(core: Core, q: Array, rng: np.random.Generator) -> Planes:
    """Return the best planes of local searches, random directions, and complete enumeration."""
    planes = Planes(core.X, q)
    if core.d:
        starts = Pricing(core, n_jobs=1, random_state=int(rng.integers(1 << 30)))
        found = starts.search(q, Neurons.none(core.d), STARTS).planes
        planes.add(found[:, :-1], found[:, -1])
        w = rng.standard_normal((DIRECTIONS, core.d))
        w[::2] /= np.maximum(core.X.std(axis=0), 1e-12)
        w /= np.linalg.norm(w, axis=1, keepdims=True)
        planes.add(w, best_biases(core.X, q, w)[0])
        if core.n <= FEW:
            planes.add_brute_force()
    return planes


def check_dual(report: Report, core: Core, q: Array, rng: np.random.Generator) -> Planes:
    """Check all oracles at one dual point; return the best planes."""
    planes = search(core, q, rng)
    results = list(run_oracles(report, core, q, planes.top, rng))
    for _, result, _ in results:
        if core.d:
            planes.add_bound(result)
    for name, result, threshold in results:
        report.checked[name] += 1
        stopped = threshold is not None and result.attained > threshold
        report.incomplete[name] += not (result.complete or stopped or name == "b&b early")
        report.failures += contradictions(name, planes, result)
        report.failures += disagreements(name, planes, result, threshold=threshold)
    return planes


def check_raised(problem: RadonTVProblem, proof: Certificate, q: Array, planes: Planes) -> str:
    """Return what contradicts a certificate's bound on the original rows, if anything."""
    q = problem.project(q)
    for _, w, b in planes.found:
        weights, biases = problem.reduction.raise_hyperplanes(w[None], np.array([b]))
        reached = value(problem.X, q, weights[0], float(biases[0]))
        near = reached > proof.sup_bound * (1.0 - 1e-6)
        if near and exceeds(problem.X, q, weights[0], float(biases[0]), proof.sup_bound):
            return f"prove: sup_bound {proof.sup_bound!r} < |eta| = {reached!r}"
    return ""


def check_problem(report: Report, problem: RadonTVProblem, rng: np.random.Generator) -> None:
    """Check the oracles at the dual points of networks and at a random one, and certificates."""
    core, reduction = Core.of(problem), problem.reduction
    report.d = core.d
    tol = float(10.0 ** -rng.uniform(0.5, 4.0))
    loose = solve(problem, tol=tol, max_rounds=50, n_jobs=1).network
    tight = solve(problem, tol=1e-9, max_rounds=50, n_jobs=1, warm_start=loose).network
    networks = [loose, tight, random_network(problem, rng)]
    rivals = [*networks, problem.affine_fit()]
    values = rng.standard_normal(core.n) * (rng.random(core.n) < rng.choice([0.4, 1.0]))
    check_dual(report, core, core.s * core.without_affine(values), rng)
    for network in networks:
        q = problem.dual_point(network)
        proof = report.prove(prove, problem, network, tol=1e-6, n_jobs=1)
        report.checked["prove"] += 1
        report.failures += refuted_certificates("prove", problem, proof, rivals)
        if network is not networks[-1]:
            planes = check_dual(report, core, reduction.reduce_dual(q), rng)
            report.failures += filter(None, [check_raised(problem, proof, q, planes)])
    if rng.random() < 0.2:
        solution = report.prove(solve, problem, scope="global", tol=1e-5, n_jobs=1)
        report.checked["global"] += 1
        report.incomplete["global"] += not solution.status.solved
        report.failures += refuted_certificates("global", problem, solution.certificate, rivals)


def examine(kind: str, seed: int, budget: float = BUDGET) -> Report:
    """Return what is found on the problem of a kind and seed; an exception is a failure too."""
    report = Report(kind, seed, budget=budget)
    try:
        rng = np.random.default_rng([KINDS.index(kind), seed, 1])
        check_problem(report, make_problem(kind, seed), rng)
    except Exception:
        report.failures.append(traceback.format_exc())
    return report
