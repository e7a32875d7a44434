"""RadonTVRegressor keeps scikit-learn's contracts and its own."""

import io
import pickle
import warnings
from contextlib import redirect_stdout

import joblib
import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LinearRegression, PoissonRegressor
from sklearn.metrics import d2_tweedie_score
from sklearn.model_selection import GridSearchCV, cross_validate
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import PolynomialFeatures, StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

from radontv import RadonTVRegressor, certify
from radontv.default_penalty import alpha_for
from radontv.problems import RadonTVProblem, RidgeSpline, Scope, losses
from radontv.problems.multi_output import MultiOutputProblem
from radontv.solvers import Event, Status, prove, solve
from radontv.solvers.report import ProgressTable
from radontv.solvers.vector.driver import solve_multi_output
from radontv.standardization import Standardization

TIGHT = 1e-9
"""Relative gap of fits that are compared with each other."""
SAME = {"rtol": 1e-4, "atol": 1e-4}
"""Fits with relative gap g differ by up to sqrt(2 g F) in root mean square, 1e-5 here."""

SETTINGS = [
    RadonTVRegressor(alpha=1.0, standardize=False),
    RadonTVRegressor(alpha=1.0, warm_start=True, tol=1e-6),
    RadonTVRegressor(max_neurons=3, n_jobs=1),
    RadonTVRegressor(alpha=1.0, loss="huber"),
    RadonTVRegressor(alpha=1.0, loss="poisson"),
]


@pytest.fixture
def data():
    rng = np.random.default_rng(0)
    X = rng.uniform(-1, 1, size=(40, 2))
    y = np.abs(X[:, 0] - 0.3 * X[:, 1]) + 0.05 * rng.normal(size=40)
    return X, y


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")  # max_neurons=3
@parametrize_with_checks(SETTINGS)
def test_scikit_learn_checks(estimator, check):
    check(estimator)


@pytest.mark.slow  # the penalty of the default is small: large networks; kinks need many rounds
@parametrize_with_checks([RadonTVRegressor(), RadonTVRegressor(alpha=0.3, loss="absolute")])
def test_scikit_learn_checks_of_the_default(estimator, check):
    check(estimator)


def test_fitted_attributes(data):
    X, y = data
    model = RadonTVRegressor(alpha=1e-2).fit(X, y)
    assert isinstance(model.network_, RidgeSpline)
    assert model.certificate_.relative_gap <= model.tol
    assert model.n_neurons_ == model.network_.n_neurons > 0
    assert model.n_iter_ >= 1
    assert model.n_features_in_ == 2
    assert model.alpha_ == 1e-2
    assert len(model.history_) >= 1
    assert {"round", "seconds", "primal", "dual", "gap", "scope"} <= model.history_[0].keys()
    assert np.allclose(model.predict(X), model.network_(X), rtol=1e-12, atol=1e-12)
    assert model.score(X, y) > 0.9


def test_certificate_belongs_to_the_standardized_problem(data):
    X, y = data
    X = X * [1.0, 300.0] + [5.0, -70.0]
    model = RadonTVRegressor(alpha=1e-2).fit(X, y)
    problem, network = model.standardized_problem(X, y), model.standardized_network()
    assert problem.objective(network) == pytest.approx(model.certificate_.primal, rel=1e-9)
    again = prove(problem, network, tol=model.tol)
    assert again.dual <= model.certificate_.primal * (1 + 1e-12)
    assert again.relative_gap <= 10 * model.tol


@pytest.mark.parametrize("offset", [0.0, 1e8, 1e14, 1e15])
def test_the_certified_network_predicts_whatever_the_offset(data, offset):
    X, y = data
    X = X + offset
    model = RadonTVRegressor(alpha=1e-3).fit(X, y)
    problem, network = model.standardized_problem(X, y), model.standardized_network()
    assert problem.objective(network) == pytest.approx(model.certificate_.primal, rel=1e-12)
    misfit = 0.5 * np.mean((y - model.predict(X)) ** 2) + 1e-3 * network.rtv
    assert misfit == pytest.approx(model.certificate_.primal, rel=1e-12)


