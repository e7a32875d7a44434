"""Certificates in files, and the check that shares no code with what made them."""

from __future__ import annotations

import ast
import inspect
import json
import math
import os
import pickle
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers import gaussian, random_network, sampled_sup, tied

from radontv import RadonTVRegressor
from radontv.problems import Certificate, RadonTVProblem, RidgeSpline, Scope
from radontv.solvers import Verification, prove, solve, verify
from radontv.solvers.verification.boxes import Anchor, Target
from radontv.solvers.verification.kinds import Kind
from radontv.solvers.verification.sup import Search, box_bound, sweep

BASE = gaussian(3, 20, 0.5)
PROBLEMS = {
    "d=1": gaussian(1, 40, 0.3),
    "d=2": gaussian(2, 40, 0.3),
    "d=3": gaussian(3, 30, 0.5),
    "d=4": gaussian(4, 20, 0.5),
    "d=5": gaussian(5, 16, 0.5),
    "grid": tied("grid", 40, 2, 0.2),
    "duplicates": tied("duplicates", 40, 3, 0.3),
    "duplicates d=1": tied("duplicates", 20, 1, 0.3),
    "flat": tied("flat", 30, 3, 0.3),
    "collinear": tied("collinear", 20, 3, 0.3),
    "binary": tied("binary", 20, 3, 0.5),
    "constant column": RadonTVProblem(
        np.column_stack([np.full(20, 0.1), BASE.X[:, :2]]), BASE.y, 0.01
    ),
    "weights": RadonTVProblem(BASE.X, BASE.y, 0.01, sample_weight=np.arange(20.0) % 4),
    "far": RadonTVProblem(BASE.X[:, :2] + 1e5, BASE.y + 1e3, 0.01),
    "units": RadonTVProblem(1e60 * BASE.X, 1e-40 * BASE.y, 1e18),
    "small units": RadonTVProblem(1e-60 * BASE.X, 1e40 * BASE.y, 1e-22),
    "n = d + 1": RadonTVProblem(BASE.X[:4], BASE.y[:4], 0.01),
    "one row": RadonTVProblem(BASE.X[:1], BASE.y[:1], 0.01),
    "affine": RadonTVProblem(BASE.X, BASE.X @ [1.0, 2.0, 3.0] + 1.0, 0.01),
}
SOLVED: dict[str, Certificate] = {}


def solved(name: str) -> Certificate:
    """Return a certificate of scope GLOBAL, computed once."""
    if name not in SOLVED:
        solution = solve(PROBLEMS[name], scope="global", tol=1e-6, time_limit=60.0)
        SOLVED[name] = solution.certificate
    return SOLVED[name]


def assert_proved(problem: RadonTVProblem, certificate: Certificate, result: Verification) -> None:
    """Assert that the numbers of a check are right, whatever it says of the certificate."""
    network, q = certificate.network, certificate.dual_point
    assert network is not None
    assert q is not None
    assert sampled_sup(problem, q, 500) <= result.sup_bound * (1 + 1e-12)
    assert result.sup_attained <= result.sup_bound * (1 + 1e-12)
    # An upper bound, rounding included: f(x) errs by units in the last place of w.x and b.
    slack = max(1e-9, 1e-12 * float(np.abs(problem.X).max()))
    assert result.primal == pytest.approx(problem.objective(network), rel=slack, abs=1e-25)
    assert result.dual <= result.primal
    where = problem.eta(q, result.weight[None], np.array([result.bias]))[0]
    mass = float(np.abs(q).sum() * np.abs(problem.X).max())
    assert abs(where) == pytest.approx(result.sup_attained, rel=1e-12, abs=1e-13 * mass)


