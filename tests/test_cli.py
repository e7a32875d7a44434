"""The command line: files in, files out, and one clear sentence when something is wrong."""

import csv
import json
import os
import signal
import subprocess
import sys
import time
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.model_selection import KFold, StratifiedKFold
from typer.testing import CliRunner

from radontv import (
    RadonTVClassifier,
    RadonTVClassifierCV,
    RadonTVRegressor,
    RadonTVRegressorCV,
    cli,
    results,
)
from radontv.__main__ import main as command
from radontv.models import load_model, write_json
from radontv.problems import Certificate, losses
from radontv.problems.atomic_files import whole_file
from radontv.tables import DataError, read_table

ROOT = Path(__file__).resolve().parents[1]


def run(*arguments, code=0):
    """Run a command in this process; return what it printed (both streams)."""
    done = CliRunner().invoke(cli.app(), [str(a) for a in arguments])
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    assert done.exit_code == code, done.output
    return done.output


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def frame():
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(rng.uniform(-1, 1, size=(60, 2)), columns=["dose", "age"])
    frame["effect"] = np.abs(frame["dose"]) + 0.2 * frame["age"] + 0.02 * rng.normal(size=60)
    return frame


@pytest.fixture
def table(frame, folder):
    frame.to_csv(folder / "data.csv", index=False)
    return Path("data.csv")


def column(path, name):
    """Read one column of numbers exactly."""
    with open(path, newline="") as file:
        return np.array([float(row[name]) for row in csv.DictReader(file)])


def write(text, name="data.csv", encoding="utf-8"):
    Path(name).write_text(text, encoding=encoding)
    return Path(name)


# --- fit and predict -----------------------------------------------------------------------


def test_fit_then_predict_is_the_estimator(table, frame):
    said = run("fit", table, "--target", "effect", "--alpha", 0.01, "--test-fraction", 0)
    out = Path("data-radontv")
    assert {p.name for p in out.iterdir()} == {
        "model.json", "certificate.json", "predictions.csv", "report.txt",
        "convergence.png", "certificate.png", "function.png",
    }  # fmt: skip
    read = read_table(table, "effect")
    expected = RadonTVRegressor(alpha=0.01).fit(read.X, read.y).predict(read.X)
    written = column(out / "predictions.csv", "prediction")
    assert np.allclose(written, expected, rtol=1e-12, atol=1e-12)
    run("predict", out, table, "--out", "new.csv")
    assert np.allclose(column("new.csv", "prediction"), expected, rtol=1e-12, atol=1e-12)
    assert "representer theorem" in said
    assert "local gap" in said
    assert (out / "report.txt").read_text() in said


def test_model_file_keeps_everything(table, frame):
    run("fit", table, "--target", "effect", "--alpha", 0.01, "--no-plots", "--quiet")
    model = load_model(Path("data-radontv"))
    fields = json.loads(Path("data-radontv/certificate.json").read_text())
    names = set(Certificate.__dataclass_fields__)
    assert Certificate.from_dict({k: v for k, v in fields.items() if k in names}) == (
        model.certificate
    )
    assert model.feature_names == ["dose", "age"]
    assert model.summary.test.rows == 12
    assert model.summary.train.rows == 48
    assert model.certificate.alpha == 0.01


def test_progress_table_is_shown_and_quiet_is_quiet(table):
    said = run("fit", table, "--target", "effect", "--no-plots")
    header = next(line for line in said.splitlines() if line.startswith("round"))
    assert len(header) == 80
    assert run("fit", table, "--target", "effect", "--no-plots", "--quiet") == ""


def test_prove_gives_a_proven_gap(table):
    said = run("fit", table, "--target", "effect", "--alpha-ratio", 0.1, "--prove", "--no-plots")
    assert "proven gap" in said
    assert "every possible network" in said
    assert json.loads(Path("data-radontv/certificate.json").read_text())["scope"] == "global"


def test_semicolons_decimal_commas_and_byte_order_mark(frame):
    frame.to_csv("data.csv", sep=";", decimal=",", index=False, encoding="utf-8-sig")
    read = read_table(Path("data.csv"), "effect")
    assert np.allclose(read.X, frame[["dose", "age"]])
    assert any("decimal commas" in note for note in read.notes)


def test_tabs_and_an_index_column(frame):
    frame.to_csv("data.csv", sep="\t")
    read = read_table(Path("data.csv"), "effect")
    assert list(read.X) == ["dose", "age"]
    assert any("numbers the rows" in note for note in read.notes)


def test_text_columns_are_encoded_and_remembered(frame):
    frame["sex"] = np.where(frame["dose"] > 0, "m", "f")
    frame["site"] = np.array(["10", "20", "x"])[np.arange(60) % 3]
    frame.to_csv("data.csv", index=False)
    said = run("fit", "data.csv", "--target", "effect", "--alpha", 0.01, "--no-plots")
    assert "becomes 3 columns" in said
    assert load_model(Path("data-radontv")).feature_names == [
        "dose", "age", "sex=m", "site=10", "site=20", "site=x",
    ]  # fmt: skip
    numbers = frame[frame["site"] != "x"]  # looks like a column of numbers now
    numbers.to_csv("new.csv", index=False)
    run("predict", "data-radontv", "new.csv", "--out", "p.csv")
    first = column("data-radontv/predictions.csv", "prediction")[numbers.index]
    assert np.allclose(column("p.csv", "prediction"), first, rtol=1e-12, atol=1e-12)
    numbers.assign(sex="d").to_csv("new.csv", index=False)
    said = run("predict", "data-radontv", "new.csv", code=2)
    assert "'sex'" in said
    assert "has not seen" in said


