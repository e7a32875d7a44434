"""RadonTVRegressorCV: folds, curve, choice, and what ends the search early."""

import os
import pickle
import signal
import threading
import time
import warnings
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from sklearn import config_context
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LinearRegression
from sklearn.model_selection import (
    GroupKFold,
    KFold,
    LeaveOneOut,
    ShuffleSplit,
    StratifiedKFold,
    cross_val_score,
)
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks
from threadpoolctl import threadpool_info, threadpool_limits

from radontv import (
    RadonTVClassifierCV,
    RadonTVRegressor,
    RadonTVRegressorCV,
    certify,
    cross_validation,
)
from radontv.problems import RadonTVProblem, losses
from radontv.solvers import Status, solve
from radontv.standardization import Standardization
from radontv.validation_curve import ValidationCurve

SMALL = {"alphas": 4, "eps": 0.1, "cv": 3}
SETTINGS = [
    RadonTVRegressorCV(alphas=3, eps=0.3, cv=3),
    RadonTVRegressorCV(alphas=2, eps=0.5, cv=4, selection="1se", n_jobs=2, tol=1e-6),
    RadonTVRegressorCV(alphas=[0.3, 1.0], cv=2, standardize=False),
    RadonTVRegressorCV(alphas=[1.0, 0.5], cv=2, loss="huber"),
]


@pytest.fixture
def data():
    rng = np.random.default_rng(0)
    X = rng.uniform(-1, 1, size=(60, 2)) * [1.0, 50.0] + [3.0, -7.0]
    y = np.abs(X[:, 0] - 3.0) + 0.2 * (X[:, 1] > -7.0) + 0.1 * rng.normal(size=60)
    return X, y


@parametrize_with_checks(SETTINGS)
def test_scikit_learn_checks(estimator, check):
    check(estimator)


@pytest.mark.slow  # the default penalties pass too, but take seven minutes
@parametrize_with_checks([RadonTVRegressorCV(alphas=4, eps=0.1)])
def test_scikit_learn_checks_with_the_default_folds(estimator, check):
    check(estimator)


# --- the curve is that of fits done by hand -----------------------------------------------------


def by_hand(X, y, weights, splits, alphas, tol):
    """Return errors from separate cold fits, each with its own standardisation."""
    errors = np.empty((len(alphas), len(splits)))
    for k, (train, test) in enumerate(splits):
        for j, alpha in enumerate(alphas):
            model = RadonTVRegressor(alpha=alpha, tol=tol).fit(X[train], y[train], weights[train])
            apart = (y[test] - model.predict(X[test])) ** 2
            errors[j, k] = np.average(apart, weights=weights[test])
    return errors


@pytest.mark.parametrize("weighted", [False, True])
def test_errors_are_those_of_separate_fits(data, weighted):
    X, y = data
    weights = np.random.default_rng(1).uniform(0.5, 3.0, size=60) if weighted else np.ones(60)
    options = {"alphas": 5, "eps": 1e-2, "path_tol": 1e-8, "tol": 1e-8}
    model = RadonTVRegressorCV(**options).fit(X, y, weights if weighted else None)
    splits = list(KFold(5).split(X))
    expected = by_hand(X, y, weights, splits, model.alphas_, 1e-8)
    assert np.allclose(model.mse_path_, expected, rtol=1e-3)
    share = np.array([weights[test].sum() for _, test in splits]) / weights.sum()
    assert np.allclose(model.mean_error_, model.mse_path_ @ share, rtol=1e-12)
    assert model.best_index_ == np.argmin(expected @ share)
    assert model.alpha_ == model.alphas_[model.best_index_]
    final = RadonTVRegressor(alpha=model.alpha_, tol=1e-8).fit(X, y, weights)
    assert model.certificate_.primal == pytest.approx(final.certificate_.primal, rel=1e-7)
    assert np.allclose(model.predict(X), final.predict(X), atol=1e-3)


def test_the_grid_starts_at_alpha_max_of_all_rows(data):
    X, y = data
    model = RadonTVRegressorCV(alphas=5, eps=1e-2, cv=3).fit(X, y)
    Z = StandardScaler().fit_transform(X)
    largest = RadonTVProblem(Z, y, alpha=1.0).alpha_max()
    assert np.allclose(model.alphas_, largest * np.logspace(0, -2, 5), rtol=1e-9)


