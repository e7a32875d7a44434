"""`solve` against closed forms, an independent reference, another master, and invariances."""

from __future__ import annotations

import pickle
import signal
import subprocess
import sys
import textwrap
import threading
from pathlib import Path

import numpy as np
import pytest
from helpers import (
    AGREE,
    IDENTITY,
    ROUNDING,
    TIGHT,
    assert_certifies,
    assert_solved,
    gaussian,
    monotone_history,
    random_network,
    tied,
)

from radontv.problems import Certificate, RadonTVProblem, RidgeSpline, Scope
from radontv.solvers import Event, Status, path, prove, solve
from radontv.solvers.reference import all_patterns, solve_all_patterns

ROOT = Path(__file__).resolve().parents[1]
SQRT2 = np.sqrt(2.0)

# --------------------------------------------------------------------------- closed forms


@pytest.mark.parametrize("d", [1, 2, 4])
def test_above_alpha_max_the_optimum_is_the_least_squares_fit(d: int) -> None:
    problem = gaussian(d, 30, 1.0)
    problem = problem.with_alpha(problem.alpha_max() * (1 + 1e-9))
    solution = solve(problem)
    A = np.column_stack([np.ones(30), problem.X])
    theta = np.linalg.lstsq(A, problem.y, rcond=None)[0]
    assert solution.network.n_neurons == 0
    assert_solved(problem, solution, 1e-6)
    np.testing.assert_allclose(solution.network.coef, theta[1:], rtol=IDENTITY)
    assert solution.network.intercept == pytest.approx(theta[0], rel=IDENTITY)


@pytest.mark.parametrize(("d", "share"), [(1, 0.5), (2, 0.3), (2, 0.9), (3, 0.5), (4, 0.05)])
def test_d_plus_2_points(d: int, share: float) -> None:
    """The dual is one-dimensional: q = tau q^, q^ spanning the null space of [1 X]^T."""
    rng = np.random.default_rng(d)
    X, y = rng.standard_normal((d + 2, d)), rng.standard_normal(d + 2)
    s = 1.0 / (d + 2)
    null = np.linalg.svd(np.column_stack([np.ones(d + 2), X]).T)[2][-1]
    kappa, square = abs(null @ y), null @ null / s
    # Some maximal hyperplane splits the points so that eta is linear in its cell: all patterns.
    top = 0.0
    for bits in range(1, 2 ** (d + 2) - 1):
        inside = np.array([bits >> i & 1 for i in range(d + 2)], dtype=bool)
        # sup over w of sum_inside q_i (w.x_i - b) is |g|, which no realisable neuron exceeds, as
        # relu only selects the best subset; sum q_i over the pattern is 0 only with anchors.
        for j in range(d + 2):
            g = null[inside] @ (X[inside] - X[j])
            size = np.linalg.norm(g)
            if size > 0:
                w = g / size
                top = max(top, abs(null @ np.maximum(X @ w - X[j] @ w, 0.0)))
    problem = RadonTVProblem(X, y, 1.0)
    alpha_max = problem.alpha_max()
    sup = alpha_max * square / kappa  # alpha_max = U1 |kappa| / Q
    assert sup >= top * (1 - IDENTITY)
    alpha = share * alpha_max
    tau = min(kappa / square, alpha / sup)
    value = tau * kappa - 0.5 * tau**2 * square
    rtv = max(kappa - square * alpha / sup, 0.0) / sup
    solution = solve(problem.with_alpha(alpha), tol=TIGHT, scope="global", time_limit=300.0)
    assert_solved(problem.with_alpha(alpha), solution, TIGHT)
    assert solution.certificate.primal == pytest.approx(value, rel=1e-8)
    assert solution.network.rtv == pytest.approx(rtv, rel=1e-4)
    assert solution.network.n_neurons == 1


@pytest.mark.parametrize("alpha", [0.01, 0.1, 0.3])
def test_xor(alpha: float) -> None:
    X = np.array([[1.0, 1.0], [1.0, -1.0], [-1.0, 1.0], [-1.0, -1.0]])
    problem = RadonTVProblem(X, X[:, 0] * X[:, 1], alpha)
    assert problem.alpha_max() == pytest.approx(1 / (2 * SQRT2), rel=IDENTITY)
    solution = solve(problem, tol=TIGHT, scope="global")
    assert_solved(problem, solution, TIGHT)
    assert solution.certificate.primal == pytest.approx(
        2 * SQRT2 * alpha - 4 * alpha**2, rel=IDENTITY
    )
    assert solution.network.n_neurons == 1


