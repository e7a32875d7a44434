"""The loop of column generation by itself, and how it is ended: the same way for all neurons."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from helpers import gaussian, targets
from power_cases import problem as power_problem
from vector_helpers import gaussian_outputs

from radontv.problems import Certificate, RadonTVProblem, Scope
from radontv.problems.neuron_cost import L1Norm, NoBias
from radontv.solvers import Event, Status, proof_state, prove, solve
from radontv.solvers.column_generation import MOST_IDLE, MOST_RUNS, ColumnGeneration
from radontv.solvers.oracle import SupBound
from radontv.solvers.pricing import Candidates
from radontv.solvers.solution import Solution

RAISED = 1e-7
"""What bounds lose in the units of the data, relative: the rounding of atoms of order 4 counts."""

# --------------------------------------------------------------------------- the loop by itself


class Toy:
    """A method whose objective is 1 + 2^-k after k steps, with D(q) = 1 for |eta| <= alpha = 1.

    `seen` are the largest |eta| that searches find, ordinary and thorough ones in turn; the last
    one stays. `revealed` is |eta| of the best dual point at planes found elsewhere, `proved` are
    the bounds of proofs.
    """

    unit, constant, sup_unit, resolution, size, exact = 1.0, 0.0, 1.0, 0.0, 10, True
    alpha, d = 1.0, 2

    def __init__(self, seen: list[float], proved: list[float], steps: int = 60) -> None:
        self.seen, self.proved, self.steps = list(seen), list(proved), steps
        self.max_neurons: int | None = None
        self.revealed = 0.0
        self.core, self.k, self.q = self, 0, np.zeros(1)
        self.neurons: list[int] = []
        self.given: list[np.ndarray] = []
        self.starts: list[tuple[int, bool]] = []
        self.asked: list[str] = []

    @property
    def primal(self) -> float:
        return 1.0 + 0.5**self.k

    value = primal

    def best_scale(self, q: np.ndarray, sup: float) -> float:
        return min(1.0, 1.0 / sup)

    def dual_value(self, q: np.ndarray, sup: float) -> float:
        return min(1.0, 1.0 / sup)

    def search(self, q: np.ndarray, n_starts: int, budget: float | None) -> Candidates:
        sup = self.seen.pop(0) if len(self.seen) > 1 else self.seen[0]
        self.starts.append((n_starts, budget is None))
        return Candidates(np.array([sup]), np.ones(1), np.zeros((1, 3)), sup)

    def largest(self, q: np.ndarray, planes: np.ndarray) -> float:
        return self.revealed

    def move_on(self, sup: float, bound: float, idle: int) -> bool:
        return False

    def improve(self, found: Candidates, bound: float, gap: float) -> bool:
        self.given.append(found.values)
        if self.k >= self.steps:
            return False
        self.k, self.q = self.k + 1, self.q + 1.0
        return True

    def prove(self, best: Any, threshold: float, **options: Any) -> SupBound:
        bound = self.proved.pop(0)
        none = np.zeros((0, 2))
        return SupBound(bound, bound, np.eye(2)[0], 7.0, none, np.zeros(0), True, 5, 0.0)

    def violations(self, q: np.ndarray, proof: SupBound) -> Candidates:
        plane = np.append(proof.weight, proof.bias)[None]
        return Candidates(np.array([proof.attained]), np.ones(1), plane, proof.attained)

    def network(self) -> str:
        self.asked.append("network")
        return "network"

    def certificate(self, network: str, best: Any) -> Certificate:
        scope = Scope.LOCAL if best.proof is None else Scope.GLOBAL
        value = best.value if best.proof is None else 1.0 / max(best.proof.bound, 1.0)
        gap, sup = self.primal - value, best.sup
        part = gap / self.primal
        return Certificate(self.primal, value, gap, part, sup, sup, scope, 1.0, 1.0, 0, 0)


def run(toy: Toy, scope: str = "local", tol: float = 1e-3, **options: Any) -> Any:
    given: dict[str, Any] = {"time_limit": None, "max_rounds": 100, "callbacks": (), **options}
    start = time.perf_counter()
    loop = ColumnGeneration(toy, tol=tol, scope=Scope(scope), start=start, **given)  # type: ignore[arg-type, var-annotated]
    return loop.run(Solution)


def test_it_ends_when_a_thorough_search_confirms_the_gap() -> None:
    toy = Toy([1.0], [])
    found = run(toy)
    assert found.status is Status.SOLVED and found.n_iter == 10
    assert [thorough for _, thorough in toy.starts] == 11 * [False] + [True]
    assert [event.stage for event in found.history] == 11 * ["search"]


def test_a_missed_maximum_corrects_the_bound_and_the_effort() -> None:
    # The thorough search after ten rounds finds what ordinary ones did not.
    toy = Toy([*11 * [1.0], 2.0, 1.0], [])
    found = run(toy)
    assert found.status is Status.SOLVED
    before, after = toy.starts[0][0], toy.starts[-2][0]
    assert after == 2 * before
    assert toy.given[10] == 2.0


def test_planes_found_elsewhere_correct_the_best_bound() -> None:
    toy = Toy([1.0, 8.0], [])
    toy.revealed = 4.0
    first, second, *_ = run(toy, max_rounds=3).history
    assert (first.dual, second.dual) == (1.0, 0.25)


def test_a_failed_proof_takes_its_bound_away() -> None:
    toy = Toy([*14 * [1.0], 2.0], [3.0, 3.0])
    history = run(toy, "global", max_rounds=20).history
    at = [event.stage for event in history].index("proof")
    assert history[at - 1].dual == 1.0
    assert history[at].dual == pytest.approx(1.0 / 3.0)
    assert history[at + 1].dual == 0.5


def test_violations_of_a_failed_proof_are_the_next_columns() -> None:
    toy = Toy([1.0], [3.0, 1.0])
    found = run(toy, "global")
    assert found.status is Status.SOLVED
    assert found.certificate.scope is Scope.GLOBAL
    assert [value.item() for value in toy.given].count(3.0) == 1
    assert [event.stage for event in found.history if event.stage != "search"] == 2 * ["proof"]


def test_what_is_proved_and_violated_no_more_is_a_stall() -> None:
    toy = Toy([1.0], [1.0 + 1e-13] * 99, steps=99)
    found = run(toy, "global", tol=1e-14, max_rounds=500)
    assert found.status is Status.STALLED


def test_rounds_without_progress_end_it() -> None:
    found = run(Toy([5.0], [], steps=3))
    assert found.status is Status.STALLED
    assert found.n_iter == 3 + MOST_IDLE - 1


def test_a_full_network_that_gains_nothing_ends_it() -> None:
    toy = Toy([5.0], [9.0], steps=3)
    toy.max_neurons = 2
    found = run(toy, "global")
    assert found.status is Status.MAX_NEURONS and found.n_iter == 3
    assert found.certificate.scope is Scope.GLOBAL


class Lossy(Toy):
    """Its networks lose some of their gap on the way to original units."""

    lost: tuple[float, ...] = ()

    def certificate(self, network: str, best: Any) -> Certificate:
        made = super().certificate(network, best)
        lost = self.lost[min(len(self.asked), len(self.lost)) - 1]
        return replace(made, relative_gap=made.relative_gap + lost)


def test_what_is_lost_in_original_units_is_made_up_for() -> None:
    toy = Lossy([1.0], [])
    toy.lost = (5e-4,)
    found = run(toy)
    assert found.status is Status.SOLVED and found.certificate.relative_gap <= 1e-3
    assert len(toy.asked) == 2 and found.n_iter > 10


def test_the_best_certificate_is_kept() -> None:
    toy = Lossy([1.0], [])
    toy.lost = (2e-3, 1e-2, 1e-1)
    found = run(toy)
    assert found.status is Status.STALLED and len(toy.asked) == MOST_RUNS
    assert found.certificate.relative_gap < 3e-3


@pytest.mark.parametrize("presses", [1, 2])
def test_ctrl_c_while_the_answer_is_made(presses: int) -> None:
    class Pressed(Toy):
        def network(self) -> str:
            super().network()
            if len(self.asked) <= presses:
                raise KeyboardInterrupt
            return "network"

    toy = Pressed([3.0], [])
    if presses == 2:
        with pytest.raises(KeyboardInterrupt):
            run(toy, max_rounds=4)
    else:
        found = run(toy, max_rounds=4)
        assert found.status is Status.INTERRUPTED and found.network == "network"


# --------------------------------------------------------------------------- proofs of all kinds


def costly(cost: Any, d: int, n: int) -> RadonTVProblem:
    rng = np.random.default_rng(0)
    X = rng.standard_normal((n, d))
    return RadonTVProblem(X, targets(X, rng), 0.3 / n, cost=cost)


KINDS: dict[str, Callable[[], Any]] = {
    "scalar": lambda: gaussian(10, 60, 1.0),
    "no_bias": lambda: costly(NoBias(), 9, 60),
    "l1 by boxes": lambda: costly(L1Norm(), 8, 60),
    "l1 by vertices": lambda: costly(L1Norm(), 4, 200),
    "vector l2": lambda: gaussian_outputs(7, 60, 3),
    "vector l1": lambda: gaussian_outputs(7, 60, 3, output_norm="l1"),
    "multinomial": lambda: gaussian_outputs(7, 60, 3, loss="multinomial"),
    "order 3": lambda: power_problem(3, 0.02, n=200, d=6),
    "order 4": lambda: power_problem(4, 0.02, n=200, d=5),
}
"""Problems whose proofs take much longer than a second."""


@pytest.fixture
def often(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let proofs report every twentieth of a second."""
    monkeypatch.setattr(proof_state, "REPORT_SECONDS", 0.05)


