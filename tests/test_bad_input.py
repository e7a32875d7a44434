"""Bad and extreme input: a message that names the argument, or a valid certificate."""

from __future__ import annotations

import traceback
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers import assert_certifies, gaussian, random_network, targets
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import sparse

import radontv.problems
from radontv import RadonTVRegressor
from radontv.problems import Certificate, RadonTVProblem, RidgeSpline, Scope
from radontv.solvers import Status, path, prove, solve, sparsify

X, Y = gaussian(2, 12, 1.0).X, gaussian(2, 12, 1.0).y
NAN, INF = float("nan"), float("inf")


def spoiled(array: np.ndarray, value: float) -> np.ndarray:
    array = array.copy()
    array[3] = value
    return array


BAD_PROBLEMS: list[tuple[str, dict[str, Any], str]] = [
    ("NaN in X", {"X": spoiled(X, NAN)}, r"X contains NaN \(2 entries, the first at index \(3, 0"),
    ("NaN in y", {"y": spoiled(Y, NAN)}, r"y contains NaN \(1 entries, the first at index \(3,\)"),
    ("inf in X", {"X": spoiled(X, INF)}, "X contains infinity"),
    ("inf in y", {"y": spoiled(Y, -INF)}, "y contains infinity"),
    ("1-d X", {"X": X[:, 0]}, r"X must have 2 dimension.*reshape"),
    ("3-d X", {"X": X[None]}, "X must have 2 dimension"),
    ("2-d y", {"y": Y[:, None]}, r"y must have 1 dimension.*ravel"),
    ("scalar y", {"y": 3.0}, "y must have 1 dimension"),
    ("lengths", {"y": Y[:-1]}, "X has 12 rows but y has 11 entries"),
    ("no samples", {"X": X[:0], "y": Y[:0]}, "X has 0 samples"),
    ("no features", {"X": X[:, :0]}, "X has 0 features"),
    ("strings", {"X": np.array([["a", "b"]] * 12)}, "X has dtype <U1 and cannot be converted"),
    ("objects", {"y": [None] * 12}, "y "),
    ("ragged", {"X": [[1.0], [1.0, 2.0]], "y": [0.0, 1.0]}, "X "),
    ("sparse", {"X": sparse.csr_matrix(X)}, r"X is a sparse matrix.*toarray"),
    ("sparse y", {"y": sparse.csr_matrix(Y[None])}, "y is a sparse matrix"),
    ("complex", {"X": X + 1j}, "X has complex data"),
    ("complex y", {"y": Y + 1j}, "y has complex data"),
    ("huge X", {"X": 1e200 * X}, "X has magnitudes up to .*rescale"),
    ("huge y", {"y": 1e200 * Y}, "y has magnitudes up to .*rescale"),
    ("tiny X", {"X": 1e-150 * X}, "X has magnitudes of at most .* squares vanish.*rescale"),
    ("tiny y", {"y": 1e-160 * Y}, "y has magnitudes of at most .* squares vanish.*rescale"),
    ("alpha 0", {"alpha": 0.0}, "alpha must be finite and > 0, got 0"),
    ("alpha < 0", {"alpha": -1.0}, "alpha must be finite and > 0, got -1"),
    ("alpha NaN", {"alpha": NAN}, "alpha must be finite and > 0, got nan"),
    ("alpha inf", {"alpha": INF}, "alpha must be finite and > 0, got inf"),
    ("alpha text", {"alpha": "small"}, "alpha must be a number, got 'small'"),
    ("alpha None", {"alpha": None}, "alpha must be a number, got None"),
    ("alpha bool", {"alpha": True}, "alpha must be a number, got True"),
    ("alpha array", {"alpha": [1.0, 2.0]}, "alpha must be a number"),
    ("loss", {"loss": "l1"}, "loss='l1' is unknown; choose one of"),
    ("loss type", {"loss": 7}, "loss must be one of"),
    ("weights < 0", {"sample_weight": spoiled(np.ones(12), -1.0)}, "sample_weight must be >= 0"),
    ("weights 0", {"sample_weight": np.zeros(12)}, "all sample_weight are zero"),
    ("weights NaN", {"sample_weight": spoiled(np.ones(12), NAN)}, "sample_weight contains NaN"),
    ("weights length", {"sample_weight": np.ones(3)}, "sample_weight has 3 entries for 12"),
    ("weights 2-d", {"sample_weight": np.ones((12, 1))}, "sample_weight must have 1 dim"),
    ("weights text", {"sample_weight": ["x"] * 12}, "sample_weight has dtype"),
]