def test_alpha_none_is_a_hundredth_of_alpha_max(data):
    X, y = data
    model = RadonTVRegressor().fit(X, y)
    Z = StandardScaler().fit_transform(X)
    largest = RadonTVProblem(Z, y, alpha=1.0).alpha_max()
    assert model.alpha_ == pytest.approx(0.01 * largest, rel=1e-9)


def test_affine_from_alpha_max_on(data):
    X, y = data
    largest = 100 * RadonTVRegressor(time_limit=60).fit(X, y).alpha_
    model = RadonTVRegressor(alpha=1.0001 * largest).fit(X, y)
    assert model.n_neurons_ == 0
    assert np.allclose(model.predict(X), LinearRegression().fit(X, y).predict(X))


@pytest.mark.parametrize("scale", [1.0, 1e-6, 1e6])
def test_affine_targets_are_fitted_exactly(data, scale):
    X, _ = data
    y = scale * (X @ [2.0, -1.0] + 3.0)
    model = RadonTVRegressor().fit(X, y)
    assert model.n_neurons_ == 0
    assert np.allclose(model.predict(X), y, rtol=1e-10, atol=0)


def test_units_of_features_do_not_matter(data):
    X, y = data
    model = RadonTVRegressor(alpha=1e-2, tol=TIGHT).fit(X, y)
    factor, shift = np.array([1e-3, 2.54e4]), np.array([7.0, -3e4])
    other = RadonTVRegressor(alpha=1e-2, tol=TIGHT).fit(X * factor + shift, y)
    assert other.certificate_.primal == pytest.approx(model.certificate_.primal, rel=1e-8)
    assert np.allclose(other.predict(X * factor + shift), model.predict(X), **SAME)


def test_without_standardization_units_matter(data):
    X, y = data
    settings = {"alpha": 1e-2, "standardize": False}
    model = RadonTVRegressor(**settings).fit(X, y)
    other = RadonTVRegressor(**settings).fit(10 * X, y)
    assert model.scale_.tolist() == [1.0, 1.0]
    assert other.certificate_.primal < 0.9 * model.certificate_.primal


def test_weights_are_repeated_rows(data):
    X, y = data
    weights = np.arange(40) % 4
    weighted = RadonTVRegressor(alpha=1e-2, tol=TIGHT).fit(X, y, weights)
    repeated = RadonTVRegressor(alpha=1e-2, tol=TIGHT).fit(X.repeat(weights, 0), y.repeat(weights))
    assert weighted.certificate_.primal == pytest.approx(repeated.certificate_.primal, rel=1e-8)
    assert weighted.certificate_.sparsity_bound == repeated.certificate_.sparsity_bound
    assert np.allclose(weighted.mean_, repeated.mean_, rtol=1e-12)
    assert np.allclose(weighted.predict(X), repeated.predict(X), **SAME)


def test_only_ratios_of_weights_matter(data):
    X, y = data
    weights = np.random.default_rng(1).uniform(0.5, 2, size=40)
    one = RadonTVRegressor(alpha=1e-2, tol=TIGHT).fit(X, y, weights)
    two = RadonTVRegressor(alpha=1e-2, tol=TIGHT).fit(X, y, 1e3 * weights)
    assert one.certificate_.primal == pytest.approx(two.certificate_.primal, rel=1e-8)


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        (np.r_[1.0, -2.0, np.ones(38)], r"sample_weight must be >= 0, but entry 1 is -2; use 0"),
        (["a"] * 40, r"sample_weight must hold numbers.*'a'"),
    ],
)
def test_weights_that_are_none_are_named(data, weights, message):
    with pytest.raises(ValueError, match=message):
        RadonTVRegressor().fit(*data, weights)