@pytest.mark.parametrize("alpha", [0.001, 0.05, 0.11, 0.2])
def test_three_points_on_a_line(alpha: float) -> None:
    problem = RadonTVProblem([[0.0], [1.0], [2.0]], [0.0, 1.0, 0.0], alpha)
    assert problem.alpha_max() == pytest.approx(1 / 9, rel=IDENTITY)
    solution = solve(problem, tol=TIGHT, scope="global")
    assert_solved(problem, solution, TIGHT)
    value = 2 * alpha - 9 * alpha**2 if alpha < 1 / 9 else 1 / 9
    assert solution.certificate.primal == pytest.approx(value, rel=IDENTITY)
    assert solution.network.rtv == pytest.approx(max(2 - 18 * alpha, 0.0), abs=IDENTITY)
    if alpha < 1 / 9:
        np.testing.assert_allclose(np.abs(solution.network.biases), [1.0], rtol=IDENTITY)


def test_small_alpha_in_one_dimension_connects_the_dots() -> None:
    # As alpha -> 0, RTV tends to the total variation of the slopes of the interpolant.
    x = np.array([0.0, 1.0, 1.5, 3.0, 4.0])
    y = np.array([0.0, 1.0, -1.0, 2.0, 2.0])
    slopes = np.diff(y) / np.diff(x)
    solution = solve(RadonTVProblem(x[:, None], y, 1e-7), tol=TIGHT, scope="global")
    assert solution.network.rtv == pytest.approx(np.abs(np.diff(slopes)).sum(), rel=1e-4)


# --------------------------------------------------------------------------- references


def tiny_problems() -> dict[str, RadonTVProblem]:
    problems = {}
    for seed in range(3):
        problems[f"line {seed}"] = gaussian(1, 6 + seed % 3, 0.2, seed)
        problems[f"plane {seed}"] = gaussian(2, 6 + seed % 3, 0.1 * 10.0 ** (-seed), seed)
    for kind in ("grid", "duplicates", "binary", "collinear"):
        problems[kind] = tied(kind, 8, 2, 0.1, 5)
        problems[f"{kind} weighted"] = tied(
            kind, 8, 2, 0.1, 6, sample_weight=np.array([0, 1, 2, 3, 1, 1, 5, 0.5])
        )
    problems["grid line"] = tied("grid", 9, 1, 0.2, 1)
    problems["flat"] = tied("flat", 8, 3, 0.1, 2)
    problems["square"] = RadonTVProblem(
        [[i, j] for i in range(3) for j in range(3) if (i, j) != (1, 1)],
        [0.0, 1.0, 0.0, 2.0, -1.0, 0.0, 1.0, 3.0],
        0.01,
    )
    return problems


TINY = tiny_problems()


@pytest.mark.parametrize("name", TINY)
def test_agreement_with_the_program_over_all_patterns(name: str) -> None:
    problem = TINY[name]
    value, network = solve_all_patterns(problem)
    assert problem.objective(network) == pytest.approx(value, rel=IDENTITY)
    solution = solve(problem, tol=TIGHT, scope="global")
    assert_solved(problem, solution, TIGHT)
    assert solution.certificate.primal == pytest.approx(value, rel=AGREE)
    assert solution.certificate.dual <= value * (1 + ROUNDING)
    # The fitted values are unique; F - F* bounds half their squared distance.
    distance = problem.s @ (solution.network(problem.X) - network(problem.X)) ** 2
    assert distance <= 8 * AGREE * value + ROUNDING
    assert prove(problem, network).relative_gap <= 1e-6


def test_pattern_counts_are_those_of_general_position() -> None:
    # Modulo complement and without the empty one: C(n-1, 1) + ... + C(n-1, d).
    rng = np.random.default_rng(0)
    assert len(all_patterns(rng.standard_normal((7, 1)))) == 6
    assert len(all_patterns(rng.standard_normal((7, 2)))) == 6 + 15
    assert len(all_patterns(np.arange(12.0).reshape(6, 2))) == 5