@pytest.mark.parametrize(
    ("options", "message"), [case[1:] for case in BAD_PROBLEMS], ids=[c[0] for c in BAD_PROBLEMS]
)
def test_bad_problems_name_the_argument(options: dict[str, Any], message: str) -> None:
    with pytest.raises((ValueError, TypeError), match=message) as caught:
        RadonTVProblem(**{"X": X, "y": Y, "alpha": 0.01} | options)
    assert_from_the_edge(caught.value)


def assert_from_the_edge(error: BaseException) -> None:
    """Assert that the library itself raised the error, with a full sentence."""
    origin = Path(traceback.extract_tb(error.__traceback__)[-1].filename)
    rooms = Path(radontv.problems.__file__).parent, Path(radontv.solvers.__file__).parent
    assert origin.parent in rooms, f"raised in {origin}"
    assert len(str(error).split()) >= 4


BAD_OPTIONS: list[tuple[str, dict[str, Any], str]] = [
    ("scope", {"scope": "universal"}, "scope must be 'local' or 'global', got 'universal'"),
    ("scope dictionary", {"scope": Scope.DICTIONARY}, "scope must be 'local' or 'global'"),
    ("scope None", {"scope": None}, "scope must be 'local' or 'global', got None"),
    ("master", {"master": "simplex"}, "master='simplex' is unknown; choose 'newton' or 'clarabel'"),
    ("tol 0", {"tol": 0.0}, "tol must be finite and > 0"),
    ("tol < 0", {"tol": -1e-6}, "tol must be finite and > 0"),
    ("tol NaN", {"tol": NAN}, "tol must be finite and > 0"),
    ("tol text", {"tol": "tight"}, "tol must be a number"),
    ("time_limit 0", {"time_limit": 0.0}, "time_limit must be finite and > 0"),
    ("time_limit < 0", {"time_limit": -3.0}, "time_limit must be finite and > 0"),
    ("time_limit text", {"time_limit": "1 h"}, "time_limit must be a number"),
    ("n_jobs 0", {"n_jobs": 0}, "n_jobs must be None or an integer other than 0, got 0"),
    ("n_jobs float", {"n_jobs": 1.5}, "n_jobs must be None or an integer other than 0, got 1.5"),
    ("n_jobs text", {"n_jobs": "all"}, "n_jobs must be None or an integer"),
    ("max_neurons < 0", {"max_neurons": -1}, "max_neurons must be an integer >= 0"),
    ("max_neurons 1.5", {"max_neurons": 1.5}, "max_neurons must be an integer >= 0"),
    ("max_neurons text", {"max_neurons": "few"}, "max_neurons must be an integer >= 0"),
    ("max_rounds 0", {"max_rounds": 0}, "max_rounds must be an integer >= 1"),
    ("max_rounds text", {"max_rounds": "many"}, "max_rounds must be an integer >= 1"),
    ("random_state", {"random_state": "lucky"}, "random_state must be"),
    ("random_state < 0", {"random_state": -1}, "random_state must be"),
    ("callback", {"callback": 3}, "callback must be"),
    ("callbacks", {"callback": [print, "x"]}, "callback must be"),
    ("warm_start", {"warm_start": "old"}, "warm_start must be a RidgeSpline"),
    ("warm_start d", {"warm_start": random_network(3, 1, 0)}, "warm_start has 3 features"),
]