def test_missing_values_are_refused_or_dropped(frame):
    frame.loc[[3, 7], "age"] = np.nan
    frame.to_csv("data.csv", index=False)
    said = run("fit", "data.csv", "--target", "effect", code=2)
    assert "'age' (2 rows)" in said
    assert "data row 4" in said
    assert "--drop-missing" in said
    arguments = ["--target", "effect", "--alpha", 0.01, "--no-plots", "--drop-missing"]
    said = run("fit", "data.csv", *arguments)
    assert "2 of 60 rows are left out" in said
    assert pd.read_csv("data-radontv/predictions.csv")["row"].tolist() == [
        k for k in range(1, 61) if k not in (4, 8)
    ]
    assert "missing values" in run("predict", "data-radontv", "data.csv", code=2)
    assert "58 predictions" in run("predict", "data-radontv", "data.csv", "--drop-missing")


def test_weights_are_used_and_are_no_feature(frame):
    frame["w"] = np.arange(60) % 3
    frame.to_csv("data.csv", index=False)
    run("fit", "data.csv", "--target", "effect", "--alpha", 0.01, "--weights", "w",
        "--test-fraction", 0, "--no-plots")  # fmt: skip
    read = read_table(Path("data.csv"), "effect", weights="w")
    assert list(read.X) == ["dose", "age"]
    expected = RadonTVRegressor(alpha=0.01).fit(read.X, read.y, read.weights).predict(read.X)
    written = column("data-radontv/predictions.csv", "prediction")
    assert np.allclose(written, expected, rtol=1e-12, atol=1e-12)


def test_constant_and_dropped_columns(frame):
    frame["site"] = "here"
    frame.to_csv("data.csv", index=False)
    said = run("fit", "data.csv", "--target", "effect", "--drop", "age", "--no-plots")
    assert "'site' always holds here" in said
    assert load_model(Path("data-radontv")).feature_names == ["dose"]


def test_few_rows_are_all_fitted():
    write("x,y\n1,2\n2,3\n3,5\n4,4\n")
    said = run("fit", "data.csv", "--target", "y", "--no-plots")
    assert "too few to hold some out" in said
    assert "nothing is known about new data" in said


def test_integers_beyond_64_bits_are_numbers():
    write("x,y\n" + "".join(f"{10**19 * (k + 1)},{k}\n" for k in range(30)))
    read = read_table(Path("data.csv"), "y")
    assert read.columns[0].levels is None
    assert np.allclose(read.X["x"], 1e19 * np.arange(1, 31))


def test_affine_targets_have_no_alpha_ratio():
    write("x,y\n" + "".join(f"{k},{2 * k}\n" for k in range(12)))
    said = run("fit", "data.csv", "--target", "y", "--no-plots", "--alpha-ratio", 0.1)
    assert "no --alpha-ratio makes a difference" in said
    assert "follows the noise" not in said
    said = run("fit", "data.csv", "--target", "y", "--no-plots", "--alpha", 0.1)
    assert "makes a difference" not in said


def test_names_with_dollar_signs_are_no_formulas():
    write(r"cost ($\foo$),$\frac$" + "\n" + "".join(f"{k},{k * k}\n" for k in range(12)))
    run("fit", "data.csv", "--target", r"$\frac$", "--out", "here")
    assert Path("here/function.png").exists()


# --- cross-validation --------------------------------------------------------------------------


def test_cv_chooses_alpha_as_the_estimator_does(table):
    said = run("fit", "--cv", table, "--target", "effect", "--test-fraction", 0, "--no-plots")
    read = read_table(table, "effect")
    folds = KFold(5, shuffle=True, random_state=0)
    expected = RadonTVRegressorCV(cv=folds).fit(read.X, read.y)
    model = load_model(Path("data-radontv"))
    tuning = model.summary.tuning
    assert np.allclose(tuning.alphas, expected.alphas_, rtol=1e-9)
    assert np.allclose(tuning.errors, expected.mse_path_, rtol=1e-6)
    assert np.allclose(tuning.mean, expected.mean_error_, rtol=1e-6)
    assert np.allclose(tuning.standard_error, expected.standard_error_, rtol=1e-6)
    assert tuning.chosen == expected.best_index_
    assert model.certificate.alpha == tuning.alphas[tuning.chosen]
    written = column("data-radontv/predictions.csv", "prediction")
    assert np.allclose(written, expected.predict(read.X), atol=1e-6)
    assert "fold 4: 20 alphas" in said
    lines = said.splitlines()
    header = next(k for k, line in enumerate(lines) if "typical error   mean squared" in line)
    assert "by 5-fold cross-validation" in lines[header - 1]
    rows = [line.split() for line in lines[header + 1 : header + 21]]
    assert [float(row[0]) for row in rows] == pytest.approx(tuning.alphas, rel=1e-3)
    assert [float(row[1]) for row in rows] == pytest.approx(np.logspace(0, -3, 20), rel=1e-2)
    assert [float(row[2]) ** 2 for row in rows] == pytest.approx(tuning.mean, rel=1e-3)
    assert [len(row) for row in rows] == [7 if k == tuning.chosen else 5 for k in range(20)]
    assert (Path("data-radontv") / "report.txt").read_text() in said


