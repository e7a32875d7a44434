"""RadonTVClassifier and RadonTVClassifierCV: labels, weights, scores, certificates, choices."""

import pickle
import signal
import warnings

import numpy as np
import pandas as pd
import pytest
from scipy.optimize import minimize
from scipy.special import expit, softmax
from sklearn.base import clone, is_classifier
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss
from sklearn.model_selection import GridSearchCV, StratifiedKFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

from radontv import (
    RadonTVClassifier,
    RadonTVClassifierCV,
    RadonTVRegressor,
    RadonTVRegressorCV,
    certify,
    fitting,
    fixed_penalty,
    penalty_choice,
)
from radontv.largest_margin import least_slope, solve_single
from radontv.one_vs_rest import OneVsRest, joined, split, stacked
from radontv.one_vs_rest_solver import solve_one_vs_rest
from radontv.problems import RadonTVProblem, RidgeSpline, Scope, losses
from radontv.problems.multi_output import MultiOutputProblem
from radontv.problems.vector.multinomial_loss import MultinomialLoss
from radontv.solvers import Status, prove, solve
from radontv.solvers.vector.driver import solve_multi_output

TIGHT = 1e-9
LOSSES = ["logistic", "hinge", "squared_hinge"]


@pytest.fixture
def data():
    """Two classes that overlap: a band, and what is outside of it."""
    rng = np.random.default_rng(0)
    X = rng.uniform(-1, 1, size=(80, 2)) * [1.0, 50.0] + [3.0, -7.0]
    y = np.abs(X[:, 0] - 3.0) + 0.15 * rng.normal(size=80) > 0.5
    return X, np.where(y, "out", "in")


@pytest.fixture
def three():
    """Three classes that overlap."""
    rng = np.random.default_rng(1)
    X = rng.normal(size=(70, 2))
    score = np.abs(X[:, 0]) + 0.2 * rng.normal(size=70)
    return X, np.array(["low", "mid", "top"])[np.digitize(score, [0.5, 1.1])]


@parametrize_with_checks(
    [
        RadonTVClassifier(alpha=0.1),
        RadonTVClassifier(
            alpha=0.2, loss="squared_hinge", warm_start=True, standardize=False, n_jobs=1
        ),
        RadonTVClassifierCV(alphas=[0.3, 0.1], cv=2),
    ]
)
def test_scikit_learn_checks(estimator, check):
    check(estimator)


@pytest.mark.slow  # extreme class weights take the hinge loss many rounds
@parametrize_with_checks(
    [
        RadonTVClassifier(alpha=0.1, loss="hinge"),
        RadonTVClassifierCV(alphas=[0.3, 0.1], cv=2, loss="hinge"),
    ]
)
def test_scikit_learn_checks_of_the_hinge_loss(estimator, check):
    check(estimator)


# --- what is minimised --------------------------------------------------------------------------


@pytest.mark.parametrize("loss", LOSSES)
def test_two_classes_are_one_problem_with_signs(data, loss):
    X, y = data
    model = RadonTVClassifier(alpha=0.02, loss=loss, tol=1e-8).fit(X, y)
    Z = StandardScaler().fit_transform(X)
    problem = RadonTVProblem(Z, np.where(y == "out", 1.0, -1.0), 0.02, loss=loss)
    expected = solve(problem, tol=1e-8).certificate.primal
    assert model.certificate_.primal == pytest.approx(expected, rel=1e-7)
    assert model.classes_.tolist() == ["in", "out"]
    assert isinstance(model.network_, RidgeSpline)
    assert model.decision_function(X).shape == (80,)
    assert np.allclose(model.network_(X), model.decision_function(X), atol=1e-9)
    assert np.array_equal(model.predict(X) == "out", model.decision_function(X) > 0)
    assert model.score(X, y) > 0.85
    assert model.n_neurons_ == model.network_.n_neurons > 0
    assert model.alpha_ == 0.02
    proof = prove(model.standardized_problem(X, y), model.standardized_network(), tol=1e-6)
    assert proof.scope is Scope.GLOBAL
    assert proof.dual <= model.certificate_.primal * (1 + 1e-12)