@pytest.mark.parametrize(
    ("options", "message"), [case[1:] for case in BAD_OPTIONS], ids=[c[0] for c in BAD_OPTIONS]
)
def test_bad_options_of_solve_name_the_argument(options: dict[str, Any], message: str) -> None:
    with pytest.raises((ValueError, TypeError), match=message) as caught:
        solve(RadonTVProblem(X, Y, 0.01), **options)
    assert_from_the_edge(caught.value)


def test_unknown_options_are_refused() -> None:
    problem = RadonTVProblem(X, Y, 0.01)
    with pytest.raises(TypeError, match="tolerance"):
        solve(problem, tolerance=1e-3)  # type: ignore[call-arg]
    with pytest.raises(TypeError, match="problem must be a RadonTVProblem, got tuple"):
        solve((X, Y))  # type: ignore[arg-type]


@pytest.mark.parametrize("function", [prove, sparsify], ids=["prove", "sparsify"])
@pytest.mark.parametrize(
    ("make", "remedy"),
    [
        (lambda p: None, "got NoneType; RidgeSpline.from_layers"),
        (lambda p: solve(p, max_rounds=1), "got Solution; pass the `network` of the Solution"),
        (lambda p: RadonTVRegressor(), "got RadonTVRegressor; .*standardized_network"),
        (lambda p: solve(p, max_rounds=1).certificate, "got Certificate; pass the `network`"),
    ],
    ids=["None", "solution", "estimator", "certificate"],
)
def test_what_is_no_network_is_named(function: Any, make: Any, remedy: str) -> None:
    problem = RadonTVProblem(X, Y, 0.01)
    with pytest.raises(TypeError, match=rf"network must be a RidgeSpline, {remedy}"):
        function(problem, make(problem))
    with pytest.raises(TypeError, match="problem must be a RadonTVProblem, got RidgeSpline"):
        function(random_network(2, 2, 0), problem)


BAD_PROOFS: list[tuple[dict[str, Any], str]] = [
    ({"time_limit": -1.0}, "time_limit must be finite and > 0"),
    ({"tol": 0.0}, "tol must be finite and > 0"),
    ({"tol": True}, "tol must be a number, got True"),
    ({"random_state": -1}, "random_state must be an integer >= 0, got -1"),
    ({"random_state": "x"}, "random_state must be an integer >= 0, got 'x'"),
    ({"random_state": None}, "random_state must be an integer >= 0, got None"),
    ({"callback": 3}, "callback must be a callable or a sequence of callables, got 3"),
    ({"callback": "print"}, "callback must be a callable or a sequence of callables, got 'print'"),
    ({"n_jobs": 0}, "n_jobs must be None or an integer other than 0, got 0"),
    ({"checkpoint": 3}, "checkpoint must be a path or None, got 3"),
]


@pytest.mark.parametrize("d", [2, 3])
@pytest.mark.parametrize(("options", "message"), BAD_PROOFS)
def test_bad_options_of_prove_name_the_argument(
    d: int, options: dict[str, Any], message: str
) -> None:
    with pytest.raises((ValueError, TypeError), match=message) as caught:
        prove(gaussian(d, 12, 1.0), random_network(d, 2, 0), **options)
    assert_from_the_edge(caught.value)


@pytest.mark.parametrize("d", [2, 4])
def test_checkpoints_are_checked_before_the_proof(d: int, tmp_path: Path, monkeypatch: Any) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise AssertionError("proved")

    monkeypatch.setattr("radontv.solvers.proving.bound_sup", fail)
    table = tmp_path / "data.csv"
    table.write_text("a,b\n1,2\n")
    for file, kind, message in (
        (tmp_path, IsADirectoryError, r"checkpoint is the folder .*; name a file in it"),
        (tmp_path / "no" / "x", FileNotFoundError, r"x, but there is no folder .*no; make it"),
        (table, ValueError, r"data\.csv is not the saved state of a proof.*name another file"),
    ):
        with pytest.raises(kind, match=message) as caught:
            prove(gaussian(d, 12, 1.0), random_network(d, 2, 0), checkpoint=file)
        assert "pickle" not in str(caught.value) and ".part" not in str(caught.value)
    assert table.read_text() == "a,b\n1,2\n"