def test_patterns_of_a_square_are_all_but_xor() -> None:
    found = all_patterns(np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0], [1.0, 1.0]]))
    assert {tuple(row) for row in found} == {
        (1, *rest)
        for rest in np.ndindex(2, 2, 2)
        for rest in [tuple(2 * v - 1 for v in rest)]
        if rest not in {(1, 1, 1), (-1, -1, 1)}
    }


def test_the_reference_refuses_larger_problems() -> None:
    with pytest.raises(ValueError, match="problem has 9 distinct inputs that span 2 dimensions"):
        solve_all_patterns(gaussian(2, 9, 1.0))
    with pytest.raises(ValueError, match="that span 3 dimensions"):
        solve_all_patterns(gaussian(3, 6, 1.0))


MASTERS = {
    "d=1": gaussian(1, 30, 0.3),
    "d=2": gaussian(2, 40, 0.3),
    "d=3": gaussian(3, 50, 0.5),
    "d=5": gaussian(5, 40, 0.5),
    "grid": tied("grid", 40, 2, 0.2),
    "binary": tied("binary", 40, 3, 0.3),
    "flat": tied("flat", 30, 3, 0.2),
    "duplicates": tied("duplicates", 40, 3, 0.2),
}


@pytest.mark.parametrize("name", MASTERS)
def test_both_masters_reach_the_same_optimum(name: str) -> None:
    problem = MASTERS[name]
    newton, clarabel = (solve(problem, tol=TIGHT, master=m) for m in ("newton", "clarabel"))
    assert_solved(problem, newton, TIGHT)
    assert_solved(problem, clarabel, TIGHT)
    assert newton.certificate.primal == pytest.approx(clarabel.certificate.primal, rel=AGREE)
    distance = np.sqrt(problem.s @ (newton.network(problem.X) - clarabel.network(problem.X)) ** 2)
    gaps = newton.certificate.gap + clarabel.certificate.gap
    assert distance <= 2 * np.sqrt(2 * gaps) + ROUNDING


def test_a_missing_conic_solver_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "clarabel", None)
    monkeypatch.delitem(sys.modules, "radontv.solvers.clarabel_master", raising=False)
    with pytest.raises(ImportError, match=r"pip install 'radontv\[reference\]'"):
        solve(MASTERS["d=2"], master="clarabel")
    monkeypatch.setitem(sys.modules, "cvxpy", None)
    with pytest.raises(ImportError, match=r"pip install 'radontv\[reference\]'"):
        solve_all_patterns(TINY["square"])


# --------------------------------------------------------------------------- invariances

BASE = gaussian(2, 24, 0.3)


def optimum(problem: RadonTVProblem) -> tuple[float, np.ndarray, float]:
    solution = solve(problem, tol=1e-10)
    assert solution.certificate.relative_gap <= 1e-8
    return solution.certificate.primal, solution.network(problem.X), solution.network.rtv


@pytest.fixture(scope="module")
def base() -> tuple[float, np.ndarray, float]:
    return optimum(BASE)


# The fit is sqrt(2 gap) accurate: 1e-5 for relative gaps of 1e-9.
FIT = 2e-4


def test_rigid_motions(base: tuple[float, np.ndarray, float]) -> None:
    rotation = np.linalg.qr(np.random.default_rng(0).standard_normal((2, 2)))[0]
    for X in (BASE.X @ rotation, BASE.X + np.array([100.0, -3.0]), -BASE.X[:, ::-1]):
        value, fit, rtv = optimum(RadonTVProblem(X, BASE.y, BASE.alpha))
        assert value == pytest.approx(base[0], rel=1e-8)
        assert rtv == pytest.approx(base[2], rel=FIT)
        np.testing.assert_allclose(fit, base[1], atol=FIT)


def test_embedding_into_more_dimensions(base: tuple[float, np.ndarray, float]) -> None:
    frame = np.linalg.qr(np.random.default_rng(1).standard_normal((5, 2)))[0]
    value, fit, rtv = optimum(RadonTVProblem(BASE.X @ frame.T + 1.0, BASE.y, BASE.alpha))
    assert value == pytest.approx(base[0], rel=1e-8)
    assert rtv == pytest.approx(base[2], rel=FIT)
    np.testing.assert_allclose(fit, base[1], atol=FIT)