def test_cv_with_a_number_and_the_rule_of_one_standard_error(table):
    options = ["--target", "effect", "--no-plots", "--quiet"]
    assert run("fit", table, "--cv", 3, *options) == ""
    least = load_model(Path("data-radontv")).summary.tuning
    assert run("fit", table, "--cv=3", "--one-se", *options) == ""
    model = load_model(Path("data-radontv"))
    tuning = model.summary.tuning
    assert np.shape(tuning.errors) == (20, 3)
    assert tuning.errors == least.errors
    assert tuning.chosen < least.chosen
    assert "within one standard error" in Path("data-radontv/report.txt").read_text()
    assert "cross-validation" in Path("data-radontv/report.txt").read_text()


def test_where_cv_stands_does_not_matter():
    assert cli.with_folds(["--cv"]) == ["--cv", "5"]
    assert cli.with_folds(["--cv", "10", "a.csv"]) == ["--cv", "10", "a.csv"]
    assert cli.with_folds(["--cv", "a.csv", "--cv=3"]) == ["--cv", "5", "a.csv", "--cv=3"]
    assert cli.with_folds(["a.csv", "--cv", "--quiet"]) == ["a.csv", "--cv", "5", "--quiet"]


def test_cv_with_weights_and_affine_targets(frame):
    frame["w"] = np.arange(60) % 3
    frame.to_csv("data.csv", index=False)
    run("fit", "data.csv", "--target", "effect", "--cv", 4, "--weights", "w",
        "--test-fraction", 0, "--no-plots")  # fmt: skip
    live = frame[frame["w"] > 0]
    folds = KFold(4, shuffle=True, random_state=0)
    expected = RadonTVRegressorCV(cv=folds).fit(live[["dose", "age"]], live["effect"], live["w"])
    tuning = load_model(Path("data-radontv")).summary.tuning
    assert np.allclose(tuning.errors, expected.mse_path_, rtol=1e-6)
    write("x,y\n" + "".join(f"{k},{2 * k}\n" for k in range(12)))
    run("fit", "data.csv", "--target", "y", "--no-plots", "--cv")
    model = load_model(Path("data-radontv"))
    assert model.summary.tuning.chosen == 0
    assert model.network.n_neurons == 0


def test_cv_within_a_time_limit_says_what_was_compared(table):
    said = run("fit", table, "--target", "effect", "--cv", "--time-limit", 1e-6, "--no-plots")
    assert "--time-limit ended the folds early: the 1 largest values were compared" in said
    tuning = load_model(Path("data-radontv")).summary.tuning
    assert tuning.mean[0] > 0 and tuning.mean[1:] == [None] * 19
    assert tuning.chosen == 0


def test_models_without_cross_validation_are_as_before(table):
    run("fit", table, "--target", "effect", "--alpha", 0.01, "--no-plots")
    path = Path("data-radontv/model.json")
    fields = json.loads(path.read_text())
    assert fields["summary"].pop("tuning") is None
    path.write_text(json.dumps(fields))
    assert load_model(path).summary.tuning is None
    assert "cross-validation" not in Path("data-radontv/report.txt").read_text()


# --- classes and other losses -------------------------------------------------------------------


@pytest.fixture
def classes(frame, folder):
    frame["kind"] = np.where(frame["effect"] > 0.5, "large", "small")
    frame.loc[[3, 10, 20, 33], "kind"] = ["large", "small", "large", "small"]
    frame["grade"] = np.digitize(frame["effect"], [0.3, 0.6])
    frame.to_csv(folder / "data.csv", index=False)
    return Path("data.csv")


def test_text_targets_are_classes_with_probabilities(classes, frame):
    options = ["--target", "kind", "--drop", "effect", "--drop", "grade", "--alpha", 0.02]
    said = run("fit", classes, *options)
    assert "Classes: 'large', 'small'." in said
    assert "accuracy" in said and "log loss" in said and "taken for" in said
    assert "mean logistic(label_smoothing=0.0) loss + alpha RTV" in said
    written = pd.read_csv("data-radontv/predictions.csv")
    fitted = written["part"] == "fitted"
    X = frame[["dose", "age"]]
    expected = RadonTVClassifier(alpha=0.02).fit(X[fitted], frame["kind"][fitted])
    assert written["prediction"].tolist() == expected.predict(X).tolist()
    assert np.allclose(written["p(small)"], expected.predict_proba(X)[:, 1], atol=1e-9)
    assert np.allclose(written["p(large)"] + written["p(small)"], 1.0)
    assert (written["right"] == "yes").equals(written["actual"] == written["prediction"])
    held = frame["kind"][~fitted].value_counts()
    assert held.to_dict() == {
        c: round(0.2 * n) for c, n in frame["kind"].value_counts().items()
    }  # each class has its share
    assert {p.name for p in Path("data-radontv").iterdir()} >= {"certificate.png", "function.png"}
    model = load_model(Path("data-radontv"))
    assert model.classes == ("large", "small")
    assert model.loss_name == "logistic"
    assert sum(map(sum, model.summary.train.confusion)) == model.summary.train.rows
    said = run("predict", "data-radontv", classes, "--out", "p.csv")
    assert "Against 60 known values: accuracy" in said
    again = pd.read_csv("p.csv")
    assert again["prediction"].tolist() == written["prediction"].tolist()
    assert np.allclose(again["p(small)"], written["p(small)"], rtol=1e-12)
    frame.assign(kind=["odd", "large"] * 30).to_csv("new.csv", index=False)
    assert "does not know: 'odd'" in run("predict", "data-radontv", "new.csv")