@pytest.mark.parametrize("name", PROBLEMS)
def test_certificates_of_solve_are_confirmed(name: str, tmp_path: Path) -> None:
    problem, certificate = PROBLEMS[name], solved(name)
    certificate.save(tmp_path / "proof.json")
    read = Certificate.load(tmp_path / "proof.json")
    result = verify(read, problem, n_jobs=1)
    assert result.valid, str(result)
    assert result.complete
    assert not result.failures
    assert str(result).startswith("valid")
    assert_proved(problem, certificate, result)
    # The same proof, but for the margins of either program.
    assert result.relative_gap <= 1.01 * certificate.relative_gap + 1e-9
    assert result.sup_bound <= certificate.sup_bound * (1 + 1e-8) + 1e-15
    assert result == replace(verify(certificate, problem, n_jobs=2), seconds=result.seconds)


@pytest.mark.parametrize("name", ["d=1", "d=2", "d=3", "flat", "weights", "duplicates"])
def test_certificates_of_any_network_are_confirmed(name: str) -> None:
    problem = PROBLEMS[name]
    network = random_network(problem.n_features, 4, 1)
    doubled = RidgeSpline(
        np.append(network.amplitudes, network.amplitudes),
        np.vstack([network.weights, -network.weights]),
        np.append(network.biases, -network.biases),
        network.coef,
        1.0,
    )
    for given in (network, doubled, problem.affine_fit()):
        certificate = prove(problem, given, tol=1e-4)
        result = verify(certificate, problem, n_jobs=1)
        assert result.valid, str(result)
        assert_proved(problem, certificate, result)


def test_the_estimators_certificate_is_confirmed_for_its_problem() -> None:
    model = RadonTVRegressor(alpha=0.05, scope="global").fit(BASE.X, BASE.y)
    assert verify(model.certificate_, model.standardized_problem(BASE.X, BASE.y)).valid
    assert not verify(model.certificate_, RadonTVProblem(BASE.X, BASE.y, 0.05)).valid
    weights = np.arange(len(BASE.y)) % 3.0
    model.fit(BASE.X, BASE.y, sample_weight=weights)
    problem = model.standardized_problem(BASE.X, BASE.y, sample_weight=weights)
    assert verify(model.certificate_, problem).valid


# --- forgeries -----------------------------------------------------------------------------


def lower_bound_with_all_that_follows(c: Certificate, p: RadonTVProblem) -> Certificate:
    """Return what `certificate` would say if the bound were lower: only the bound is wrong."""
    assert c.network is not None
    bound = 0.98 * c.sup_bound
    assert c.dual_point is not None
    t = p.loss.dual_scale(p.y, c.dual_point, p.s, p.alpha / bound)
    dual = p.dual_value(t * c.dual_point)
    gap = c.primal - dual
    return replace(
        c, sup_bound=bound, sup_attained=bound, scale=t, dual=dual, gap=gap,
        relative_gap=gap / c.primal,
    )  # fmt: skip


def other_network(c: Certificate, **parts: Any) -> Certificate:
    n = c.network
    assert n is not None
    old = {k: getattr(n, k) for k in ("amplitudes", "weights", "biases", "coef", "intercept")}
    return replace(c, network=RidgeSpline(**{**old, **parts}))


def moved(q: Any, by: float) -> np.ndarray:
    q = np.array(q)
    q[0] += by * np.abs(q).max()
    return q