def test_more_classes_share_neurons_in_one_softmax(three):
    X, y = three
    model = RadonTVClassifier(alpha=0.02, tol=1e-8).fit(X, y)
    Z = StandardScaler().fit_transform(X)
    codes = np.searchsorted(["low", "mid", "top"], y).astype(float)
    problem = MultiOutputProblem(Z, codes, 0.02, loss=MultinomialLoss())
    expected = solve_multi_output(problem, tol=1e-8).certificate.primal
    assert model.certificate_.primal == pytest.approx(expected, rel=1e-7)
    scores = model.decision_function(X)
    assert scores.shape == (70, 3)
    assert np.allclose(scores.sum(axis=1), 0.0, atol=1e-9)
    assert np.allclose(model.predict_proba(X), softmax(scores, axis=1))
    assert np.allclose(model.network_(X), scores, atol=1e-9)
    assert np.array_equal(model.predict(X), model.classes_[scores.argmax(axis=1)])
    assert model.score(X, y) > 0.8


@pytest.mark.parametrize("loss", ["hinge", "squared_hinge"])
def test_other_losses_have_one_problem_for_each_class(three, loss):
    X, y = three
    model = RadonTVClassifier(alpha=0.02, loss=loss, scope="global").fit(X, y)
    parts = [
        RadonTVClassifier(alpha=0.02, loss=loss, scope="global").fit(X, y == c)
        for c in model.classes_
    ]
    for c, part in enumerate(parts):
        assert np.allclose(model.decision_function(X)[:, c], part.decision_function(X), atol=1e-9)
    certificate = model.certificate_
    primal = sum(part.certificate_.primal for part in parts)
    assert certificate.primal == pytest.approx(primal, rel=1e-12)
    assert certificate.dual <= sum(part.certificate_.dual for part in parts)
    assert certificate.dual == pytest.approx(sum(part.certificate_.dual for part in parts))
    assert certificate.relative_gap <= 1e-4
    assert certificate.scope is Scope.GLOBAL
    problem = model.standardized_problem(X, y)
    assert isinstance(problem, OneVsRest)
    assert problem.objective(model.standardized_network()) == pytest.approx(primal, rel=1e-12)


def test_a_joint_bound_is_global_only_if_all_are(three):
    X, _ = three
    y = np.where(X[:, 0] > 0.3, 1.0, -1.0) * np.where(np.arange(70) % 9 == 0, -1.0, 1.0)
    problem = RadonTVProblem(X, y, 0.05, loss="hinge")
    one, two = (solve(problem, scope=scope).certificate for scope in ("global", "local"))
    network = stacked([one.network, two.network])
    assert joined([one, one], network).scope is Scope.GLOBAL
    both = joined([one, two], network)
    assert both.scope is Scope.LOCAL
    assert both.gap >= one.gap + two.gap
    assert both.primal - both.gap == both.dual
    for part, own in zip(split(network), (one.network, two.network), strict=True):
        assert np.allclose(part(X), own(X), atol=1e-12)


def test_one_vs_rest_keeps_limits_and_stops(three):
    X, y = three
    codes = np.searchsorted(["low", "mid", "top"], y).astype(float)
    problem = OneVsRest.of(X, codes, 3, "hinge", np.ones(70)).with_alpha(0.01)
    stopped = solve_one_vs_rest(problem, callback=lambda event: True, tol=1e-12)
    assert stopped.status is Status.INTERRUPTED
    assert stopped.network.n_outputs == 3
    timed = solve_one_vs_rest(problem, time_limit=1e-6, tol=1e-12)
    assert timed.status is Status.TIME_LIMIT
    assert timed.certificate.dual <= timed.certificate.primal
    assert 1 <= len(timed.history) <= 6
    small = solve_one_vs_rest(problem, max_neurons=1)
    assert all(part.n_neurons <= 1 for part in split(small.network))
    full = solve_one_vs_rest(problem, tol=1e-6)
    warm = solve_one_vs_rest(problem, tol=1e-6, warm_start=full.network)
    assert warm.n_iter <= full.n_iter
    assert problem.objective(problem.affine_fit()) >= full.certificate.primal
    largest = problem.alpha_max()
    assert solve_one_vs_rest(problem.with_alpha(1.001 * largest)).network.n_neurons == 0