class Ended:
    """A callback that ends the solver at a stage: with True or an interrupt, or one Ctrl-C."""

    def __init__(self, stage: str, how: str) -> None:
        self.stage, self.how = stage, how
        self.events: list[Event] = []
        self.done = False

    def __call__(self, event: Event) -> bool:
        self.events.append(event)
        if event.stage != self.stage or (self.done and self.how == "signal"):
            return False
        self.done = True
        if self.how == "interrupt":
            raise KeyboardInterrupt
        if self.how == "signal":
            # It comes a little later, in the middle of compiled code.
            threading.Timer(0.02, os.kill, [os.getpid(), signal.SIGINT]).start()
        return self.how == "true"


def ended(problem: Any, stage: str, how: str) -> tuple[Any, Ended]:
    callback = Ended(stage, how)
    solution = solve(
        problem, tol=1e-6, scope="global", time_limit=60.0, n_jobs=2, callback=callback
    )
    return solution, callback


@pytest.mark.parametrize("how", ["true", "interrupt", "signal"])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.usefixtures("often")
def test_a_proof_can_be_ended_and_its_bound_counts(kind: str, how: str) -> None:
    problem = KINDS[kind]()
    solution, callback = ended(problem, "proving", how)
    # A proof that went on would end at the time limit.
    assert solution.status is Status.INTERRUPTED
    proof = solution.certificate
    assert proof.scope is Scope.GLOBAL
    assert proof.primal == problem.objective(solution.network)
    assert proof.dual < proof.primal and proof.sup_attained <= proof.sup_bound
    *_, last = [event for event in callback.events if event.stage == "proving"]
    assert last.n_boxes > 0 and last.remaining >= 0.0
    assert callback.events[-1].stage == "proof"
    # What was said of a proof stays true.
    for event in callback.events:
        if event.scope is Scope.GLOBAL:
            assert event.dual <= proof.dual + RAISED * proof.primal