@pytest.mark.parametrize("weights", [np.zeros(40), -np.ones(40)])
def test_senseless_weights_are_refused(data, weights):
    with pytest.raises(ValueError, match="weight"):
        RadonTVRegressor().fit(*data, weights)


def test_wild_values_in_rows_of_weight_zero_are_ignored(data):
    X, y = data
    wild = np.vstack([X, [[1e200, -1e200]]])
    weights = np.r_[np.ones(40), 0.0]
    model = RadonTVRegressor(alpha=1e-2).fit(wild, np.r_[y, 1e200], weights)
    assert np.allclose(model.predict(X), RadonTVRegressor(alpha=1e-2).fit(X, y).predict(X))


@pytest.mark.parametrize("unit", [1e-139, 1e139])
@pytest.mark.parametrize("columns", [[0], [0, 1]])
def test_extreme_units_work(data, unit, columns):
    X, y = data
    model = RadonTVRegressor(alpha=1e-2).fit(X, y)
    scaled = X.copy()
    scaled[:, columns] *= unit
    other = RadonTVRegressor(alpha=1e-2).fit(scaled, y)
    assert np.allclose(other.predict(scaled), model.predict(X), **SAME)
    assert np.allclose(other.network_(scaled), model.predict(X), **SAME)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda X, y: (1e150 * X, y), r"X has magnitudes up to .*e\+1.*rescale it below"),
        (lambda X, y: (1e300 * X, y), r"X has magnitudes up to .*e\+2.*rescale it below"),
        (lambda X, y: (1e-150 * X, y), "column 0 of X varies by at most .* rescale it above"),
        (lambda X, y: (X * [1, 1e-150], y), "column 1 of X varies .* or drop it"),
        (lambda X, y: (X, 1e150 * y), "y has magnitudes up to .* rescale it below"),
        (lambda X, y: (X, 1e-160 * y), "y has magnitudes of at most .* rescale it above"),
        (
            lambda X, y: (X, y, np.r_[1e300, np.ones(39)]),
            r"sample_weight has magnitudes up to 1e\+300.*rescale",
        ),
        (
            lambda X, y: (X, y, np.r_[1e10, np.full(39, 1e-300)]),
            r"sample_weight has entries from 1e-300 to 1e\+10,.* to 0",
        ),
    ],
)
def test_extreme_scales_are_refused_before_solving(data, monkeypatch, change, message):
    def fail(*args, **options):
        raise AssertionError("solved")

    monkeypatch.setattr("radontv.fitting.solve", fail)
    with pytest.raises(ValueError, match=message):
        RadonTVRegressor(alpha=1e-2).fit(*change(*data))


def test_rows_too_far_away_to_predict_are_named(data):
    model = RadonTVRegressor(alpha=1e-2).fit(*data)
    with pytest.raises(ValueError, match=r"X has magnitudes up to 1e\+200, .* times scale_ away"):
        model.predict([[1e200, 0.0]])


def test_feature_names(data):
    X, y = data
    frame = pd.DataFrame(X, columns=["age", "dose"])
    model = RadonTVRegressor(alpha=1e-2).fit(frame, y)
    assert model.feature_names_in_.tolist() == ["age", "dose"]
    with pytest.raises(ValueError, match="feature names"):
        model.predict(frame[["dose", "age"]])


@pytest.mark.parametrize("constant", [0.0, 0.1, -1e9])
def test_constant_columns_change_nothing(data, constant):
    X, y = data
    model = RadonTVRegressor(alpha=1e-2, tol=TIGHT).fit(X, y)
    wide = np.column_stack([X, np.full(40, constant)])
    other = RadonTVRegressor(alpha=1e-2, tol=TIGHT).fit(wide, y)
    assert other.scale_[2] == 1.0
    assert other.certificate_.primal == pytest.approx(model.certificate_.primal, rel=1e-8)
    assert np.allclose(other.predict(wide), model.predict(X), **SAME)