def test_given_alphas_are_sorted_and_counted_once(data):
    model = RadonTVRegressorCV(alphas=[0.01, 1, 0.1, 0.1], cv=3).fit(*data)
    assert model.alphas_.tolist() == [1.0, 0.1, 0.01]
    assert model.mse_path_.shape == (3, 3)


def test_nothing_leaks_from_the_rows_left_out(data):
    X, y = data
    splits = [(np.arange(40), np.arange(40, 60))]
    options = {"alphas": [0.1, 0.01], "cv": splits, "path_tol": 1e-8}
    seen = []
    original = RadonTVRegressorCV._prepared

    class Spy(RadonTVRegressorCV):
        def _prepared(self, data):
            found = original(self, data)
            seen.append((len(data.targets), found[1].mean.tolist(), found[1].scale.tolist()))
            return found

    Spy(**options).fit(X, y)
    wild = X.copy()
    wild[40:] *= 1e3
    Spy(**options).fit(wild, np.r_[y[:40], 1e3 * y[40:]])
    folds_only = [entry for entry in seen if entry[0] == 40]
    assert len(folds_only) == 2
    assert folds_only[0] == folds_only[1]


def test_results_do_not_depend_on_n_jobs(data):
    models = [RadonTVRegressorCV(**SMALL, n_jobs=n).fit(*data) for n in (None, 1, 2, -1)]
    for model in models[1:]:
        assert np.array_equal(model.mse_path_, models[0].mse_path_)
        assert np.array_equal(model.predict(data[0]), models[0].predict(data[0]))