BAD_PENALTIES: list[tuple[Any, dict[str, Any], str]] = [
    (1.5, {}, "alphas must be an integer or a sequence of numbers > 0, got 1.5; .* list of one"),
    (None, {}, "alphas must be an integer or a sequence of numbers > 0, got None"),
    ("a", {}, "alphas must be an integer or a sequence of numbers > 0, got 'a'"),
    (np.array(0.5), {}, "alphas must be an integer or a sequence of numbers > 0, got array"),
    ([], {}, "alphas is empty; pass at least one penalty"),
    (True, {}, "alphas must be an integer >= 1, got True"),
    (0, {}, "alphas must be an integer >= 1, got 0"),
    ([0.1, -0.1], {}, r"alphas\[1\] must be finite and > 0, got -0.1"),
    ([0.1, "b"], {}, r"alphas\[1\] must be a number, got 'b'"),
    (3, {"eps": 0.0}, "eps must be finite and > 0, got 0"),
    (3, {"eps": 2.0}, "eps must be at most 1, got 2"),
]


@pytest.mark.parametrize(("alphas", "options", "message"), BAD_PENALTIES)
def test_bad_penalties_of_path_are_named(
    alphas: Any, options: dict[str, Any], message: str
) -> None:
    with pytest.raises((ValueError, TypeError), match=message) as caught:
        path(RadonTVProblem(X, Y, 0.01), alphas, **options)
    assert_from_the_edge(caught.value)


def test_a_path_of_targets_without_a_penalty_range_says_so() -> None:
    with pytest.raises(ValueError, match=r"alpha_max of the problem is 0.*pass the alphas"):
        path(RadonTVProblem(X, np.zeros(12), 0.01), 5)
    assert len(path(RadonTVProblem(X, np.zeros(12), 0.01), iter([0.1, 0.2]))) == 2


def test_bad_arguments_of_prove_sparsify_and_path() -> None:
    problem, other = RadonTVProblem(X, Y, 0.01), random_network(3, 2, 0)
    with pytest.raises(ValueError, match="network has 3 features, the problem 2"):
        prove(problem, other)
    with pytest.raises(ValueError, match="network has 3 features, the problem 2"):
        sparsify(problem, other)
    with pytest.raises(TypeError, match="problem must be a RadonTVProblem, got tuple"):
        path((X, Y))  # type: ignore[arg-type]


def certified(
    inputs: Any, y: Any, alpha: float, within: float | None = None, **options: Any
) -> tuple[RidgeSpline, Certificate]:
    """Solve in both scopes; assert that the certificate is valid and the gap at most `within`.

    Without `within` the tolerance must be met; otherwise rounding may stall the solver earlier.
    """
    problem = RadonTVProblem(inputs, y, alpha, **options)
    for scope in ("local", "global"):
        solution = solve(problem, scope=scope, tol=1e-6, time_limit=300.0)
        proof = solution.certificate
        assert_certifies(problem, solution.network, proof)
        assert np.isfinite(solution.network(problem.X)).all()
        # In one dimension the proof is free.
        assert proof.scope in (Scope(scope), Scope.GLOBAL)
        assert proof.relative_gap <= (within or 1e-6)
        assert solution.status.solved or (within is not None and solution.status is Status.STALLED)
    return solution.network, solution.certificate


@pytest.mark.parametrize("d", [1, 3])
def test_one_sample(d: int) -> None:
    network, proof = certified(np.ones((1, d)), [3.0], 0.1)
    assert network.n_neurons == 0
    assert network(np.ones((1, d)))[0] == pytest.approx(3.0)
    assert proof.primal <= 1e-25