@pytest.mark.parametrize("c", [1e-3, 8.0, 1e8])
def test_scaling_of_inputs(base: tuple[float, np.ndarray, float], c: float) -> None:
    value, fit, rtv = optimum(RadonTVProblem(c * BASE.X, BASE.y, c * BASE.alpha))
    assert value == pytest.approx(base[0], rel=1e-8)
    assert rtv == pytest.approx(base[2] / c, rel=FIT)
    np.testing.assert_allclose(fit, base[1], atol=FIT)


@pytest.mark.parametrize("c", [-1.0, 1e-4, 1e6])
def test_scaling_of_targets(base: tuple[float, np.ndarray, float], c: float) -> None:
    value, fit, rtv = optimum(RadonTVProblem(BASE.X, c * BASE.y, abs(c) * BASE.alpha))
    assert value == pytest.approx(c**2 * base[0], rel=1e-8)
    assert rtv == pytest.approx(abs(c) * base[2], rel=FIT)
    np.testing.assert_allclose(fit / c, base[1], atol=FIT)


def test_adding_affine_functions(base: tuple[float, np.ndarray, float]) -> None:
    extra = BASE.X @ [3.0, -20.0] + 7.0
    value, fit, rtv = optimum(RadonTVProblem(BASE.X, BASE.y + extra, BASE.alpha))
    assert value == pytest.approx(base[0], rel=1e-8)
    assert rtv == pytest.approx(base[2], rel=FIT)
    np.testing.assert_allclose(fit - extra, base[1], atol=FIT)


def test_permutation_and_duplicates(base: tuple[float, np.ndarray, float]) -> None:
    order = np.random.default_rng(0).permutation(24)
    value, fit, _ = optimum(RadonTVProblem(BASE.X[order], BASE.y[order], BASE.alpha))
    assert value == pytest.approx(base[0], rel=1e-8)
    np.testing.assert_allclose(fit, base[1][order], atol=FIT)
    twice = np.repeat(np.arange(24), 2)
    value, fit, _ = optimum(RadonTVProblem(BASE.X[twice], BASE.y[twice], BASE.alpha))
    assert value == pytest.approx(base[0], rel=1e-8)
    np.testing.assert_allclose(fit, base[1][twice], atol=FIT)


def test_collinear_data_are_one_dimensional() -> None:
    t = np.random.default_rng(0).standard_normal(12)
    y, e = np.sin(3 * t), np.array([0.6, 0.0, 0.8])
    line, space = (
        solve(RadonTVProblem(X, y, 0.01), tol=TIGHT, scope="global")
        for X in (t[:, None], t[:, None] * e + 1.0)
    )
    assert line.status.solved
    assert space.status.solved
    assert line.certificate.primal == pytest.approx(space.certificate.primal, rel=1e-8)


# --------------------------------------------------------------------------- the loop


def test_results_are_the_same_bits_across_runs_and_threads() -> None:
    for problem in (gaussian(4, 60, 0.5), tied("grid", 40, 2, 0.2)):
        first, again, threads = (solve(problem, n_jobs=n) for n in (1, 1, 2))
        for other in (again, threads):
            assert other.network == first.network
            assert other.certificate == first.certificate
            assert other.n_iter == first.n_iter


def test_global_results_do_not_depend_on_threads() -> None:
    problem = gaussian(3, 30, 0.5)
    one, two = (solve(problem, scope="global", n_jobs=n) for n in (1, 2))
    assert one.status.solved
    assert one.network == two.network


def test_the_caller_s_problem_and_random_state_are_left_alone() -> None:
    problem = gaussian(2, 20, 0.3)
    X, y = problem.X.copy(), problem.y.copy()
    np.random.seed(0)  # noqa: NPY002
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    solve(problem)
    assert (np.random.get_state()[1] == before).all()  # noqa: NPY002
    np.testing.assert_array_equal(problem.X, X)
    np.testing.assert_array_equal(problem.y, y)