def test_whole_numbers_are_classes_if_told(classes):
    options = ["--target", "grade", "--drop", "effect", "--drop", "kind", "--no-plots"]
    said = run("fit", classes, *options, "--alpha", 0.1)
    assert "--classify takes them for classes" in said
    said = run("fit", classes, *options, "--alpha", 0.02, "--classify")
    assert "Classes: '0', '1', '2'." in said
    model = load_model(Path("data-radontv"))
    assert model.classes == ("0", "1", "2")
    assert model.network.n_outputs == 3
    assert model.certificate.alpha == 0.02
    run("predict", "data-radontv", classes, "--out", "p.csv")
    written = pd.read_csv("p.csv")
    assert list(written) == ["row", "actual", "prediction", "p(0)", "p(1)", "p(2)"]
    assert (written["actual"] == written["prediction"]).mean() > 0.7
    said = run("fit", classes, *options, "--loss", "hinge", "--alpha", 0.02)
    assert "summed over the classes" in said
    assert load_model(Path("data-radontv")).one_vs_rest
    run("predict", "data-radontv", classes, "--out", "p.csv")
    assert list(pd.read_csv("p.csv"))[3:] == ["score(0)", "score(1)", "score(2)"]


def test_json_is_all_that_is_printed(classes):
    options = ["--target", "kind", "--drop", "effect", "--drop", "grade", "--alpha", 0.05]
    fields = json.loads(run("fit", classes, *options, "--no-plots", "--json"))
    assert fields["classes"] == ["large", "small"]
    assert fields["loss"] == "logistic(label_smoothing=0.0)"
    assert fields["summary"]["test"]["accuracy"] > 0.5
    assert fields["certificate"]["scope"] == "local"
    whole = json.loads(Path("data-radontv/model.json").read_text())
    assert {name: whole[name] for name in fields} == fields


def test_cv_of_classes(classes, frame):
    options = ["--target", "kind", "--drop", "effect", "--drop", "grade", "--no-plots"]
    said = run("fit", classes, *options, "--cv", 3, "--test-fraction", 0)
    assert "log loss   standard error" in said
    folds = StratifiedKFold(3, shuffle=True, random_state=0)
    expected = RadonTVClassifierCV(cv=folds).fit(frame[["dose", "age"]], frame["kind"])
    tuning = load_model(Path("data-radontv")).summary.tuning
    assert np.allclose(tuning.errors, expected.error_path_, rtol=1e-6)
    assert tuning.measure == "log loss"
    assert tuning.chosen == expected.best_index_


def test_losses_by_name(table, frame):
    options = ["--target", "effect", "--no-plots", "--test-fraction", 0, "--alpha", 0.01]
    X, y = frame[["dose", "age"]], frame["effect"]
    for text, loss in (
        ("huber=0.05", losses.HuberLoss(0.05)),
        ("quantile=0.9", losses.QuantileLoss(0.9)),
        ("absolute", "absolute"),
    ):
        said = run("fit", table, *options, "--loss", text)
        assert f"mean {losses.get_loss(loss).key} loss + alpha RTV" in said
        expected = RadonTVRegressor(alpha=0.01, loss=loss).fit(X, y).predict(X)
        assert np.allclose(column("data-radontv/predictions.csv", "prediction"), expected)
    frame.assign(effect=np.round(20 * frame["effect"].abs())).to_csv("counts.csv", index=False)
    run("fit", "counts.csv", *options, "--loss", "poisson")
    run("predict", "counts-radontv", "counts.csv", "--out", "p.csv")
    means = column("p.csv", "prediction")
    assert means.min() > 0
    assert means.sum() == pytest.approx(column("p.csv", "actual").sum(), rel=1e-2)


def test_separable_classes_are_told_of_smoothed_labels(frame):
    frame["kind"] = np.where(frame["dose"] > 0.1, "yes", "no")
    frame.drop(columns="effect").to_csv("data.csv", index=False)
    said = run("fit", "data.csv", "--target", "kind", "--no-plots", "--alpha", 0.1)
    assert "Without smoothed labels there is no best function" in said
    assert load_model(Path("data-radontv")).loss == "logistic(label_smoothing=0.01)"


def test_a_fold_that_is_separable_smooths_the_labels_that_are_reported():
    x = np.r_[np.linspace(-2.0, -0.2, 30), np.linspace(0.2, 2.0, 30), 1.0]
    kind = ["lo"] * 30 + ["hi"] * 30 + ["lo"]  # without the last row they are separable
    pd.DataFrame({"x": x, "kind": kind}).to_csv("data.csv", index=False)
    options = ["--target", "kind", "--no-plots", "--test-fraction", 0]
    said = run("fit", "data.csv", *options, "--cv", 3)
    assert "Without smoothed labels there is no best function" in said
    model = load_model(Path("data-radontv"))
    assert model.loss == "logistic(label_smoothing=0.01)"
    folds = StratifiedKFold(3, shuffle=True, random_state=0)
    expected = RadonTVClassifierCV(cv=folds).fit(x[:, None], kind)
    assert expected.label_smoothing_ == 0.01
    assert np.allclose(model.summary.tuning.alphas, expected.alphas_, rtol=1e-9)
    run("fit", "data.csv", *options)
    assert load_model(Path("data-radontv")).loss == "logistic(label_smoothing=0.0)"