@pytest.mark.parametrize("scope", ["local", "global"])
def test_rounds_of_one_vs_rest_are_those_of_the_sum(three, scope):
    X, y = three
    codes = np.searchsorted(["low", "mid", "top"], y).astype(float)
    problem = OneVsRest.of(X, codes, 3, "squared_hinge", np.ones(70)).with_alpha(0.01)
    told = []
    found = solve_one_vs_rest(problem, scope=scope, tol=1e-4, callback=told.append)
    assert list(found.history) == told
    certificate, last = found.certificate, told[-1]
    primal, dual = (
        np.array([getattr(event, name) for event in told]) for name in ("primal", "dual")
    )
    assert primal[0] <= 3 * 0.5 + 1e-12  # f = 0
    assert (primal >= certificate.primal * (1.0 - 1e-9)).all()
    assert (dual <= certificate.primal * (1.0 + 1e-9)).all()
    assert last.primal == pytest.approx(certificate.primal, rel=1e-4)
    assert last.gap <= 2e-4
    assert last.scope is certificate.scope
    assert last.n_neurons >= found.network.n_neurons
    assert (np.diff([event.seconds for event in told]) >= 0.0).all()
    assert (np.diff([event.round for event in told]) >= 0).all()
    warm = solve_one_vs_rest(problem, warm_start=found.network, tol=1e-4)
    assert warm.history[0].primal == pytest.approx(certificate.primal, rel=1e-4)


def test_affine_from_alpha_max_on_is_logistic_regression(data):
    X, y = data
    largest = 100 * RadonTVClassifier().fit(X, y).alpha_
    model = RadonTVClassifier(alpha=1.0001 * largest, tol=TIGHT).fit(X, y)
    assert model.n_neurons_ == 0
    Z = StandardScaler().fit_transform(X)
    other = LogisticRegression(C=1e12, tol=1e-10, max_iter=10000).fit(Z, y)
    assert np.allclose(model.predict_proba(X), other.predict_proba(Z), atol=1e-4)


# --- labels, weights, errors --------------------------------------------------------------------


def test_class_weights_are_those_of_the_very_label(data):
    X, y = data
    number = (y == "in").astype(int)
    model = RadonTVClassifier(alpha=0.05, class_weight={0: 1.0, 1: 5.0}).fit(X, number)
    text = RadonTVClassifier(alpha=0.05, class_weight={"0": 1.0, "1": 5.0})
    assert text.fit(X, number.astype(str)).certificate_.primal == model.certificate_.primal
    # A part of the rows may lack a class.
    more = RadonTVClassifier(alpha=0.05, class_weight={0: 1.0, 1: 5.0, 2: 9.0}).fit(X, number)
    assert more.certificate_.primal == model.certificate_.primal
    with pytest.raises(ValueError, match=r"names the class 0, .*'0', '1'.*text and numbers differ"):
        RadonTVClassifier(class_weight={0: 5.0}).fit(X, number.astype(str))


@pytest.mark.parametrize("names", [[0, 1], [7, -3], [True, False], ["a", "b"], [2.0, 1.0]])
def test_classes_of_any_type(data, names):
    X, y = data
    labels = np.array(names)[(y == "out").astype(int)]
    model = RadonTVClassifier(alpha=0.05).fit(X, labels)
    assert model.classes_.tolist() == sorted(names)
    assert model.predict(X).dtype == labels.dtype
    assert model.score(X, labels) > 0.85