def test_blas_has_one_thread_around_folds_at_the_same_time_and_then_as_before(data, monkeypatch):
    def counts():
        return [pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"]

    seen = []
    original = cross_validation.solve

    def watched(*arguments, **options):
        seen.append(counts())
        return original(*arguments, **options)

    monkeypatch.setattr(cross_validation, "solve", watched)
    with threadpool_limits(2, user_api="blas"):
        before = counts()
        RadonTVRegressorCV(**SMALL, n_jobs=3).fit(*data)
        assert counts() == before
    assert seen == [[1] * len(before)] * 12


def test_a_smaller_penalty_than_the_default_is_found(data):
    X, y = data
    model = RadonTVRegressorCV().fit(X, y)
    assert 0 < model.best_index_ < 20
    assert model.score(X, y) > LinearRegression().fit(X, y).score(X, y)
    affine = model.mean_error_[0]
    assert model.mean_error_[model.best_index_] < affine


# --- weights --------------------------------------------------------------------------------------


def test_weights_are_repeated_rows(data):
    X, y = data
    weights = np.arange(60) % 3
    groups = np.arange(60) // 15
    splits = [(np.flatnonzero(groups != g), np.flatnonzero(groups == g)) for g in range(4)]
    copies = np.repeat(groups, weights)
    repeated = [(np.flatnonzero(copies != g), np.flatnonzero(copies == g)) for g in range(4)]
    options = {"alphas": 5, "eps": 1e-2, "tol": 1e-9, "path_tol": 1e-9}
    one = RadonTVRegressorCV(**options, cv=splits).fit(X, y, weights)
    two = RadonTVRegressorCV(**options, cv=repeated).fit(X.repeat(weights, 0), y.repeat(weights))
    assert np.allclose(one.alphas_, two.alphas_, rtol=1e-9)
    assert np.allclose(one.mse_path_, two.mse_path_, rtol=1e-4)
    assert np.allclose(one.mean_error_, two.mean_error_, rtol=1e-4)
    assert np.allclose(one.standard_error_, two.standard_error_, rtol=1e-3)
    assert one.best_index_ == two.best_index_


@pytest.mark.parametrize("cv", [4, KFold(4), "splits", "masks"])
def test_rows_of_weight_zero_are_removed_rows(data, cv):
    X, y = data
    live = np.random.default_rng(3).uniform(size=60) < 0.8
    wild = np.where(live[:, None], X, 1e100)
    full, short = cv, cv
    if isinstance(cv, str):
        short = list(KFold(4).split(X[live]))
        place = np.flatnonzero(live)
        full = [(place[a], np.r_[place[b], np.flatnonzero(~live)[:2]]) for a, b in short]
        if cv == "masks":
            full = [tuple(np.isin(np.arange(60), part) for part in pair) for pair in full]
    options = {"alphas": 4, "eps": 0.1}
    one = RadonTVRegressorCV(**options, cv=full).fit(wild, y, live.astype(float))
    two = RadonTVRegressorCV(**options, cv=short).fit(X[live], y[live])
    assert np.array_equal(one.mse_path_, two.mse_path_)
    assert one.alpha_ == two.alpha_


def test_scaled_weights_change_nothing(data):
    X, y = data
    weights = np.random.default_rng(1).uniform(0.5, 3.0, size=60)
    one = RadonTVRegressorCV(**SMALL).fit(X, y, weights)
    two = RadonTVRegressorCV(**SMALL).fit(X, y, 1024.0 * weights)
    assert np.allclose(one.mse_path_, two.mse_path_, rtol=1e-9)


# --- the choice -----------------------------------------------------------------------------------


def curve(errors, weights=None, noise=0.0):
    errors = np.asarray(errors, dtype=float)
    weights = np.ones(errors.shape[1]) if weights is None else np.asarray(weights, dtype=float)
    alphas = np.arange(len(errors), 0, -1.0)
    return ValidationCurve(alphas, errors, weights / weights.sum(), noise)


def test_mean_and_standard_error_are_those_of_the_textbook():
    errors = np.random.default_rng(0).uniform(1, 2, size=(3, 5))
    found = curve(errors)
    assert np.allclose(found.mean, errors.mean(axis=1))
    assert np.allclose(found.standard_error, errors.std(axis=1, ddof=1) / np.sqrt(5))
    doubled = curve(errors, [2.0, 1, 1, 1, 1])
    assert np.allclose(doubled.mean, np.average(errors, axis=1, weights=[2, 1, 1, 1, 1]))
    assert np.allclose(curve(1e300 * errors).standard_error, 1e300 * found.standard_error)
    assert np.isnan(curve(errors[:, :1]).standard_error).all()


def test_least_error_and_one_standard_error():
    errors = np.array([[5, 5.2], [3.1, 3.3], [2.9, 3.4], [2.8, 3.2], [4, 4.4]])
    found = curve(errors)
    assert found.choose() == 3
    assert found.standard_error[3] == pytest.approx(0.2)
    assert found.choose("1se") == 1  # 3.2 <= 3.0 + 0.2
    errors[1] += 0.01
    assert curve(errors).choose("1se") == 2
    with pytest.raises(ValueError, match=r"selection must be one of .*got 'best'"):
        found.choose("best")


def test_among_equal_errors_the_largest_penalty_wins():
    assert curve([[3.0], [2.0], [2.0], [4.0]]).choose() == 1
    assert curve([[3.0], [2.0 * (1 + 1e-15)], [2.0], [4.0]]).choose() == 1
    assert curve([[3e-30], [1e-30], [2e-30]]).choose() == 1
    assert curve([[3e-30], [1e-30], [2e-30]], noise=1e-29).choose() == 0


def test_only_penalties_that_all_folds_reached_are_chosen():
    nan = np.nan
    found = curve([[3.0, 3.0], [2.5, 2.0], [1.0, nan], [0.5, nan]])
    assert found.reached == 2
    assert found.choose() == 1
    assert np.isnan(found.mean).tolist() == [False, False, True, True]
    assert curve([[3.0, 3.0], [2.0, nan]]).choose() == 0


def test_infinite_errors_are_not_chosen():
    assert curve([[np.inf, 1.0], [3.0, 2.0], [np.inf, np.inf]]).choose("1se") == 1
    assert curve([[np.inf, 1.0], [np.inf, 2.0]]).choose() == 0


def test_selection_by_one_standard_error_gives_a_smaller_network(data):
    X, y = data
    least = RadonTVRegressorCV(cv=5).fit(X, y)
    model = RadonTVRegressorCV(cv=5, selection="1se").fit(X, y)
    assert np.array_equal(model.mse_path_, least.mse_path_)
    assert model.alpha_ > least.alpha_
    most = least.mean_error_[least.best_index_] + least.standard_error_[least.best_index_]
    assert model.mean_error_[model.best_index_] <= most
    assert (model.mean_error_[: model.best_index_] > most).all()
    one = [(np.arange(40), np.arange(40, 60))]
    with pytest.raises(ValueError, match=r"selection='1se' needs .* 1 fold"):
        RadonTVRegressorCV(cv=one, selection="1se").fit(X, y)


# --- the final model --------------------------------------------------------------------------


def test_it_is_a_fitted_regressor(data):
    X, y = data
    model = RadonTVRegressorCV(**SMALL).fit(pd.DataFrame(X, columns=["a", "b"]), y)
    assert model.feature_names_in_.tolist() == ["a", "b"]
    frame = pd.DataFrame(X, columns=["a", "b"])
    assert np.allclose(model.predict(frame), model.network_(X), rtol=1e-10)
    assert model.certificate_.relative_gap <= model.tol
    assert model.status_ == Status.SOLVED.value
    assert model.n_neurons_ == model.network_.n_neurons
    problem = model.standardized_problem(frame, y)
    primal = problem.objective(model.standardized_network())
    assert primal == pytest.approx(model.certificate_.primal, rel=1e-12)
    copy = pickle.loads(pickle.dumps(model))
    assert np.array_equal(copy.predict(frame), model.predict(frame))
    assert not hasattr(clone(model), "alpha_")
    report = certify(model, frame, y, time_limit=5)
    assert "RadonTVRegressorCV" in str(report)


def test_global_scope_is_for_the_final_fit(data):
    model = RadonTVRegressorCV(**SMALL, scope="global").fit(*data)
    assert model.certificate_.scope.value == "global"


def test_pipeline_and_nested_cross_validation(data):
    X, y = data
    pipe = make_pipeline(StandardScaler(), RadonTVRegressorCV(**SMALL))
    assert cross_val_score(pipe, X, y, cv=KFold(3, shuffle=True, random_state=0)).mean() > 0.3


def test_groups_reach_the_splitter_by_metadata_routing(data):
    X, y = data
    groups = np.random.default_rng(0).integers(0, 6, size=60)
    weights = np.r_[np.zeros(5), np.ones(55)]
    with config_context(enable_metadata_routing=True):
        model = RadonTVRegressorCV(alphas=3, eps=0.1, cv=GroupKFold(3))
        model.fit(X, y, weights, groups=groups)
    splits = list(GroupKFold(3).split(X[5:], y[5:], groups[5:]))
    expected = RadonTVRegressorCV(alphas=3, eps=0.1, cv=splits).fit(X[5:], y[5:])
    assert np.array_equal(model.mse_path_, expected.mse_path_)
    with pytest.raises(ValueError, match="routing"):
        model.fit(X, y, groups=groups)


def test_routing_leaves_an_iterator_of_splits_alone(data):
    model = RadonTVRegressorCV(alphas=3, eps=0.1, cv=KFold(3).split(data[0]))
    with config_context(enable_metadata_routing=True):
        model.get_metadata_routing()  # what a search around it calls
        model.fit(*data)
    assert model.mse_path_.shape == (3, 3)


def test_each_class_has_to_be_in_some_fold(data):
    X, _ = data
    with pytest.raises(ValueError, match=r"cv=4 stratified folds .* largest has 3; .* at most 3"):
        RadonTVClassifierCV(cv=4).fit(X[:6], [0, 1] * 3)
    with pytest.raises(ValueError, match=r"the largest has 1; choose a splitter such as KFold"):
        RadonTVClassifierCV(cv=2).fit(X[:2], [0, 1])


def test_a_fold_without_an_optimum_is_named():
    X, y = np.arange(12.0)[:, None], np.tile([1.0, 0.0], 6)
    splits = [(np.arange(12), [0]), ([0, 1, 3, 5], [2])]  # zeros on one side of the only count
    assert RadonTVRegressorCV(alphas=[0.1], cv=splits[:1], loss="poisson").fit(X, y).alpha_ == 0.1
    with pytest.raises(ValueError, match="Fold 1 of cv: loss='poisson' has no minimiser"):
        RadonTVRegressorCV(alphas=[0.1], cv=splits, loss="poisson").fit(X, y)


@pytest.mark.parametrize("state", [None, np.random.RandomState(3)])
def test_random_state_may_be_a_generator(data, state):
    assert RadonTVRegressorCV(**SMALL, random_state=state).fit(*data).score(*data) > 0.3


def test_verbose_tells_each_fold(data, capsys):
    RadonTVRegressorCV(**SMALL, verbose=1).fit(*data)
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(":")[0] for line in lines[:3]] == ["fold 0", "fold 1", "fold 2"]
    assert "4 alphas" in lines[0]
    assert lines[3].split()[:2] == ["round", "neurons"]


