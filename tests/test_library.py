"""The library of named problems: its data, its values, and the page that shows them."""

from __future__ import annotations

import dataclasses
import importlib.util
import json
import sys
import tomllib
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from helpers import ROUNDING

from radontv.problems import Scope, library
from radontv.problems.library import closed_forms, generated, real
from radontv.problems.library.recipe import DECIMALS, digest
from radontv.solvers import solve

ROOT = Path(__file__).resolve().parents[1]
SCRIPT = ROOT / "benchmarks" / "library.py"
FOLDER = Path(library.__file__).parent
INSTANCES = [library.load(name) for name in library.names()]
FAST = [i for i in INSTANCES if i.solved and i.proved.seconds <= 0.3]
CLOSED = [i for i in INSTANCES if i.exact is not None]
KINDS = {"closed form", "gaussian", "degenerate", "real"}

checkout_only = pytest.mark.skipif(not SCRIPT.is_file(), reason="looks at a checkout")


def named(instance: library.Instance) -> str:
    return instance.name


@pytest.fixture(scope="module")
def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("benchmark_of_the_library", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


# --- data ----------------------------------------------------------------------------------


@pytest.mark.parametrize("instance", INSTANCES, ids=named)
def test_the_data_are_those_of_the_values(instance: library.Instance) -> None:
    problem = instance.problem
    assert digest(problem) == instance.digest
    assert problem.X.shape == (instance.n_samples, instance.n_features)
    assert problem.alpha == instance.alpha
    assert instance.problem is problem
    assert instance.name in repr(instance)


def test_other_data_are_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    instance = library.load("gaussian-d3-n300")
    problem = instance.problem

    def seen(X: np.ndarray) -> str:
        return digest(dataclasses.replace(problem, X=X))

    noise = np.zeros_like(problem.X)
    noise[7, 1] = 1.0
    assert seen(problem.X + 0.4 * 10.0**-DECIMALS * noise * 1e-6) == instance.digest
    assert seen(problem.X + 10.0**-DECIMALS * noise) != instance.digest
    assert digest(problem.with_alpha(0.3)) != instance.digest
    assert digest(dataclasses.replace(problem, sample_weight=1.0 + noise[:, 1])) != instance.digest
    other = dataclasses.replace(instance, digest="0" * 64)
    with pytest.raises(RuntimeError, match="'gaussian-d3-n300' are not those"):
        _ = other.problem


def test_names_and_families() -> None:
    assert len(set(library.names())) == len(library.names()) >= 25
    assert {instance.family for instance in INSTANCES} == KINDS
    assert {instance.n_features for instance in INSTANCES} >= {1, 2, 3, 4, 5, 6, 8, 10}
    assert any(not instance.solved for instance in INSTANCES)


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("gaussian-d3", "gaussian-d3-n300"),
        ("XOR", "'xor'"),
        ("zigzag-d2", "zigzag-d1"),
        ("7", "names"),
    ],
)
def test_unknown_names_are_refused_with_close_ones(name: str, hint: str) -> None:
    with pytest.raises(ValueError, match="there is no instance") as error:
        library.load(name)
    assert hint in str(error.value)


@pytest.mark.parametrize("name", [7, None, ["xor"]])
def test_names_are_texts(name: Any) -> None:
    with pytest.raises(TypeError, match="name must be a text, got "):
        library.load(name)


def test_the_library_is_an_attribute_that_is_loaded_on_demand() -> None:
    import radontv.problems

    assert radontv.problems.library is library
    with pytest.raises(AttributeError, match="librarian"):
        _ = radontv.problems.librarian


def test_generated_instances_need_no_scikit_learn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    real.table.cache_clear()
    try:
        for name in ("xor", "gaussian-d1-n100", "grid-d2"):
            assert library.load(name).problem.n_samples > 0
        with pytest.raises(FileNotFoundError, match="not installed"):
            _ = library.load("iris-versicolor-d4").problem
    finally:
        real.table.cache_clear()


def test_tables_elsewhere_are_an_error(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    spec = importlib.util.spec_from_loader("sklearn", None, is_package=True)
    spec.submodule_search_locations.append(str(tmp_path))
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: spec)
    real.table.cache_clear()
    try:
        with pytest.raises(FileNotFoundError, match=r"no datasets/data/iris\.csv in"):
            real.table("iris.csv")
    finally:
        real.table.cache_clear()