def test_object_labels_and_frames(data):
    X, y = data
    frame = pd.DataFrame(X, columns=["u", "v"])
    model = RadonTVClassifier(alpha=0.05).fit(frame, pd.Series(y).astype("category"))
    assert model.feature_names_in_.tolist() == ["u", "v"]
    assert set(model.predict(frame)) == {"in", "out"}
    assert np.array_equal(
        model.predict(frame), RadonTVClassifier(alpha=0.05).fit(X, y.astype(object)).predict(X)
    )


def test_weights_are_repeated_rows_and_zero_is_removed(three):
    X, y = three
    weights = np.arange(70) % 3
    for loss in LOSSES:
        options = {"alpha": 0.05, "loss": loss, "tol": TIGHT}
        one = RadonTVClassifier(**options).fit(X, y, weights)
        two = RadonTVClassifier(**options).fit(X.repeat(weights, 0), y.repeat(weights))
        assert one.certificate_.primal == pytest.approx(two.certificate_.primal, rel=1e-7)
    rare = np.where(y == "top", 0.0, 1.0)
    assert RadonTVClassifier(alpha=0.05).fit(X, y, rare).classes_.tolist() == ["low", "mid"]


def test_balanced_classes_have_the_same_weight(data):
    X, y = data
    keep = np.flatnonzero((y == "in") | (np.arange(80) % 4 == 0))
    X, y = X[keep], y[keep]
    counts = {c: np.sum(y == c) for c in ("in", "out")}
    by_hand = np.array([len(y) / (2 * counts[c]) for c in y])
    options = {"alpha": 0.05, "tol": 1e-8}
    model = RadonTVClassifier(**options, class_weight="balanced").fit(X, y)
    other = RadonTVClassifier(**options).fit(X, y, by_hand)
    given = RadonTVClassifier(
        **options, class_weight={c: len(y) / (2 * counts[c]) for c in counts}
    ).fit(X, y)
    for same in (other, given):
        assert np.allclose(model.decision_function(X), same.decision_function(X), atol=1e-3)
    # A repeated row counts twice for the balance too.
    weights = 1 + np.arange(len(y)) % 2
    weighted = RadonTVClassifier(**options, class_weight="balanced").fit(X, y, weights)
    repeated = RadonTVClassifier(**options, class_weight="balanced").fit(
        X.repeat(weights, 0), y.repeat(weights)
    )
    assert weighted.certificate_.primal == pytest.approx(repeated.certificate_.primal, rel=1e-7)


def test_probabilities_exist_for_the_logistic_loss_only(data, three):
    X, y = data
    model = RadonTVClassifier(alpha=0.05).fit(X, y)
    shares = model.predict_proba(X)
    assert np.allclose(shares[:, 1], expit(model.decision_function(X)))
    assert np.allclose(shares.sum(axis=1), 1.0)
    assert np.allclose(np.exp(model.predict_log_proba(X)), shares)
    far = np.array([[1e9, 0.0], [-1e9, 0.0]])
    assert np.isfinite(model.predict_log_proba(far)).all()
    hinge = RadonTVClassifier(alpha=0.05, loss="hinge")
    assert not hasattr(hinge, "predict_proba")
    for name in ("predict_proba", "predict_log_proba"):
        with pytest.raises(AttributeError) as told:
            getattr(hinge.fit(X, y), name)
        assert "loss='hinge' gives scores but no probabilities" in str(told.value.__cause__)
    with pytest.raises(NotFittedError):
        RadonTVClassifier().predict_proba(X)