def test_classes_with_fewer_rows_than_folds(frame):
    frame["kind"] = np.where(frame["dose"] > 0, "a", "b")
    frame.loc[0, "kind"] = "c"
    frame.to_csv("data.csv", index=False)
    options = ["--target", "kind", "--no-plots", "--drop", "effect"]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        said = run("fit", "data.csv", *options, "--cv", 2, "--time-limit", 0.5)
    assert "Classes with fewer rows than --cv has folds: 'c' (1 row)." in said
    said = run("fit", "data.csv", *options, "--cv", 45, code=2)
    assert "--cv 45 needs at least 45 rows to fit, of positive weight and of one class" in said


def test_counts_without_an_optimum_in_a_fold_are_named():
    x, n = np.arange(12), np.r_[1, np.zeros(10), 1]  # without either of the two counts
    pd.DataFrame({"x": x, "n": n}).to_csv("data.csv", index=False)
    options = ["--target", "n", "--loss", "poisson", "--no-plots", "--test-fraction", 0]
    run("fit", "data.csv", *options, "--alpha", 0.1)
    said = run("fit", "data.csv", *options, "--cv", 12, code=2)
    assert "Error: Column 'n' and its inputs: Fold" in said


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--loss", "cubic"], ["--loss cubic is unknown", "'huber'", "'hinge'"]),
        (["--loss", "huber=x"], ["--loss huber=x", "'x' is no number", "huber=0.5"]),
        (["--loss", "hinge"], ["60 different values", "leave out", "--loss for classes"]),
        (["--loss", "huber=-1"], ["--loss huber=-1", "delta"]),
        (["--loss", "absolute=1"], ["'absolute' has no parameter"]),
        (["--loss", "hinge=1"], ["'hinge' has no parameter"]),
        (["--loss", "hinge", "--numbers"], ["--loss hinge is for classes"]),
        (["--loss", "huber", "--classify"], ["--loss huber is for numbers"]),
        (["--classify"], ["60 different values", "at most 50 classes"]),
        (["--loss", "poisson"], ["data row 1,", "needs counts"]),
    ],
)
def test_faults_of_losses_are_named_in_one_sentence(frame, options, words):
    frame["effect"] -= 5.0
    frame.to_csv("data.csv", index=False)
    said = run("fit", "data.csv", "--target", "effect", *options, code=2)
    assert "Error: " in said
    assert all(word in said for word in words), said
    assert not Path("data-radontv/model.json").exists()


def test_classes_without_rows_and_single_classes_are_named(frame):
    frame["kind"] = np.where(frame["dose"] > 0, "a", "b")
    frame["w"] = (frame["kind"] == "a") * 1.0
    frame["same"] = "x"
    frame.to_csv("data.csv", index=False)
    said = run("fit", "data.csv", "--target", "kind", "--weights", "w", code=2)
    assert "Class 'b' has no row of positive weight" in said
    assert "always holds 'x'" in run("fit", "data.csv", "--target", "same", code=2)


def test_models_of_the_first_format_are_read(table):
    run("fit", table, "--target", "effect", "--alpha", 0.01, "--no-plots", "--quiet")
    path = Path("data-radontv/model.json")
    fields = json.loads(path.read_text())
    assert fields["format_version"] == 2
    model = load_model(path)
    del fields["loss"], fields["classes"]
    path.write_text(json.dumps({**fields, "format_version": 1}))
    old = load_model(path)
    assert (old.loss, old.classes, old.network) == (model.loss, None, model.network)


# --- what is written, and over what ---------------------------------------------------------


def names(folder):
    return {path.name for path in Path(folder).iterdir()}


def test_only_what_this_run_wrote_is_left_and_listed(table):
    run("fit", table, "--target", "effect", "--out", "here", "--drop", "age")
    Path("here/notes.txt").write_text("mine")
    said = run("fit", table, "--target", "effect", "--out", "here", "--no-plots")
    written = {"model.json", "certificate.json", "predictions.csv", "report.txt"}
    assert names("here") == written | {"notes.txt"}
    assert "In here: model.json, certificate.json, predictions.csv, report.txt\n" in said


@pytest.mark.parametrize(
    ("name", "text"),
    [("report.txt", "mine"), ("model.json", '{"a": 1}'), ("function.png", "mine")],
)
def test_files_from_elsewhere_are_not_replaced(table, name, text):
    Path("here").mkdir()
    Path("here", name).write_text(text)
    said = run("fit", table, "--target", "effect", "--out", "here", code=2)
    assert f"holds {name!r}" in said
    assert "name another folder" in said
    assert Path("here", name).read_text() == text


def test_no_command_overwrites_its_own_input(table):
    run("fit", table, "--target", "effect", "--no-plots", "--quiet", "--out", "here")
    before = table.read_bytes(), Path("here/model.json").read_bytes()
    assert "overwrite the data" in run("predict", "here", table, "--out", table, code=2)
    for model in ("here", "here/model.json"):
        said = run("predict", model, table, "--out", "here/model.json", code=2)
        assert "overwrite the model" in said
    said = run("fit", "here/predictions.csv", "--target", "actual", "--out", "here", code=2)
    assert "overwrite its own data" in said
    assert before == (table.read_bytes(), Path("here/model.json").read_bytes())
    assert "no folder nowhere" in run("predict", "here", table, "--out", "nowhere/p.csv", code=2)
    assert "is empty" in run("predict", "here", table, "--out", "", code=2)