def test_constant_targets() -> None:
    for value in (0.0, 1.0, -1e8, 1e-120):
        network, _ = certified(X, np.full(12, value), 1e-3)
        assert network.n_neurons == 0
        np.testing.assert_allclose(network(X), value, rtol=1e-9)


def test_affine_targets() -> None:
    for alpha in (1e-8, 1e-3, 1e3):
        network, _ = certified(X, X @ [3.0, -1.0] + 100.0, alpha)
        assert network.n_neurons == 0


def test_constant_inputs() -> None:
    y = np.arange(5.0)
    network, proof = certified(np.full((5, 2), 7.0), y, 0.1)
    assert network.n_neurons == 0
    np.testing.assert_allclose(network(np.full((1, 2), 7.0)), 2.0, rtol=1e-12)
    assert proof.primal == pytest.approx(0.5 * np.var(y), rel=1e-12)


def test_one_constant_feature_does_not_matter() -> None:
    plain = certified(X, Y, 0.01)[1]
    padded = certified(np.column_stack([X, np.full(12, 1e6)]), Y, 0.01)[1]
    assert padded.primal == pytest.approx(plain.primal, rel=1e-6)


@pytest.mark.parametrize("n", [1, 2, 5, 6])
def test_no_more_points_than_dimensions(n: int) -> None:
    rng = np.random.default_rng(0)
    inputs, y = rng.standard_normal((n, 5)), rng.standard_normal(n)
    network, proof = certified(inputs, y, 1e-3)
    assert network.n_neurons == 0
    assert proof.primal <= 1e-25
    np.testing.assert_allclose(network(inputs), y, atol=1e-10)


def test_all_rows_equal_but_targets_differ() -> None:
    inputs = np.repeat(X[:4], 3, axis=0)
    _, proof = certified(inputs, np.arange(12.0), 0.01)
    assert proof.primal >= 0.5 * np.var([0.0, 1.0, 2.0]) * (1 - 1e-9)


def test_integers_booleans_lists_and_other_dtypes() -> None:
    grid = np.random.default_rng(0).integers(0, 5, size=(15, 2))
    y = targets(grid.astype(float), np.random.default_rng(1)).round(2)
    expected = certified(grid.astype(float), y, 0.01)[1].primal
    for inputs in (grid, grid.astype(np.uint8), grid.tolist(), grid.astype(object)):
        assert certified(inputs, y, 0.01)[1].primal == expected
    certified(grid > 2, y > 0, 0.01)
    assert certified(np.asfortranarray(grid.astype(np.float32)), y, 0.01)[1].primal == expected


@pytest.mark.parametrize("unit", [1e100, 1e-100])
def test_units_of_the_targets(unit: float) -> None:
    base = certified(X, Y, 0.01)[1]
    proof = certified(X, unit * Y, unit * 0.01)[1]
    assert proof.primal / unit / unit == pytest.approx(base.primal, rel=1e-6)


@pytest.mark.parametrize("unit", [1e100, 1e-100])
def test_units_of_the_inputs(unit: float) -> None:
    base = certified(X, Y, 0.01)[1]
    proof = certified(unit * X, Y, unit * 0.01)[1]
    assert proof.primal == pytest.approx(base.primal, rel=1e-6)


@pytest.mark.parametrize("unit", [1e100, 1e-100])
def test_units_of_both(unit: float) -> None:
    base = certified(X, Y, 0.01)[1]
    proof = certified(X / unit, unit * Y, 0.01)[1]
    assert proof.primal / unit / unit == pytest.approx(base.primal, rel=1e-6)


@pytest.mark.parametrize(("ratio", "within"), [(1e6, 1e-5), (1e-6, 1e-5), (1e9, 1e-2)])
def test_features_of_very_different_units(ratio: float, within: float) -> None:
    # The small feature keeps 16 - log10(ratio) digits of the penalty.
    certified(X * [1.0, ratio], Y, 0.01 * max(1.0, ratio), within)
    certified(X * [1.0, ratio], Y, 0.01 * min(1.0, ratio), within)