@pytest.mark.parametrize(
    ("options", "y", "message"),
    [
        ({}, np.repeat("a", 80), "y has one class only, .*at least two classes"),
        ({}, np.linspace(0, 1, 80), "[Uu]nknown label type"),
        ({"loss": "squared"}, None, "loss"),
        ({"loss": "logistic", "label_smoothing": 0.5}, None, "label_smoothing"),
        ({"loss": "hinge", "label_smoothing": 0.1}, None, "belongs to loss='logistic'"),
        ({"class_weight": {"in": 0.0}}, None, "class_weight gives the class 'in' the weight 0"),
        ({"class_weight": {"in": np.inf}}, None, "class_weight gives the class 'in'"),
        ({"class_weight": {"in": "x"}}, None, "class_weight gives the class 'in' the weight 'x'"),
        ({"class_weight": {"on": 2}}, None, "names the class 'on', .* its classes are 'in', 'out'"),
        ({"class_weight": {"in": 2, "on": 2}}, None, "class_weight names the class 'on'"),
        ({"class_weight": "even"}, None, "class_weight"),
        ({}, np.array([None] + ["a", "b"] * 40)[:80], "y holds None in row 0, which is no class"),
        ({}, np.array(["a", "b"] * 39 + ["a", np.nan], dtype=object), "y holds nan in row 79"),
        ({}, np.array([1, "a"] * 40, dtype=object), "y mixes classes such as 'a' and 1"),
        ({"alpha": -1.0}, None, "alpha"),
    ],
)
def test_faults_are_named(data, options, y, message):
    X, own = data
    with pytest.raises(ValueError, match=message):
        RadonTVClassifier(**options).fit(X, own if y is None else y)


def test_classes_that_fit_has_not_seen_are_named(data):
    X, y = data
    model = RadonTVClassifier(alpha=0.05).fit(X, y)
    with pytest.raises(ValueError, match="class 'new', which fit has not seen"):
        model.standardized_problem(X, np.r_[["new"], y[1:]])


# --- label smoothing ------------------------------------------------------------------------------


def test_separable_classes_get_smoothed_labels():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(50, 3))
    y = X @ [1.0, 2.0, 0.0] > 0.1
    model = RadonTVClassifier(alpha=0.01).fit(X, y)
    assert model.label_smoothing_ == 0.01
    assert model.score(X, y) > 0.95
    assert np.abs(model.decision_function(X)).max() < 50
    assert model.certificate_.relative_gap <= 1e-4
    with pytest.raises(ValueError, match=r"leaves no minimiser: .* use 'auto' or 0.01"):
        RadonTVClassifier(alpha=0.01, label_smoothing=0.0).fit(X, y)
    for loss in ("hinge", "squared_hinge"):
        other = RadonTVClassifier(alpha=0.01, loss=loss).fit(X, y)
        assert other.label_smoothing_ == 0.0
        assert other.score(X, y) == 1.0
    three = np.digitize(X[:, 0], [-0.5, 0.5])
    assert RadonTVClassifier(alpha=0.01).fit(X, three).label_smoothing_ == 0.01


@pytest.mark.parametrize("unit", [1.0, 1e100, 1e-100])
def test_the_question_of_an_optimum_knows_no_units(data, unit):
    X, y = data
    moved = X * [unit, 1.0]
    assert RadonTVClassifier(alpha=0.05).fit(moved, y).label_smoothing_ == 0.0
    assert RadonTVClassifier(alpha=0.05).fit(moved, X[:, 0] > 3.0).label_smoothing_ == 0.01


def test_given_smoothing_is_used(three, data):
    X, y = three
    model = RadonTVClassifier(alpha=0.05, label_smoothing=0.2).fit(X, y)
    assert model.label_smoothing_ == 0.2
    assert model.standardized_problem(X, y).loss.label_smoothing == 0.2
    X, y = data
    model = RadonTVClassifier(alpha=0.05, label_smoothing=0.1).fit(X, y)
    assert model.standardized_problem(X, y).loss == losses.LogisticLoss(0.1)


# --- hinge loss without loss ----------------------------------------------------------------------