def test_single_row_and_constant_targets():
    model = RadonTVRegressor().fit([[1.0, 2.0]], [3.0])
    assert np.allclose(model.predict([[1.0, 2.0], [5.0, 5.0]]), 3.0)
    X = np.arange(6.0)[:, None]
    model = RadonTVRegressor().fit(X, np.zeros(6))
    assert np.all(np.abs(model.predict(X)) <= 1e-12)
    assert model.n_neurons_ == 0


def test_one_feature_with_one_kink():
    X = np.linspace(-1, 1, 21)[:, None]
    model = RadonTVRegressor(alpha=1e-4).fit(X, np.abs(X[:, 0]))
    assert model.n_neurons_ == 1
    knot = model.network_.biases / model.network_.weights[:, 0]
    assert knot == pytest.approx(0.0, abs=1e-6)


def test_warm_start_takes_fewer_rounds_and_gives_the_same(data):
    X, y = data
    cold = RadonTVRegressor(alpha=1e-2, tol=1e-6).fit(X, y)
    warm = RadonTVRegressor(alpha=1.1e-2, tol=1e-6, warm_start=True).fit(X, y)
    warm.set_params(alpha=1e-2).fit(X, y)
    assert warm.n_iter_ <= cold.n_iter_
    assert warm.certificate_.primal == pytest.approx(cold.certificate_.primal, rel=3e-6)


def test_warm_start_survives_other_data(data):
    X, y = data
    model = RadonTVRegressor(alpha=1e-2, warm_start=True).fit(X, y)
    model.fit(50 * X + 3, y)
    assert model.score(50 * X + 3, y) > 0.9
    model.fit(1e-130 * X, y)
    model.fit(1e130 * X, y)
    assert model.score(1e130 * X, y) > 0.9
    model.fit(X[:, :1], y)
    assert model.network_.n_features == 1


def test_warm_start_on_the_same_data_ends_at_once(data):
    X, y = data
    model = RadonTVRegressor(alpha=1e-2, tol=1e-6, warm_start=True).fit(X + 1e9, y)
    assert model.fit(X + 1e9, y).n_iter_ <= 1


def test_clone_pickle_joblib(data, tmp_path):
    X, y = data
    model = RadonTVRegressor(alpha=1e-2).fit(X, y)
    assert not hasattr(clone(model), "network_")
    joblib.dump(model, tmp_path / "model.joblib")
    for copy in (pickle.loads(pickle.dumps(model)), joblib.load(tmp_path / "model.joblib")):
        assert np.array_equal(copy.predict(X), model.predict(X))
        assert copy.certificate_ == model.certificate_
        assert copy.network_ == model.network_


def test_max_neurons_warns_and_is_kept(data):
    X, y = data
    with pytest.warns(ConvergenceWarning, match=r"gap is .* \(local.*tol=0.0001"):
        model = RadonTVRegressor(alpha=1e-3, max_neurons=1).fit(X, y)
    assert model.n_neurons_ <= 1
    assert "neurons" in model.status_


def test_time_limit_warns_and_returns_a_certified_network():
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(200, 6)), rng.normal(size=200)
    with pytest.warns(ConvergenceWarning, match="time limit"):
        model = RadonTVRegressor(time_limit=1e-3, tol=1e-10).fit(X, y)
    assert model.certificate_.dual <= model.certificate_.primal


def test_global_scope_is_a_proof(data):
    X, y = data
    model = RadonTVRegressor(alpha=1e-2, scope="global").fit(X, y)
    assert model.certificate_.scope.value == "global"
    assert model.certificate_.relative_gap <= model.tol


def test_verbose_prints_one_line_per_round(data):
    X, y = data
    text = io.StringIO()
    with redirect_stdout(text):
        model = RadonTVRegressor(alpha=1e-2, verbose=1).fit(X, y)
    lines = text.getvalue().splitlines()
    assert len(lines) == 1 + len(model.history_)
    assert {len(line) for line in lines} == {80}
    assert lines[0].split()[:2] == ["round", "neurons"]