FORGERIES: dict[str, tuple[str, Callable[[Certificate, RadonTVProblem], Certificate]]] = {
    "bound": ("is reached at w", lambda c, p: replace(c, sup_bound=0.999 * c.sup_bound)),
    "bound and all": ("is reached at w", lower_bound_with_all_that_follows),
    "bound 0": ("is reached at w", lambda c, p: replace(c, sup_bound=0.0)),
    "bound NaN": ("not re-proved", lambda c, p: replace(c, sup_bound=math.nan)),
    "higher bound": ("does not follow", lambda c, p: replace(c, sup_bound=1.01 * c.sup_bound)),
    "attained": ("sup_attained", lambda c, p: replace(c, sup_attained=1.1 * c.sup_bound)),
    "dual": ("does not follow", lambda c, p: replace(c, dual=c.dual + 1e-5 * c.primal)),
    "dual and gap": (
        "does not follow",
        lambda c, p: replace(c, dual=c.primal, gap=0.0, relative_gap=0.0),
    ),
    "dual NaN": ("does not follow", lambda c, p: replace(c, dual=math.nan)),
    "gap": ("less than primal - dual", lambda c, p: replace(c, gap=0.5 * (c.primal - c.dual))),
    "relative gap": ("relative gap", lambda c, p: replace(c, relative_gap=0.9 * c.relative_gap)),
    "resolution": (
        "resolution",
        lambda c, p: replace(c, resolution=c.primal, relative_gap=0.0),
    ),
    "primal": ("objective of its network", lambda c, p: replace(c, primal=c.primal * (1 - 1e-9))),
    "scale": ("too large", lambda c, p: replace(c, scale=1.001 * p.alpha / c.sup_bound)),
    "alpha": ("alpha =", lambda c, p: replace(c, alpha=1.001 * c.alpha)),
    "digest": ("another problem", lambda c, p: replace(c, digest="0" * 64)),
    "neurons": ("n_neurons", lambda c, p: replace(c, n_neurons=c.n_neurons - 1)),
    "sparsity": ("sparsity_bound", lambda c, p: replace(c, sparsity_bound=1)),
    "amplitudes": (
        "objective of its network",
        lambda c, p: other_network(c, amplitudes=1.0001 * c.network.amplitudes),  # type: ignore[union-attr]
    ),
    "intercept": (
        "objective of its network",
        lambda c, p: other_network(c, intercept=c.network.intercept + 1e-4),  # type: ignore[union-attr]
    ),
    "dual point": ("follow", lambda c, p: replace(c, dual_point=moved(c.dual_point, 1e-3))),
    "dual point halved": ("follow", lambda c, p: replace(c, dual_point=c.dual_point / 2)),  # type: ignore[operator]
    "dual point 0": ("follow", lambda c, p: replace(c, dual_point=0.0 * c.dual_point)),  # type: ignore[operator]
}


@pytest.mark.parametrize("name", ["d=2", "d=4"])
@pytest.mark.parametrize("forgery", FORGERIES)
def test_forgeries_are_found(forgery: str, name: str) -> None:
    problem, certificate = PROBLEMS[name], solved(name)
    message, forge = FORGERIES[forgery]
    forged = forge(certificate, problem)
    result = verify(forged, problem, n_jobs=1)
    assert not result.valid
    assert message in str(result)
    assert "NOT VALID" in str(result)
    assert_proved(problem, forged, result)


@pytest.mark.parametrize("name", ["d=1", "d=2", "d=3", "d=4", "d=5", "duplicates", "flat"])
def test_a_bound_that_only_a_search_can_refute(name: str) -> None:
    # Without neurons nothing in the file shows where |eta| is large.
    problem = PROBLEMS[name]
    network = problem.affine_fit()
    honest = prove(problem, network, tol=1e-3)
    forged = problem.certificate(network, 0.995 * honest.sup_attained, Scope.GLOBAL)
    assert verify(honest, problem, n_jobs=1).valid
    result = verify(forged, problem, n_jobs=1)
    assert "is reached at w" in str(result)
    assert result.sup_attained > forged.sup_bound
    assert result.sup_bound <= honest.sup_bound * (1 + 1e-5)
    assert result.dual == pytest.approx(honest.dual, rel=1e-3)
    assert_proved(problem, forged, result)


def test_other_data_are_noticed_even_with_their_digest() -> None:
    problem = PROBLEMS["d=2"]
    X, y, alpha = problem.X, problem.y, problem.alpha
    tilted = X + 1e-6 * X[:, ::-1] ** 2
    weights = np.ones(len(y))
    weights[0] = 1.001
    for other in (
        RadonTVProblem(tilted, y, alpha),
        RadonTVProblem(X, y + 1e-6 * X[:, 0] ** 2, alpha),
        RadonTVProblem(X, y, alpha * 1.0001),
        RadonTVProblem(X, y, alpha, sample_weight=weights),
        RadonTVProblem(X[::-1], y, alpha),
    ):
        assert other.digest != problem.digest
        assert "another problem" in str(verify(solved("d=2"), other))
        forged = replace(solved("d=2"), digest=other.digest, alpha=other.alpha)
        assert not verify(forged, other).valid