@pytest.mark.parametrize("d", [1, 3, 40])
def test_separable_hinge_takes_the_least_slope(d):
    rng = np.random.default_rng(d)
    X = rng.normal(size=(25, d)) + 7.0
    y = np.where(X[:, 0] > 7.0, 1.0, -1.0) if d < 25 else rng.choice([-1.0, 1.0], size=25)
    problem = RadonTVProblem(X, y, 0.1, loss="hinge")
    network = least_slope(problem)
    middle = 0.5 * (X.min(axis=0) + X.max(axis=0))
    unit = np.abs(X - middle).max()
    G = y[:, None] * np.column_stack([(X - middle) / unit, np.ones(25)])
    found = minimize(
        lambda x: 0.5 * x @ x,
        np.append(network.coef * unit, network.intercept + network.coef @ middle) * 1.5,
        jac=lambda x: x,
        constraints={"type": "ineq", "fun": lambda x: G @ x - 1, "jac": lambda x: G},
        options={"maxiter": 1000, "ftol": 1e-14},
    )
    own = np.append(network.coef * unit, network.intercept + network.coef @ middle)
    assert own @ own == pytest.approx(found.x @ found.x, rel=1e-5)
    assert (y * network(X)).min() == pytest.approx(1.0, abs=1e-9)
    solution = solve_single(problem)
    assert solution.network == network
    assert solution.certificate.relative_gap == 0.0
    assert solution.certificate.primal <= solution.certificate.resolution


def test_hinge_with_loss_is_left_alone(data):
    X, y = data
    problem = RadonTVProblem(X, np.where(y == "in", 1.0, -1.0), 1e9, loss="hinge")
    assert least_slope(problem) is None
    assert solve_single(problem).certificate.primal > 0.1
    flat = RadonTVProblem(np.zeros((4, 2)), [1.0, 1, -1, 1], 1.0, loss="hinge")
    assert least_slope(flat) is None


# --- estimator contracts --------------------------------------------------------------------------


def test_warm_start_survives_other_classes(data, three):
    model = RadonTVClassifier(alpha=0.05, warm_start=True).fit(*data)
    model.fit(*three)
    rounds = model.n_iter_
    model.fit(*three)
    assert model.n_iter_ <= rounds
    assert model.classes_.tolist() == ["low", "mid", "top"]
    assert model.fit(*data).score(*data) > 0.85


def press(*arguments, **options):
    signal.raise_signal(signal.SIGINT)


@pytest.mark.parametrize("stage", ["alpha_max", "solve", "keep"])
@pytest.mark.parametrize(
    "model",
    [
        RadonTVClassifier(),
        RadonTVClassifier(warm_start=True, loss="squared_hinge"),
        RadonTVClassifierCV(alphas=2, eps=0.1, cv=2),
        RadonTVRegressor(),
        RadonTVRegressorCV(alphas=2, eps=0.1, cv=2),
    ],
)
def test_an_interrupted_refit_leaves_the_model_whole(model, stage, data, three, monkeypatch):
    X, y = data
    frame = pd.DataFrame(np.column_stack([three[0], three[0][:, 0] ** 2]), columns=list("abc"))
    labels = three[1]
    if not is_classifier(model):
        y, labels = (y == "out").astype(float), np.eye(3)[np.unique(labels, return_inverse=True)[1]]
    places = {
        "alpha_max": [(fixed_penalty, "largest_alpha"), (penalty_choice, "largest_alpha")],
        "solve": [(fitting, "solve")],
        "keep": [(fitting.Standardization, "to_original")],
    }

    def fit_in_vain(model):
        with monkeypatch.context() as patch:
            for place, name in places[stage]:
                patch.setattr(place, name, press)
            with pytest.raises(KeyboardInterrupt):
                model.fit(frame, labels)

    model = clone(model)
    fit_in_vain(model)
    assert vars(model).keys() == vars(clone(model)).keys()  # nothing but parameters
    with pytest.raises(NotFittedError):
        model.predict(frame)
    model.fit(X, y)
    before, answer = dict(vars(model)), model.predict(X)
    fit_in_vain(model)
    assert vars(model).keys() == before.keys()
    assert all(value is before[name] for name, value in vars(model).items())
    assert (model.predict(X) == answer).all()
    model.fit(frame, labels)
    assert model.n_features_in_ == 3 and model.feature_names_in_.tolist() == list("abc")