# --- degenerate data ------------------------------------------------------------------------------


@pytest.mark.parametrize("scale", [1.0, 1e-100, 1e100])
@pytest.mark.parametrize("offset", [0.0, 1e6])
def test_affine_targets_get_the_largest_penalty(data, scale, offset):
    X, _ = data
    y = scale * (X @ [2.0, -1.0] + offset)
    model = RadonTVRegressorCV(alphas=4, cv=4).fit(X, y)
    assert model.best_index_ == 0
    assert model.n_neurons_ == 0
    assert np.allclose(model.predict(X), y, rtol=1e-9, atol=0)


def test_constant_targets(data):
    model = RadonTVRegressorCV(alphas=3, cv=3).fit(data[0], np.zeros(60))
    assert np.abs(model.predict(data[0])).max() <= 1e-12
    assert model.best_index_ == 0


def test_fewer_rows_than_features():
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(12, 20)), rng.normal(size=12)
    model = RadonTVRegressorCV(alphas=3, cv=3).fit(X, y)
    assert model.n_neurons_ == 0
    assert np.isfinite(model.mse_path_).all()
    assert model.best_index_ == 0  # all penalties give the same affine functions


@pytest.mark.parametrize("unit", [1e-120, 1.0, 1e120])
def test_a_feature_that_is_constant_in_a_training_part_is_not_used_there(unit):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(60, 6))  # from six features on, unused ones have weights of 1e-16
    y = np.abs(X[:, 0]) + np.sin(X[:, 1])
    rare = np.zeros(60)
    rare[-3:] = unit
    options = {"alphas": [0.1, 0.01], "cv": 3, "path_tol": 1e-8, "tol": 1e-2}
    model = RadonTVRegressorCV(**options).fit(np.insert(X, 2, rare, axis=1), y)
    plain = RadonTVRegressorCV(**options).fit(X, y)
    assert np.allclose(model.mse_path_[:, 2], plain.mse_path_[:, 2], rtol=1e-2)


