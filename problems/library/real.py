"""Instances from the tables that ship inside scikit-learn, at fixed penalties.

The files are read where scikit-learn is installed; it is not imported, and nothing of it is copied.
Features and real targets are standardised here, each to mean 0 and mean square 1; two classes are
targets +-1.
"""

from __future__ import annotations

import gzip
import importlib.util
import io
import math
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from ..checks import Array
from ..problem import RadonTVProblem
from .recipe import Recipe

_LAYOUT: dict[str, dict[str, Any]] = {
    "breast_cancer.csv": {"delimiter": ",", "skiprows": 1},
    "diabetes_data_raw.csv.gz": {},
    "diabetes_target.csv.gz": {},
    "digits.csv.gz": {"delimiter": ","},
    "iris.csv": {"delimiter": ",", "skiprows": 1},
    "linnerud_exercise.csv": {"skiprows": 1},
    "linnerud_physiological.csv": {"skiprows": 1},
    "wine_data.csv": {"delimiter": ",", "skiprows": 1},
}


@cache
def table(file: str) -> Array:
    """Return a table of scikit-learn, shape (n_rows, n_columns), as it is in the file.

    Raises
    ------
    FileNotFoundError
        If scikit-learn is not installed or keeps its tables elsewhere.
    """
    found = importlib.util.find_spec("sklearn")
    places = [] if found is None else list(found.submodule_search_locations or [])
    for place in places:
        path = Path(place) / "datasets" / "data" / file
        if path.is_file():
            raw = path.read_bytes()
            text = (gzip.decompress(raw) if file.endswith(".gz") else raw).decode()
            numbers: Array = np.loadtxt(io.StringIO(text), ndmin=2, **_LAYOUT[file])
            numbers.flags.writeable = False
            return numbers
    where = f"no datasets/data/{file} in {places[0]}" if places else "it is not installed"
    raise FileNotFoundError(f"this instance needs a table of scikit-learn, but {where}.")


def standardise(columns: Array) -> Array:
    """Return every column minus its mean, over the root of its mean square.

    Sums are rounded once (math.fsum), so that the result does not depend on the computer.
    """
    scaled = np.array(columns, dtype=np.float64)
    for column in scaled.reshape(len(scaled), -1).T:
        column -= math.fsum(column) / len(column)
        column /= math.sqrt(math.fsum(column * column) / len(column))
    return scaled


def principal_axes(X: Array, d: int) -> Array:
    """Return the d leading principal components of the standardised columns that vary.

    The axes are rounded to 6 decimals, so that the result does not depend on the computer; their
    largest coefficient in absolute value is positive.
    """
    varied = standardise(X[:, np.ptp(X, axis=0) > 0])
    _, axes = np.linalg.eigh(varied.T @ varied)
    axes = axes[:, : -d - 1 : -1]
    largest = np.take_along_axis(axes, np.abs(axes).argmax(axis=0)[None], axis=0)
    components: Array = varied @ np.round(axes * np.sign(largest), 6)
    return components


def _regression(X: Array, y: Array, alpha: float) -> RadonTVProblem:
    return RadonTVProblem(standardise(X), standardise(y), alpha=alpha)


def _two_classes(X: Array, first: Array, alpha: float) -> RadonTVProblem:
    return RadonTVProblem(X, np.where(first, 1.0, -1.0), alpha=alpha)


def _linnerud() -> RadonTVProblem:
    waist = table("linnerud_physiological.csv")[:, 1]
    return _regression(table("linnerud_exercise.csv"), waist, 0.02)


def _iris_petal_width() -> RadonTVProblem:
    iris = table("iris.csv")
    return _regression(iris[:, :3], iris[:, 3], 0.003)


def _iris_versicolor() -> RadonTVProblem:
    iris = table("iris.csv")
    return _two_classes(standardise(iris[:, :4]), iris[:, 4] == 1, 0.01)


def _wine_alcohol() -> RadonTVProblem:
    wine = table("wine_data.csv")
    return _regression(wine[:, [6, 9, 10, 12]], wine[:, 0], 0.01)


def _cancer_radius_texture() -> RadonTVProblem:
    cancer = table("breast_cancer.csv")
    return _two_classes(standardise(cancer[:, :2]), cancer[:, 30] == 0, 0.002)


def _cancer_axes() -> RadonTVProblem:
    cancer = table("breast_cancer.csv")
    return _two_classes(principal_axes(cancer[:, :30], 5), cancer[:, 30] == 0, 0.01)


def _diabetes(columns: Sequence[int], alpha: float) -> RadonTVProblem:
    X = table("diabetes_data_raw.csv.gz")[:, list(columns)]
    return _regression(X, table("diabetes_target.csv.gz")[:, 0], alpha)


def _digits() -> RadonTVProblem:
    digits = table("digits.csv.gz")
    digits = digits[np.isin(digits[:, 64], [3.0, 8.0])]
    return _two_classes(principal_axes(digits[:, :64], 5), digits[:, 64] == 3, 0.02)


RECIPES = (
    Recipe(
        "linnerud-waist-d3",
        "real",
        "Linnerud: waist of 20 men from chin-ups, sit-ups and jumps",
        _linnerud,
    ),
    Recipe(
        "iris-petal-width-d3",
        "real",
        "iris: petal width from the other three measurements (equal rows)",
        _iris_petal_width,
    ),
    Recipe(
        "iris-versicolor-d4",
        "real",
        "iris: versicolor (+1) or not (-1) from all four measurements",
        _iris_versicolor,
    ),
    Recipe(
        "wine-alcohol-d4",
        "real",
        "wine: alcohol from flavanoids, colour intensity, hue and proline",
        _wine_alcohol,
    ),
    Recipe(
        "cancer-d2",
        "real",
        "breast cancer: malignant (+1) or benign (-1) from mean radius and mean texture",
        _cancer_radius_texture,
    ),
    Recipe(
        "cancer-axes-d5",
        "real",
        "breast cancer: malignant (+1) or benign (-1) from five principal components",
        _cancer_axes,
    ),
    Recipe(
        "diabetes-d2",
        "real",
        "diabetes: progression from body mass index and blood pressure",
        lambda: _diabetes([2, 3], 0.005),
    ),
    Recipe(
        "diabetes-d4",
        "real",
        "diabetes: progression from body mass index, blood pressure, s3 and s5",
        lambda: _diabetes([2, 3, 6, 8], 0.02),
    ),
    Recipe(
        "diabetes-d6",
        "real",
        "diabetes: progression from age, sex, body mass index, blood pressure, s3 and s5",
        lambda: _diabetes([0, 1, 2, 3, 6, 8], 0.03),
    ),
    Recipe(
        "diabetes-d10",
        "real",
        "diabetes: progression from all ten features",
        lambda: _diabetes(range(10), 0.03),
    ),
    Recipe(
        "digits-3-8-d5",
        "real",
        "digits: 3 (+1) or 8 (-1) from five principal components of the pixels that vary",
        _digits,
    ),
)