def test_the_demonstration_does_not_replace_other_data():
    Path("here").mkdir()
    Path("here/diabetes.csv").write_text("mine")
    assert "other data" in run("demo", "--out", "here", code=2)
    assert Path("here/diabetes.csv").read_text() == "mine"


def test_files_are_whole_or_not_there(folder):
    Path("old.json").write_text("old")
    with pytest.raises(TypeError):
        write_json(Path("old.json"), {"a": object()})
    for name in ("old.json", "new.json"):
        with pytest.raises(KeyboardInterrupt), whole_file(Path(name)) as path:
            path.write_text("half")
            raise KeyboardInterrupt
    assert names(".") == {"old.json"}
    assert Path("old.json").read_text() == "old"


def test_names_in_other_scripts_give_no_warnings():
    write("收入,y\n" + "".join(f"{k},{k * k}\n" for k in range(12)))
    assert run("fit", "data.csv", "--target", "y", "--quiet") == ""
    assert Path("data-radontv/certificate.png").exists()


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="needs a folder without rights")
def test_a_folder_without_rights_is_named(table):
    Path("here").mkdir(mode=0o500)
    said = run("fit", table, "--target", "effect", "--out", "here", code=2)
    assert "here/model.json" in said
    assert "Permission denied" in said


def test_interrupt_of_the_pictures_keeps_and_tells_the_rest(table, monkeypatch):
    def stop(*arguments, **options):
        raise KeyboardInterrupt

    monkeypatch.setattr(results, "plot_certificate", stop)
    said = run("fit", table, "--target", "effect", code=130)
    assert said.index("Quality of the fit") < said.index("Stopped")
    assert "report.txt, convergence.png." in said
    assert names("data-radontv") == {
        "model.json", "certificate.json", "predictions.csv", "report.txt", "convergence.png",
    }  # fmt: skip


# --- one sentence for each fault -----------------------------------------------------------

GOOD = "x,y\n" + "".join(f"{k},{k * k}\n" for k in range(12))


@pytest.mark.parametrize(
    ("text", "options", "words"),
    [
        ("", [], ["empty"]),
        ("x,y\n", [], ["no rows"]),
        ("1,2\n3,4\n", [], ["only numbers", "column names"]),
        (GOOD, ["--target", "Y2"], ["no column 'Y2'", "did you mean 'y'"]),
        (GOOD.replace("y\n", "effect\n", 1), ["--target", "efect"], ["did you mean 'effect'"]),
        ("x,x,y\n1,2,3\n", [], ["more than one column 'x'"]),
        ("x,,y\n1,2,3\n4,9,6\n7,1,9\n", [], ["Column 2", "no name"]),
        ("x,y\n1,2\n3,4,5\n", [], ["Line 3", "3 cells", "header has 2"]),
        ("x,y\n1,2\n3\n", [], ["Line 3", "1 cell "]),
        (GOOD + "inf,3\n", [], ["infinity", "'x'", "data row 13"]),
        (GOOD + "3,high\n", [], ["'y' holds text", "'high'", "data row 13"]),
        ("x,y\n" + "".join(f"{k},{k}\n" for k in range(30)) + "n/k,3\n", [],
         ["'x' holds text", "'n/k'", "30 rows hold numbers", "--drop x"]),
        ("x,y\n1,2\n2,3\n", [], ["2 usable rows", "at least 3"]),
        ("x,y\n1,2\n1,3\n1,4\n", [], ["no column left", "constant are 'x'"]),
        ("x,y\n1,2\n", [], ["1 usable row;", "at least 3"]),
        ("x,y\n" + "1,2\n" * 5, [], ["constant are 'x'"]),
        ("y\n1\n2\n3\n", [], ["no column left"]),
        ("x,y\n?,2\n,3\n", [], ["missing values in 'x' (2 rows)"]),
        (GOOD, ["--drop", "z"], ["no column 'z'"]),
        (GOOD, ["--drop", "y"], ["both used and dropped"]),
        (GOOD, ["--weights", "y"], ["both target and weights"]),
        ("x,w,y\n2,1,2\n1,-1.5,1\n3,1,3\n", ["--weights", "w"],
         ["'w' must be >= 0", "data row 2 is -1.5"]),
        ("x,w,y\n1,0,1\n2,1,2\n3,0,3\n", ["--weights", "w"], ["1 row of positive weight"]),
        ("x,w,y\n1,1,1\n2,1,2\n3,1e-250,3\n4,1,1\n", ["--weights", "w"],
         ["'w'", "1e-250 in data row 3", "set small ones to 0"]),
        ("x,y\n1e-150,2\n2e-150,3\n3e-150,5\n", [], ["'x'", "3e-150", "rescale"]),
        ("x,y\n1,2e-150\n2,3e-150\n3,5e-150\n", [], ["'y'", "5e-150", "rescale"]),
        ("x,y\n1,1e-310\n2,1e-310\n3,1e-310\n", [], ["'y'", "1e-310", "rescale"]),
        ("x,y\n0,1\n2e-310,2\n3,3\n0,1e101\n", [], ["'y'", "1e+101 in data row 4", "rescale"]),
        (GOOD, ["--jobs", "0"], ["--jobs", "at least 1"]),
        (GOOD, ["--seed", "99999999999999999999999"], ["--seed", "4294967295"]),
        (GOOD, ["--test-fraction", "0.999"], ["--test-fraction", "0 of 12 rows", "at most 0.75"]),
        (GOOD, ["--out", ""], ["--out is empty"]),
        (GOOD, ["--alpha", "0"], ["--alpha", "positive"]),
        (GOOD, ["--alpha", "1", "--alpha-ratio", "1"], ["exclude"]),
        (GOOD, ["--alpha", "1", "--cv"], ["--cv chooses alpha", "--alpha has no use"]),
        (GOOD, ["--alpha-ratio", "1", "--cv", "3"], ["--alpha-ratio has no use"]),
        (GOOD, ["--cv", "1"], ["--cv is 1", "at least 2"]),
        (GOOD, ["--cv", "-3"], ["--cv is -3", "at least 2"]),
        (GOOD, ["--cv", "11"], ["--cv 11 needs at least 11 rows", "there are 10"]),
        (GOOD, ["--one-se"], ["--one-se is a rule for --cv"]),
        (GOOD, ["--test-fraction", "1"], ["--test-fraction"]),
        (GOOD, ["--time-limit", "-1"], ["--time-limit", "positive"]),
        (GOOD, ["--out", "data.csv"], ["is a file", "name a folder"]),
    ],
)  # fmt: skip
def test_fault_is_named_in_one_sentence(text, options, words):
    write(text)
    target = [] if "--target" in options else ["--target", "y"]
    said = run("fit", "data.csv", *target, *options, code=2)
    assert said.startswith("Error: ")
    assert said.count("\n") == 1
    assert said.rstrip().endswith((".", "?"))
    for word in words:
        assert word in said