def test_digest_is_of_the_problem_not_of_its_objects() -> None:
    problem = PROBLEMS["weights"]
    same = RadonTVProblem(
        problem.X.tolist(), problem.y + 0.0, 0.01, sample_weight=2.0 * (np.arange(20.0) % 4)
    )
    assert same.digest == problem.digest
    assert len(problem.digest) == 64
    zero = RadonTVProblem([[0.0], [1.0]], [0.0, 1.0], 1.0)
    assert RadonTVProblem([[-0.0], [1.0]], [0.0, 1.0], 1.0).digest == zero.digest
    # A changed last bit is another problem.
    y = problem.y.copy()
    y[3] = np.nextafter(y[3], 9.0)
    assert problem.digest != RadonTVProblem(problem.X, y, 0.01).digest


def test_dual_point_on_removed_rows_is_refused() -> None:
    problem, certificate = PROBLEMS["weights"], solved("weights")
    q = np.array(certificate.dual_point)
    q[0] = 1e-3
    result = verify(replace(certificate, dual_point=q), problem)
    assert "rows of weight 0" in str(result)
    assert result.dual == -math.inf


# --- scope, time, arguments ----------------------------------------------------------------


def test_local_certificates_are_proved_or_refuted() -> None:
    problem = PROBLEMS["d=3"]
    solution = solve(problem, tol=1e-6)
    assert solution.certificate.scope is Scope.LOCAL
    result = verify(solution.certificate, problem)
    assert result.valid, str(result)
    assert "LOCAL" in str(result)
    assert "not a proof" in result.notes[0]
    # What a search that saw nothing would say of a poor network.
    blind = problem.certificate(random_network(3, 3, 0), 0.0, Scope.LOCAL)
    result = verify(blind, problem)
    assert not result.valid
    assert "is reached at w" in result.failures[0]
    assert "LOCAL" in result.failures[0]
    assert_proved(problem, blind, result)


def test_out_of_time_is_neither_valid_nor_wrong() -> None:
    problem = gaussian(7, 60, 0.3)
    certificate = prove(problem, problem.affine_fit(), tol=1e-3, time_limit=0.2)
    tight = replace(certificate, sup_bound=1.05 * certificate.sup_attained)
    result = verify(tight, problem, time_limit=0.3, n_jobs=1)
    assert result.seconds < 3.0
    assert not result.complete
    assert not result.valid
    assert "not re-proved within the time limit of 0.3 s" in str(result)
    assert tight.sup_bound < result.sup_bound < math.inf
    assert_proved(problem, tight, result)


def test_what_cannot_be_checked_is_an_error() -> None:
    problem, certificate = PROBLEMS["d=2"], solved("d=2")
    for missing in ({"network": None}, {"dual_point": None}):
        with pytest.raises(ValueError, match="nothing to check"):
            verify(replace(certificate, **missing), problem)
    with pytest.raises(ValueError, match="features"):
        verify(certificate, PROBLEMS["d=3"])
    with pytest.raises(ValueError, match=r"dual_point has shape \(40,\)"):
        verify(certificate, gaussian(2, 39, 0.3))
    with pytest.raises(ValueError, match="not finite"):
        verify(replace(certificate, dual_point=np.full(40, np.nan)), problem)
    with pytest.raises(TypeError, match="must be a Certificate"):
        verify(certificate.to_dict(), problem)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="must be a RadonTVProblem"):
        verify(certificate, problem.X)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="time_limit"):
        verify(certificate, problem, time_limit=0.0)


# --- the two exact searches and the boxes against each other --------------------------------