def test_repeated_rows_and_grids():
    grid = np.array([[i, j] for i in range(5) for j in range(5)], dtype=float).repeat(3, axis=0)
    y = np.maximum(grid[:, 0] - 2, 0) + 0.1 * np.random.default_rng(0).normal(size=75)
    cv = KFold(5, shuffle=True, random_state=0)
    model = RadonTVRegressorCV(alphas=8, eps=1e-2, cv=cv).fit(grid, y)
    assert 0 < model.best_index_
    assert model.score(grid, y) > 0.9


def test_leave_one_out_and_overlapping_splits(data):
    X, y = data[0][:12], data[1][:12]
    model = RadonTVRegressorCV(alphas=3, eps=0.1, cv=LeaveOneOut()).fit(X, y)
    assert model.mse_path_.shape == (3, 12)
    cv = ShuffleSplit(3, test_size=0.3, random_state=0)
    assert RadonTVRegressorCV(alphas=3, eps=0.1, cv=cv).fit(X, y).mse_path_.shape == (3, 3)


# --- one clear error for each fault -------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"cv": 61}, r"n_samples=60 rows .* fewer than the cv=61 folds; choose cv of at most 60"),
        ({"cv": 1}, "'cv' parameter .* in the range"),
        ({"cv": []}, "cv makes no folds"),
        ({"cv": [(np.arange(60), [])]}, r"fold 0 of cv has no rows .* to judge"),
        ({"cv": [([], np.arange(60))]}, r"fold 0 of cv has no rows .* to fit"),
        ({"cv": [(np.arange(61), [0])]}, r"cv holds indices that do not fit the 60 rows"),
        ({"cv": [1, 2]}, r"fold 0 of cv is 1; it must be a pair \(train, test\)"),
        ({"cv": GroupKFold(3)}, "cv=GroupKFold.* cannot split the 60 rows.*'groups'"),
        ({"cv": StratifiedKFold(3)}, "cv=StratifiedKFold.* cannot split .*Choose another cv"),
        ({"n_jobs": 0}, "'n_jobs' parameter"),
        ({"alphas": []}, "alphas must be an integer or a list"),
        ({"alphas": [[1.0]]}, r"alphas must be .*shape \(1, 1\)"),
        ({"alphas": [1.0, -2.0]}, r"alphas\[1\]"),
        ({"alphas": ["a"]}, r"alphas\[0\]"),
        ({"alphas": 0}, "alphas"),
        ({"eps": 2.0}, "eps"),
        ({"eps": 0.0}, "eps"),
        ({"selection": "max"}, "selection"),
        ({"path_tol": 0.0}, "path_tol"),
        ({"time_limit": 0.0}, "time_limit"),
        ({"cv": "five"}, "cv"),
    ],
)
def test_wrong_parameters_are_named(data, options, message):
    with pytest.raises((ValueError, TypeError), match=message):
        RadonTVRegressorCV(**options).fit(*data)