def test_missing_file_suggests_a_neighbour(table):
    assert "did you mean 'data.csv'" in run("fit", "dta.csv", "--target", "effect", code=2)
    assert "folder" in run("fit", ".", "--target", "effect", code=2)


@pytest.mark.parametrize(
    ("raw", "word"),
    [(b"PK\x03\x04rest", "spreadsheet"), (b"x,y\n1,\xff\n", "UTF-8"), (b"x\0,y\n", "text file")],
)
def test_other_kinds_of_file(raw, word):
    Path("data.csv").write_bytes(raw)
    assert word in run("fit", "data.csv", "--target", "y", code=2)


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("no json", "not JSON"),
        ('{"a": 1}', "not a radontv model"),
        ('{"format": "radontv-model", "format_version": 99, "radontv_version": "9"}', "99"),
        ('{"format": "radontv-model", "format_version": 1}', "damaged"),
    ],
)
def test_foreign_models(table, text, word):
    write(text, "model.json")
    assert word in run("predict", "model.json", table, code=2)
    assert "no model" in run("predict", "nowhere", table, code=2)


def test_predict_loses_no_digits_to_a_large_offset(frame):
    frame["dose"] = 1e9 + 1e-3 * np.arange(60)
    frame.to_csv("data.csv", index=False)
    run("fit", "data.csv", "--target", "effect", "--alpha", 0.01, "--no-plots", "--quiet")
    run("predict", "data-radontv", "data.csv", "--out", "p.csv", "--quiet")
    first = column("data-radontv/predictions.csv", "prediction")
    assert np.allclose(column("p.csv", "prediction"), first, rtol=1e-12, atol=1e-12)


def test_predict_refuses_rows_that_overflow(table, frame):
    frame["dose"] *= 1e-90
    frame.to_csv("data.csv", index=False)
    run("fit", "data.csv", "--target", "effect", "--alpha", 0.1, "--no-plots", "--quiet")
    frame["dose"] = 1e90
    frame.to_csv("new.csv", index=False)
    said = run("predict", "data-radontv", "new.csv", code=2)
    assert "too far from the data of the fit" in said


def test_predict_needs_the_columns_of_the_model(table, frame):
    run("fit", table, "--target", "effect", "--alpha", 0.1, "--no-plots", "--quiet")
    frame[["dose"]].to_csv("new.csv", index=False)
    assert "no column 'age'" in run("predict", "data-radontv", "new.csv", code=2)
    frame[["dose", "age"]].assign(extra=1).to_csv("new.csv", index=False)
    assert "Not used by the model: 'extra'" in run("predict", "data-radontv", "new.csv")


def test_predict_compares_with_finite_values_only(table, frame):
    run("fit", table, "--target", "effect", "--alpha", 0.1, "--no-plots", "--quiet")
    frame.loc[3, "effect"] = np.inf
    frame.to_csv("new.csv", index=False)
    said = run("predict", "data-radontv", "new.csv")
    assert "Against the 59 known values: R^2 = 0." in said
    assert "compared with nothing: 1." in said
    frame.loc[1:, "effect"] = np.nan
    frame.to_csv("new.csv", index=False)
    said = run("predict", "data-radontv", "new.csv")
    assert "one known value" in said
    assert "R^2 is undefined" in said
    frame.loc[0, "age"] = np.nan
    frame.to_csv("new.csv", index=False)
    said = run("predict", "data-radontv", "new.csv", code=2)
    assert "--drop-missing" in said
    assert "--drop," not in said
    assert "(1 row)" in said
    frame[1:2].to_csv("new.csv", index=False)
    assert "1 prediction of" in run("predict", "data-radontv", "new.csv")


def test_data_errors_are_value_errors():
    assert issubclass(DataError, ValueError)


# --- the whole program ---------------------------------------------------------------------


def program(*arguments, **options):
    """Return the arguments of a subprocess that sees the same radontv as this one."""
    path = [str(ROOT)] if str(ROOT) in sys.path else []  # pytest put the checkout there
    env = dict(os.environ, PYTHONPATH=os.pathsep.join([*path, os.environ.get("PYTHONPATH", "")]))
    return {"args": [sys.executable, "-m", "radontv", *arguments], "env": env, **options}