def test_an_interrupted_fit_keeps_its_network_and_says_so(data, monkeypatch):
    def interrupt(self, event):
        raise KeyboardInterrupt

    monkeypatch.setattr(ProgressTable, "__call__", interrupt)
    with pytest.warns(ConvergenceWarning, match="interrupted by Ctrl-C"):
        model = RadonTVRegressor(alpha=1e-2, verbose=1).fit(*data)
    assert model.status_ == Status.INTERRUPTED.value
    assert np.isfinite(model.predict(data[0])).all()
    # As the docstring says, a search can be made to stop.
    search = GridSearchCV(
        RadonTVRegressor(verbose=1), {"alpha": [1e-2, 1.0]}, cv=3, error_score="raise"
    )
    with warnings.catch_warnings():
        warnings.simplefilter("error", ConvergenceWarning)
        with pytest.raises(ConvergenceWarning, match="interrupted"):
            search.fit(*data)


def test_progress_lines_have_a_fixed_width():
    stream = io.StringIO()
    table = ProgressTable(stream)
    for scope in Scope:
        for dual in (-1.5e-99, 0.0, -np.inf):
            table(Event(99999, 12345.6, 1234567, 3e99, dual, 1.0, scope, 0.1, "proof", 123456789))
    assert {len(line) for line in stream.getvalue().splitlines()} == {80}


def test_progress_of_a_long_proof_is_told_ever_more_seldom():
    stream = io.StringIO()
    table = ProgressTable(stream)
    for second in range(1, 1001):
        left = np.inf if second < 5 else 2e6
        table(
            Event(
                9,
                float(second),
                50,
                1.0,
                0.5,
                0.5,
                Scope.GLOBAL,
                0.1,
                "proving",
                10**9,
                12345,
                left,
            )
        )
    lines = stream.getvalue().splitlines()
    assert 20 < len(lines) < 80
    assert all(len(line) <= 96 for line in lines)
    assert "gap 5.0e-01" in lines[0] and "left" not in lines[0]
    assert "(1,000,000,000 boxes, 12,345 open" in lines[0]
    assert lines[-1].endswith("s, at least 23 days left)")


@pytest.mark.parametrize(
    ("open_boxes", "remaining", "end"),
    [
        (7, 44.2, "s, at least 44 s left)\n"),
        (7, 0.1, "7 open, 3 s)\n"),
        (7, 600, "at least 10 min left)\n"),
        (0, 0.0, ""),
    ],
)
def test_progress_tells_no_time_when_there_is_none(open_boxes, remaining, end):
    stream = io.StringIO()
    state = (0, 3.0, 5, 1.0, 0.5, 0.5, Scope.GLOBAL, 0.1, "proving", 10, open_boxes, remaining)
    ProgressTable(stream)(Event(*state))
    assert stream.getvalue().endswith(end)
    assert bool(stream.getvalue()) == bool(end)


@pytest.mark.parametrize(
    ("name", "value"),
    [("alpha", 0.0), ("alpha", -1), ("tol", 0.0), ("scope", "all"), ("max_neurons", 0),
     ("time_limit", -1.0), ("standardize", "yes")],
)  # fmt: skip
def test_wrong_parameters_are_named(data, name, value):
    with pytest.raises(ValueError, match=name):
        RadonTVRegressor(**{name: value}).fit(*data)