@pytest.mark.parametrize(("shift", "within"), [(1e4, 1e-6), (1e8, 1e-4)])
def test_inputs_and_targets_far_from_zero(shift: float, within: float) -> None:
    base = certified(X, Y, 0.01)[1]
    # Data keep 16 - log10(shift) digits, and the certificate counts the rounding of c.x + c0 at
    # its worst, (n + d + K + 8) u |x|, against the network.
    for inputs, y in ((X + shift, Y), (X, Y + shift)):
        proof = certified(inputs, y, 0.01, within)[1]
        assert proof.primal == pytest.approx(base.primal, rel=1e-5)


@pytest.mark.parametrize("alpha", [1e-100, 1e-12, 1e-9, 1e100])
def test_extreme_penalties(alpha: float) -> None:
    # The residual is of size alpha, so eta keeps at most 16 + log10(alpha) digits: for 1e-12 the
    # certificate must only be honest.
    network, _ = certified(X, Y, alpha, 1.0 if alpha < 1e-10 else 1e-5)
    if alpha > 1:
        assert network.n_neurons == 0
    else:
        np.testing.assert_allclose(network(X), Y, atol=1e-5)


def test_extreme_weights() -> None:
    weight = np.logspace(-12, 0, 12)
    certified(X, Y, 0.001, sample_weight=weight)
    certified(X, Y, 0.01, sample_weight=np.where(np.arange(12) == 5, 1.0, 0.0))
    certified(X, Y, 0.01, sample_weight=1e130 * np.ones(12))


def test_almost_equal_points() -> None:
    close = np.concatenate([X, X + 1e-13, X - 1e-9])
    certified(close, np.concatenate([Y, Y + 1.0, Y]), 0.01)


LAYERS = (np.ones((3, 2)), np.zeros(3), np.ones(3), np.zeros(2), 0.0)
BAD_LAYERS: list[tuple[int, Any, str]] = [
    (0, np.array([[1.0, NAN]] * 3), r"hidden_weight contains NaN \(3 .*finite parameters"),
    (0, np.ones(3), r"hidden_weight must have 2 dimension.*shape \(n_neurons, n_features\)"),
    (0, [["a", "b"]] * 3, "hidden_weight has dtype .*; pass numbers"),
    (1, [0.0, INF, 0.0], r"hidden_bias contains infinity \(1 .*finite parameters"),
    (1, np.zeros((3, 1)), r"hidden_bias must have 1 dimension.*shape \(n_neurons,\)"),
    (1, np.full(3, 1e308), "hidden_bias over the length of hidden_weight overflows.*rescale"),
    (2, [1.0, NAN, 1.0], "output_weight contains NaN.*finite parameters"),
    (2, np.full(3, 1.7e308), "output_weight times the length of hidden_weight overflows.*rescale"),
    (3, [NAN, 0.0], "skip_weight contains NaN.*finite parameters"),
    (4, NAN, "output_bias is NaN, not a finite number"),
]


@pytest.mark.parametrize(("place", "value", "message"), BAD_LAYERS)
def test_bad_layers_are_named_as_such(place: int, value: Any, message: str) -> None:
    layers: list[Any] = list(LAYERS)
    layers[place] = value
    if place == 1:
        layers[0] = 0.1 * layers[0]
    with pytest.raises((ValueError, TypeError), match=message) as caught:
        RidgeSpline.from_layers(*layers)
    assert "rows" not in str(caught.value) and "samples" not in str(caught.value)
    assert "impute" not in str(caught.value) and "categories" not in str(caught.value)


@pytest.mark.parametrize("unit", [1e-200, 1e200])
def test_layers_of_any_size_keep_their_function(unit: float) -> None:
    expected = RidgeSpline.from_layers([[3.0, 4.0]], [1.0], [2.0])
    network = RidgeSpline.from_layers([[3.0 * unit, 4.0 * unit]], [unit], [2.0 / unit])
    np.testing.assert_allclose(network.amplitudes, expected.amplitudes, rtol=1e-14)
    np.testing.assert_allclose(network.weights, expected.weights, rtol=1e-14)
    np.testing.assert_allclose(network.biases, expected.biases, rtol=1e-14)