@pytest.mark.parametrize("kind", ["grid", "duplicates", "binary", "gaussian"])
def test_sweep_and_boxes_agree_in_the_plane(kind: str) -> None:
    problem = gaussian(2, 25, 0.1) if kind == "gaussian" else tied(kind, 25, 2, 0.1)
    X, group = np.unique(problem.X, axis=0, return_inverse=True)
    for seed in range(3):
        q = problem.dual_point(random_network(2, 3, seed))
        sums = np.bincount(group.reshape(-1), weights=q)
        swept = sweep(X, sums)[0]
        boxed = box_bound(X, sums, Target(swept * (1 + 1e-9), 0.0), Search(0.0))
        assert boxed[0] <= swept * (1 + 1e-9)
        assert boxed[-1]
        assert sampled_sup(problem, q, 2000) <= swept * (1 + 1e-12)
        # And no less can be proved.
        low = box_bound(X, sums, Target(0.9 * swept, 0.0), Search(0.0))[0]
        assert swept * (1 - 1e-12) <= low <= swept * (1 + 1e-5)


@pytest.mark.parametrize("n", [1, 2, 5])
@pytest.mark.parametrize("half", [1e-3, 0.05, 0.5])
def test_no_direction_of_a_box_exceeds_its_bound(n: int, half: float) -> None:
    rng = np.random.default_rng(n)
    d = 3
    for _ in range(60):
        middle = rng.uniform(-1.0 + half, 1.0 - half, size=d)
        middle[2], halves = 1.0, np.array([half, half, 0.0])
        # Points whose sign changes on the box, where chords and free slopes are used, and others.
        Z = np.cross(rng.standard_normal((n, d)), middle)
        Z += np.where(rng.uniform(size=(n, 1)) < 0.7, 0.3 * half, 1.0) * rng.standard_normal((n, d))
        c = rng.standard_normal(n)
        c[0] = abs(c[0])
        corners = np.array([[i, j, 0.0] for i in (-1, 0, 1) for j in (-1, 0, 1)])
        steps = np.vstack([corners, rng.uniform(-1.0, 1.0, size=(200, d))])
        u = middle + steps * halves
        reached = float((np.abs(u @ Z.T) @ c / np.linalg.norm(u, axis=1)).max())
        for level in (1e-3, 0.5 * abs(reached), 0.99 * abs(reached)):
            anchor = Anchor(Z, c, np.linalg.norm(Z, axis=1), np.zeros(d))
            bounds, values = anchor.bound_boxes(
                middle[None], halves[None], np.array([math.inf]), level
            )
            assert reached <= bounds[0] * (1 + 1e-12) + 1e-13
            assert values[0] == pytest.approx(np.abs(middle @ Z.T) @ c / np.linalg.norm(middle))


def test_null_space_defect_bounds_what_is_left() -> None:
    problem = PROBLEMS["weights"]
    kind, live = Kind(problem), problem.s > 0
    free, s = kind.whole, problem.s[live]
    q = problem.dual_point(random_network(3, 3, 0))[live]
    assert free.size == 4
    assert free.rest(q) <= 1e-13 * np.abs(q).max()
    e = 1e-5 * s * (free.B @ np.arange(1.0, 5.0))
    assert free.rest(q + e) == pytest.approx(1e-5 * math.sqrt(30.0), rel=1e-6)
    for movable in (s > 0.0, np.arange(len(s)) > 4):
        # e is the only such vector if it may be anything in the span; others are no larger.
        reach = s * free.nearby(q + e, movable)
        assert (np.abs(e) <= reach * (1 + 1e-9))[movable].all() or not movable.all()
        assert (reach[~movable] == 0.0).all()


FORMULAS = {
    "objective", "eta", "reduction", "merged", "project", "sampling", "atoms", "balance",
    "dual_interval", "conjugate", "fenchel_gap", "fenchel_change", "dual_scale", "gradient",
    "curvature", "multiplier", "rtv", "features", "coordinates", "vectors", "dual_norm",
}  # fmt: skip


def test_the_check_shares_no_code_with_the_solvers() -> None:
    folder = Path(inspect.getfile(verify)).parent
    files = [folder / "verify.py", *(folder / "verification").glob("*.py")]
    assert len(files) > 10
    names = {file.stem for file in files[1:]}
    allowed = names | {f"verification.{name}" for name in names} | {"parallel"}
    for file in files:
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and node.level == 1:
                assert node.module in allowed, f"{file.name} imports {node.module}"
            if isinstance(node, ast.ImportFrom) and node.level >= 2:
                known = ("problems", "problems.checks", "problems.power.spline", "parallel")
                assert node.module in known, f"{file.name} imports {node.module}"
            assert not isinstance(node, ast.Import) or node.names[0].name != "numba"
            # No formulas of problems, losses and networks either: only their data.
            if isinstance(node, ast.Attribute):
                assert node.attr not in FORMULAS, f"{file.name} uses {node.attr}"