def frame_with(**columns):
    return lambda X: pd.DataFrame({"a": X[:, 0], **columns})


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (frame_with(s=["lo", "hi"] * 20), "X holds 'lo' in column 's', row 0"),
        (frame_with(s=["1.5"] * 39 + ["x"]), "X holds 'x' in column 's', row 39"),
        (frame_with(s=pd.Series(["u", "v"] * 20, dtype="category")), "X holds 'u' in column 's'"),
        (frame_with(s=pd.date_range("2020-01-01", periods=40)), "X holds '2020-01-01.* 's'"),
        (lambda X: np.column_stack([X.astype(object), ["t"] * 40]), "X holds 't' in column 2"),
        (lambda X: np.where(X > 0.9, np.nan, X), "Input X contains NaN"),
    ],
)
def test_inputs_that_are_no_numbers_are_named(data, change, words):
    X, y = data
    with pytest.raises(ValueError, match=words):
        RadonTVRegressor().fit(change(X), y)


def test_text_that_is_numbers_is_taken(data):
    X, y = data
    model = RadonTVRegressor(alpha=0.02).fit(pd.DataFrame(X).astype(str), y.astype(str))
    assert np.array_equal(model.predict(X), RadonTVRegressor(alpha=0.02).fit(X, y).predict(X))
    with pytest.raises(ValueError, match=r"y holds 'lo' in row 1.* use RadonTVClassifier"):
        RadonTVRegressor().fit(X, ["1"] + ["lo"] * 39)


def test_warnings_are_about_the_line_that_fits(data):
    with pytest.warns(ConvergenceWarning) as told:
        RadonTVRegressor(max_neurons=1).fit(*data)
    assert [warning.filename for warning in told] == [__file__]


def test_random_state_may_be_a_generator(data):
    for state in (None, np.random.RandomState(3)):
        assert RadonTVRegressor(alpha=1e-2, random_state=state).fit(*data).score(*data) > 0.9


def test_pipeline_grid_search_and_cross_validation(data):
    X, y = data
    pipe = make_pipeline(PolynomialFeatures(2, include_bias=False), RadonTVRegressor())
    grid = GridSearchCV(pipe, {"radontvregressor__alpha": [1e-2, 1.0]}, cv=3).fit(X, y)
    assert grid.best_params_["radontvregressor__alpha"] == 1e-2
    scores = cross_validate(RadonTVRegressor(alpha=1e-2), X, y, cv=3)["test_score"]
    assert scores.mean() > 0.8


def test_no_warning_when_solved(data):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        RadonTVRegressor(alpha=1e-2).fit(*data)


def test_standardization_there_and_back():
    rng = np.random.default_rng(0)
    weights = rng.normal(size=(5, 3))
    weights /= np.linalg.norm(weights, axis=1, keepdims=True)
    network = RidgeSpline(rng.normal(size=5), weights, rng.normal(size=5), rng.normal(size=3), 0.7)
    change = Standardization(np.array([3.0, -40.0, 0.1]), np.array([1e-3, 10.0, 500.0]))
    X = change.mean + change.scale * rng.normal(size=(20, 3))
    assert np.allclose(change.to_original(network)(X), network(change.inputs(X)), rtol=1e-10)
    back = Standardization.identity(3).after(change).to_original(change.to_original(network))
    assert np.allclose(back.weights, network.weights, rtol=1e-9)
    assert np.allclose(back.biases, network.biases, rtol=1e-9)
    assert back.rtv == pytest.approx(network.rtv, rel=1e-9)


@pytest.mark.parametrize("size", [1e-100, 1.0, 1e100])
def test_standardization_of_extreme_columns(size):
    X = size * np.random.default_rng(0).normal(size=(30, 1))
    change = Standardization.of(X, np.ones(30))
    assert change.inputs(X).mean() == pytest.approx(0.0, abs=1e-12)
    assert change.inputs(X).std() == pytest.approx(1.0, rel=1e-12)


# --- other losses ---------------------------------------------------------------------------------

LOSSES = [
    "squared",
    "huber",
    losses.HuberLoss(0.05),
    "absolute",
    losses.QuantileLoss(0.8),
    losses.EpsilonInsensitiveLoss(0.05),
    losses.TubeLoss(0.2),
    "interpolation",
]