def test_too_few_rows_of_positive_weight(data):
    X, y = data
    with pytest.raises(ValueError, match=r"n_samples=4 .* cv=5 .* at most 4"):
        RadonTVRegressorCV().fit(X, y, np.r_[np.ones(4), np.zeros(56)])
    with pytest.raises(ValueError, match=r"n_samples=1 rows .* choose RadonTVRegressor"):
        RadonTVRegressorCV().fit(X[:1], y[:1])
    weights = np.r_[np.zeros(20), np.ones(40)]
    with pytest.raises(ValueError, match="fold 0 of cv has no rows of positive weight to judge"):
        RadonTVRegressorCV(cv=list(KFold(3).split(X))).fit(X, y, weights)


def test_faults_within_a_fold_come_through(data, monkeypatch):
    def broken(self, targets, values):
        raise ValueError("broken")

    monkeypatch.setattr(RadonTVRegressorCV, "_validation_error", broken)
    for n_jobs in (None, 3):
        with pytest.raises(ValueError, match=r"Fold \d of cv: broken"):
            RadonTVRegressorCV(**SMALL, n_jobs=n_jobs).fit(*data)


# --- time limit and Ctrl-C ------------------------------------------------------------------------


@pytest.fixture
def large():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(300, 6))
    return X, np.sin(2 * X[:, 0]) + np.abs(X[:, 1]) + 0.3 * rng.normal(size=300)


@pytest.mark.parametrize("n_jobs", [None, 2])
def test_time_limit_covers_folds_and_the_final_fit(large, n_jobs):
    with pytest.warns(ConvergenceWarning, match=r"time_limit=4 ended some folds .* 1000 values"):
        model = RadonTVRegressorCV(alphas=1000, path_tol=1e-3, time_limit=4.0, n_jobs=n_jobs).fit(
            *large
        )
    reached = int(np.isfinite(model.mse_path_).all(axis=1).sum())
    assert 2 <= reached < 1000  # few, if the machine is busy
    counts = np.isfinite(model.mse_path_).sum(axis=0)
    assert counts.max() <= 6 * counts.min() + 6  # no fold goes on at the cost of the others
    assert model.best_index_ < reached
    assert np.isfinite(model.mse_path_[0]).all()
    assert model.alpha_ == model.alphas_[model.best_index_]
    assert np.isfinite(model.predict(large[0])).all()