def test_seeds_agree_on_the_optimum() -> None:
    problem = gaussian(4, 50, 0.5)
    values = [solve(problem, tol=TIGHT, random_state=k).certificate.primal for k in range(3)]
    np.testing.assert_allclose(values, values[0], rtol=1e-8)


def test_history_is_monotone_and_ends_at_the_solution() -> None:
    problem = gaussian(3, 60, 0.3)
    solution = solve(problem, scope="global", tol=1e-5)
    monotone_history(solution)
    last = solution.history[-1]
    assert last.stage == "proof"
    assert last.scope is Scope.GLOBAL
    assert last.primal == pytest.approx(solution.certificate.primal, rel=1e-8)
    assert solution.certificate.scope is Scope.GLOBAL
    assert solution.seconds >= last.seconds
    assert last.to_dict()["scope"] == "global"


def test_callbacks_see_every_round() -> None:
    seen: list[Event] = []
    others: list[int] = []
    solution = solve(
        gaussian(2, 40, 0.1),
        callback=[seen.append, lambda event: others.append(event.round)],
    )
    assert tuple(seen) == solution.history
    assert others == [event.round for event in seen]


@pytest.mark.parametrize("stop_after", [0, 1, 3])
@pytest.mark.parametrize("scope", ["local", "global"])
def test_a_callback_can_stop(stop_after: int, scope: str) -> None:
    problem = gaussian(5, 80, 0.1)
    solution = solve(problem, scope=scope, callback=lambda event: event.round >= stop_after)
    assert solution.status is Status.INTERRUPTED
    assert solution.n_iter == stop_after
    assert_certifies(problem, solution.network, solution.certificate)


def test_a_callback_can_stop_a_proof() -> None:
    problem = gaussian(8, 100, 1.0)
    solution = solve(problem, scope="global", callback=lambda event: event.stage == "proving")
    assert solution.status is Status.INTERRUPTED
    assert [event.stage for event in solution.history][-2:] == ["proving", "proof"]
    watched, ended = solution.history[-2:]
    assert watched.n_open > 0 and watched.remaining > 0.0
    assert watched.scope is ended.scope is solution.certificate.scope is Scope.GLOBAL
    assert watched.dual <= ended.dual * (1 + ROUNDING)
    assert_certifies(problem, solution.network, solution.certificate)


@pytest.mark.parametrize("rounds", [1, 2, 4])
def test_max_rounds(rounds: int) -> None:
    problem = gaussian(5, 80, 0.1)
    solution = solve(problem, max_rounds=rounds)
    assert solution.status is Status.MAX_ROUNDS
    assert solution.n_iter == rounds
    assert_certifies(problem, solution.network, solution.certificate)
    best = solve(problem, tol=1e-7).certificate
    assert solution.certificate.dual <= best.primal


@pytest.mark.parametrize("scope", ["local", "global"])
@pytest.mark.parametrize("limit", [1e-9, 0.1])
def test_time_limit(scope: str, limit: float) -> None:
    problem = gaussian(8, 150, 0.05)
    solution = solve(problem, tol=1e-12, scope=scope, time_limit=limit)
    assert solution.status is Status.TIME_LIMIT
    assert_certifies(problem, solution.network, solution.certificate)
    if scope == "global":
        assert solution.certificate.scope is Scope.GLOBAL


def test_keyboard_interrupt_in_a_callback() -> None:
    def interrupt(event: Event) -> None:
        if event.round == 2:
            raise KeyboardInterrupt

    problem = gaussian(5, 80, 0.1)
    solution = solve(problem, callback=interrupt)
    assert solution.status is Status.INTERRUPTED
    assert_certifies(problem, solution.network, solution.certificate)
    assert solution.network.n_neurons > 0


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_ctrl_c(n_jobs: int) -> None:
    problem = gaussian(8, 200, 0.02)
    solve(problem, max_rounds=1)  # compiled before the clock starts
    timer = threading.Timer(0.15, signal.raise_signal, [signal.SIGINT])
    timer.start()
    try:
        solution = solve(problem, tol=1e-13, scope="global", n_jobs=n_jobs)
    finally:
        timer.cancel()
    assert solution.status is Status.INTERRUPTED
    assert solution.seconds < 10.0
    assert_certifies(problem, solution.network, solution.certificate)