@pytest.mark.parametrize("loss", LOSSES, ids=str)
def test_losses_are_those_of_the_problem(data, loss):
    X, y = data
    model = RadonTVRegressor(alpha=0.02, loss=loss).fit(X, y)
    Z = StandardScaler().fit_transform(X)
    problem = RadonTVProblem(Z, y, 0.02, loss=loss)
    expected = solve(problem, tol=1e-4, scope="global").certificate
    assert expected.dual <= model.certificate_.primal * (1 + 1e-9)
    assert model.certificate_.dual <= expected.primal * (1 + 1e-9)
    assert model.certificate_.relative_gap <= 1e-4
    primal = model.standardized_problem(X, y).objective(model.standardized_network())
    assert primal == pytest.approx(model.certificate_.primal, rel=1e-12)
    report = certify(model, X, y, time_limit=20)
    assert report.relative_suboptimality <= 3e-3
    assert not hasattr(clone(model), "network_")
    assert clone(model).loss == loss


def test_parameters_of_losses_are_in_units_of_the_targets(data):
    X, y = data
    model = RadonTVRegressor(alpha=0.02, loss=losses.HuberLoss(0.05), tol=TIGHT).fit(X, y)
    scaled = RadonTVRegressor(alpha=2.0, loss=losses.HuberLoss(5.0), tol=TIGHT).fit(X, 100 * y + 7)
    assert scaled.certificate_.primal == pytest.approx(1e4 * model.certificate_.primal, rel=1e-7)
    assert np.allclose(scaled.predict(X), 100 * model.predict(X) + 7, atol=1e-2)


def test_quantiles_split_the_rows(data):
    X, y = data
    model = RadonTVRegressor(alpha=0.02, loss=losses.QuantileLoss(0.8)).fit(X, y)
    assert 0.7 <= np.mean(y <= model.predict(X) + 1e-6) <= 0.95


def test_counts_are_predicted_by_their_mean(data):
    X, _ = data
    y = np.random.default_rng(0).poisson(np.exp(1 + np.abs(X[:, 0]))).astype(float)
    model = RadonTVRegressor(alpha=0.02, loss="poisson", tol=1e-8).fit(X, y)
    assert np.allclose(model.predict(X), np.exp(model.network_(X)), rtol=1e-9)
    assert model.predict(X).sum() == pytest.approx(y.sum(), rel=1e-6)  # the constant is free
    assert model.score(X, y) == pytest.approx(d2_tweedie_score(y, model.predict(X), power=1))
    affine = RadonTVRegressor(alpha=1e3, loss="poisson", tol=TIGHT).fit(X, y)
    other = PoissonRegressor(alpha=0.0, tol=1e-10, max_iter=1000).fit(X, y)
    assert np.allclose(affine.predict(X), other.predict(X), rtol=1e-5)
    with pytest.raises(ValueError, match="needs counts, y >= 0"):
        RadonTVRegressor(loss="poisson").fit(X, y - 3)
    Y = np.column_stack([y, y[::-1]])
    both = RadonTVRegressor(alpha=0.02, loss="poisson").fit(X, Y)
    assert both.predict(X).shape == (40, 2)
    columns = [d2_tweedie_score(Y[:, c], both.predict(X)[:, c], power=1) for c in (0, 1)]
    assert both.score(X, Y) == pytest.approx(np.mean(columns))


@pytest.mark.parametrize(
    ("loss", "message"),
    [
        ("square", "loss"),
        ("logistic", "loss"),
        (losses.LogisticLoss(), "loss='logistic' is for two classes; use RadonTVClassifier"),
        (3.0, "loss"),
    ],
)
def test_losses_that_are_none_are_refused(data, loss, message):
    with pytest.raises(ValueError, match=message):
        RadonTVRegressor(loss=loss).fit(*data)


@pytest.mark.parametrize("loss", ["tube", "interpolation"])
def test_alpha_of_constraints_is_one(data, loss):
    assert RadonTVRegressor(loss=loss).fit(*data).alpha_ == 1.0