@pytest.mark.parametrize("y", [np.zeros(80), np.full(80, np.nan)])
def test_a_refit_of_faulty_data_leaves_the_model_whole(data, y):
    model = RadonTVClassifier(alpha=0.1).fit(*data)
    answer = model.predict(data[0])
    with pytest.raises(ValueError):
        model.fit(data[0][:, :1], y)
    assert model.n_features_in_ == 2
    assert (model.predict(data[0]) == answer).all()


@pytest.mark.parametrize("offset", [0.0, 1e8])
def test_scores_of_the_certified_network_whatever_the_offset(three, offset):
    X, y = three
    model = RadonTVClassifier(alpha=0.05).fit(X + offset, y)
    problem, network = model.standardized_problem(X + offset, y), model.standardized_network()
    assert problem.objective(network) == pytest.approx(model.certificate_.primal, rel=1e-12)
    assert np.allclose(model.network_(X + offset), model.decision_function(X + offset), atol=1e-4)


def test_pickle_clone_and_searches(three):
    X, y = three
    model = RadonTVClassifier(alpha=0.05).fit(X, y)
    copy = pickle.loads(pickle.dumps(model))
    assert np.array_equal(copy.predict_proba(X), model.predict_proba(X))
    assert not hasattr(clone(model), "classes_")
    pipe = make_pipeline(StandardScaler(), RadonTVClassifier())
    search = GridSearchCV(pipe, {"radontvclassifier__alpha": [0.05, 0.5]}, cv=2)
    assert search.fit(X, y).best_params_ == {"radontvclassifier__alpha": 0.05}


def test_limits_warn(three):
    with pytest.warns(ConvergenceWarning, match="limit on neurons") as told:
        model = RadonTVClassifier(alpha=1e-3, max_neurons=1).fit(*three)
    assert told[0].filename == __file__
    assert model.n_neurons_ <= 1


def test_certify_judges_two_classes(data, three):
    X, y = data
    for loss in LOSSES:
        report = certify(RadonTVClassifier(alpha=0.05, loss=loss).fit(X, y), X, y)
        assert report.scope is Scope.GLOBAL
        assert report.relative_suboptimality <= 2e-3
    with pytest.raises(TypeError, match=r"RadonTVClassifier with 3 outputs.*certificate_"):
        certify(RadonTVClassifier(alpha=0.05).fit(*three), *three)


# --- cross-validation -----------------------------------------------------------------------------


def by_hand(X, y, splits, alphas, loss):
    errors = np.empty((len(alphas), len(splits)))
    for k, (train, test) in enumerate(splits):
        for j, alpha in enumerate(alphas):
            model = RadonTVClassifier(alpha=alpha, loss=loss, tol=1e-8).fit(X[train], y[train])
            if loss == "logistic":
                shares = model.predict_proba(X[test])
                errors[j, k] = log_loss(y[test], shares, labels=model.classes_)
            else:
                errors[j, k] = 1.0 - model.score(X[test], y[test])
    return errors