def test_a_fit_that_was_cut_short_has_no_error_on_the_curve(data, monkeypatch):
    full = RadonTVRegressorCV(**SMALL).fit(*data)

    def cut(problem, **options):
        solution = solve(problem, **options)
        late = problem.alpha < 1.01 * full.alphas_[2]
        return replace(solution, status=Status.INTERRUPTED) if late else solution

    monkeypatch.setattr(cross_validation, "solve", cut)
    with pytest.warns(ConvergenceWarning, match="among the 2 largest of 4"):
        model = RadonTVRegressorCV(**SMALL, time_limit=300).fit(*data)
    assert np.array_equal(model.mse_path_[:2], full.mse_path_[:2])
    assert np.isnan(model.mse_path_[2:]).all()


def test_each_fit_of_a_fold_starts_from_the_one_before(data, monkeypatch):
    networks, starts = [], []

    def spied(problem, **options):
        starts.append(options["warm_start"])
        solution = solve(problem, **options)
        networks.append(solution.network)
        return solution

    monkeypatch.setattr(cross_validation, "solve", spied)
    RadonTVRegressorCV(**SMALL).fit(*data)
    assert len(starts) == 12
    for k in range(12):
        assert starts[k] is (networks[k - 1] if k % 4 else None)


def test_warnings_are_about_the_line_that_fits(large):
    with pytest.warns(ConvergenceWarning) as told:
        RadonTVRegressorCV(time_limit=1e-6, tol=1e-9).fit(*large)
    assert {warning.filename for warning in told} == {__file__}


def test_a_tiny_time_limit_gives_a_usable_model(large):
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        model = RadonTVRegressorCV(time_limit=1e-6).fit(*large)
    assert any("among the 1 largest of 20" in str(w.message) for w in told)
    assert all(w.filename == __file__ for w in told)
    assert model.best_index_ == 0
    assert model.certificate_.dual <= model.certificate_.primal
    assert np.isfinite(model.predict(large[0])).all()


def test_enough_time_changes_nothing(data):
    model = RadonTVRegressorCV(**SMALL).fit(*data)
    timed = RadonTVRegressorCV(**SMALL, time_limit=300).fit(*data)
    assert np.array_equal(model.mse_path_, timed.mse_path_)
    assert np.array_equal(model.predict(data[0]), timed.predict(data[0]))


def watch_fits(monkeypatch):
    """Return an event that is set when the fit of a fold begins, and a list of those that go on."""
    begun, active = threading.Event(), []
    original = cross_validation.solve

    def watched(*arguments, **options):
        active.append(1)
        begun.set()
        try:
            return original(*arguments, **options)
        finally:
            active.pop()

    monkeypatch.setattr(cross_validation, "solve", watched)
    return begun, active


def test_a_fault_in_one_fold_ends_the_others(large, monkeypatch):
    X, y = large
    begun, active = watch_fits(monkeypatch)

    def broken(self, data):
        if len(data.targets) == 10:
            assert begun.wait(60)
            time.sleep(0.5)
            raise ValueError("broken")
        return original(self, data)

    original = RadonTVRegressorCV._prepared
    monkeypatch.setattr(RadonTVRegressorCV, "_prepared", broken)
    rows = np.arange(300)
    cv = [(rows[:250], rows[250:]), (rows[:10], rows[10:])]
    model = RadonTVRegressorCV(alphas=200, eps=1e-6, path_tol=1e-9, n_jobs=2, cv=cv)
    with pytest.raises(ValueError, match="broken"):
        model.fit(X, y)
    assert active == []


def press(event, delay):
    """Send Ctrl-C to this process a while after the event."""

    def wait():
        event.wait(60)
        time.sleep(delay)
        os.kill(os.getpid(), signal.SIGINT)

    thread = threading.Thread(target=wait)
    thread.start()
    return thread