def test_ctrl_c_during_a_proof_in_another_process() -> None:
    # Dimension 12: the proof cannot end. The signal is sent as soon as the search is over.
    script = textwrap.dedent("""
        import os, signal, threading
        import numpy as np
        from radontv.problems import RadonTVProblem
        from radontv.solvers import solve
        rng = np.random.default_rng(0)
        X = rng.standard_normal((60, 12))
        problem = RadonTVProblem(X, np.abs(X[:, 0]) + X[:, 1] ** 2, 0.02)
        timer = threading.Timer(1.5, os.kill, [os.getpid(), signal.SIGINT])
        timer.start()
        solution = solve(problem, tol=1e-3, scope="global", n_jobs=2)
        gap = problem.objective(solution.network) - solution.certificate.dual
        print(solution.status.name, gap >= 0, solution.certificate.gap < np.inf)
    """)
    process = subprocess.run(
        [sys.executable, "-c", script],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )
    assert process.stdout.split() == ["INTERRUPTED", "True", "True"], process.stderr


@pytest.mark.parametrize("most", [0, 1, 3])
def test_max_neurons(most: int) -> None:
    problem = gaussian(3, 60, 0.1)
    solution = solve(problem, max_neurons=most)
    assert solution.network.n_neurons <= most
    assert solution.status is Status.MAX_NEURONS
    assert_certifies(problem, solution.network, solution.certificate)
    best = solve(problem, tol=1e-7).certificate
    assert solution.certificate.dual <= best.primal <= solution.certificate.primal
    if most:
        # More neurons than none must help.
        assert solution.certificate.primal < problem.objective(problem.affine_fit())


def test_a_large_max_neurons_changes_nothing() -> None:
    problem = gaussian(2, 30, 0.3)
    solution = solve(problem, max_neurons=1000)
    assert_solved(problem, solution, 1e-6)


def test_warm_start_from_the_solution_ends_at_once() -> None:
    problem = gaussian(4, 60, 0.3)
    cold = solve(problem, tol=1e-6)
    warm = solve(problem, tol=1e-5, warm_start=cold.network)
    assert warm.n_iter <= 1
    assert warm.certificate.primal <= cold.certificate.primal * (1 + 1e-9)


@pytest.mark.parametrize("d", [2, 4])
def test_any_warm_start_reaches_the_optimum(d: int) -> None:
    problem = gaussian(d, 40, 0.3)
    cold = solve(problem, tol=TIGHT)
    for neurons in (0, 1, 30):
        start = random_network(d, neurons, 3)
        warm = solve(problem, tol=TIGHT, warm_start=start)
        assert_solved(problem, warm, TIGHT)
        assert warm.certificate.primal == pytest.approx(cold.certificate.primal, rel=1e-8)
        assert warm.history[0].primal <= problem.objective(start) * (1 + ROUNDING)


def test_warm_start_of_another_dimension_is_refused() -> None:
    with pytest.raises(ValueError, match="warm_start has 3 features, the problem 2"):
        solve(gaussian(2, 10, 1.0), warm_start=random_network(3, 1, 0))


def test_solutions_and_their_parts_can_be_pickled() -> None:
    problem = gaussian(2, 20, 0.3)
    solution = solve(problem)
    copy = pickle.loads(pickle.dumps(solution))
    assert copy.network == solution.network
    assert copy.certificate == solution.certificate
    assert copy.status is solution.status
    assert copy.history == solution.history
    again = pickle.loads(pickle.dumps(problem))
    assert again.objective(copy.network) == problem.objective(solution.network)
    assert solve(again).network == solution.network
    for item in (solution.network, solution.certificate):
        assert pickle.loads(pickle.dumps(item)) == item
    assert Certificate.from_dict(solution.certificate.to_dict()) == solution.certificate
    assert solution.status.value in str(solution)