# --- files ---------------------------------------------------------------------------------


def test_round_trip_is_exact(tmp_path: Path) -> None:
    certificate = solved("d=3")
    first, second = tmp_path / "a.json", tmp_path / "b.json"
    certificate.save(str(first))
    read = Certificate.load(str(first))
    assert read == certificate
    assert read.network == certificate.network
    assert np.array_equal(read.dual_point, certificate.dual_point)  # type: ignore[arg-type]
    assert read.digest == certificate.digest == PROBLEMS["d=3"].digest
    assert read.n_neurons.__class__ is int
    read.save(second)
    assert first.read_bytes() == second.read_bytes()
    content = json.loads(first.read_text())
    assert content["format"] == "radontv-certificate"
    assert content["version"] == 1
    assert "relu" in content["claim"]


def test_networks_without_neurons_and_infinite_bounds_are_kept(tmp_path: Path) -> None:
    certificate = replace(solved("affine"), sup_bound=math.inf, dual=-math.inf)
    certificate.save(tmp_path / "proof.json")
    read = Certificate.load(tmp_path / "proof.json")
    assert read == certificate
    assert read.network == certificate.network
    assert read.network is not None
    assert read.network.weights.shape == (0, 3)


def test_pickle_keeps_everything_and_summaries_stay_small() -> None:
    certificate = solved("d=2")
    copy = pickle.loads(pickle.dumps(certificate))
    assert copy == certificate
    assert copy.network == certificate.network
    assert np.array_equal(copy.dual_point, certificate.dual_point)
    fields = certificate.to_dict()
    assert fields["digest"] == certificate.digest
    assert "network" not in fields
    assert "dual_point" not in fields
    assert len(json.dumps(fields)) < 1000
    assert Certificate.from_dict(fields) == certificate
    del fields["digest"]  # as older versions wrote
    assert Certificate.from_dict(fields).digest == ""
    assert "dual_point" not in repr(certificate)