def test_tables_are_those_that_scikit_learn_loads() -> None:
    from sklearn import datasets

    for load, file in [
        (datasets.load_iris, "iris.csv"),
        (datasets.load_wine, "wine_data.csv"),
        (datasets.load_breast_cancer, "breast_cancer.csv"),
        (datasets.load_digits, "digits.csv.gz"),
    ]:
        X, y = load(return_X_y=True)
        assert np.array_equal(real.table(file), np.column_stack([X, y]))
    X, y = datasets.load_diabetes(return_X_y=True, scaled=False)
    assert np.array_equal(real.table("diabetes_data_raw.csv.gz"), X)
    assert np.array_equal(real.table("diabetes_target.csv.gz")[:, 0], y)
    X, y = datasets.load_linnerud(return_X_y=True)
    assert np.array_equal(real.table("linnerud_exercise.csv"), X)
    assert np.array_equal(real.table("linnerud_physiological.csv"), y)


def test_columns_are_the_named_ones() -> None:
    from sklearn import datasets

    names = datasets.load_wine().feature_names
    wanted = ["flavanoids", "color_intensity", "hue", "proline"]
    X = datasets.load_wine().data[:, [names.index(name) for name in wanted]]
    assert np.allclose(library.load("wine-alcohol-d4").problem.X, real.standardise(X))
    names = datasets.load_diabetes().feature_names
    assert [names[k] for k in (0, 1, 2, 3, 6, 8)] == ["age", "sex", "bmi", "bp", "s3", "s5"]
    cancer = datasets.load_breast_cancer()
    assert list(cancer.feature_names[:2]) == ["mean radius", "mean texture"]
    assert cancer.target_names[0] == "malignant"
    assert datasets.load_iris().target_names[1] == "versicolor"
    assert datasets.load_linnerud().target_names[1] == "Waist"


@pytest.mark.parametrize("instance", [i for i in INSTANCES if i.family == "real"], ids=named)
def test_real_data_are_standardised(instance: library.Instance) -> None:
    X, y = instance.problem.X, instance.problem.y
    assert np.allclose(X.mean(axis=0), 0.0, atol=1e-12)
    if "axes" in instance.name or "digits" in instance.name:
        covariance = X.T @ X / len(X)
        # Axes rounded to 6 decimals are orthogonal to about as many.
        assert np.allclose(covariance, np.diag(np.diag(covariance)), atol=1e-4)
        assert (np.diff(np.diag(covariance)) < 0).all()
    else:
        assert np.allclose((X * X).mean(axis=0), 1.0)
    assert set(np.unique(y)) == {-1.0, 1.0} or np.allclose((y.mean(), (y * y).mean()), (0, 1))


@checkout_only
def test_gaussian_instances_are_those_of_the_benchmarks(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("pandas")
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    from instances import gaussian

    for case in [(1, 100, 0.1), (3, 300, 0.5), (8, 200, 2.0)]:
        ours, theirs = generated.gaussian(*case), gaussian(*case)
        assert np.array_equal(ours.X, theirs.X)
        assert np.array_equal(ours.y, theirs.y)
        assert ours.alpha == theirs.alpha
    sys.modules.pop("instances")


# --- values --------------------------------------------------------------------------------


@pytest.mark.parametrize("instance", INSTANCES, ids=named)
def test_values_make_sense(instance: library.Instance) -> None:
    assert 0.0 < instance.lower_bound <= instance.best_objective
    assert instance.scope is Scope.GLOBAL
    assert 0 <= instance.neurons <= instance.problem.sparsity_bound
    affine = instance.problem.objective(instance.problem.affine_fit())
    assert instance.best_objective <= affine * (1 + ROUNDING)
    for run in (instance.obtained, instance.proved):
        assert run.method in str(run) and run.version in str(run)
    if not instance.solved:
        assert instance.relative_gap > instance.proved.tolerance


@pytest.mark.parametrize("instance", CLOSED, ids=named)
def test_closed_forms_agree(instance: library.Instance) -> None:
    slack = ROUNDING * instance.exact
    assert instance.lower_bound <= instance.exact + slack
    assert instance.best_objective >= instance.exact - slack
    assert instance.best_objective <= instance.exact * (1 + 1e-8)


@pytest.mark.parametrize("instance", FAST, ids=named)
def test_solved_again_the_values_agree(instance: library.Instance) -> None:
    certificate = solve(instance.problem, tol=1e-7, scope="global", time_limit=20).certificate
    assert certificate.scope is Scope.GLOBAL
    slack = ROUNDING * instance.best_objective
    assert instance.lower_bound <= certificate.primal + slack
    assert certificate.dual <= instance.best_objective + slack


def test_formulas_beyond_the_instances() -> None:
    # Three points are the simplex of one dimension; beyond alpha_max the value is that of the
    # affine fit, and at alpha_max both branches meet.
    for alpha in (0.01, 0.1):
        assert np.isclose(closed_forms.simplex_value(1, alpha), 2 * alpha - 9 * alpha**2)
    assert np.isclose(closed_forms.simplex_value(1, 1 / 9), 1 / 9)
    assert closed_forms.simplex_value(1, 5.0) == closed_forms.simplex_value(1, 1 / 9)
    for d in (1, 2, 5, 10):
        vertices = closed_forms.simplex(d)
        angles = vertices @ vertices.T
        assert np.allclose(angles, np.where(np.eye(d + 1), 1.0, -1.0 / d))
        assert np.allclose(vertices.sum(axis=0), 0.0)
    # sup |eta| of the simplex, by trying all sets of vertices.
    for d in (2, 3, 4):
        vertices = closed_forms.simplex(d)
        signs = np.array(np.meshgrid(*[[0.0, 1.0]] * (d + 1))).reshape(d + 1, -1).T
        sup = np.linalg.norm(signs @ vertices, axis=1).max()
        size, norm, alpha = d + 1, (d + 1) * (d + 2) ** 2, 1e-3
        t = alpha / sup
        assert np.isclose(closed_forms.simplex_value(d, alpha), size * t - norm * t**2 / 2)


def test_the_zigzag_formula_is_its_dual_value() -> None:
    for points in (4, 9, 21):
        alpha = 0.9 / (4 * points)
        y = np.where(np.arange(points) % 2 == 0, 1.0, -1.0)
        second = np.diff(np.eye(points), n=2, axis=0)
        q = alpha * second.T @ np.sign(second @ y)
        value = float(q @ y) - 0.5 * points * float(q @ q)
        assert np.isclose(closed_forms.zigzag_value(points, alpha), value, rtol=ROUNDING)


# --- files ---------------------------------------------------------------------------------


def test_the_values_file_is_sorted_and_complete() -> None:
    text = (FOLDER / "values.json").read_text(encoding="utf-8")
    values = json.loads(text)
    assert set(values) == set(library.names())
    assert text == json.dumps(values, indent=1, sort_keys=True) + "\n"
    for name, entry in values.items():
        assert entry["digest"] == library.load(name).digest


def test_no_data_are_copied() -> None:
    for path in FOLDER.rglob("*"):
        assert path.suffix in {".py", ".json", ".pyc", ".nbi", ".nbc", ""}, path
        if path.suffix in {".py", ".json"}:
            assert path.stat().st_size <= 50_000, path


@checkout_only
def test_the_values_belong_to_the_package() -> None:
    tool = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]
    assert tool["setuptools"]["package-data"]["radontv.problems.library"] == ["values.json"]