def test_path_is_warm_started_and_monotone() -> None:
    problem = gaussian(2, 30, 1.0)
    solutions = path(problem, 6, eps=1e-2, tol=1e-7)
    alphas = [s.certificate.alpha for s in solutions]
    assert alphas == sorted(alphas, reverse=True)
    assert alphas[0] == pytest.approx(problem.alpha_max(), rel=IDENTITY)
    assert all(s.status.solved for s in solutions)
    # F* falls and RTV rises as alpha falls.
    assert (np.diff([s.certificate.primal for s in solutions]) < 0).all()
    assert (np.diff([s.network.rtv for s in solutions]) > -1e-6).all()
    given = path(problem, [alphas[-1], alphas[2]], tol=1e-7)
    assert [s.certificate.alpha for s in given] == [alphas[2], alphas[-1]]


def test_an_interrupt_ends_a_path_with_what_there_is() -> None:
    problem, seen = gaussian(2, 30, 1.0), []

    def interrupt(event: Event) -> bool:
        seen.append(event)
        if event.round == 0 and sum(e.round == 0 for e in seen) == 3:
            raise KeyboardInterrupt
        return False

    grid = problem.alpha_max() * np.array([0.5, 0.3, 0.1, 0.05])
    solutions = path(problem, grid, callback=interrupt)
    assert [s.certificate.alpha for s in solutions] == pytest.approx(list(grid[:3]))
    assert [s.status.solved for s in solutions] == [True, True, False]
    assert solutions[-1].status is Status.INTERRUPTED
    assert "Ctrl-C or a callback" in solutions[-1].status.value


@pytest.mark.parametrize("stage", ["search", "proof"])
def test_ctrl_c_ends_a_path_even_if_the_tolerance_is_met(stage: str) -> None:
    problem, before = gaussian(2, 30, 1.0), signal.getsignal(signal.SIGINT)

    def press(event: Event) -> None:
        met = event.gap <= 1e-6 and event.scope is Scope.GLOBAL
        if stage == "search" or met:
            signal.raise_signal(signal.SIGINT)

    grid = problem.alpha_max() * np.array([0.5, 0.3, 0.1])
    solutions = path(problem, grid, scope="global", callback=press)
    assert len(solutions) == 1
    assert solutions[0].status.solved or stage == "search"
    assert signal.getsignal(signal.SIGINT) is before


def test_ctrl_c_between_two_solutions_keeps_the_first(monkeypatch: pytest.MonkeyPatch) -> None:
    problem = gaussian(2, 30, 1.0)
    change = RadonTVProblem.with_alpha

    def press(self: RadonTVProblem, alpha: float) -> RadonTVProblem:
        if alpha < 0.1:
            raise KeyboardInterrupt
        return change(self, alpha)

    monkeypatch.setattr(RadonTVProblem, "with_alpha", press)
    assert [s.certificate.alpha for s in path(problem, [0.2, 0.05, 0.01])] == [0.2]
    with pytest.raises(KeyboardInterrupt):
        path(problem, [0.05, 0.01])


def test_a_trained_network_is_never_below_the_bound() -> None:
    # Any network, here by random features and ridge amplitudes.
    problem = gaussian(3, 40, 0.3)
    bound = solve(problem, scope="global", time_limit=300.0).certificate.dual
    for seed in range(5):
        network = problem.refit_affine(random_network(3, 200, seed))
        features = network.features(problem.X)
        residual = problem.y - problem.affine_fit()(problem.X)
        a = np.linalg.lstsq(
            np.vstack([features, 0.1 * np.eye(200)]),
            np.concatenate([residual, np.zeros(200)]),
            rcond=None,
        )[0]
        trained = problem.refit_affine(RidgeSpline(a, network.weights, network.biases, np.zeros(3)))
        assert problem.objective(trained) >= bound


@pytest.mark.parametrize(
    ("d", "n", "lam", "seed"),
    [(3, 300, 0.3, 0), (3, 300, 0.3, 14), (3, 300, 0.1, 24), (3, 100, 0.03, 10), (4, 150, 0.3, 0)],
)
def test_local_gaps_survive_a_proof(d: int, n: int, lam: float, seed: int) -> None:
    """The search that confirms convergence finds small maxima beside large ones."""
    problem = gaussian(d, n, lam, seed)
    solution = solve(problem, tol=1e-6)
    proved = prove(problem, solution.network, tol=1e-6, time_limit=300.0)
    assert solution.certificate.relative_gap <= 1e-6
    assert proved.relative_gap <= 1e-6