def test_numbers_alone_cannot_be_saved(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no network"):
        Certificate.from_dict(solved("d=2").to_dict()).save(tmp_path / "proof.json")
    with pytest.raises(ValueError, match="not JSON compliant"):
        replace(solved("d=2"), gap=math.nan).save(tmp_path / "proof.json")
    assert not list(tmp_path.iterdir())


def test_a_failed_save_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "proof.json"
    path.write_text("old")

    def fail(*_: object) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(OSError, match="disk full"):
        solved("d=2").save(path)
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


DAMAGES: dict[str, tuple[str, Callable[[str, dict[str, Any]], str]]] = {
    "text": ("not JSON", lambda text, c: "hello"),
    "truncated": ("not JSON", lambda text, c: text[: len(text) // 2]),
    "empty": ("not JSON", lambda text, c: ""),
    "list": ("not a certificate", lambda text, c: "[1, 2]"),
    "other format": ("not a certificate", lambda text, c: json.dumps({**c, "format": "x"})),
    "version": ("version 2", lambda text, c: json.dumps({**c, "version": 2})),
    "NaN": ("holds NaN", lambda text, c: json.dumps({**c, "dual_point": [math.nan]})),
    "infinity": ("holds Infinity", lambda text, c: json.dumps({**c, "dual_point": [math.inf]})),
    "overflow": (
        "beyond",
        lambda text, c: text.replace('"dual_point": [', '"dual_point": [1e999,'),
    ),
    "no q": ("'dual_point' is missing", lambda text, c: json.dumps(without(c, "dual_point"))),
    "no network": ("'network' is missing", lambda text, c: json.dumps(without(c, "network"))),
    "no primal": (
        "'primal' is missing",
        lambda text, c: json.dumps({**c, "certificate": without(c["certificate"], "primal")}),
    ),
    "certificate a list": (
        "certificate is not an object",
        lambda text, c: json.dumps({**c, "certificate": [1.0]}),
    ),
    "network a text": (
        "network is not an object",
        lambda text, c: json.dumps({**c, "network": "none"}),
    ),
    "q shape": ("dual_point has shape", lambda text, c: json.dumps({**c, "dual_point": [[1.0]]})),
    "q empty": ("dual_point has shape", lambda text, c: json.dumps({**c, "dual_point": []})),
    "q text": ("not a number", lambda text, c: json.dumps({**c, "dual_point": ["1.0"]})),
    "q ragged": ("damaged", lambda text, c: json.dumps({**c, "dual_point": [1.0, [2.0]]})),
    "biases": ("must agree", lambda text, c: json.dumps(inside(c, "network", biases=[1.0]))),
    "weights": ("weights", lambda text, c: json.dumps(inside(c, "network", weights=[[1.0]]))),
    "coef": ("another form", lambda text, c: json.dumps(inside(c, "network", coef=1.0))),
    "intercept": ("number", lambda text, c: json.dumps(inside(c, "network", intercept=None))),
    "bound": ("sup_bound", lambda text, c: json.dumps(inside(c, "certificate", sup_bound="a"))),
    "count": ("n_neurons", lambda text, c: json.dumps(inside(c, "certificate", n_neurons=1.5))),
    "scope": ("total", lambda text, c: json.dumps(inside(c, "certificate", scope="total"))),
    "unknown": (
        "'extra' is no field",
        lambda text, c: json.dumps(inside(c, "certificate", extra=1.0)),
    ),
    "digest": ("digest", lambda text, c: json.dumps(inside(c, "certificate", digest=1))),
    "bytes": ("not JSON", lambda text, c: "\udcff"),
}


def without(content: dict[str, Any], key: str) -> dict[str, Any]:
    return {k: v for k, v in content.items() if k != key}


def inside(content: dict[str, Any], part: str, **changes: Any) -> dict[str, Any]:
    return {**content, part: {**content[part], **changes}}


@pytest.mark.parametrize("damage", DAMAGES)
def test_damaged_files_are_refused_with_a_reason(damage: str, tmp_path: Path) -> None:
    path = tmp_path / "proof.json"
    solved("d=2").save(path)
    text = path.read_text(encoding="utf-8")
    message, spoil = DAMAGES[damage]
    path.write_bytes(spoil(text, json.loads(text)).encode("utf-8", "surrogateescape"))
    with pytest.raises(ValueError, match=message) as error:
        Certificate.load(path)
    assert str(path) in str(error.value)
    assert "__init__" not in str(error.value)


def test_a_missing_file_is_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        Certificate.load(tmp_path / "none.json")
    with pytest.raises(FileNotFoundError, match=r"none/proof\.json cannot be written.*make it"):
        solved("d=2").save(tmp_path / "none" / "proof.json")
    with pytest.raises(IsADirectoryError, match="is a folder; name a file in it"):
        solved("d=2").save(tmp_path)


@pytest.mark.parametrize("seed", [17, 19, 35, 95, 115, 119])
def test_weights_over_fifteen_orders_of_magnitude(seed: int) -> None:
    """Affine functions must be exact in rows of tiny weight, and A^T q = 0 up to a counted rest."""
    rng = np.random.default_rng(seed)
    d = 1 + seed % 3
    n = rng.integers(d + 2, 14)
    X, y = rng.standard_normal((n, d)), rng.standard_normal(n)
    weights = 10.0 ** rng.uniform(-15, 0, size=n)
    weights = np.where(rng.random(n) < 0.3, 1.0, 1e-15)
    problem = RadonTVProblem(X, y, 10.0 ** rng.uniform(-4, -1), sample_weight=weights)
    certificate = solve(problem, tol=1e-9, scope="global", time_limit=60.0).certificate
    checked = verify(certificate, problem)
    assert checked.valid, str(checked)