@pytest.mark.parametrize("loss", ["logistic", "squared_hinge"])
@pytest.mark.parametrize("kind", ["two", "three"])
def test_errors_are_those_of_separate_fits(data, three, loss, kind):
    X, y = data if kind == "two" else three
    options = {"alphas": 4, "eps": 0.05, "cv": 3, "tol": 1e-8, "path_tol": 1e-8}
    model = RadonTVClassifierCV(**options, loss=loss).fit(X, y)
    assert model.label_smoothing_ == 0.0
    splits = list(StratifiedKFold(3).split(X, y))
    expected = by_hand(X, y, splits, model.alphas_, loss)
    assert np.allclose(model.error_path_, expected, rtol=1e-2, atol=1e-6)
    share = np.array([len(test) for _, test in splits]) / len(y)
    assert np.allclose(model.mean_error_, model.error_path_ @ share, rtol=1e-12)
    assert model.best_index_ == np.argmin(model.mean_error_)
    final = RadonTVClassifier(alpha=model.alpha_, loss=loss, tol=1e-8).fit(X, y)
    assert model.certificate_.primal == pytest.approx(final.certificate_.primal, rel=1e-7)


def test_scoring_and_selection(data):
    X, y = data
    options = {"alphas": 6, "eps": 0.01, "cv": 4}
    model = RadonTVClassifierCV(**options, scoring="accuracy").fit(X, y)
    counts = model.error_path_ * 20  # rows in a validation part
    assert np.allclose(counts, np.round(counts))
    least = RadonTVClassifierCV(**options).fit(X, y)
    other = RadonTVClassifierCV(**options, selection="1se").fit(X, y)
    assert np.array_equal(other.error_path_, least.error_path_)
    assert other.alpha_ >= least.alpha_
    assert cross_val_score(least, X, y, cv=2).mean() > 0.7
    with pytest.raises(ValueError, match="scoring='neg_log_loss' needs probabilities"):
        RadonTVClassifierCV(loss="hinge", scoring="neg_log_loss").fit(X, y)
    with pytest.raises(ValueError, match=r"n_samples=4 .* cv=5 .*RadonTVClassifier"):
        RadonTVClassifierCV().fit(X[:4], ["a", "b", "a", "b"])


def test_one_separable_fold_smooths_all():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(40, 1))
    y = X[:, 0] > 0
    y[:3] = ~y[:3]  # without the first ten rows the classes are separable
    splits = [(np.arange(10, 40), np.arange(10)), (np.arange(30), np.arange(30, 40))]
    model = RadonTVClassifierCV(alphas=3, eps=0.1, cv=splits).fit(X, y)
    assert model.label_smoothing_ == 0.01
    assert RadonTVClassifierCV(alphas=3, eps=0.1, cv=splits[1:]).fit(X, y).label_smoothing_ == 0
    with pytest.raises(ValueError, match="no minimiser"):
        RadonTVClassifierCV(alphas=3, eps=0.1, cv=splits, label_smoothing=0.0).fit(X, y)


@pytest.mark.parametrize("loss", LOSSES)
def test_a_class_that_a_training_part_lacks(three, loss):
    X, y = three
    lacking = (np.flatnonzero(y != "top"), np.flatnonzero(y == "top"))
    splits = [lacking, (np.arange(40), np.arange(40, 70))]
    model = RadonTVClassifierCV(alphas=[0.3, 0.1], cv=splits, loss=loss).fit(X, y)
    assert np.isfinite(model.error_path_).all()
    assert model.label_smoothing_ == (0.01 if loss == "logistic" else 0.0)
    assert model.decision_function(X).shape == (70, 3)


def test_time_limits_and_jobs(three):
    X, y = three
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        model = RadonTVClassifierCV(time_limit=1e-6).fit(X, y)
    assert any("among the 1 largest of 20" in str(w.message) for w in told)
    assert all(w.filename == __file__ for w in told)
    assert model.best_index_ == 0
    for loss in ("logistic", "hinge"):
        options = {"alphas": [0.3, 0.1], "cv": 3, "loss": loss}
        one, two = (RadonTVClassifierCV(**options, n_jobs=n).fit(X, y) for n in (None, 2))
        assert np.array_equal(one.error_path_, two.error_path_)
        assert np.array_equal(one.predict(X), two.predict(X))