@checkout_only
def test_the_page_shows_the_values(script: ModuleType) -> None:
    text = script.PAGE.read_text(encoding="utf-8")
    assert script.page(text) == text
    assert all(f"| `{name}` |" in text for name in library.names())


# --- the script that finds the values ------------------------------------------------------


@checkout_only
def test_better_values_are_kept(script: ModuleType) -> None:
    recipe = library.RECIPES["xor"]
    new = script.measured(recipe, 1e-6, 10.0)
    exact = recipe.exact()
    assert script.contradictions(None, new, exact) == []
    assert script.best_of(None, new) == (new, [])
    better = {
        **new,
        "best_objective": new["best_objective"] * (1 - 1e-9),
        "lower_bound": new["lower_bound"] * (1 + 1e-9),
        "neurons": 7,
        "obtained": {"method": "a"},
        "proved": {"method": "b"},
    }
    assert script.best_of(better, new) == (better, ["objective", "lower bound"])
    best, kept = script.best_of(new, better)
    assert (best, kept) == (better, [])
    # Of two runs of one quality the stored one stays, so that files do not change for nothing.
    assert script.best_of({**new, "neurons": 5}, new)[0]["neurons"] == 5
    # Other data: nothing of the old values holds.
    assert script.best_of({**better, "digest": "other"}, new) == (new, [])


@checkout_only
def test_contradictions_are_named(script: ModuleType) -> None:
    new = {"digest": "d", "best_objective": 1.0, "lower_bound": 0.9}
    assert script.contradictions({**new}, new, 0.95) == []
    assert script.contradictions({**new, "lower_bound": 1.0 + 1e-13}, new, None) == []
    low = {**new, "best_objective": 0.8, "lower_bound": 0.7}
    assert script.contradictions(low, new, None) == [
        "the new lower bound 0.9 is above the stored objective 0.8"
    ]
    assert script.contradictions(new, low, None) == [
        "the stored lower bound 0.9 is above the new objective 0.8"
    ]
    assert len(script.contradictions(None, new, 1.1)) == 1
    assert len(script.contradictions(None, new, 0.8)) == 1
    assert script.contradictions({**low, "digest": "other"}, new, None) == []


@checkout_only
def test_numbers_of_the_page_are_rounded_outward(script: ModuleType) -> None:
    assert script.outward(0.12345678949, script.ROUND_CEILING) == "0.123456790"
    assert script.outward(0.12345678949, script.ROUND_FLOOR) == "0.123456789"
    assert script.outward(0.00012345678949, script.ROUND_FLOOR) == "0.000123456789"