@pytest.mark.parametrize("loss", ["huber", "absolute", "quantile", "epsilon_insensitive"])
def test_bounded_slopes_bound_what_counts_as_rounding(data, loss):
    X, y = data
    problem = RadonTVProblem(X, 1e12 * y, 1.0, loss=loss)
    assert alpha_for(problem, 0.05) == pytest.approx(0.01 * 0.05)
    squared = RadonTVProblem(X, 1e12 * y, 1.0)
    assert alpha_for(squared, 0.05) > 0.05  # rounding of such targets


# --- several outputs ------------------------------------------------------------------------------


@pytest.mark.parametrize("norm", ["l2", "l1"])
def test_columns_of_targets_are_one_problem(data, norm):
    X, y = data
    Y = np.column_stack([y, -y, np.abs(X[:, 1])])
    moved = X + np.array([5.0, -3.0])
    model = RadonTVRegressor(alpha=0.02, output_norm=norm).fit(moved, Y)
    Z = StandardScaler().fit_transform(X)
    expected = solve_multi_output(MultiOutputProblem(Z, Y, 0.02, output_norm=norm), tol=1e-6)
    assert model.certificate_.primal == pytest.approx(expected.certificate.primal, rel=2e-4)
    assert model.predict(moved).shape == (40, 3)
    assert np.allclose(model.network_(moved), model.predict(moved), atol=1e-9)
    assert model.score(moved, Y) > 0.9
    if norm == "l1":
        parts = [RadonTVRegressor(alpha=0.02).fit(X, column) for column in Y.T]
        total = sum(part.certificate_.primal for part in parts)
        assert model.certificate_.primal == pytest.approx(total, rel=3e-4)
    with pytest.raises(TypeError, match=r"RadonTVRegressor with 3 outputs.*certificate_"):
        certify(model, moved, Y)


def test_one_column_is_one_output_and_stays_a_column(data):
    X, y = data
    model = RadonTVRegressor(alpha=0.02).fit(X, y[:, None])
    plain = RadonTVRegressor(alpha=0.02).fit(X, y)
    assert np.array_equal(model.predict(X)[:, 0], plain.predict(X))
    assert model.score(X, y[:, None]) == plain.score(X, y)
    assert not model.network_.vector
    one = RadonTVRegressor(alpha=0.02, loss="absolute").fit(X, y[:, None])
    assert one.predict(X).shape == (40, 1)


def test_norms_that_do_not_exist_are_refused(data):
    X, y = data
    with pytest.raises(ValueError, match="output_norm"):
        RadonTVRegressor(output_norm="l3").fit(X, np.column_stack([y, y]))


def test_warm_start_with_another_number_of_outputs(data):
    X, y = data
    model = RadonTVRegressor(alpha=0.02, warm_start=True).fit(X, y)
    model.fit(X, np.column_stack([y, -y]))
    assert model.predict(X).shape == (40, 2)
    rounds = model.n_iter_
    assert model.fit(X, np.column_stack([y, -y])).n_iter_ <= rounds


def test_other_targets_than_those_of_fit_are_no_problem_of_it(data):
    X, y = data
    model = RadonTVRegressor(alpha=0.02).fit(X, y)
    with pytest.raises(ValueError, match="y has 2 outputs, but that of fit had 1"):
        model.standardized_problem(X, np.column_stack([y, y]))


def test_scores_of_counts_need_the_targets_of_all_outputs(data):
    X, _ = data
    y = np.random.default_rng(0).poisson(2.0, size=40)
    model = RadonTVRegressor(alpha=0.5, loss="poisson").fit(X, np.column_stack([y, y[::-1]]))
    with pytest.raises(ValueError, match=r"y has shape \(40,\), but predictions .*\(40, 2\)"):
        model.score(X, y)
    with pytest.raises(ValueError, match="needs counts"):
        model.score(X, np.column_stack([y, y - 9]))