def test_version_help_and_no_arguments():
    assert run("--version").startswith("radontv ")
    for arguments in (["--help"], ["fit", "--help"], ["predict", "--help"], ["demo", "--help"]):
        assert "Usage" in run(*arguments)


def test_missing_libraries_are_named_in_one_line(monkeypatch):
    monkeypatch.setattr(cli, "find_spec", lambda name: None if name == "pandas" else object())
    with pytest.raises(SystemExit) as stopped:
        cli.main()
    assert "pandas" in str(stopped.value)
    assert "pip install -e '.[cli]'" in str(stopped.value)


def test_demo(folder):
    said = run("demo", "--time-limit", 20, "--out", "here")
    assert "radontv fit here/diabetes.csv --target progression" in said
    assert len(pd.read_csv("here/diabetes.csv")) == 442
    assert Path("here/certificate.png").stat().st_size > 10_000
    assert "Quality of the fit" in said


def test_module_runs_without_a_traceback():
    write("")
    done = subprocess.run(
        **program("fit", "data.csv", "--target", "y"), capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 2
    assert done.stderr.startswith("Error: data.csv is empty")
    assert "Traceback" not in done.stderr


@pytest.mark.skipif(os.name == "nt", reason="sends SIGINT")
@pytest.mark.parametrize("module", ["shlex", "typer", "numpy", "numba", "radontv.problems"])
def test_interrupt_of_the_imports_gives_one_line(folder, module):
    begun = program("fit", "data.csv", "--target", "y")
    begun["args"][1:1] = ["-X", "importtime"]  # a line on stderr after each import
    child = subprocess.Popen(**begun, stderr=subprocess.PIPE, text=True)
    try:
        for line in child.stderr:
            if line.rpartition("|")[2].strip() == module:
                break
        child.send_signal(signal.SIGINT)
        _, said = child.communicate(timeout=60)
    finally:
        child.kill()
    lines = [line for line in said.splitlines() if line and not line.startswith("import time:")]
    assert child.returncode == 130, said
    # Which of them depends on how far it came until the signal arrived.
    assert lines in ([], ["Interrupted."], ["Stopped; nothing was written."])


def test_interrupt_before_the_commands_gives_one_line(monkeypatch, capsys):
    monkeypatch.setattr(cli, "main", lambda: signal.raise_signal(signal.SIGINT))
    with pytest.raises(SystemExit) as stopped:
        command()
    assert stopped.value.code == 130
    assert capsys.readouterr() == ("", "Interrupted.\n")


@pytest.mark.parametrize(
    ("first", "given", "heavy"),
    [
        ("-m", ["-m", "radontv", "fit"], False),
        ("-m", ["-m", "other", "radontv"], True),
        ("/bin/radontv", ["/bin/radontv", "fit"], False),
        ("-c", ["-c", "..."], True),
        ("a.py", ["a.py", "-m", "radontv"], True),
    ],
)
def test_the_command_imports_the_package_where_ctrl_c_is_awaited(first, given, heavy):
    code = (
        f"import sys; sys.argv, sys.orig_argv = {[first]!r}, {['python', *given]!r}; "
        "import radontv; print('numpy' in sys.modules)"
    )
    alone = program()
    alone["args"][1:] = ["-c", code]
    done = subprocess.run(**alone, capture_output=True, text=True, timeout=60)
    assert done.stdout == f"{heavy}\n", done.stderr


@pytest.mark.skipif(os.name == "nt", reason="sends SIGINT")
def test_interrupt_keeps_the_best_network(folder):
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(rng.normal(size=(400, 8)), columns=list("abcdefgh"))
    frame["y"] = rng.normal(size=400)
    frame.to_csv("data.csv", index=False)
    options = ["--target", "y", "--tol", "1e-13", "--prove", "--no-plots"]
    child = subprocess.Popen(
        **program("fit", "data.csv", *options), stdout=subprocess.PIPE, text=True
    )
    try:
        for line in child.stdout:  # the first row of the table: the solver is at work
            if line.split()[:1] == ["0"]:
                break
        time.sleep(0.5)
        child.send_signal(signal.SIGINT)
        said, _ = child.communicate(timeout=60)
    finally:
        child.kill()
    assert child.returncode == 130, said
    assert "interrupted" in said
    assert "You stopped the fit" in said
    assert "had not begun" in said
    assert load_model(Path("data-radontv")).certificate.primal > 0


@pytest.mark.skipif(os.name == "nt", reason="sends SIGINT")
@pytest.mark.parametrize("jobs", ["1", "2"])
def test_interrupt_among_the_folds_ends_everything(folder, jobs):
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(rng.normal(size=(1500, 8)), columns=list("abcdefgh"))
    frame["y"] = rng.normal(size=1500)
    frame.to_csv("data.csv", index=False)
    options = ["--target", "y", "--cv", "--jobs", jobs, "--no-plots"]
    child = subprocess.Popen(
        **program("fit", "data.csv", *options),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        for line in child.stdout:
            if line.startswith("One line per fold"):
                break
        time.sleep(1.5)
        child.send_signal(signal.SIGINT)
        _, said = child.communicate(timeout=60)
    finally:
        child.kill()
    assert child.returncode == 130, said
    assert said.strip() == "Stopped; written in data-radontv: nothing."