@pytest.mark.skipif(os.name == "nt", reason="sends SIGINT")
@pytest.mark.parametrize("n_jobs", [None, 2])
def test_interrupted_folds_raise_and_leave_no_threads(large, monkeypatch, n_jobs):
    begun, active = watch_fits(monkeypatch)
    handler = signal.getsignal(signal.SIGINT)
    finger = press(begun, 0.5)
    model = RadonTVRegressorCV(alphas=200, eps=1e-6, path_tol=1e-9, n_jobs=n_jobs)
    with pytest.raises(KeyboardInterrupt):
        model.fit(*large)
    assert active == []
    finger.join()
    assert not hasattr(model, "network_")
    assert signal.getsignal(signal.SIGINT) is handler
    begun.clear()
    time.sleep(0.3)
    assert not begun.is_set()  # no fold begins after the end


def test_an_interrupted_final_fit_keeps_its_network(data, monkeypatch):
    from radontv import fitting

    def interrupted(problem, **options):
        def stop(event):
            raise KeyboardInterrupt

        return solve(problem, **{**options, "callback": stop})

    monkeypatch.setattr(fitting, "solve", interrupted)
    with pytest.warns(ConvergenceWarning, match="interrupted by Ctrl-C"):
        model = RadonTVRegressorCV(**SMALL, tol=1e-12).fit(*data)
    assert model.status_ == Status.INTERRUPTED.value
    assert np.isfinite(model.predict(data[0])).all()


def test_the_final_fit_starts_from_a_fold(data, monkeypatch):
    from radontv import fitting

    starts = []

    def spied(problem, **options):
        starts.append((problem, options["warm_start"]))
        return solve(problem, **options)

    monkeypatch.setattr(fitting, "solve", spied)
    model = RadonTVRegressorCV(cv=5, path_tol=1e-8).fit(*data)
    problem, start = starts[0]
    # The network of a fold, as a function of the original inputs.
    train = np.arange(12, 60)
    alone = RadonTVRegressor(alpha=model.alpha_, tol=1e-8).fit(data[0][train], data[1][train])
    change = Standardization(model.mean_, model.scale_)
    assert np.allclose(
        start(change.inputs(data[0])[train]), alone.predict(data[0][train]), atol=1e-3
    )
    assert problem.objective(start) < 1.2 * model.certificate_.primal


# --- other losses ---------------------------------------------------------------------------------


# With epsilon = 0.05 the optimum of a fold is not unique.
@pytest.mark.parametrize(
    "loss", ["huber", losses.QuantileLoss(0.7), losses.EpsilonInsensitiveLoss(0.1), "poisson"]
)
def test_other_losses_validate_with_themselves(data, loss):
    X, y = data
    y = np.random.default_rng(0).poisson(np.exp(1 + y)) * 1.0 if loss == "poisson" else y
    model = RadonTVRegressorCV(alphas=[0.1, 0.02], cv=3, loss=loss, path_tol=1e-6).fit(X, y)
    assert not hasattr(model, "mse_path_")
    of_loss = losses.get_loss(loss)
    for k, (train, test) in enumerate(KFold(3).split(X)):
        for j, alpha in enumerate(model.alphas_):
            fit = RadonTVRegressor(alpha=alpha, loss=loss, tol=1e-6).fit(X[train], y[train])
            values = fit.standardized_network()((X[test] - fit.mean_) / fit.scale_)
            expected = of_loss.value(y[test], values).mean()
            assert model.error_path_[j, k] == pytest.approx(expected, rel=1e-2)
    assert model.predict(X).shape == (60,)


def test_several_outputs_are_judged_by_their_mean(data):
    X, y = data
    model = RadonTVRegressorCV(alphas=[1.0, 0.1], cv=3, path_tol=1e-8)
    model.fit(X, np.column_stack([y, y]))
    # Two equal columns cost sqrt 2 of one, and lose twice as much.
    one = RadonTVRegressorCV(alphas=np.array([1.0, 0.1]) / np.sqrt(2), cv=3, path_tol=1e-8)
    one.fit(X, y)
    assert np.allclose(model.mse_path_, one.mse_path_, rtol=1e-2)
    assert model.predict(X).shape == (60, 2)


@pytest.mark.parametrize("loss", ["tube", "interpolation"])
def test_constraints_have_nothing_to_choose(data, loss):
    with pytest.raises(ValueError, match=r"does not depend on alpha.*use RadonTVRegressor"):
        RadonTVRegressorCV(loss=loss).fit(*data)
