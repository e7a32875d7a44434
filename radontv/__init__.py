"""Certified ridge splines: shallow ReLU networks with a proof of how good they are."""

from pathlib import Path as _Path

_root = _Path(__file__).resolve().parents[1]
if (_root / "pyproject.toml").is_file() and (_root / "problems").is_dir():
    # A checkout keeps problems/ and solvers/ beside this folder; a wheel keeps
    # them inside it and never reaches this line.
    __path__.append(str(_root))

from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any

from . import problems, solvers

if TYPE_CHECKING:
    from .certification import certify
    from .classifiers import RadonTVClassifier
    from .classifiers_cv import RadonTVClassifierCV
    from .estimators import RadonTVRegressor
    from .estimators_cv import RadonTVRegressorCV
    from .model_report import ModelReport

try:
    __version__ = version("radontv")
except PackageNotFoundError:  # a checkout that is not installed
    __version__ = "0+unknown"

__all__ = [
    "ModelReport",
    "RadonTVClassifier",
    "RadonTVClassifierCV",
    "RadonTVRegressor",
    "RadonTVRegressorCV",
    "__version__",
    "certify",
    "problems",
    "solvers",
]


_HOMES = {
    "ModelReport": "model_report",
    "RadonTVClassifier": "classifiers",
    "RadonTVClassifierCV": "classifiers_cv",
    "RadonTVRegressor": "estimators",
    "RadonTVRegressorCV": "estimators_cv",
    "certify": "certification",
}


def __getattr__(name: str) -> Any:
    # The estimators import scikit-learn, which takes as long as all the rest together.
    if name not in _HOMES:
        raise AttributeError(f"module 'radontv' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f".{_HOMES[name]}", __name__), name)