FLOATS = st.floats(-1e6, 1e6, allow_subnormal=False).map(lambda v: float(np.round(v, 6)))
SMALL = st.integers(-3, 3).map(float)


@st.composite
def data(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray]:
    n, d = draw(st.integers(1, 9)), draw(st.integers(1, 3))
    values = draw(st.sampled_from([FLOATS, SMALL]))
    inputs = draw(hnp.arrays(float, (n, d), elements=values))
    return inputs, draw(hnp.arrays(float, n, elements=draw(st.sampled_from([FLOATS, SMALL]))))


@settings(max_examples=60, deadline=None, derandomize=True)
@given(data(), st.sampled_from([1e-3, 0.1, 10.0]))
def test_any_small_data_give_a_valid_certificate(
    sample: tuple[np.ndarray, np.ndarray], share: float
) -> None:
    inputs, y = sample
    spread = float(np.ptp(inputs, axis=0).max()) or 1.0
    scale = float(np.ptp(y)) or 1.0
    problem = RadonTVProblem(inputs, y, share * 0.1 * spread * scale)
    solution = solve(problem, scope="global", time_limit=300.0)
    assert_certifies(problem, solution.network, solution.certificate)
    # Where targets are many times the residual the rounding of f(x) itself, which the certificate
    # counts, can exceed the tolerance: then the solver must say that it stalled.
    stalled = solution.status is Status.STALLED and solution.certificate.relative_gap <= 1e-4
    assert solution.status.solved or stalled, str(solution)
    for seed in range(2):
        network = random_network(problem.n_features, 2, seed)
        proof = prove(problem, network, time_limit=300.0)
        assert_certifies(problem, network, proof)
        assert proof.dual <= solution.certificate.primal * (1 + 1e-9)


ANYTHING = st.one_of(
    st.none(),
    st.booleans(),
    st.text(max_size=3),
    st.floats(),
    st.integers(-5, 5),
    st.lists(st.floats(), max_size=3),
    st.lists(st.lists(st.floats(width=16), max_size=3), max_size=3),
    st.complex_numbers(),
)


@settings(max_examples=200, deadline=None, derandomize=True)
@given(ANYTHING, ANYTHING, ANYTHING, ANYTHING)
def test_anything_is_a_problem_or_a_clear_error(x: Any, y: Any, alpha: Any, weight: Any) -> None:
    try:
        problem = RadonTVProblem(x, y, alpha, sample_weight=weight)
    except (TypeError, ValueError) as error:
        assert any(name in str(error) for name in ("X", "y", "alpha", "sample_weight"))
        assert_from_the_edge(error)
    else:
        assert np.isfinite(problem.X).all()


@pytest.mark.parametrize("offset", [1e12, 1e13, 1e14, 1e15])
def test_an_offset_of_the_targets_hides_no_gap(offset: float) -> None:
    """Rounding of f(x) may stop the solver, but must not pass for a proof of optimality."""
    targets = np.sin(3 * X[:, 0]) + np.abs(X[:, 1])
    problem = RadonTVProblem(X, targets + offset, 1e-3)
    certificate = solve(problem, scope="global", time_limit=60.0).certificate
    shifted = RadonTVProblem(X, (targets + offset) - offset, 1e-3)
    best = solve(shifted, scope="global", tol=1e-9).certificate.primal
    assert certificate.relative_gap >= (certificate.primal - best) / certificate.primal - 0.01
    assert certificate.dual <= best * (1 + 1e-9)


def test_an_objective_that_overflows_is_refused() -> None:
    network = RidgeSpline.from_layers([[1e139] + [0.0] * (X.shape[1] - 1)], [0.0], [1e139])
    with np.errstate(over="ignore"), pytest.raises(ValueError, match="overflows"):
        prove(RadonTVProblem(X, X[:, 0] ** 2, 0.1), network)