@pytest.mark.parametrize("stage", ["search", "proof"])
@pytest.mark.parametrize("kind", ["scalar", "vector l2", "order 3"])
def test_interrupts_outside_of_proofs(kind: str, stage: str) -> None:
    small = {
        "scalar": lambda: gaussian(2, 40, 0.1),
        "vector l2": lambda: gaussian_outputs(2, 40, 3),
        "order 3": lambda: power_problem(3, 0.02, d=1),
    }
    problem = small[kind]()
    solution, callback = ended(problem, stage, "interrupt")
    assert len(callback.events) == 1 + callback.events[-1].round + (stage == "proof")
    if stage == "search":
        assert solution.status is Status.INTERRUPTED
        assert solution.certificate.scope is Scope.LOCAL
    else:
        # It had met its tolerance by then.
        assert solution.status is Status.SOLVED
        assert solution.certificate.scope is Scope.GLOBAL
    assert 0.0 < solution.certificate.dual <= solution.certificate.primal


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "l1 by vertices"])
def test_a_time_limit_ends_any_proof_with_a_bound(kind: str) -> None:
    problem = KINDS[kind]()
    solution = solve(problem, tol=1e-6, scope="global", time_limit=0.3, n_jobs=2)
    assert solution.status is Status.TIME_LIMIT
    proof = solution.certificate
    assert proof.scope is Scope.GLOBAL and np.isfinite(proof.dual)
    assert proof.dual < proof.primal == problem.objective(solution.network)


@pytest.mark.parametrize("kind", ["no_bias", "l1 by boxes", "vector l1", "order 3"])
@pytest.mark.usefixtures("often")
def test_prove_tells_and_is_stopped_for_all_kinds(kind: str) -> None:
    problem = KINDS[kind]()
    network = solve(problem, tol=1e-2, time_limit=5.0).network
    seen: list[Event] = []

    def stop(event: Event) -> bool:
        seen.append(event)
        return True

    proof = prove(problem, network, callback=stop, n_jobs=2)
    assert proof.scope is Scope.GLOBAL
    assert {event.stage for event in seen} == {"proving"}
    assert seen[-1].primal == pytest.approx(proof.primal)
    assert seen[-1].dual <= proof.dual + RAISED * proof.primal
